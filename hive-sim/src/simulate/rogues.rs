//! Members that turn bad, and who finds them.

use super::blame::FalseBlame;
use super::scene::Stage;
use super::shows::{Misdeed, tier_of};
use super::squat::Squat;
use super::{Planted, SimConfig, violation};
use crate::checkers::Violation;
use crate::faults::MINUTE;
use crate::fleet::Adversary;
use crate::world::Rng;
use hive_core::Event;
use hive_policy::conduct::FlagKind;
use hive_types::{NodeId, Tier};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// They turn bad within this span, once they are full members.
const ONSET: (u64, u64) = (20 * MINUTE, 40 * MINUTE);
/// A run waits so long for a squatter's locks to tell what it is. A lock that nobody uses ends after a
/// day only, and where one lock is all that it got, and nothing else is decided, that is no evidence.
/// It waits as long for what shows now and then only.
const EVIDENCE_MS: u64 = 8 * 60 * MINUTE;

/// How one adversary fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdversaryReport {
    /// What it does.
    pub kind: String,
    /// When it began, in milliseconds of simulated time; `None`: it never became a full member, or what
    /// it did showed to nobody.
    pub began_ms: Option<u64>,
    /// How long most of those to whom it shows took to blame it.
    pub found_after_ms: Option<u64>,
    /// Whether it turned bad and the run ended before anybody had to know: neither found nor missed.
    #[serde(default)]
    pub undecided: bool,
}

/// One of them.
struct Rogue {
    misdeed: Misdeed,
    due: u64,
    turned: Option<u64>,
    /// A squatter begins with the first lock that it never uses.
    began: Option<u64>,
    /// From when on there is enough to be found by.
    evident: Option<u64>,
    /// To whom it shows, and since when without a break.
    shown: BTreeMap<usize, u64>,
    squat: Squat,
    found: Option<u64>,
    blamers: BTreeSet<usize>,
    is_missed: bool,
}

impl Rogue {
    const fn new(member: usize, kind: Adversary, due: u64) -> Self {
        Self {
            misdeed: Misdeed {
                member,
                kind,
                lie: None,
            },
            due,
            turned: None,
            began: None,
            evident: None,
            shown: BTreeMap::new(),
            squat: Squat::NEW,
            found: None,
            blamers: BTreeSet::new(),
            is_missed: false,
        }
    }

    /// What it did so far: a squatter by its locks, all others from when it shows.
    fn judge(&mut self, stage: &Stage, now: u64) {
        if self.misdeed.kind == Adversary::Squatter {
            if self.evident.is_none() && self.found.is_none() {
                self.squat.look(stage, self.misdeed.member);
                self.began = self.squat.began();
                self.evident = self.squat.is_evident().then_some(now);
            }
        } else if self.began.is_none() && self.misdeed.shows(stage) {
            (self.began, self.evident) = (Some(now), Some(now));
        }
        let shown_to = self.misdeed.shown_to(stage);
        self.shown.retain(|member, _| shown_to.contains(member));
        for member in shown_to {
            self.shown.entry(member).or_insert(now);
        }
    }

    /// Takes in that an honest member blames it for what it does. Fellows may see in channels what is too
    /// little for the rule that they have to: then it shows since it turned bad.
    fn blamed(&mut self, by: usize) {
        if self.misdeed.kind.shows_in_channels() && self.began.is_none() {
            self.began = self.turned;
        }
        if self.began.is_some() {
            self.blamers.insert(by);
        }
    }

    /// When its time to be found is over. In channels payments hide what it does and bring it back, and
    /// who saw it may turn bad as well: there the time counts for each fellow from when it shows to
    /// that one without a break.
    fn bound(&self) -> Option<u64> {
        let since = match self.misdeed.kind.shows_in_channels() {
            true => self.shown.values().min().copied(),
            false => self.evident,
        };
        Some(since? + self.misdeed.kind.found_within().get())
    }

