//! How plans are made, as far as operators have reason to say.

use super::settings::{ConfigError, Key, Settings};
use super::values::{flag, msat, ppm, sat, whole};
use hive_planner::PlannerConfig;
use hive_planner::demand::{AmountModel, ParseAmountsError};
use hive_types::Ppm;

table! { "planner.", PlannerConfig;
    amounts: amounts, "how much is paid: an amount in msat, lognormal or mixed";
    candidates: positive, "targets that are looked at, the best connected first";
    work_limit: work, "nodes that one plan's searches settle at most; more takes longer";
    payback_days: positive, "days in which a channel must earn its on-chain cost back";
    strictly_unique: flag, "whether a target of one fellow is closed to the others";
    low_water: share, "a channel runs low below this spendable share, in millionths";
    refill_to: share, "a push fills a channel up to this share, in millionths";
    push_min: sat, "smallest push, in sat";
    push_max: sat, "largest push, in sat";
    push_fee_rate: share, "what a push may cost at most, in millionths of its amount";
    push_fee_max: msat, "what a push may cost at most, in msat";
}

pub(super) fn read(settings: &Settings) -> Result<PlannerConfig, ConfigError> {
    let mut planner = PlannerConfig::default();
    fill(settings, &mut planner)?;
    let (low, full) = (planner.low_water, planner.refill_to);
    if low >= full {
        return Err(ConfigError::Contradiction(format!(
            "planner.low_water is {low}, but planner.refill_to is {full}; it must be below"
        )));
    }
    let (min, max) = (planner.push_min, planner.push_max);
    if min > max {
        return Err(ConfigError::Contradiction(format!(
            "planner.push_min is {min}, but planner.push_max is {max}; it must not be above it"
        )));
    }
    Ok(planner)
}

fn amounts(text: &str) -> Result<AmountModel, String> {
    text.parse()
        .map_err(|error: ParseAmountsError| error.to_string())
}

fn positive(text: &str) -> Result<u32, String> {
    match whole(text)? {
        0 => Err("a whole number from 1 is expected".into()),
        count => Ok(count),
    }
}

fn work(text: &str) -> Result<u64, String> {
    positive(text).map(u64::from)
}

fn share(text: &str) -> Result<Ppm, String> {
    let share = ppm(text)?;
    match share <= Ppm::ONE {
        true => Ok(share),
        false => Err("at most 1000000 millionths are expected".into()),
    }
}
