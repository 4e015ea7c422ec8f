//! Where to open: the channels that earn the whole fleet most.
//!
//! A sample of payments is drawn; each is weighed by its sender's eyes, once over the network as it
//! is and once over the fleet. What the fleet would win is its revenue. Channels are chosen greedily
//! for all members together, two at once for a member by which nothing passes yet (a first channel
//! alone earns nothing), then exchanged one by one while that gains. The objective is not
//! submodular, so the result is good but not provably near the best.
//!
//! Overlap with a fellow is allowed: it is worth what it adds. The share cap bounds it.

mod board;
mod check;
mod demand;
mod evidence;
mod explain;
mod fleet_plan;
mod greedy;
mod problem;
mod scene;
mod share;
mod weigh;

pub use check::{OpenObstacle, check_open};
pub use fleet_plan::{Destination, FleetPlan, HeldOut, PlannedChannel};
pub use problem::{Problem, Progress, Seat, UnseenChannel, Watch, unwatched};
pub use weigh::Work;

use crate::config::PlannerConfig;
use crate::graph::{Graph, NodeIndex};
use core::fmt;
use greedy::{Candidate, Planner};
use hive_types::{
    BlockHeight, FleetView, Intent, LocalSnapshot, Msat, NodeId, Proposal, Sat, limits,
};
use scene::Scene;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use weigh::Weighing;

/// What earlier plans and opens left behind. The caller keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Targets that were at the share cap, as the last [`Plan`] returned them.
    pub capped: BTreeSet<NodeId>,
    /// Targets that refused an open or closed by force, and the height from which they are asked again.
    pub cooldowns: BTreeMap<NodeId, BlockHeight>,
}

/// What a fellow, or this member, is expected to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedOpen {
    /// Who opens.
    pub member: NodeId,
    /// To whom.
    pub target: NodeId,
    /// How large.
    pub capacity: Sat,
    /// What it adds to the fleet's revenue in a day.
    pub value_per_day: Msat,
}

/// A plan for the whole fleet, of which this member proposes its own part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What this member would open, the most valuable first.
    pub proposals: Vec<Proposal>,
    /// What the plan has every member open, this one included, in the order of choice; empty when this
    /// member can open nothing.
    pub expected: Vec<ExpectedOpen>,
    /// Targets at the share cap; goes into the next plan's [`History`].
    pub capped: BTreeSet<NodeId>,
    /// What the fleet's channels earn in a day as they are, spoken-for ones counted as there.
    pub revenue_before: Msat,
    /// What they earn with every expected open. Both come from the sample that the plan was made
    /// from, so the gain is what the plan hopes for, not a forecast.
    pub revenue_after: Msat,
    /// What the plan took.
    pub work: Work,
    /// Why there is nothing to propose, or less than there could be.
    pub notes: Vec<PlanNote>,
}

/// Why a plan proposes nothing, or less than it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlanNote {
    /// The own node is not among the members.
    NotAMember,
    /// The node has not caught up.
    NotSynced,
    /// The member announced no free channel slots.
    NoSlots,
    /// The member's capital does not make the smallest channel that it would open.
    TooLittleCapital {
        /// Free for channels.
        capital: Sat,
        /// Its smallest channel.
        channel_min: Sat,
    },
    /// The smallest channel is larger than the largest.
    SizesCross {
        /// Its smallest channel.
        channel_min: Sat,
        /// Its largest channel.
        channel_max: Sat,
    },
    /// No payment of the sample can pass the network.
    NoDemand,
    /// No node is left that may be opened to.
    NoCandidates,
    /// No target that is left earns its on-chain cost back in time.
    NothingPays {
        /// What one open costs.
        open_cost: Sat,
        /// The time that it has.
        payback_days: u32,
    },
    /// The work limit ended the plan early.
    WorkLimit,
}

