//! Chance from one seed, in whole numbers: the same seed draws the same on every machine.
//!
//! Each purpose has its own stream, so that one more draw for a message moves no block.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Parts per million.
const MILLION: u64 = 1_000_000;

/// SHA-256 over labelled parts, for keys and for figures that belong to a thing and not to a moment.
pub(crate) fn hash_of(label: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut engine = sha256::HashEngine::default();
    engine.input(&(label.len() as u64).to_le_bytes());
    engine.input(label.as_bytes());
    for part in parts {
        engine.input(&(part.len() as u64).to_le_bytes());
        engine.input(part);
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// A running hash over what happens.
#[derive(Clone, Default)]
pub(crate) struct Trace(sha256::HashEngine);

impl Trace {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.input(bytes);
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256::Hash::from_engine(self.0.clone()).to_byte_array()
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({:02x?})", self.hash())
    }
}

/// One stream of chance.
#[derive(Clone, Debug)]
pub(crate) struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream `label` of `seed`.
    pub(crate) fn new(seed: &[u8; 32], label: &str) -> Self {
        Self(ChaCha8Rng::from_seed(hash_of(label, &[seed])))
    }

    /// A stream that belongs to one thing: the same however many others were asked before.
    pub(crate) fn of(seed: &[u8; 32], label: &str, parts: &[&[u8]]) -> Self {
        let mut all: Vec<&[u8]> = vec![seed];
        all.extend_from_slice(parts);
        Self(ChaCha8Rng::from_seed(hash_of(label, &all)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number under `end`; zero when `end` is zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// A number in `low..=high`; `low` when the range is empty.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True `ppm` times in a million.
    pub(crate) fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.below(MILLION) < u64::from(ppm)
    }

    /// An exponentially distributed span: the gaps of a Poisson process.
    pub(crate) fn exponential(&mut self, mean: u64) -> u64 {
        let uniform = (self.next() >> 32) + 1;
        ((u128::from(mean) * u128::from(neg_ln(uniform))) >> 32) as u64
    }

    /// A value by its quantiles: `table` holds the values at equal steps of probability, from 0 to 1.
    pub(crate) fn quantile(&mut self, table: &[u64]) -> u64 {
        Self::at(table, self.next())
    }

    /// The value at `point` of 2^64 of a quantile table.
    pub(crate) fn at(table: &[u64], point: u64) -> u64 {
        let steps = table.len().saturating_sub(1) as u64;
        let place = u128::from(point) * u128::from(steps);
        let (step, rest) = ((place >> 64) as usize, (place >> 32) as u32);
        let low = table.get(step).copied().unwrap_or(0);
        let high = table.get(step + 1).copied().unwrap_or(low).max(low);
        low + ((u128::from(high - low) * u128::from(rest)) >> 32) as u64
    }
}

/// `-ln(x / 2^32)` with 32 fractional bits, for `x` in `1..=2^32`. Whole-number arithmetic: the
/// floating-point logarithm differs in its last bit between platforms.
fn neg_ln(x: u64) -> u64 {
    const LN_2: u128 = 2_977_044_472;
    let whole = 63 - x.leading_zeros();
    let mut mantissa = u128::from(x) << (63 - whole);
    let mut log2 = u128::from(whole) << 32;
    for bit in (0..32).rev() {
        mantissa = (mantissa * mantissa) >> 63;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            log2 |= 1 << bit;
        }
    }
    ((((32u128 << 32) - log2) * LN_2) >> 32) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_is_right_to_nine_digits() {
        for x in [1u64, 2, 3, 1000, 1 << 31, (1 << 32) - 1, 1 << 32] {
            let ours = neg_ln(x) as f64 / 4_294_967_296.0;
            let theirs = -((x as f64) / 4_294_967_296.0).ln();
            assert!((ours - theirs).abs() < 1e-8, "{x}: {ours} {theirs}");
        }
    }

    #[test]
    fn streams_differ_and_repeat() {
        let draw = |label| Rng::new(&[7; 32], label).next();
        assert_eq!(draw("a"), draw("a"));
        assert_ne!(draw("a"), draw("b"));
        let mut rng = Rng::new(&[7; 32], "mean");
        let mean = (0..20_000).map(|_| rng.exponential(600_000)).sum::<u64>() / 20_000;
        assert!((580_000..620_000).contains(&mean), "{mean}");
        assert!((0..1000).all(|_| (5..=9).contains(&rng.quantile(&[5, 6, 9]))));
    }
}
