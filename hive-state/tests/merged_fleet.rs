//! Fleets of replicas that only have reconciliation: loss, partitions, joining from empty.

#![allow(clippy::unwrap_used, clippy::panic)]

mod merged_support;

use hive_proto::{Heartbeat, Record, RecordBody, RecordKind};
use hive_types::limits::FRAME_BYTES;
use merged_support::*;

#[test]
fn t29_fifty_members_agree_through_loss_partition_and_heal() {
    let roster = members(50);
    let mut replicas = replicas(&roster);
    let (mut chance, mut traffic) = (Chance(29), Traffic::default());
    write_all(&mut replicas, &roster, 1);
    let first = settle(&mut replicas, &mut chance, 30, &mut traffic);
    write_all(&mut replicas, &roster, 2);
    for round in 3..8 {
        gossip(&mut replicas, &mut chance, 30, &mut traffic, |a, b| {
            a % 2 == b % 2
        });
        write_all(&mut replicas, &roster, round);
    }
    assert!(!agree(&replicas), "the partition keeps them apart");
    let healed = settle(&mut replicas, &mut chance, 30, &mut traffic);
    println!("50 members, 30 % loss: {first} rounds from empty, {healed} after the partition");
    println!("{traffic:?}");
    assert!(
        first <= 20 && healed <= 20,
        "rounds grow with log n: {first}, {healed}"
    );
    assert!(traffic.largest <= FRAME_BYTES);
    let newest: Vec<_> = roster
        .iter()
        .map(|member| replicas[0].newest(&member.id))
        .collect();
    let own: Vec<_> = roster
        .iter()
        .zip(&replicas)
        .map(|(m, replica)| replica.newest(&m.id))
        .collect();
    assert_eq!(
        newest, own,
        "what they agree on is the newest, not the oldest"
    );
}

#[test]
fn t08_a_member_back_after_ten_minutes_is_equal_after_one_reconciliation() {
    let roster = members(5);
    let mut replicas = replicas(&roster);
    let (mut chance, mut traffic) = (Chance(8), Traffic::default());
    write_all(&mut replicas, &roster, 1);
    settle(&mut replicas, &mut chance, 0, &mut traffic);
    for round in 2..12 {
        write_all(&mut replicas[..4], &roster, round);
        replicas[4]
            .write(draft(b"offline", b""), &roster[4].secret(1), at(0))
            .unwrap();
        let (rest, _) = replicas.split_at_mut(4);
        settle(rest, &mut chance, 0, &mut traffic);
    }
    let (back, fellow) = pair(&mut replicas, 4, 0);
    assert_ne!(back.digest(), fellow.digest());
    let mut link = Link {
        chance: &mut chance,
        loss: 0,
        traffic: &mut traffic,
        lenient: false,
    };
    link.round(back, fellow, at(0));
    assert_eq!(back.digest(), fellow.digest());
    assert_eq!(traffic.duplicates, 0, "nothing is sent that the other has");
}

#[test]
fn t02_an_empty_member_joins_fifty_with_two_hundred_channels_each() {
    let join = join_fifty(&mut Chance(2));
    println!("{join:?}");
    assert!(join.traffic.largest <= FRAME_BYTES);
    assert!(join.traffic.bytes * 100 <= join.signed * 115, "{join:?}");
    assert_eq!(
        join.traffic.duplicates, 0,
        "nothing is sent that the other has"
    );
}

#[test]
fn frames_of_large_records_stay_within_the_limit_and_every_author_has_its_turn() {
    let roster = members(6);
    let mut full = replica(&roster[0], &roster);
    for member in &roster[1..] {
        for key in 0..4u8 {
            let body = vec![key; 24_000];
            let record = member.record(1, u64::from(key) + 1, &[key], &body);
            full.merge(item(&record), at(0));
        }
    }
    let (mut chance, mut traffic) = (Chance(3), Traffic::default());
    let mut empty = replica(&roster[0], &roster);
    let mut rounds = 0;
    while empty.digest() != full.digest() {
        let before = empty.len();
        let mut link = Link {
            chance: &mut chance,
            loss: 0,
            traffic: &mut traffic,
            lenient: true,
        };
        link.round(&mut empty, &mut full, at(0));
        assert_eq!(
            empty.len() - before,
            2,
            "two records of 24 kB fit, a third does not"
        );
        rounds += 1;
    }
    assert_eq!(rounds, 10);
    assert!(traffic.largest <= FRAME_BYTES);
}

#[test]
fn relays_pass_on_the_exact_bytes_also_of_kinds_that_nobody_knows() {
    let roster = members(4);
    let mut replicas = replicas(&roster);
    let mut fields = roster[0].record(1, 1, b"key", b"body").fields().clone();
    (fields.kind, fields.schema) = (RecordKind(60_000), 200);
    let record = Record::sign(
        fields,
        &roster[0].secret(1),
        &hive_types::HiveId::from_bytes([0xee; 32]),
    );
    let record = record.unwrap();
    replicas[0].merge(item(&record), at(0));
    let (mut chance, mut traffic) = (Chance(4), Traffic::default());
    for next in 1..4 {
        let (to, from) = pair(&mut replicas, next, next - 1);
        let mut link = Link {
            chance: &mut chance,
            loss: 0,
            traffic: &mut traffic,
            lenient: false,
        };
        link.round(to, from, at(0));
    }
    let last = replicas[3].get(&roster[0].id, b"key").unwrap();
    assert_eq!(last.record().bytes(), record.bytes());
    assert!(Heartbeat::decode(&last.record().fields().body).is_err());
}

#[test]
fn a_gap_that_a_lost_push_left_is_found_and_closed_by_a_listing() {
    let roster = members(3);
    let mut replicas = replicas(&roster);
    let records: Vec<_> = (1..=20u64)
        .map(|counter| roster[2].record(1, counter, &counter.to_be_bytes(), b""))
        .collect();
    // One lacks 7 and 12, the other 3; both have the newest, so their versions agree.
    for (replica, gaps) in replicas.iter_mut().zip([&[7, 12][..], &[3]]) {
        let arrived = records
            .iter()
            .filter(|record| !gaps.contains(&record.fields().version.counter.0));
        merge_all(replica, arrived.map(item));
    }
    let (mut chance, mut traffic) = (Chance(5), Traffic::default());
    let (a, b) = pair(&mut replicas, 0, 1);
    let mut link = Link {
        chance: &mut chance,
        loss: 0,
        traffic: &mut traffic,
        lenient: false,
    };
    link.round(a, b, at(0));
    assert_eq!(a.digest(), b.digest());
    assert_eq!((a.len(), traffic.listings, traffic.duplicates), (20, 2, 0));
}