impl fmt::Display for PlanNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMember => f.write_str("this node is not a member of the fleet"),
            Self::NotSynced => f.write_str("the node has not caught up with chain and graph"),
            Self::NoSlots => f.write_str("no channel slots are free; raise them in the constraint"),
            Self::TooLittleCapital {
                capital,
                channel_min,
            } => write!(
                f,
                "{capital} of free capital is less than the smallest channel of {channel_min}"
            ),
            Self::SizesCross {
                channel_min,
                channel_max,
            } => write!(
                f,
                "the smallest channel of {channel_min} is larger than the largest of {channel_max}"
            ),
            Self::NoDemand => f.write_str("no payment can pass the known network"),
            Self::NoCandidates => f.write_str("no node is left that may be opened to"),
            Self::NothingPays {
                open_cost,
                payback_days,
            } => write!(
                f,
                "no target earns the {open_cost} of an open back within {payback_days} days"
            ),
            Self::WorkLimit => f.write_str("the work limit ended the plan early"),
        }
    }
}

/// Plans channels for every seat of the problem.
///
/// Equal arguments give equal plans, bit for bit, on any number of threads, as long as `watch` lets
/// them end. Seats, closed targets and unseen peers need not be in the graph.
pub fn plan_fleet(
    graph: &Graph,
    problem: &Problem,
    config: &PlannerConfig,
    watch: Watch<'_>,
) -> FleetPlan {
    watch(Progress { done: 0, of: 1 });
    let Some((fleet, local)) = as_views(problem) else {
        return FleetPlan::default();
    };
    let history = History {
        capped: problem.capped.clone(),
        cooldowns: BTreeMap::new(),
    };
    let plan = plan_opens(graph, &fleet, &local, &history, config);
    let place = |id: &NodeId| problem.seats.iter().position(|seat| seat.id == *id);
    let channels = plan.expected.iter().map(|open| PlannedChannel {
        seat: place(&open.member).unwrap_or(0),
        to: Destination::Outside(open.target),
        capacity: open.capacity,
        base: config.assumed_base,
        rate: config.assumed_rate,
        value_per_day: open.value_per_day,
        confidence: hive_types::Ppm::ONE,
        explanation: hive_types::Explanation::default(),
    });
    FleetPlan {
        channels: channels.collect(),
        capped: plan.capped,
        revenue_before: plan.revenue_before,
        revenue_after: plan.revenue_after,
        work: plan.work,
        notes: plan.notes,
        ..FleetPlan::default()
    }
}

fn as_views(problem: &Problem) -> Option<(FleetView, LocalSnapshot)> {
    let me = problem.seats.first()?.id;
    let members = problem.seats.iter().map(|seat| hive_types::FellowView {
        node_id: seat.id,
        tier: hive_types::Tier::Full,
        fresh: true,
        channels: Vec::new(),
        constraint: hive_types::Constraint {
            capital: seat.capital,
            slots: seat.slots,
            channel_min: seat.channel_min,
            channel_max: seat.channel_max,
        },
        intents: Vec::new(),
    });
    let mut members: Vec<_> = members.collect();
    members.sort_by_key(|member| member.node_id);
    let fleet = FleetView {
        me: Some(me),
        members,
        banned: problem.closed.iter().copied().collect(),
        ..FleetView::default()
    };
    let local = LocalSnapshot {
        node_id: me,
        network: hive_types::Network::Bitcoin,
        height: BlockHeight::new(0),
        synced: true,
        on_chain: hive_types::OnChain {
            confirmed: Sat::new(u64::MAX / 2),
            ..hive_types::OnChain::default()
        },
        feerate: hive_types::FeeratePerKw::new(253),
        channels: Vec::new(),
        peers: Vec::new(),
        forwards: Vec::new(),
    };
    Some((fleet, local))
}

