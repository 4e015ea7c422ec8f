//! What an experiment is asked to do.

use crate::Arm;
use hive_planner::routes::SenderModel;
use hive_planner::{AmountModel, DemandModel, PlannerConfig};
use hive_types::{Msat, Ppm, Sat};
use serde::Serialize;
use thiserror::Error;

/// What to run. [`Settings::default`] is the headline experiment at the size of a quick run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// The arms, in the order of tables.
    pub arms: Vec<Arm>,
    /// How senders choose.
    pub senders: Vec<SenderModel>,
    /// How payers and payees are drawn.
    pub demands: Vec<DemandModel>,
    /// How much is paid.
    pub amounts: Vec<AmountModel>,
    /// Independent repetitions: another planning sample, another held-out sample, other draws of the
    /// arms that draw. At least two, or there are no intervals.
    pub seeds: u32,
    /// The first seed; the others follow.
    pub first_seed: u64,
    /// Members of a fleet; the whale has all their capital and channels.
    pub members: u32,
    /// On-chain opens of each member, those to fellows included.
    pub channels: u32,
    /// Capital of each member, divided evenly over its channels.
    pub capital: Sat,
    /// The base fee that every arm's nodes charge towards the outside.
    pub fee_base: Msat,
    /// The rate that every arm's nodes charge towards the outside.
    pub fee_rate: Ppm,
    /// Held-out payments in each seed.
    pub held_out: u32,
    /// Payees among them. Each takes a search for every arm and seed.
    pub payees: u32,
    /// Payments a day over the whole network, to turn shares into revenue.
    pub payments_per_day: u64,
    /// On-chain cost of one open.
    pub open_cost: Sat,
    /// Days over which an open's cost is spread.
    pub open_life_days: u32,
    /// Whether to fail nodes.
    pub failures: bool,
    /// Whether balances move, and how; `None` leaves the dynamic part out.
    pub dynamics: Option<Dynamics>,
    /// The planner's other settings (sample sizes, candidates, work limit). What the fields above say,
    /// the seed, the sender, the demand and the amount are put in by the experiment.
    pub planner: PlannerConfig,
}

impl Default for Settings {
    /// Five members with eight channels of ten million sat each. An open at 5 sat/vB takes about
    /// 1,000 sat with its close; channels live about a year. Plans are made from more payments than a
    /// member would take the time for: with few, every arm's plan fits its sample better than the
    /// network, and arms with more freedom suffer more.
    fn default() -> Self {
        Self {
            arms: Arm::ALL.to_vec(),
            senders: vec![SenderModel::Lnd],
            demands: vec![DemandModel::Capacity],
            amounts: vec![AmountModel::Fixed(Msat::new(60_000_000))],
            seeds: 3,
            first_seed: 1,
            members: 5,
            channels: 8,
            capital: Sat::new(80_000_000),
            fee_base: Msat::ZERO,
            fee_rate: Ppm::new(100),
            held_out: 40_000,
            payees: 4_000,
            payments_per_day: 213_000,
            open_cost: Sat::new(1_000),
            open_life_days: 365,
            failures: true,
            dynamics: None,
            planner: PlannerConfig {
                payments: 50_000,
                payees: 4_000,
                candidates: 300,
                work_limit: UNCUT,
                ..PlannerConfig::default()
            },
        }
    }
}

/// The dynamic part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dynamics {
    /// Simulated days.
    pub days: u32,
    /// Payments a day. Revenue is scaled from these to [`Settings::payments_per_day`] nowhere: fewer
    /// payments drain channels less, and the report says how many there were.
    pub payments_per_day: u32,
    /// Attempts of one payment before its sender gives up.
    pub attempts: u32,
    /// Payees among them. Each takes a search for every arm and seed.
    pub payees: u32,
    /// What all members of an arm together may spend on rebalancing in a day, whoever decides. What is
    /// not spent is kept for later days.
    pub rebalance_budget: Sat,
}

impl Default for Dynamics {
    fn default() -> Self {
        Self {
            days: 5,
            payments_per_day: 50_000,
            attempts: 10,
            payees: 400,
            rebalance_budget: Sat::new(5_000),
        }
    }
}

/// No plan of an experiment is cut: an arm with more to decide would be the one to suffer.
const UNCUT: u64 = 1 << 40;

/// Settings that make no experiment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// A list is empty.
    #[error("no {0} to evaluate; name at least one")]
    Empty(&'static str),
    /// A number is zero or too large.
    #[error("{name} is {value}; choose from {least} to {most}")]
    Range {
        /// Which setting.
        name: &'static str,
        /// What it is.
        value: u64,
        /// The least that makes sense.
        least: u64,
        /// The most.
        most: u64,
    },
    /// The capital does not make the channels.
    #[error(
        "{capital} over {channels} channels is {each} each, under the {least} that a channel needs; \
         raise the capital or lower the channels"
    )]
    Capital {
        /// Of one member.
        capital: Sat,
        /// Of one member.
        channels: u32,
        /// Capital over channels.
        each: Sat,
        /// The smallest channel.
        least: Sat,
    },
}

/// The smallest channel that an experiment opens: LND's `MinChanFundingSize`.
pub const SMALLEST_CHANNEL: Sat = Sat::new(20_000);

impl Settings {
    /// What each channel holds.
    pub fn channel_size(&self) -> Sat {
        Sat::new(self.capital.get() / u64::from(self.channels.max(1)))
    }

    /// On-chain opens of every arm.
    pub fn opens(&self) -> u32 {
        self.members.saturating_mul(self.channels)
    }

    /// Checks that there is something to run.
    ///
    /// # Errors
    /// [`SettingsError`], which names the setting and what it may be.
    pub fn check(&self) -> Result<(), SettingsError> {
        let lists = [
            ("arms", self.arms.is_empty()),
            ("senders", self.senders.is_empty()),
            ("demands", self.demands.is_empty()),
            ("amounts", self.amounts.is_empty()),
        ];
        if let Some((name, _)) = lists.into_iter().find(|(_, empty)| *empty) {
            return Err(SettingsError::Empty(name));
        }
        let ranges = [
            ("seeds", self.seeds.into(), 1, 1_000),
            (
                "members",
                self.members.into(),
                1,
                hive_types::limits::MEMBERS as u64,
            ),
            ("channels", self.channels.into(), 1, 500),
            ("held-out payments", self.held_out.into(), 1, 10_000_000),
            ("payees", self.payees.into(), 1, self.held_out.into()),
            ("open life in days", self.open_life_days.into(), 1, 36_500),
        ];
        for (name, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(SettingsError::Range {
                    name,
                    value,
                    least,
                    most,
                });
            }
        }
        if self.channel_size() < SMALLEST_CHANNEL {
            return Err(SettingsError::Capital {
                capital: self.capital,
                channels: self.channels,
                each: self.channel_size(),
                least: SMALLEST_CHANNEL,
            });
        }
        Ok(())
    }
}
