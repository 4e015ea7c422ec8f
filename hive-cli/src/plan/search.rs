//! Asks the planner.

use super::options::Request;
use super::outcome::{GraphFacts, MemberFacts, Open, Outcome, Settings};
use crate::failure::Failure;
use crate::graph_file::GraphFile;
use crate::measure;
use crate::progress::Progress;
use hive_planner::load::Loaded;
use hive_planner::{History, plan_opens};
use hive_types::{
    BlockHeight, FellowView, FleetView, LocalSnapshot, Network, NodeId, OnChain, Sat, Tier,
};
use std::time::Instant;

pub(super) fn search(request: &Request, file: &GraphFile) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let _progress = Progress::new("planning");
    let (fleet, local) = (fleet(request), local(request)?);
    let plan = plan_opens(
        &file.loaded.graph,
        &fleet,
        &local,
        &History::default(),
        &request.config,
    );
    let opens = plan.expected.iter().map(|open| Open {
        member: open.member,
        target: open.target,
        target_alias: alias(&file.loaded, &open.target),
        capacity_sat: open.capacity,
        value_msat_per_day: open.value_per_day,
    });
    Ok(Outcome {
        version: env!("CARGO_PKG_VERSION"),
        graph: GraphFacts::of(&file.loaded, &file.sources),
        members: request
            .members
            .iter()
            .map(|member| MemberFacts::of(&file.loaded, *member))
            .collect(),
        settings: Settings {
            constraint: request.constraint,
            feerate_sat_per_kw: request.feerate,
            planner: request.config,
        },
        opens: opens.collect(),
        revenue_before_msat_per_day: plan.revenue_before,
        revenue_after_msat_per_day: plan.revenue_after,
        cut: plan.work.cut,
        notes: plan.notes.iter().map(ToString::to_string).collect(),
        settled_nodes: plan.work.settled,
        wall_seconds: (started.elapsed().as_secs_f64() * 100.0).round() / 100.0,
        peak_memory_bytes: measure::peak_memory(),
    })
}

fn alias(loaded: &Loaded, node: &NodeId) -> Option<String> {
    loaded.aliases.get(node).cloned()
}

fn fleet(request: &Request) -> FleetView {
    let mut members = request.members.clone();
    members.sort_unstable();
    let fellow = |node_id: NodeId| FellowView {
        node_id,
        tier: Tier::Full,
        fresh: true,
        channels: Vec::new(),
        constraint: request.constraint,
        intents: Vec::new(),
    };
    FleetView {
        me: request.members.first().copied(),
        members: members.into_iter().map(fellow).collect(),
        ..FleetView::default()
    }
}

fn local(request: &Request) -> Result<LocalSnapshot, Failure> {
    let Some(node_id) = request.members.first().copied() else {
        return Err(Failure::Usage("name a --member".into()));
    };
    Ok(LocalSnapshot {
        node_id,
        network: Network::Bitcoin,
        height: BlockHeight::new(0),
        synced: true,
        on_chain: OnChain {
            confirmed: Sat::new(2_100_000_000_000_000),
            ..OnChain::default()
        },
        feerate: request.feerate,
        channels: Vec::new(),
        peers: Vec::new(),
        forwards: Vec::new(),
    })
}
