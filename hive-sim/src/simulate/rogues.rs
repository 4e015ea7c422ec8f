//! Members that turn bad, who finds them, and who is blamed without cause.

use super::scene::Stage;
use super::squat::Squat;
use super::{Planted, SimConfig};
use crate::checkers::Violation;
use crate::faults::MINUTE;
use crate::fleet::{Adversary, Fleet};
use crate::world::{ChannelInfo, Rng};
use hive_core::Event;
use hive_policy::conduct::FlagKind;
use hive_proto::{Record, Version};
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Tier};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An honest member may bear a blame for so long: until word of its repair is through.
const BLAME_MS: u64 = 30 * MINUTE;
/// They turn bad within this span, once they are full members.
const ONSET: (u64, u64) = (20 * MINUTE, 40 * MINUTE);
/// A run waits so long for a squatter's locks to tell what it is. A lock that nobody uses ends after a
/// day only, and where one lock is all that it got, and nothing else is decided, that is no evidence.
const EVIDENCE_MS: u64 = 8 * 60 * MINUTE;

/// How one adversary fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdversaryReport {
    /// What it does.
    pub kind: String,
    /// When it began, in milliseconds of simulated time; `None`: it never became a full member.
    pub began_ms: Option<u64>,
    /// How long most of those to whom it shows took to blame it.
    pub found_after_ms: Option<u64>,
    /// Whether it turned bad and the run ended before anybody had to know: neither found nor missed.
    #[serde(default)]
    pub undecided: bool,
}

/// One of them.
struct Rogue {
    member: usize,
    kind: Adversary,
    due: u64,
    turned: bool,
    /// A squatter begins with the first lock that it never uses.
    began: Option<u64>,
    /// From when on there is enough to be found by.
    evident: Option<u64>,
    squat: Squat,
    found: Option<u64>,
    blamers: BTreeSet<usize>,
}

impl Rogue {
    /// When its time to be found is over.
    fn bound(&self) -> Option<u64> {
        let within = self.kind.found_within().get();
        self.evident.map(|evident| evident + within)
    }

    fn is_missed(&self, now: u64) -> bool {
        self.bound()
            .is_some_and(|bound| self.found.unwrap_or(now) >= bound)
    }

    /// Whether what it does shows to anybody. A fork shows once it is in honest hands.
    fn shows(&self, stage: &Stage) -> bool {
        let node = stage.fleet.node(self.member);
        let is_there = self.kind != Adversary::Equivocator || holds_two(&stage.fleet, node);
        is_there && !concerned(stage, self).is_empty()
    }

    /// What it did so far: a squatter by its locks, all others from when it shows.
    fn judge(&mut self, stage: &Stage, now: u64) {
        if self.kind == Adversary::Squatter {
            if self.evident.is_none() && self.found.is_none() {
                self.squat.look(stage, self.member);
                self.began = self.squat.began();
                self.evident = self.squat.is_evident().then_some(now);
            }
        } else if self.began.is_none() && self.shows(stage) {
            (self.began, self.evident) = (Some(now), Some(now));
        }
    }
}

/// All of them, and all blame.
pub(super) struct Rogues {
    all: Vec<Rogue>,
    /// They turn bad and do nothing: a defect of this simulator, which the checker has to find.
    are_tame: bool,
    /// Events that were read.
    read: usize,
    /// Blame on honest members that stands, and since when.
    standing: BTreeMap<(usize, NodeId, FlagKind), u64>,
    false_flags: u64,
    found: Vec<Violation>,
}

impl Rogues {
    /// Draws as many members as asked for, and what they do.
    pub(super) fn draw(config: &SimConfig) -> Self {
        let (seed, members, kinds) = (&config.bytes(), config.members, &config.kinds);
        let count = config.adversaries.min(SimConfig::adversaries_max(members));
        let mut rng = Rng::new(seed, "adversaries");
        let mut left: Vec<usize> = (0..members).collect();
        let mut all = Vec::new();
        for _ in 0..count.min(members) {
            let member = left.swap_remove(rng.below(left.len() as u64) as usize);
            let Some(kind) = kinds.get(rng.below(kinds.len().max(1) as u64) as usize) else {
                break;
            };
            all.push(Rogue {
                member,
                kind: *kind,
                due: rng.between(ONSET.0, ONSET.1),
                turned: false,
                began: None,
                evident: None,
                squat: Squat::default(),
                found: None,
                blamers: BTreeSet::new(),
            });
        }
        Self {
            all,
            are_tame: config.planted == Some(Planted::TameAdversaries),
            read: 0,
            standing: BTreeMap::new(),
            false_flags: 0,
            found: Vec::new(),
        }
    }

    /// Whether a member is one of them, now or later.
    pub(super) fn is_one(&self, member: usize) -> bool {
        self.all.iter().any(|rogue| rogue.member == member)
    }

