//! Means, intervals and paired ratios.

use crate::{Scale, Summary};

/// Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom (NIST/SEMATECH e-Handbook,
/// table 1.3.6.7.2).
const T_95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// The quantile for more than 30 degrees of freedom: that of 40, which errs on the wide side.
const T_95_BEYOND: f64 = 2.042;

/// Mean and t interval of the values that are there.
pub(crate) fn summarize(values: &[Option<f64>]) -> Summary {
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    let n = known.len();
    let mut summary = Summary {
        n: n as u32,
        ..Summary::default()
    };
    if n == 0 {
        return summary;
    }
    let mean = known.iter().sum::<f64>() / n as f64;
    summary.mean = Some(mean);
    if n > 1 {
        let squares: f64 = known.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (squares / (n - 1) as f64 / n as f64).sqrt();
        let half = T_95.get(n - 2).copied().unwrap_or(T_95_BEYOND) * error;
        (summary.low, summary.high) = (Some(mean - half), Some(mean + half));
    }
    summary
}

/// Value by value over a base that is above zero.
pub(crate) fn ratios(above: &[Option<f64>], below: &[Option<f64>]) -> Vec<Option<f64>> {
    let pairs = above.iter().zip(below);
    let ratio = |(above, below): (&Option<f64>, &Option<f64>)| {
        let base = (*below)?;
        (base > 0.0).then_some((*above)? / base)
    };
    pairs.map(ratio).collect()
}

/// Geometric mean with an interval from the logarithms where every ratio is above zero: twice and half
/// are equally far from one. Otherwise the arithmetic mean.
pub(crate) fn summarize_ratios(values: &[Option<f64>]) -> (Summary, Scale) {
    if values.iter().flatten().any(|ratio| *ratio <= 0.0) {
        return (summarize(values), Scale::Arithmetic);
    }
    let logs: Vec<Option<f64>> = values.iter().map(|ratio| ratio.map(f64::ln)).collect();
    let summary = summarize(&logs);
    let back = Summary {
        n: summary.n,
        mean: summary.mean.map(f64::exp),
        low: summary.low.map(f64::exp),
        high: summary.high.map(f64::exp),
    };
    (back, Scale::Geometric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: Option<f64>, expected: f64) -> bool {
        value.is_some_and(|value| (value - expected).abs() < 1e-9)
    }

    #[test]
    fn a_t_interval_by_hand() {
        // Mean 2, standard deviation 1, standard error 1/sqrt(3).
        let summary = summarize(&[Some(1.0), None, Some(2.0), Some(3.0)]);
        assert_eq!(summary.n, 3);
        assert!(close(summary.mean, 2.0));
        assert!(close(summary.low, 2.0 - 4.303 / 3f64.sqrt()));
        assert!(close(summary.high, 2.0 + 4.303 / 3f64.sqrt()));
    }

    #[test]
    fn one_value_has_no_interval_and_none_has_no_mean() {
        let one = summarize(&[Some(5.0)]);
        assert_eq!((one.mean, one.low, one.high), (Some(5.0), None, None));
        assert_eq!(summarize(&[None]).mean, None);
    }

    #[test]
    fn ratios_are_taken_seed_by_seed() {
        let above = [Some(2.0), Some(1.0), Some(4.0), None];
        let below = [Some(1.0), Some(2.0), Some(0.0), Some(1.0)];
        let ratios = ratios(&above, &below);
        assert_eq!(ratios, [Some(2.0), Some(0.5), None, None]);
        // Twice and half cancel; the ratio of the means would say 1.17.
        let (summary, scale) = summarize_ratios(&ratios);
        assert_eq!((scale, summary.n), (Scale::Geometric, 2));
        assert!(close(summary.mean, 1.0));
        assert!(summary.low < Some(0.5) && summary.high > Some(2.0));
        let (summary, scale) = summarize_ratios(&[Some(0.0), Some(1.0)]);
        assert_eq!(scale, Scale::Arithmetic);
        assert!(close(summary.mean, 0.5));
    }
}
