//! Where to open: the channels that earn the whole fleet most.
//!
//! A sample of payments is drawn; each is weighed by its sender's eyes, once over the network as it
//! is and once over the fleet. What the fleet would win is its revenue. Channels are chosen greedily
//! for all members together, two at once for a member by which nothing passes yet (a first channel
//! alone earns nothing), then replaced and exchanged while that gains. The objective is not
//! submodular, so the result is good but not provably near the best.
//!
//! Overlap with a fellow is allowed: it is worth what it adds. The share cap bounds it.

mod board;
mod budget;
mod check;
mod choose;
mod evidence;
mod explain;
mod fleet;
mod fleet_plan;
mod greedy;
mod improve;
mod lines;
mod member;
mod planner;
mod problem;
mod reach;
mod sample;
mod scene;
mod score;
mod share;
mod weigh;

pub use budget::Work;
pub use check::{OpenObstacle, check_open};
pub use fleet::plan_fleet;
pub use fleet_plan::{Destination, FleetPlan, HeldOut, PlannedChannel};
pub use member::plan_opens;
pub use problem::{Problem, Progress, Seat, UnseenChannel, Watch, unwatched};

use core::fmt;
use hive_types::{Action, BlockHeight, Intent, Msat, NodeId, Proposal, Sat, limits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Nodes that this one has no link with tell nobody where they are: they are left out.
    NoAddress {
        /// How many.
        nodes: u32,
    },
    /// Every target that this member should open to waits for a fellow's open first.
    FellowsFirst,
    /// No node is marked as a merchant, so payees were drawn by capacity.
    NoMerchants,
    /// The work limit, or whoever watched, ended the plan early.
    WorkLimit,
}

impl PlanNote {
    /// Whether it says why there is nothing; others go with any plan.
    fn is_reason(&self) -> bool {
        !matches!(
            self,
            Self::WorkLimit | Self::NoMerchants | Self::NoAddress { .. }
        )
    }
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
            Self::NoAddress { nodes } => write!(
                f,
                "{nodes} nodes are left out, as the node's graph has no address of them; connect to one that you \
                 know the address of to have it planned"
            ),
            Self::FellowsFirst => f.write_str("fellows open to this member's targets first"),
            Self::NoMerchants => f.write_str(
                "no node of the graph is marked as a merchant: payees are drawn by capacity instead",
            ),
            Self::WorkLimit => f.write_str("the plan was ended early"),
        }
    }
}

impl Plan {
    /// What this member announces to fellows of what it proposes: they plan around it until `until`.
    pub fn intents(&self, until: BlockHeight) -> Vec<Intent> {
        let intents = self.proposals.iter().filter_map(|proposal| {
            let Action::Open(open) = &proposal.action else {
                return None;
            };
            Some(Intent {
                target: open.target,
                capacity: open.capacity,
                value_per_day: proposal.value_per_day,
                until,
            })
        });
        intents.take(limits::INTENTS_PER_MEMBER).collect()
    }

    fn nothing(capped: BTreeSet<NodeId>, note: PlanNote) -> Self {
        Self {
            capped,
            notes: vec![note],
            ..Self::default()
        }
    }
}
