//! How the common senders weigh fees, timelocks, hops, liquidity and inbound fees.
//!
//! | what | LND | LDK | fees alone |
//! |---|---|---|---|
//! | source | v0.20 and later, `routing/pathfind.go`, `routing/unified_edges.go` | 0.2.5, `routing/scoring.rs`, `routing/router.rs` | `getroute` of Core Lightning at risk factor 0 |
//! | forwarder | fee, and the amount's time in locks | fee | fee |
//! | one more hop | an attempt | base, probing and liquidity penalties | nothing |
//! | the payer's own hop | an attempt | nothing | nothing |
//! | inbound fees (bLIP 18) | applied, as far as they leave no node's whole fee negative | ignored | ignored |
//! | parallel channels | the dearest, since the forwarder may choose any of them | the cheapest | the cheapest |
//!
//! LDK 0.3.0-rc3 weighs penalties five times as high as 0.2 does. Core Lightning's gossip map
//! (`common/gossmap.h`) has no room for inbound fees, and LDK's router reads none.

use hive_types::{ChannelPolicy, Msat, Sat};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use thiserror::Error;

/// LND `routing.DefaultAttemptCost`: what one failed attempt is worth avoiding, in msat.
const LND_ATTEMPT_MSAT: u64 = 100_000;
/// LND `routing.DefaultAttemptCostPPM`, the part that grows with the amount.
const LND_ATTEMPT_PPM: u64 = 1_000;
/// LND `routing.RiskFactorBillionths`: the price of locking an amount for one block.
const LND_RISK_BILLIONTHS: u64 = 15;
/// LND `models.maxFeeRate`: inbound rates beyond ten times the amount count as this.
const LND_INBOUND_RATE_MAX: i32 = 10_000_000;

/// LDK 0.2 `ProbabilisticScoringFeeParameters::base_penalty_msat`.
const LDK_BASE_MSAT: u64 = 1_024;
/// LDK 0.2 `base_penalty_amount_multiplier_msat`, in 2^30ths of the amount.
const LDK_BASE_MULTIPLIER: u64 = 131_072;
/// LDK 0.2 `anti_probing_penalty_msat`, for channels that take half their capacity in one HTLC, which
/// nearly all do.
const LDK_ANTI_PROBING_MSAT: u64 = 250;
/// LDK 0.2 `historical_liquidity_penalty_multiplier_msat`, times the negative decimal logarithm of
/// the success probability.
const LDK_LIQUIDITY_MSAT: u64 = 10_000;
/// LDK 0.2 `historical_liquidity_penalty_amount_multiplier_msat`, in 2^20ths of the amount, times
/// the same logarithm.
const LDK_LIQUIDITY_MULTIPLIER: u64 = 1_250;
/// LDK 0.2 `MIN_ZERO_IMPLIES_NO_SUCCESSES_PENALTY_ON_64`: of channels that carried nothing so far,
/// 64 in 78 are taken to be alive.
const LDK_UNPROVEN_ON_64: u64 = 78;
/// LDK 0.2 `NEGATIVE_LOG10_UPPER_BOUND`, times 65,536.
const LDK_LOG_MAX_Q16: u64 = 2 << 16;

/// 65,536 times the decimal logarithm of two.
const LOG10_OF_2_Q16: u64 = 19_728;

/// Whose eyes the network is seen with. All weigh in msat, with the defaults that they ship.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SenderModel {
    /// Fees alone: Core Lightning's `getroute` at risk factor 0.
    FeeOnly,
    /// LND: fee, timelock risk, the cost of an attempt, and inbound fees.
    ///
    /// LND divides the cost of an attempt by the whole route's success probability, 0.6 for each hop
    /// that it knows nothing of. As a sum over hops, which Dijkstra needs, each hop bears one
    /// attempt's cost here: LND's own step is 1.2 of it from two hops to three, 2.0 from three to four.
    #[default]
    Lnd,
    /// LDK's probabilistic scorer without history: fee, base penalty, and liquidity penalty under
    /// balances that lie mostly at the ends (density `1/256 + 9 (x - 1/2)^8`).
    Ldk,
}

impl SenderModel {
    /// The name that stands in options and settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FeeOnly => "fee",
            Self::Lnd => "lnd",
            Self::Ldk => "ldk",
        }
    }
}

/// A name that no sender has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("lnd, ldk or fee is expected")]
pub struct ParseSenderError;

impl FromStr for SenderModel {
    type Err = ParseSenderError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::FeeOnly, Self::Lnd, Self::Ldk];
        let named = all.into_iter().find(|sender| sender.as_str() == text);
        named.ok_or(ParseSenderError)
    }
}

