//! The half of single-decree Paxos that remembers: one acceptor, one slot.

use serde::{Deserialize, Serialize};

/// What an acceptor must never forget while its slot is open. Unsigned and pure, so that the model
/// check runs the very code that decides.
///
/// Whoever drives it makes the state durable before any answer leaves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Acceptor<B, V> {
    promised: Option<B>,
    accepted: Option<(B, V)>,
}

/// The answer to a prepare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared<B, V> {
    /// It takes part in nothing below the ballot, and this is what it accepted so far.
    Promise(Option<(B, V)>),
    /// It promised this higher ballot before.
    Behind(B),
}

/// The answer to a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposed<B> {
    /// Accepted, now or before.
    Accepted,
    /// It promised this higher ballot before.
    Behind(B),
    /// It accepted another value in this very ballot: the proposer forgot or lies.
    Conflict,
}

impl<B, V> Default for Acceptor<B, V> {
    fn default() -> Self {
        Self {
            promised: None,
            accepted: None,
        }
    }
}

impl<B: Ord + Copy, V: Clone + PartialEq> Acceptor<B, V> {
    /// The highest ballot that it promised or accepted.
    pub const fn promised(&self) -> Option<&B> {
        self.promised.as_ref()
    }

    /// What it accepted last.
    pub const fn accepted(&self) -> Option<&(B, V)> {
        self.accepted.as_ref()
    }

    /// Promises `ballot` unless a higher one was promised. Repeating a prepare repeats the promise.
    pub fn on_prepare(&mut self, ballot: B) -> Prepared<B, V> {
        match self.promised {
            Some(promised) if promised > ballot => Prepared::Behind(promised),
            _ => {
                self.promised = Some(ballot);
                Prepared::Promise(self.accepted.clone())
            }
        }
    }

    /// Accepts `value` unless a higher ballot was promised.
    pub fn on_propose(&mut self, ballot: B, value: &V) -> Proposed<B> {
        if let Some(promised) = self.promised.filter(|promised| *promised > ballot) {
            return Proposed::Behind(promised);
        }
        match &self.accepted {
            Some((before, other)) if *before == ballot && other != value => Proposed::Conflict,
            _ => {
                self.promised = Some(ballot);
                self.accepted = Some((ballot, value.clone()));
                Proposed::Accepted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_binds_and_repeats() {
        let mut acceptor = Acceptor::default();
        assert_eq!(acceptor.on_prepare(2), Prepared::Promise(None));
        assert_eq!(acceptor.on_prepare(2), Prepared::Promise(None));
        assert_eq!(acceptor.on_prepare(1), Prepared::Behind(2));
        assert_eq!(acceptor.on_propose(1, &'a'), Proposed::Behind(2));
        assert_eq!(acceptor.on_propose(2, &'a'), Proposed::Accepted);
        assert_eq!(acceptor.on_propose(2, &'a'), Proposed::Accepted);
        assert_eq!(acceptor.on_propose(2, &'b'), Proposed::Conflict);
        assert_eq!(acceptor.on_prepare(3), Prepared::Promise(Some((2, 'a'))));
        assert_eq!(acceptor.on_propose(4, &'b'), Proposed::Accepted);
        assert_eq!(acceptor.on_prepare(3), Prepared::Behind(4));
    }
}