    /// Whether most of those to whom it shows blame it; in channels those included who saw it
    /// before, as long as it did show.
    fn is_found(&self) -> bool {
        let mut know: BTreeSet<usize> = self.shown.keys().copied().collect();
        if self.misdeed.kind.shows_in_channels() {
            know.extend(&self.blamers);
        }
        let blame = know.iter().filter(|member| self.blamers.contains(member));
        2 * blame.count() > know.len()
    }

    /// Whether its time is over, in channels with most of those to whom it shows for all of it.
    fn is_overdue(&self, now: u64) -> bool {
        if !self.misdeed.kind.shows_in_channels() {
            return self.bound().is_some_and(|bound| now >= bound);
        }
        let within = self.misdeed.kind.found_within().get();
        let long = self
            .shown
            .iter()
            .filter(|(_, since)| now >= **since + within);
        let long: Vec<usize> = long.map(|(member, _)| *member).collect();
        let blame = long.iter().filter(|member| self.blamers.contains(member));
        !long.is_empty() && 2 * blame.count() <= long.len()
    }

    /// Whether the run need not go on for it.
    fn is_over(&self, now: u64) -> bool {
        let Some(turned) = self.turned else {
            return true;
        };
        let waits_for_locks = self.misdeed.kind == Adversary::Squatter && self.evident.is_none();
        let waits = waits_for_locks || self.bound().is_some();
        self.found.is_some() || self.is_missed || !waits || now >= turned + EVIDENCE_MS
    }
}

