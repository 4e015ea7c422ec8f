//! The test vectors that other implementations read are what this one writes, and it accepts and
//! refuses what they say.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::vectors::{files, hex, text, with_examples};
use data_encoding::HEXLOWER;
use hive_proto::{
    Ballot, Ban, Charter, Corridor, Departure, Funding, Heartbeat, HeartbeatChange, Manifest,
    Message, Observation, Record, RecordBody, RecordKind, Statement, Tally, Ticket, VerifyingKey,
    Vote, codec,
};
use hive_types::limits;
use hive_types::{Constraint, Digest, HiveId, Intent, MemberKey, Network, Signature};
use serde_json::Value;
use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn file(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("tests/vectors").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn field<T: serde::de::DeserializeOwned>(value: &Value, name: &str) -> T {
    serde_json::from_value(value[name].clone()).unwrap()
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    let hex: String = field(value, name);
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap()
}

#[test]
fn the_files_are_what_the_code_writes() {
    for (name, value) in files() {
        let written = std::fs::read_to_string(root().join("tests/vectors").join(name)).unwrap();
        assert!(
            written == text(&value),
            "{name} is not what the code writes; if the format was to change, run \
             `cargo run -p hive-proto --example vectors` and say so in the changelog"
        );
    }
}

#[test]
fn the_page_shows_what_the_code_writes() {
    let page = std::fs::read_to_string(root().join("../docs/protocol.md")).unwrap();
    assert!(
        page == with_examples(&page),
        "docs/protocol.md shows other bytes than the code writes; run \
         `cargo run -p hive-proto --example vectors`"
    );
    for entry in list(&file("messages.json"), "messages") {
        let name: String = field(entry, "name");
        let shown = example_bytes(&page, &name);
        assert_eq!(hex(&shown), field::<String>(entry, "frame"), "{name}");
        assert!(Message::from_frame(&shown).is_ok());
    }
    assert!(Record::parse(example_bytes(&page, "record")).is_ok());
    let full = Heartbeat::decode(&example_bytes(&page, "heartbeat-full")).unwrap();
    let change = HeartbeatChange::decode(&example_bytes(&page, "heartbeat-change")).unwrap();
    assert!(change.apply(&full).is_ok());
    assert!(codec::decode::<Statement>(&example_bytes(&page, "statement")).is_ok());
    assert!(codec::decode::<Ticket>(&example_bytes(&page, "ticket")).is_ok());
}

#[test]
fn the_page_names_the_limits_of_the_code() {
    let limits = [
        ("bytes of a frame", limits::FRAME_BYTES as u64),
        ("members of a fleet", limits::MEMBERS as u64),
        ("characters of a ticket", limits::TICKET_CHARS as u64),
        (
            "addresses in a ticket or manifest",
            limits::ADDRESSES as u64,
        ),
        ("characters of an address", limits::ADDRESS_CHARS as u64),
        (
            "characters of a software name",
            limits::SOFTWARE_CHARS as u64,
        ),
        ("bytes of a record's key", limits::RECORD_KEY_BYTES as u64),
        ("bytes of a record's body", limits::RECORD_BODY_BYTES as u64),
        (
            "keys of an author with bodies of that size",
            limits::BULK_KEYS as u64,
        ),
        (
            "bytes of a whole record under other keys",
            limits::SMALL_RECORD_BYTES as u64,
        ),
        ("records of an author", limits::RECORDS_PER_AUTHOR as u64),
        ("epochs and counters", limits::VERSION_MAX),
        (
            "announced channels in a heartbeat",
            limits::HEARTBEAT_CHANNELS as u64,
        ),
        (
            "unannounced channels in a heartbeat",
            limits::HEARTBEAT_UNANNOUNCED as u64,
        ),
        ("hops", limits::RELAY_HOPS.into()),
        ("bytes of a probe", limits::PROBE_BYTES as u64),
        (
            "seconds of a handshake's step",
            limits::HANDSHAKE_TIMEOUT.as_secs(),
        ),
        (
            "seconds of a cookie's life",
            limits::COOKIE_LIFETIME.as_secs(),
        ),
        (
            "ATTEST verified per peer and minute",
            limits::ATTESTS_PER_PEER_MINUTE.into(),
        ),
        (
            "ATTEST verified per minute",
            limits::ATTESTS_PER_MINUTE.into(),
        ),
        ("echoes awaited at a time", limits::PROBES_PENDING as u64),
        (
            "frames looked at per stranger and minute",
            limits::STRANGER_FRAMES_PER_MINUTE.into(),
        ),
        (
            "frames looked at per member and minute",
            limits::FELLOW_FRAMES_PER_MINUTE.into(),
        ),
        (
            "strangers remembered for their limits",
            limits::STRANGERS_TRACKED as u64,
        ),
    ];
    let page = std::fs::read_to_string(root().join("../docs/protocol.md")).unwrap();
    let (_, table) = page.split_once("| limit | value |\n|---|---|\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let code = limits.map(|(name, value)| format!("| {name} | {value} |"));
    assert_eq!(table.lines().collect::<Vec<_>>(), code);
}

/// Reads an example as a reader would: the hex digits before each `#`.
fn example_bytes(page: &str, name: &str) -> Vec<u8> {
    let open = format!("<!-- example {name} -->\n```text\n");
    let (_, rest) = page.split_once(&open).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let digits = block.lines().flat_map(|line| {
        let digits = line.split('#').next().unwrap_or_default();
        digits.chars().filter(|digit| !digit.is_whitespace())
    });
    HEXLOWER
        .decode(digits.collect::<String>().as_bytes())
        .unwrap()
}

#[test]
fn frames_read_as_the_messages_that_they_are() {
    let file = file("messages.json");
    let messages = list(&file, "messages");
    let mut kinds: Vec<u64> = messages.iter().map(|entry| field(entry, "kind")).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 32, 33, 34, 35]);
    for entry in messages {
        let frame = bytes(entry, "frame");
        let message = Message::from_frame(&frame).unwrap();
        assert_eq!(message.kind(), field::<u64>(entry, "kind"));
        assert_eq!(message.to_frame().unwrap(), frame);
    }
    let charter: Charter = codec::decode(&bytes(&file, "charter")).unwrap();
    assert_eq!(charter.hive_id(), field::<HiveId>(&file, "hive"));
    let key: MemberKey = field(&file["founder"], "member_key");
    let record = Record::parse(bytes(&file["record"], "bytes")).unwrap();
    assert_eq!(record.hash(), field::<Digest>(&file["record"], "hash"));
    let key = VerifyingKey::new(&key).unwrap();
    assert_eq!(record.verify(&charter.hive_id(), &key), Ok(()));
}

