//! The machine that decides: sealed statements and time in, outputs in order out.
//!
//! A decider takes three roles for the one open slot: acceptor (when its member is full), proposer of
//! its own member's wishes, and keeper of the chain. It reads no clock and draws no randomness but a
//! seeded splitmix64 for jitter; what only the moment can tell it asks a [`Judge`].

mod attempt;
mod hear;
mod output;
mod twice;

use super::certificate::{charter_ballot, contradiction};
use super::chain::{Chain, ChainReply};
use super::fold::Folded;
use super::judge::Judge;
use attempt::Attempt;
use hive_proto::{
    Acceptance, Certificate, ChainSnapshot, Charter, Decision, DecisionBody, Manifest,
    MemberSecret, SealDomain, Sealed, SignedDecision, Slot, Statement, VerifiedManifest, codec,
};
use hive_types::limits::{PROPOSALS_PER_MEMBER, ROUND_TIMEOUT};
use hive_types::{Digest, Elapsed, HiveId, Millis, NodeId, Tier};
pub use output::{
    AdoptError, DeciderOutput, FoundError, Identity, Ignored, LearnError, QuotaFull, RestoreError,
    Restored, WishEnd, WishId,
};
use output::{Durable, Wish};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One member's part in the fleet's decisions.
#[derive(Clone, Debug)]
pub struct Decider {
    me: Identity,
    /// The identity that counts once the chain re-seats this member.
    rotation: Option<Identity>,
    chain: Chain,
    durable: Durable,
    attempt: Option<Attempt>,
    wishes: VecDeque<Wish>,
    wish_count: u64,
    /// Not before then a new attempt: somebody else is at it, or the last one just failed.
    retry_at: Elapsed,
    /// From then on an accepted decision that nobody finished is finished here.
    finish_at: Elapsed,
    failures: u32,
    seen_round: u32,
    declined: BTreeSet<Digest>,
    asked: BTreeMap<NodeId, BTreeSet<Digest>>,
    left: BTreeSet<NodeId>,
    newer: BTreeMap<NodeId, VerifiedManifest>,
    heard: twice::Heard,
    taking_part: bool,
    jitter: u64,
}

impl Decider {
    /// Founds a fleet: decision 0, by the founder alone. Takes part at once.
    ///
    /// # Errors
    /// [`FoundError`] when charter, manifest and key do not belong together.
    pub fn found(
        charter: Charter,
        manifest: Manifest,
        secret: MemberSecret,
        seed: u64,
    ) -> Result<(Self, Vec<DeciderOutput>), FoundError> {
        let hive = charter.hive_id();
        let verified = manifest.clone().verify(&hive, charter.network)?;
        let me = Identity {
            node: charter.founder,
            epoch: verified.epoch(),
            secret,
        };
        let decision = Decision {
            slot: Slot(0),
            previous: Digest::from_bytes([0; 32]),
            author: charter.founder,
            body: DecisionBody::Charter {
                charter,
                manifest: Box::new(manifest),
            },
        };
        let mut certificate = Certificate {
            ballot: charter_ballot(&decision),
            decision: SignedDecision::sign(decision, me.epoch, &me.secret, &hive),
            acceptances: Vec::new(),
        };
        let accepted = seal(&me, &hive, &certificate.accepted());
        certificate.acceptances.push(acceptance(&accepted));
        let chain = Chain::new(certificate.clone()).map_err(FoundError::Charter)?;
        let mut decider = Self::with_chain(me, chain, seed);
        decider.taking_part = true;
        let outputs = vec![
            DeciderOutput::PersistCertificate(certificate.clone()),
            DeciderOutput::Decided(certificate),
        ];
        Ok((decider, outputs))
    }

    /// Begins with nothing but the charter, as a newcomer does. The chain is learned next; takes part
    /// in nothing until [`Decider::may_take_part`].
    ///
    /// # Errors
    /// [`super::CertificateError`] when the certificate is no charter's.
    pub fn join(
        charter: Certificate,
        me: Identity,
        seed: u64,
    ) -> Result<Self, super::CertificateError> {
        Ok(Self::with_chain(me, Chain::new(charter)?, seed))
    }