impl SenderModel {
    /// What the sender counts for a forwarder's policy: fee and timelock, held at `u64::MAX`.
    pub fn charge(self, policy: &ChannelPolicy, amount: Msat) -> u64 {
        let timelock = self.timelock(policy.cltv_delta, amount);
        fee(policy, amount).saturating_add(timelock)
    }

    /// What the sender counts for one more hop, whoever forwards; `None` when the amount cannot fit.
    pub fn hop(self, amount: Msat, capacity: Sat) -> Option<u64> {
        let capacity = capacity.to_msat_saturating().get();
        if amount.get() > capacity {
            return None;
        }
        Some(match self {
            Self::FeeOnly => 0,
            Self::Lnd => lnd_attempt(amount),
            Self::Ldk => ldk_hop(amount.get(), capacity),
        })
    }

    /// What the sender counts for its own first hop, over whichever of its channels.
    pub fn first_hop(self, amount: Msat) -> u64 {
        match self {
            Self::FeeOnly | Self::Ldk => 0,
            Self::Lnd => lnd_attempt(amount),
        }
    }

    /// What the sender counts for so many blocks in a lock.
    pub(super) fn timelock(self, blocks: u16, amount: Msat) -> u64 {
        match self {
            Self::FeeOnly | Self::Ldk => 0,
            Self::Lnd => scale(
                amount.get(),
                u64::from(blocks) * LND_RISK_BILLIONTHS,
                1_000_000_000,
            ),
        }
    }

    /// What the sender counts for an inbound fee (base in msat, rate in millionths) on `amount`:
    /// a discount is negative, and rounded towards nothing as in LND.
    pub(super) fn inbound(self, (base, rate): (i32, i32), amount: Msat) -> i64 {
        match self {
            Self::FeeOnly | Self::Ldk => 0,
            Self::Lnd => {
                let rate = rate.clamp(-LND_INBOUND_RATE_MAX, LND_INBOUND_RATE_MAX);
                let part = i128::from(amount.get()) * i128::from(rate) / 1_000_000;
                let whole = part + i128::from(base);
                // Never beyond the bounds: ten times 2^64 would be.
                whole.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
            }
        }
    }

    /// Of parallel channels, LND counts on the one that charges most: by BOLT 4 a forwarder may use
    /// any channel to the next node, and then each must be paid for.
    pub(super) fn expects_the_dearest(self) -> bool {
        self == Self::Lnd
    }
}

/// The outgoing fee, held at `u64::MAX`.
pub(super) fn fee(policy: &ChannelPolicy, amount: Msat) -> u64 {
    policy.fee(amount).map_or(u64::MAX, Msat::get)
}

fn lnd_attempt(amount: Msat) -> u64 {
    LND_ATTEMPT_MSAT.saturating_add(scale(amount.get(), LND_ATTEMPT_PPM, 1_000_000))
}

fn ldk_hop(amount: u64, capacity: u64) -> u64 {
    let base = LDK_BASE_MSAT.saturating_add(scale(amount, LDK_BASE_MULTIPLIER, 1 << 30));
    let by_amount = scale(amount, LDK_LIQUIDITY_MULTIPLIER, 1 << 20);
    let liquidity = LDK_LIQUIDITY_MSAT.saturating_add(by_amount);
    base.saturating_add(LDK_ANTI_PROBING_MSAT)
        .saturating_add(scale(liquidity, ldk_log_q16(amount, capacity), 1 << 16))
}

/// 65,536 times the negative decimal logarithm of the chance that the channel carries the amount.
///
/// With s = 2 amount / capacity - 1, from -1 to 1, the density's integral from the amount to the
/// capacity is (2 - s - s^9) / 4 of the whole.
fn ldk_log_q16(amount: u64, capacity: u64) -> u64 {
    const ONE: i128 = 1 << 30;
    let s = (2 * i128::from(amount) * ONE / i128::from(capacity.max(1)) - ONE).clamp(-ONE, ONE);
    let times = |a: i128, b: i128| a * b / ONE;
    let square = times(s, s);
    let fourth = times(square, square);
    let ninth = times(times(fourth, fourth), s);
    // From 0 to 2^32, so that both products keep within 64 bits.
    let chance = u64::try_from(2 * ONE - s - ninth).unwrap_or(0);
    let whole = (4 * ONE as u64) * LDK_UNPROVEN_ON_64;
    log10_q16(whole, (64 * chance).max(1)).min(LDK_LOG_MAX_Q16)
}

