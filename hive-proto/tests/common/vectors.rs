//! The test vectors as JSON, and the worked examples of the protocol's page, from the code.

use super::annotate::{annotate, line};
use super::{EXPIRES, Fleet, Party, WALL, sample};
use bech32::{Bech32, Bech32m, Hrp};
use data_encoding::HEXLOWER;
use hive_proto::{
    Ballot, Manifest, ManifestError, Message, NodeSignature, Profile, RecordBody, SealDomain,
    Ticket, codec,
};
use hive_types::{Digest, Network};
use serde::Serialize;
use serde_json::{Value, json};

pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

/// Every generated file by name.
pub fn files() -> Vec<(&'static str, Value)> {
    vec![
        ("messages.json", messages()),
        ("record_bodies.json", record_bodies()),
        ("invalid_frames.json", invalid_frames()),
        ("tickets.json", tickets()),
        ("manifests.json", manifests()),
        ("seals.json", seals()),
        ("ballots.json", ballots()),
    ]
}

/// A file as it is written.
pub fn text(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn party(party: &Party) -> Value {
    json!({
        "node_secret": hex(party.node_secret.secret_bytes()),
        "node_id": party.node,
        "member_secret": hex(party.secret.to_bytes()),
        "member_key": party.secret.public(),
        "epoch": 1,
    })
}

fn messages() -> Value {
    let fleet = sample::fleet();
    let messages = sample::messages();
    let frames = messages.iter().map(|(name, message)| {
        let frame = message.to_frame().unwrap();
        json!({ "name": name, "kind": message.kind(), "frame": hex(frame) })
    });
    let record = sample::record();
    json!({
        "about": "One frame of each kind, without the two bytes of the BOLT 1 type. Signatures are \
                  deterministic: BIP 340 without auxiliary randomness, ECDSA by RFC 6979.",
        "network": Network::Regtest,
        "hive": fleet.hive,
        "charter": hex(codec::encode(&fleet.charter)),
        "founder": party(&fleet.founder),
        "guest": party(&sample::guest()),
        "now_unix_millis": WALL.get(),
        "expires_unix_millis": EXPIRES.get(),
        "messages": frames.collect::<Vec<_>>(),
        "record": { "bytes": hex(record.bytes()), "hash": record.hash() },
        "statement": hex(codec::encode(&sample::statement())),
    })
}

fn record_bodies() -> Value {
    let bodies = sample::bodies().into_iter().map(|(name, kind, key, body)| {
        json!({ "name": name, "kind": kind, "key": hex(key), "body": hex(body) })
    });
    json!({
        "about": "One body of each kind of record, and the key under which it stands.",
        "bodies": bodies.collect::<Vec<_>>(),
    })
}

fn frame_of(name: &str) -> Vec<u8> {
    let messages = sample::messages();
    let (_, message) = messages.iter().find(|(of, _)| *of == name).unwrap();
    message.to_frame().unwrap()
}

fn changed(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = frame_of(name);
    change(&mut frame);
    frame
}

fn set_last(frame: &mut [u8], value: u8) {
    *frame.last_mut().unwrap() = value;
}

fn invalid_frames() -> Value {
    let frames: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("part of the magic", b"HIV".to_vec()),
        ("another protocol", b"JSON\x01\x01".to_vec()),
        ("no kind", b"HIVE\x01".to_vec()),
        ("an older version", b"HIVE\x00\x01".to_vec()),
        ("a newer version", b"HIVE\x02\x01".to_vec()),
        (
            "a kind longer than needed",
            b"HIVE\x01\xfd\x00\x01".to_vec(),
        ),
        ("an unknown kind", b"HIVE\x01\xfd\x03\xe7".to_vec()),
        (
            "a message cut short",
            changed("hello", |frame| frame.truncate(40)),
        ),
        ("a byte too many", changed("hello", |frame| frame.push(0))),
        (
            "a number longer than needed",
            changed("chain-request", |frame| {
                frame.truncate(6);
                frame.extend_from_slice(&[251, 1, 0]);
            }),
        ),
        (
            "a boolean of 2",
            changed("listing", |frame| set_last(frame, 2)),
        ),
        (
            "a node id that starts with 05",
            changed("digest", |frame| frame[7] = 5),
        ),
        (
            "a reason that does not exist",
            changed("refused", |frame| set_last(frame, 200)),
        ),
        (
            "a length above what is there",
            changed("probe", |frame| frame[6] = 250),
        ),
    ];
    let frames = frames.into_iter().map(|(name, frame)| {
        let error = Message::from_frame(&frame).unwrap_err();
        let future = error.is_from_the_future();
        let reason = error.to_string();
        json!({ "name": name, "frame": hex(frame), "reason": reason, "ignored": future })
    });
    json!({
        "about": "Frames that are refused, with this implementation's words for why. Those that are \
                  ignored may come from a newer, honest member; the others are counted against their \
                  sender.",
        "frames": frames.collect::<Vec<_>>(),
    })
}

