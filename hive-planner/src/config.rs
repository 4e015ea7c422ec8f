//! What an operator or an experiment may set.

mod grid;

pub use grid::{Grid, GridError};

use crate::demand::{AmountModel, Demand, DemandModel};
use crate::routes::SenderModel;
use hive_types::{Msat, Ppm, Sat, limits};
use serde::{Deserialize, Serialize};

/// Settings of the planner. Members that share them and the seed plan alike from equal graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlannerConfig {
    /// Chooses the demand sample. Members use one seed, the fleet's, and so plan alike.
    pub seed: u64,
    /// How payers and payees are drawn.
    pub demand: DemandModel,
    /// How senders choose.
    pub sender: SenderModel,
    /// How much is paid. The network is weighed once for each class of amounts.
    pub amounts: AmountModel,
    /// Payments a day over the whole network, to turn shares of demand into revenue.
    pub payments_per_day: u64,
    /// Payments drawn. With few the plan fits the sample better than the network: on the public network,
    /// 20,000 payments to 1,000 payees promise twice what comes on others, 150,000 to 4,000 hardly more.
    /// Of most no plan can win anything, and they cost next to nothing.
    pub payments: u32,
    /// Payees drawn for them. Each takes one search through the graph.
    pub payees: u32,
    /// Whether the finished plan is scored on a second sample, which takes about as many searches as
    /// the first.
    pub hold_out: bool,
    /// Targets that are looked at, the best connected first.
    pub candidates: u32,
    /// Dijkstra settles about this many nodes at most, of which half are for channels that are there;
    /// then the plan uses what it has. The default takes some seconds.
    pub work_limit: u64,
    /// When the fleet's way is cheaper than the other by this part of that one's cost, it wins one
    /// payment in two. Zero: every sender takes the cheapest way there is, which plans best on what
    /// the experiment measures.
    pub doubt: Ppm,
    /// What the fleet should still earn when it loses any one member. A plan pays for what is missing
    /// with as much of its worth.
    pub kept_without_one: Ppm,
    /// New attempts at parts of the finished plan. Each takes about half as long as the plan; where that
    /// is little, more are made.
    pub kicks: u32,
    /// The base fee that the plan assumes on fleet channels towards the outside.
    pub assumed_base: Msat,
    /// The rate that it begins with there.
    pub assumed_rate: Ppm,
    /// Other rates that it tries for each channel. None: every channel has the assumed rate.
    pub rates: Grid<Ppm>,
    /// The capacities that channels may have. None: even parts of each member's capital, moved between
    /// its channels where that earns more.
    pub sizes: Grid<Sat>,
    /// Of its capacity, what a channel carries one way in a day beyond what comes back, before it is
    /// dry and has to wait for a refill.
    pub turnover: Ppm,
    /// A new channel earns its on-chain cost back within this time or is not proposed.
    pub payback_days: u32,
    /// What the funding may cost above the node's own estimate.
    pub feerate_headroom: Ppm,
    /// The share of a target's public capacity that the fleet holds at most.
    pub share_cap: Ppm,
    /// A capped target is considered again below this share.
    pub share_resume: Ppm,
    /// Whether a target of one fellow is closed to the others. Off: it measured worse.
    pub strictly_unique: bool,
    /// A channel runs low when its spendable share is below this, or when it is dry within three days at
    /// its present drain. No push takes a member's channel below it.
    pub low_water: Ppm,
    /// Pushes fill a channel up to this share, where no drain is known.
    pub refill_to: Ppm,
    /// Smaller pushes are not worth an HTLC.
    pub push_min: Sat,
    /// Larger pushes are cut to this.
    pub push_max: Sat,
    /// The most that a push may cost, of its amount.
    pub push_fee_rate: Ppm,
    /// The most that a push may cost in all.
    pub push_fee_max: Msat,
    /// What a push must gain, of its cost: what the filled channel earns sooner, less what the drained one
    /// earns later. One million: the push pays for itself.
    pub push_return: Ppm,
    /// Forwards by outsiders in a push: 1 is payer, shared peer, fellow, payer.
    pub push_outside_hops: u8,
}

impl Default for PlannerConfig {
    /// Payments: about 213,000 a day of about 45,000 sat were routed in August 2023 (River,
    /// "The Lightning Network grew by 1212 %"), the newest public figure; it leaves out private
    /// traffic. Fees: about the median of the public graph of late 2025.
    fn default() -> Self {
        Self {
            seed: 0,
            demand: DemandModel::default(),
            sender: SenderModel::default(),
            amounts: AmountModel::default(),
            payments_per_day: 213_000,
            payments: 150_000,
            payees: 4_000,
            hold_out: false,
            candidates: 500,
            work_limit: 200_000_000,
            assumed_base: Msat::ZERO,
            assumed_rate: Ppm::new(100),
            rates: Grid::default(),
            sizes: Grid::default(),
            turnover: Ppm::new(250_000),
            doubt: Ppm::ZERO,
            kept_without_one: Ppm::new(800_000),
            kicks: 0,
            payback_days: 180,
            feerate_headroom: Ppm::new(250_000),
            share_cap: limits::SHARE_CAP,
            share_resume: limits::SHARE_RESUME,
            strictly_unique: false,
            low_water: Ppm::new(200_000),
            refill_to: Ppm::new(500_000),
            push_min: Sat::new(10_000),
            push_max: Sat::new(5_000_000),
            push_fee_rate: Ppm::new(500),
            push_fee_max: Msat::new(1_000_000),
            push_return: Ppm::ONE,
            push_outside_hops: 2,
        }
    }
}

impl PlannerConfig {
    /// The demand that plans are made from.
    pub fn demand_sample(&self) -> Demand {
        Demand {
            model: self.demand,
            amounts: self.amounts,
            seed: self.seed,
            payments: self.payments,
            payees: self.payees,
        }
    }
}