    /// Goes on with what the store holds. Takes part in nothing until [`Decider::may_take_part`].
    ///
    /// # Errors
    /// [`RestoreError`] when the store does not hold a chain.
    pub fn restore(restored: Restored, me: Identity, seed: u64) -> Result<Self, RestoreError> {
        let mut chain = Chain::new(restored.charter)?;
        if let Some(snapshot) = &restored.snapshot {
            chain.adopt(snapshot, true)?;
        }
        for certificate in restored.certificates {
            if certificate.decision.decision.slot > chain.folded().head() {
                chain.append(certificate)?;
            }
        }
        let mut decider = Self::with_chain(me, chain, seed);
        if let Some(bytes) = restored.acceptor {
            let durable: Durable = codec::decode(&bytes)?;
            let next = decider.next_slot();
            let follows = durable.previous == decider.durable.previous;
            if durable.slot > next || (durable.slot == next && !follows) {
                return Err(RestoreError::Lost);
            }
            if durable.slot == next {
                decider.durable = durable;
            }
        }
        Ok(decider)
    }

    fn with_chain(me: Identity, chain: Chain, seed: u64) -> Self {
        let durable = Durable::fresh(chain.folded().head().next(), *chain.folded().head_hash());
        Self {
            me,
            rotation: None,
            chain,
            durable,
            attempt: None,
            wishes: VecDeque::new(),
            wish_count: 0,
            retry_at: Elapsed::ZERO,
            finish_at: Elapsed::ZERO,
            failures: 0,
            seen_round: 0,
            declined: BTreeSet::new(),
            asked: BTreeMap::new(),
            left: BTreeSet::new(),
            newer: BTreeMap::new(),
            heard: twice::Heard::default(),
            taking_part: false,
            jitter: seed,
        }
    }

    /// What the chain says.
    pub const fn folded(&self) -> &Folded {
        self.chain.folded()
    }

    /// The chain as it is kept.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Who it speaks for.
    pub const fn identity(&self) -> &Identity {
        &self.me
    }

    /// Whether it takes part now.
    pub const fn takes_part(&self) -> bool {
        self.taking_part
    }

    /// Own wishes that have not ended.
    pub fn waiting(&self) -> impl Iterator<Item = (WishId, &DecisionBody)> {
        self.wishes.iter().map(|wish| (wish.id, &wish.body))
    }

    /// Lets it promise, accept and propose, or stops it. A member that starts may have forgotten what
    /// it said: it is let in when a majority has returned its newest own records.
    pub fn may_take_part(&mut self, may: bool) {
        self.taking_part = may;
        if !may {
            self.attempt = None;
        }
    }

    /// Asks for a decision. It ends with [`DeciderOutput::WishEnded`] and does not outlive a restart.
    /// The state that a checkpoint names is filled in here.
    ///
    /// # Errors
    /// [`QuotaFull`] when as many wait as a member may have.
    pub fn wish(&mut self, body: DecisionBody) -> Result<WishId, QuotaFull> {
        if self.wishes.len() >= PROPOSALS_PER_MEMBER {
            return Err(QuotaFull);
        }
        let id = WishId(self.wish_count);
        self.wish_count += 1;
        self.wishes.push_back(Wish { id, body });
        Ok(id)
    }

    /// Asks to be re-seated under a new member key. The old one speaks until that is decided.
    ///
    /// # Errors
    /// [`QuotaFull`] when as many wishes wait as a member may have.
    pub fn rotate(
        &mut self,
        manifest: &VerifiedManifest,
        secret: MemberSecret,
    ) -> Result<WishId, QuotaFull> {
        let id = self.wish(DecisionBody::Reseat {
            manifest: Box::new(manifest.manifest().clone()),
        })?;
        self.rotation = Some(Identity {
            node: self.me.node,
            epoch: manifest.epoch(),
            secret,
        });
        Ok(id)
    }

    /// A departure record of this member is known: its acceptances end at once, and it is heard on
    /// nothing but its own departure. Its own wishes end when it is this member.
    pub fn note_departure(&mut self, node: NodeId) -> Vec<DeciderOutput> {
        self.left.insert(node);
        if node != self.me.node {
            return Vec::new();
        }
        self.attempt = None;
        let keeps = |wish: &Wish| matches!(&wish.body, DecisionBody::Depart { node: of, .. } if *of == node);
        let (kept, dropped): (VecDeque<Wish>, VecDeque<Wish>) =
            self.wishes.drain(..).partition(keeps);
        self.wishes = kept;
        let ended = |wish: Wish| DeciderOutput::WishEnded {
            id: wish.id,
            end: WishEnd::Impossible(LEFT.into()),
        };
        dropped.into_iter().map(ended).collect()
    }

    /// A node-signed manifest of a newer epoch is known: the old key is heard no more, and the new one
    /// on nothing but being re-seated.
    pub fn note_epoch(&mut self, manifest: VerifiedManifest) {
        let node = manifest.node_id();
        let known = self.newer.get(&node).map(VerifiedManifest::epoch);
        let known = known.max(self.folded().member(&node).map(|seat| seat.epoch));
        if known.is_some_and(|known| known < manifest.epoch()) {
            self.newer.insert(node, manifest);
        }
    }

