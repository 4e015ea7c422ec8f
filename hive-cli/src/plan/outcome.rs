//! A finished plan: what is printed, drawn or written as JSON.

use super::options::Request;
use super::picture::{Opened, Scene};
use crate::columns::{grouped, sat_of_msat};
use crate::graph_file::GraphFile;
use crate::graph_file::Source;
use hive_planner::load::Loaded;
use hive_planner::{Destination, FleetPlan, HeldOut, PlannedChannel, PlannerConfig, Work};
use hive_types::{Constraint, Explanation, Msat, NodeId, Ppm, Sat};
use serde::Serialize;

/// Everything about a plan. Field names bear their units.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// The program's version.
    pub(super) version: &'static str,
    pub(super) graph: GraphFacts,
    pub(super) members: Vec<MemberFacts>,
    pub(super) settings: Settings,
    /// In the order of worth.
    pub(super) opens: Vec<Open>,
    /// What the members' channels earn in a day as they are, on the sample that the plan was made from.
    pub(super) revenue_before_msat_per_day: Msat,
    /// The same with every channel of the plan.
    pub(super) revenue_after_msat_per_day: Msat,
    /// Of the sampled payments, the share that the members win then.
    pub(super) share_after_ppm: Ppm,
    /// The plan on payments that it was not made from: the fair figure.
    pub(super) held_out: Option<HeldOut>,
    /// Why there is nothing to open, or less than there could be.
    pub(super) notes: Vec<String>,
    /// What it took; `cut` when a limit ended it early.
    pub(super) work: Work,
    pub(super) wall_seconds: f64,
    pub(super) peak_memory_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct GraphFacts {
    pub(super) sources: Vec<Source>,
    pub(super) nodes: usize,
    pub(super) channels: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct MemberFacts {
    pub(super) node_id: NodeId,
    pub(super) alias: Option<String>,
    pub(super) in_graph: bool,
    /// Public channels that are there.
    pub(super) channels: usize,
    pub(super) capacity_sat: Sat,
}

#[derive(Debug, Serialize)]
pub(super) struct Settings {
    /// Of each member.
    pub(super) constraint: Constraint,
    pub(super) open_cost_sat: Sat,
    /// Whether members may open to one another.
    pub(super) links: bool,
    pub(super) deadline_seconds: Option<u64>,
    pub(super) planner: PlannerConfig,
}

/// One channel to open.
#[derive(Debug, Serialize)]
pub(super) struct Open {
    pub(super) member: NodeId,
    pub(super) target: NodeId,
    pub(super) target_alias: Option<String>,
    /// Whether the target is a member too.
    pub(super) fellow: bool,
    pub(super) capacity_sat: Sat,
    /// What the plan has the member charge outsiders on it.
    pub(super) assumed_base_msat: Msat,
    pub(super) assumed_rate_ppm: Ppm,
    /// What it adds to the members' revenue together.
    pub(super) value_msat_per_day: Msat,
    /// How sure the plan is of it, of one million.
    pub(super) confidence_ppm: Ppm,
    pub(super) explanation: Explanation,
}

impl Open {
    /// `None` for a seat that there is not, which no plan names.
    fn of(request: &Request, loaded: &Loaded, channel: PlannedChannel) -> Option<Self> {
        let seat = |place: usize| request.problem.seats.get(place).map(|seat| seat.id);
        let (target, fellow) = match channel.to {
            Destination::Outside(target) => (target, false),
            Destination::Fellow(place) => (seat(place)?, true),
        };
        Some(Self {
            member: seat(channel.seat)?,
            target,
            target_alias: loaded.aliases.get(&target).cloned(),
            fellow,
            capacity_sat: channel.capacity,
            assumed_base_msat: channel.base,
            assumed_rate_ppm: channel.rate,
            value_msat_per_day: channel.value_per_day,
            confidence_ppm: channel.confidence,
            explanation: channel.explanation,
        })
    }
}

impl GraphFacts {
    pub(super) fn of(loaded: &Loaded, sources: &[Source]) -> Self {
        Self {
            sources: sources.to_vec(),
            nodes: loaded.graph.node_count(),
            channels: loaded.graph.channel_count(),
        }
    }
}

impl MemberFacts {
    pub(super) fn of(loaded: &Loaded, member: NodeId) -> Self {
        let index = loaded.graph.node_index(&member);
        Self {
            node_id: member,
            alias: loaded.aliases.get(&member).cloned(),
            in_graph: index.is_some(),
            channels: index.map_or(0, |node| loaded.graph.degree_of(node)),
            capacity_sat: index.map_or(Sat::ZERO, |node| loaded.graph.capacity_of(node)),
        }
    }
}

impl Outcome {
    /// The plan with what it was made for; times and memory are the caller's.
    pub(super) fn of(request: &Request, file: &GraphFile, plan: FleetPlan) -> Self {
        let seats = request.problem.seats.iter();
        let open = |channel| Open::of(request, &file.loaded, channel);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            graph: GraphFacts::of(&file.loaded, &file.sources),
            members: seats
                .map(|seat| MemberFacts::of(&file.loaded, seat.id))
                .collect(),
            settings: Settings {
                constraint: request.constraint,
                open_cost_sat: request.problem.open_cost,
                links: request.problem.links,
                deadline_seconds: request.deadline.map(|deadline| deadline.as_secs()),
                planner: request.config,
            },
            opens: plan.channels.into_iter().filter_map(open).collect(),
            revenue_before_msat_per_day: plan.revenue_before,
            revenue_after_msat_per_day: plan.revenue_after,
            share_after_ppm: plan.share_after,
            held_out: plan.held_out,
            notes: plan.notes.iter().map(ToString::to_string).collect(),
            work: plan.work,
            wall_seconds: 0.0,
            peak_memory_bytes: None,
        }
    }

    /// What to draw.
    pub(super) fn scene<'a>(&self, loaded: &'a Loaded) -> Scene<'a> {
        let members: Vec<NodeId> = self.members.iter().map(|member| member.node_id).collect();
        let opened = |open: &Open| {
            let member = members.iter().position(|member| *member == open.member);
            member.map(|member| Opened {
                member,
                target: open.target,
                capacity: open.capacity_sat,
                note: format!(
                    "open {} sat to {}: worth {} sat a day",
                    grouped(open.capacity_sat.get()),
                    open.target_alias
                        .clone()
                        .unwrap_or_else(|| open.target.short()),
                    sat_of_msat(open.value_msat_per_day.get())
                ),
            })
        };
        Scene {
            graph: &loaded.graph,
            aliases: &loaded.aliases,
            opens: self.opens.iter().filter_map(opened).collect(),
            members: members.clone(),
            subtitle: self.subtitle(),
        }
    }

    fn subtitle(&self) -> String {
        let capital: u64 = self.opens.iter().map(|open| open.capacity_sat.get()).sum();
        format!(
            "{} sat in all, in a network of {} nodes and {} channels",
            grouped(capital),
            grouped(self.graph.nodes as u64),
            grouped(self.graph.channels as u64)
        )
    }
}
