//! What a fellow claims in its heartbeats, held against what this member knows for certain.
//!
//! Three things can be known: the balance of a channel with ourselves, which the claim may not exceed;
//! a channel that the graph shows between two other nodes; and, with patience, that most of the
//! channels told exist nowhere in the graph. Plans never rest on any of them: what a fellow can send is
//! held to the graph's capacity, and what the graph does not show is left out (case T28).

use hive_types::limits::{
    CLAIM_CONTRADICTIONS, CLAIM_OPEN_MOST, CLAIM_SLACK, CLAIM_SPACING, CLAIM_UNKNOWN_AFTER,
    CLAIM_UNKNOWN_MIN,
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
    /// Whether it tells of a channel with ourselves of which nothing can be said now, so that silence
    /// is no agreement.
    pub is_open: bool,
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
    /// Since when nothing could be said of the channels with ourselves.
    open_since: Option<Elapsed>,
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
        if let Some(contradiction) = compared.contradiction {
            self.streak = self.streak.saturating_add(1);
            self.evidence = contradiction;
            self.open_since = None;
        } else if compared.is_open {
            self.open_since.get_or_insert(compared.at);
            if !self.is_open() {
                self.streak = 0;
            }
        } else {
            (self.streak, self.open_since) = (0, None);
        }
    }

    /// Whether what was said before stands, as nothing could be said since and that not for long.
    fn is_open(&self) -> bool {
        let last = self.last.map(|(_, at)| at).unwrap_or_default();
        self.open_since
            .is_some_and(|since| last.since(since) < CLAIM_OPEN_MOST)
    }

    /// Whether the claims are false, beyond what delays and gaps in the graph explain.
    pub fn are_false(&self) -> bool {
        let is_late = |since: Elapsed| {
            let last = self.last.map_or(since, |(_, at)| at);
            last.since(since) >= CLAIM_UNKNOWN_AFTER
        };
        self.streak >= CLAIM_CONTRADICTIONS || self.unknown_since.is_some_and(is_late)
    }

    /// Whether nothing speaks against them any more. After a restart, and while our side of a channel is
    /// next to empty, nothing can be said for a while: that takes no blame back.
    pub fn are_right(&self) -> bool {
        let is_clean = self.streak == 0 && self.unknown_since.is_none();
        self.last.is_some() && is_clean && !self.is_open()
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

    /// What a fellow's claim on this channel is above the most that it can have had in that time; zero
    /// where it fits within the slack. `None` where that can't be said: this member has not watched for
    /// long enough, or its own side was so small that no claim would stand out.
    pub fn excess(&self, at: Elapsed, capacity: Sat, claimed: Msat) -> Option<Msat> {
        let (first, _) = self.0.first()?;
        if at.since(*first) < CLAIM_SPACING {
            return None;
        }
        let least = self.0.iter().map(|(_, spendable)| *spendable).min()?;
        let whole = capacity.to_msat_saturating();
        let slack = CLAIM_SLACK.fee_on(whole)?;
        if least <= slack {
            return None;
        }
        let excess = claimed.saturating_sub(whole.saturating_sub(least));
        Some(if excess > slack { excess } else { Msat::ZERO })
    }
}
