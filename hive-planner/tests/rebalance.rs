//! Rebalancing over plain values: which moves come out, that they add up, and that no limit is passed.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{node, policy, scid};
use hive_planner::PlannerConfig;
use hive_planner::pushes::{ChannelState, Move, RebalanceRequest, Scope, Side, rebalance};
use hive_types::limits::HTLC_CLTV_BLOCKS;
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat};
use std::collections::BTreeSet;

const A: u32 = 1;
const B: u32 = 2;
const C: u32 = 3;
const X: u32 = 11;
const Y: u32 = 12;

const SIZE: u64 = 10_000_000;
const RICH: u64 = 9_000_000;
const HALF: u64 = 5_000_000;
const DRY: u64 = 300_000;

/// A channel of [`SIZE`] of which the first end has so many sat. Fellows ask nothing between them and 400
/// ppm from others, outsiders 100 ppm.
fn channel(number: u64, one: u32, other: u32, sat: u64) -> ChannelState {
    let linked = one <= C && other <= C;
    let side = |n: u32, there: u64| Side {
        node: node(n),
        spendable: Some(Msat::new(there * 1_000)),
        policy: Some(match (n <= C, linked) {
            (true, true) => policy(0, 0, 34),
            (true, false) => policy(0, 400, 34),
            _ => policy(0, 100, 80),
        }),
        drain_msat_per_day: None,
    };
    ChannelState {
        scid: scid(number),
        capacity: Sat::new(SIZE),
        sides: [side(one, sat), side(other, SIZE - sat)],
    }
}

fn drained(mut channel: ChannelState, sat_per_day: i64) -> ChannelState {
    channel.sides[0].drain_msat_per_day = Some(sat_per_day * 1_000);
    channel
}

fn moves_within(channels: &[ChannelState], scope: Scope, budget: u64) -> Vec<Move> {
    let present = [A, B, C].map(node).into_iter().filter(|member| {
        let mut sides = channels.iter().flat_map(|channel| &channel.sides);
        sides.any(|side| side.node == *member)
    });
    let request = RebalanceRequest {
        channels,
        members: &present.collect(),
        scope,
        budget: Msat::new(budget),
        config: &PlannerConfig::default(),
    };
    rebalance(&request)
}

fn moves(channels: &[ChannelState]) -> Vec<Move> {
    moves_within(channels, Scope::Fleet, u64::MAX)
}

/// Payers and the channels that moves cross, in order of payers.
fn ways(moves: &[Move]) -> Vec<(NodeId, Vec<u64>)> {
    let ways = moves.iter().map(|found| {
        let hops = found.hops.iter();
        (found.payer, hops.map(|hop| hop.channel.to_u64()).collect())
    });
    let mut ways: Vec<_> = ways.collect();
    ways.sort();
    ways
}

#[test]
fn the_cheap_move_over_a_shared_peer_comes_out_by_itself() {
    let found = moves(&[
        channel(1, A, X, RICH),
        channel(2, B, X, DRY),
        channel(3, A, B, HALF),
    ]);
    assert_eq!(ways(&found), [(node(A), vec![1, 2, 3])]);
    assert_eq!(found[0].owner, node(B));
    assert_eq!(found[0].fills, scid(2));
    let only_x = policy(0, 100, 80).fee(found[0].amount).unwrap();
    assert_eq!(found[0].fee, only_x);
}

#[test]
fn without_a_link_it_goes_around_through_other_members() {
    let mut channels = vec![
        channel(1, A, X, RICH),
        channel(2, B, X, DRY),
        channel(3, B, C, HALF),
    ];
    assert_eq!(moves(&channels), []);
    channels.push(channel(4, C, A, HALF));
    assert_eq!(ways(&moves(&channels)), [(node(A), vec![1, 2, 3, 4])]);
}

