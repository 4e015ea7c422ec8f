//! Deciders on a network that loses, repeats, delays and reorders, with crashes and restarts from
//! what was persisted. One seed is one run.

use super::{Chance, Person, admit, charter, person};
use hive_proto::{Certificate, ChainSegment, ChainSnapshot, DecisionBody, Sealed, Slot, VoteKind};
use hive_state::decided::{
    ChainReply, Decider, DeciderOutput, Identity, Judge, LearnError, Lenient, Restored, WishEnd,
    WishId,
};
use hive_types::{Elapsed, HiveId, Millis, NodeId, Tier};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
pub enum Packet {
    Statement(Sealed),
    Request(Slot),
    Segment(ChainSegment),
    Snapshot(Box<ChainSnapshot>),
}

/// What a member's disk holds.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub certificates: Vec<Certificate>,
    pub snapshot: Option<ChainSnapshot>,
    pub acceptor: Option<Vec<u8>>,
}

pub struct Site {
    pub person: Person,
    pub identity: Identity,
    pub decider: Option<Decider>,
    pub disk: Disk,
    pub judge: Box<dyn Judge>,
    pub ended: BTreeMap<WishId, WishEnd>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub loss_percent: u64,
    pub repeat_percent: u64,
    pub delay: (u64, u64),
}

pub struct Net {
    pub hive: HiveId,
    pub now: Elapsed,
    pub sites: BTreeMap<NodeId, Site>,
    pub faults: Faults,
    pub chance: Chance,
    pub cut: BTreeSet<(NodeId, NodeId)>,
    pub sent: u64,
    pub largest: usize,
    /// Every decision that any member ever had a certificate for.
    pub decided: BTreeMap<Slot, Certificate>,
    /// A crash of this member after so many more of its outputs.
    pub crash: Option<(NodeId, usize)>,
    queue: BTreeMap<(u64, u64), (NodeId, NodeId, Packet)>,
    sequence: u64,
    next_gossip: u64,
}

const GOSSIP: u64 = 5_000;

impl Net {
    /// A fleet of this many full members, numbered from 1, that know the same chain.
    pub fn of_full(count: u8, seed: u64) -> Self {
        let mut net = Self::founded(seed);
        for number in 2..=count {
            net.join(number);
        }
        net.faults = Faults {
            delay: (20, 120),
            ..Faults::default()
        };
        net
    }

    pub fn founded(seed: u64) -> Self {
        Self::founded_for(seed, 50)
    }

    /// A founder alone, whose charter allows so many members.
    pub fn founded_for(seed: u64, members_max: u16) -> Self {
        let founder = person(1);
        let charter = charter(&founder, members_max);
        let hive = charter.hive_id();
        let manifest = founder.manifest(hive, 1);
        let (decider, outputs) =
            Decider::found(charter, manifest, founder.secret(1), seed).unwrap();
        let mut net = Self {
            hive,
            now: Elapsed::ZERO,
            sites: BTreeMap::new(),
            faults: Faults {
                delay: (1, 1),
                ..Faults::default()
            },
            chance: Chance(seed),
            cut: BTreeSet::new(),
            sent: 0,
            largest: 0,
            decided: BTreeMap::new(),
            crash: None,
            queue: BTreeMap::new(),
            sequence: 0,
            next_gossip: GOSSIP,
        };
        let node = founder.node;
        net.sites.insert(node, Site::new(founder, decider));
        net.perform(node, outputs);
        net
    }

    /// Admits one more, up to full tier, by the founder.
    pub fn join(&mut self, number: u8) {
        self.join_as_probationary(number);
        let (founder, guest) = (person(1), person(number));
        if self.folded(1).member(&guest.node).unwrap().tier != Tier::Full {
            let folded = self.folded(1);
            let voters = folded.full_members().map(|(node, _)| *node);
            let votes = voters
                .map(|node| {
                    self.sites[&node]
                        .person
                        .vote(VoteKind::Promote, guest.node, folded)
                })
                .collect();
            let body = DecisionBody::Promote {
                node: guest.node,
                votes,
            };
            assert_eq!(self.decide(&founder, body), WishEnd::Decided);
        }
        self.settle();
    }

    pub fn join_as_probationary(&mut self, number: u8) {
        let (founder, guest) = (person(1), person(number));
        let ticket = founder.ticket(self.hive, number, Tier::Full, Some(guest.node));
        let body = admit(ticket, &guest, self.hive, 1);
        assert_eq!(self.decide(&founder, body), WishEnd::Decided);
        self.add(&guest);
        self.settle();
    }

    /// A node with nothing but the charter; the chain reaches it by gossip.
    pub fn add(&mut self, guest: &Person) {
        let charter = self.decided[&Slot(0)].clone();
        let seed = self.chance.draw();
        let decider = Decider::join(charter.clone(), guest.identity(1), seed).unwrap();
        let mut site = Site::new(guest.clone(), decider);
        site.disk.certificates.push(charter);
        site.decider.as_mut().unwrap().may_take_part(true);
        self.sites.insert(guest.node, site);
    }