fn ticket_entry(name: &str, ticket: &Ticket) -> Value {
    json!({
        "name": name,
        "text": ticket.to_string(),
        "body": ticket.body(),
        "payload": hex(codec::encode(ticket)),
        "hash": ticket.hash(),
    })
}

fn tickets() -> Value {
    let fleet = sample::fleet();
    let sign = |body| Ticket::sign(body, &fleet.founder.secret).unwrap();
    let mut named = fleet.ticket_body();
    named.guest = Some(sample::guest().node);
    named
        .contacts
        .push((Party::new(5).node, "[2001:db8::1]:9735".into()));
    let mut bare = fleet.ticket_body();
    bare.contacts.clear();
    bare.required = hive_types::Capabilities::NONE;
    bare.tier = hive_types::Tier::Full;
    let forged = Ticket::sign(fleet.ticket_body(), &Party::new(6).secret).unwrap();
    json!({
        "about": "Tickets by the founder of messages.json. The invalid ones don't parse, or are not \
                  signed by the issuer's member key.",
        "issuer_key": fleet.founder.secret.public(),
        "tickets": [
            ticket_entry("one contact", &fleet.ticket()),
            ticket_entry("for one guest, two contacts", &sign(named)),
            ticket_entry("full tier, no contact", &sign(bare)),
        ],
        "invalid": invalid_tickets(&fleet.ticket()),
        "forged": ticket_entry("signed by another key", &forged),
    })
}

fn invalid_tickets(ticket: &Ticket) -> Vec<Value> {
    let text = ticket.to_string();
    let payload = codec::encode(ticket);
    let mut longer = payload.clone();
    longer.push(0);
    let hrp = |hrp| Hrp::parse(hrp).unwrap();
    let encode = |prefix, payload: &[u8]| bech32::encode::<Bech32m>(hrp(prefix), payload).unwrap();
    let mixed = text[..text.len() - 1].to_owned() + &text[text.len() - 1..].to_uppercase();
    let typo = text[..text.len() - 1].to_owned() + if text.ends_with('q') { "p" } else { "q" };
    let invalid = [
        ("a typing error", typo),
        (
            "upper and lower case",
            format!("{}Q", &mixed[..mixed.len() - 1]),
        ),
        ("cut short", text[..text.len() - 10].to_owned()),
        ("another prefix", encode("bee", &payload)),
        (
            "bech32 instead of bech32m",
            bech32::encode::<Bech32>(hrp("hive"), &payload).unwrap(),
        ),
        ("a byte too many", encode("hive", &longer)),
        (
            "a byte too few",
            encode("hive", &payload[..payload.len() - 1]),
        ),
        ("no text at all", String::new()),
    ];
    let entry = |(name, text): (&str, String)| {
        let reason = text.parse::<Ticket>().unwrap_err().to_string();
        json!({ "name": name, "text": text, "reason": reason })
    };
    invalid.into_iter().map(entry).collect()
}