/// A has plenty with X and too little with Y, B the other way round: each helps the other, and neither pays
/// what the other asks from outsiders where a link can lend the way back.
#[test]
fn two_shared_peers_serve_both_members() {
    let mut channels = vec![
        channel(1, A, X, RICH),
        channel(2, B, X, DRY),
        channel(3, B, Y, RICH),
        channel(4, A, Y, DRY),
    ];
    let both = [(node(A), vec![1, 2, 3, 4]), (node(B), vec![3, 4, 1, 2])];
    let found = moves_within(&channels, Scope::Fleet, u64::MAX);
    // Without a link the payer would owe the other member's 400 ppm and two peers' 100.
    assert_eq!(ways(&found), []);
    let generous = PlannerConfig {
        push_fee_rate: Ppm::new(700),
        ..PlannerConfig::default()
    };
    let request = RebalanceRequest {
        channels: &channels,
        members: &BTreeSet::from([node(A), node(B)]),
        scope: Scope::Fleet,
        budget: Msat::new(u64::MAX),
        config: &generous,
    };
    let found = rebalance(&request);
    assert!(!found.is_empty());
    for way in ways(&found) {
        assert!(both.contains(&way), "{found:?}");
    }

    channels.push(channel(5, A, B, HALF));
    let pieces = [(node(A), vec![1, 2, 5]), (node(B), vec![3, 4, 5])];
    let found = ways(&moves(&channels));
    assert_eq!(
        found.iter().cloned().collect::<BTreeSet<_>>(),
        pieces.into()
    );
}

/// The best for the fleet would go around through both, and cost its payer the other's 400 ppm as well.
#[test]
fn where_the_best_circle_cannot_be_paid_each_member_does_what_it_can() {
    let mut between = channel(5, X, Y, HALF);
    for side in &mut between.sides {
        side.policy = Some(policy(0, 50, 80));
    }
    let channels = [
        channel(1, A, X, RICH),
        channel(2, B, X, DRY),
        channel(3, B, Y, RICH),
        channel(4, A, Y, DRY),
        between,
    ];
    let found = ways(&moves(&channels));
    assert!(found.contains(&(node(A), vec![1, 5, 4])), "{found:?}");
    assert!(found.contains(&(node(B), vec![3, 5, 2])), "{found:?}");
}

#[test]
fn a_link_lends_what_it_has_once_whatever_comes_first() {
    let crossing = |first: u64, x: u32, y: u32| {
        [
            channel(first, A, x, RICH),
            channel(first + 1, B, x, DRY),
            channel(first + 2, B, y, RICH),
            channel(first + 3, A, y, DRY),
        ]
    };
    let mut channels = [crossing(1, X, Y), crossing(11, 13, 14)].concat();
    channels.push(channel(5, A, B, HALF));
    let found = moves(&channels);
    let towards = |member: u32| -> u64 {
        let hops = found.iter().flat_map(|found| &found.hops);
        let over = hops.filter(|hop| hop.channel == scid(5) && hop.to == node(member));
        over.map(|hop| hop.amount.get()).sum()
    };
    // Half of ten million, less the mark of two: either way, even if all of one way comes first.
    for member in [A, B] {
        assert!(towards(member) <= 3_000_000_000, "{found:?}");
        assert!(towards(member) > 2_900_000_000, "{found:?}");
    }
}

/// A forwarder takes nothing, but pays nobody either.
#[test]
fn a_discount_beyond_the_fee_tempts_nobody_to_move_for_nothing() {
    let mut channels = [
        channel(1, A, X, RICH),
        channel(2, B, X, HALF),
        channel(3, A, Y, RICH),
        channel(4, B, Y, DRY),
        channel(5, A, B, HALF),
    ];
    let discount = ChannelPolicy {
        inbound_ppm: -1_000,
        ..policy(0, 100, 80)
    };
    channels[0].sides[1].policy = Some(discount);
    // The whole way back over the link is left for Y's circle.
    let found = moves(&channels);
    assert_eq!(ways(&found), [(node(A), vec![3, 4, 5])]);
    assert!(found[0].amount.get() > 2_900_000_000, "{found:?}");
}

