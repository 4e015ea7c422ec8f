//! Fee rates and the policy of one direction of a channel.

use crate::Msat;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A rate in parts per million (`fee_proportional_millionths`, BOLT 7).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ppm(u32);

impl Ppm {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ONE: Self = Self(1_000_000);

    /// Wraps a count of millionths.
    pub const fn new(millionths: u32) -> Self {
        Self(millionths)
    }

    /// The count of millionths.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// This share of `amount`, rounded down as BOLT 7 does; `None` where it does not fit.
    pub fn fee_on(self, amount: Msat) -> Option<Msat> {
        let fee = u128::from(amount.get()) * u128::from(self.0) / 1_000_000;
        u64::try_from(fee).ok().map(Msat::new)
    }

    /// `part` of `whole` in millionths, held at `u32::MAX`; zero of nothing.
    pub fn of(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self::ZERO;
        }
        let millionths = u128::from(part) * 1_000_000 / u128::from(whole);
        Self(u32::try_from(millionths).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Ppm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ppm", self.0)
    }
}

/// What a node asks for forwarding out of one of its channels (BOLT 7 `channel_update`), with the
/// inbound discount or surcharge that LND publishes beside it (TLV 55555; usually zero or negative).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChannelPolicy {
    /// `fee_base_msat`.
    pub base: Msat,
    /// `fee_proportional_millionths`.
    pub rate: Ppm,
    /// `cltv_expiry_delta`, in blocks.
    pub cltv_delta: u16,
    /// `htlc_minimum_msat`.
    pub htlc_minimum: Msat,
    /// `htlc_maximum_msat`.
    pub htlc_maximum: Msat,
    /// The `disable` bit.
    pub disabled: bool,
    /// Inbound base fee in msat.
    pub inbound_base_msat: i32,
    /// Inbound rate in millionths.
    pub inbound_ppm: i32,
}

impl ChannelPolicy {
    /// Whether the policy's HTLC limits admit this amount (BOLT 7 `htlc_minimum_msat`, `htlc_maximum_msat`).
    pub fn admits(&self, amount: Msat) -> bool {
        self.htlc_minimum <= amount && amount <= self.htlc_maximum
    }

    /// The outgoing fee on `amount`, without any inbound part; `None` where it does not fit.
    pub fn fee(&self, amount: Msat) -> Option<Msat> {
        self.base.checked_add(self.rate.fee_on(amount)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fee_rounds_down_and_never_overflows() {
        assert_eq!(Ppm::new(1).fee_on(Msat::new(999_999)), Some(Msat::ZERO));
        assert_eq!(Ppm::new(u32::MAX).fee_on(Msat::new(u64::MAX)), None);
        assert_eq!(Ppm::of(1, 5), Ppm::new(200_000));
        assert_eq!(Ppm::of(1, 0), Ppm::ZERO);
    }
}