fn manifests() -> Value {
    let (fleet, guest) = (sample::fleet(), sample::guest());
    let manifest = guest.manifest(fleet.hive);
    let certification = guest.certification(fleet.hive);
    let signature = NodeSignature::sign(&certification.text(), &guest.node_secret);
    json!({
        "about": "Manifests for the hive and the network of messages.json.",
        "hive": fleet.hive,
        "network": Network::Regtest,
        "manifests": [{
            "name": "guest",
            "certification": certification,
            "certification_bytes": hex(codec::encode(&certification)),
            "text": certification.text(),
            "node_signature": signature,
            "bytes": hex(codec::encode(&manifest)),
        }],
        "invalid": invalid_manifests(&fleet, &guest),
    })
}

fn invalid_manifests(fleet: &Fleet, guest: &Party) -> Vec<Value> {
    let good = guest.manifest(fleet.hive);
    let mut other_node = guest.certification(fleet.hive);
    other_node.node = Party::new(6).node;
    let signature = NodeSignature::sign(&other_node.text(), &guest.node_secret);
    let profile = Profile::new("hive 0.1.0", EXPIRES);
    let bytes = codec::encode(&(other_node, signature, &profile));
    let seal = guest.secret.seal(SealDomain::Manifest, &fleet.hive, &bytes);
    let stolen = codec::encode(&(other_node, signature, &profile, seal));
    let mut flipped = codec::encode(&good);
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let elsewhere = Fleet::new(1, 2).hive;
    let cases = [
        ("of another hive", codec::encode(&guest.manifest(elsewhere))),
        ("in another node's name", stolen),
        ("a flipped bit of the seal", flipped),
    ];
    let entry = |(name, bytes): (&str, Vec<u8>)| {
        let manifest: Manifest = codec::decode(&bytes).unwrap();
        let error: ManifestError = manifest.verify(&fleet.hive, Network::Regtest).unwrap_err();
        json!({ "name": name, "bytes": hex(bytes), "reason": error.to_string() })
    };
    cases.into_iter().map(entry).collect()
}

fn seals() -> Value {
    let fleet = sample::fleet();
    let secret = &fleet.founder.secret;
    let domains = [
        SealDomain::Record,
        SealDomain::Statement,
        SealDomain::Decision,
        SealDomain::Vote,
        SealDomain::Ticket,
        SealDomain::Manifest,
        SealDomain::Attest,
        SealDomain::Welcome,
    ];
    let seals = domains.map(|domain| {
        let message = format!("sealed as {}", domain.tag());
        let seal = secret.seal(domain, &fleet.hive, message.as_bytes());
        let digest =
            hive_proto::tagged_hash(domain.tag(), &[fleet.hive.as_bytes(), message.as_bytes()]);
        json!({
            "tag": domain.tag(),
            "message": hex(message),
            "digest": digest,
            "signature": seal,
        })
    });
    json!({
        "about": "BIP 340 signatures without auxiliary randomness over the BIP 340 tagged hash of \
                  hive id and message.",
        "hive": fleet.hive,
        "member_secret": hex(secret.to_bytes()),
        "member_key": secret.public(),
        "seals": seals,
    })
}

fn ballots() -> Value {
    let previous = Digest::from_bytes([0x11; 32]);
    let resource = sample::lock().resource();
    let mut ballots: Vec<_> = (1..=5)
        .flat_map(|party| [1, 2].map(|round| (round, Party::new(party).node)))
        .map(|(round, node)| Ballot::new(round, &previous, &resource, node))
        .collect();
    ballots.sort();
    json!({
        "about": "Ballots for one resource after one decision, in ascending order.",
        "previous": previous,
        "lock_target": Party::new(9).node,
        "resource": resource,
        "ballots": ballots,
    })
}

