//! The machine: what it holds, and where each input goes.

use crate::actions::Actions;
use crate::bans::Banned;
use crate::chance::Chance;
use crate::config::Config;
use crate::corridors::Corridors;
use crate::event::Event;
use crate::io::{Change, Input, Output, Snapshot};
use crate::join::{Founding, Joining, JoiningKey};
use crate::member::Membership;
use crate::misconduct::Misconduct;
use crate::observe::Baseline;
use crate::oracle::Questions;
use crate::outbox::Outbox;
use crate::peers::Peers;
use crate::plan::Planning;
use crate::probation::Probation;
use crate::sharing::SharingSeen;
use crate::votes::VoteProposals;
use hive_planner::graph::Graph;
use hive_policy::bans::{BanList, PeerWatch};
use hive_policy::bill::Bill;
use hive_policy::conduct::contribution::Contributions;
use hive_policy::conduct::presence::Attested;
use hive_policy::conduct::{Flags, Reputation};
use hive_policy::corridor::SavedFees;
use hive_policy::{Gate, Subject};
use hive_proto::Epoch;
use hive_types::{ActionId, Elapsed, HiveId, LocalSnapshot, NodeId, Now};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One member's whole mind: everything that is decided is decided here, and nothing is done here.
///
/// Deterministic: the same seed, snapshot and inputs give the same outputs, byte for byte.
pub struct Hive {
    pub(crate) config: Config,
    pub(crate) chance: Chance,
    pub(crate) now: Now,
    pub(crate) peers: Peers,
    pub(crate) local: Option<LocalSnapshot>,
    pub(crate) graph: Option<Arc<Graph>>,
    /// When it came.
    pub(crate) graph_at: Elapsed,
    pub(crate) gate: Gate,
    pub(crate) actions: Actions,
    /// What was acting when the agent stopped and has no end yet.
    pub(crate) unreconciled: BTreeSet<ActionId>,
    pub(crate) saved_fees: SavedFees,
    pub(crate) bans: BanList,
    /// What the own node saw of outside peers.
    pub(crate) watch: PeerWatch,
    /// When that is stored again, for figures that are no news.
    pub(crate) next_watch: Elapsed,
    /// What the fleet cost and brought.
    pub(crate) bill: Bill,
    /// When forwards are counted again.
    pub(crate) next_bill: Elapsed,
    /// Members on trial, as they were seen.
    pub(crate) probation: Probation,
    /// Channels that a rule on sharing found by their place in the chain.
    pub(crate) sharing_seen: SharingSeen,
    /// Outside peers that this member keeps away from.
    pub(crate) banned: Banned,
    /// What fellows are blamed for.
    pub(crate) flags: Flags,
    /// Fees among fellows.
    pub(crate) corridors: Corridors,
    /// What fellows did on the wire and in the chain that has made no blame yet.
    pub(crate) misconduct: Misconduct,
    /// Votes that the operator may want to cast.
    pub(crate) vote_proposals: VoteProposals,
    /// How well fellows forward.
    pub(crate) reputations: BTreeMap<NodeId, Reputation>,
    /// Who forwards for whom.
    pub(crate) contributions: Contributions,
    /// Who was there, as it is told; read from what was told after a restart.
    pub(crate) presence: Option<Attested>,
    /// Probes under way that were counted as held.
    pub(crate) held: BTreeSet<ActionId>,
    /// What the node had forwarded when counting began.
    pub(crate) baseline: Option<Baseline>,
    /// The newest epoch that this node had in fleets that it left.
    pub(crate) epochs: BTreeMap<HiveId, Epoch>,
    /// The key of a handshake that has not ended well: the fleet may have admitted it all the same.
    pub(crate) joining_key: Option<JoiningKey>,
    /// Why the last attempt to join or to found came to nothing.
    pub(crate) join_failure: Option<String>,
    /// The record of the last departure, for fellows that never heard of it.
    pub(crate) departure: Option<Vec<u8>>,
    /// Nodes that stand in the table of members.
    pub(crate) rows: BTreeSet<NodeId>,
    /// What was refused last, and why.
    pub(crate) refusals: BTreeMap<Subject, String>,
    /// What the oracle was asked and has not answered.
    pub(crate) questions: Questions,
    /// What a dry run said already.
    pub(crate) rehearsed: BTreeSet<String>,
    /// The plan that is being made.
    pub(crate) planning: Option<Planning>,
    /// Plans asked for in this run.
    pub(crate) plans: u64,
    pub(crate) stage: Stage,
    pub(crate) out: Outbox,
}

