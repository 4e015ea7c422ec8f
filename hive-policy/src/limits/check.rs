//! Limits that contradict each other, and how to mend them.

use super::LimitSettings;
use hive_types::{Msat, Sat, limits};
use thiserror::Error;

/// The most satoshi there can ever be; a limit above it is a slip of the keyboard.
const ALL_SAT: Sat = Sat::new(21_000_000 * 100_000_000);

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
    /// No policy is left between two bounds.
    #[error("{low} is {min}, but {high} is {max}; {low} must not be above {high}")]
    PolicyBounds {
        /// The lower setting.
        low: &'static str,
        /// Its value.
        min: u64,
        /// The upper setting.
        high: &'static str,
        /// Its value.
        max: u64,
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

pub(super) fn check_ranges(settings: &LimitSettings) -> Result<(), LimitsError> {
    let amounts = [
        ("budget_per_day", settings.budget_per_day),
        ("capital_per_day", settings.capital_per_day),
        ("cost_per_action", settings.cost_per_action.to_sat_ceil()),
        ("on_chain_reserve", settings.on_chain_reserve),
        ("channel_max", settings.channel_max),
        ("rebalance_fee", settings.rebalance_fee.to_sat_ceil()),
        ("max_in_flight", settings.max_in_flight.to_sat_ceil()),
        ("policy_base_max", settings.policy_base_max.to_sat_ceil()),
        (
            "policy_htlc_maximum_min",
            settings.policy_htlc_maximum_min.to_sat_ceil(),
        ),
    ];
    if let Some(&(name, value)) = amounts.iter().find(|(_, value)| *value > ALL_SAT) {
        return Err(LimitsError::MoreThanExists { name, value });
    }
    let feerate = settings.feerate_ceiling.get().into();
    let floor = limits::FEERATE_FLOOR.get().into();
    range("actions_per_hour", settings.actions_per_hour, 1, 3_600)?;
    range("sends_per_hour", settings.sends_per_hour, 0, 3_600)?;
    range("max_cltv", settings.max_cltv, 1, limits::HTLC_CLTV_BLOCKS)?;
    range(
        "open_cooldown_days",
        settings.open_cooldown_days,
        0,
        limits::OPEN_COOLDOWN_DAYS,
    )?;
    range(
        "rebalance_cooldown_minutes",
        settings.rebalance_cooldown_minutes,
        0,
        limits::REBALANCE_COOLDOWN_MINUTES,
    )?;
    range(
        "policy_rate_max",
        settings.policy_rate_max.get(),
        0,
        1_000_000,
    )?;
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

pub(super) fn check_fees(settings: &LimitSettings) -> Result<(), LimitsError> {
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

pub(super) fn check_opens(settings: &LimitSettings) -> Result<(), LimitsError> {
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

pub(super) fn check_policies(settings: &LimitSettings) -> Result<(), LimitsError> {
    let bounds = [
        (
            ("policy_base_min", settings.policy_base_min.get()),
            ("policy_base_max", settings.policy_base_max.get()),
        ),
        (
            ("policy_rate_min", settings.policy_rate_min.get().into()),
            ("policy_rate_max", settings.policy_rate_max.get().into()),
        ),
        // A policy at both bounds would let nothing through.
        (
            (
                "policy_htlc_minimum_max",
                settings.policy_htlc_minimum_max.get(),
            ),
            (
                "policy_htlc_maximum_min",
                settings.policy_htlc_maximum_min.get(),
            ),
        ),
    ];
    for ((low, min), (high, max)) in bounds {
        if min > max {
            return Err(LimitsError::PolicyBounds {
                low,
                min,
                high,
                max,
            });
        }
    }
    Ok(())
}
