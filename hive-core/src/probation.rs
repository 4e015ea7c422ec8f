//! Members on trial: how they fared, and when their promotion is proposed to the operator.

use crate::hive::{Hive, Stage};
use crate::io::Change;
use hive_proto::{VoteKind, codec};
use hive_types::limits::{PROMOTE_AFTER, PROMOTE_UPTIME};
use hive_types::{Elapsed, FellowView, FleetView, Millis, NodeId, Ppm, Sat, Tier, UnixMillis};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The store's name for how members on trial fared.
const META_PROBATION: &str = "probation";

/// How often it is looked whether their heartbeats are fresh.
const LOOK_INTERVAL: Millis = Millis::from_hours(1);

/// What was seen of members on trial.
#[derive(Default)]
pub(crate) struct Probation {
    seen: BTreeMap<NodeId, Trial>,
    next_look: Elapsed,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Trial {
    since: UnixMillis,
    looks: u32,
    fresh: u32,
}

impl Probation {
    /// As it was stored.
    pub(crate) fn restored(meta: &BTreeMap<String, Vec<u8>>) -> Self {
        let seen = meta.get(META_PROBATION);
        let seen = seen
            .and_then(|bytes| codec::decode(bytes).ok())
            .unwrap_or_default();
        Self {
            seen,
            next_look: Elapsed::default(),
        }
    }
}

impl Hive {
    /// Looks at members on trial once an hour, and proposes the promotion of those that were there,
    /// bear no blame and add something.
    pub(crate) fn tend_probation(&mut self) {
        // Without graph and heartbeats nobody adds anything, which would be no judgement.
        let is_full = matches!(&self.stage, Stage::Member(member)
            if member.tier() == Some(Tier::Full) && !member.is_starting() && self.graph.is_some());
        if !is_full || self.now.elapsed < self.probation.next_look {
            return;
        }
        self.probation.next_look = self.now.elapsed.plus(LOOK_INTERVAL);
        let fleet = self.fleet_view();
        let on_trial: Vec<&FellowView> = fleet
            .members
            .iter()
            .filter(|fellow| fellow.tier == Tier::Probationary)
            .collect();
        let is_one = |node: &NodeId| on_trial.iter().any(|fellow| fellow.node_id == *node);
        let had = self.probation.seen.len();
        self.probation.seen.retain(|node, _| is_one(node));
        if on_trial.is_empty() && had == 0 {
            return;
        }
        for fellow in on_trial {
            let trial = self.look_at(fellow);
            match self.merits(fellow, trial, &fleet) {
                Some(merits) => self.propose_vote(fellow.node_id, VoteKind::Promote, &merits),
                None => self.withdraw_vote(fellow.node_id, VoteKind::Promote),
            }
        }
        let bytes = codec::encode(&self.probation.seen);
        self.out.store(Change::Meta {
            key: META_PROBATION.to_owned(),
            bytes,
        });
    }

    fn look_at(&mut self, fellow: &FellowView) -> Trial {
        let wall = self.now.wall;
        let seen = self.probation.seen.entry(fellow.node_id);
        let trial = seen.or_insert(Trial {
            since: wall,
            looks: 0,
            fresh: 0,
        });
        trial.looks = trial.looks.saturating_add(1);
        trial.fresh = trial.fresh.saturating_add(fellow.fresh.into());
        *trial
    }

    /// What speaks for a member on trial; nothing while something is lacking.
    fn merits(&self, fellow: &FellowView, trial: Trial, fleet: &FleetView) -> Option<String> {
        let span = self.now.wall.since(trial.since);
        let uptime = Ppm::of(trial.fresh.into(), trial.looks.into());
        let is_blamed = self.flags.of(&fellow.node_id).next().is_some();
        let (peers, capital) = adds(fellow, fleet);
        let is_ripe = span >= PROMOTE_AFTER && uptime >= PROMOTE_UPTIME && !is_blamed && peers > 0;
        is_ripe.then(|| {
            format!(
                "on trial for {} days, there for {}.{} % of the time, no blame; its channels with {capital} reach {peers} peers that no other member has a channel with",
                span.as_secs() / 86_400,
                uptime.get() / 10_000,
                uptime.get() / 1_000 % 10,
            )
        })
    }
}

/// What a member brings: outside peers that only it has channels with, and what is in those.
fn adds(fellow: &FellowView, fleet: &FleetView) -> (usize, Sat) {
    let others = fleet
        .members
        .iter()
        .filter(|other| other.node_id != fellow.node_id);
    let mut known: BTreeSet<NodeId> = fleet.members.iter().map(|other| other.node_id).collect();
    known.extend(others.flat_map(|other| other.channels.iter().map(|channel| channel.peer)));
    let new = fellow.channels.iter();
    let new = new.filter(|channel| channel.confirmed && !known.contains(&channel.peer));
    let mut peers = BTreeSet::new();
    let mut capital = Sat::ZERO;
    for channel in new {
        peers.insert(channel.peer);
        capital = capital.saturating_add(channel.capacity);
    }
    (peers.len(), capital)
}
