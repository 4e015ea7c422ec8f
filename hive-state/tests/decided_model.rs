//! Model check of what is decided: the acceptor and the proposer that the decider runs, under every
//! order of loss, repetition, reordering, crash and restart that the bounds allow.
//!
//! A message, once sent, stays in the network: it may arrive never, once, late or again. What is
//! durable outlives a crash, what is not (an attempt) is lost. Two slots follow each other, and one of
//! the two decisions that contend for the first takes the last member out, so that the second slot is
//! decided by another quorum than the first.
#![allow(clippy::unwrap_used, clippy::panic)]

use hive_state::decided::{Acceptor, Prepared, Proposed, Proposer, Quorum};
use stateright::{Checker, HasDiscoveries, Model, Property, UniformChooser};
use std::collections::BTreeSet;

type Node = u8;
/// Round and proposer; the rank between them is the proposer's number.
type Ballot = (u8, Node);
/// The slot and whose wish it is.
type Value = (u8, Node);

const FOUNDER: Node = 0;
/// In the first slot this member wishes that the last member leaves.
const CHANGES_ROSTER: Node = 1;
const SLOTS: u8 = 2;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Message {
    Prepare(u8, Ballot),
    Promise(u8, Ballot, Node, Option<(Ballot, Value)>),
    Propose(u8, Ballot, Value),
    Accepted(u8, Ballot, Node),
    Certificate(u8, Value),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Member {
    chain: Vec<Value>,
    /// Durable: the acceptor of the open slot and the highest round used in it.
    acceptor: Acceptor<Ballot, Value>,
    round: u8,
    /// What it told others that it promised or accepted; only the properties read it.
    told: Option<Ballot>,
    attempt: Option<Proposer<Node, Ballot, Value, ()>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    members: Vec<Member>,
    network: BTreeSet<Message>,
    crashes: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Begin(Node),
    Deliver(Message, Node),
    /// A promise arrives at a proposer that waits for more before it takes anything over.
    Wait(Message, Node),
    Crash(Node),
}

#[derive(Clone, Debug)]
struct Fleet {
    members: u8,
    proposers: u8,
    /// Attempts per proposer in each slot.
    rounds: [u8; SLOTS as usize],
    crashes: u8,
    /// Planted: a crash loses what the acceptor stored.
    forgets: bool,
    /// For random walks: the checker retraces them by the numbers of steps, so that each step has to
    /// lead somewhere.
    walked: bool,
}

impl Fleet {
    /// Who decides the slot after `chain`.
    fn quorum(&self, chain: &[Value]) -> Quorum<Node> {
        let left = chain.contains(&(0, CHANGES_ROSTER));
        let count = self.members - u8::from(left);
        Quorum::new((0..count).collect(), FOUNDER)
    }
}

impl World {
    fn open(&self, node: Node) -> u8 {
        self.members[usize::from(node)].chain.len() as u8
    }

    fn begin(&mut self, fleet: &Fleet, node: Node, round: u8) {
        let slot = self.open(node);
        let ballot = (round, node);
        let member = &mut self.members[usize::from(node)];
        member.round = round;
        let mut attempt = Proposer::new(ballot, (slot, node));
        if fleet.quorum(&member.chain).members().contains(&node)
            && let Prepared::Promise(report) = member.acceptor.on_prepare(ballot)
        {
            member.told = member.told.max(Some(ballot));
            attempt.on_promise(node, report);
        }
        member.attempt = Some(attempt);
        self.network.insert(Message::Prepare(slot, ballot));
        self.advance(fleet, node, false);
    }

    fn advance(&mut self, fleet: &Fleet, node: Node, wait: bool) {
        let slot = self.open(node);
        let member = &mut self.members[usize::from(node)];
        let quorum = fleet.quorum(&member.chain);
        let Some(attempt) = &mut member.attempt else {
            return;
        };
        let Some((value, _)) = attempt.choose(&quorum, |_| wait) else {
            return;
        };
        let ballot = *attempt.ballot();
        self.network.insert(Message::Propose(slot, ballot, value));
        if quorum.members().contains(&node)
            && member.acceptor.on_propose(ballot, &value) == Proposed::Accepted
        {
            member.told = member.told.max(Some(ballot));
            attempt.on_accepted(node, ());
        }
        self.conclude(fleet, node);
    }

    fn conclude(&mut self, fleet: &Fleet, node: Node) {
        let slot = self.open(node);
        let member = &self.members[usize::from(node)];
        let quorum = fleet.quorum(&member.chain);
        let Some(attempt) = &member.attempt else {
            return;
        };
        if attempt.decided(&quorum).is_some() {
            let value = *attempt.proposed().unwrap();
            self.network.insert(Message::Certificate(slot, value));
            self.learn(node, value);
        }
    }

    fn learn(&mut self, node: Node, value: Value) {
        let member = &mut self.members[usize::from(node)];
        let mut chain = std::mem::take(&mut member.chain);
        chain.push(value);
        *member = Member {
            chain,
            ..Member::default()
        };
    }

    fn deliver(&mut self, fleet: &Fleet, message: &Message, node: Node, wait: bool) {
        let member = &mut self.members[usize::from(node)];
        match *message {
            Message::Prepare(slot, ballot) => {
                if let Prepared::Promise(report) = member.acceptor.on_prepare(ballot) {
                    member.told = member.told.max(Some(ballot));
                    let promise = Message::Promise(slot, ballot, node, report);
                    self.network.insert(promise);
                }
            }
            Message::Propose(slot, ballot, value) => {
                if member.acceptor.on_propose(ballot, &value) == Proposed::Accepted {
                    member.told = member.told.max(Some(ballot));
                    self.network.insert(Message::Accepted(slot, ballot, node));
                }
            }
            Message::Promise(_, _, from, report) => {
                if let Some(attempt) = &mut member.attempt {
                    attempt.on_promise(from, report);
                }
                self.advance(fleet, node, wait);
            }
            Message::Accepted(_, _, from) => {
                if let Some(attempt) = &mut member.attempt {
                    attempt.on_accepted(from, ());
                }
                self.conclude(fleet, node);
            }
            Message::Certificate(_, value) => self.learn(node, value),
        }
    }

    /// Drops messages that change nothing any more, whenever they arrive: answers that nobody waits
    /// for, and questions that every acceptor has answered or promised to refuse. States that differ in
    /// nothing else are one.
    fn forget_the_idle(&mut self, fleet: &Fleet) {
        let members = &self.members;
        let waits = |slot: u8, ballot: &Ballot, from: &Node, for_promises: bool| {
            let member = &members[usize::from(ballot.1)];
            let attempt = member.attempt.as_ref();
            member.chain.len() == usize::from(slot)
                && attempt.is_some_and(|attempt| {
                    attempt.ballot() == ballot
                        && attempt.proposed().is_none() == for_promises
                        && !attempt.heard(from)
                })
        };
        let anybody = |slot: u8, proposer: Node, moves: &dyn Fn(&Member) -> bool| {
            (0..fleet.members).any(|node| {
                let member = &members[usize::from(node)];
                let open = member.chain.len() as u8;
                let accepts = fleet.quorum(&member.chain).members().contains(&node);
                node != proposer && (open < slot || (open == slot && accepts && moves(member)))
            })
        };
        self.network.retain(|message| match message {
            Message::Promise(slot, ballot, from, _) => waits(*slot, ballot, from, true),
            Message::Accepted(slot, ballot, from) => waits(*slot, ballot, from, false),
            Message::Prepare(slot, ballot) => anybody(*slot, ballot.1, &|member| {
                member.acceptor.promised() < Some(ballot)
            }),
            Message::Propose(slot, ballot, value) => anybody(*slot, ballot.1, &|member| {
                member.acceptor.promised() <= Some(ballot)
                    && member.acceptor.accepted() != Some(&(*ballot, *value))
            }),
            Message::Certificate(..) => true,
        });
    }

    fn receivers(&self, fleet: &Fleet, message: &Message) -> Vec<Node> {
        let everybody = 0..fleet.members;
        let acceptors = |slot: u8, proposer: Node| {
            let hears = move |node: &Node| {
                let chain = &self.members[usize::from(*node)].chain;
                let acceptor = fleet.quorum(chain).members().contains(node);
                *node != proposer && chain.len() == usize::from(slot) && acceptor
            };
            everybody.clone().filter(hears).collect()
        };
        match message {
            Message::Prepare(slot, ballot) | Message::Propose(slot, ballot, _) => {
                acceptors(*slot, ballot.1)
            }
            Message::Promise(_, ballot, ..) | Message::Accepted(_, ballot, _) => vec![ballot.1],
            Message::Certificate(slot, _) => {
                let lacks = |node: &Node| self.open(*node) == *slot;
                everybody.clone().filter(lacks).collect()
            }
        }
    }

    fn certificates(&self) -> impl Iterator<Item = &Value> {
        self.network.iter().filter_map(|message| match message {
            Message::Certificate(_, value) => Some(value),
            _ => None,
        })
    }

    fn agrees(&self) -> bool {
        let slots: BTreeSet<u8> = self.certificates().map(|value| value.0).collect();
        slots.len() == self.certificates().count()
    }

    fn keeps_its_word(&self) -> bool {
        self.members
            .iter()
            .all(|member| member.acceptor.promised().copied() >= member.told)
    }

    /// Runs the founder's attempts with every message arriving, one after the other, and says whether
    /// both slots are then decided everywhere, in accordance with every certificate that exists.
    fn completes(&self, fleet: &Fleet) -> bool {
        let mut world = self.clone();
        for slot in 0..SLOTS {
            world.share_certificates(fleet);
            if world.open(FOUNDER) > slot {
                continue;
            }
            let rounds = world.members.iter().map(|member| {
                let promised = member.acceptor.promised().map_or(0, |ballot| ballot.0);
                promised.max(member.round)
            });
            let round = rounds.max().unwrap_or(0) + 1;
            world
                .network
                .retain(|message| matches!(message, Message::Certificate(..)));
            world.begin(fleet, FOUNDER, round);
            for _ in 0..2 {
                let asked: Vec<Message> = world.network.iter().cloned().collect();
                for message in asked {
                    for node in world.receivers(fleet, &message) {
                        world.deliver(fleet, &message, node, false);
                    }
                }
                world.answer_founder(fleet);
            }
        }
        world.share_certificates(fleet);
        let chain = &world.members[usize::from(FOUNDER)].chain;
        chain.len() == usize::from(SLOTS)
            && world.agrees()
            && world.members.iter().all(|member| member.chain == *chain)
    }

    fn answer_founder(&mut self, fleet: &Fleet) {
        let answers: Vec<Message> = self.network.iter().cloned().collect();
        for message in answers {
            let slot = self.open(FOUNDER);
            let now = |at: &u8| *at == slot;
            let answer = match &message {
                Message::Promise(at, ..) | Message::Accepted(at, ..) => now(at),
                _ => false,
            };
            if answer {
                self.deliver(fleet, &message, FOUNDER, false);
            }
        }
    }

    fn share_certificates(&mut self, fleet: &Fleet) {
        let certificates: Vec<Message> = self.network.iter().cloned().collect();
        for message in certificates {
            if matches!(message, Message::Certificate(..)) {
                for node in self.receivers(fleet, &message) {
                    self.deliver(fleet, &message, node, false);
                }
            }
        }
    }
}

impl Model for Fleet {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            members: vec![Member::default(); self.members.into()],
            network: BTreeSet::new(),
            crashes: 0,
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for node in 0..self.proposers {
            let slot = world.open(node);
            let used = world.members[usize::from(node)].round;
            if slot < SLOTS && used < self.rounds[usize::from(slot)] {
                steps.push(Step::Begin(node));
            }
        }
        for message in &world.network {
            for node in world.receivers(self, message) {
                if matches!(message, Message::Promise(.., Some(_))) {
                    steps.push(Step::Wait(message.clone(), node));
                }
                steps.push(Step::Deliver(message.clone(), node));
            }
        }
        if world.crashes < self.crashes {
            // A crash that loses nothing is the same as a member that is slow.
            let loses =
                |node: &Node| self.forgets || world.members[usize::from(*node)].attempt.is_some();
            steps.extend((0..self.members).filter(loses).map(Step::Crash));
        }
        if self.walked {
            steps.retain(|step| self.next_state(world, step.clone()).is_some());
        }
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        let mut world = last.clone();
        match step {
            Step::Begin(node) => {
                let round = world.members[usize::from(node)].round + 1;
                world.begin(self, node, round);
            }
            Step::Deliver(message, node) => world.deliver(self, &message, node, false),
            Step::Wait(message, node) => world.deliver(self, &message, node, true),
            Step::Crash(node) => {
                world.crashes += 1;
                let member = &mut world.members[usize::from(node)];
                member.attempt = None;
                if self.forgets {
                    member.acceptor = Acceptor::default();
                }
            }
        }
        world.forget_the_idle(self);
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("agreement", |_, world: &World| world.agrees()),
            Property::always("no promise is forgotten", |_, world: &World| {
                world.keeps_its_word()
            }),
            Property::always("a fault-free schedule decides", |fleet, world: &World| {
                world.completes(fleet)
            }),
            Property::sometimes("the roster changes", |_, world: &World| {
                let last = world.members.iter().map(|member| &member.chain);
                last.max_by_key(|chain| chain.len())
                    .is_some_and(|chain| chain.len() == 2 && chain[0] == (0, CHANGES_ROSTER))
            }),
        ]
    }
}

