//! Probes of fellows: when the next one goes, and what its end says.
//!
//! A fellow with whom this node has a channel is probed about once an hour, one whose last probe failed
//! sooner. What a probe says is in [`hive_policy::conduct::probes`]; what many say together in
//! [`Reputation`](hive_policy::conduct::Reputation).

use crate::hive::{Hive, Stage};
use crate::io::{ActionResult, Done, ProbeFailureKind};
use hive_planner::graph::Graph;
use hive_policy::Standing;
use hive_policy::conduct::probes::{self, EndKind, Exit, ProbeEnd};
use hive_policy::conduct::{FlagKind, Seen};
use hive_types::limits::{
    BLACK_HOLE_EXITS, PROBE_EXITS, PROBE_INTERVAL, PROBE_PATIENCE, PROBE_SUSPECT_INTERVAL,
    PROBES_HELD,
};
use hive_types::{
    Action, ActionId, Elapsed, Explanation, FellowChannel, FellowView, FleetView, LocalChannel,
    Millis, Msat, NodeId, Ppm, Probe, Proposal, ShortChannelId,
};
use std::collections::BTreeMap;

/// When whom to probe next. Times are of the running boot; nothing of it is stored.
#[derive(Default)]
pub(crate) struct Probing {
    next: BTreeMap<NodeId, Elapsed>,
    /// Channels by which each fellow was left lately, newest last.
    tried: BTreeMap<NodeId, Vec<ShortChannelId>>,
    /// When probes that are under way began; those from before a restart began with it.
    sent: BTreeMap<ActionId, Elapsed>,
    wake: Elapsed,
}

impl Probing {
    /// When something is due.
    pub(crate) const fn due(&self) -> Elapsed {
        self.wake
    }

    fn rest(&mut self, fellow: NodeId, until: Elapsed) {
        self.next.insert(fellow, until);
        self.wake = self.wake.min(until);
    }

    fn remember(&mut self, fellow: NodeId, exit: ShortChannelId) {
        let tried = self.tried.entry(fellow).or_default();
        tried.retain(|channel| *channel != exit);
        tried.push(exit);
        if tried.len() > 2 * PROBE_EXITS {
            tried.remove(0);
        }
    }
}

impl Hive {
    /// Sends the probes that are due, and counts those that were held.
    pub(crate) fn tend_probes(&mut self) {
        let now = self.now.elapsed;
        match &mut self.stage {
            Stage::Member(member) if now >= member.probing.wake => {
                // Looked at again at the latest then: channels with fellows come and go.
                member.probing.wake = now.plus(PROBE_SUSPECT_INTERVAL);
            }
            _ => return,
        }
        self.count_held();
        self.judge_forwarding();
        let fellows = self.fellows_to_probe();
        if fellows.is_empty() {
            return;
        }
        let fleet = self.fleet_view();
        self.hear_reports(&fleet);
        for fellow in fellows {
            self.probe(fellow, &fleet);
        }
    }

    /// Fellows over whose channels with this node a probe is due. New ones wait for up to an
    /// interval, so that a fleet that starts does not probe all at once.
    fn fellows_to_probe(&mut self) -> Vec<NodeId> {
        let now = self.now.elapsed;
        let (Stage::Member(member), Some(local)) = (&mut self.stage, &self.local) else {
            return Vec::new();
        };
        let usable = |fellow: &NodeId| {
            let mut channels = local.channels.iter();
            channels.any(|channel| channel.usable && channel.peer == *fellow)
        };
        let fellows: Vec<NodeId> = member.fellows().filter(usable).collect();
        let probing = &mut member.probing;
        probing.next.retain(|fellow, _| fellows.contains(fellow));
        probing.tried.retain(|fellow, _| fellows.contains(fellow));
        let mut due = Vec::new();
        for fellow in fellows {
            let first = now.plus(Millis::new(self.chance.below(PROBE_INTERVAL.get())));
            let next = *probing.next.entry(fellow).or_insert(first);
            if next <= now {
                due.push(fellow);
            } else {
                probing.wake = probing.wake.min(next);
            }
        }
        due
    }

