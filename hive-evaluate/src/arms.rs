//! How each arm chooses its channels.

mod baseline;
mod planned;

pub(crate) use baseline::Scores;

use crate::placement::{Placement, fresh_ids};
use crate::{Arm, EvaluateError, NetworkView, Settings};
use hive_planner::demand::Payment;
use hive_planner::routes::SenderModel;
use hive_planner::{AmountModel, DemandModel};
use hive_types::NodeId;

/// What an arm may know when it chooses: never the held-out payments.
#[derive(Clone, Copy)]
pub(crate) struct Brief<'a> {
    pub(crate) network: NetworkView<'a>,
    pub(crate) settings: &'a Settings,
    pub(crate) sender: SenderModel,
    pub(crate) demand: DemandModel,
    pub(crate) amounts: AmountModel,
    pub(crate) seed: u64,
}

/// What an arm opened, and the payments that it planned on: no arm may be scored on those.
pub(crate) struct Placed {
    pub(crate) placement: Placement,
    pub(crate) samples: Vec<Vec<Payment>>,
}

/// Lets one arm choose.
pub(crate) fn place(brief: &Brief<'_>, arm: Arm, scores: &Scores) -> Result<Placed, EvaluateError> {
    let baseline = scores.place(arm, brief.network.graph, brief.settings, brief.seed);
    if let Some(placement) = baseline {
        let samples = Vec::new();
        return Ok(Placed { placement, samples });
    }
    let members = brief.settings.members as usize;
    let ids: Vec<NodeId> = fresh_ids(brief.network.graph).take(members).collect();
    planned::place(brief, arm, &ids).map_err(|error| EvaluateError::NoDemand {
        demand: brief.demand.to_string(),
        why: error.to_string(),
    })
}
