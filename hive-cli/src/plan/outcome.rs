//! A finished plan: what is printed, drawn or written as JSON.

use super::picture::{Opened, Scene};
use crate::columns::{grouped, sat_of_msat};
use crate::graph_file::Source;
use hive_planner::PlannerConfig;
use hive_planner::load::Loaded;
use hive_types::{Constraint, FeeratePerKw, Msat, NodeId, Sat};
use serde::Serialize;

/// Everything about a plan. Field names bear their units.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// The program's version.
    pub(super) version: &'static str,
    pub(super) graph: GraphFacts,
    pub(super) members: Vec<MemberFacts>,
    pub(super) settings: Settings,
    /// In the order of choice.
    pub(super) opens: Vec<Open>,
    /// What the members' channels earn in a day as they are, on the sample that the plan was made from.
    pub(super) revenue_before_msat_per_day: Msat,
    /// The same with every channel of the plan.
    pub(super) revenue_after_msat_per_day: Msat,
    /// Whether a limit ended the plan before it was done.
    pub(super) cut: bool,
    /// Why there is nothing to open, or less than there could be.
    pub(super) notes: Vec<String>,
    /// Nodes that searches settled: the planner's unit of work.
    pub(super) settled_nodes: u64,
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
    pub(super) feerate_sat_per_kw: FeeratePerKw,
    pub(super) planner: PlannerConfig,
}

/// One channel to open.
#[derive(Debug, Serialize)]
pub(super) struct Open {
    pub(super) member: NodeId,
    pub(super) target: NodeId,
    pub(super) target_alias: Option<String>,
    pub(super) capacity_sat: Sat,
    /// What it adds to the members' revenue together.
    pub(super) value_msat_per_day: Msat,
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
