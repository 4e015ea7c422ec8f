//! What a reader must know to judge the figures, and to make them again.

use crate::dynamics::{BIMODAL_SCALE_MSAT, HALF_LIFE_SECONDS, REFILLS_A_DAY, RESERVE_PART};
use crate::placement::{ARM_CLTV_DELTA, REFERENCE_AMOUNT};
use crate::{Arm, Constant, GraphFacts, NetworkView, Settings};
use hive_planner::graph::{Edge, Graph};
use std::collections::BTreeSet;

/// Every number that the method chose and no setting changes.
pub(crate) fn constants() -> Vec<Constant> {
    let constant = |name, value, unit, reason| Constant {
        name,
        value,
        unit,
        reason,
    };
    vec![
        constant(
            "timelock of the arms' channels",
            f64::from(ARM_CLTV_DELTA),
            "blocks",
            "LND's default, and the most common one in the public graph",
        ),
        constant(
            "payment by which a peer's usual charge is found",
            REFERENCE_AMOUNT.get() as f64 / 1_000.0,
            "sat",
            "a peer charges a new channel what is the middle one of its charges for this payment",
        ),
        constant(
            "channel reserve",
            1.0 / RESERVE_PART as f64,
            "share of capacity",
            "BOLT 2; LND and CLN keep one percent on each side",
        ),
        constant(
            "scale of bimodal balances",
            BIMODAL_SCALE_MSAT / 1_000.0,
            "sat",
            "LND's default in its bimodal estimator",
        ),
        constant(
            "half-life of other channels' balances",
            f64::from(HALF_LIFE_SECONDS) / 3_600.0,
            "hours",
            "traffic that is not simulated and their owners move them back; assumed",
        ),
        constant(
            "refills a day",
            f64::from(REFILLS_A_DAY),
            "times",
            "members look at their channels this often; assumed",
        ),
        constant(
            "balances of the arms' channels at the start",
            0.5,
            "share of capacity",
            "even, the same for all arms: what an operator arrives at who sells or swaps out half of a \
             fresh channel; its cost is left out for all arms alike",
        ),
    ]
}

/// What holds for the whole run.
pub(crate) fn notes(settings: &Settings) -> Vec<String> {
    let mut notes = vec![
        "All nodes of all arms are new, and every peer accepts. Peers charge a new channel what they \
         usually charge. Other operators do not react."
            .into(),
        "Demand is assumed: nobody publishes who pays whom. Held-out payments come from the same \
         assumption by a stream of their own. Pairs of payer and payee that a plan has seen may come \
         again, as they would; the share of pairs that no plan has seen stands beside, and is lower for \
         every arm where few pairs make most payments."
            .into(),
        "Ties between equally cheap ways go to fewer hops; beyond that the search decides, by rules that \
         know nothing of arms."
            .into(),
        "The static part has no depletion: it is what is offered to the arm, not what it can carry. Its \
         net revenue takes off opens, not rebalancing."
            .into(),
        format!(
            "Intervals are of 95 %, by Student's t over {} seeds; those of ratios are paired by seed and \
             taken on logarithms.",
            settings.seeds
        ),
    ];
    if settings.arms.contains(&Arm::Whale) {
        notes.push(
            "The whale opens at most one channel to a target, as the planner plans for every node. Where \
             channels run dry, a whale with parallel channels to the busiest targets would do better."
                .into(),
        );
    }
    if !settings.planner.rates.values().is_empty() || !settings.planner.sizes.values().is_empty() {
        notes.push(
            "Arms that plan chose fees or sizes from a grid; the others have one fee and even sizes.".into(),
        );
    }
    if let Some(dynamics) = &settings.dynamics {
        notes.push(format!(
            "The dynamic part has {} payments a day, not the {} to which the static part scales its \
             revenue: revenue there is per simulated day, and channels drain less than under more traffic.",
            dynamics.payments_per_day, settings.payments_per_day
        ));
    }
    notes
}

/// Which graph it was.
pub(crate) fn facts_of(network: NetworkView<'_>) -> GraphFacts {
    let graph = network.graph;
    let edges: Vec<Edge> = graph.edges().collect();
    let both = edges
        .chunks_exact(2)
        .filter(|ends| ends.iter().all(|edge| edge.usable().is_some()));
    let usable: Vec<&Edge> = both.filter_map(<[Edge]>::first).collect();
    let nodes: BTreeSet<_> = usable
        .iter()
        .flat_map(|edge| [edge.from, edge.to])
        .collect();
    GraphFacts {
        nodes: graph.node_count() as u64,
        usable_nodes: nodes.len() as u64,
        channels: graph.channel_count() as u64,
        usable_channels: usable.len() as u64,
        capacity_sat: graph.channels().map(|channel| channel.capacity.get()).sum(),
        merchants: network.merchants.len() as u64,
        nodes_with_ip16: network.ip16.len() as u64,
        checksum: format!("{:016x}", checksum(graph, &edges)),
    }
}

/// 64-bit FNV-1a (Fowler, Noll, Vo) over nodes and edges in their order.
fn checksum(graph: &Graph, edges: &[Edge]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    };
    graph.nodes().for_each(|(_, id)| add(id.as_bytes()));
    for edge in edges {
        add(&edge.scid.to_u64().to_le_bytes());
        add(&edge.capacity.get().to_le_bytes());
        add(&(edge.from.get() as u64).to_le_bytes());
        if let Some(policy) = edge.policy {
            add(&policy.base.get().to_le_bytes());
            add(&policy.rate.get().to_le_bytes());
            add(&policy.cltv_delta.to_le_bytes());
            add(&policy.htlc_minimum.get().to_le_bytes());
            add(&policy.htlc_maximum.get().to_le_bytes());
            add(&[u8::from(policy.disabled)]);
            add(&policy.inbound_base_msat.to_le_bytes());
            add(&policy.inbound_ppm.to_le_bytes());
        }
    }
    sum
}