#[test]
fn record_bodies_read_as_what_they_are() {
    fn reads<T: RecordBody>(body: &[u8]) -> bool {
        T::decode(body).is_ok_and(|value| value.encode() == body)
    }
    let file = file("record_bodies.json");
    let bodies = list(&file, "bodies");
    let kinds: Vec<u16> = bodies.iter().map(|entry| field(entry, "kind")).collect();
    assert_eq!(kinds, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0]);
    for entry in bodies {
        let (body, kind) = (bytes(entry, "body"), field::<RecordKind>(entry, "kind"));
        let read = match kind {
            RecordKind::MANIFEST => reads::<Manifest>(&body),
            RecordKind::HEARTBEAT_FULL => reads::<Heartbeat>(&body),
            RecordKind::HEARTBEAT_CHANGE => reads::<HeartbeatChange>(&body),
            RecordKind::CONSTRAINT => reads::<Constraint>(&body),
            RecordKind::INTENT => reads::<Intent>(&body),
            RecordKind::OBSERVATION => reads::<Observation>(&body),
            RecordKind::VOTE => reads::<Vote>(&body),
            RecordKind::DEPARTURE => reads::<Departure>(&body),
            RecordKind::FUNDING => reads::<Funding>(&body),
            RecordKind::BAN => reads::<Ban>(&body),
            RecordKind::CORRIDOR => reads::<Corridor>(&body),
            RecordKind::TALLY => reads::<Tally>(&body),
            _ => false,
        };
        assert!(read, "{entry}");
        assert_eq!(bytes(entry, "key")[0], kind.0 as u8);
    }
}

