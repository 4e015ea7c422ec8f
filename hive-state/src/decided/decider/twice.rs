//! Acceptances that were heard, to find who accepts two decisions in one ballot.

use super::output::DeciderOutput;
use hive_proto::{Ballot, Epoch, Sealed, Slot};
use hive_types::limits::ACCEPTANCES_HEARD;
use hive_types::{Digest, NodeId};
use std::collections::{BTreeMap, VecDeque};

/// The newest acceptances of each full member, their seals checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(BTreeMap<NodeId, VecDeque<One>>);

#[derive(Clone, Debug)]
struct One {
    epoch: Epoch,
    slot: Slot,
    ballot: Ballot,
    decision: Digest,
    sealed: Sealed,
}

impl Heard {
    /// Notes an acceptance. An honest acceptor accepts one decision in a ballot, also over restarts, and
    /// one that lost its memory speaks under a new epoch: two are a proof that needs nothing else.
    pub(super) fn note(
        &mut self,
        sealed: &Sealed,
        slot: Slot,
        ballot: Ballot,
        decision: Digest,
    ) -> Option<DeciderOutput> {
        let of_author = self.0.entry(sealed.author).or_default();
        let same = |one: &&One| (one.epoch, one.slot, one.ballot) == (sealed.epoch, slot, ballot);
        if let Some(known) = of_author.iter().find(same) {
            return (known.decision != decision).then(|| DeciderOutput::AcceptedTwice {
                acceptor: sealed.author,
                slot,
                proof: Box::new([known.sealed.clone(), sealed.clone()]),
            });
        }
        if of_author.len() >= ACCEPTANCES_HEARD {
            of_author.pop_front();
        }
        of_author.push_back(One {
            epoch: sealed.epoch,
            slot,
            ballot,
            decision,
            sealed: sealed.clone(),
        });
        None
    }

    /// Forgets who is none of these.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&NodeId) -> bool) {
        self.0.retain(|node, _| is_kept(node));
    }
}
