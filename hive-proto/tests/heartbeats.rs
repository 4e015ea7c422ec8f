//! Heartbeats and other bodies: one encoding each, changes that lead where they should.

#![allow(clippy::unwrap_used)]

use hive_proto::{
    BodyError, Counter, Heartbeat, HeartbeatChange, HeartbeatError, Observation, RecordBody, Share,
    ShareChanges, Sharing, Unannounced,
};
use hive_types::limits::{HEARTBEAT_CHANNELS, HEARTBEAT_UNANNOUNCED};
use hive_types::{Constraint, Intent, Msat, NodeId, Sat, ShortChannelId};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn scid() -> impl Strategy<Value = ShortChannelId> {
    // Narrow and wide ranges, so that blocks and transactions are shared and every width occurs.
    prop_oneof![
        (700_000..700_004u32, 0..3u32, 0..6u16),
        (0..1u32 << 24, 0..1u32 << 24, any::<u16>()),
    ]
    .prop_map(|(block, transaction, output)| {
        ShortChannelId::new(block, transaction, output).unwrap()
    })
}

fn unannounced() -> impl Strategy<Value = Unannounced> {
    (0..3u8, 0..9u64, any::<u8>()).prop_map(|(peer, capacity, share)| {
        let mut bytes = [peer; 33];
        bytes[0] = 2;
        let peer = NodeId::from_bytes(bytes).unwrap();
        Unannounced {
            peer,
            capacity: Sat::new(capacity),
            share: Share::from_steps(share),
        }
    })
}

fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    let channels = btree_map(scid(), any::<u8>().prop_map(Share::from_steps), 0..60);
    (channels, vec(unannounced(), 0..4))
        .prop_map(|(announced, unannounced)| Heartbeat::new(announced, unannounced).unwrap())
}