    pub fn decider(&self, number: u8) -> &Decider {
        self.sites[&person(number).node].decider.as_ref().unwrap()
    }

    pub fn decider_mut(&mut self, number: u8) -> &mut Decider {
        let site = self.sites.get_mut(&person(number).node).unwrap();
        site.decider.as_mut().unwrap()
    }

    pub fn folded(&self, number: u8) -> &hive_state::decided::Folded {
        self.decider(number).folded()
    }

    pub fn wish(&mut self, by: &Person, body: DecisionBody) -> WishId {
        let site = self.sites.get_mut(&by.node).unwrap();
        site.decider.as_mut().unwrap().wish(body).unwrap()
    }

    /// Wishes, and runs until the wish has ended.
    pub fn decide(&mut self, by: &Person, body: DecisionBody) -> WishEnd {
        let id = self.wish(by, body);
        self.end_of(by, id)
    }

    pub fn end_of(&mut self, by: &Person, id: WishId) -> WishEnd {
        for _ in 0..100_000 {
            if let Some(end) = self.sites[&by.node].ended.get(&id) {
                return end.clone();
            }
            self.step();
        }
        panic!("the wish did not end");
    }

    /// Runs until everybody that is up knows the same chain.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let up = self.sites.values().filter_map(|site| site.decider.as_ref());
            let heads: BTreeSet<_> = up.map(|decider| decider.folded().head()).collect();
            if heads.len() == 1 && heads.first() == self.decided.keys().next_back() {
                return;
            }
            self.step();
        }
        panic!("the chains did not meet");
    }

    pub fn run_for(&mut self, span: Millis) {
        let until = self.now.plus(span);
        while self.next_event() <= until {
            self.step();
        }
        self.now = until;
    }

    fn next_event(&self) -> Elapsed {
        let arrival = self.queue.keys().next().map_or(u64::MAX, |(at, _)| *at);
        let wakes = self.sites.values().filter_map(|site| site.decider.as_ref());
        let wake = wakes.map(Decider::next_wake).min();
        let wake = wake.unwrap_or(Elapsed::NEVER).max(self.now);
        Elapsed::new(arrival.min(self.next_gossip)).min(wake)
    }

    /// The next thing that happens: an arrival, a timer, a round of gossip.
    pub fn step(&mut self) {
        let at = self.next_event();
        self.now = at;
        if let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= at.get()
        {
            let (from, to, packet) = entry.remove();
            return self.deliver(from, to, packet);
        }
        if self.next_gossip <= at.get() {
            self.next_gossip += GOSSIP;
            return self.gossip();
        }
        let due = self.sites.iter().find(|(_, site)| {
            let decider = site.decider.as_ref();
            decider.is_some_and(|decider| decider.next_wake() <= at)
        });
        let node = *due.unwrap().0;
        let site = self.sites.get_mut(&node).unwrap();
        let decider = site.decider.as_mut().unwrap();
        let outputs = decider.tick(at, site.judge.as_ref());
        assert!(
            !outputs.is_empty() || decider.next_wake() > at,
            "a timer that does nothing is not due again at once"
        );
        self.perform(node, outputs);
    }

    fn gossip(&mut self) {
        let nodes: Vec<NodeId> = self.sites.keys().copied().collect();
        for node in &nodes {
            let fellow = nodes[self.chance.below(nodes.len() as u64) as usize];
            if let Some(decider) = &self.sites[node].decider {
                let from = decider.folded().head().next();
                self.send(*node, fellow, Packet::Request(from));
            }
        }
    }

    pub fn send(&mut self, from: NodeId, to: NodeId, packet: Packet) {
        let cut = self.cut.contains(&(from, to));
        let fault = self.faults;
        if cut || from == to || self.chance.percent(fault.loss_percent) {
            return;
        }
        let copies = 1 + usize::from(self.chance.percent(fault.repeat_percent));
        for _ in 0..copies {
            let span = fault.delay.1 - fault.delay.0 + 1;
            let delay = fault.delay.0 + self.chance.below(span);
            self.sent += 1;
            self.sequence += 1;
            let at = (self.now.get() + delay, self.sequence);
            self.queue.insert(at, (from, to, packet.clone()));
        }
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, packet: Packet) {
        let now = self.now;
        let Some(site) = self.sites.get_mut(&to) else {
            return;
        };
        let Some(decider) = site.decider.as_mut() else {
            return;
        };
        match packet {
            Packet::Statement(sealed) => {
                let outputs = decider.handle(now, &sealed, site.judge.as_ref());
                self.perform(to, outputs);
            }
            Packet::Request(slot) => {
                let head = decider.folded().head();
                if head >= slot {
                    let reply = decider.chain_after(slot);
                    self.send(to, from, reply_packet(reply));
                }
            }
            Packet::Segment(segment) => {
                for certificate in &segment.certificates {
                    let Some(decider) = self.sites.get_mut(&to).unwrap().decider.as_mut() else {
                        return;
                    };
                    match decider.learn(certificate) {
                        Ok(outputs) => self.perform(to, outputs),
                        Err(LearnError::Missing(slot)) => {
                            return self.send(to, from, Packet::Request(slot));
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            Packet::Snapshot(snapshot) => {
                if let Ok(outputs) = decider.adopt(&snapshot, true) {
                    self.perform(to, outputs);
                }
            }
        }
    }

    /// Does what a member's driver does, in order; a crash may come between any two outputs.
    pub fn perform(&mut self, node: NodeId, outputs: Vec<DeciderOutput>) {
        for output in outputs {
            if let Some((victim, left)) = &mut self.crash
                && *victim == node
            {
                match left.checked_sub(1) {
                    Some(fewer) => *left = fewer,
                    None => {
                        self.crash = None;
                        self.sites.get_mut(&node).unwrap().decider = None;
                        return;
                    }
                }
            }
            self.perform_one(node, output);
        }
    }

    fn perform_one(&mut self, node: NodeId, output: DeciderOutput) {
        let site = self.sites.get_mut(&node).unwrap();
        match output {
            DeciderOutput::Persist(bytes) => site.disk.acceptor = Some(bytes),
            DeciderOutput::PersistCertificate(certificate) => {
                site.disk.certificates.push(certificate);
            }
            DeciderOutput::PersistCheckpoint { snapshot, .. } => {
                site.disk.snapshot = Some(*snapshot);
            }
            DeciderOutput::Send { to, sealed } => {
                self.largest = self.largest.max(hive_proto::codec::encode(&sealed).len());
                self.send(node, to, Packet::Statement(sealed));
            }
            DeciderOutput::Decided(certificate) => self.announce(node, certificate),
            DeciderOutput::Adopted { .. } => {}
            DeciderOutput::WishEnded { id, end } => {
                site.ended.insert(id, end);
            }
            DeciderOutput::NeedChain { from, ask } => self.send(node, ask, Packet::Request(from)),
            DeciderOutput::Offer { to, from } => {
                let reply = site.decider.as_ref().unwrap().chain_after(from);
                self.send(node, to, reply_packet(reply));
            }
            DeciderOutput::AcceptedTwice { acceptor, slot, .. } => {
                panic!("{acceptor} accepted twice in slot {}", slot.0)
            }
            DeciderOutput::Ignored { .. } => {}
        }
    }

    fn announce(&mut self, node: NodeId, certificate: Certificate) {
        let slot = certificate.decision.decision.slot;
        let known = self
            .decided
            .entry(slot)
            .or_insert_with(|| certificate.clone());
        assert_eq!(
            known.decision.decision, certificate.decision.decision,
            "two decisions have one number"
        );
        let segment = ChainSegment {
            certificates: vec![certificate],
            head: slot,
        };
        let others: Vec<NodeId> = self.sites.keys().copied().collect();
        for other in others {
            self.send(node, other, Packet::Segment(segment.clone()));
        }
    }

    pub fn judge(&mut self, numbers: &[u8], judge: impl Judge + Copy + 'static) {
        for number in numbers {
            self.sites.get_mut(&person(*number).node).unwrap().judge = Box::new(judge);
        }
    }

    pub fn crash(&mut self, node: NodeId) {
        self.sites.get_mut(&node).unwrap().decider = None;
    }

    /// Starts a member again from its disk.
    pub fn restart(&mut self, node: NodeId) {
        let seed = self.chance.draw();
        let charter = self.decided[&Slot(0)].clone();
        let site = self.sites.get_mut(&node).unwrap();
        let restored = Restored {
            charter,
            snapshot: site.disk.snapshot.clone(),
            certificates: site.disk.certificates.clone(),
            acceptor: site.disk.acceptor.clone(),
        };
        let mut decider = Decider::restore(restored, site.identity.clone(), seed).unwrap();
        decider.may_take_part(true);
        site.decider = Some(decider);
        // Wishes are counted from the start of each run.
        site.ended.clear();
    }

    /// Cuts the network in two.
    pub fn partition(&mut self, side: &[u8]) {
        let side: BTreeSet<NodeId> = side.iter().map(|number| person(*number).node).collect();
        let nodes: Vec<NodeId> = self.sites.keys().copied().collect();
        for a in &nodes {
            for b in &nodes {
                if side.contains(a) != side.contains(b) {
                    self.cut.insert((*a, *b));
                }
            }
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }
}

impl Site {
    fn new(person: Person, decider: Decider) -> Self {
        Self {
            identity: person.identity(1),
            person,
            decider: Some(decider),
            disk: Disk::default(),
            judge: Box::new(Lenient),
            ended: BTreeMap::new(),
        }
    }
}

fn reply_packet(reply: ChainReply) -> Packet {
    match reply {
        ChainReply::Segment(segment) => Packet::Segment(segment),
        ChainReply::Snapshot(snapshot) => Packet::Snapshot(snapshot),
    }
}
