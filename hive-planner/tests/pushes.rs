//! Pushes: who pays, what crosses each channel, what they cost, and when there are none.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::fleet::{HEIGHT, SIZE, local, own, seen_by};
use common::push::{
    A, A_X, A_Y, B, B_A, X, X_B, Y, Y_X, dry, network, payer, plan, rebalance, rivals, told,
};
use common::{node, policy};
use hive_planner::graph::GraphUpdate;
use hive_planner::{PlannerConfig, plan_pushes};
use hive_types::limits::FINAL_CLTV_DELTA;
use hive_types::{BlockHeight, ChannelPolicy, FleetView, LocalSnapshot, Msat, NodeId, Ppm, Tier};
use proptest::prelude::*;

#[test]
fn fills_a_fellow_over_the_shared_peer() {
    let proposals = plan(&dry(), &payer());
    let [proposal] = &proposals[..] else {
        panic!("{proposals:?}")
    };
    let push = rebalance(proposal);
    assert_eq!(push.beneficiary, Some(node(B)));
    let hops: Vec<_> = push
        .hops
        .iter()
        .map(|hop| (hop.channel.to_u64(), hop.to, hop.amount, hop.cltv_blocks))
        .collect();
    // The way back has 3 M above B's mark of 2 M, less than the 4.5 M wanted; the highest fee that is
    // paid at all, 500 ppm, is kept free.
    let amount = Msat::new(3_000_000_000 * 1_000_000 / 1_000_500);
    let fee = policy(1_000, 100, 80).fee(amount).unwrap();
    assert_eq!(
        hops,
        [
            (
                A_X,
                node(X),
                amount.checked_add(fee).unwrap(),
                FINAL_CLTV_DELTA + 34 + 80
            ),
            (X_B, node(B), amount, FINAL_CLTV_DELTA + 34),
            (B_A, node(A), amount, FINAL_CLTV_DELTA),
        ]
    );
    assert_eq!((push.amount, push.fee, proposal.cost), (amount, fee, fee));
    assert!(proposal.value_per_day > Msat::ZERO);
    let facts = &proposal.explanation.facts;
    assert!(facts.contains(&("share it can send before".into(), "50000ppm".into())));
    assert_eq!(plan(&dry(), &payer()), proposals);
}

#[test]
fn t60_a_push_changes_totals_by_fees_only() {
    let proposals = plan(&dry(), &payer());
    let push = rebalance(&proposals[0]);
    let mut gains = std::collections::BTreeMap::<NodeId, i128>::new();
    let mut from = node(A);
    for hop in &push.hops {
        *gains.entry(from).or_default() -= i128::from(hop.amount.get());
        *gains.entry(hop.to).or_default() += i128::from(hop.amount.get());
        from = hop.to;
    }
    let fee = i128::from(push.fee.get());
    assert_eq!(gains[&node(A)], -fee);
    assert_eq!(gains[&node(B)], 0);
    assert_eq!(gains[&node(X)], fee);
}

#[test]
fn nobody_pushes_without_need_or_standing() {
    type Change = fn(&mut FleetView, &mut LocalSnapshot);
    let cases: [(&str, Change); 13] = [
        ("enough left", |f, _| {
            f.members[1].channels[0] = told(X_B, X, 2_000_000)
        }),
        ("balance hidden", |f, _| {
            f.members[1].channels[0].spendable = None
        }),
        ("not confirmed", |f, _| {
            f.members[1].channels[0].confirmed = false
        }),
        ("place hidden", |f, _| f.members[1].channels[0].scid = None),
        ("stale fellow", |f, _| f.members[1].fresh = false),
        ("fellow blamed for its conduct", |f, _| {
            f.members[1].privileges.pushes = false
        }),
        ("probationary fellow", |f, _| {
            f.members[1].tier = Tier::Probationary
        }),
        ("probationary payer", |f, _| {
            f.members[0].tier = Tier::Probationary
        }),
        ("no fleet", |f, _| f.me = None),
        ("no surplus", |_, l| l.channels[0] = own(A_X, X, 2_009_000)),
        ("no way back", |_, l| l.channels[1] = own(B_A, B, 7_995_000)),
        ("no link", |_, l| l.channels[1].usable = false),
        ("no place in the chain", |_, l| l.channels[0].scid = None),
    ];
    for (name, change) in cases {
        let (mut fleet, mut local) = (dry(), payer());
        assert_eq!(plan(&fleet, &local).len(), 1, "{name}");
        change(&mut fleet, &mut local);
        assert_eq!(plan(&fleet, &local), [], "{name}");
    }
}