    /// Turns those bad whose time has come, has them misbehave, and reads who blames whom.
    pub(super) fn tend(&mut self, stage: &mut Stage) {
        let now = stage.elapsed();
        for rogue in &mut self.all {
            let is_full = tier_of(&stage.fleet, rogue.member) == Some(Tier::Full);
            if !rogue.turned && now >= rogue.due && is_full {
                rogue.turned = true;
                let lie = rogue.kind.lie(&mut stage.rng);
                let does = (!self.are_tame).then_some(lie);
                stage.fleet.set_lie(rogue.member, does);
                let (member, kind) = (rogue.member, rogue.kind.name());
                stage
                    .fleet
                    .note(|| format!("m{member} turns {kind}: {lie:?}"));
            }
            if rogue.turned {
                rogue.judge(stage, now);
            }
            // A flood that everybody knows of shows nothing more, and costs the most to simulate.
            let is_known = rogue.kind == Adversary::Flooder && rogue.found.is_some();
            if rogue.turned && !is_known {
                stage.fleet.misbehave(rogue.member);
            }
        }
        self.read_blame(stage);
        for rogue in &mut self.all {
            if rogue.found.is_none() && is_found(stage, rogue) {
                rogue.found = Some(now);
                let (member, kind) = (rogue.member, rogue.kind.name());
                stage
                    .fleet
                    .note(|| format!("m{member}, a {kind}, is found"));
            }
        }
        self.judge_blame(stage, now);
    }

    fn read_blame(&mut self, stage: &Stage) {
        let fleet = &stage.fleet;
        let start = stage.start().get();
        for (at, by, event) in &fleet.events()[self.read..] {
            let at = at.get() - start;
            match event {
                Event::Flagged {
                    node,
                    kind,
                    evidence,
                } if fleet.agents()[*by].is_honest() => {
                    if let Some(rogue) = self
                        .all
                        .iter_mut()
                        .find(|rogue| fleet.node(rogue.member) == *node && rogue.began.is_some())
                    {
                        if rogue.kind.blamed_for() == *kind {
                            rogue.blamers.insert(*by);
                        }
                        continue;
                    }
                    let mut on_it = fleet.agents().iter().filter(|agent| agent.node() == *node);
                    if on_it.all(|agent| agent.is_honest()) {
                        self.false_flags += 1;
                        self.standing.insert((*by, *node, *kind), at);
                        if kind_is_proof(*kind) {
                            let who = fleet.node(*by).short();
                            let text = format!(
                                "{who} blames {}, which is honest, for {kind}: {evidence}",
                                node.short()
                            );
                            self.found.push(violation(
                                "no honest member is blamed",
                                at + start,
                                text,
                            ));
                        }
                    }
                }
                // Both contents may have met before anybody was seen to hold them.
                Event::Equivocation { author } if fleet.agents()[*by].is_honest() => {
                    let mut rogues = self.all.iter_mut();
                    let forked = rogues.find(|rogue| {
                        rogue.kind == Adversary::Equivocator
                            && rogue.turned
                            && fleet.node(rogue.member) == *author
                    });
                    if let Some(rogue) = forked {
                        rogue.began.get_or_insert(at);
                        rogue.evident.get_or_insert(at);
                    }
                }
                Event::Unflagged { node, kind } => {
                    self.standing.remove(&(*by, *node, *kind));
                }
                // Who is out keeps no blame.
                Event::Left => self.standing.retain(|(who, _, _), _| who != by),
                _ => {}
            }
        }
        self.read = fleet.events().len();
    }

    fn judge_blame(&mut self, stage: &Stage, now: u64) {
        let long: Vec<_> = self
            .standing
            .iter()
            .filter(|(_, since)| now.saturating_sub(**since) >= BLAME_MS)
            .map(|(key, since)| (*key, *since))
            .collect();
        for ((by, node, kind), since) in long {
            self.standing.remove(&(by, node, kind));
            let who = stage.fleet.node(by).short();
            let text = format!(
                "{who} blames {}, which is honest, for {kind} since minute {}",
                node.short(),
                since / MINUTE
            );
            let at = stage.fleet.now().get();
            self.found
                .push(violation("no honest member is blamed for long", at, text));
        }
    }

