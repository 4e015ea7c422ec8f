//! What the fuzz targets call: every decoder, with the properties that must hold for any bytes.

use crate::handshake::{Admissions, Door, Redemption, Visitor};
use crate::{
    Attest, Ban, Certificate, Certification, Corridor, Counter, Departure, Epoch, Frame,
    FrameError, Funding, Heartbeat, HeartbeatChange, Manifest, MemberSecret, Message,
    NodeSignature, Observation, PROTOCOL_VERSION, Profile, Record, RecordBody, SealDomain, Sealed,
    Statement, Tally, Ticket, TicketError, VerifyingKey, Vote, codec,
};
use hive_types::limits::FRAME_BYTES;
use hive_types::{
    Capabilities, Constraint, Elapsed, HiveId, Intent, MemberKey, Network, NodeId, Now, TicketId,
    UnixMillis,
};
use secp256k1::{PublicKey, SECP256K1, SecretKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A frame is refused, or it is the one encoding of its message.
pub fn decode_frame(data: &[u8]) {
    match Message::from_frame(data) {
        Ok(message) => assert_eq!(message.to_frame().as_deref(), Ok(data)),
        Err(FrameError::TooLong { .. }) => assert!(data.len() > FRAME_BYTES),
        Err(_) => {}
    }
}

/// The body of each kind: the first byte picks one, so that no input is lost to the envelope.
pub fn decode_body(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else {
        return;
    };
    let frame = Frame {
        version: PROTOCOL_VERSION,
        kind: u64::from(*kind),
        body,
    };
    if let Ok(frame) = frame.to_bytes() {
        decode_frame(&frame);
    }
}

/// A ticket is refused, or its text and its payload read back.
pub fn parse_ticket(data: &[u8]) {
    if let Some(ticket) = decode_identity::<Ticket>(data) {
        match ticket.to_string().parse::<Ticket>() {
            Ok(read) => assert_eq!(read, ticket),
            Err(error) => assert!(matches!(
                error,
                TicketError::TooLong(_) | TicketError::Contacts
            )),
        }
    }
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    if let Ok(ticket) = text.parse::<Ticket>() {
        let again = ticket.to_string();
        assert_eq!(again, text.trim().to_lowercase());
        let _ = ticket.hash();
    }
}

/// A record is refused, or keeps its bytes; its seal is nobody's.
pub fn parse_record(data: &[u8]) {
    let Ok(record) = Record::parse(data.to_vec()) else {
        return;
    };
    assert_eq!(record.bytes(), data);
    let fields = codec::encode(record.fields());
    assert_eq!(Some(fields.as_slice()), data.get(..fields.len()));
    let _ = record.verify(&HiveId::from_bytes([1; 32]), &member().1);
}

/// A statement, bare or sealed, is refused, or is the one encoding of itself.
pub fn decode_statement(data: &[u8]) {
    if let Some(statement) = decode_identity::<Statement>(data) {
        let _ = statement.slot();
    }
    if let Some(sealed) = decode_identity::<Sealed>(data) {
        let hive = HiveId::from_bytes([1; 32]);
        let _ = sealed.verify(SealDomain::Statement, &hive, &member().1);
        let _ = codec::decode::<Statement>(&sealed.body);
    }
}

/// A manifest verifies only in its own hive and network.
pub fn verify_manifest(data: &[u8]) {
    let Some(manifest) = decode_identity::<Manifest>(data) else {
        return;
    };
    let Certification { hive, network, .. } = *manifest.certification();
    let other = HiveId::from_bytes(hive.to_bytes().map(|byte| !byte));
    assert!(manifest.clone().verify(&other, network).is_err());
    if let Ok(verified) = manifest.clone().verify(&hive, network) {
        assert_eq!(verified.into_manifest(), manifest);
    }
}

/// A certificate is refused, or is the one encoding of itself; a charter's names its own hive.
pub fn decode_certificate(data: &[u8]) {
    let Some(certificate) = decode_identity::<Certificate>(data) else {
        return;
    };
    let _ = certificate.accepted();
    let hive = HiveId::from_bytes([1; 32]);
    assert!(certificate.verify_charter(&hive).is_err());
    if let crate::DecisionBody::Charter { charter, .. } = &certificate.decision.decision.body {
        let _ = certificate.verify_charter(&charter.hive_id());
    }
}

/// A heartbeat is refused, or is the one encoding of itself, and the change from one to another leads
/// there. The first byte says where the first one ends.
pub fn decode_heartbeat(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else {
        return;
    };
    let _ = body_identity::<Heartbeat>(rest);
    let _ = body_identity::<HeartbeatChange>(rest);
    let Some((first, second)) = rest.split_at_checked(usize::from(*length)) else {
        return;
    };
    let Some(full) = body_identity::<Heartbeat>(first) else {
        return;
    };
    if let Some(new) = body_identity::<Heartbeat>(second) {
        let change = HeartbeatChange::between(&full, Counter(1), &new);
        let read = HeartbeatChange::decode(&change.encode());
        assert_eq!(read.as_ref(), Ok(&change));
        assert_eq!(change.apply(&full), Ok(new));
    }
    if let Some(change) = body_identity::<HeartbeatChange>(second)
        && let Ok(new) = change.apply(&full)
    {
        assert_eq!(HeartbeatChange::between(&full, change.base, &new), change);
    }
}

/// A record's body of any kind is refused, or is the one encoding of itself. The first byte picks the
/// kind.
pub fn decode_record_body(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else {
        return;
    };
    match kind {
        0 => drop(body_identity::<Tally>(body)),
        1 => drop(body_identity::<Manifest>(body)),
        4 => drop(body_identity::<Constraint>(body)),
        5 => drop(body_identity::<Intent>(body)),
        6 => drop(body_identity::<Observation>(body)),
        7 => drop(body_identity::<Vote>(body)),
        8 => drop(body_identity::<Departure>(body)),
        9 => drop(body_identity::<Funding>(body)),
        10 => drop(body_identity::<Ban>(body)),
        11 => drop(body_identity::<Corridor>(body)),
        _ => {}
    }
}

fn body_identity<T: RecordBody>(body: &[u8]) -> Option<T> {
    let value = T::decode(body).ok()?;
    assert_eq!(value.encode(), body);
    Some(value)
}

/// A `signmessage` text is refused, or reads back; recovering a key from it never panics.
pub fn parse_signature(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    if let Ok(signature) = NodeSignature::parse(text) {
        assert_eq!(signature.to_string(), text);
        let _ = signature.recover("text");
    }
}

/// An ATTEST that was not made for this conversation lets nobody in, whatever its fields say: the
/// cookie and the ticket's hash are put right, so that the checks behind them are reached.
pub fn answer_attest(data: &[u8]) {
    let Ok(mut attest) = codec::decode::<Attest>(data) else {
        return;
    };
    let hive = attest.ticket.body().hive;
    let Some(mut door) = door(hive, attest.ticket.body().network) else {
        return;
    };
    let node = *attest.manifest.node_id();
    attest.hello.ticket = attest.ticket.hash();
    // Never used by an honest candidate, so no seal that was ever made covers it.
    attest.hello.nonce = [0xff; 32];
    attest.cookie = door.on_hello(Elapsed::ZERO, &node, &attest.hello).cookie;
    let visitor = Visitor {
        node,
        features: Capabilities::from_bits(u32::MAX),
    };
    let verdict = door.on_attest(Now::default(), &visitor, attest, [0; 32], &Open);
    assert!(verdict.is_err());
    assert!(door.signature_checks() <= 4);
}

/// A fleet in which everything is allowed and one key issued every ticket.
struct Open;

impl Admissions for Open {
    fn issuer_key(&self, _: &NodeId, _: Epoch) -> Option<VerifyingKey> {
        Some(member().1)
    }

    fn redemption(&self, _: &TicketId) -> Redemption {
        Redemption::Open
    }

    fn is_expelled(&self, _: &NodeId) -> bool {
        false
    }

    fn has_room(&self) -> bool {
        true
    }
}

fn member() -> (MemberSecret, VerifyingKey) {
    let secret = MemberSecret::from_bytes(&[0x77; 32]).expect("32 bytes of 0x77 are a key");
    let key: MemberKey = secret.public();
    let key = VerifyingKey::new(&key).expect("a secret's public key is a point");
    (secret, key)
}

fn door(hive: HiveId, network: Network) -> Option<Door> {
    let node_secret = SecretKey::from_slice(&[0x66; 32]).ok()?;
    let public = PublicKey::from_secret_key(SECP256K1, &node_secret);
    let (secret, _) = member();
    let certification = Certification {
        hive,
        node: NodeId::from_bytes(public.serialize()).ok()?,
        network,
        member_key: secret.public(),
        epoch: Epoch(1),
    };
    let signature = NodeSignature::sign(&certification.text(), &node_secret);
    let profile = Profile::new("fuzzing", UnixMillis::new(u64::MAX));
    let manifest = Manifest::sign(certification, signature, profile, &secret).ok()?;
    let verified = manifest.verify(&hive, network).ok()?;
    Some(Door::new(verified, [0; 32]))
}

/// Decodes, and checks that encoding gives the same bytes.
fn decode_identity<T: Serialize + DeserializeOwned>(data: &[u8]) -> Option<T> {
    let value = codec::decode::<T>(data).ok()?;
    assert_eq!(codec::encode(&value), data);
    Some(value)
}
