//! Figures of the replicated state: what merging costs beside the signature, and what travels.
//!
//! Prints `FIGURE name value unit target`. Ratios are taken side by side in one run.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "../../tests/merged_support/mod.rs"]
mod merged_support;
mod traffic;

use hive_proto::{
    Delta, Heartbeat, HeartbeatChange, Item, Message, Record, SealDomain, Share, VerifyingKey, keys,
};
use hive_state::merged::{Draft, Merge};
use hive_types::{ShortChannelId, Signature};
use merged_support::*;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

fn figure(name: &str, value: impl std::fmt::Display, unit: &str, target: &str) {
    println!("FIGURE {name} {value} {unit} {target}");
}

fn main() {
    merge_beside_verification();
    heartbeats();
    join();
    heal();
    growth();
}

/// As long as the heartbeat of 50 channels.
const BODY_BYTES: usize = 250;
const AUTHORS: usize = 4;
const RECORDS: usize = 500;
const BATCH: usize = 25;
const PASSES: usize = 9;

fn merge_beside_verification() {
    let roster = members(AUTHORS + 1);
    let mut chance = Chance(1);
    let records: Vec<Record> = (0..AUTHORS * RECORDS)
        .map(|index| {
            let author = &roster[1 + index % AUTHORS];
            let counter = (index / AUTHORS) as u64 + 1;
            author.record(
                1,
                counter,
                &[5, counter as u8, (counter >> 8) as u8],
                &chance.bytes(BODY_BYTES),
            )
        })
        .collect();
    let keys: Vec<_> = roster
        .iter()
        .map(|member| VerifyingKey::new(&member.secret(1).public()).unwrap())
        .collect();
    let passes: Vec<_> = (0..PASSES)
        .map(|_| pass(&roster, &records, &keys))
        .collect();
    // Of each batch its fastest pass: what else runs on the machine only ever adds time.
    let fastest = |half: fn(&(Duration, Duration)) -> Duration| {
        let batch = |index: usize| passes.iter().map(|pass| half(&pass[index])).min().unwrap();
        let total: Duration = (0..records.len() / BATCH).map(batch).sum();
        total.as_secs_f64() * 1e6 / records.len() as f64
    };
    let (bare, full) = (fastest(|times| times.0), fastest(|times| times.1));
    let ratio = bare / full;
    figure("bip340_verify", format!("{bare:.2}"), "us", "-");
    figure(
        "record_decode_verify_merge",
        format!("{full:.2}"),
        "us",
        "-",
    );
    figure(
        "record_merge_ratio",
        format!("{ratio:.3}"),
        "bare/full",
        ">=0.85",
    );
}

