//! Where the money is, which nobody sees.

use super::net::{Arc, Net};
use crate::Balances;
use hive_planner::demand::SplitMix;

/// LND `routing.DefaultBimodalScaleMsat`: how far balances lie from one end or the other.
pub(crate) const BIMODAL_SCALE_MSAT: f64 = 300_000_000.0;

/// One part in so many of the capacity stays on each side (BOLT 2 `channel_reserve_satoshis`; LND and
/// CLN take one percent).
pub(crate) const RESERVE_PART: u64 = 100;

/// A channel that the arm does not have goes half of the way back to where it began in this time: its
/// owners and other traffic move it too. Unknown; a day is this experiment's assumption.
pub(crate) const HALF_LIFE_SECONDS: u32 = 86_400;

/// Steps of a half-life in the table of decay.
const STEPS: usize = 64;

/// A channel under a part in so many on one side counts as depleted.
const DEPLETED_PART: u64 = 10;

/// Balances of all channels.
pub(crate) struct Ledger {
    /// What the smaller node id holds, in msat.
    first: Vec<u64>,
    home: Vec<u64>,
    /// When `first` was true, in seconds.
    at: Vec<u32>,
    /// 2^(-step / STEPS) in 65,536ths.
    decay: [u64; STEPS],
}

impl Ledger {
    /// Draws balances. A channel's draw depends on the seed and its place among the public channels
    /// alone, so all arms see the same network. The arm's own channels begin even.
    pub(crate) fn new(net: &Net, balances: Balances, seed: u64) -> Self {
        let mut chance = SplitMix::new(seed);
        let channels = net.capacity.iter().zip(&net.of_arm);
        let first: Vec<u64> = channels
            .map(|(capacity, of_arm)| {
                if *of_arm {
                    capacity / 2
                } else {
                    draw(*capacity, balances, &mut chance)
                }
            })
            .collect();
        let mut decay = [0; STEPS];
        for (step, part) in decay.iter_mut().enumerate() {
            *part = (65_536.0 * (-(step as f64) / STEPS as f64).exp2()) as u64;
        }
        Self {
            home: first.clone(),
            at: vec![0; first.len()],
            first,
            decay,
        }
    }

    /// What the near end of an arc can send now.
    pub(crate) fn spendable(&mut self, net: &Net, arc: Arc, now: u32) -> u64 {
        let channel = arc as usize / 2;
        if !net.of_arm[channel] {
            self.drift(channel, now);
        }
        self.side(net, arc)
            .saturating_sub(net.capacity[channel] / RESERVE_PART)
    }

    /// What the near end of an arc holds.
    pub(crate) fn side(&self, net: &Net, arc: Arc) -> u64 {
        let channel = arc as usize / 2;
        match arc & 1 {
            0 => self.first[channel],
            _ => net.capacity[channel] - self.first[channel],
        }
    }

    /// Moves money to the far end. The caller knows that it is there.
    pub(crate) fn send(&mut self, arc: Arc, amount: u64) {
        let first = &mut self.first[arc as usize / 2];
        *first = if arc & 1 == 0 {
            *first - amount
        } else {
            *first + amount
        };
    }

    fn drift(&mut self, channel: usize, now: u32) {
        let (first, home) = (self.first[channel], self.home[channel]);
        let passed = now - self.at[channel];
        self.at[channel] = now;
        if first == home || passed == 0 {
            return;
        }
        let steps = u64::from(passed) * STEPS as u64 / u64::from(HALF_LIFE_SECONDS);
        if steps == 0 {
            // Too soon to tell; the time is not lost.
            self.at[channel] = now - passed;
            return;
        }
        // Beyond so many halves nothing is left.
        let halves = (steps / STEPS as u64).min(80) as u32;
        let part = u128::from(self.decay[steps as usize % STEPS]);
        let off = (u128::from(first.abs_diff(home)) * part) >> (16 + halves);
        let off = u64::try_from(off).unwrap_or(0);
        self.first[channel] = if first > home { home + off } else { home - off };
    }

    /// Of the arm's channels, the part with little on one side; zero without any.
    pub(crate) fn depleted(&self, net: &Net) -> f64 {
        let own = || (0..self.first.len()).filter(|channel| net.of_arm[*channel]);
        let low = own().filter(|channel| {
            let (first, whole) = (self.first[*channel], net.capacity[*channel]);
            first.min(whole - first) * DEPLETED_PART < whole
        });
        low.count() as f64 / (own().count().max(1)) as f64
    }
}

fn draw(capacity: u64, balances: Balances, chance: &mut SplitMix) -> u64 {
    // Both draws are always made, so that one channel's kind does not shift the next one's chance.
    let (one, two) = (chance.next_u64(), chance.next_u64());
    match balances {
        Balances::Uniform => ((u128::from(one) * (u128::from(capacity) + 1)) >> 64) as u64,
        Balances::Bimodal => {
            let unit = (one >> 11) as f64 / (1u64 << 53) as f64;
            // The exponential cut at the capacity, by inversion.
            let whole = 1.0 - (-(capacity as f64) / BIMODAL_SCALE_MSAT).exp();
            let small = -BIMODAL_SCALE_MSAT * (1.0 - unit * whole).ln();
            let small = (small as u64).min(capacity);
            if two & 1 == 0 {
                small
            } else {
                capacity - small
            }
        }
    }
}

#[cfg(test)]
mod tests;
