//! Money: millisatoshi and satoshi, with arithmetic that can fail.

use core::fmt;
use core::iter::Sum;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most satoshi there can ever be.
const MAX_SAT: u64 = 21_000_000 * 100_000_000;

/// An amount in thousandths of a satoshi, the unit of HTLCs (BOLT 2).
///
/// Arithmetic is checked: nothing wraps, nothing goes below zero unseen.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Msat(u64);

/// An amount in satoshi, the unit of the chain and of channel capacities.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Sat(u64);

/// The text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseAmountError {
    /// No number, or a number that does not fit.
    #[error("{0:?} is not a whole number of {1}; write it as 1000{1}")]
    Number(String, &'static str),
    /// The unit is missing or another one.
    #[error("{0:?} has no unit; write it as 1000{1}")]
    Unit(String, &'static str),
    /// More than 21 million bitcoin.
    #[error("{0:?} is more bitcoin than there can be")]
    TooLarge(String),
}

macro_rules! amount {
    ($name:ident, $unit:literal, $max:expr) => {
        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// Wraps a count of the unit.
            pub const fn new(count: u64) -> Self {
                Self(count)
            }

            /// The count of the unit.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Whether this is nothing.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// The sum, or `None` where it does not fit.
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }

            /// The difference, or `None` where it would be negative.
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.0.checked_sub(other.0).map(Self)
            }

            /// The product, or `None` where it does not fit.
            pub fn checked_mul(self, factor: u64) -> Option<Self> {
                self.0.checked_mul(factor).map(Self)
            }

            /// The sum, held at the largest value. For figures that are shown, not for money that moves.
            pub fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// The difference, held at zero.
            pub fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{}", $unit), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseAmountError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = text
                    .strip_suffix($unit)
                    .ok_or_else(|| ParseAmountError::Unit(text.into(), $unit))?;
                let all_digits =
                    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                let count = all_digits
                    .then(|| digits.parse().ok())
                    .flatten()
                    .ok_or_else(|| ParseAmountError::Number(text.into(), $unit))?;
                if count > $max {
                    return Err(ParseAmountError::TooLarge(text.into()));
                }
                Ok(Self(count))
            }
        }

        /// Saturates: sums are of figures that are shown.
        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self::ZERO, Self::saturating_add)
            }
        }
    };
}

amount!(Msat, "msat", MAX_SAT * 1000);
amount!(Sat, "sat", MAX_SAT);

impl Msat {
    /// Whole satoshi, the rest dropped.
    pub const fn to_sat_floor(self) -> Sat {
        Sat(self.0 / 1000)
    }

    /// Whole satoshi, any rest counted as one.
    pub const fn to_sat_ceil(self) -> Sat {
        Sat(self.0.div_ceil(1000))
    }
}

impl Sat {
    /// The same amount in millisatoshi, or `None` where it does not fit.
    pub fn to_msat(self) -> Option<Msat> {
        self.0.checked_mul(1000).map(Msat)
    }

    /// The same amount in millisatoshi, held at the largest value.
    pub fn to_msat_saturating(self) -> Msat {
        Msat(self.0.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        assert_eq!("1000msat".parse(), Ok(Msat::new(1000)));
        assert_eq!(Sat::new(5).to_string(), "5sat");
        assert_eq!("5sat".parse(), Ok(Sat::new(5)));
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for text in [
            "",
            "msat",
            "-1msat",
            "+1msat",
            "1.5msat",
            "1 msat",
            "1000",
            "1000sat",
            "99999999999999999999msat",
        ] {
            assert!(text.parse::<Msat>().is_err(), "{text:?}");
        }
        assert_eq!(
            "2100000000000001sat".parse::<Sat>(),
            Err(ParseAmountError::TooLarge("2100000000000001sat".into()))
        );
    }

    #[test]
    fn arithmetic_fails_instead_of_wrapping() {
        assert_eq!(Msat::new(u64::MAX).checked_add(Msat::new(1)), None);
        assert_eq!(Msat::new(1).checked_sub(Msat::new(2)), None);
        assert_eq!(Sat::new(u64::MAX).to_msat(), None);
        assert_eq!(Msat::new(1999).to_sat_floor(), Sat::new(1));
        assert_eq!(Msat::new(1001).to_sat_ceil(), Sat::new(2));
    }
}
