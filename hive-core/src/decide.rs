//! What the fleet decides: wishes, statements on their way, and what follows from a decision.

use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::io::Change;
use crate::judge::Judgement;
use crate::member::WishFor;
use hive_proto::{
    Certificate, ChainRequest, ChainSegment, ChainSnapshot, DecisionBody, Message, Record, Refusal,
    Routed, Sealed, Slot, codec, tagged_hash,
};
use hive_state::decided::{ChainReply, DeciderOutput, Ignored, LearnError, WishEnd, WishId};
use hive_types::limits::{RELAY_FANOUT, RELAY_HOPS};
use hive_types::{ActionId, LockView, NodeId};

/// The store's name for charter, checkpoint and state.
pub(crate) const META_CHECKPOINT: &str = "checkpoint";

impl Hive {
    /// Asks the fleet for a decision.
    pub(crate) fn wish(&mut self, body: DecisionBody) -> Result<(), String> {
        let wish_for = match &body {
            DecisionBody::Lock { target, action, .. } => WishFor::Lock {
                action: *action,
                target: *target,
            },
            _ => WishFor::Other,
        };
        self.wish_for(body, wish_for)
    }

    pub(crate) fn wish_for(&mut self, body: DecisionBody, wish_for: WishFor) -> Result<(), String> {
        let Stage::Member(member) = &mut self.stage else {
            return Err("this node is in no fleet".to_owned());
        };
        let id = member
            .decider
            .wish(body)
            .map_err(|error| error.to_string())?;
        member.wishes.insert(id, wish_for);
        self.tend_decisions();
        Ok(())
    }

    /// Lets the decider do what is due.
    pub(crate) fn tend_decisions(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let judge = Judgement::new(
            self.now,
            self.local.as_ref(),
            self.graph.as_deref(),
            &member.merged,
            &self.flags,
        );
        let outputs = member.decider.tick(self.now.elapsed, &judge);
        self.perform(outputs);
    }

