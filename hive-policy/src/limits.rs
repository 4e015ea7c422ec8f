//! What an operator allows. A set of limits that contradicts itself is no set of limits.

use hive_types::{ActionKind, FeeratePerKw, Msat, NodeId, Ppm, Sat, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Deref;
use thiserror::Error;

/// The most satoshi there can ever be; a limit above it is a slip of the keyboard.
const ALL_SAT: Sat = Sat::new(21_000_000 * 100_000_000);

/// Limits as an operator writes them. [`Limits::new`] checks them against each other.
///
/// The defaults suit a small node that wants to try: a day costs at most 10,000 sat and puts at most
/// 5,000,000 sat into at most two channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// On-chain and routing fees together in any 24 hours, in sat. Default 10,000.
    pub budget_per_day: Sat,
    /// Own money put into new channels in any 24 hours, in sat. Default 5,000,000.
    pub capital_per_day: Sat,
    /// On-chain or routing fees of one action, in msat. Default 5,000,000 (5,000 sat).
    pub cost_per_action: Msat,
    /// Channels opened in any 24 hours; zero opens none. Default 2.
    pub opens_per_day: u32,
    /// Actions of all kinds begun in any hour, free ones too. Default 30.
    pub actions_per_hour: u32,
    /// Confirmed on-chain money that stays untouched, in sat; the node's own reserve counts where it
    /// is larger. Default 200,000.
    pub on_chain_reserve: Sat,
    /// Smallest channel, in sat: below it on-chain cost eats what it can earn. Default 500,000.
    pub channel_min: Sat,
    /// Largest channel, in sat. Default 5,000,000.
    pub channel_max: Sat,
    /// Highest feerate of a funding transaction, in sat per 1000 weight units. Default 5,000
    /// (20 sat/vbyte).
    pub feerate_ceiling: FeeratePerKw,
    /// Highest fee of a rebalance in millionths of what it moves. Default 300.
    pub rebalance_rate: Ppm,
    /// Highest fee of one rebalance, in msat. Default 1,000,000 (1,000 sat).
    pub rebalance_fee: Msat,
    /// Amount in payments of ours that are under way, in msat. Default 2,000,000,000 (2,000,000 sat).
    pub max_in_flight: Msat,
    /// Blocks that an HTLC of ours may be locked at most. Default 1,008, a week.
    pub max_cltv: u32,
    /// A proposal that is less sure waits for the operator, also in autonomous mode. Default 500,000:
    /// as likely as not.
    pub min_confidence: Ppm,
    /// Peers that nothing is done with. Default none.
    pub opted_out_peers: BTreeSet<NodeId>,
    /// Kinds of action that are never taken. Default none.
    pub opted_out_kinds: BTreeSet<ActionKind>,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            budget_per_day: Sat::new(10_000),
            capital_per_day: Sat::new(5_000_000),
            cost_per_action: Msat::new(5_000_000),
            opens_per_day: 2,
            actions_per_hour: 30,
            on_chain_reserve: Sat::new(200_000),
            channel_min: Sat::new(500_000),
            channel_max: Sat::new(5_000_000),
            feerate_ceiling: FeeratePerKw::from_sat_per_vbyte(20),
            rebalance_rate: Ppm::new(300),
            rebalance_fee: Msat::new(1_000_000),
            max_in_flight: Msat::new(2_000_000_000),
            max_cltv: 1_008,
            min_confidence: Ppm::new(500_000),
            opted_out_peers: BTreeSet::new(),
            opted_out_kinds: BTreeSet::new(),
        }
    }
}

/// Limits that agree with each other. Nothing changes them in place: new ones come whole, from the
/// operator, through [`crate::Gate::set_limits`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LimitSettings", into = "LimitSettings")]
pub struct Limits(LimitSettings);

