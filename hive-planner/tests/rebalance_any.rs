//! Rebalancing on any network: every move is a payment that can be made, and none is a gift.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{node, policy, scid};
use hive_planner::PlannerConfig;
use hive_planner::pushes::{ChannelState, Move, RebalanceRequest, Scope, Side, rebalance};
use hive_types::limits::HTLC_CLTV_BLOCKS;
use hive_types::{ChannelPolicy, Msat, NodeId, Sat};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const A: u32 = 1;
const B: u32 = 2;
const C: u32 = 3;
const X: u32 = 11;
const Y: u32 = 12;

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