    /// Takes in the next decision, made by others.
    ///
    /// # Errors
    /// [`LearnError`] says what is missing, wrong, or proven against whom.
    pub fn learn(&mut self, certificate: &Certificate) -> Result<Vec<DeciderOutput>, LearnError> {
        let slot = certificate.decision.decision.slot;
        let next = self.next_slot();
        if slot > next {
            return Err(LearnError::Missing(next));
        }
        if slot < next {
            return self.compare(certificate);
        }
        self.chain.append(certificate.clone())?;
        let mut out = vec![DeciderOutput::PersistCertificate(certificate.clone())];
        if let (DecisionBody::Checkpoint { .. }, Some(snapshot)) =
            (&certificate.decision.decision.body, self.chain.snapshot())
        {
            out.push(DeciderOutput::PersistCheckpoint {
                snapshot: Box::new(snapshot.clone()),
                keep_from: self.chain.kept_from(),
            });
        }
        self.open_slot();
        out.push(DeciderOutput::Decided(certificate.clone()));
        self.settle(Some(&certificate.decision.decision), &mut out);
        Ok(out)
    }

    fn compare(&self, certificate: &Certificate) -> Result<Vec<DeciderOutput>, LearnError> {
        let slot = certificate.decision.decision.slot;
        let Some(kept) = self.chain.certificate(slot) else {
            return Ok(Vec::new());
        };
        if kept.decision.decision == certificate.decision.decision {
            return Ok(Vec::new());
        }
        match contradiction(self.folded(), kept, certificate) {
            signers if signers.is_empty() => Err(super::CertificateError::Quorum.into()),
            signers => Err(LearnError::Contradiction { slot, signers }),
        }
    }

    /// What to answer to one who lacks decisions from `from` on.
    pub fn chain_after(&self, from: Slot) -> ChainReply {
        self.chain.after(from)
    }

    /// Takes over a checkpoint; `vouched` when it came from the member that admitted this node. What
    /// follows it is learned next.
    ///
    /// # Errors
    /// [`AdoptError`]; nothing changes.
    pub fn adopt(
        &mut self,
        snapshot: &ChainSnapshot,
        vouched: bool,
    ) -> Result<Vec<DeciderOutput>, AdoptError> {
        self.chain.adopt(snapshot, vouched)?;
        self.open_slot();
        let head = self.folded().head();
        let mut out = vec![
            DeciderOutput::PersistCheckpoint {
                snapshot: Box::new(snapshot.clone()),
                keep_from: head,
            },
            DeciderOutput::PersistCertificate(snapshot.checkpoint.clone()),
            DeciderOutput::Adopted { head },
        ];
        self.settle(None, &mut out);
        Ok(out)
    }

    /// When [`Decider::tick`] has something to do next.
    pub fn next_wake(&self) -> Elapsed {
        if !self.taking_part {
            return Elapsed::NEVER;
        }
        match &self.attempt {
            Some(attempt) => attempt.wake(),
            None if !self.wishes.is_empty() => self.retry_at,
            None if self.durable.acceptor.accepted().is_some() => self.finish_at,
            None => Elapsed::NEVER,
        }
    }

    /// Starts, repeats and ends attempts.
    pub fn tick(&mut self, now: Elapsed, judge: &dyn Judge) -> Vec<DeciderOutput> {
        let mut out = Vec::new();
        if !self.taking_part {
            return out;
        }
        self.expire(now);
        if self.attempt.is_some() {
            self.resend(now, &mut out);
        } else if !self.wishes.is_empty() {
            if now >= self.retry_at {
                self.begin(now, judge, &mut out);
            }
        } else if now >= self.finish_at {
            self.finish(now, judge, &mut out);
        }
        out
    }

    fn next_slot(&self) -> Slot {
        self.folded().head().next()
    }

    fn hive(&self) -> HiveId {
        *self.folded().hive()
    }

    fn open_slot(&mut self) {
        self.durable = Durable::fresh(self.next_slot(), *self.folded().head_hash());
        self.attempt = None;
        self.retry_at = Elapsed::ZERO;
        self.finish_at = Elapsed::ZERO;
        self.failures = 0;
        self.seen_round = 0;
        self.declined.clear();
        self.asked.clear();
        let members = self.chain.folded().members();
        self.left.retain(|node| members.contains_key(node));
        self.heard.retain(|node| members.contains_key(node));
        self.newer.retain(|node, manifest| {
            members
                .get(node)
                .is_some_and(|seat| seat.epoch < manifest.epoch())
        });
        let seated = members.get(&self.me.node).map(|seat| seat.epoch);
        let counts = |identity: &mut Identity| seated == Some(identity.epoch);
        if let Some(identity) = self.rotation.take_if(counts) {
            self.me = identity;
        }
    }