#[test]
fn a_push_that_costs_too_much_is_not_proposed() {
    let with = |config: PlannerConfig| plan_pushes(&network(), &dry(), &payer(), &config).len();
    let config = PlannerConfig::default();
    let rate = |ppm| PlannerConfig {
        push_fee_rate: Ppm::new(ppm),
        ..config
    };
    assert_eq!((with(config), with(rate(102)), with(rate(99))), (1, 1, 0));
    let absolute = |msat| PlannerConfig {
        push_fee_max: Msat::new(msat),
        ..config
    };
    assert_eq!((with(absolute(2_100)), with(absolute(1_900))), (1, 0));
    // B earns 400 ppm by forwarding once, the push costs a little over 100.
    let returns = |millionths| PlannerConfig {
        push_return: Ppm::new(millionths),
        ..config
    };
    assert_eq!((with(returns(3_900_000)), with(returns(4_000_001))), (1, 0));
}

#[test]
fn goes_over_one_more_hop_where_no_peer_is_shared() {
    let mut payer = payer();
    payer.channels[0] = own(A_Y, Y, 9_000_000);
    let proposals = plan(&dry(), &payer);
    let push = rebalance(&proposals[0]);
    let channels: Vec<u64> = push.hops.iter().map(|hop| hop.channel.to_u64()).collect();
    assert_eq!(channels, [A_Y, Y_X, X_B, B_A]);
    let over_x = push
        .amount
        .checked_add(policy(1_000, 100, 80).fee(push.amount).unwrap());
    let over_y = policy(0, 40, 60).fee(over_x.unwrap()).unwrap();
    assert_eq!(
        push.hops[0].amount,
        over_x.unwrap().checked_add(over_y).unwrap()
    );
    let direct = plan(&dry(), &common::push::payer());
    assert!(proposals[0].confidence < direct[0].confidence);
    let short = PlannerConfig {
        push_outside_hops: 1,
        ..PlannerConfig::default()
    };
    assert_eq!(plan_pushes(&network(), &dry(), &payer, &short), []);
}

#[test]
fn a_fellow_that_charges_is_priced_as_it_charges() {
    let mut payer = payer();
    payer.channels[1].remote_policy = Some(policy(500, 0, 34));
    let proposals = plan(&dry(), &payer);
    let push = rebalance(&proposals[0]);
    let crossing = push.amount.checked_add(Msat::new(500)).unwrap();
    assert_eq!(push.hops[1].amount, crossing);
    let fee_of_x = policy(1_000, 100, 80).fee(crossing).unwrap();
    assert_eq!(push.fee, fee_of_x.checked_add(Msat::new(500)).unwrap());
}

/// Plans of A and of its rival at their heights.
fn plans_at(heights: [u32; 2], config: &PlannerConfig) -> [usize; 2] {
    let (graph, fleet, others) = rivals();
    let at = |local: LocalSnapshot, n, height| {
        let height = BlockHeight::new(height);
        let local = LocalSnapshot { height, ..local };
        plan_pushes(&graph, &seen_by(&fleet, n), &local, config).len()
    };
    [at(payer(), A, heights[0]), at(others, 5, heights[1])]
}

#[test]
fn members_that_could_both_push_take_turns() {
    let config = PlannerConfig::default();
    let mut pushed = [0, 0];
    for height in HEIGHT..HEIGHT + 24 {
        // Tips differ by a block at most; whatever they are, the two never push at the same moment.
        for other in height - 1..=height + 1 {
            let both = plans_at([height, other], &config);
            assert!(both[0] + both[1] <= 1, "{height} {other} {both:?}");
        }
        let both = plans_at([height, height], &config);
        pushed = [pushed[0] + both[0], pushed[1] + both[1]];
    }
    // The optimum needs both circles, so each pushes in its turns, but for the first block of each.
    assert_eq!(pushed, [10, 10]);
}

