//! How plans are made, as far as operators have reason to say.

use super::settings::{ConfigError, Key, Settings};
use super::values::{flag, list, msat, ppm, sat, whole};
use hive_planner::demand::{AmountModel, DemandModel, ParseAmountsError};
use hive_planner::routes::{ParseSenderError, SenderModel};
use hive_planner::{Grid, PlannerConfig};
use hive_types::{Ppm, Sat};
use std::ops::RangeInclusive;

/// Payments that a plan is made from: with fewer it fits the sample, with more it takes longer and
/// gets no better.
const PAYMENTS: RangeInclusive<u32> = 100..=2_000_000;

/// Distinct payees of them, each of which takes a search through the graph.
const PAYEES: RangeInclusive<u32> = 10..=20_000;

/// What a channel carries one way in a day: from a hundredth of its capacity to ten times it.
const TURNOVER: RangeInclusive<u32> = 10_000..=10_000_000;

/// Forwards by outsiders in one push; each makes it dearer and less sure.
const OUTSIDE_HOPS: RangeInclusive<u32> = 1..=4;

table! { "planner.", PlannerConfig;
    demand: demand, "who pays whom: uniform, or by capacity";
    sender: sender, "how senders choose their ways: lnd, ldk or fee";
    amounts: amounts, "how much is paid: an amount in msat, lognormal or mixed";
    payments: |text| within(text, &PAYMENTS), "payments that a plan is made from, 100 to 2000000; more take longer";
    payees: |text| within(text, &PAYEES), "payees of these payments, 10 to 20000; more take longer";
    hold_out: flag, "whether a plan is scored on payments that it was not made from; takes twice as long";
    candidates: positive, "targets that are looked at, the best connected first";
    work_limit: work, "nodes that one plan's searches settle at most; more takes longer";
    assumed_base: msat, "base fee that plans assume towards the outside, in msat";
    assumed_rate: share, "fee rate that plans assume towards the outside, in millionths";
    rates: grid_of_rates, "other fee rates that plans try, in millionths, at most eight";
    sizes: grid_of_sizes, "channel sizes that plans try, in sat, at most eight";
    turnover: turnover, "what a channel carries one way in a day, in millionths of its capacity, 10000 to 10000000";
    feerate_headroom: share, "what a funding may cost above the node's estimate, in millionths of it";
    payback_days: positive, "days in which a channel must earn its on-chain cost back";
    strictly_unique: flag, "whether a target of one fellow is closed to the others";
    low_water: share, "a channel runs low below this spendable share, in millionths";
    refill_to: share, "a push fills a channel up to this share, in millionths";
    push_min: sat, "smallest push, in sat";
    push_max: sat, "largest push, in sat";
    push_fee_rate: share, "what a push may cost at most, in millionths of its amount";
    push_fee_max: msat, "what a push may cost at most, in msat";
    push_return: ppm, "what the moved amount must earn, in millionths of the push's cost";
    push_outside_hops: hops, "forwards by outsiders in a push, 1 to 4";
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

fn demand(text: &str) -> Result<DemandModel, String> {
    match text.parse() {
        Ok(DemandModel::Merchant) => {
            Err("a node's graph does not say who is a merchant; write uniform or capacity".into())
        }
        Ok(model) => Ok(model),
        Err(_) => Err("uniform or capacity is expected".into()),
    }
}

fn sender(text: &str) -> Result<SenderModel, String> {
    text.parse()
        .map_err(|error: ParseSenderError| error.to_string())
}

fn grid_of_rates(text: &str) -> Result<Grid<Ppm>, String> {
    grid(list(text, share)?)
}

fn grid_of_sizes(text: &str) -> Result<Grid<Sat>, String> {
    grid(list(text, sat)?)
}

fn grid<T: Copy + Default + Ord>(values: Vec<T>) -> Result<Grid<T>, String> {
    Grid::new(&values).map_err(|error| error.to_string())
}

fn within(text: &str, range: &RangeInclusive<u32>) -> Result<u32, String> {
    let (least, most) = (range.start(), range.end());
    let number = whole(text).ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("a whole number from {least} to {most} is expected"))
}

fn turnover(text: &str) -> Result<Ppm, String> {
    let number = text.strip_suffix("ppm").unwrap_or(text);
    within(number, &TURNOVER).map(Ppm::new)
}

fn hops(text: &str) -> Result<u8, String> {
    let hops = within(text, &OUTSIDE_HOPS)?;
    u8::try_from(hops).map_err(|error| error.to_string())
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