#[test]
fn invalid_frames_are_refused_for_the_reason_given() {
    for entry in list(&file("invalid_frames.json"), "frames") {
        let error = Message::from_frame(&bytes(entry, "frame")).unwrap_err();
        assert_eq!(error.to_string(), field::<String>(entry, "reason"));
        assert_eq!(error.is_from_the_future(), field::<bool>(entry, "ignored"));
    }
}

#[test]
fn tickets_read_verify_and_are_refused() {
    let file = file("tickets.json");
    let key = VerifyingKey::new(&field(&file, "issuer_key")).unwrap();
    for entry in list(&file, "tickets") {
        let text: String = field(entry, "text");
        let ticket: Ticket = text.parse().unwrap();
        assert_eq!(ticket.verify(&key), Ok(()));
        assert_eq!(ticket.to_string(), text);
        assert_eq!(*ticket.body(), field(entry, "body"));
        assert_eq!(codec::encode(&ticket), bytes(entry, "payload"));
        assert_eq!(ticket.hash(), field::<Digest>(entry, "hash"));
    }
    for entry in list(&file, "invalid") {
        let error = field::<String>(entry, "text").parse::<Ticket>();
        let reason: String = field(entry, "reason");
        assert_eq!(error.unwrap_err().to_string(), reason);
    }
    let forged: Ticket = field::<String>(&file["forged"], "text").parse().unwrap();
    assert!(forged.verify(&key).is_err());
}

#[test]
fn manifests_verify_and_are_refused() {
    let file = file("manifests.json");
    let (hive, network): (HiveId, Network) = (field(&file, "hive"), field(&file, "network"));
    for entry in list(&file, "manifests") {
        let manifest: Manifest = codec::decode(&bytes(entry, "bytes")).unwrap();
        let text: String = field(entry, "text");
        assert_eq!(manifest.certification().text(), text);
        assert!(manifest.verify(&hive, network).is_ok());
    }
    for entry in list(&file, "invalid") {
        let manifest: Manifest = codec::decode(&bytes(entry, "bytes")).unwrap();
        let error = manifest.verify(&hive, network).unwrap_err();
        assert_eq!(error.to_string(), field::<String>(entry, "reason"));
    }
}

#[test]
fn seals_are_bip_340_signatures_over_the_digests_given() {
    let file = file("seals.json");
    let key: MemberKey = field(&file, "member_key");
    let key = secp256k1::XOnlyPublicKey::from_slice(key.as_bytes()).unwrap();
    assert_eq!(list(&file, "seals").len(), 8);
    for entry in list(&file, "seals") {
        let digest: Digest = field(entry, "digest");
        let signature: Signature = field(entry, "signature");
        let signature = secp256k1::schnorr::Signature::from_slice(signature.as_bytes()).unwrap();
        let digest = secp256k1::Message::from_digest(digest.to_bytes());
        let verified = secp256k1::SECP256K1.verify_schnorr(&signature, &digest, &key);
        assert_eq!(verified, Ok(()));
    }
}

#[test]
fn ballots_stand_in_the_order_given() {
    let file = file("ballots.json");
    let (previous, resource): (Digest, Digest) =
        (field(&file, "previous"), field(&file, "resource"));
    let ballots: Vec<Ballot> = field(&file, "ballots");
    assert!(ballots.is_sorted());
    for ballot in ballots {
        let again = Ballot::new(ballot.round, &previous, &resource, ballot.proposer);
        assert_eq!(again, ballot);
    }
}