fn body_lines(message: &Message) -> String {
    fn lines<T: Serialize>(value: &T) -> String {
        annotate("body", value).replace("body.", "")
    }
    match message {
        Message::Hello(body) => lines(body),
        Message::Challenge(body) => lines(body),
        Message::Attest(body) => lines(body),
        Message::Probe(body) | Message::Echo(body) => annotate("bytes", body),
        Message::Welcome(body) => lines(body),
        Message::Refused(body) => annotate("reason", body),
        Message::Digest(body) => annotate("lines", body),
        Message::Delta(body) => lines(body),
        Message::Listing(body) => lines(body),
        Message::Routed(body) => lines(body),
        Message::ChainRequest(body) => lines(body),
        Message::Chain(body) => lines(body),
        Message::Snapshot(body) => lines(body),
    }
}

/// The worked examples by name: annotated hex of each message, of the record and the statement
/// within two of them, and of the ticket's payload.
fn examples() -> Vec<(String, String)> {
    let messages = sample::messages();
    let mut examples: Vec<_> = messages
        .iter()
        .map(|(name, message)| {
            let envelope = line(b"HIVE", "magic")
                + &line(&[hive_proto::PROTOCOL_VERSION], "version")
                + &line(&[message.kind() as u8], "kind");
            ((*name).to_owned(), envelope + &body_lines(message))
        })
        .collect();
    let record = sample::record();
    let signature = &record.bytes()[record.bytes().len() - 64..];
    let fields = annotate("record", record.fields()).replace("record.", "");
    examples.push(("record".into(), fields + &line(signature, "signature")));
    let statement = annotate("statement", &sample::statement());
    examples.push(("statement".into(), statement));
    examples.extend(heartbeats());
    let ticket = annotate("ticket", &sample::fleet().ticket()).replace("ticket.", "");
    examples.push(("ticket".into(), ticket));
    examples
}

/// The two heartbeats, which are no bincode.
fn heartbeats() -> [(String, String); 2] {
    let cut = |bytes: Vec<u8>, fields: &[(usize, &str)]| {
        let mut rest = bytes.as_slice();
        let mut text = String::new();
        for (length, name) in fields {
            let (field, after) = rest.split_at(*length);
            text += &line(field, name);
            rest = after;
        }
        assert_eq!(rest, [0u8; 0], "the fields are the whole body");
        text
    };
    let full = cut(
        sample::heartbeat().encode(),
        &[
            (1, "announced channels"),
            (3, "block 800000"),
            (1, "transaction 1, output 0"),
            (1, "the same block"),
            (2, "transaction 2000, output 1"),
            (3, "70123 blocks later"),
            (2, "transaction 7, output 3 + 2"),
            (3, "shares"),
            (1, "unannounced channels"),
            (33, "peer"),
            (3, "capacity: 1000000 sat"),
            (1, "share"),
        ],
    );
    let change = cut(
        sample::heartbeat_change().encode(),
        &[
            (1, "counter of the full heartbeat"),
            (1, "flags: removed, added"),
            (1, "pairs"),
            (1, "index 0"),
            (1, "share"),
            (1, "removed"),
            (1, "index 2"),
            (1, "added"),
            (3, "block 900000"),
            (1, "transaction 1, output 1"),
            (1, "share"),
        ],
    );
    [
        ("heartbeat-full".into(), full),
        ("heartbeat-change".into(), change),
    ]
}

/// The page with its worked examples as the code gives them.
///
/// An example stands between `<!-- example NAME -->` and `<!-- end -->`.
pub fn with_examples(page: &str) -> String {
    let mut page = page.to_owned();
    for (name, text) in examples() {
        let open = format!("<!-- example {name} -->");
        let (before, rest) = page
            .split_once(&open)
            .ok_or(format!("the page lacks the example {name}"))
            .unwrap();
        let (_, after) = rest.split_once("<!-- end -->").unwrap();
        page = format!("{before}{open}\n```text\n{text}```\n<!-- end -->{after}");
    }
    page
}
