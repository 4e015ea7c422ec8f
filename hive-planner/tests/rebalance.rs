//! Rebalancing over plain values: which moves come out, that they add up, and that no limit is passed.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{node, policy, scid};
use hive_planner::PlannerConfig;
use hive_planner::pushes::{ChannelState, Move, RebalanceRequest, Scope, Side, rebalance};
use hive_types::limits::HTLC_CLTV_BLOCKS;
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

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
    assert!(
        found
            .iter()
            .all(|found| ways(std::slice::from_ref(found))[0] == both[0]),
        "{found:?}"
    );

    channels.push(channel(5, A, B, HALF));
    let pieces = [(node(A), vec![1, 2, 5]), (node(B), vec![3, 4, 5])];
    let found = ways(&moves(&channels));
    assert_eq!(
        found.iter().cloned().collect::<BTreeSet<_>>(),
        pieces.into()
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

/// Mostly such as nodes set, now and then absurd.
fn any_policy() -> impl Strategy<Value = Option<ChannelPolicy>> {
    let rate = prop_oneof![12 => 0..500u32, 1 => any::<u32>()];
    let base = prop_oneof![9 => Just(0u64), 2 => 0..1_500u64];
    let inbound = (
        -300..50i32,
        prop_oneof![20 => -200..20i32, 1 => any::<i32>()],
    );
    let largest = prop_oneof![5 => Just(u64::MAX), 2 => 200_000_000..3_000_000_000u64];
    let known = (base, rate, 0..200u16, inbound, largest, 0..40u8);
    let known = known.prop_map(|(base, rate, delta, inbound, largest, kind)| {
        let known = ChannelPolicy {
            inbound_base_msat: inbound.0,
            inbound_ppm: inbound.1,
            htlc_maximum: Msat::new(largest),
            disabled: kind == 0,
            ..policy(base, rate, delta)
        };
        (kind != 1).then_some(known)
    });
    known.boxed()
}

/// Channels among three members and four outsiders with any balances, policies and drains.
fn any_channels() -> impl Strategy<Value = Vec<ChannelState>> {
    let node_of = |place: usize| [A, B, C, X, Y, 13, 14][place];
    let drain = prop_oneof![
        3 => Just(None),
        1 => (-5_000_000_000..5_000_000_000i64).prop_map(Some),
        1 => any::<i64>().prop_map(Some),
    ];
    let balance = prop_oneof![3 => 0..=100u64, 1 => 0..10u64, 1 => 90..=100u64];
    let size = prop_oneof![4 => 500_000..20_000_000u64, 1 => 0..20_000u64];
    let ends = (0..7usize, 1..7usize);
    let policies = (any_policy(), any_policy());
    let channel = (ends, size, balance, policies, drain);
    let channel = channel.prop_map(move |((one, step), size, percent, policies, drain)| {
        let there = size * percent / 100;
        let side = |place: usize, sat: u64, policy, drain| Side {
            node: node(node_of(place % 7)),
            spendable: Some(Msat::new(sat * 1_000)),
            policy,
            drain_msat_per_day: drain,
        };
        ChannelState {
            scid: scid(0),
            capacity: Sat::new(size),
            sides: [
                side(one, there, policies.0, drain),
                side(one + step, size - there, policies.1, drain),
            ],
        }
    });
    proptest::collection::vec(channel, 0..24).prop_map(|mut channels| {
        for (number, channel) in channels.iter_mut().enumerate() {
            channel.scid = scid(number as u64 + 1);
        }
        channels
    })
}

/// What a forwarder keeps, from the messages alone: BOLT 7 and LND's inbound fees.
fn kept(out: &ChannelPolicy, inbound: (i32, i32), sent: u64) -> i128 {
    let sent = i128::from(sent);
    let fee = i128::from(out.base.get()) + sent * i128::from(out.rate.get()) / 1_000_000;
    let on_receipt = i128::from(inbound.0) + (sent + fee) * i128::from(inbound.1) / 1_000_000;
    (fee + on_receipt).max(0)
}

/// Checks a move on its own: a circle from the payer to the payer, within every limit, that pays each
/// forwarder what it asks for.
fn check_move(channels: &[ChannelState], found: &Move, config: &PlannerConfig) {
    let side_of = |number: usize, from: NodeId| {
        let hop = found.hops[number];
        let channel = channels.iter().find(|c| c.scid == hop.channel).unwrap();
        let ends = channel.sides.iter().map(|side| side.node);
        assert!(ends.clone().any(|end| end == from) && ends.clone().any(|end| end == hop.to));
        *channel.sides.iter().find(|side| side.node == from).unwrap()
    };
    let (first, last) = (found.hops.first().unwrap(), found.hops.last().unwrap());
    assert!(found.hops.len() >= 3);
    assert_eq!(last.to, found.payer);
    assert_eq!(last.amount, found.amount);
    assert_eq!(first.amount, found.amount.checked_add(found.fee).unwrap());
    assert!(found.amount >= config.push_min.to_msat_saturating());
    assert!(found.amount <= config.push_max.to_msat_saturating());
    assert!(found.fee <= config.push_fee_max);
    assert!(found.fee <= config.push_fee_rate.fee_on(found.amount).unwrap());
    assert!(found.gain >= found.fee);
    assert!(first.cltv_blocks <= HTLC_CLTV_BLOCKS);
    let mut visited = BTreeSet::new();
    let mut from = found.payer;
    for number in 0..found.hops.len() {
        assert!(visited.insert(from));
        if number > 0 {
            let (before, hop) = (found.hops[number - 1], found.hops[number]);
            let blocks = before.cltv_blocks - hop.cltv_blocks;
            let on_receipt = side_of(number - 1, from).policy;
            let out = side_of(number, from).policy.unwrap_or(policy(0, 0, 0));
            let inbound = on_receipt.map_or((0, 0), |p| (p.inbound_base_msat, p.inbound_ppm));
            let keeps = i128::from(before.amount.get()) - i128::from(hop.amount.get());
            assert_eq!(keeps, kept(&out, inbound, hop.amount.get()));
            assert!(blocks >= u32::from(out.cltv_delta) && !out.disabled);
            assert!(out.htlc_minimum <= hop.amount && hop.amount <= out.htlc_maximum);
        }
        from = found.hops[number].to;
    }
}

/// Makes the moves; checks that each fits, when its turn comes, balances at known nodes.
fn make<'a>(
    channels: &[ChannelState],
    known: &BTreeSet<NodeId>,
    moves: impl Iterator<Item = &'a Move>,
) -> BTreeMap<(u64, NodeId), i128> {
    let sides = channels.iter().flat_map(|channel| {
        let number = channel.scid.to_u64();
        channel.sides.iter().map(move |side| {
            let there = i128::from(side.spendable.unwrap().get());
            ((number, side.node), there)
        })
    });
    let mut there: BTreeMap<(u64, NodeId), i128> = sides.collect();
    for found in moves {
        let mut from = found.payer;
        for hop in &found.hops {
            let (number, amount) = (hop.channel.to_u64(), i128::from(hop.amount.get()));
            let known = known.contains(&from) || known.contains(&hop.to);
            let near = there.get_mut(&(number, from)).unwrap();
            *near -= amount;
            assert!(!known || *near >= 0, "{found:?}");
            *there.get_mut(&(number, hop.to)).unwrap() += amount;
            from = hop.to;
        }
    }
    there
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    /// T60 over any network: no member's total changes but by fees, whatever order the moves are made in; no
    /// member's side falls below its mark; every forwarder gets what it asks for and no more.
    #[test]
    fn t60_moves_are_never_gifts(channels in any_channels(), local: bool, budget in 0..3_000_000u64) {
        let config = PlannerConfig::default();
        let members: BTreeSet<NodeId> = [A, B, C].map(node).into();
        let request = RebalanceRequest {
            channels: &channels,
            members: &members,
            scope: if local { Scope::Local } else { Scope::Fleet },
            budget: Msat::new(budget),
            config: &config,
        };
        let found = rebalance(&request);
        prop_assert_eq!(&found, &rebalance(&request));
        prop_assert!(found.iter().map(|found| found.fee.get()).sum::<u64>() <= budget);
        found.iter().for_each(|found| check_move(&channels, found, &config));
        let start = make(&channels, &members, [].iter());
        let end = make(&channels, &BTreeSet::new(), found.iter());
        // A member that plans alone knows nothing of what the others will do.
        let alone = members.iter().map(|member| BTreeSet::from([*member]));
        let together: Vec<_> = if local { alone.collect() } else { vec![members.clone()] };
        for planners in &together {
            let theirs = found.iter().filter(|found| planners.contains(&found.payer));
            let forwards = make(&channels, planners, theirs.clone());
            prop_assert_eq!(forwards, make(&channels, planners, theirs.rev()));
        }
        for member in &members {
            let total = |there: &BTreeMap<(u64, NodeId), i128>| {
                there.iter().filter(|((_, n), _)| n == member).map(|(_, v)| v).sum::<i128>()
            };
            let paid = found.iter().filter(|found| found.payer == *member);
            let paid: i128 = paid.map(|found| i128::from(found.fee.get())).sum();
            let change = total(&end) - total(&start);
            prop_assert!(change >= -paid);
            prop_assert!(local || found.iter().any(|f| f.payer != *member) || change == -paid);
        }
        for ((number, owner), there) in end {
            let channel = channels.iter().find(|c| c.scid.to_u64() == number).unwrap();
            let mark = i128::from(channel.capacity.get()) * 1_000 / 5;
            let before = start[&(number, owner)];
            let ours = members.contains(&owner);
            prop_assert!(!ours || local || there >= before.min(mark), "{number} {there} {before}");
        }
    }
}