/// Time of bare verification and of everything, for each batch.
fn pass(roster: &[Member], records: &[Record], keys: &[VerifyingKey]) -> Vec<(Duration, Duration)> {
    let mut replica = replica(&roster[0], roster);
    let mut times = Vec::new();
    for (number, batch) in records.chunks(BATCH).enumerate() {
        let items: Vec<_> = batch.iter().map(item).collect();
        // The one that goes first warms caches for the other: they take turns.
        times.push(if number % 2 == 0 {
            let bare = time(|| verify_bare(batch, keys, number * BATCH));
            (bare, time(|| merge_new(&mut replica, items)))
        } else {
            let full = time(|| merge_new(&mut replica, items));
            (time(|| verify_bare(batch, keys, number * BATCH)), full)
        });
    }
    times
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn verify_bare(batch: &[Record], keys: &[VerifyingKey], first: usize) {
    for (index, record) in batch.iter().enumerate() {
        let (signed, seal) = record
            .bytes()
            .split_at(record.bytes().len() - Signature::SIZE);
        let seal = Signature::from_bytes(seal.try_into().unwrap());
        let key = &keys[1 + (first + index) % AUTHORS];
        black_box(key.verify(SealDomain::Record, &HIVE, black_box(signed), &seal)).unwrap();
    }
}

fn merge_new(replica: &mut hive_state::merged::Merged, items: Vec<Item>) {
    for item in items {
        assert_eq!(black_box(replica.merge(black_box(item), at(0))), Merge::New);
    }
}

fn heartbeats() {
    let mut chance = Chance(50);
    let nodes = channels_of_nodes(50).unwrap_or_else(|| {
        println!("no graph beside the workspace: synthetic channels");
        (0..20)
            .map(|_| synthetic_channels(50, &mut chance))
            .collect()
    });
    let me = Member::new(0);
    let sizes: Vec<_> = nodes
        .iter()
        .map(|ids| heartbeat_frames(&me, ids, &mut chance))
        .collect();
    let worst = |size: fn(&(usize, usize)) -> usize| sizes.iter().map(size).max().unwrap();
    figure(
        "heartbeat_full_bytes",
        worst(|size| size.0),
        "bytes",
        "<=450",
    );
    figure(
        "heartbeat_change_bytes",
        worst(|size| size.1),
        "bytes",
        "<=200",
    );
}

/// Whole frames of the full heartbeat and of a change in which half of the channels moved.
fn heartbeat_frames(me: &Member, ids: &[ShortChannelId], chance: &mut Chance) -> (usize, usize) {
    let mut replica = replica(me, std::slice::from_ref(me));
    replica.merge(
        item(&me.record(1, 100_000, b"a year of writes", b"")),
        at(0),
    );
    let mut shares: BTreeMap<_, _> = ids
        .iter()
        .map(|id| (*id, Share::from_steps(chance.next() as u8)))
        .collect();
    let full = Heartbeat::new(shares.clone(), vec![]).unwrap();
    let mut write = |draft: Draft| replica.write(draft, &me.secret(1), at(0)).unwrap();
    let first = write(Draft::new(keys::heartbeat_full(), &full, 1_800));
    for id in ids.iter().step_by(2) {
        shares.insert(*id, Share::from_steps(chance.next() as u8));
    }
    let new = Heartbeat::new(shares, vec![]).unwrap();
    let change = HeartbeatChange::between(&full, first.fields().version.counter, &new);
    let second = write(Draft::new(keys::heartbeat_change(), &change, 1_800));
    (frame(&first), frame(&second))
}

fn frame(record: &Record) -> usize {
    let delta = Delta {
        hops: 8,
        items: vec![item(record)],
        want: vec![],
        more: false,
    };
    Message::Delta(delta).to_frame().unwrap().len()
}

fn join() {
    let join = join_fifty(&mut Chance(2));
    let ratio = join.traffic.bytes as f64 / join.signed as f64;
    figure(
        "join_bytes_ratio",
        format!("{ratio:.3}"),
        "bytes/bytes",
        "<=1.15",
    );
    figure(
        "join_largest_frame",
        join.traffic.largest,
        "bytes",
        "<=65533",
    );
    figure("join_rounds", join.rounds, "rounds", "-");
}

fn heal() {
    let roster = members(50);
    let mut replicas = replicas(&roster);
    let (mut chance, mut traffic) = (Chance(7), Traffic::default());
    write_all(&mut replicas, &roster, 1);
    settle(&mut replicas, &mut chance, 0, &mut traffic);
    for round in 2..8 {
        write_all(&mut replicas, &roster, round);
        gossip(&mut replicas, &mut chance, 0, &mut traffic, |a, b| {
            a % 2 == b % 2
        });
    }
    let rounds = settle(&mut replicas, &mut chance, 0, &mut traffic);
    figure("partition_heal_rounds_50", rounds, "rounds", "-");
}

fn growth() {
    let [five, fifty, many] = [(5, 3_600), (50, 3_600), (500, 300)].map(|(members, seconds)| {
        let bytes = traffic::hour(members, seconds);
        figure(
            &format!("bytes_per_member_hour_{members}"),
            format!("{bytes:.0}"),
            "bytes",
            "-",
        );
        bytes
    });
    figure(
        "traffic_growth_5_50",
        format!("{:.3}", fifty / five / 10.0),
        "bytes/members",
        "<=1",
    );
    figure(
        "traffic_growth_50_500",
        format!("{:.3}", many / fifty / 10.0),
        "bytes/members",
        "<=1",
    );
}
