//! What a plan says.

use super::{PlanNote, Work};
use hive_types::{Explanation, Msat, NodeId, Ppm, Sat};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Channels for every seat of a [`Problem`](super::Problem), and what they are expected to bring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetPlan {
    /// What to open, in the order of worth: each adds most to those before it.
    pub channels: Vec<PlannedChannel>,
    /// Targets at the share cap; goes into the next [`Problem`](super::Problem).
    pub capped: BTreeSet<NodeId>,
    /// What the seats' channels earn in a day as they are, those that are coming counted as there.
    pub revenue_before: Msat,
    /// What they earn with the planned ones. Both come from the sample that the plan was made from,
    /// and so hope for too much; `held_out` is the fair figure.
    pub revenue_after: Msat,
    /// Of the sampled payments, the share that the seats win with the planned channels.
    pub share_after: Ppm,
    /// The plan scored on payments that it was not made from; `None` when the settings leave it out.
    pub held_out: Option<HeldOut>,
    /// What the plan took.
    pub work: Work,
    /// Why there is less to open than there could be, and what was assumed instead of asked for.
    pub notes: Vec<PlanNote>,
}

/// The other end of a planned channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// A node outside.
    Outside(NodeId),
    /// Another seat, by its place in the problem.
    Fellow(usize),
}

/// A channel that a plan would have somebody open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChannel {
    /// Who opens it, by its place in the problem.
    pub seat: usize,
    /// To whom.
    pub to: Destination,
    /// How large.
    pub capacity: Sat,
    /// The base fee that the plan assumes on it towards the outside.
    pub base: Msat,
    /// The rate that it assumes there. Between seats both are zero.
    pub rate: Ppm,
    /// What the whole fleet earns more in a day because of it.
    pub value_per_day: Msat,
    /// How sure the plan is of it, of one million.
    pub confidence: Ppm,
    /// Why, in words and numbers.
    pub explanation: Explanation,
}

/// How a plan fares on payments that it was not made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Payments that can pass the network at all.
    pub payments: u32,
    /// Of them, the share that the seats win with the planned channels.
    pub share: Ppm,
    /// Lower end of the share's 95 % confidence interval.
    pub share_low: Ppm,
    /// Upper end.
    pub share_high: Ppm,
    /// What the seats earn in a day.
    pub revenue: Msat,
    /// Lower end of the revenue's 95 % confidence interval.
    pub revenue_low: Msat,
    /// Upper end.
    pub revenue_high: Msat,
}
