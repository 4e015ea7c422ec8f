//! The half of single-decree Paxos that asks: one attempt in one ballot.

use super::quorum::Quorum;
use std::collections::BTreeMap;

/// One attempt: collects promises, takes over what may have been chosen before, collects acceptances.
/// Unsigned and pure, so that the model check runs the very code that decides. `S` is what the
/// certificate keeps of an acceptance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proposer<N, B, V, S> {
    ballot: B,
    own: V,
    promises: BTreeMap<N, Option<(B, V)>>,
    proposed: Option<V>,
    acceptances: BTreeMap<N, S>,
}

/// Whose value a proposal carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The proposer's own.
    Own,
    /// One that a promise reported, so that an earlier attempt may have decided it.
    Adopted,
}

impl<N, B, V, S> Proposer<N, B, V, S>
where
    N: Ord + Copy,
    B: Ord + Copy,
    V: Clone + PartialEq,
{
    /// An attempt in `ballot` that proposes `own` when it is free to.
    pub const fn new(ballot: B, own: V) -> Self {
        Self {
            ballot,
            own,
            promises: BTreeMap::new(),
            proposed: None,
            acceptances: BTreeMap::new(),
        }
    }

    /// The attempt's ballot.
    pub const fn ballot(&self) -> &B {
        &self.ballot
    }

    /// The value that it wants.
    pub const fn own(&self) -> &V {
        &self.own
    }

    /// What it proposed, once a quorum promised.
    pub const fn proposed(&self) -> Option<&V> {
        self.proposed.as_ref()
    }

    /// Whether this member answered in the present phase.
    pub fn heard(&self, from: &N) -> bool {
        match self.proposed {
            None => self.promises.contains_key(from),
            Some(_) => self.acceptances.contains_key(from),
        }
    }

    /// Takes a promise. A report of an acceptance at or above the attempt's own ballot is none that
    /// an honest acceptor makes, and is left out.
    pub fn on_promise(&mut self, from: N, accepted: Option<(B, V)>) {
        let plausible = accepted.as_ref().is_none_or(|(at, _)| *at < self.ballot);
        if self.proposed.is_none() && plausible {
            self.promises.insert(from, accepted);
        }
    }

    /// What to propose now that these promises are there; once only, and not before a quorum.
    ///
    /// The value accepted in the highest reported ballot is taken over when a quorum may have
    /// accepted it: when those that report it, with those that were not heard, are one. A value that
    /// too few accepted is free to be dropped. `wait` may ask to hear more members before taking over.
    pub fn choose(
        &mut self,
        quorum: &Quorum<N>,
        wait: impl FnOnce(&V) -> bool,
    ) -> Option<(V, Origin)> {
        if self.proposed.is_some() || !quorum.reached(|node| self.promises.contains_key(node)) {
            return None;
        }
        let choice = match self.maybe_chosen(quorum) {
            Some(value) if wait(&value) => return None,
            Some(value) => (value, Origin::Adopted),
            None => (self.own.clone(), Origin::Own),
        };
        self.proposed = Some(choice.0.clone());
        Some(choice)
    }

    fn maybe_chosen(&self, quorum: &Quorum<N>) -> Option<V> {
        let reports = self.promises.values().flatten();
        let (_, value) = reports.max_by_key(|(at, _)| *at)?;
        let may_have_accepted = |node: &N| match self.promises.get(node) {
            None => true,
            Some(report) => report.as_ref().is_some_and(|(_, held)| held == value),
        };
        quorum.reached(may_have_accepted).then(|| value.clone())
    }

    /// Takes an acceptance of what was proposed.
    pub fn on_accepted(&mut self, from: N, proof: S) {
        if self.proposed.is_some() {
            self.acceptances.entry(from).or_insert(proof);
        }
    }

    /// The acceptances, once they decide.
    pub fn decided(&self, quorum: &Quorum<N>) -> Option<&BTreeMap<N, S>> {
        quorum
            .reached(|node| self.acceptances.contains_key(node))
            .then_some(&self.acceptances)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Quorum<u8> {
        Quorum::new([1, 2, 3].into(), 1)
    }

    #[test]
    fn what_a_quorum_may_hold_is_taken_over() {
        let mut proposer = Proposer::<_, _, _, ()>::new(5, 'o');
        proposer.on_promise(1, None);
        assert_eq!(proposer.choose(&three(), |_| false), None);
        proposer.on_promise(2, Some((3, 'a')));
        assert_eq!(
            proposer.choose(&three(), |_| false),
            Some(('a', Origin::Adopted))
        );
        assert_eq!(proposer.choose(&three(), |_| false), None);
    }

    #[test]
    fn what_no_quorum_can_hold_is_dropped() {
        let mut proposer = Proposer::<_, _, _, ()>::new(5, 'o');
        proposer.on_promise(1, None);
        proposer.on_promise(2, Some((3, 'a')));
        assert_eq!(proposer.choose(&three(), |_| true), None);
        proposer.on_promise(3, None);
        assert_eq!(
            proposer.choose(&three(), |_| true),
            Some(('o', Origin::Own))
        );
    }

    #[test]
    fn acceptances_count_after_the_proposal() {
        let mut proposer = Proposer::new(5, 'o');
        proposer.on_promise(1, None);
        proposer.on_promise(2, Some((9, 'x')));
        proposer.on_accepted(2, ());
        assert_eq!(proposer.choose(&three(), |_| false), None);
        proposer.on_promise(2, None);
        assert_eq!(
            proposer.choose(&three(), |_| false),
            Some(('o', Origin::Own))
        );
        proposer.on_accepted(2, ());
        assert!(proposer.decided(&three()).is_none());
        proposer.on_accepted(3, ());
        assert!(proposer.decided(&three()).is_some());
    }
}