/// Parallel channels with one peer serve one demand: together they are filled as far as one of their
/// size would be.
#[test]
fn parallel_channels_are_filled_as_one() {
    let found = moves(&[
        channel(1, A, X, 9_900_000),
        channel(2, A, X, 9_900_000),
        channel(3, B, X, DRY),
        channel(4, B, X, DRY),
        channel(5, A, B, 500_000),
        channel(6, A, B, 500_000),
    ]);
    let filled: u64 = found.iter().map(|found| found.amount.get()).sum();
    let wanted = (2 * HALF - 2 * DRY) * 1_000;
    assert!(
        filled <= wanted && filled > wanted / 100 * 95,
        "{filled} {wanted}"
    );
}

#[test]
fn a_member_fills_its_own_channels_too() {
    let channels = [
        channel(1, A, X, RICH),
        channel(2, A, Y, DRY),
        channel(3, X, Y, HALF),
    ];
    for scope in [Scope::Fleet, Scope::Local] {
        let found = moves_within(&channels, scope, u64::MAX);
        assert_eq!(ways(&found)[0], (node(A), vec![1, 3, 2]));
        assert_eq!(found[0].owner, node(A));
    }
}

#[test]
fn alone_no_member_fills_a_fellows_channel() {
    let channels = [
        channel(1, A, X, RICH),
        channel(2, B, X, DRY),
        channel(3, A, B, HALF),
    ];
    assert_eq!(moves_within(&channels, Scope::Local, u64::MAX), []);
}

#[test]
fn a_channel_that_drains_fast_is_filled_before_it_is_dry_and_one_that_fills_itself_is_not() {
    let count = |sat, per_day: Option<i64>| {
        let low = channel(2, B, X, sat);
        let low = per_day.map_or(low, |per_day| drained(low, per_day));
        let found = moves(&[channel(1, A, X, RICH), low, channel(3, A, B, HALF)]);
        found.iter().map(|found| found.amount.get()).sum::<u64>()
    };
    // Four of ten million: enough, unless they are gone in two days.
    assert_eq!(count(4_000_000, None), 0);
    assert_eq!(count(4_000_000, Some(500_000)), 0);
    assert!(count(4_000_000, Some(2_000_000)) > 1_000_000_000);
    // A channel that is dry shows no drain, one that fills by itself shows that.
    assert!(count(DRY, Some(0)) > 1_000_000_000);
    assert_eq!(count(DRY, Some(-100_000)), 0);
    // A claim beyond all reason moves no more than fits above the marks.
    assert!(count(4_000_000, Some(i64::MAX / 1_000)) <= 4_000_000_000);
}

#[test]
fn the_payer_is_the_member_that_it_is_cheapest_for() {
    let mut channels = vec![
        channel(1, A, X, RICH),
        channel(2, B, X, DRY),
        channel(3, A, B, HALF),
    ];
    // B would owe A's 400 ppm on the way to X, A owes X's 100 alone.
    assert_eq!(moves(&channels)[0].payer, node(A));
    // When A forwards to X for nothing and B asks for its link, B pays nothing but X.
    channels[0].sides[0].policy = Some(policy(0, 0, 34));
    channels[2].sides[1].policy = Some(policy(0, 50, 34));
    assert_eq!(ways(&moves(&channels))[0], (node(B), vec![3, 1, 2]));
}

#[test]
fn the_budget_goes_where_it_gains_most() {
    let mut channels = vec![
        channel(1, A, X, RICH),
        channel(2, B, X, DRY),
        channel(3, A, Y, RICH),
        channel(4, B, Y, DRY),
        channel(5, A, B, RICH),
        channel(6, A, B, DRY),
    ];
    channels[3].sides[1].policy = Some(policy(0, 20, 80));
    let free = moves(&channels);
    let fees = |found: &[Move]| found.iter().map(|found| found.fee.get()).sum::<u64>();
    assert!(free.len() >= 2, "{free:?}");
    for budget in [0, fees(&free) / 2, fees(&free) - 1] {
        let found = moves_within(&channels, Scope::Fleet, budget);
        assert!(fees(&found) <= budget);
        assert!(found.iter().all(|found| free.contains(found)));
        let most = |found: &[Move]| found.iter().map(|f| f.gain.get() / f.fee.get()).min();
        let left: Vec<Move> = free
            .iter()
            .filter(|f| !found.contains(f))
            .cloned()
            .collect();
        assert!(budget == 0 || most(&found) >= most(&left), "{found:?}");
    }
}

