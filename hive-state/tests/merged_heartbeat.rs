//! Heartbeats as they travel: whole frames, with author and signature, over real channels.

#![allow(clippy::unwrap_used, clippy::panic)]

mod merged_support;

use hive_proto::{
    Counter, Delta, Heartbeat, HeartbeatChange, Message, Record, RecordBody, Share, keys,
};
use hive_state::merged::{Draft, Merged};
use hive_types::ShortChannelId;
use merged_support::*;
use std::collections::BTreeMap;

fn frame(record: &Record) -> usize {
    let delta = Delta {
        hops: 8,
        items: vec![item(record)],
        want: vec![],
        more: false,
    };
    Message::Delta(delta).to_frame().unwrap().len()
}

/// Frame bytes of the full heartbeat and of a change of `moved` shares, after a year of writes.
fn frames(
    me: &Member,
    ids: &[ShortChannelId],
    moved: usize,
    chance: &mut Chance,
) -> (usize, usize) {
    let mut replica: Merged = replica(me, std::slice::from_ref(me));
    let year = me.record(1, 300_000, b"old", b"");
    replica.merge(item(&year), at(0));
    let share = |chance: &mut Chance| Share::from_steps(chance.next() as u8);
    let mut shares: BTreeMap<_, _> = ids.iter().map(|id| (*id, share(chance))).collect();
    let full = Heartbeat::new(shares.clone(), vec![]).unwrap();
    let secret = me.secret(1);
    let first = Draft::new(keys::heartbeat_full(), &full, 1_800);
    let first = replica.write(first, &secret, at(0)).unwrap();
    for _ in 0..moved {
        shares.insert(ids[chance.below(ids.len())], share(chance));
    }
    let new = Heartbeat::new(shares, vec![]).unwrap();
    let change = HeartbeatChange::between(&full, first.fields().version.counter, &new);
    let second = Draft::new(keys::heartbeat_change(), &change, 1_800);
    let second = replica.write(second, &secret, at(0)).unwrap();
    let read = HeartbeatChange::decode(&second.fields().body).unwrap();
    let base = Heartbeat::decode(&first.fields().body).unwrap();
    assert_eq!(read.apply(&base), Ok(new));
    assert_eq!(read.base, Counter(300_001));
    (frame(&first), frame(&second))
}

#[test]
fn heartbeats_of_fifty_channels_are_small() {
    let mut chance = Chance(50);
    let nodes = channels_of_nodes(50).unwrap_or_else(|| {
        println!("no graph beside the workspace: synthetic channels");
        (0..20)
            .map(|_| synthetic_channels(50, &mut chance))
            .collect()
    });
    let me = Member::new(0);
    let (mut fulls, mut changes) = (Vec::new(), Vec::new());
    for ids in &nodes {
        let (full, change) = frames(&me, ids, 100, &mut chance);
        fulls.push(full);
        changes.push(change);
    }
    let worst = |sizes: &[usize]| *sizes.iter().max().unwrap();
    println!(
        "{} nodes: full {} bytes, change {} bytes at most",
        nodes.len(),
        worst(&fulls),
        worst(&changes)
    );
    assert!(worst(&fulls) <= 450);
    assert!(worst(&changes) <= 200, "even if every share moved");
}