    /// Sends one probe, if there is one that would say something and the gate permits it.
    fn probe(&mut self, fellow: NodeId, fleet: &FleetView) {
        self.rest_probes(fellow, PROBE_SUSPECT_INTERVAL);
        let under_way = self.probes_under_way(&fellow);
        let held = under_way.iter().filter(|id| self.held.contains(id)).count();
        if under_way.len() > held || held >= PROBES_HELD {
            return;
        }
        let Some(probe) = self.choose_probe(&fellow, fleet) else {
            return;
        };
        let exit = probe.hops.last().map(|hop| hop.channel);
        let proposal = proposal(fellow, probe);
        let id = self.new_action_id();
        let standing = Standing {
            tier: self.tier(),
            reconciled: self.reconciled(),
            lock: None,
            banned: &fleet.banned,
        };
        let Some(local) = self.local.as_ref() else {
            return;
        };
        let permit = self
            .gate
            .authorize_probe(self.now, id, &proposal, local, standing);
        // A refusal is no news: another probe comes by itself.
        let (Ok(permit), Some(exit)) = (permit, exit) else {
            return;
        };
        self.act(id, proposal, permit);
        let spread = self.chance.below(PROBE_INTERVAL.get() / 2);
        let interval = PROBE_INTERVAL.get() / 4 * 3 + spread;
        self.rest_probes(fellow, Millis::new(interval));
        let now = self.now.elapsed;
        if let Stage::Member(member) = &mut self.stage {
            member.probing.remember(fellow, exit);
            member.probing.sent.insert(id, now);
            member.probing.wake = member.probing.wake.min(now.plus(PROBE_PATIENCE));
        }
    }

    fn choose_probe(&mut self, fellow: &NodeId, fleet: &FleetView) -> Option<Probe> {
        let (graph, local) = (self.graph.as_ref()?, self.local.as_ref()?);
        let Stage::Member(member) = &self.stage else {
            return None;
        };
        let view = fleet.members.iter().find(|view| view.node_id == *fellow)?;
        if !view.fresh {
            return None;
        }
        let is_well = |peer: &NodeId| {
            let view = fleet.members.iter().find(|view| view.node_id == *peer);
            let is_away = view.is_some_and(|view| !view.fresh || !view.privileges.free_corridor);
            *peer != local.node_id && !is_away && !fleet.banned.contains(peer)
        };
        let told = view.channels.iter().filter(|told| is_well(&told.peer));
        let (mut exits, fellows): (Vec<Exit>, Vec<Exit>) = told
            .filter_map(|told| exit_of(graph, view, told))
            .partition(|exit| !member.is_fellow(&exit.peer));
        // A fellow that holds HTLCs would speak against the one that is probed.
        if exits.len() < BLACK_HOLE_EXITS {
            exits.extend(fellows);
        }
        let own: Vec<&LocalChannel> = local
            .channels
            .iter()
            .filter(|channel| channel.peer == *fellow)
            .collect();
        let tried = member.probing.tried.get(fellow);
        let tried = tried.map(Vec::as_slice).unwrap_or_default();
        probes::choose(&own, &exits, tried, self.chance.u64())
    }

    fn rest_probes(&mut self, fellow: NodeId, wait: Millis) {
        let until = self.now.elapsed.plus(wait);
        if let Stage::Member(member) = &mut self.stage {
            member.probing.rest(fellow, until);
        }
    }

    fn probes_under_way(&self, fellow: &NodeId) -> Vec<ActionId> {
        let acting = self.actions.acting();
        let through = acting.filter(|action| {
            matches!(action.action(), Action::Probe(probe) if ends(probe).is_some_and(|(through, _)| through == *fellow))
        });
        through.map(|action| action.id).collect()
    }

    /// A probe that nothing came back of for long is counted once, before it ends.
    fn count_held(&mut self) {
        let now = self.now.elapsed;
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let mut held = Vec::new();
        for action in self.actions.acting() {
            let Action::Probe(probe) = action.action() else {
                continue;
            };
            // A test of a corridor speaks of nobody's forwarding.
            let Some(ends) = ends(probe) else {
                continue;
            };
            let since = *member.probing.sent.entry(action.id).or_insert(now);
            if self.held.contains(&action.id) {
                continue;
            }
            let patience = since.plus(PROBE_PATIENCE);
            if patience <= now {
                held.push((action.id, ends));
            } else {
                member.probing.wake = member.probing.wake.min(patience);
            }
        }
        for (id, (fellow, exit)) in held {
            self.held.insert(id);
            self.saw(fellow, Seen::Held, exit);
        }
    }

    /// A probe ended: what it says is counted, and the action is forgotten.
    pub(crate) fn probe_ended(&mut self, id: ActionId, probe: &Probe, result: &ActionResult) {
        if matches!(result, ActionResult::Unknown { .. }) {
            return;
        }
        self.actions.forget(&id, &mut self.out);
        if let Stage::Member(member) = &mut self.stage {
            member.probing.sent.remove(&id);
        }
        let was_held = self.held.remove(&id);
        let Some((fellow, exit)) = ends(probe) else {
            return;
        };
        let seen = match result {
            ActionResult::Done(done) => self.probe_said(&fellow, done),
            _ => None,
        };
        let is_counted = was_held && seen == Some(Seen::Held);
        if was_held && !is_counted {
            let known = self.reputations.get_mut(&fellow);
            known.into_iter().for_each(|known| known.unsee_held(exit));
        }
        match seen {
            Some(seen) if !is_counted => self.saw(fellow, seen, exit),
            _ => self.store_reputations(),
        }
        self.judge_forwarding();
    }

