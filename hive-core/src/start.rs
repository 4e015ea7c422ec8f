//! Starting: founding, joining, and going on after a restart or from a backup.
//!
//! A member that restarts may have been restored from a backup: it may have forgotten records that it
//! wrote and promises that it gave. So it writes nothing until one fellow has shown what it holds of
//! this member, and decides nothing until as many as decide have. Where a fellow holds more than the
//! store did, the member begins a new epoch, and what it may have said in the old one binds nobody.

use crate::actions::Actions;
use crate::bans::{Banned, restored_bans};
use crate::beat::Heart;
use crate::bill::restored_bill;
use crate::chance::Chance;
use crate::claims::ClaimWatch;
use crate::clocks::Clocks;
use crate::conduct::{META_FLAGS, META_REPUTATIONS, restored_flags, restored_reputations};
use crate::config::Config;
use crate::contribution::{META_CONTRIBUTIONS, restored_contributions};
use crate::corridors::{Corridors, META_CORRIDORS};
use crate::decide::META_CHECKPOINT;
use crate::drain::Drains;
use crate::event::Event;
use crate::farewell::META_DEPARTURE;
use crate::gossip::StoredAuthor;
use crate::hive::{Hive, Stage};
use crate::identity::{Identity, META_IDENTITY};
use crate::io::{Change, Snapshot};
use crate::join::META_JOINING;
use crate::member::Membership;
use crate::observe::{Baseline, restored_watch};
use crate::outbox::Outbox;
use crate::peers::Peers;
use crate::probation::Probation;
use crate::probing::Probing;
use crate::sharing::SharingSeen;
use crate::votes::VoteProposals;
use hive_policy::Gate;
use hive_proto::handshake::{Door, Joined};
use hive_proto::{Certificate, ChainSnapshot, Charter, Epoch, Item, Slot, Version, codec};
use hive_state::decided::{Decider, Identity as Voice, Restored};
use hive_state::merged::Merged;
use hive_types::{ActionKind, Elapsed, HiveId, Millis, NodeId, Now, Tier};
use std::collections::{BTreeMap, BTreeSet};

/// The store's name for the newest epochs in fleets that this node left.
pub(crate) const META_EPOCH: &str = "epochs";

/// The store's name for who let this member in, until its admission has arrived.
pub(crate) const META_SPONSOR: &str = "sponsor";

/// How far a start has come.
#[derive(Default)]
pub(crate) struct Start {
    returned: BTreeSet<NodeId>,
    takes_part: bool,
    restored: bool,
}

impl Start {
    /// Nothing was forgotten: this member has just begun.
    fn fresh() -> Self {
        Self {
            takes_part: true,
            ..Self::default()
        }
    }

    /// Whether this member was restored from a backup and has no seat for its new key yet.
    pub(crate) const fn is_restored(&self) -> bool {
        self.restored
    }

    /// Whether this member decides with the others.
    pub(crate) const fn takes_part(&self) -> bool {
        self.takes_part
    }
}

/// What making a membership needs of the machine.
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Now,
    pub(crate) chance: &'a mut Chance,
}

