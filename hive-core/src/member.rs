//! What a member holds of its fleet: its keys, what is merged, what is decided, and who is at the
//! door.

use crate::beat::Heart;
use crate::claims::ClaimWatch;
use crate::clocks::Clocks;
use crate::drain::Drains;
use crate::identity::Identity;
use crate::join::NewKey;
use crate::probing::Probing;
use crate::start::Start;
use hive_proto::handshake::{Admissions, Door, Guest, Redemption};
use hive_proto::{
    Certificate, Epoch, Slot, Ticket, TicketBody, TicketError, VerifyingKey, codec, tagged_hash,
};
use hive_state::decided::{Decider, Folded, WishId};
use hive_state::merged::Merged;
use hive_types::{ActionId, Digest, Elapsed, NodeId, TicketId, Tier};
use std::collections::{BTreeMap, BTreeSet};

/// What an own wish was for.
#[derive(Clone, Debug)]
pub(crate) enum WishFor {
    /// The right to open.
    Lock { action: ActionId, target: NodeId },
    /// Somebody's admission.
    Admit { guest: NodeId },
    /// Something whose end shows in the chain.
    Other,
}

/// A member's part of the machine.
pub(crate) struct Membership {
    pub(crate) identity: Identity,
    pub(crate) merged: Merged,
    pub(crate) decider: Decider,
    pub(crate) door: Door,
    /// Candidates whose admission is being decided.
    pub(crate) guests: BTreeMap<NodeId, Guest>,
    /// Hashes of the tickets that this member wrote in this boot.
    pub(crate) written: BTreeSet<Digest>,
    pub(crate) wishes: BTreeMap<WishId, WishFor>,
    pub(crate) start: Start,
    pub(crate) heart: Heart,
    /// How fast members' channels drain.
    pub(crate) drains: Drains,
    /// What fellows claim.
    pub(crate) claims: ClaimWatch,
    /// When whom to probe.
    pub(crate) probing: Probing,
    pub(crate) next_gossip: Elapsed,
    pub(crate) next_plan: Elapsed,
    /// Targets at the share cap, for its hysteresis.
    pub(crate) capped: BTreeSet<NodeId>,
    /// Who let this member in: heard until its admission has arrived.
    pub(crate) sponsor: Option<NodeId>,
    /// A member key that waits for the node's signature.
    pub(crate) new_key: Option<NewKey>,
    /// Set when the operator wants to leave: how long the fleet's decision is waited for.
    pub(crate) leaving: Option<Elapsed>,
    /// What fellows' wall clocks say.
    pub(crate) clocks: Clocks,
    /// Roster or records changed since votes, departures and epochs were last looked at.
    pub(crate) stirred: bool,
}

impl Membership {
    pub(crate) fn folded(&self) -> &Folded {
        self.decider.folded()
    }

    pub(crate) fn me(&self) -> NodeId {
        self.identity.node()
    }

    /// Where this member stands; nothing until the decision that admitted it has arrived. One that
    /// was a member before meets its old seat on the way there, and a founder begins with it: that
    /// seat is not what it was let in for.
    pub(crate) fn tier(&self) -> Option<Tier> {
        let seat = self.folded().member(&self.me())?;
        let has_arrived = self.sponsor.is_none() || seat.epoch == self.identity.epoch();
        has_arrived.then_some(seat.tier)
    }

    pub(crate) fn head(&self) -> Slot {
        self.folded().head()
    }

    /// All members but this one.
    pub(crate) fn fellows(&self) -> impl Iterator<Item = NodeId> + '_ {
        let me = self.me();
        self.folded()
            .members()
            .keys()
            .copied()
            .filter(move |node| *node != me)
    }

    /// Whether this is another member of the roster that has not left.
    pub(crate) fn is_fellow(&self, node: &NodeId) -> bool {
        *node != self.me() && self.folded().member(node).is_some()
    }

    /// Tells the replica who may read what is for full members only.
    pub(crate) fn know_readers(&mut self) {
        let full = self.decider.folded().full_members();
        let full: Vec<NodeId> = full.map(|(node, _)| *node).collect();
        self.merged.set_full_members(full);
    }

    /// Whether this node was a member once.
    pub(crate) fn was_fellow(&self, node: &NodeId) -> bool {
        let folded = self.folded();
        folded.expelled().contains_key(node) || folded.departed().contains_key(node)
    }

    /// Whose state messages are heard.
    pub(crate) fn hears(&self, node: &NodeId) -> bool {
        self.is_fellow(node) || self.sponsor.as_ref() == Some(node)
    }

    pub(crate) fn is_starting(&self) -> bool {
        !self.merged.may_write() || !self.start.takes_part()
    }

    pub(crate) fn software(&self, node: &NodeId) -> String {
        let manifest = self.merged.manifest(node);
        manifest
            .map(|manifest| manifest.profile().software.clone())
            .unwrap_or_default()
    }

    pub(crate) fn write_ticket(&mut self, body: TicketBody) -> Result<Ticket, TicketError> {
        let ticket = Ticket::sign(body, &self.identity.secret)?;
        self.written.insert(ticket.hash());
        Ok(ticket)
    }

    /// Hash over the newest decision and all records that every member may read: equal at members that
    /// agree, whatever their tier.
    pub(crate) fn state_digest(&self) -> Digest {
        let merged = codec::encode(&self.merged.digest_for_all());
        tagged_hash(
            "hive/view",
            &[&merged, self.folded().head_hash().as_bytes()],
        )
    }

    /// The certificate that admitted this guest with this ticket, if the chain still holds it.
    pub(crate) fn admission(&self, guest: &NodeId) -> Option<&Certificate> {
        let seat = self.folded().member(guest)?;
        self.decider.chain().certificate(seat.admitted_at)
    }
}

/// What the door asks the fleet's state.
pub(crate) struct AtTheDoor<'a> {
    pub(crate) folded: &'a Folded,
    pub(crate) written: &'a BTreeSet<Digest>,
}

impl Admissions for AtTheDoor<'_> {
    fn issuer_key(&self, issuer: &NodeId, epoch: Epoch) -> Option<VerifyingKey> {
        let seat = self.folded.member(issuer)?;
        (seat.tier == Tier::Full && seat.epoch == epoch).then_some(seat.key)
    }

    fn redemption(&self, ticket: &TicketId) -> Redemption {
        match self.folded.redeemed().get(ticket) {
            None => Redemption::Open,
            Some(redeemed) if self.folded.member(&redeemed.guest).is_some() => {
                Redemption::By(redeemed.guest)
            }
            Some(_) => Redemption::Spent,
        }
    }

    fn is_expelled(&self, node: &NodeId) -> bool {
        self.folded.expelled().contains_key(node)
    }

    fn has_room(&self) -> bool {
        self.folded.members().len() < usize::from(self.folded.parameters().members_max)
    }

    fn expects(&self, ticket: &Digest) -> bool {
        self.written.contains(ticket)
    }
}