    fn probe_said(&self, fellow: &NodeId, done: &Done) -> Option<Seen> {
        let Done::Probed { arrived, failure } = done else {
            return None;
        };
        let end = match failure {
            _ if *arrived => ProbeEnd {
                from: None,
                kind: EndKind::Arrived,
            },
            Some(failure) => ProbeEnd {
                from: failure.at,
                kind: kind_of(failure.kind),
            },
            None => return None,
        };
        probes::judge(&self.config.node_id, fellow, &end)
    }

    /// Counts what was seen of a fellow, and looks again soon where it is in doubt.
    fn saw(&mut self, fellow: NodeId, seen: Seen, exit: NodeId) {
        let wall = self.now.wall;
        let known = self.reputations.entry(fellow).or_default();
        known.see(seen, exit, wall);
        let is_suspect = seen != Seen::Forwarded || self.flags.has(&fellow, FlagKind::BlackHole);
        if is_suspect {
            self.rest_probes(fellow, PROBE_SUSPECT_INTERVAL);
        }
        self.store_reputations();
    }

    /// What other full members say of fellows' failures: little.
    fn hear_reports(&mut self, fleet: &FleetView) {
        let wall = self.now.wall;
        for word in &fleet.observations {
            let is_failure = word
                .toxicity
                .is_some_and(|toxicity| toxicity.failure_rate >= Ppm::new(500_000));
            let is_fellow = |node: &NodeId| {
                let mut fellows = fleet.members.iter();
                fellows.any(|view| view.node_id == *node && Some(*node) != fleet.me)
            };
            let is_third = word.author != word.peer && is_fellow(&word.author);
            if is_failure && is_third && is_fellow(&word.peer) {
                let known = self.reputations.entry(word.peer).or_default();
                known.hear_failure(word.author, wall);
            }
        }
    }

    /// Blames black holes, and forgives those that forward again.
    fn judge_forwarding(&mut self) {
        let mut found = Vec::new();
        let mut over = Vec::new();
        for (fellow, known) in &self.reputations {
            let is_flagged = self.flags.has(fellow, FlagKind::BlackHole);
            if known.is_black_hole() {
                let own = known.own();
                let exits = known.failures().iter().map(NodeId::short);
                let exits: Vec<String> = exits.map(|exit| exit.to_string()).collect();
                let evidence = format!(
                    "own probes through it failed, towards {}; success rate {} to {} of a million",
                    exits.join(", "),
                    own.low.get(),
                    own.high.get()
                );
                found.push((*fellow, evidence));
            } else if is_flagged && known.has_recovered() {
                over.push(*fellow);
            }
        }
        for (fellow, evidence) in found {
            self.flag(fellow, FlagKind::BlackHole, &evidence);
        }
        for fellow in over {
            let known = self.reputations.get_mut(&fellow);
            known
                .into_iter()
                .for_each(hive_policy::conduct::Reputation::forget_failures);
            self.unflag(fellow, FlagKind::BlackHole);
        }
    }
}

/// The fellow that a probe goes through, and the node behind it.
fn ends(probe: &Probe) -> Option<(NodeId, NodeId)> {
    match probe.hops.as_slice() {
        [first, last] => Some((first.to, last.to)),
        _ => None,
    }
}

fn exit_of(graph: &Graph, fellow: &FellowView, told: &FellowChannel) -> Option<Exit> {
    let (channel, claimed) = (told.scid?, told.spendable?);
    let edge = graph.edge(channel, graph.node_index(&fellow.node_id)?)?;
    let policy = *edge.usable().filter(|_| told.confirmed)?;
    Some(Exit {
        channel,
        peer: told.peer,
        policy,
        claimed,
        degree: graph.degree_of(graph.node_index(&told.peer)?),
    })
}

const fn kind_of(kind: ProbeFailureKind) -> EndKind {
    match kind {
        ProbeFailureKind::TemporaryChannel | ProbeFailureKind::UnknownNextPeer => EndKind::Unable,
        ProbeFailureKind::Timeout => EndKind::Timeout,
        // A disabled direction is a policy: gossip and fee truth have it.
        ProbeFailureKind::FeeInsufficient
        | ProbeFailureKind::ChannelDisabled
        | ProbeFailureKind::Other => EndKind::Terms,
    }
}

fn proposal(fellow: NodeId, probe: Probe) -> Proposal {
    let exit = probe.hops.last().map(|hop| hop.to.short());
    let exit = exit.map(|exit| exit.to_string()).unwrap_or_default();
    Proposal {
        action: Action::Probe(probe),
        cost: Msat::ZERO,
        value_per_day: Msat::ZERO,
        confidence: Ppm::ONE,
        explanation: Explanation {
            summary: format!("probe {} towards {exit}", fellow.short()),
            facts: Vec::new(),
        },
    }
}