/// Two limits contradict each other, or one is out of range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LimitsError {
    /// More than there is.
    #[error("{name} is {value}, more than all bitcoin; lower it")]
    MoreThanExists {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: Sat,
    },
    /// The day's budget can't pay one action.
    #[error(
        "cost_per_action is {cost}, but budget_per_day is only {budget}; raise budget_per_day or lower cost_per_action"
    )]
    ActionOverBudget {
        /// `cost_per_action`.
        cost: Msat,
        /// `budget_per_day`.
        budget: Sat,
    },
    /// A rebalance at its ceiling would be over the ceiling of every action.
    #[error(
        "rebalance_fee is {fee}, but cost_per_action is only {cost}; lower rebalance_fee or raise cost_per_action"
    )]
    RebalanceOverAction {
        /// `rebalance_fee`.
        fee: Msat,
        /// `cost_per_action`.
        cost: Msat,
    },
    /// No channel size is left.
    #[error("channel_min is {min}, but channel_max is {max}; channel_min must not be above it")]
    ChannelSizes {
        /// `channel_min`.
        min: Sat,
        /// `channel_max`.
        max: Sat,
    },
    /// The largest channel can never be opened.
    #[error(
        "channel_max is {max}, but capital_per_day is only {capital}; lower channel_max, raise capital_per_day, or set opens_per_day to 0"
    )]
    ChannelOverCapital {
        /// `channel_max`.
        max: Sat,
        /// `capital_per_day`.
        capital: Sat,
    },
    /// The rate can never be reached.
    #[error(
        "opens_per_day is {opens}, but actions_per_hour allows only {actions} actions in a day; lower opens_per_day or raise actions_per_hour"
    )]
    OpensOverActions {
        /// `opens_per_day`.
        opens: u32,
        /// 24 times `actions_per_hour`.
        actions: u32,
    },
    /// A number outside of its range.
    #[error("{name} is {value}; it must be from {min} to {max}")]
    Range {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The smallest one.
        min: u64,
        /// The largest one.
        max: u64,
    },
}

impl Limits {
    /// Checks the settings one by one and against each other.
    ///
    /// # Errors
    /// The first [`LimitsError`] found: which settings contradict each other, and how to mend it.
    pub fn new(settings: LimitSettings) -> Result<Self, LimitsError> {
        check_ranges(&settings)?;
        check_fees(&settings)?;
        check_opens(&settings)?;
        Ok(Self(settings))
    }

    /// The settings, for a change that goes through [`Limits::new`] again.
    pub fn into_settings(self) -> LimitSettings {
        self.0
    }
}

impl Deref for Limits {
    type Target = LimitSettings;

    fn deref(&self) -> &LimitSettings {
        &self.0
    }
}

impl TryFrom<LimitSettings> for Limits {
    type Error = LimitsError;

    fn try_from(settings: LimitSettings) -> Result<Self, LimitsError> {
        Self::new(settings)
    }
}

impl From<Limits> for LimitSettings {
    fn from(limits: Limits) -> Self {
        limits.0
    }
}

fn check_ranges(settings: &LimitSettings) -> Result<(), LimitsError> {
    let amounts = [
        ("budget_per_day", settings.budget_per_day),
        ("capital_per_day", settings.capital_per_day),
        ("cost_per_action", settings.cost_per_action.to_sat_ceil()),
        ("on_chain_reserve", settings.on_chain_reserve),
        ("channel_max", settings.channel_max),
        ("rebalance_fee", settings.rebalance_fee.to_sat_ceil()),
        ("max_in_flight", settings.max_in_flight.to_sat_ceil()),
    ];
    if let Some(&(name, value)) = amounts.iter().find(|(_, value)| *value > ALL_SAT) {
        return Err(LimitsError::MoreThanExists { name, value });
    }
    let feerate = settings.feerate_ceiling.get().into();
    let floor = limits::FEERATE_FLOOR.get().into();
    range("actions_per_hour", settings.actions_per_hour, 1, 3_600)?;
    range("max_cltv", settings.max_cltv, 1, limits::HTLC_CLTV_BLOCKS)?;
    range(
        "rebalance_rate",
        settings.rebalance_rate.get(),
        0,
        1_000_000,
    )?;
    range(
        "min_confidence",
        settings.min_confidence.get(),
        0,
        1_000_000,
    )?;
    if feerate < floor {
        let (name, max) = ("feerate_ceiling", u32::MAX.into());
        return Err(LimitsError::Range {
            name,
            value: feerate,
            min: floor,
            max,
        });
    }
    Ok(())
}

