//! The merge laws: whatever the order, the repeats and the detours, the same items give the same
//! replica.

#![allow(clippy::unwrap_used, clippy::panic)]

mod merged_support;

use hive_proto::{Epoch, Item};
use hive_state::merged::{Merge, Merged};
use hive_types::{Digest, NodeId};
use merged_support::*;
use proptest::prelude::*;

/// One thing that an author may do. Small ranges, so that versions and keys collide often.
#[derive(Clone, Debug)]
enum Deed {
    Write {
        author: usize,
        epoch: u64,
        counter: u64,
        key: u8,
        body: u8,
    },
    Open {
        author: usize,
        epoch: u64,
        copy: u8,
    },
}

fn deeds(bodies: u8, copies: u8) -> impl Strategy<Value = Vec<Deed>> {
    let write = (0..2usize, 1..4u64, 1..7u64, 0..4u8, 0..bodies).prop_map(
        |(author, epoch, counter, key, body)| Deed::Write {
            author,
            epoch,
            counter,
            key,
            body,
        },
    );
    let open = (0..2usize, 2..4u64, 0..copies).prop_map(|(author, epoch, copy)| Deed::Open {
        author,
        epoch,
        copy,
    });
    prop::collection::vec(prop_oneof![4 => write, 1 => open], 1..40)
}

/// Authors are members 1 and 2; the replicas are others'. `honest` gives each version one content.
fn items(deeds: &[Deed], roster: &[Member], honest: bool) -> Vec<Item> {
    let one = |deed: &Deed| match *deed {
        Deed::Write {
            author,
            epoch,
            counter,
            key,
            body,
        } => {
            let (key, body) = if honest {
                (counter as u8 % 3, 0)
            } else {
                (key, body)
            };
            item(&roster[author + 1].record(epoch, counter, &[key + 10, 0], &[body]))
        }
        Deed::Open {
            author,
            epoch,
            copy,
        } => {
            let manifest = roster[author + 1].manifest_in(HIVE, epoch, copy);
            Item::Epoch(Box::new(manifest))
        }
    };
    deeds.iter().map(one).collect()
}

/// Delivers in this order, and again what came before its epoch, as reconciliation would.
fn deliver(me: &Member, roster: &[Member], items: &[Item]) -> Merged {
    let mut merged = replica(me, roster);
    let mut waiting = items.to_vec();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|item| matches!(merged.merge(item.clone(), at(0)), Merge::Refused(_)));
        if waiting.len() == before {
            break;
        }
    }
    merged
}

/// What the laws speak of: open epochs and live records, in order.
fn content(merged: &Merged) -> Vec<(NodeId, Epoch, Vec<Digest>)> {
    let one = |id: NodeId| {
        (
            id,
            merged.epoch(&id).unwrap(),
            merged.live(&id).map(|held| *held.hash()).collect(),
        )
    };
    merged.authors().map(one).collect()
}

fn joined(me: &Member, roster: &[Member], states: &[&Merged]) -> Merged {
    let mut merged = replica(me, roster);
    for state in states {
        merge_all(&mut merged, dump(state));
    }
    merged
}

fn reconcile(replicas: &mut [Merged], seed: u64) -> usize {
    let (mut chance, mut traffic) = (Chance(seed), Traffic::default());
    for round in 0..60 {
        if agree(replicas) {
            return round;
        }
        for a in 0..replicas.len() {
            let b = (a + 1 + chance.below(replicas.len() - 1)) % replicas.len();
            let mut link = Link {
                chance: &mut chance,
                loss: 0,
                traffic: &mut traffic,
                lenient: true,
            };
            let (a, b) = pair(replicas, a, b);
            link.round(a, b, at(0));
        }
    }
    panic!("replicas do not agree after 60 rounds");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    /// Without forks, any order and any repeats give one digest.
    #[test]
    fn t29_any_delivery_order_gives_one_digest(deeds in deeds(1, 1), seed: u64) {
        let roster = members(4);
        let mut items = items(&deeds, &roster, true);
        let first = deliver(&roster[0], &roster, &items);
        let repeats: Vec<_> = items.iter().take(5).cloned().collect();
        items.extend(repeats);
        Chance(seed).shuffle(&mut items);
        let second = deliver(&roster[0], &roster, &items);
        prop_assert_eq!(first.digest(), second.digest());
    }

    /// With forks, the live records are the same in any order, and the digests once replicas have
    /// told each other their proofs.
    #[test]
    fn t29_forks_and_epochs_in_any_order_converge(deeds in deeds(3, 1), seed: u64) {
        let roster = members(4);
        let mut items = items(&deeds, &roster, false);
        let mut replicas = Vec::new();
        for turn in 0..3 {
            Chance(seed ^ turn).shuffle(&mut items);
            replicas.push(deliver(&roster[0], &roster, &items));
        }
        prop_assert_eq!(content(&replicas[0]), content(&replicas[1]));
        prop_assert_eq!(content(&replicas[0]), content(&replicas[2]));
        let before = content(&replicas[0]);
        reconcile(&mut replicas, seed);
        prop_assert_eq!(content(&replicas[0]), before);
    }

    /// Replicas that saw different parts, with forks and with two member keys for one epoch, agree.
    #[test]
    fn t29_different_parts_converge(deeds in deeds(3, 2), seed: u64) {
        let roster = members(4);
        let items = items(&deeds, &roster, false);
        let mut chance = Chance(seed);
        let mut replicas: Vec<_> = (0..3).map(|_| {
            let part: Vec<_> = items.iter().filter(|_| chance.percent(60)).cloned().collect();
            deliver(&roster[0], &roster, &part)
        }).collect();
        reconcile(&mut replicas, seed);
        prop_assert!(agree(&replicas));
    }

    /// Joining replicas commutes, associates, and repeats change nothing.
    #[test]
    fn joins_form_a_semilattice(parts in prop::collection::vec(deeds(3, 1), 3)) {
        let roster = members(4);
        let me = &roster[0];
        let states: Vec<_> =
            parts.iter().map(|deeds| deliver(me, &roster, &items(deeds, &roster, false))).collect();
        let [a, b, c] = &states[..] else { unreachable!() };
        let join = |states: &[&Merged]| joined(me, &roster, states);
        prop_assert_eq!(content(&join(&[a, b])), content(&join(&[b, a])));
        let (left, right) = (join(&[&join(&[a, b]), c]), join(&[a, &join(&[b, c])]));
        prop_assert_eq!(content(&left), content(&right));
        prop_assert_eq!(join(&[a, a]).digest(), a.digest());
        prop_assert_eq!(content(&join(&[&left, a, b, c])), content(&left));
    }
}

#[test]
fn bounds_converge_in_any_order() {
    let roster = members(2);
    let author = &roster[1];
    // 700 keys written in turn, some of them twice: more than are kept.
    let written: Vec<_> = (1..=900u64)
        .map(|counter| item(&author.record(1, counter, &(counter * 7 % 700).to_be_bytes(), b"")))
        .collect();
    let mut digests = Vec::new();
    for seed in 0..4 {
        let mut items = written.clone();
        Chance(seed).shuffle(&mut items);
        digests.push(deliver(&roster[0], &roster, &items).digest());
    }
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
}
