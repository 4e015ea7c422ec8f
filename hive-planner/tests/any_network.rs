//! Plans on any network, for any means.
#![allow(clippy::unwrap_used)]

mod common;

use common::fleet::{constraint, fleet, local};
use common::{node, policy, scid};
use hive_planner::graph::{Graph, GraphBuilder};
use hive_planner::routes::SenderModel;
use hive_planner::{AmountModel, DemandModel, History, PlannerConfig, plan_opens};
use hive_types::{Msat, Sat};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn any_graph() -> impl Strategy<Value = Graph> {
    let number = prop_oneof![9 => 1_000_000..300_000_000u64, 1 => any::<u64>()];
    let rate = prop_oneof![9 => 0..20_000u32, 1 => any::<u32>()];
    let known = proptest::bool::weighted(0.9);
    let policies = [(rate.clone(), known), (rate, known)];
    let channel = (0..14u32, 0..14u32, number, policies);
    vec(channel, 0..60).prop_map(|channels| {
        let mut builder = GraphBuilder::new();
        (0..14).for_each(|n| builder.add_node(node(n)));
        for (number, (a, b, capacity, policies)) in channels.into_iter().enumerate() {
            let (scid, ends) = (scid(number as u64), [node(a), node(b)]);
            builder.add_channel(scid, ends, Sat::new(capacity)).unwrap();
            for (end, (rate, known)) in ends.into_iter().zip(policies) {
                if known {
                    let policy = policy(u64::from(rate) * 2 % (1 << 32), rate, rate as u16);
                    builder.set_policy(scid, end, &policy).unwrap();
                }
            }
        }
        builder.build()
    })
}

proptest! {
    /// Whatever the network and the means: no panic, nothing beyond the means, one opener a target,
    /// and the same again.
    #[test]
    fn every_plan_is_within_means(
        graph in any_graph(),
        members in proptest::sample::subsequence(vec![0u32, 1, 2, 3, 50, 51], 1..5),
        slots in prop_oneof![9 => 0..5u32, 1 => any::<u32>()],
        capital in prop_oneof![9 => 0..40_000_000u64, 1 => any::<u64>()],
        sender in proptest::sample::select(vec![SenderModel::FeeOnly, SenderModel::Lnd, SenderModel::Ldk]),
        amount in prop_oneof![9 => 1..500_000_000u64, 1 => any::<u64>()],
    ) {
        let me = members[0];
        let fleet = fleet(&members, constraint(slots, capital));
        let config = PlannerConfig { sender, amounts: AmountModel::Fixed(Msat::new(amount)), demand: DemandModel::Uniform, payments: 36, payees: 6, ..PlannerConfig::default() };
        let plan = || plan_opens(&graph, &fleet, &local(me), &History::default(), &config);
        let found = plan();
        prop_assert_eq!(&plan(), &found);
        for member in &members {
            let opens = found.expected.iter().filter(|open| open.member == node(*member));
            let spent: u64 = opens.clone().map(|open| open.capacity.get()).sum();
            prop_assert!(spent <= capital && opens.count() <= slots as usize);
        }
        let pairs: BTreeSet<_> = found.expected.iter().map(|open| (open.member, open.target)).collect();
        prop_assert_eq!(pairs.len(), found.expected.len());
        let targets: BTreeSet<_> = found.expected.iter().map(|open| open.target).collect();
        prop_assert!(members.iter().all(|member| !targets.contains(&node(*member))));
        for open in &found.expected {
            prop_assert!((100_000..=10_000_000).contains(&open.capacity.get()));
        }
        for target in targets {
            let place = graph.node_index(&target).unwrap();
            let planned = found.expected.iter().filter(|open| open.target == target);
            let planned: u128 = planned.map(|open| u128::from(open.capacity.get())).sum();
            let held = graph.channels_of(place).filter(|edge| members.contains(&(edge.to.get() as u32)));
            let held: u128 = held.map(|edge| u128::from(edge.capacity.get())).sum();
            let public = u128::from(graph.capacity_of(place).get());
            prop_assert!((held + planned) * 5 <= public + planned, "{held} and {planned} of {public}");
        }
        let mine = found.expected.iter().filter(|open| open.member == node(me)).count();
        prop_assert!(found.proposals.len() <= mine);
        prop_assert_eq!(found.proposals.is_empty(), !found.notes.is_empty());
    }
}