    /// Whether nothing is left to be found in time.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.all.iter().all(|rogue| {
            let wait = rogue.began.map(|began| began + EVIDENCE_MS);
            let end = rogue.bound().or(wait);
            rogue.found.is_some() || end.is_none_or(|end| now >= end)
        })
    }

    /// They mend their ways; what their machines made of it goes with a restart.
    pub(super) fn stop(&mut self, stage: &mut Stage) {
        for rogue in self.all.iter().filter(|rogue| rogue.turned) {
            stage.fleet.set_lie(rogue.member, None);
            stage.fleet.crash(rogue.member);
        }
    }

    /// What was broken, those included who were not found in time.
    pub(super) fn violations(&self, stage: &Stage) -> Vec<Violation> {
        let at = stage.fleet.now().get();
        let now = stage.elapsed();
        let missed = self.all.iter().filter(|rogue| rogue.is_missed(now));
        let missed = missed.map(|rogue| {
            let text = format!(
                "{}, a {}, was blamed by {:?} only",
                stage.fleet.node(rogue.member).short(),
                rogue.kind.name(),
                rogue.blamers
            );
            violation("adversaries are found in time", at, text)
        });
        self.found.iter().cloned().chain(missed).collect()
    }

    pub(super) const fn false_flags(&self) -> u64 {
        self.false_flags
    }

    pub(super) fn reports(&self, stage: &Stage) -> Vec<AdversaryReport> {
        let now = stage.elapsed();
        let reports = self.all.iter().map(|rogue| AdversaryReport {
            kind: rogue.kind.name().to_owned(),
            began_ms: rogue.began,
            found_after_ms: rogue
                .found
                .zip(rogue.began)
                .map(|(found, began)| found - began),
            undecided: rogue.turned && rogue.found.is_none() && !rogue.is_missed(now),
        });
        reports.collect()
    }
}

/// Blame that rests on signatures and counts alone: an honest member never bears it, not for a moment.
const fn kind_is_proof(kind: FlagKind) -> bool {
    matches!(
        kind,
        FlagKind::Equivocation
            | FlagKind::DoubleAcceptance
            | FlagKind::Forgery
            | FlagKind::Flooding
            | FlagKind::Squatting
    )
}

fn violation(checker: &str, at_ms: u64, text: String) -> Violation {
    Violation {
        checker: checker.to_owned(),
        at_ms,
        text,
    }
}

fn tier_of(fleet: &Fleet, member: usize) -> Option<Tier> {
    let hive = fleet.agents()[member].disk().hive()?;
    let newest = fleet.chain().newest(&hive)?;
    let seat = newest.after.members().get(&fleet.node(member))?;
    Some(seat.tier)
}

/// Whether most of the honest full members to whom it shows have blamed it.
fn is_found(stage: &Stage, rogue: &Rogue) -> bool {
    let concerned = concerned(stage, rogue);
    let blame = concerned
        .iter()
        .filter(|member| rogue.blamers.contains(member));
    !concerned.is_empty() && 2 * blame.count() > concerned.len()
}

/// The honest full members to whom it shows.
fn concerned(stage: &Stage, rogue: &Rogue) -> Vec<usize> {
    let fleet = &stage.fleet;
    let node = fleet.node(rogue.member);
    let shows_to = |other: NodeId| match rogue.kind.shows_in_channels() {
        true => fleet
            .world()
            .channels()
            .any(|channel| shows_in(rogue.kind, &channel, [node, other])),
        false => fleet.world().is_connected(node, other),
    };
    (0..stage.members)
        .filter(|member| fleet.agents()[*member].is_honest())
        .filter(|member| tier_of(fleet, *member) == Some(Tier::Full))
        .filter(|member| shows_to(fleet.node(*member)))
        .collect()
}

/// Whether a channel of these two shows to the second what the first one does. To claim all of a channel is
/// no lie where the other end holds next to nothing, and a small limit is no fault where little could be sent.
fn shows_in(kind: Adversary, channel: &ChannelInfo, [rogue, other]: [NodeId; 2]) -> bool {
    let side = |node| channel.nodes.iter().position(|end| *end == node);
    let (Some(own), Some(others), Some(_)) = (side(rogue), side(other), channel.scid) else {
        return false;
    };
    let fifth = Msat::new(channel.capacity.to_msat_saturating().get() / 5);
    match kind {
        Adversary::CapacityLiar => channel.balances[others] > fifth,
        _ => asks(&channel.policies[own]) || channel.balances[own] > fifth,
    }
}

/// Whether a policy asks anything for a payment, or lets none pass.
fn asks(policy: &ChannelPolicy) -> bool {
    let inbound = policy.inbound_ppm > 0 || policy.inbound_base_msat > 0;
    policy.rate > Ppm::ZERO || !policy.base.is_zero() || inbound || policy.disabled
}

/// Whether two honest members hold two contents that this node signed under one version. Until then it has
/// deceived nobody: its own machine may have met what it signed, and stopped.
fn holds_two(fleet: &Fleet, node: NodeId) -> bool {
    let honest = fleet.agents().iter().filter(|agent| agent.is_honest());
    let mut known: BTreeMap<(&[u8], Version), &[u8]> = BTreeMap::new();
    for agent in honest {
        let records = agent.disk().stored.records.iter();
        for ((_, key), bytes) in records.filter(|((author, _), _)| *author == node) {
            let Ok(record) = Record::parse(bytes.clone()) else {
                continue;
            };
            let place = (key.as_slice(), record.fields().version);
            if known
                .insert(place, bytes)
                .is_some_and(|other| other != bytes)
            {
                return true;
            }
        }
    }
    false
}
