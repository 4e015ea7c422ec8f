//! Any graph, as the parts that it is made from.

use super::{node, scid};
use hive_planner::graph::{Graph, GraphBuilder};
use hive_types::{ChannelPolicy, Msat, Ppm, Sat};
use proptest::collection::vec;
use proptest::prelude::*;

/// Channels by number: ends, capacity in sat, the policies of both ends.
pub type Parts = Vec<(u64, u32, u32, u64, [Option<ChannelPolicy>; 2])>;

/// A policy with all the numbers that BOLT 7 can carry.
pub fn any_policy() -> impl Strategy<Value = ChannelPolicy> {
    let fees = (any::<u32>(), any::<u32>(), any::<i32>(), any::<i32>());
    (fees, any::<[u64; 2]>(), any::<u16>(), any::<bool>()).prop_map(
        |((base, rate, inbound_base_msat, inbound_ppm), [low, high], cltv_delta, disabled)| {
            ChannelPolicy {
                base: Msat::new(u64::from(base)),
                rate: Ppm::new(rate),
                cltv_delta,
                htlc_minimum: Msat::new(low),
                htlc_maximum: Msat::new(high),
                disabled,
                inbound_base_msat,
                inbound_ppm,
            }
        },
    )
}

/// Up to 40 channels between 12 nodes, parallel ones and some from a node to itself among them.
pub fn any_parts() -> impl Strategy<Value = Parts> {
    let policies = [
        proptest::option::of(any_policy()),
        proptest::option::of(any_policy()),
    ];
    let part = (any::<u64>(), 0..12u32, 0..12u32, any::<u64>(), policies);
    vec(part, 0..40).prop_map(|mut parts| {
        parts.sort_by_key(|part| part.0);
        parts.dedup_by_key(|part| part.0);
        parts
    })
}

/// The graph of these parts, and how many channels lead from a node to itself.
pub fn build(parts: &Parts) -> (Graph, usize) {
    build_on(GraphBuilder::new(), parts)
}

/// The same on what a builder holds already.
pub fn build_on(mut builder: GraphBuilder, parts: &Parts) -> (Graph, usize) {
    for (number, a, b, capacity, policies) in parts {
        let ends = [node(*a), node(*b)];
        ends.iter().for_each(|end| builder.add_node(*end));
        builder
            .add_channel(scid(*number), ends, Sat::new(*capacity))
            .unwrap();
        for (end, policy) in ends.iter().zip(policies) {
            let set = policy.map(|policy| builder.set_policy(scid(*number), *end, &policy));
            set.unwrap_or(Ok(())).unwrap();
        }
    }
    let self_loops = builder.self_loops();
    (builder.build(), self_loops)
}
