//! How well a fellow forwards, as far as this member can tell: a beta posterior with decay.
//!
//! With `s` and `f` the decayed weights of successes and failures, and the prior Beta(1, 1):
//!
//! ```text
//! a = 1 + s        b = 1 + f        n = a + b
//! mean = a / n     deviation = sqrt(a b / (n^2 (n + 1)))
//! low = mean - 2 deviation          high = mean + 2 deviation
//! ```
//!
//! Both weights halve every [`REPUTATION_HALF_LIFE`]; when together they exceed
//! [`REPUTATION_MEMORY`], both shrink in proportion. What third parties report is added to `f` for
//! display only, and weighs [`REPORTS_WEIGHT`] at most: nothing follows from it. All is reckoned in
//! millionths, without floating point.

use hive_types::limits::{
    BLACK_HOLE_BELOW, BLACK_HOLE_EXITS, BLACK_HOLE_FAILURES, BLACK_HOLE_OVER, HELD_WEIGHT,
    REPORT_INTERVAL, REPORT_WEIGHT, REPORTS_WEIGHT, REPUTATION_HALF_LIFE, REPUTATION_MEMORY,
    REPUTATION_PRIOR,
};
use hive_types::{Millis, NodeId, Ppm, UnixMillis};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const MILLION: u64 = 1_000_000;

/// Decay goes in steps of a sixty-fourth of the half-life, two and a half hours.
const STEP: Millis = Millis::new(REPUTATION_HALF_LIFE.get() / 64);

/// 2^(-1/64) in units of 2^-32: what is left after one step.
const STEP_FACTOR: u64 = 4_248_701_965;

/// Failures remembered with their exits: twice as many as convict.
const FAILURES_KEPT: usize = 2 * BLACK_HOLE_FAILURES;

/// What was seen of a fellow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// It forwarded.
    Forwarded,
    /// It failed at once what it says it can forward.
    Failed,
    /// It neither forwarded nor failed.
    Held,
}

/// How well a fellow forwards, for display and for decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Expected success rate.
    pub mean: Ppm,
    /// Lower end of the credible interval of two deviations.
    pub low: Ppm,
    /// Upper end.
    pub high: Ppm,
    /// Own observations that count now, in millionths of one.
    pub samples: u64,
}

/// What this member knows of one fellow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reputation {
    /// Weight of successes, in millionths.
    good: u64,
    /// Weight of failures, in millionths.
    bad: u64,
    /// Weight of what others report, in millionths.
    heard: u64,
    /// When the weights were last decayed.
    at: UnixMillis,
    /// Nodes behind the fellow that failed probes went to, newest last.
    failures: Vec<NodeId>,
    /// When each reporter's word was last counted.
    reporters: BTreeMap<NodeId, UnixMillis>,
}

impl Reputation {
    /// Counts what this member saw itself; `exit` is the node behind the fellow.
    pub fn see(&mut self, seen: Seen, exit: NodeId, at: UnixMillis) {
        self.decay(at);
        match seen {
            Seen::Forwarded => self.good = self.good.saturating_add(MILLION),
            Seen::Failed => self.blame(MILLION, exit),
            Seen::Held => self.blame(HELD_WEIGHT, exit),
        }
        self.shrink();
    }

    /// Takes back that a probe was held: it came back from behind the fellow after all.
    pub fn unsee_held(&mut self, exit: NodeId) {
        if let Some(place) = self.failures.iter().rposition(|failed| *failed == exit) {
            self.failures.remove(place);
            self.bad = self.bad.saturating_sub(HELD_WEIGHT);
        }
    }

    /// Counts a third party's word that the fellow fails: once a day each, little, and not above
    /// [`REPORTS_WEIGHT`] in all.
    pub fn hear_failure(&mut self, reporter: NodeId, at: UnixMillis) {
        self.decay(at);
        let before = self.reporters.get(&reporter);
        if before.is_some_and(|before| at.since(*before) < REPORT_INTERVAL) {
            return;
        }
        // Only as many as a fleet has members can be here: outsiders' words are not heard.
        self.reporters.insert(reporter, at);
        self.heard = (self.heard + REPORT_WEIGHT).min(REPORTS_WEIGHT);
    }

