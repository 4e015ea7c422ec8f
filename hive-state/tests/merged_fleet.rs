//! Fleets of replicas that only have reconciliation: loss, partitions, joining from empty.

mod merged_support;

use hive_proto::{Heartbeat, Record, RecordBody, RecordKind, Share, keys};
use hive_state::merged::{Draft, Merged};
use hive_types::limits::FRAME_BYTES;
use hive_types::{Constraint, Sat, ShortChannelId};
use merged_support::*;

/// Every replica writes: some keys new, some written again.
fn write_all(replicas: &mut [Merged], roster: &[Member], round: u64) {
    for (replica, member) in replicas.iter_mut().zip(roster) {
        for key in 0..3u64 {
            let key = (key * (1 + round % 2)).to_be_bytes();
            let body = [member.index as u8, round as u8];
            replica
                .write(draft(&key, &body), &member.secret(1), at(0))
                .unwrap();
        }
    }
}

/// Each replica asks one random other one that `reachable` lets it reach.
fn gossip(
    replicas: &mut [Merged],
    chance: &mut Chance,
    loss: u64,
    traffic: &mut Traffic,
    reachable: impl Fn(usize, usize) -> bool,
) {
    let mut order: Vec<_> = (0..replicas.len()).collect();
    chance.shuffle(&mut order);
    for a in order {
        let others: Vec<_> = (0..replicas.len())
            .filter(|b| *b != a && reachable(a, *b))
            .collect();
        if others.is_empty() {
            continue;
        }
        let b = others[chance.below(others.len())];
        let (a, b) = pair(replicas, a, b);
        Link {
            chance,
            loss,
            traffic,
            lenient: false,
        }
        .round(a, b, at(0));
    }
}

/// Rounds until all agree.
fn settle(replicas: &mut [Merged], chance: &mut Chance, loss: u64, traffic: &mut Traffic) -> usize {
    for round in 0..100 {
        if agree(replicas) {
            return round;
        }
        gossip(replicas, chance, loss, traffic, |_, _| true);
    }
    panic!("no agreement after 100 rounds");
}

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

/// 200 channels, as a member of a large fleet has them, and the small records beside.
fn busy_member(replica: &mut Merged, member: &Member, chance: &mut Chance) {
    let mut block = 700_000;
    let channels = (0..200).map(|_| {
        block += chance.below(1_200) as u32;
        let scid = ShortChannelId::new(block, chance.below(3_500) as u32, chance.below(3) as u16);
        (scid.unwrap(), Share::from_steps(chance.next() as u8))
    });
    let heartbeat = Heartbeat::new(channels.collect(), vec![]).unwrap();
    let constraint = Constraint {
        slots: 4,
        channel_max: Sat::new(16_000_000),
        ..Default::default()
    };
    for draft in [
        Draft::new(keys::heartbeat_full(), &heartbeat, 1_800),
        Draft::new(keys::constraint(), &constraint, 0),
    ] {
        replica.write(draft, &member.secret(1), at(0)).unwrap();
    }
}

#[test]
fn t02_an_empty_member_joins_fifty_with_two_hundred_channels_each() {
    let roster = members(50);
    let (mut chance, mut traffic) = (Chance(2), Traffic::default());
    let mut full = replica(&roster[0], &roster);
    for member in &roster {
        let mut own = replica(member, &roster);
        busy_member(&mut own, member, &mut chance);
        merge_all(&mut full, dump(&own));
    }
    let mut empty = replica(&roster[1], &roster);
    let signed = full.bytes();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let mut link = Link {
            chance: &mut chance,
            loss: 0,
            traffic: &mut traffic,
            lenient: false,
        };
        if !link.round(&mut empty, &mut full, at(0)) {
            break;
        }
    }
    assert_eq!(empty.digest(), full.digest());
    let ratio = traffic.bytes as f64 / signed as f64;
    println!("{signed} bytes of records, {traffic:?}, {rounds} rounds, ratio {ratio:.3}");
    assert!(traffic.largest <= FRAME_BYTES);
    assert!(traffic.bytes * 100 <= signed * 115, "ratio {ratio:.3}");
    assert_eq!(traffic.duplicates, 0);
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