/// All of them, and all blame.
pub(super) struct Rogues {
    all: Vec<Rogue>,
    /// They turn bad and do nothing: a defect of this simulator, which the checker has to find.
    are_tame: bool,
    /// Events that were read.
    read: usize,
    false_blame: FalseBlame,
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
            let due = rng.between(ONSET.0, ONSET.1);
            all.push(Rogue::new(member, *kind, due));
        }
        Self {
            all,
            are_tame: config.planted == Some(Planted::TameAdversaries),
            read: 0,
            false_blame: FalseBlame::default(),
        }
    }

    /// Whether a member is one of them, now or later.
    pub(super) fn is_one(&self, member: usize) -> bool {
        self.all.iter().any(|rogue| rogue.misdeed.member == member)
    }

    /// Turns those bad whose time has come, has them misbehave, and reads who blames whom.
    pub(super) fn tend(&mut self, stage: &mut Stage) {
        let now = stage.elapsed();
        for rogue in &mut self.all {
            let (member, kind) = (rogue.misdeed.member, rogue.misdeed.kind);
            let is_full = tier_of(&stage.fleet, member) == Some(Tier::Full);
            if rogue.turned.is_none() && now >= rogue.due && is_full {
                rogue.turned = Some(now);
                let lie = kind.lie(&mut stage.rng);
                rogue.misdeed.lie = Some(lie);
                let does = (!self.are_tame).then_some(lie);
                stage.fleet.turn(member, does);
                let name = kind.name();
                stage
                    .fleet
                    .note(|| format!("m{member} turns {name}: {lie:?}"));
            }
            // A flood that everybody knows of shows nothing more, and costs the most to simulate.
            let is_known = kind == Adversary::Flooder && rogue.found.is_some();
            if rogue.turned.is_some() {
                rogue.judge(stage, now);
                if !is_known {
                    stage.fleet.misbehave(member);
                }
            }
        }
        self.read_events(stage);
        self.read_disks(stage, now);
        for rogue in &mut self.all {
            if rogue.found.is_none() && rogue.is_found() {
                rogue.found = Some(now);
                let (member, kind) = (rogue.misdeed.member, rogue.misdeed.kind.name());
                stage
                    .fleet
                    .note(|| format!("m{member}, a {kind}, is found"));
            }
            rogue.is_missed |= rogue.found.is_none() && rogue.is_overdue(now);
        }
    }

    fn read_events(&mut self, stage: &Stage) {
        let fleet = &stage.fleet;
        for (at, by, event) in &fleet.events()[self.read..] {
            let at = at.get() - stage.start().get();
            match event {
                Event::Flagged {
                    node,
                    kind,
                    evidence,
                } => self.blamed(stage, at, (*by, *node, *kind), evidence),
                // Both contents may have met before anybody was seen to hold them.
                Event::Equivocation { author } if fleet.agents()[*by].is_honest() => {
                    let mut rogues = self.all.iter_mut();
                    let forked = rogues.find(|rogue| {
                        rogue.misdeed.kind == Adversary::Equivocator
                            && rogue.turned.is_some()
                            && fleet.node(rogue.misdeed.member) == *author
                    });
                    if let Some(rogue) = forked {
                        rogue.began.get_or_insert(at);
                        rogue.evident.get_or_insert(at);
                    }
                }
                _ => {}
            }
        }
        self.read = fleet.events().len();
    }

    /// What is durable counts as well: a member that crashes right after it wrote a blame down tells
    /// nobody, and stands by it when it starts again.
    fn read_disks(&mut self, stage: &Stage, now: u64) {
        let agents = stage.fleet.agents().iter().enumerate();
        let mut held = BTreeSet::new();
        for (by, agent) in agents {
            let flags = agent.disk().flags();
            for (node, kind, flag) in flags.iter() {
                held.insert((by, node, kind));
                self.blamed(stage, now, (by, node, kind), &flag.evidence);
            }
        }
        self.false_blame.judge(stage, |blame| held.contains(blame));
    }

    fn blamed(&mut self, stage: &Stage, at: u64, blame: (usize, NodeId, FlagKind), evidence: &str) {
        let (by, node, kind) = blame;
        let fleet = &stage.fleet;
        if !fleet.agents()[by].is_honest() {
            return;
        }
        let mut rogues = self.all.iter_mut();
        let rogue =
            rogues.find(|rogue| fleet.node(rogue.misdeed.member) == node && rogue.turned.is_some());
        match rogue {
            Some(rogue) if rogue.misdeed.kind.blamed_for() == kind => rogue.blamed(by),
            Some(_) => {}
            None => self.false_blame.raised(stage, at, blame, evidence),
        }
    }

    /// Whether nothing is left to be found in time.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.all.iter().all(|rogue| rogue.is_over(now))
    }

    /// They mend their ways; what their machines made of it goes with a restart.
    pub(super) fn stop(&mut self, stage: &mut Stage) {
        for rogue in self.all.iter().filter(|rogue| rogue.turned.is_some()) {
            let member = rogue.misdeed.member;
            stage.fleet.turn(member, None);
            stage.fleet.crash(member);
        }
    }

    /// What was broken, those included who were not found in time.
    pub(super) fn violations(&self, stage: &Stage) -> Vec<Violation> {
        let at = stage.fleet.now().get();
        let missed = self.all.iter().filter(|rogue| rogue.is_missed);
        let missed = missed.map(|rogue| {
            let text = format!(
                "{}, a {}, was blamed by {:?} only",
                stage.fleet.node(rogue.misdeed.member).short(),
                rogue.misdeed.kind.name(),
                rogue.blamers
            );
            violation("adversaries are found in time", at, text)
        });
        self.false_blame.violations().chain(missed).collect()
    }

    pub(super) const fn false_flags(&self) -> u64 {
        self.false_blame.count()
    }

    pub(super) fn reports(&self) -> Vec<AdversaryReport> {
        let reports = self.all.iter().map(|rogue| AdversaryReport {
            kind: rogue.misdeed.kind.name().to_owned(),
            began_ms: rogue.began,
            found_after_ms: rogue
                .found
                .zip(rogue.began)
                .map(|(found, began)| found - began),
            undecided: rogue.turned.is_some() && rogue.found.is_none() && !rogue.is_missed,
        });
        reports.collect()
    }
}
