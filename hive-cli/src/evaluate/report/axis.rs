//! Scales of plots: where values lie and where the ticks stand.

/// Ticks that an axis has, about.
const TICKS: f64 = 6.0;

/// From values to places on a line.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    from: f64,
    to: f64,
    length: f64,
    logarithmic: bool,
}

impl Axis {
    /// From zero, or below it, to the largest value.
    pub(crate) fn linear(values: &[f64], length: f64) -> Self {
        let finite = values.iter().copied().filter(|value| value.is_finite());
        let (from, to) = finite.fold((0.0, 0.0), |(from, to), value| {
            (f64::min(from, value), f64::max(to, value))
        });
        let step = step(to - from);
        Self {
            from: (from / step).floor() * step,
            to: ((to / step).ceil() * step).max(step),
            length,
            logarithmic: false,
        }
    }

    /// Logarithmic, with one in sight. Values that are not above zero lie at its beginning.
    pub(crate) fn logarithmic(values: &[f64], length: f64) -> Self {
        let positive = values
            .iter()
            .copied()
            .filter(|value| value.is_finite() && *value > 0.0);
        let (from, to) = positive.fold((0.8, 1.25), |(from, to), value| {
            (f64::min(from, value), f64::max(to, value))
        });
        Self {
            from: from / 1.1,
            to: to * 1.1,
            length,
            logarithmic: true,
        }
    }

    /// Where a value lies, never outside.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let part = match self.logarithmic {
            true => (value.max(self.from) / self.from).ln() / (self.to / self.from).ln(),
            false => (value - self.from) / (self.to - self.from),
        };
        if part.is_nan() {
            0.0
        } else {
            part.clamp(0.0, 1.0) * self.length
        }
    }

    /// Where zero lies, or the beginning of an axis that has none.
    pub(crate) fn origin(&self) -> f64 {
        if self.logarithmic { 0.0 } else { self.at(0.0) }
    }

    /// Values to write along it.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let decades =
                (-6..7).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
            let ticks: Vec<f64> = decades
                .filter(|tick| (self.from..=self.to).contains(tick))
                .collect();
            let fine = [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5];
            return match ticks.len() > 2 {
                true => ticks,
                false => fine
                    .into_iter()
                    .filter(|tick| (self.from..=self.to).contains(tick))
                    .collect(),
            };
        }
        let step = step(self.to - self.from);
        let count = ((self.to - self.from) / step).round() as usize;
        (0..=count)
            .map(|tick| self.from + step * tick as f64)
            .collect()
    }
}

/// 1, 2 or 5 times a power of ten, so that a span has about six steps.
fn step(span: f64) -> f64 {
    if span <= 0.0 {
        return 1.0;
    }
    let rough = span / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    let digits = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|digit| digit * power >= rough);
    digits.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_where_they_belong_and_never_outside() {
        let axis = Axis::linear(&[3.0, 47.0, f64::NAN], 100.0);
        assert_eq!(axis.ticks(), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!(
            [
                axis.at(0.0),
                axis.at(25.0),
                axis.at(90.0),
                axis.at(f64::NAN)
            ],
            [0.0, 50.0, 100.0, 0.0]
        );
        let axis = Axis::linear(&[-5.0, 5.0], 10.0);
        assert_eq!(axis.origin(), 5.0 / 10.0 * 10.0);
        let axis = Axis::logarithmic(&[0.1, 10.0, 0.0], 100.0);
        assert!((axis.at(1.0) - 50.0).abs() < 1e-9, "{}", axis.at(1.0));
        assert_eq!(axis.at(-1.0), 0.0);
        assert!(axis.ticks().contains(&1.0));
        let of_nothing = Axis::linear(&[], 10.0).ticks();
        assert_eq!(
            (of_nothing.first(), of_nothing.last()),
            (Some(&0.0), Some(&1.0))
        );
        assert!(Axis::logarithmic(&[], 10.0).ticks().contains(&1.0));
    }
}
