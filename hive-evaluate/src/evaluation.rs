//! What the experiment found, for tables, plots and JSON.
//!
//! Values are `f64` in the unit that [`Metric::unit`] names; intervals are of 95 %, over seeds.

use crate::{Arm, Settings};
use serde::Serialize;

/// Everything that one run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The graph that it ran on.
    pub graph: GraphFacts,
    /// What was asked for.
    pub settings: Settings,
    /// Every number that the method chose, so that another can repeat it.
    pub constants: Vec<Constant>,
    /// One for each sender, demand and amount, in that order of nesting.
    pub cells: Vec<Cell>,
    /// What a reader must know about the whole run.
    pub notes: Vec<String>,
    /// What the run took, as far as the observer had a clock.
    pub resources: Resources,
}

/// The graph, so that a reader can tell which it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GraphFacts {
    /// Nodes.
    pub nodes: u64,
    /// Nodes with a channel that is usable in both directions.
    pub usable_nodes: u64,
    /// Channels.
    pub channels: u64,
    /// Channels usable in both directions.
    pub usable_channels: u64,
    /// All channels together, in sat.
    pub capacity_sat: u64,
    /// Nodes marked as merchants.
    pub merchants: u64,
    /// Nodes with a known IPv4 prefix.
    pub nodes_with_ip16: u64,
    /// A checksum (64-bit FNV-1a) of nodes, channels and policies as 16 hex digits.
    pub checksum: String,
}

/// A number that the method chose.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Constant {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// The value's unit.
    pub unit: &'static str,
    /// What it does, and why it is what it is.
    pub reason: &'static str,
}

/// One sender, demand and amount: all arms side by side on the same payments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// How senders choose: `lnd`, `ldk`, `feeonly`.
    pub sender: String,
    /// How payers and payees are drawn: `uniform`, `capacity`, `merchant`.
    pub demand: String,
    /// How much is paid: `60000sat`, `lognormal`, `mixed`.
    pub amount: String,
    /// The seeds, in the order of every `per_seed` below.
    pub seeds: Vec<u64>,
    /// One for each arm, in the order of the settings.
    pub arms: Vec<ArmResult>,
    /// Arms against each other, seed by seed.
    pub ratios: Vec<PairedRatio>,
    /// What a reader must know about this cell.
    pub notes: Vec<String>,
}

/// One arm in one cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmResult {
    /// Which.
    pub arm: Arm,
    /// What it opened, one for each seed.
    pub plans: Vec<PlanFacts>,
    /// On the network as it is, without depletion.
    pub metrics: Vec<Estimate>,
    /// What is left when nodes fail.
    pub failures: Vec<FailureResult>,
    /// With balances that move; empty unless asked for.
    pub dynamics: Vec<DynamicsResult>,
}

impl ArmResult {
    /// The static estimate of a metric; `None` when this arm has none.
    pub fn metric(&self, metric: Metric) -> Option<&Estimate> {
        self.metrics
            .iter()
            .find(|estimate| estimate.metric == metric)
    }
}

/// What one arm opened under one seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanFacts {
    /// Channels opened, those between members included.
    pub opens: u32,
    /// Of those, channels between members.
    pub links: u32,
    /// Money in them, in sat.
    pub capital_sat: u64,
    /// Different outside targets.
    pub targets: u32,
    /// Outside targets that more than one member opened to.
    pub shared_targets: u32,
    /// Nodes that planning settled (the planner's unit of work); zero for arms that do not plan.
    pub settled: u64,
    /// Wall time of planning in milliseconds, where the observer has a clock.
    pub millis: Option<u64>,
    /// The most memory that the process had held by the end of planning, in bytes, where the observer
    /// knows.
    pub peak_bytes: Option<u64>,
    /// The channels, for pictures and for checking.
    pub channels: Vec<OpenedChannel>,
    /// What the planner had to say.
    pub notes: Vec<String>,
}

/// One channel of an arm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenedChannel {
    /// Which member opened it, from zero.
    pub member: u32,
    /// The target's node id, or `member 3`.
    pub to: String,
    /// Its capacity in sat.
    pub capacity_sat: u64,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Of all held-out payments, those that the arm forwards.
    PaymentShare,
    /// Of all held-out volume, the part that the arm forwards.
    VolumeShare,
    /// What forwarding earns, in sat a day.
    Revenue,
    /// Revenue less on-chain opens spread over their life, and less rebalancing fees.
    NetRevenue,
    /// What the opens cost, spread over their life, in sat a day.
    OpenCost,
    /// What rebalancing cost, in sat a day.
    RebalanceCost,
    /// What rebalancing moved, in sat a day.
    RebalanceVolume,
    /// Of all moves, those that a channel between others could not carry.
    RebalanceFailures,
    /// The payments that the arm forwards or tries to, those that arrive. In the static part: the
    /// chance of the first attempt under balances that are equally likely anywhere.
    SuccessRate,
    /// The same of all payments.
    SuccessRateOfAll,
    /// Payments for which there is any way at all.
    Reachable,
    /// Of the network's usable nodes, those within two hops of a member.
    WithinTwoHops,
    /// The same of one member, on average.
    WithinTwoHopsOfOne,
    /// The member that earns most, as a part of all that the arm earns.
    LargestMember,
    /// Herfindahl index of members' revenue: one over the number of equal members, up to 1.
    Herfindahl,
    /// Payment share on those held-out payments whose payer and payee no plan of any arm has seen
    /// together. Under demand by capacity it leaves out the busiest pairs, and so is another demand.
    UnseenShare,
    /// Payment share on the demand that the plan was made from; only for planned arms.
    InSampleShare,
    /// In-sample share over held-out share: how much the plan flatters itself.
    Optimism,
}