impl Hive {
    pub(crate) fn surroundings(&mut self) -> Surroundings<'_> {
        Surroundings {
            now: self.now,
            chance: &mut self.chance,
        }
    }

    /// A new fleet of one.
    pub(crate) fn found_membership(
        &mut self,
        charter: Charter,
        identity: Identity,
    ) -> Result<(), String> {
        let seed = self.chance.u64();
        let founded = Decider::found(
            charter,
            identity.manifest.clone(),
            identity.secret.clone(),
            seed,
        );
        let (decider, outputs) = founded.map_err(|error| error.to_string())?;
        self.begin(identity, decider, None)?;
        self.perform(outputs);
        self.roster_changed();
        Ok(())
    }

    /// In a fleet that has admitted this node; the rest of its chain comes next.
    pub(crate) fn join_membership(
        &mut self,
        joined: Joined,
        identity: Identity,
    ) -> Result<(), String> {
        let seed = self.chance.u64();
        let charter = joined.charter_certificate;
        let decider = Decider::join(charter.clone(), voice(&identity), seed);
        let decider = decider.map_err(|error| error.to_string())?;
        let bytes = codec::encode(&charter);
        self.out.store(Change::Decision { slot: 0, bytes });
        self.begin(identity, decider, Some(joined.contact.node_id()))?;
        self.roster_changed();
        Ok(())
    }

    fn begin(
        &mut self,
        identity: Identity,
        decider: Decider,
        sponsor: Option<NodeId>,
    ) -> Result<(), String> {
        let bytes = identity.encode();
        self.out.store(Change::Meta {
            key: META_IDENTITY.to_owned(),
            bytes,
        });
        let surroundings = self.surroundings();
        let mut member = membership(identity, decider, Start::fresh(), surroundings)?;
        member.sponsor = sponsor;
        if let Some(sponsor) = sponsor {
            self.out.store(Change::Meta {
                key: META_SPONSOR.to_owned(),
                bytes: codec::encode(&sponsor),
            });
        }
        member.merged.set_may_write(true);
        member.decider.may_take_part(true);
        self.stage = Stage::Member(Box::new(member));
        Ok(())
    }

    /// A fellow holds nothing of this member that this member lacks.
    pub(crate) fn fellow_returned(&mut self, fellow: NodeId) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if !member.is_fellow(&fellow) || member.start.restored {
            return;
        }
        // Who is on trial was never told of balances, and can't return what it never had.
        let is_full = |node: &NodeId| {
            let seat = member.folded().member(node);
            seat.is_some_and(|seat| seat.tier == Tier::Full)
        };
        if !is_full(&fellow) && member.fellows().any(|other| is_full(&other)) {
            return;
        }
        member.start.returned.insert(fellow);
        member.merged.set_may_write(true);
        self.tend_start();
    }

    /// Lets this member decide when as many as decide have returned its records, itself counted.
    pub(crate) fn tend_start(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if member.start.takes_part || member.start.restored {
            return;
        }
        if member.fellows().next().is_none() {
            member.merged.set_may_write(true);
        }
        let me = member.me();
        let returned = &member.start.returned;
        // A founder of two is a quorum by itself, and may have forgotten what it decided all the same.
        let is_known = member.merged.may_write();
        let quorum = member.folded().quorum();
        if is_known && quorum.reached(|node| *node == me || returned.contains(node)) {
            member.start.takes_part = true;
            member.decider.may_take_part(true);
        }
    }

    /// A fellow returned something that this member signed and does not know. Until enough fellows have
    /// shown what they hold, a backup explains it; later, only a copy of this agent does.
    pub(crate) fn own_newer(&mut self, from: NodeId, version: Version) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        // One that is on its way in again has written nothing yet: its admission is what is newer.
        if member.start.restored || member.tier().is_none() {
            return;
        }
        if member.start.takes_part {
            self.halt(from, version);
            return;
        }
        member.start.restored = true;
        member.start.takes_part = false;
        member.merged.set_may_write(false);
        member.decider.may_take_part(false);
        self.out.emit(Event::Restored);
        self.pause_after_restore();
        self.out.audit(
            self.now.wall,
            "restored",
            None,
            format!("{} returned own version {version}", from.short()),
        );
        if let Err(error) = self.rotate_key() {
            self.alert(format!("no new epoch was begun: {error}"));
        }
    }

    fn halt(&mut self, from: NodeId, version: Version) {
        self.out.audit(
            self.now.wall,
            "clone",
            None,
            format!("{} has own version {version}", from.short()),
        );
        self.out.emit(Event::CloneMet);
        self.gate.stop();
        let reason =
            "this agent met a copy of itself and stopped; stop one of the two, then restart";
        self.stage = Stage::Halted(reason.to_owned());
    }

    /// The new epoch of a restored member is seated: nothing forgotten binds it, it goes on.
    pub(crate) fn end_restoring(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if member.start.restored {
            member.start = Start::fresh();
            member.merged.set_may_write(true);
            member.decider.may_take_part(true);
        }
    }

    /// After a restored backup the old key must not speak again: the chain goes on under the new one,
    /// whose acceptor has promised nothing. It is heard on nothing but its own seat until it has one.
    pub(crate) fn renew_voice(&mut self) {
        let seed = self.chance.u64();
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let chain = member.decider.chain();
        let slots = chain.kept_from().0..=chain.folded().head().0;
        let certificates = slots.filter_map(|slot| chain.certificate(Slot(slot)).cloned());
        let restored = Restored {
            charter: chain.charter().clone(),
            snapshot: chain.snapshot().cloned(),
            certificates: certificates.collect(),
            acceptor: None,
        };
        match Decider::restore(restored, voice(&member.identity), seed) {
            Ok(mut decider) => {
                decider.may_take_part(true);
                member.decider = decider;
                member.wishes.clear();
                member.stirred = true;
            }
            Err(error) => self.alert(format!("the new member key can't speak: {error}")),
        }
    }

    /// Whether forgotten spending may be about: nothing is spent before it is over.
    pub(crate) fn is_restoring(&self) -> bool {
        matches!(&self.stage, Stage::Member(member) if member.start.restored)
    }
}