/// Plans opens for the whole fleet and proposes this member's.
///
/// Equal arguments give equal plans, bit for bit. Members, fellows' peers and locked targets need
/// not be in the graph.
pub fn plan_opens(
    graph: &Graph,
    fleet: &FleetView,
    local: &LocalSnapshot,
    history: &History,
    config: &PlannerConfig,
) -> Plan {
    let Some(scene) = Scene::of(graph, fleet, local) else {
        return Plan::nothing(history.capped.clone(), PlanNote::NotAMember);
    };
    let capped = scene.shares.capped(&history.capped, config);
    if !local.synced {
        return Plan::nothing(capped, PlanNote::NotSynced);
    }
    let mut work = Work::default();
    let weighing = Weighing::new(graph, &scene, config, &mut work);
    let mut board = weighing.board(&scene);
    weighing.attach_all(&scene, &mut board, &mut work);
    let closed = closed_targets(fleet, &scene, history, &capped, local.height);
    // Who can open nothing has nothing to propose, and need not find out what others will.
    let places = match scene.members[scene.me].means.can_open() {
        true => choose(graph, &scene, &closed, config),
        false => Vec::new(),
    };
    let evidence = evidence::factors(fleet);
    let candidates = places.into_iter().map_while(|node| {
        let id = graph.node_id(node);
        Some(Candidate {
            id,
            public: graph.capacity_of(node),
            reach: weighing.reach(node, &mut work)?,
            evidence: evidence.get(&id).copied().unwrap_or(1_000_000),
        })
    });
    let candidates: Vec<Candidate> = candidates.collect();
    work.candidates = candidates.len() as u32;
    let mut planner = Planner {
        graph,
        scene: &scene,
        config,
        weighing: &weighing,
        candidates,
        board,
        means: scene.members.iter().map(|member| member.means).collect(),
        planned: Vec::new(),
    };
    let revenue_before = planner.revenue();
    planner.run(&mut work);
    Plan {
        revenue_before,
        ..planner.report(local, capped, work)
    }
}

impl Plan {
    /// What this member announces to fellows of its own part: they plan around it until `until`.
    pub fn intents(&self, me: &NodeId, until: BlockHeight) -> Vec<Intent> {
        let own = self.expected.iter().filter(|open| open.member == *me);
        own.map(|open| Intent {
            target: open.target,
            capacity: open.capacity,
            value_per_day: open.value_per_day,
            until,
        })
        .take(limits::INTENTS_PER_MEMBER)
        .collect()
    }

    fn nothing(capped: BTreeSet<NodeId>, note: PlanNote) -> Self {
        Self {
            capped,
            notes: vec![note],
            ..Self::default()
        }
    }
}

/// Nodes that nobody of the fleet opens to now.
fn closed_targets(
    fleet: &FleetView,
    scene: &Scene,
    history: &History,
    capped: &BTreeSet<NodeId>,
    height: BlockHeight,
) -> BTreeSet<NodeId> {
    let waiting = history.cooldowns.iter();
    let waiting = waiting.filter(|(_, until)| **until > height);
    let members = scene.members.iter().map(|member| member.id);
    members
        .chain(waiting.map(|(target, _)| *target))
        .chain(fleet.banned.iter().copied())
        .chain(scene.spoken_for.iter().copied())
        .chain(capped.iter().copied())
        .collect()
}

/// The nodes that are worth weighing, by the sum of their ranks in capacity and in channels. A node
/// that the smallest welcome channel would lift over the share cap is not among them.
fn choose(
    graph: &Graph,
    scene: &Scene,
    closed: &BTreeSet<NodeId>,
    config: &PlannerConfig,
) -> Vec<NodeIndex> {
    let smallest = scene.members.iter().map(|member| member.means.channel_min);
    let smallest = smallest.min().unwrap_or(u64::MAX);
    let unique =
        |id: &NodeId| config.strictly_unique && scene.paired.iter().any(|(_, peer)| peer == id);
    let open = graph.nodes().filter(|(node, id)| {
        let public = graph.capacity_of(*node);
        let room = share::room(public, scene.holdings(id), config.share_cap);
        let forwards = graph.channels_of(*node).any(|edge| edge.usable().is_some());
        room.get() >= smallest && forwards && !closed.contains(id) && !unique(id)
    });
    let open: Vec<NodeIndex> = open.map(|(node, _)| node).collect();
    let mut ranks: BTreeMap<NodeIndex, usize> = BTreeMap::new();
    let by_capacity = |node: &NodeIndex| graph.capacity_of(*node).get();
    let by_degree = |node: &NodeIndex| graph.degree_of(*node) as u64;
    let measures: [&dyn Fn(&NodeIndex) -> u64; 2] = [&by_capacity, &by_degree];
    for measure in measures {
        let mut order = open.clone();
        order.sort_by_cached_key(|node| (core::cmp::Reverse(measure(node)), *node));
        for (rank, node) in order.into_iter().enumerate() {
            *ranks.entry(node).or_default() += rank;
        }
    }
    let mut order: Vec<(usize, NodeIndex)> = ranks.into_iter().map(|(node, r)| (r, node)).collect();
    order.sort_unstable();
    order.truncate(config.candidates as usize);
    order.into_iter().map(|(_, node)| node).collect()
}
