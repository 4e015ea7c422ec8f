//! How much is paid, in a few classes: the network is weighed once for each.

use core::fmt;
use core::str::FromStr;
use hive_types::Msat;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Payments of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmountClass {
    /// What each delivers.
    pub amount: Msat,
    /// How many there are, against the weights of the other classes.
    pub weight: u32,
}

/// How much is paid. In settings and results it is a word: `lognormal`, `mixed` or an amount in msat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AmountModel {
    /// The same each time.
    Fixed(Msat),
    /// A log-normal distribution, cut into quarters that are each paid at their mean. Its mean is
    /// 44,700 sat, the average of August 2023 (River, "The Lightning Network Grew by 1212% in 2
    /// Years"); its median of 15,000 sat, and with it its width, is this project's assumption.
    LogNormal,
    /// Of twenty payments eight tips of 1,000 sat, nine purchases of 30,000 sat and three transfers
    /// of 1,000,000 sat: this project's assumption of three uses that differ by more than one
    /// distribution shows.
    Mixed,
}

/// Means of the quarters: 4 x mean x (F(z1 - s) - F(z0 - s)), where F is the standard normal
/// distribution, s = sqrt(2 ln(44,700 / 15,000)) its width, and z0, z1 the quarter's bounds.
const LOG_NORMAL_SAT: [u64; 4] = [2_800, 9_660, 25_240, 141_090];

const MIXED: [(u64, u32); 3] = [(1_000, 8), (30_000, 9), (1_000_000, 3)];

impl Default for AmountModel {
    /// 50,000 sat, about the average payment.
    fn default() -> Self {
        Self::Fixed(Msat::new(50_000_000))
    }
}

impl AmountModel {
    /// The sizes, the smallest first. At most four.
    pub fn classes(self) -> Vec<AmountClass> {
        let class = |(sat, weight)| AmountClass {
            amount: Msat::new(sat * 1_000),
            weight,
        };
        match self {
            Self::Fixed(amount) => vec![AmountClass { amount, weight: 1 }],
            Self::LogNormal => LOG_NORMAL_SAT.map(|sat| class((sat, 1))).to_vec(),
            Self::Mixed => MIXED.map(class).to_vec(),
        }
    }
}

impl fmt::Display for AmountModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(amount) => write!(f, "{}", amount.get()),
            Self::LogNormal => f.write_str("lognormal"),
            Self::Mixed => f.write_str("mixed"),
        }
    }
}

/// The text is no [`AmountModel`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no amount; give a whole number of msat from 1, lognormal or mixed")]
pub struct ParseAmountsError(String);

impl FromStr for AmountModel {
    type Err = ParseAmountsError;

    fn from_str(text: &str) -> Result<Self, ParseAmountsError> {
        match text {
            "lognormal" => Ok(Self::LogNormal),
            "mixed" => Ok(Self::Mixed),
            number => match number.parse() {
                Ok(msat) if msat > 0 => Ok(Self::Fixed(Msat::new(msat))),
                _ => Err(ParseAmountsError(number.to_owned())),
            },
        }
    }
}

impl Serialize for AmountModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AmountModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quarters_keep_the_mean() {
        let classes = AmountModel::LogNormal.classes();
        let sum: u64 = classes.iter().map(|class| class.amount.get()).sum();
        assert!((sum / 4).abs_diff(44_700_000) < 10_000, "{sum}");
    }

    #[test]
    fn models_are_words() {
        for model in [
            AmountModel::default(),
            AmountModel::LogNormal,
            AmountModel::Mixed,
        ] {
            assert_eq!(model.to_string().parse(), Ok(model));
            let json = serde_json::to_string(&model).unwrap();
            assert_eq!(serde_json::from_str::<AmountModel>(&json).unwrap(), model);
        }
        for bad in ["", "0", "-1", "much"] {
            assert!(bad.parse::<AmountModel>().is_err(), "{bad}");
        }
    }
}