fn range(name: &'static str, value: u32, min: u32, max: u32) -> Result<(), LimitsError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(LimitsError::Range {
        name,
        value: value.into(),
        min: min.into(),
        max: max.into(),
    })
}

fn check_fees(settings: &LimitSettings) -> Result<(), LimitsError> {
    let (cost, budget) = (settings.cost_per_action, settings.budget_per_day);
    if cost > budget.to_msat_saturating() {
        return Err(LimitsError::ActionOverBudget { cost, budget });
    }
    let fee = settings.rebalance_fee;
    if fee > cost {
        return Err(LimitsError::RebalanceOverAction { fee, cost });
    }
    Ok(())
}

fn check_opens(settings: &LimitSettings) -> Result<(), LimitsError> {
    let (min, max) = (settings.channel_min, settings.channel_max);
    if min > max {
        return Err(LimitsError::ChannelSizes { min, max });
    }
    let (opens, capital) = (settings.opens_per_day, settings.capital_per_day);
    if opens > 0 && max > capital {
        return Err(LimitsError::ChannelOverCapital { max, capital });
    }
    let actions = settings.actions_per_hour.saturating_mul(24);
    if opens > actions {
        return Err(LimitsError::OpensOverActions { opens, actions });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut LimitSettings)) -> Result<Limits, LimitsError> {
        let mut settings = LimitSettings::default();
        change(&mut settings);
        Limits::new(settings)
    }

    #[test]
    fn defaults_agree_with_each_other() {
        assert_eq!(with(|_| ()), Ok(Limits::default()));
    }

    #[test]
    fn contradictions_name_both_sides() {
        let cases: [(Result<Limits, LimitsError>, [&str; 2]); 9] = [
            (
                with(|s| s.budget_per_day = Sat::new(4_999)),
                ["cost_per_action", "budget_per_day"],
            ),
            (
                with(|s| s.rebalance_fee = Msat::new(5_000_001)),
                ["rebalance_fee", "cost_per_action"],
            ),
            (
                with(|s| s.channel_min = Sat::new(5_000_001)),
                ["channel_min", "channel_max"],
            ),
            (
                with(|s| s.capital_per_day = Sat::new(4_999_999)),
                ["channel_max", "capital_per_day"],
            ),
            (
                with(|s| s.opens_per_day = 721),
                ["opens_per_day", "actions_per_hour"],
            ),
            (
                with(|s| s.budget_per_day = Sat::new(u64::MAX)),
                ["budget_per_day", "all bitcoin"],
            ),
            (
                with(|s| s.min_confidence = Ppm::new(1_000_001)),
                ["min_confidence", "1000000"],
            ),
            (with(|s| s.max_cltv = 2_017), ["max_cltv", "2016"]),
            (
                with(|s| s.feerate_ceiling = FeeratePerKw::new(252)),
                ["feerate_ceiling", "253"],
            ),
        ];
        for (result, words) in cases {
            let text = result.unwrap_err().to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }

    #[test]
    fn unknown_and_contradicting_keys_are_errors() {
        let error = serde_json::from_str::<Limits>(r#"{"budget_per_dya": 5}"#).unwrap_err();
        assert!(error.to_string().contains("budget_per_dya"), "{error}");
        let error = serde_json::from_str::<Limits>(r#"{"budget_per_day": 5}"#).unwrap_err();
        assert!(error.to_string().contains("cost_per_action"), "{error}");
        let read: Limits = serde_json::from_str(r#"{"opted_out_kinds": ["open"]}"#).unwrap();
        assert!(read.opted_out_kinds.contains(&ActionKind::Open));
        let text = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), read);
    }
}