/// A peer may forward over any of its channels with the next node (BOLT 4), so a way out and back over
/// two channels with it would be a fee for nothing.
#[test]
fn t58_no_move_leaves_and_returns_by_the_same_peer() {
    let twins = |other: u32| {
        [
            channel(1, A, other, 9_900_000),
            channel(2, A, other, 100_000),
            channel(3, A, Y, HALF),
            channel(4, B, Y, HALF),
        ]
    };
    assert_eq!(moves(&twins(X)), []);
    assert_eq!(moves(&twins(B)), []);
    // Both channels with X count for B's demand: with one of them full, there is none.
    let mut channels = vec![
        channel(1, A, X, RICH),
        channel(2, B, X, DRY),
        channel(3, A, B, HALF),
    ];
    assert_eq!(moves(&channels).len(), 1);
    channels.push(channel(4, B, X, RICH));
    assert_eq!(moves(&channels), []);
}

#[test]
fn t59_no_move_is_locked_or_sized_beyond_its_caps() {
    let with = |policy: ChannelPolicy| {
        let mut channels = [
            channel(1, A, X, RICH),
            channel(2, B, X, DRY),
            channel(3, A, B, HALF),
        ];
        channels[1].sides[1].policy = Some(policy);
        moves(&channels)
    };
    let slow = |delta| policy(0, 100, delta);
    let blocks = |found: &[Move]| found[0].hops[0].cltv_blocks;
    let rest = blocks(&with(slow(0)));
    let longest = u16::try_from(HTLC_CLTV_BLOCKS - rest).unwrap();
    assert_eq!(blocks(&with(slow(longest))), HTLC_CLTV_BLOCKS);
    assert_eq!(with(slow(longest + 1)), []);

    let small = ChannelPolicy {
        htlc_maximum: Msat::new(700_000_000),
        ..slow(80)
    };
    let found = with(small);
    assert!(found.len() > 1, "{found:?}");
    assert!(
        found
            .iter()
            .all(|found| found.hops[1].amount <= small.htlc_maximum)
    );
    // Together they are what one HTLC would have carried.
    let all: u64 = found.iter().map(|found| found.amount.get()).sum();
    assert!(all > 2_900_000_000, "{all}");
}

#[test]
fn bad_input_gives_no_moves_and_no_panic() {
    let good = [
        channel(1, A, X, RICH),
        channel(2, B, X, DRY),
        channel(3, A, B, HALF),
    ];
    let absurd = policy(u64::from(u32::MAX), u32::MAX, u16::MAX);
    type Change = fn(&mut Vec<ChannelState>, ChannelPolicy);
    let changes: [Change; 8] = [
        |channels, _| channels.clear(),
        |channels, _| channels.truncate(1),
        |channels, _| channels[1].capacity = Sat::ZERO,
        |channels, absurd| channels[1].sides[1].policy = Some(absurd),
        |channels, _| channels[1].sides[1].policy = None,
        |channels, _| channels[1].sides[0].spendable = None,
        |channels, _| channels[1].sides[1].node = channels[1].sides[0].node,
        |channels, _| {
            channels
                .iter_mut()
                .for_each(|c| c.sides[0].spendable = Some(Msat::ZERO))
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut channels = good.to_vec();
        change(&mut channels, absurd);
        for scope in [Scope::Local, Scope::Fleet] {
            assert_eq!(moves_within(&channels, scope, u64::MAX), [], "{number}");
        }
    }
    let mut huge = good.to_vec();
    for channel in &mut huge {
        channel.capacity = Sat::new(u64::MAX);
        channel.sides[0].spendable = Some(Msat::new(u64::MAX));
        channel.sides[0].drain_msat_per_day = Some(i64::MIN);
    }
    moves(&huge);
    let nobody = RebalanceRequest {
        channels: &good,
        members: &BTreeSet::new(),
        scope: Scope::Fleet,
        budget: Msat::new(u64::MAX),
        config: &PlannerConfig::default(),
    };
    assert_eq!(rebalance(&nobody), []);
}