    /// What is shown: own observations, with others' words as far as they weigh.
    pub fn shown(&self) -> Estimate {
        estimate(
            self.good,
            self.bad.saturating_add(self.heard),
            self.samples(),
        )
    }

    /// What decisions rest on: own observations alone.
    pub fn own(&self) -> Estimate {
        estimate(self.good, self.bad, self.samples())
    }

    /// Own observations that count now, in millionths of one.
    pub const fn samples(&self) -> u64 {
        self.good.saturating_add(self.bad)
    }

    /// Whether payments end in this fellow: enough own failures, towards different nodes, and even
    /// the upper bound of its success rate is low.
    pub fn is_black_hole(&self) -> bool {
        let exits: BTreeSet<&NodeId> = self.failures.iter().collect();
        self.failures.len() >= BLACK_HOLE_FAILURES
            && exits.len() >= BLACK_HOLE_EXITS
            && self.own().high < BLACK_HOLE_BELOW
    }

    /// Whether one that was a black hole forwards again.
    pub fn has_recovered(&self) -> bool {
        self.own().mean > BLACK_HOLE_OVER
    }

    /// Begins anew with failures, after one was forgiven.
    pub fn forget_failures(&mut self) {
        self.failures.clear();
    }

    /// The failures that are remembered, for evidence.
    pub fn failures(&self) -> &[NodeId] {
        &self.failures
    }

    fn blame(&mut self, weight: u64, exit: NodeId) {
        self.bad = self.bad.saturating_add(weight);
        self.failures.push(exit);
        if self.failures.len() > FAILURES_KEPT {
            self.failures.remove(0);
        }
    }

    fn shrink(&mut self) {
        let all = self.samples();
        if all > REPUTATION_MEMORY {
            self.good = scale(self.good, REPUTATION_MEMORY, all);
            self.bad = scale(self.bad, REPUTATION_MEMORY, all);
        }
    }

    /// Lets time pass. A wall clock that goes back lets none pass until it has caught up.
    pub fn decay(&mut self, at: UnixMillis) {
        if self.samples() == 0 && self.heard == 0 {
            self.at = self.at.max(at);
            self.failures.clear();
            return;
        }
        let steps = at.since(self.at).get() / STEP.get();
        if steps == 0 {
            return;
        }
        self.at = self.at.plus(Millis::new(steps.saturating_mul(STEP.get())));
        let left = power(steps);
        for weight in [&mut self.good, &mut self.bad, &mut self.heard] {
            *weight = scale(*weight, left, 1 << 32);
        }
    }
}

/// What is left of one after so many steps, in units of 2^-32.
fn power(steps: u64) -> u64 {
    // After 64 half-lives nothing of any weight is left.
    if steps > 64 * 64 {
        return 0;
    }
    let (mut left, mut square, mut rest) = (1u64 << 32, STEP_FACTOR, steps);
    while rest > 0 {
        if rest & 1 == 1 {
            left = scale(left, square, 1 << 32);
        }
        square = scale(square, square, 1 << 32);
        rest >>= 1;
    }
    left
}

/// `value * part / whole`; `whole` is not zero and not below `part`.
fn scale(value: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(value) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(value)
}

fn estimate(good: u64, bad: u64, samples: u64) -> Estimate {
    let (a, b) = (
        REPUTATION_PRIOR.saturating_add(good),
        REPUTATION_PRIOR.saturating_add(bad),
    );
    let n = a.saturating_add(b);
    let mean = scale(MILLION, a, n);
    // a b / n^2 is mean times its complement; n + 1 in millionths divides it.
    let variance = scale(mean * (MILLION - mean), MILLION, n.saturating_add(MILLION));
    let two = 2 * variance.isqrt();
    let ppm = |value: u64| Ppm::new(u32::try_from(value.min(MILLION)).unwrap_or(u32::MAX));
    Estimate {
        mean: ppm(mean),
        low: ppm(mean.saturating_sub(two)),
        high: ppm(mean.saturating_add(two)),
        samples,
    }
}