fn voice(identity: &Identity) -> Voice {
    Voice {
        node: identity.node(),
        epoch: identity.epoch(),
        secret: identity.secret.clone(),
    }
}

fn membership(
    identity: Identity,
    decider: Decider,
    start: Start,
    at: Surroundings<'_>,
) -> Result<Membership, String> {
    let certification = *identity.certification();
    let (hive, network) = (certification.hive, certification.network);
    let verified = identity.manifest.clone().verify(&hive, network);
    let verified = verified.map_err(|error| error.to_string())?;
    Ok(Membership {
        merged: Merged::new(hive, network, certification.node),
        door: Door::new(verified, at.chance.bytes()),
        identity,
        decider,
        guests: BTreeMap::new(),
        written: BTreeSet::new(),
        wishes: BTreeMap::new(),
        start,
        heart: Heart::default(),
        drains: Drains::default(),
        claims: ClaimWatch::default(),
        probing: Probing::default(),
        next_gossip: at.now.elapsed,
        next_plan: at.now.elapsed,
        capped: BTreeSet::new(),
        sponsor: None,
        new_key: None,
        leaving: None,
        clocks: Clocks::default(),
        stirred: true,
    })
}

/// The machine as the store remembers it.
pub(crate) fn restore(config: Config, chance: Chance, restored: Snapshot, now: Now) -> Hive {
    let meta: BTreeMap<String, Vec<u8>> = restored.meta.into_iter().collect();
    let mut out = Outbox::default();
    let actions = Actions::restore(restored.actions, &mut out);
    let is_new = restored.gate == Default::default();
    let mut gate = Gate::restore(config.limits.clone(), restored.gate);
    gate.set_dry_run(config.dry_run);
    if is_new {
        gate.set_mode(config.mode);
    }
    let (reputations, held) = restored_reputations(meta.get(META_REPUTATIONS));
    // A probe that is held for hours moves no money: nothing waits for its end.
    let unfinished = actions
        .acting()
        .filter(|action| action.kind != ActionKind::Probe);
    let mut hive = Hive {
        unreconciled: unfinished.map(|action| action.id).collect(),
        reputations,
        held,
        contributions: restored_contributions(meta.get(META_CONTRIBUTIONS)),
        presence: None,
        actions,
        gate,
        saved_fees: restored.saved_fees.into_iter().collect(),
        bans: restored_bans(&meta),
        watch: restored_watch(&meta),
        next_watch: Elapsed::default(),
        banned: Banned::default(),
        bill: restored_bill(&meta),
        next_bill: Elapsed::default(),
        probation: Probation::restored(&meta),
        sharing_seen: SharingSeen::restored(&meta),
        flags: meta
            .get(META_FLAGS)
            .map(|bytes| restored_flags(bytes))
            .unwrap_or_default(),
        misconduct: Default::default(),
        vote_proposals: VoteProposals::restored(&meta),
        corridors: Corridors::restored(meta.get(META_CORRIDORS), now.elapsed),
        epochs: restored_epochs(&meta),
        joining_key: meta
            .get(META_JOINING)
            .and_then(|bytes| codec::decode(bytes).ok()),
        join_failure: None,
        baseline: Baseline::restored(&meta),
        departure: meta.get(META_DEPARTURE).cloned(),
        rows: BTreeSet::new(),
        refusals: BTreeMap::new(),
        questions: Default::default(),
        rehearsed: BTreeSet::new(),
        planning: None,
        plans: 0,
        stage: Stage::Alone,
        out,
        peers: Peers::default(),
        local: None,
        graph: None,
        graph_at: now.elapsed,
        config,
        chance,
        now,
    };
    let identity = meta
        .get(META_IDENTITY)
        .and_then(|bytes| Identity::decode(bytes));
    if let Some(identity) = identity {
        let chain = StoredChain {
            checkpoint: meta.get(META_CHECKPOINT).cloned(),
            decisions: restored.decisions,
            acceptor: restored.acceptor,
            sponsor: meta
                .get(META_SPONSOR)
                .and_then(|bytes| codec::decode(bytes).ok()),
        };
        let restored = hive.restore_membership(identity, chain, restored.authors, restored.records);
        if let Err(reason) = restored {
            let reason = format!(
                "the stored fleet can't be read: {reason}. Restore the store from a backup, or move it away and join again"
            );
            hive.alert(reason.clone());
            hive.stage = Stage::Halted(reason);
        }
    }
    hive
}

