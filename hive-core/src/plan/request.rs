//! A plan to be made, and the plan that came of it: what leaves the machine and what comes back.
//!
//! A plan over the whole network takes seconds, and the machine never blocks. So it hands out
//! everything that a plan is made from, as plain data, and goes on.

use hive_planner::graph::Graph;
use hive_planner::{History, PlannerConfig, plan_opens, plan_pushes};
use hive_types::{FleetView, LocalSnapshot, NodeId, Proposal};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Matches a plan to its request; unique within a run of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanId(pub(crate) u64);

/// Everything that a plan is made from, as it was when the machine asked for it.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    pub(crate) id: PlanId,
    pub(crate) graph: Arc<Graph>,
    pub(crate) fleet: FleetView,
    pub(crate) local: LocalSnapshot,
    pub(crate) history: History,
    pub(crate) planner: PlannerConfig,
}

impl PlanRequest {
    /// Which plan it is.
    pub const fn id(&self) -> PlanId {
        self.id
    }

    /// Makes the plan: a pure function of the request, of some seconds on the main network's graph.
    /// It may run anywhere; the answer goes in by [`crate::Input::Planned`].
    pub fn perform(&self) -> Planned {
        let (graph, fleet, local) = (&self.graph, &self.fleet, &self.local);
        // Pushes first: they are cheap, and a dry channel loses more than a missing one.
        let mut proposals = plan_pushes(graph, fleet, local, &self.planner);
        let plan = plan_opens(graph, fleet, local, &self.history, &self.planner);
        proposals.extend(plan.proposals);
        let made = Made {
            proposals,
            capped: plan.capped,
            notes: plan.notes.iter().map(ToString::to_string).collect(),
        };
        Planned {
            id: self.id,
            outcome: Ok(made),
        }
    }
}

/// A plan that was made, or why none was.
#[derive(Clone, Debug)]
pub struct Planned {
    pub(super) id: PlanId,
    pub(super) outcome: Result<Made, String>,
}

#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) proposals: Vec<Proposal>,
    pub(super) capped: BTreeSet<NodeId>,
    /// Why there is not more.
    pub(super) notes: Vec<String>,
}

impl Planned {
    /// No plan came of a request, because whatever should have made it broke down. The machine says
    /// so and plans again in its next round.
    pub fn failed(id: PlanId, reason: impl Into<String>) -> Self {
        Self {
            id,
            outcome: Err(reason.into()),
        }
    }
}
