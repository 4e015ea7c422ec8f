//! Who may read what: balances and observations travel between full members only, and what everybody
//! may read converges all the same.

#![allow(clippy::unwrap_used, clippy::panic)]

mod merged_support;

use hive_proto::{Item, Message, Record, RecordKind};
use hive_state::merged::{Draft, Merged};
use hive_types::NodeId;
use merged_support::*;

const FULL: usize = 3;

fn write(replica: &mut Merged, member: &Member, kind: RecordKind, about: u8, round: u64) {
    let draft = Draft {
        key: vec![kind.0 as u8, about],
        kind,
        schema: 1,
        expiry_secs: 0,
        body: round.to_be_bytes().to_vec(),
    };
    replica.write(draft, &member.secret(1), at(round)).unwrap();
}

/// The first are full members, the others are on trial; each has written of both sorts.
fn fleet(count: usize) -> (Vec<Member>, Vec<Merged>) {
    let roster = members(count);
    let mut replicas = replicas(&roster);
    let full: Vec<NodeId> = roster.iter().take(FULL).map(|member| member.id).collect();
    for (replica, member) in replicas.iter_mut().zip(&roster) {
        replica.set_full_members(full.iter().copied());
        for about in 0..3 {
            write(replica, member, RecordKind::HEARTBEAT_FULL, about, 1);
            write(replica, member, RecordKind::VOTE, about, 1);
        }
    }
    (roster, replicas)
}

/// One side asks, as fellows do; what went over the wire to each. Items may be lost.
fn exchange(
    one: &mut Merged,
    other: &mut Merged,
    lost: &mut impl FnMut() -> bool,
) -> [Vec<Item>; 2] {
    let (asker, asked) = (one.me(), other.me());
    let mut to = [Vec::new(), Vec::new()];
    let mut hand = |to_one: bool, into: &mut Merged, items: Vec<Item>| {
        for item in items {
            if !lost() {
                to[usize::from(!to_one)].push(item.clone());
                into.merge(item, at(9));
            }
        }
    };
    let answer = other.answer_for(&asker, &one.digest_for(&asked));
    hand(true, one, answer.delta.items);
    if let Some(back) = one.answer_want_for(&asked, &answer.delta.want) {
        hand(false, other, back.items);
    }
    for listing in answer.listings {
        let reply = one.on_listing_for(&asked, &listing);
        hand(
            false,
            other,
            reply.delta.map(|delta| delta.items).unwrap_or_default(),
        );
        let back = reply
            .listing
            .map(|listing| other.on_listing_for(&asker, &listing));
        let items = back.and_then(|back| back.delta).map(|delta| delta.items);
        hand(true, one, items.unwrap_or_default());
    }
    to
}

fn settle(
    replicas: &mut [Merged],
    chance: &mut Chance,
    rounds: usize,
    loss: u64,
) -> Vec<(NodeId, Item)> {
    let mut wire = Vec::new();
    for _ in 0..rounds {
        for one in 0..replicas.len() {
            let other = (one + 1 + chance.below(replicas.len() - 1)) % replicas.len();
            let mut pair = replicas.get_disjoint_mut([one, other]).unwrap();
            let ids = [pair[0].me(), pair[1].me()];
            let [first, second] = &mut pair;
            let to = exchange(first, second, &mut || chance.percent(loss));
            for (id, items) in ids.into_iter().zip(to) {
                wire.extend(items.into_iter().map(|item| (id, item)));
            }
        }
    }
    wire
}

fn fields(item: &Item) -> Option<(NodeId, RecordKind)> {
    let Item::Record(bytes) = item else {
        return None;
    };
    let record = Record::parse(bytes.clone()).unwrap();
    Some((record.fields().author, record.fields().kind))
}

#[test]
fn nothing_private_is_sent_to_who_is_on_trial_and_all_that_is_shared_agrees() {
    let mut chance = Chance(48);
    let (roster, mut replicas) = fleet(12);
    let mut wire = settle(&mut replicas, &mut chance, 6, 40);
    for (replica, member) in replicas.iter_mut().zip(&roster) {
        write(replica, member, RecordKind::HEARTBEAT_CHANGE, 9, 2);
        write(replica, member, RecordKind::FUNDING, 9, 2);
    }
    wire.extend(settle(&mut replicas, &mut chance, 40, 40));
    wire.extend(settle(&mut replicas, &mut chance, 12, 0));
    let on_trial = |id: &NodeId| roster.iter().skip(FULL).any(|member| member.id == *id);
    let mut private = 0;
    for (to, item) in &wire {
        let Some((author, kind)) = fields(item) else {
            continue;
        };
        private += usize::from(!kind.is_for_all());
        assert!(
            kind.is_for_all() || !on_trial(to) || author == *to,
            "{kind:?} to {to}"
        );
    }
    assert!(private > 100, "{private}");
    // Full members have everything, everybody has what is for all.
    let all = replicas[0].digest();
    assert!((1..FULL).all(|full| replicas[full].digest() == all));
    assert_eq!(replicas[0].len(), 12 * 8);
    let shared = replicas[0].digest_for_all();
    for replica in &replicas[FULL..] {
        assert_eq!(replica.digest_for_all(), shared);
        assert_eq!(replica.len(), 11 * 4 + 8);
    }
    // Where nothing is missing nothing is sent.
    assert!(settle(&mut replicas, &mut chance, 3, 0).is_empty());
}

#[test]
fn a_promotion_known_to_one_side_only_harms_nothing_and_heals() {
    let mut chance = Chance(49);
    let (roster, mut replicas) = fleet(5);
    settle(&mut replicas, &mut chance, 20, 0);
    let newcomer = roster[3].id;
    let promoted: Vec<NodeId> = roster
        .iter()
        .take(FULL + 1)
        .map(|member| member.id)
        .collect();
    // The old members know first; then the one on trial alone.
    for first in [true, false] {
        let (_, mut replicas) = fleet(5);
        settle(&mut replicas, &mut chance, 20, 0);
        let know = |replica: &mut Merged| replica.set_full_members(promoted.iter().copied());
        let is_first = |index: usize| (index == 3) != first;
        (0..5)
            .filter(|index| is_first(*index))
            .for_each(|index| know(&mut replicas[index]));
        let wire = settle(&mut replicas, &mut chance, 6, 0);
        let leaked = wire.iter().filter(|(to, item)| {
            *to == roster[4].id
                && fields(item).is_some_and(|(author, kind)| author != *to && !kind.is_for_all())
        });
        assert_eq!(leaked.count(), 0);
        (0..5).for_each(|index| know(&mut replicas[index]));
        settle(&mut replicas, &mut chance, 20, 0);
        let all = replicas[0].digest();
        assert_eq!(replicas[3].digest(), all, "{newcomer}");
        assert_eq!(replicas[4].digest_for_all(), replicas[0].digest_for_all());
    }
}

#[test]
fn a_digest_of_what_is_shared_fits_the_same_frame() {
    let (roster, replicas) = fleet(50);
    let lines = replicas[0].digest_for(&roster[49].id);
    assert_eq!(lines.len(), 50);
    assert!(Message::Digest(lines).to_frame().unwrap().len() < 4_500);
}
