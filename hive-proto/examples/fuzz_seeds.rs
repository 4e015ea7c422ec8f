//! Writes the seeds of the fuzz targets from the test vectors: `fuzz/seed` calls it.

#[path = "../tests/common/mod.rs"]
mod common;

use common::sample;
use hive_proto::{Message, RecordBody, codec};
use std::path::Path;

fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let fleet = sample::fleet();
    let mut seeds = Vec::new();
    for (name, message) in sample::messages() {
        let frame = message.to_frame().unwrap_or_default();
        let body = frame.get(5..).unwrap_or_default().to_vec();
        seeds.push(("decode_frame", name.to_owned(), frame));
        seeds.push(("decode_body", name.to_owned(), body));
        if let Message::Attest(attest) = message {
            seeds.push(("answer_attest", name.to_owned(), codec::encode(&attest)));
        }
    }
    for (name, kind, _, body) in sample::bodies() {
        let picked = [&[kind.0 as u8][..], &body].concat();
        seeds.push(("decode_record_body", name.to_owned(), picked));
    }
    let (full, change) = (sample::heartbeat(), sample::heartbeat_change());
    let mut pair = full.encode();
    pair.insert(0, pair.len() as u8);
    let with = |second: Vec<u8>| [pair.clone(), second].concat();
    let changed = change.apply(&full).map(|new| new.encode());
    seeds.push(("decode_heartbeat", "change".into(), with(change.encode())));
    let second = changed.unwrap_or_default();
    seeds.push(("decode_heartbeat", "full".into(), with(second)));
    let ticket = fleet.ticket();
    let record = sample::record();
    let manifest = sample::guest().manifest(fleet.hive);
    let signature = data_encoding::BASE32.encode(&[0; 65]);
    let lock = fleet.decide(sample::lock());
    let lone = [
        ("parse_ticket", "text", ticket.to_string().into_bytes()),
        ("parse_ticket", "payload", codec::encode(&ticket)),
        ("parse_record", "record", record.bytes().to_vec()),
        (
            "decode_statement",
            "statement",
            codec::encode(&sample::statement()),
        ),
        (
            "decode_statement",
            "sealed",
            codec::encode(&sample::sealed()),
        ),
        ("verify_manifest", "guest", codec::encode(&manifest)),
        (
            "decode_certificate",
            "charter",
            codec::encode(&fleet.charter_certificate()),
        ),
        ("decode_certificate", "lock", codec::encode(&lock)),
        ("parse_signature", "blank", signature.into_bytes()),
    ];
    let lone = lone.map(|(target, name, bytes)| (target, name.to_owned(), bytes));
    seeds.extend(lone);
    seeds
}

fn main() -> std::io::Result<()> {
    let corpus = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "fuzz/corpus".into());
    for (target, name, bytes) in seeds() {
        let folder = Path::new(&corpus).join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