fn report(name: &str, checker: &impl Checker<Fleet>) {
    println!(
        "COVERAGE {name}: {} states, {} unique, depth {}, done {}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        checker.is_done()
    );
}

#[test]
fn three_members_exhaustively() {
    let fleet = Fleet {
        members: 3,
        proposers: 2,
        rounds: [2, 2],
        crashes: 1,
        forgets: false,
        walked: false,
    };
    let checker = fleet.checker().threads(2).spawn_bfs().join();
    report(
        "three members, two rounds, one crash, one roster change",
        &checker,
    );
    checker.assert_properties();
}

#[test]
fn five_members_within_bounds() {
    let fleet = Fleet {
        members: 5,
        proposers: 3,
        rounds: [3, 2],
        crashes: 2,
        forgets: false,
        walked: false,
    };
    let near = fleet
        .clone()
        .checker()
        .threads(2)
        .target_state_count(200_000)
        .spawn_bfs()
        .join();
    report("five members, nearest states", &near);
    let walks = Fleet {
        walked: true,
        ..fleet
    };
    let far = walks
        .checker()
        .threads(2)
        .target_state_count(100_000)
        .spawn_simulation(5, UniformChooser)
        .join();
    report("five members, random walks", &far);
    for name in [
        "agreement",
        "no promise is forgotten",
        "a fault-free schedule decides",
    ] {
        near.assert_no_discovery(name);
        far.assert_no_discovery(name);
    }
}

#[test]
fn an_acceptor_that_forgets_is_found() {
    let fleet = Fleet {
        members: 3,
        proposers: 2,
        rounds: [2, 0],
        crashes: 1,
        forgets: true,
        walked: false,
    };
    let wanted = HasDiscoveries::AllOf(["agreement", "no promise is forgotten"].into());
    let checker = fleet.checker().finish_when(wanted).spawn_bfs().join();
    report("an acceptor that forgets", &checker);
    let counterexample = checker.assert_any_discovery("agreement");
    println!("{:#?}", counterexample.into_actions());
    checker.assert_any_discovery("no promise is forgotten");
}