/// Mostly such as nodes set, now and then absurd.
fn any_policy() -> impl Strategy<Value = ChannelPolicy> {
    let rate = prop_oneof![9 => 0..300u32, 1 => any::<u32>()];
    let fees = (0..2_000u64, rate, 0..300u16);
    let high = prop_oneof![9 => 1_000_000_000..10_000_000_000u64, 1 => any::<u64>()];
    let limits = (0..50_000_000u64, high);
    let base = prop_oneof![9 => -1_000..1_000i32, 1 => any::<i32>()];
    let inbound = (base, -300..100i32);
    (fees, limits, inbound, proptest::bool::weighted(0.03)).prop_map(
        |((base, rate, delta), (low, high), (inbound_base_msat, inbound_ppm), disabled)| {
            ChannelPolicy {
                htlc_minimum: Msat::new(low),
                htlc_maximum: Msat::new(high),
                disabled,
                inbound_base_msat,
                inbound_ppm,
                ..policy(base, rate, delta)
            }
        },
    )
}

proptest! {
    /// Whatever the policies and balances: a push is a circle that fits, within every limit.
    #[test]
    fn every_push_is_a_payable_circle(
        policies in proptest::collection::vec(any_policy(), 10),
        spendable in proptest::array::uniform3(0..=SIZE),
        dry_side in 0..3_000_000u64,
    ) {
        let graph = network();
        let updates: Vec<GraphUpdate> = graph.edges().zip(policies).map(|(edge, policy)| {
            GraphUpdate::Policy { scid: edge.scid, from: graph.node_id(edge.from), policy }
        }).collect();
        let graph = graph.updated(&updates);
        let mut fleet = dry();
        fleet.members[1].channels[0] = told(X_B, X, dry_side);
        let payer = LocalSnapshot {
            channels: vec![
                own(A_X, X, spendable[0]),
                own(B_A, B, spendable[1]),
                own(A_Y, Y, spendable[2]),
            ],
            ..local(A)
        };
        let config = PlannerConfig {
            push_fee_rate: Ppm::new(2_000),
            push_fee_max: Msat::new(4_000_000),
            push_return: Ppm::ZERO,
            ..PlannerConfig::default()
        };
        for proposal in plan_pushes(&graph, &fleet, &payer, &config) {
            let push = rebalance(&proposal);
            let mut at = node(A);
            for hop in &push.hops {
                let place = graph.node_index(&at).unwrap();
                let edge = graph.edge(hop.channel, place).unwrap();
                prop_assert_eq!(graph.node_id(edge.to), hop.to);
                at = hop.to;
                if place != graph.node_index(&node(A)).unwrap() {
                    let policy = edge.usable().unwrap();
                    prop_assert!(policy.htlc_minimum <= hop.amount);
                    prop_assert!(hop.amount <= policy.htlc_maximum);
                }
            }
            prop_assert_eq!(at, node(A));
            let falls = |pair: &[hive_types::RouteHop]| {
                pair[0].amount >= pair[1].amount && pair[0].cltv_blocks >= pair[1].cltv_blocks
            };
            prop_assert!(push.hops.windows(2).all(falls));
            let last = push.hops.last().unwrap();
            prop_assert_eq!((last.amount, last.cltv_blocks), (push.amount, FINAL_CLTV_DELTA));
            prop_assert_eq!(push.hops[0].amount, push.amount.checked_add(push.fee).unwrap());
            prop_assert!(push.fee <= config.push_fee_max);
            prop_assert!(push.fee <= config.push_fee_rate.fee_on(push.amount).unwrap());
            let out = payer.channels.iter().find(|c| c.scid == Some(push.hops[0].channel)).unwrap();
            let left = out.spendable.checked_sub(push.hops[0].amount).unwrap();
            prop_assert!(Ppm::of(left.get(), SIZE * 1000) >= config.low_water);
        }
    }
}