/// Where this node stands.
#[expect(clippy::large_enum_variant, reason = "one of it in a machine")]
pub(crate) enum Stage {
    /// In no fleet.
    Alone,
    /// Waits for its node to sign the founder's manifest.
    Founding(Founding),
    /// On its way in.
    Joining(Box<Joining>),
    /// In a fleet.
    Member(Box<Membership>),
    /// Does nothing any more, for this reason: it met a copy of itself, or its store can't be read.
    Halted(String),
}

impl Hive {
    /// A machine that goes on from what was stored; `seed` is 32 random bytes, new in each boot.
    pub fn new(config: Config, seed: [u8; 32], restored: Snapshot, now: Now) -> Self {
        crate::start::restore(config, Chance::new(seed), restored, now)
    }

    /// Takes in what happened. Never fails and never blocks; a bad peer is an [`Event`].
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Vec<Output> {
        self.now = now;
        let is_answered = matches!(input, Input::Command { .. } | Input::Planned(_))
            || self.corridors.is_restored() && ends_restoring(&input);
        if is_answered || !matches!(self.stage, Stage::Halted(_)) {
            self.take_in(input);
            self.advance();
        }
        for change in self.gate.take_changes() {
            self.out.store(Change::Gate(change));
        }
        self.out.take()
    }

    /// When to call with [`Input::Tick`], unless something else comes first.
    pub fn next_wake(&self) -> Elapsed {
        let stage = match &self.stage {
            Stage::Alone | Stage::Founding(_) | Stage::Halted(_) => Elapsed::NEVER,
            Stage::Joining(joining) => joining.deadline(),
            Stage::Member(member) => member.next_wake(),
        };
        let consent = self
            .gate
            .next_wake(self.now)
            .min(self.questions.next_wake());
        stage.min(consent)
    }

    /// The fleet that this node is in.
    pub fn hive(&self) -> Option<HiveId> {
        match &self.stage {
            Stage::Member(member) => Some(member.identity.hive()),
            _ => None,
        }
    }

    fn take_in(&mut self, input: Input<'_>) {
        match input {
            Input::Tick => {}
            Input::PeerConnected { peer, features } => {
                self.peers.connect(peer, features);
                self.peer_connected(peer);
            }
            Input::PeerDisconnected { peer } => self.peers.disconnect(&peer),
            Input::Message { from, bytes } => self.message(from, bytes),
            Input::Observed(snapshot) => self.observed(snapshot),
            Input::Graph(graph) => {
                self.graph = Some(graph);
                self.graph_at = self.now.elapsed;
            }
            Input::NodeSigned { text, signature } => self.node_signed(text, signature),
            Input::Completed { id, result } => self.completed(id, result),
            Input::Planned(planned) => self.planned(planned),
            Input::Advice { action, answer } => self.advice(action, answer),
            Input::Command { id, command } => {
                if let Some(reply) = self.command(id, command) {
                    self.out.push(Output::Reply { id, reply });
                }
            }
        }
    }

    /// Everything that is due by now.
    fn advance(&mut self) {
        self.gate.tick(self.now);
        self.tend_questions();
        match self.stage {
            Stage::Joining(_) => self.advance_joining(),
            Stage::Member(_) => self.advance_member(),
            Stage::Alone | Stage::Founding(_) | Stage::Halted(_) => {}
        }
    }

    fn peer_connected(&mut self, peer: NodeId) {
        match self.stage {
            Stage::Joining(_) => self.joining_connected(peer),
            Stage::Member(_) => self.fellow_connected(peer),
            Stage::Alone | Stage::Founding(_) | Stage::Halted(_) => {}
        }
    }

    /// A peer sent something that does not count: counted, and named at most once a minute.
    pub(crate) fn bad_peer(&mut self, peer: NodeId, reason: String) {
        if self.peers.may_report(peer, self.now.elapsed) {
            self.out.emit(Event::BadPeer { peer, reason });
        }
    }
}

/// What a halted machine still needs to set fees back.
const fn ends_restoring(input: &Input<'_>) -> bool {
    matches!(input, Input::Observed(_) | Input::Completed { .. })
}