fn restored_epochs(meta: &BTreeMap<String, Vec<u8>>) -> BTreeMap<HiveId, Epoch> {
    meta.get(META_EPOCH)
        .and_then(|bytes| codec::decode(bytes).ok())
        .unwrap_or_default()
}

struct StoredChain {
    checkpoint: Option<Vec<u8>>,
    decisions: Vec<Vec<u8>>,
    acceptor: Option<Vec<u8>>,
    sponsor: Option<NodeId>,
}

impl Hive {
    fn restore_membership(
        &mut self,
        identity: Identity,
        chain: StoredChain,
        authors: Vec<(NodeId, Vec<u8>)>,
        records: Vec<Vec<u8>>,
    ) -> Result<(), String> {
        let sponsor = chain.sponsor;
        let restored = stored_chain(chain)?;
        let seed = self.chance.u64();
        let decider = Decider::restore(restored, voice(&identity), seed);
        let decider = decider.map_err(|error| error.to_string())?;
        let surroundings = self.surroundings();
        let mut member = membership(identity, decider, Start::default(), surroundings)?;
        member.sponsor = sponsor;
        recall(&mut member, self.config.network, authors, records, self.now);
        member.know_readers();
        self.rows = member.folded().members().keys().copied().collect();
        self.stage = Stage::Member(Box::new(member));
        self.tend_start();
        Ok(())
    }
}

fn stored_chain(chain: StoredChain) -> Result<Restored, String> {
    let damaged = |error: codec::DecodeError| format!("a decision is damaged: {error}");
    let snapshot: Option<ChainSnapshot> = chain
        .checkpoint
        .map(|bytes| codec::decode(&bytes))
        .transpose()
        .map_err(damaged)?;
    let certificates: Result<Vec<Certificate>, _> = chain
        .decisions
        .iter()
        .map(|bytes| codec::decode(bytes))
        .collect();
    let certificates = certificates.map_err(damaged)?;
    let first = certificates
        .first()
        .filter(|first| first.decision.decision.slot.0 == 0);
    let charter = first.or(snapshot.as_ref().map(|snapshot| &snapshot.charter));
    Ok(Restored {
        charter: charter.cloned().ok_or("the charter is missing")?,
        snapshot,
        certificates,
        acceptor: chain.acceptor,
    })
}

