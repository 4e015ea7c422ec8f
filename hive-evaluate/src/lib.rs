//! What coordination is worth, measured: arms of equal capital on one graph, scored on demand that none
//! of them has seen.
//!
//! Pure: no clock, no files. Chance comes from seeds, so one seed gives one result, whatever the number
//! of threads.
//!
//! No arm has more capital or on-chain opens than another, which is checked. Held-out payments are drawn
//! apart from every sample that a plan was made from.
//! All arms of a seed see the same payments and the same balances, so they are compared pair by pair.
//!
//! | room | what is in it |
//! |---|---|
//! | `arms` | how each arm chooses its channels |
//! | `placement` | an arm put into the graph |
//! | `score`, `failure`, `reach` | what it wins on the network as it is, and when nodes go |
//! | `dynamics` | what it wins when balances move: depletion, retries, rebalancing |
//! | `trial`, `gather`, `statistics` | seeds, estimates, paired ratios with their intervals |
//!
//! ```
//! use hive_evaluate::{Arm, Metric, NetworkView, Settings, run};
//! use hive_planner::PlannerConfig;
//! use hive_planner::graph::GraphBuilder;
//! use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
//! use std::collections::{BTreeMap, BTreeSet};
//!
//! // A ring of twelve dear nodes: any two channels across it shorten ways.
//! let id = |n: u64| format!("02{n:064x}").parse::<NodeId>();
//! let policy = ChannelPolicy {
//!     base: Msat::new(1_000),
//!     rate: Ppm::new(500),
//!     cltv_delta: 40,
//!     htlc_minimum: Msat::new(1),
//!     htlc_maximum: Msat::new(50_000_000_000),
//!     disabled: false,
//!     inbound_base_msat: 0,
//!     inbound_ppm: 0,
//! };
//! let mut builder = GraphBuilder::new();
//! (0..12).try_for_each(|n| id(n).map(|id| builder.add_node(id)))?;
//! for n in 0..12 {
//!     let (scid, ends) = (ShortChannelId::from_u64(n), [id(n)?, id((n + 1) % 12)?]);
//!     builder.add_channel(scid, ends, Sat::new(50_000_000))?;
//!     builder.set_policy(scid, ends[0], &policy)?;
//!     builder.set_policy(scid, ends[1], &policy)?;
//! }
//! let graph = builder.build();
//!
//! let settings = Settings {
//!     arms: vec![Arm::Fleet, Arm::Random],
//!     members: 2,
//!     channels: 2,
//!     capital: Sat::new(20_000_000),
//!     held_out: 60,
//!     payees: 12,
//!     planner: PlannerConfig { payments: 40, payees: 12, ..PlannerConfig::default() },
//!     ..Settings::default()
//! };
//! let (merchants, ip16) = (BTreeSet::new(), BTreeMap::new());
//! let network = NetworkView { graph: &graph, merchants: &merchants, ip16: &ip16 };
//! let found = run(network, &settings, &mut ())?;
//! let fleet = &found.cells[0].arms[0];
//! let share = fleet.metric(Metric::PaymentShare).and_then(|share| share.summary.mean);
//! assert!(share.is_some_and(|share| share > 0.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