impl Metric {
    /// The unit of its values.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Revenue
            | Self::NetRevenue
            | Self::OpenCost
            | Self::RebalanceCost
            | Self::RebalanceVolume => "sat/day",
            Self::Optimism => "ratio",
            _ => "share",
        }
    }

    /// The heading of its column.
    pub const fn title(self) -> &'static str {
        match self {
            Self::PaymentShare => "share of payments",
            Self::VolumeShare => "share of volume",
            Self::Revenue => "revenue",
            Self::NetRevenue => "net revenue",
            Self::OpenCost => "cost of opens",
            Self::RebalanceCost => "cost of rebalancing",
            Self::RebalanceVolume => "moved by rebalancing",
            Self::RebalanceFailures => "failed moves",
            Self::SuccessRate => "success of its payments",
            Self::SuccessRateOfAll => "success of all payments",
            Self::Reachable => "payments with any way",
            Self::WithinTwoHops => "nodes within two hops",
            Self::WithinTwoHopsOfOne => "nodes within two hops of one member",
            Self::LargestMember => "largest member's part",
            Self::Herfindahl => "concentration (Herfindahl)",
            Self::UnseenShare => "share of pairs no plan has seen",
            Self::InSampleShare => "share on its own sample",
            Self::Optimism => "own sample ÷ held out",
        }
    }
}

/// A metric over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// What.
    pub metric: Metric,
    /// One value for each seed; `None` where it is not defined (a part of nothing, say).
    pub per_seed: Vec<Option<f64>>,
    /// Mean and interval of those that are defined.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A mean and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Values that it is over.
    pub n: u32,
    /// The mean; `None` of nothing.
    pub mean: Option<f64>,
    /// Lower end of the 95 % interval; `None` under two values.
    pub low: Option<f64>,
    /// Upper end of the 95 % interval; `None` under two values.
    pub high: Option<f64>,
}

/// One arm over another on the same seeds and the same payments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedRatio {
    /// Above.
    pub numerator: Arm,
    /// Below.
    pub denominator: Arm,
    /// Of what.
    pub metric: Metric,
    /// Static, or which dynamics.
    pub setting: Setting,
    /// One for each seed; `None` where the denominator is not above zero.
    pub per_seed: Vec<Option<f64>>,
    /// Seeds without a ratio.
    pub undefined: u32,
    /// Geometric mean with an interval from the logarithms, or, where a ratio is zero or negative, the
    /// arithmetic one.
    #[serde(flatten)]
    pub summary: Summary,
    /// Which of the two.
    pub scale: Scale,
}

/// How a ratio's mean was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Geometric.
    Geometric,
    /// Arithmetic.
    Arithmetic,
}

/// Whether balances move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Setting {
    /// They do not: every payment takes its cheapest way.
    Static,
    /// They do.
    Dynamic {
        /// How hidden balances begin.
        balances: Balances,
        /// Who refills in the arm above; the one below refills alone where it has nobody to join.
        rebalancing: Rebalancing,
    },
}

/// What fails.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// One member, on average over members.
    MeanMember,
    /// The member whose loss costs most.
    WorstMember,
    /// The outside node with the largest public capacity, the same for all arms.
    LargestNode,
    /// The outside target with the largest public capacity among the arm's own.
    LargestTarget,
    /// Every outside node in the IPv4 /16 that holds most public capacity, the same for all arms.
    Subnet16,
}

impl Failure {
    /// The heading of its row.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::MeanMember => "one member (mean)",
            Self::WorstMember => "one member (worst)",
            Self::LargestNode => "the network's largest node",
            Self::LargestTarget => "the arm's largest target",
            Self::Subnet16 => "the /16 with most capacity",
        }
    }
}

/// What an arm keeps when something fails: after over before, on the same payments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailureResult {
    /// What fails.
    pub failure: Failure,
    /// Which node or prefix, where it is the same in all seeds.
    pub what: Option<String>,
    /// Nodes that went.
    pub nodes: u32,
    /// Payment share kept, one for each seed.
    pub payments_kept_per_seed: Vec<Option<f64>>,
    /// Payment share kept.
    pub payments_kept: Summary,
    /// Revenue kept, one for each seed.
    pub revenue_kept_per_seed: Vec<Option<f64>>,
    /// Revenue kept.
    pub revenue_kept: Summary,
}

/// How hidden balances begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balances {
    /// Equally likely anywhere within the capacity.
    Uniform,
    /// Mostly on one side or the other, as LND's bimodal estimator has it.
    Bimodal,
}

/// Who refills the arm's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rebalancing {
    /// Nobody.
    Off,
    /// Each member by circles of its own.
    Local,
    /// Members together, with the same budget in all.
    Fleet,
}

/// One arm with balances that move.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DynamicsResult {
    /// How hidden balances begin.
    pub balances: Balances,
    /// Who refills.
    pub rebalancing: Rebalancing,
    /// Over all simulated days.
    pub metrics: Vec<Estimate>,
    /// Day by day, the mean over seeds.
    pub days: Vec<Day>,
}

/// One simulated day, the mean over seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Day {
    /// Revenue of the day in sat.
    pub revenue_sat: f64,
    /// Rebalancing fees of the day in sat.
    pub rebalance_sat: f64,
    /// Of the day's payments, those that the arm forwarded.
    pub payment_share: f64,
    /// Of the day's payments, those that arrived.
    pub success_rate_of_all: f64,
    /// Of the arm's channels at the end of the day, those with under a tenth of capacity on one side.
    pub depleted: f64,
}

/// What the run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Resources {
    /// Wall time in milliseconds.
    pub millis: Option<u64>,
    /// Peak resident memory in bytes.
    pub peak_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u32>,
}
