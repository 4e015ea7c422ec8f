//! How numbers are written.

use crate::columns::grouped;
use hive_evaluate::{
    AmountModel, Arm, ArmResult, Balances, Cell, Failure, Metric, PairedRatio, Rebalancing,
    Setting, Summary,
};

/// A share as parts of a hundred, with two digits that count where it is small.
pub(crate) fn percent(share: f64) -> String {
    let hundredths = share * 100.0;
    match hundredths.abs() {
        0.0 => "0 %".into(),
        size if size < 0.1 => format!("{hundredths:.3} %"),
        size if size < 1.0 => format!("{hundredths:.2} %"),
        size if size < 99.95 => format!("{hundredths:.1} %"),
        _ => format!("{hundredths:.0} %"),
    }
}

/// With a capital letter in front.
pub(crate) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Sat a day.
pub(crate) fn sat(amount: f64) -> String {
    let whole = grouped(amount.abs().round() as u64);
    match amount < -0.5 {
        true => format!("-{whole}"),
        false => whole,
    }
}

/// One thing over another.
pub(crate) fn ratio(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// How values of a metric are written.
pub(crate) fn writer(metric: Metric) -> fn(f64) -> String {
    match metric.unit() {
        "share" => percent,
        "sat/day" => sat,
        _ => ratio,
    }
}

/// The mean with its 95 % interval.
pub(crate) fn interval(summary: &Summary, write: fn(f64) -> String) -> String {
    match (summary.mean, summary.low.zip(summary.high)) {
        (None, _) => "undefined".into(),
        (Some(mean), None) => write(mean),
        (Some(mean), Some((low, high))) => {
            format!("{} ({} to {})", write(mean), write(low), write(high))
        }
    }
}

/// A cell in a few words.
pub(crate) fn cell_name(cell: &Cell) -> String {
    format!("{}, {}, {}", cell.sender, cell.demand, amount(&cell.amount))
}

/// `60000sat` for people, or the name of a distribution.
fn amount(text: &str) -> String {
    let number = text.strip_suffix("sat").and_then(|sat| sat.parse().ok());
    number.map_or_else(|| text.to_owned(), |sat| format!("{} sat", grouped(sat)))
}

/// The arm's estimate of a metric.
pub(crate) fn estimate(arm: &ArmResult, metric: Metric) -> Summary {
    arm.metric(metric)
        .map_or_else(Summary::default, |found| found.summary)
}

/// What an arm keeps of its net of payments when this fails.
pub(crate) fn kept(cell: &Cell, arm: Arm, failure: &Failure) -> Option<Summary> {
    let arm = cell.arms.iter().find(|found| found.arm == arm)?;
    let found = arm
        .failures
        .iter()
        .find(|found| found.failure == *failure)?;
    Some(found.revenue_kept)
}

/// The static ratio of two arms.
pub(crate) fn paired(cell: &Cell, above: Arm, below: Arm, metric: Metric) -> Option<&PairedRatio> {
    cell.ratios.iter().find(|ratio| {
        ratio.numerator == above
            && ratio.denominator == below
            && ratio.metric == metric
            && ratio.setting == Setting::Static
    })
}

pub(crate) const fn balances(balances: Balances) -> &'static str {
    match balances {
        Balances::Uniform => "balances anywhere",
        Balances::Bimodal => "balances on one side",
    }
}

pub(crate) const fn rebalancing(rebalancing: Rebalancing) -> &'static str {
    match rebalancing {
        Rebalancing::Off => "no rebalancing",
        Rebalancing::Local => "each for itself",
        Rebalancing::Fleet => "together",
    }
}

/// An amount as `--amounts` takes it.
pub(crate) fn amount_option(amount: AmountModel) -> String {
    match amount {
        AmountModel::Fixed(amount) => amount.to_sat_floor().get().to_string(),
        AmountModel::LogNormal => "lognormal".into(),
        AmountModel::Mixed => "mixed".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_count() {
        assert_eq!(
            [0.0, 0.000_51, 0.0123, 0.5, 1.0].map(percent),
            ["0 %", "0.051 %", "1.2 %", "50.0 %", "100 %"]
        );
        assert_eq!([0.4, 12_345.6, -3.2].map(sat), ["0", "12,346", "-3"]);
        assert_eq!([0.912, 12.34, 345.6].map(ratio), ["0.91", "12.3", "346"]);
        let mut summary = Summary {
            n: 3,
            mean: Some(0.5),
            low: Some(0.4),
            high: Some(0.6),
        };
        assert_eq!(interval(&summary, percent), "50.0 % (40.0 % to 60.0 %)");
        summary.low = None;
        assert_eq!(interval(&summary, ratio), "0.50");
        assert_eq!(interval(&Summary::default(), ratio), "undefined");
        assert_eq!(
            [amount("60000sat"), amount("mixed")],
            ["60,000 sat", "mixed"]
        );
    }
}
