//! What coordination is worth, measured: arms of equal capital on one graph, scored on demand that none
//! of them has seen.
//!
//! Pure: no clock, no files. Chance comes from seeds, so one seed gives one result, whatever the number
//! of threads.

mod arm;
mod arms;
mod dynamics;
mod evaluation;
mod failure;
mod gather;
mod method;
mod placement;
mod reach;
mod run;
mod score;
mod settings;
mod statistics;
#[cfg(test)]
mod testing;
mod trial;

pub use arm::{Arm, UnknownArm};
pub use evaluation::{
    ArmResult, Balances, Cell, Constant, Day, DynamicsResult, Estimate, Evaluation, Failure,
    FailureResult, GraphFacts, Metric, OpenedChannel, PairedRatio, PlanFacts, Rebalancing,
    Resources, Scale, Setting, Summary,
};
pub use hive_planner::routes::SenderModel;
pub use hive_planner::{AmountModel, DemandModel};
pub use run::{EvaluateError, NetworkView, Observer, run};
pub use settings::{Dynamics, SMALLEST_CHANNEL, Settings, SettingsError};