fn scale(value: u64, by: u64, over: u64) -> u64 {
    let scaled = u128::from(value) * u128::from(by) / u128::from(over);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// 65,536 times the decimal logarithm of `whole / part`, rounded down; `part` is from 1 to `whole`.
fn log10_q16(whole: u64, part: u64) -> u64 {
    let exponent = (whole / part).ilog2();
    // The ratio over its power of two, from one to two, in 32 bits behind the point.
    let mut mantissa = (u128::from(whole) << 32) / (u128::from(part) << exponent);
    let mut log2 = u64::from(exponent) << 16;
    for bit in (0..16).rev() {
        mantissa = (mantissa * mantissa) >> 32;
        if mantissa >> 33 != 0 {
            mantissa >>= 1;
            log2 |= 1 << bit;
        }
    }
    (log2 * LOG10_OF_2_Q16) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::Ppm;

    const AMOUNT: Msat = Msat::new(60_000_000);

    fn policy(base: u64, rate: u32, cltv_delta: u16) -> ChannelPolicy {
        ChannelPolicy {
            base: Msat::new(base),
            rate: Ppm::new(rate),
            cltv_delta,
            htlc_minimum: Msat::ZERO,
            htlc_maximum: Msat::new(u64::MAX),
            disabled: false,
            inbound_base_msat: 0,
            inbound_ppm: 0,
        }
    }

    #[test]
    fn lnd_counts_attempts_and_timelocks() {
        let hop = SenderModel::Lnd.hop(AMOUNT, Sat::new(1_000_000));
        assert_eq!(hop, Some(100_000 + 60_000));
        let charge = SenderModel::Lnd.charge(&policy(1_000, 100, 80), AMOUNT);
        assert_eq!(charge, 1_000 + 6_000 + 72);
        let fees = SenderModel::FeeOnly.charge(&policy(1_000, 100, 80), AMOUNT);
        assert_eq!(fees, 7_000);
    }

    /// The same by floating point, from the formula in LDK's source.
    fn ldk_float(amount: f64, capacity: f64) -> f64 {
        let x = amount / capacity - 0.5;
        let chance = (1.0 / 256.0 - x / 256.0 - x.powi(9)) * 128.0 * 64.0 / 78.0;
        let log = (-chance.log10()).min(2.0);
        1_024.0 + 250.0 + amount / 8_192.0 + (10_000.0 + amount * 1_250.0 / 1_048_576.0) * log
    }

    #[test]
    fn ldk_shuns_tight_channels() {
        for sat in [60_001, 61_000, 66_667, 100_000, 120_000, 1_000_000, 1 << 40] {
            let hop = SenderModel::Ldk.hop(AMOUNT, Sat::new(sat)).unwrap();
            let expected = ldk_float(60_000_000.0, sat as f64 * 1_000.0);
            assert!(
                (hop as f64 - expected).abs() < 20.0,
                "{sat}: {hop} {expected}"
            );
        }
        assert_eq!(SenderModel::Ldk.first_hop(AMOUNT), 0);
    }

    #[test]
    fn only_lnd_counts_inbound_fees() {
        let count = |sender: SenderModel, inbound| sender.inbound(inbound, AMOUNT);
        assert_eq!(count(SenderModel::Lnd, (-7, -100)), -6_007);
        assert_eq!(count(SenderModel::Lnd, (7, 100)), 6_007);
        assert_eq!(count(SenderModel::Lnd, (0, i32::MIN)), -600_000_000);
        assert_eq!(count(SenderModel::Ldk, (-7, -100)), 0);
        assert_eq!(count(SenderModel::FeeOnly, (-7, -100)), 0);
        let most = Msat::new(u64::MAX);
        assert_eq!(SenderModel::Lnd.inbound((0, i32::MAX), most), i64::MAX);
    }

    #[test]
    fn the_logarithm_is_right_to_four_places() {
        for (whole, part, expected) in [(10, 1, 65_536), (1, 1, 0), (1_000, 1, 196_608)] {
            let log = log10_q16(whole, part);
            assert!(log.abs_diff(expected) < 7, "{whole}/{part}: {log}");
        }
        assert!(log10_q16(u64::MAX, 1).abs_diff(1_262_611) < 60);
    }

    #[test]
    fn absurd_policies_saturate() {
        for sender in [SenderModel::FeeOnly, SenderModel::Lnd, SenderModel::Ldk] {
            let absurd = policy(u64::from(u32::MAX), u32::MAX, u16::MAX);
            assert_eq!(sender.charge(&absurd, Msat::new(u64::MAX)), u64::MAX);
            assert_eq!(sender.hop(AMOUNT, Sat::new(59_999)), None);
            assert!(
                sender
                    .hop(Msat::new(u64::MAX), Sat::new(u64::MAX))
                    .is_some()
            );
        }
    }
}
