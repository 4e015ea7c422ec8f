//! What a fellow claims in its heartbeats, held against what this member knows for certain.
//!
//! Three things can be known: the balance of a channel with ourselves, which the claim may not exceed;
//! a channel that the graph shows between two other nodes; and, with patience, that most of the
//! channels told exist nowhere in the graph. Plans never rest on any of them: what a fellow can send is
//! held to the graph's capacity, and what the graph does not show is left out (case T28).

use hive_types::limits::{
    CLAIM_CONTRADICTIONS, CLAIM_SLACK, CLAIM_SPACING, CLAIM_UNKNOWN_AFTER, CLAIM_UNKNOWN_MIN,
};
use hive_types::{Elapsed, Msat, Sat};

/// One heartbeat of a fellow, compared with what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Which one: epoch and counter of its record.
    pub version: (u64, u64),
    /// When it was compared.
    pub at: Elapsed,
    /// What contradicts what is known for certain, in words and numbers.
    pub contradiction: Option<String>,
    /// Channels that it tells of and that are old enough for the graph.
    pub told: usize,
    /// Of those, the ones that the graph does not know.
    pub unknown: usize,
}

/// What a fellow's heartbeats amount to. Times are of the running boot; nothing of it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    last: Option<((u64, u64), Elapsed)>,
    streak: u32,
    unknown_since: Option<Elapsed>,
    evidence: String,
}

impl Claims {
    /// Whether comparing this heartbeat now would say anything: it is another one than the last, and
    /// long enough after it.
    pub fn is_due(&self, version: (u64, u64), at: Elapsed) -> bool {
        self.last
            .is_none_or(|(before, since)| version != before && at.since(since) >= CLAIM_SPACING)
    }

    /// Takes in one comparison, if it is due.
    pub fn hear(&mut self, compared: Compared) {
        if !self.is_due(compared.version, compared.at) {
            return;
        }
        self.last = Some((compared.version, compared.at));
        let (unknown, told) = (compared.unknown, compared.told);
        if unknown >= CLAIM_UNKNOWN_MIN && 2 * unknown > told {
            self.unknown_since.get_or_insert(compared.at);
            self.evidence =
                format!("tells of {told} channels, {unknown} of which nobody announced");
        } else {
            self.unknown_since = None;
        }
        match compared.contradiction {
            Some(contradiction) => {
                self.streak = self.streak.saturating_add(1);
                self.evidence = contradiction;
            }
            None => self.streak = 0,
        }
    }

    /// Whether the claims are false, beyond what delays and gaps in the graph explain.
    pub fn are_false(&self) -> bool {
        let is_late = |since: Elapsed| {
            let last = self.last.map_or(since, |(_, at)| at);
            last.since(since) >= CLAIM_UNKNOWN_AFTER
        };
        self.streak >= CLAIM_CONTRADICTIONS || self.unknown_since.is_some_and(is_late)
    }

    /// Whether nothing speaks against them any more.
    pub const fn are_right(&self) -> bool {
        self.last.is_some() && self.streak == 0 && self.unknown_since.is_none()
    }

    /// What was last seen against them.
    pub fn evidence(&self) -> &str {
        &self.evidence
    }
}

/// Own samples of what this node can send over one channel, of half an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances(Vec<(Elapsed, Msat)>);

/// Between two samples; what is least in between counts.
const SPACING: u64 = 60_000;

/// Samples that are kept: as long as a heartbeat may be under way before it is stale.
const KEPT: u64 = 1_800_000;

impl Balances {
    /// Takes a sample.
    pub fn note(&mut self, at: Elapsed, spendable: Msat) {
        match self.0.last_mut() {
            Some((since, least)) if at.since(*since).get() < SPACING => {
                *least = (*least).min(spendable);
            }
            _ => self.0.push((at, spendable)),
        }
        self.0.retain(|(since, _)| at.since(*since).get() <= KEPT);
    }

    /// What a fellow's claim on this channel is above the most that it can have had in that time;
    /// `None` where it is not, or where this member has not watched for long enough to say.
    pub fn excess(&self, at: Elapsed, capacity: Sat, claimed: Msat) -> Option<Msat> {
        let (first, _) = self.0.first()?;
        if at.since(*first) < CLAIM_SPACING {
            return None;
        }
        let least = self.0.iter().map(|(_, spendable)| *spendable).min()?;
        let whole = capacity.to_msat_saturating();
        let most = whole.saturating_sub(least);
        let slack = CLAIM_SLACK.fee_on(whole)?;
        let excess = claimed.saturating_sub(most);
        (excess > slack).then_some(excess)
    }
}