/// Fills the replica with what the store kept. Damaged rows are left out: fellows have them.
fn recall(
    member: &mut Membership,
    network: hive_types::Network,
    authors: Vec<(NodeId, Vec<u8>)>,
    records: Vec<Vec<u8>>,
    now: Now,
) {
    let hive = member.identity.hive();
    let stored: Vec<(NodeId, StoredAuthor)> = authors
        .into_iter()
        .filter_map(|(author, bytes)| Some((author, codec::decode(&bytes).ok()?)))
        .collect();
    let opened = stored.iter().filter_map(|(_, stored)| match stored {
        StoredAuthor::Here {
            epoch: Item::Epoch(manifest),
            ..
        } => manifest.as_ref().clone().verify(&hive, network).ok(),
        _ => None,
    });
    member
        .merged
        .set_authors(opened.collect::<Vec<_>>(), now.wall);
    let mut items = Vec::new();
    let mut memories = Vec::new();
    for (author, stored) in stored {
        match stored {
            StoredAuthor::Gone(newest) => member.merged.recall_departed(author, newest),
            StoredAuthor::Here { proofs, memory, .. } => {
                items.extend(proofs);
                memories.push(memory);
            }
        }
    }
    items.extend(records.into_iter().map(Item::Record));
    member.merged.restore(items, &memories, now);
}

impl Hive {
    /// The node was read: what follows from its channels and its height.
    pub(crate) fn observed(&mut self, snapshot: &hive_types::LocalSnapshot) {
        self.local = Some(snapshot.clone());
        if !self.is_restoring() {
            self.tend_locks();
        }
        self.watch_peers();
        self.note_shared_channels();
        self.tend_bill();
        self.tend_probation();
        self.tend_corridors();
        self.tend_drains();
        self.tend_claims();
        self.tend_contributions();
    }

    fn tend_drains(&mut self) {
        let now = self.now.elapsed;
        if !matches!(&self.stage, Stage::Member(member) if member.drains.is_due(now)) {
            return;
        }
        let fleet = self.fleet_view();
        if let Stage::Member(member) = &mut self.stage {
            member.drains.watch(&fleet, now);
        }
    }

    /// Everything that a member does by itself.
    pub(crate) fn advance_member(&mut self) {
        self.tend_door();
        self.tend_start();
        self.tend_stirred();
        self.tend_flags();
        self.tend_bans();
        self.tend_misconduct();
        self.tend_leaving();
        self.tend_heart();
        self.tend_gossip();
        self.tend_plan();
        self.tend_probes();
        self.tend_decisions();
    }

    /// What can only have changed when roster or records did.
    fn tend_stirred(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if !std::mem::take(&mut member.stirred) {
            return;
        }
        self.tend_departures();
        self.tend_epochs();
        self.tend_votes();
        self.tend_checkpoint();
    }
}

impl Membership {
    /// When something is due by itself.
    pub(crate) fn next_wake(&self) -> Elapsed {
        let own = [
            self.next_gossip,
            self.heart.due(),
            self.next_plan,
            self.probing.due(),
        ];
        // The door closes on a candidate after its deadline, not at it.
        let door = self.door.deadline().plus(Millis::new(1));
        let others = [self.decider.next_wake(), door];
        let leaving = self.leaving.unwrap_or(Elapsed::NEVER);
        own.into_iter()
            .chain(others)
            .min()
            .unwrap_or(Elapsed::NEVER)
            .min(leaving)
    }
}