/// A later heartbeat: some shares moved, some channels gone, some new.
fn later(full: &Heartbeat, noise: &[u8], new: &Heartbeat) -> Heartbeat {
    let mut channels: BTreeMap<_, _> = full.announced().clone();
    for ((scid, share), noise) in full.announced().iter().zip(noise) {
        match noise % 4 {
            0 => {
                channels.remove(scid);
            }
            1 => {
                let moved = share.steps().wrapping_add(*noise);
                channels.insert(*scid, Share::from_steps(moved));
            }
            _ => {}
        }
    }
    channels.extend(
        new.announced()
            .iter()
            .take(noise.len() % 5)
            .map(|(id, share)| (*id, *share)),
    );
    let unannounced = if noise.len().is_multiple_of(2) {
        full
    } else {
        new
    }
    .unannounced()
    .to_vec();
    Heartbeat::new(channels, unannounced).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn heartbeats_read_back(heartbeat in heartbeat()) {
        prop_assert_eq!(Heartbeat::decode(&heartbeat.encode()), Ok(heartbeat));
    }

    #[test]
    fn any_bytes_are_refused_or_the_one_encoding(bytes in vec(prop_oneof![0..5u8, any::<u8>()], 0..40)) {
        if let Ok(read) = Heartbeat::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes.clone());
        }
        if let Ok(read) = HeartbeatChange::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn a_flipped_byte_is_refused_or_another_heartbeat(
        heartbeat in heartbeat(), at: prop::sample::Index, flip in 1..=255u8,
    ) {
        let mut bytes = heartbeat.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(read) = Heartbeat::decode(&bytes) {
            prop_assert_ne!(&read, &heartbeat);
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn a_change_leads_from_full_to_new(
        full in heartbeat(), noise in vec(any::<u8>(), 0..60), new in heartbeat(),
    ) {
        let new = later(&full, &noise, &new);
        let change = HeartbeatChange::between(&full, Counter(7), &new);
        let read = HeartbeatChange::decode(&change.encode()).unwrap();
        prop_assert_eq!(&read, &change);
        prop_assert_eq!(read.apply(&full), Ok(new));
    }

    #[test]
    fn a_change_has_one_form(full in heartbeat(), noise in vec(any::<u8>(), 0..60), new in heartbeat()) {
        prop_assume!(!full.announced().is_empty());
        let new = later(&full, &noise, &new);
        let change = HeartbeatChange::between(&full, Counter(7), &new);
        let whole = full.announced().iter().map(|(id, old)| *new.announced().get(id).unwrap_or(old));
        let moved = full.announced().iter().enumerate().filter_map(|(index, (id, old))| {
            new.announced().get(id).filter(|share| *share != old).map(|share| (index, *share))
        });
        let forms = [ShareChanges::Whole(whole.collect()), ShareChanges::Pairs(moved.collect())];
        for shares in forms {
            let other = HeartbeatChange { shares, ..change.clone() };
            if other != change {
                prop_assert!(other.encode().len() >= change.encode().len());
                prop_assert_eq!(other.apply(&full), Err(HeartbeatError::Mismatch));
            }
        }
    }

    #[test]
    fn shares_never_claim_more_than_there_is(spendable in 0..2_000_000_000u64, capacity in 1..1_000_000u64) {
        let (spendable, capacity) = (Msat::new(spendable), Sat::new(capacity));
        let share = Share::of(spendable, capacity, Sharing::Exact).unwrap();
        prop_assert!(share.spendable(capacity) <= spendable);
        prop_assert!(share.spendable(capacity) <= capacity.to_msat().unwrap());
        let coarse = Share::of(spendable, capacity, Sharing::Coarse).unwrap();
        prop_assert!(coarse <= share && coarse.steps().is_multiple_of(64));
        prop_assert_eq!(Share::of(spendable, capacity, Sharing::Hidden), None);
    }
}

fn channels(shares: &[(u32, u8)]) -> Heartbeat {
    let one = |(block, share): &(u32, u8)| {
        (
            ShortChannelId::new(*block, 1, 0).unwrap(),
            Share::from_steps(*share),
        )
    };
    Heartbeat::new(shares.iter().map(one).collect(), vec![]).unwrap()
}

#[test]
fn a_change_of_more_than_a_tenth_or_of_the_channels_is_significant() {
    let old = channels(&[(1, 100), (2, 200)]);
    for (new, significant) in [
        (channels(&[(1, 100), (2, 200)]), false),
        (channels(&[(1, 125), (2, 175)]), false),
        (channels(&[(1, 126), (2, 200)]), true),
        (channels(&[(1, 100)]), true),
        (channels(&[(1, 100), (2, 200), (3, 0)]), true),
        (channels(&[(1, 100), (3, 200)]), true),
    ] {
        assert_eq!(old.significant(&new), significant, "{new:?}");
    }
}

#[test]
fn a_change_that_does_not_fit_its_full_heartbeat_is_refused() {
    let full = channels(&[(1, 100), (2, 200)]);
    let none = HeartbeatChange::between(&full, Counter(1), &full);
    let share = Share::from_steps(7);
    let known = BTreeMap::from([(ShortChannelId::new(1, 1, 0).unwrap(), share)]);
    for wrong in [
        HeartbeatChange {
            shares: ShareChanges::Pairs(vec![(2, share)]),
            ..none.clone()
        },
        HeartbeatChange {
            shares: ShareChanges::Whole(vec![share]),
            ..none.clone()
        },
        HeartbeatChange {
            removed: vec![2],
            ..none.clone()
        },
        HeartbeatChange {
            added: known,
            ..none.clone()
        },
        HeartbeatChange {
            unannounced: Some(vec![]),
            ..none.clone()
        },
    ] {
        assert_eq!(
            wrong.apply(&full),
            Err(HeartbeatError::Mismatch),
            "{wrong:?}"
        );
    }
    assert_eq!(none.apply(&full), Ok(full));
}

#[test]
fn heartbeats_are_bounded() {
    let many = |count: usize| {
        let id = |index: usize| ShortChannelId::new(index as u32, 1, 0).unwrap();
        (0..count)
            .map(|index| (id(index), Share::from_steps(1)))
            .collect::<BTreeMap<_, _>>()
    };
    assert!(Heartbeat::new(many(HEARTBEAT_CHANNELS), vec![]).is_ok());
    let refused = Heartbeat::new(many(HEARTBEAT_CHANNELS + 1), vec![]);
    assert_eq!(refused, Err(HeartbeatError::TooLarge));
    let peer = NodeId::from_bytes([2; 33]).unwrap();
    let hidden = Unannounced {
        peer,
        capacity: Sat::new(1),
        share: Share::from_steps(1),
    };
    let refused = Heartbeat::new(BTreeMap::new(), vec![hidden; HEARTBEAT_UNANNOUNCED + 1]);
    assert_eq!(refused, Err(HeartbeatError::TooLarge));
    // A count that lies allocates nothing and is refused.
    for lie in [vec![0xff; 9], vec![0x9f, 0x1f], vec![0xa1, 0x1f, 0, 0]] {
        assert!(Heartbeat::decode(&lie).is_err());
    }
}

#[test]
fn bodies_outside_their_ranges_are_refused() {
    let peer = NodeId::from_bytes([2; 33]).unwrap();
    let nothing = Observation {
        peer,
        toxicity: None,
        opportunity: None,
    };
    assert!(matches!(
        Observation::decode(&nothing.encode()),
        Err(BodyError::Range(_))
    ));
    let crossed = Constraint {
        channel_min: Sat::new(2),
        channel_max: Sat::new(1),
        ..Default::default()
    };
    assert!(matches!(
        Constraint::decode(&crossed.encode()),
        Err(BodyError::Range(_))
    ));
    let intent = Intent {
        target: peer,
        capacity: Sat::new(1_000_000),
        value_per_day: Msat::new(5),
        until: hive_types::BlockHeight::new(900_000),
    };
    assert_eq!(Intent::decode(&intent.encode()), Ok(intent));
    let mut trailing = intent.encode();
    trailing.push(0);
    assert!(matches!(
        Intent::decode(&trailing),
        Err(BodyError::Encoding(_))
    ));
}