    /// Ends the wishes that the newest decision fulfils or forbids.
    fn settle(&mut self, decided: Option<&Decision>, out: &mut Vec<DeciderOutput>) {
        let mut fulfilled = decided;
        for wish in std::mem::take(&mut self.wishes) {
            let id = wish.id;
            if fulfilled.is_some_and(|decision| self.fulfils(decision, &wish.body)) {
                fulfilled = None;
                let end = WishEnd::Decided;
                out.push(DeciderOutput::WishEnded { id, end });
            } else if let Err(reason) = self.folded().check(&self.draft(&wish.body)) {
                let end = WishEnd::Impossible(reason.to_string());
                out.push(DeciderOutput::WishEnded { id, end });
            } else {
                self.wishes.push_back(wish);
            }
        }
    }

    fn fulfils(&self, decision: &Decision, wish: &DecisionBody) -> bool {
        match (wish, &decision.body) {
            (DecisionBody::Checkpoint { .. }, DecisionBody::Checkpoint { .. }) => true,
            (wish, body) => decision.author == self.me.node && wish == body,
        }
    }

    /// The decision that a wish asks for, as the next one of the chain.
    fn draft(&self, wish: &DecisionBody) -> Decision {
        let body = match wish {
            DecisionBody::Checkpoint { .. } => DecisionBody::Checkpoint {
                state: self.folded().state_hash(),
            },
            body => body.clone(),
        };
        Decision {
            slot: self.next_slot(),
            previous: *self.folded().head_hash(),
            author: self.me.node,
            body,
        }
    }

    /// Whether the own acceptor may answer on `resource`: a full member under its seat's key. One that
    /// has left answers on its departure only, one under a newer key on its re-seating only, and that
    /// only where nothing is decided without it.
    fn answers_on(&self, resource: &Digest) -> bool {
        let me = &self.me.node;
        let seat = self.folded().member(me);
        let Some(seat) = seat.filter(|seat| self.taking_part && seat.tier == Tier::Full) else {
            return false;
        };
        if self.left.contains(me) && *resource != departure_of(me) {
            return false;
        }
        let reseats = |newer: &VerifiedManifest| *resource == reseating(newer);
        seat.epoch == self.me.epoch
            || (seat.epoch < self.me.epoch
                && self.folded().quorum().needs(me)
                && self.newer.get(me).is_some_and(reseats))
    }

    fn persist(&self) -> DeciderOutput {
        DeciderOutput::Persist(codec::encode(&self.durable))
    }

    fn seal(&self, statement: &Statement) -> Sealed {
        seal(&self.me, &self.hive(), statement)
    }

    /// A span below `bound`, from splitmix64 (Steele, Lea and Flood, 2014) over the seed.
    fn jitter(&mut self, bound: Millis) -> Millis {
        self.jitter = self.jitter.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.jitter;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        Millis::new(mixed % bound.get().max(1))
    }

    /// A round's time and up to half of it again.
    fn courtesy(&mut self) -> Millis {
        let extra = self.jitter(Millis::new(ROUND_TIMEOUT.get() / 2));
        Millis::new(ROUND_TIMEOUT.get() + extra.get())
    }
}

/// Why a member that has left gets nothing decided but its departure.
const LEFT: &str = "this member has left";

fn departure_of(node: &NodeId) -> Digest {
    let departure = Vec::new();
    let node = *node;
    DecisionBody::Depart { node, departure }.resource()
}

fn reseating(manifest: &VerifiedManifest) -> Digest {
    let manifest = Box::new(manifest.manifest().clone());
    DecisionBody::Reseat { manifest }.resource()
}

fn seal(me: &Identity, hive: &HiveId, statement: &Statement) -> Sealed {
    Sealed::new(
        &me.secret,
        SealDomain::Statement,
        hive,
        me.node,
        me.epoch,
        codec::encode(statement),
    )
}

/// What a certificate keeps of a sealed [`Statement::Accepted`].
fn acceptance(sealed: &Sealed) -> Acceptance {
    Acceptance {
        acceptor: sealed.author,
        epoch: sealed.epoch,
        signature: sealed.signature,
    }
}
