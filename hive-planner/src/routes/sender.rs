//! How the common senders weigh fees, timelocks, hops and liquidity.

use hive_types::{ChannelPolicy, Msat, Sat};
use serde::{Deserialize, Serialize};

/// LND `routing.DefaultAttemptCost`: what one failed attempt is worth avoiding, in msat.
const LND_ATTEMPT_MSAT: u64 = 100_000;
/// LND `routing.DefaultAttemptCostPPM`, the part that grows with the amount.
const LND_ATTEMPT_PPM: u64 = 1_000;
/// LND `routing.RiskFactorBillionths`: the price of locking an amount for one block.
const LND_RISK_BILLIONTHS: u64 = 15;

/// LDK 0.2 `ProbabilisticScoringFeeParameters::base_penalty_msat`.
const LDK_BASE_MSAT: u64 = 1_024;
/// LDK 0.2 `base_penalty_amount_multiplier_msat`, in 2^30ths of the amount.
const LDK_BASE_MULTIPLIER: u64 = 131_072;
/// LDK 0.2 `historical_liquidity_penalty_multiplier_msat`, times the negative decimal logarithm of
/// the success probability.
const LDK_LIQUIDITY_MSAT: u64 = 10_000;
/// LDK 0.2 `historical_liquidity_penalty_amount_multiplier_msat`, in 2^20ths of the amount, times
/// the same logarithm.
const LDK_LIQUIDITY_MULTIPLIER: u64 = 1_250;

/// 65,536 times the decimal logarithm of two.
const LOG10_OF_2_Q16: u64 = 19_728;

/// Whose eyes the network is seen with. All weigh in msat, with the defaults that they ship.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SenderModel {
    /// Fees alone.
    FeeOnly,
    /// LND's path finding (`routing/pathfind.go`): fee, timelock risk, and the cost of an attempt.
    /// LND divides the last by the whole route's success probability, which falls with each hop; as a
    /// sum over hops, which Dijkstra needs, each hop bears one attempt's cost here.
    #[default]
    Lnd,
    /// LDK's probabilistic scorer (`routing/scoring.rs`) without history: fee, base penalty, and
    /// liquidity penalty under balances that are equally likely anywhere within the capacity.
    Ldk,
}

impl SenderModel {
    /// What the sender counts for a forwarder's policy: fee and timelock, held at `u64::MAX`.
    pub fn charge(self, policy: &ChannelPolicy, amount: Msat) -> u64 {
        let fee = policy.fee(amount).map_or(u64::MAX, Msat::get);
        let timelock = match self {
            Self::FeeOnly | Self::Ldk => 0,
            Self::Lnd => scale(
                amount.get(),
                u64::from(policy.cltv_delta) * LND_RISK_BILLIONTHS,
                1_000_000_000,
            ),
        };
        fee.saturating_add(timelock)
    }

    /// What the sender counts for one more hop, whoever forwards; `None` when the amount cannot fit.
    pub fn hop(self, amount: Msat, capacity: Sat) -> Option<u64> {
        let capacity = capacity.to_msat_saturating().get();
        if amount.get() > capacity {
            return None;
        }
        Some(match self {
            Self::FeeOnly => 0,
            Self::Lnd => {
                LND_ATTEMPT_MSAT.saturating_add(scale(amount.get(), LND_ATTEMPT_PPM, 1_000_000))
            }
            Self::Ldk => ldk_hop(amount.get(), capacity),
        })
    }
}

fn ldk_hop(amount: u64, capacity: u64) -> u64 {
    let base = LDK_BASE_MSAT.saturating_add(scale(amount, LDK_BASE_MULTIPLIER, 1 << 30));
    let by_amount = scale(amount, LDK_LIQUIDITY_MULTIPLIER, 1 << 20);
    let liquidity = LDK_LIQUIDITY_MSAT.saturating_add(by_amount);
    let log = log10_q16(capacity, (capacity - amount).max(1));
    base.saturating_add(scale(liquidity, log, 1 << 16))
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

    #[test]
    fn ldk_shuns_tight_channels() {
        let wide = SenderModel::Ldk.hop(AMOUNT, Sat::new(100_000_000));
        let tight = SenderModel::Ldk.hop(AMOUNT, Sat::new(66_667));
        // 1,024 + 7,324 and hardly more; one in ten succeeds, so the liquidity term in full.
        assert!((8_348..8_400).contains(&wide.unwrap()), "{wide:?}");
        assert!((89_700..90_000).contains(&tight.unwrap()), "{tight:?}");
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