    /// A statement came, for this member or to be passed on.
    pub(crate) fn routed(&mut self, from: NodeId, routed: Routed) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if routed.to != member.me() {
            return self.relay(from, routed);
        }
        let judge = Judgement::new(
            self.now,
            self.local.as_ref(),
            self.graph.as_deref(),
            &member.merged,
            &self.flags,
        );
        let outputs = member
            .decider
            .handle(self.now.elapsed, &routed.statement, &judge);
        let fails = |output: &DeciderOutput| {
            matches!(
                output,
                DeciderOutput::Ignored {
                    why: Ignored::Seal,
                    ..
                }
            )
        };
        if outputs.iter().any(fails) {
            return self.forged(from, routed.statement.author);
        }
        self.perform(outputs);
    }

    /// Passes a statement on: only a member's, only once, only so many hops.
    fn relay(&mut self, from: NodeId, mut routed: Routed) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        if routed.statement.author == member.me() {
            // What this member said came back to it.
            return;
        }
        let seat = member.folded().member(&routed.statement.author);
        let hive = member.identity.hive();
        let is_members = seat.is_some_and(|seat| {
            routed
                .statement
                .verify(hive_proto::SealDomain::Statement, &hive, &seat.key)
                .is_ok()
        });
        if !is_members && seat.is_some_and(|seat| seat.epoch == routed.statement.epoch) {
            return self.forged(from, routed.statement.author);
        }
        if !is_members || !member.is_fellow(&routed.to) {
            return self.bad_peer(from, "a statement of no member, or for none".to_owned());
        }
        let bytes = codec::encode(&(routed.to, &routed.statement));
        if !self.peers.first_sight(tagged_hash("hive/relay", &[&bytes])) {
            return;
        }
        routed.hops = hive_proto::clamp_hops(routed.hops).saturating_sub(1);
        if routed.hops > 0 || self.peers.is_connected(&routed.to) {
            self.send_routed(routed, Some(from));
        }
    }

    pub(crate) fn send_statement(&mut self, to: NodeId, statement: Sealed) {
        self.send_routed(
            Routed {
                to,
                hops: RELAY_HOPS,
                statement,
            },
            None,
        );
    }

    /// Straight to its addressee where that is connected, else through fellows.
    fn send_routed(&mut self, routed: Routed, except: Option<NodeId>) {
        if self.peers.is_connected(&routed.to) {
            let to = routed.to;
            return self.out.send(to, &Message::Routed(routed));
        }
        let fellows = self.connected_fellows(except);
        for relay in self.chance.choose(&fellows, RELAY_FANOUT) {
            self.out.send(relay, &Message::Routed(routed.clone()));
        }
    }

    pub(crate) fn connected_fellows(&self, except: Option<NodeId>) -> Vec<NodeId> {
        let Stage::Member(member) = &self.stage else {
            return Vec::new();
        };
        let connected = self.peers.connected().filter(|node| member.hears(node));
        connected
            .filter(|node| Some(**node) != except)
            .copied()
            .collect()
    }

    /// Carries out what the decider asks for, in order.
    pub(crate) fn perform(&mut self, outputs: Vec<DeciderOutput>) {
        for output in outputs {
            match output {
                DeciderOutput::Persist(bytes) => self.out.store(Change::Acceptor { bytes }),
                DeciderOutput::PersistCertificate(certificate) => {
                    let slot = certificate.decision.decision.slot.0;
                    self.out.store(Change::Decision {
                        slot,
                        bytes: codec::encode(&certificate),
                    });
                }
                DeciderOutput::PersistCheckpoint {
                    snapshot,
                    keep_from,
                } => {
                    let bytes = codec::encode(&*snapshot);
                    self.out.store(Change::Meta {
                        key: META_CHECKPOINT.to_owned(),
                        bytes,
                    });
                    self.out
                        .store(Change::DropDecisionsBelow { slot: keep_from.0 });
                }
                DeciderOutput::Send { to, sealed } => self.send_statement(to, sealed),
                DeciderOutput::Decided(certificate) => self.decided(certificate),
                DeciderOutput::Adopted { .. } => self.roster_changed(),
                DeciderOutput::WishEnded { id, end } => self.wish_ended(id, end),
                DeciderOutput::NeedChain { from, ask } => self.ask_for_chain(from, ask),
                DeciderOutput::Offer { to, from } => self.offer_chain(to, from),
                DeciderOutput::AcceptedTwice {
                    acceptor,
                    slot,
                    proof,
                } => self.accepted_twice(acceptor, slot, *proof),
                // Answers that come after the decision, and statements that this member must not
                // answer, are nobody's fault.
                DeciderOutput::Ignored {
                    why: Ignored::Stale | Ignored::NotTakingPart | Ignored::Departed,
                    ..
                } => {}
                DeciderOutput::Ignored { from, why } if why.is_fault() => {
                    self.bad_peer(from, why.to_string());
                }
                DeciderOutput::Ignored { .. } => {}
            }
        }
    }

    fn ask_for_chain(&mut self, from: Slot, ask: NodeId) {
        let fellows = self.connected_fellows(None);
        let whom = match fellows.contains(&ask) {
            true => Some(ask),
            false => self.chance.choose(&fellows, 1).pop(),
        };
        let wall = self.now.wall;
        if let Some(whom) = whom {
            self.out
                .send(whom, &Message::ChainRequest(ChainRequest { from, wall }));
        }
    }

    /// One that was put out, or whose departure was decided while it was away, may read the chain up
    /// to that decision: it proves to it what happened.
    pub(crate) fn offer_farewell(&mut self, to: NodeId, from: Slot) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let ChainReply::Segment(mut segment) = member.decider.chain_after(from) else {
            return;
        };
        let ends_it = |certificate: &Certificate| match &certificate.decision.decision.body {
            DecisionBody::Expel { node, .. } | DecisionBody::Depart { node, .. } => *node == to,
            _ => false,
        };
        if let Some(last) = segment.certificates.iter().position(ends_it) {
            segment.certificates.truncate(last + 1);
            segment.head = segment
                .certificates
                .last()
                .map_or(from, |certificate| certificate.decision.decision.slot);
            self.out.send(to, &Message::Chain(segment));
        }
    }

    pub(crate) fn offer_chain(&mut self, to: NodeId, from: Slot) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        if from <= member.head() && self.peers.is_connected(&to) {
            let reply = member.decider.chain_after(from);
            self.out.send(to, &Message::from(reply));
        }
    }

    /// Decisions from a fellow, in order.
    pub(crate) fn chain_segment(&mut self, from: NodeId, segment: ChainSegment) {
        let head = segment.head;
        for certificate in segment.certificates {
            let Stage::Member(member) = &mut self.stage else {
                return;
            };
            match member.decider.learn(&certificate) {
                Ok(outputs) => self.perform(outputs),
                Err(LearnError::Missing(from_slot)) => return self.ask_for_chain(from_slot, from),
                Err(LearnError::Contradiction { slot, signers }) => {
                    return self.contradiction(slot, &signers);
                }
                Err(error) => return self.bad_peer(from, error.to_string()),
            }
        }
        let Stage::Member(member) = &self.stage else {
            return;
        };
        if head > member.head() {
            self.ask_for_chain(member.head().next(), from);
        }
    }

    fn contradiction(&mut self, slot: Slot, signers: &[NodeId]) {
        let names: Vec<String> = signers.iter().map(NodeId::to_string).collect();
        self.alert(format!(
            "two different decisions have the number {}; signed both: {}. Decide nothing with them, and expel them",
            slot.0,
            names.join(", ")
        ));
    }

    pub(crate) fn chain_snapshot(&mut self, from: NodeId, snapshot: &ChainSnapshot) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        // The member that let this node in vouches for what it cannot check yet.
        let vouched = member.sponsor == Some(from) && member.tier().is_none();
        match member.decider.adopt(snapshot, vouched) {
            Ok(outputs) => {
                self.perform(outputs);
                self.ask_for_chain(self.head().next(), from);
            }
            Err(error) => self.bad_peer(from, error.to_string()),
        }
    }

    fn head(&self) -> Slot {
        match &self.stage {
            Stage::Member(member) => member.head(),
            _ => Slot(0),
        }
    }

    fn wish_ended(&mut self, id: WishId, end: WishEnd) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let wish_for = member.wishes.remove(&id);
        let reason = match end {
            WishEnd::Decided => return,
            WishEnd::Impossible(reason) | WishEnd::Declined(reason) => reason,
        };
        match wish_for {
            Some(WishFor::Lock { action, target }) => self.lock_lost(action, target, reason),
            Some(WishFor::Admit { guest }) => self.admission_ended(guest, Refusal::Ticket),
            Some(WishFor::Other) | None => {}
        }
    }

    /// A decision was made here or learned: its consequences, and word of it.
    fn decided(&mut self, certificate: Certificate) {
        self.tell_decision(&certificate);
        let decision = certificate.decision.decision.clone();
        let author = decision.author;
        match decision.body {
            DecisionBody::Lock {
                target,
                action,
                height,
            } => {
                self.out.emit(Event::Locked {
                    target,
                    holder: author,
                    height,
                });
                if author == self.config.node_id {
                    self.lock_granted(action, target);
                }
            }
            DecisionBody::Unlock { target, .. } => {
                self.out.emit(Event::Unlocked {
                    target,
                    holder: author,
                });
            }
            DecisionBody::Admit { manifest, .. } => {
                let guest = *manifest.node_id();
                self.roster_changed();
                self.out.emit(Event::MemberAdmitted { node: guest });
                self.welcome(&guest, &certificate);
            }
            DecisionBody::Promote { node, .. } => {
                self.roster_changed();
                self.out.emit(Event::MemberPromoted { node });
            }
            DecisionBody::Expel { node, .. } => {
                self.out.emit(Event::MemberExpelled { node });
                self.member_gone(node);
            }
            DecisionBody::Depart { node, departure } => {
                self.out.emit(Event::MemberLeft { node });
                if self.is_of_now(node, departure) {
                    if node == self.config.node_id && self.own_departure().is_none() {
                        // It left, and knows nothing of it.
                        self.pause_after_restore();
                    }
                    self.member_gone(node);
                } else {
                    self.roster_changed();
                }
            }
            DecisionBody::Reseat { manifest } => {
                self.roster_changed();
                self.reseated(*manifest.node_id());
            }
            DecisionBody::Charter { .. } | DecisionBody::Checkpoint { .. } => {}
        }
    }

    /// Whether a departure ends the present membership. One that is on its way in again reads its earlier
    /// departure in the chain.
    fn is_of_now(&self, node: NodeId, departure: Vec<u8>) -> bool {
        let Stage::Member(member) = &self.stage else {
            return false;
        };
        let record = Record::parse(departure);
        let epoch = record.map(|record| record.fields().version.epoch);
        let is_of_old = epoch.is_ok_and(|epoch| epoch < member.identity.epoch());
        node != member.me() || member.sponsor.is_none() || !is_of_old
    }

    fn member_gone(&mut self, node: NodeId) {
        if node == self.config.node_id {
            self.out_of_fleet();
        } else {
            self.roster_changed();
        }
    }

    /// The author tells everybody; who learns tells a few, so that all hear within log n hops.
    fn tell_decision(&mut self, certificate: &Certificate) {
        let fellows = self.connected_fellows(None);
        let is_own = certificate.decision.decision.author == self.config.node_id;
        let told = if is_own {
            fellows
        } else {
            self.chance.choose(&fellows, RELAY_FANOUT)
        };
        let segment = ChainSegment {
            certificates: vec![certificate.clone()],
            head: certificate.decision.decision.slot,
        };
        let message = Message::Chain(segment);
        told.into_iter()
            .for_each(|fellow| self.out.send(fellow, &message));
    }

    /// Locks that this member holds: target and action.
    pub(crate) fn own_locks(&self) -> Vec<(NodeId, ActionId)> {
        let Stage::Member(member) = &self.stage else {
            return Vec::new();
        };
        let me = member.me();
        let own = member
            .folded()
            .locks()
            .iter()
            .filter(|(_, lock)| lock.holder == me);
        own.map(|(target, lock)| (*target, lock.action)).collect()
    }

    /// The lock on a target, as policy reads it.
    pub(crate) fn lock_view(&self, target: &NodeId) -> Option<LockView> {
        let Stage::Member(member) = &self.stage else {
            return None;
        };
        let lock = member.folded().locks().get(target)?;
        let funding = crate::judge::funding_of(&member.merged, lock, target);
        Some(LockView {
            target: *target,
            holder: lock.holder,
            action: lock.action,
            height: lock.height,
            until: lock.until(funding.is_some()),
            funding,
        })
    }
}
