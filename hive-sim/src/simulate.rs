//! One run from one seed: a world, members, their operators, faults, and what the checkers found.
//!
//! ```
//! use hive_sim::{SimConfig, simulate};
//!
//! let config = SimConfig { members: 3, minutes: 30, ..SimConfig::new(1) };
//! let report = simulate(&config, None);
//! assert!(report.passed, "{:?}", report.violations);
//! assert_eq!(report.trace_hash, simulate(&config, None).trace_hash);
//! ```

mod blame;
mod operator;
mod rogues;
mod scene;
mod shows;
mod squat;

use crate::checkers::{self, Violation};
use crate::faults::{Fault, FaultPlan, MINUTE};
use crate::fleet::{Adversary, Defect, FleetTotals};
use crate::world::LinkTotals;
use hive_types::{Digest, Millis};
use operator::Operators;
pub use rogues::AdversaryReport;
use rogues::Rogues;
use scene::Stage;
use serde::{Deserialize, Serialize};

/// How long operators and supervisors take to look again, in milliseconds.
const ROUND: u64 = 10_000;
/// How long the fleet has to agree after its last quiet minutes.
const AGREE: u64 = 15 * MINUTE;

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimConfig {
    /// Everything follows from it.
    pub seed: u64,
    /// Members.
    pub members: usize,
    /// Simulated time. The last quarter and at least twenty minutes are without faults.
    pub minutes: u64,
    /// Whether anything goes wrong.
    pub faults: bool,
    /// Nodes outside of the fleet.
    pub nodes: u32,
    /// Payments in an hour over the whole network.
    pub payments_per_hour: u32,
    /// Members that turn bad: fewer than a third of all, or decisions are theirs. The run goes on until
    /// each is found or its time to be found is over.
    pub adversaries: usize,
    /// What they may do; drawn from these.
    pub kinds: Vec<Adversary>,
    /// A defect put in, to show that a checker finds it.
    pub planted: Option<Planted>,
}

/// What a checker of adversaries and of blame has to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The driver of this member has a defect, and the member counts as honest.
    In(usize, Defect),
    /// Adversaries do nothing, so that nobody can find them.
    TameAdversaries,
}

impl SimConfig {
    /// Seven members for two hours on a small network, with faults.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            members: 7,
            minutes: 120,
            faults: true,
            nodes: 80,
            payments_per_hour: 60,
            adversaries: 0,
            kinds: Adversary::ALL.to_vec(),
            planted: None,
        }
    }

    /// The most adversaries among so many members: fewer than a third.
    pub const fn adversaries_max(members: usize) -> usize {
        members.saturating_sub(1) / 3
    }

    pub(crate) fn bytes(&self) -> [u8; 32] {
        crate::world::hash_of("simulation", &[&self.seed.to_le_bytes()])
    }
}

/// How a run went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimReport {
    /// The seed.
    pub seed: u64,
    /// Whether no rule was broken.
    pub passed: bool,
    /// What was.
    pub violations: Vec<Violation>,
    /// Hash over everything that happened, in hex: equal for equal configurations.
    pub trace_hash: String,
    /// What happened, in numbers.
    pub totals: SimTotals,
    /// How each adversary fared.
    #[serde(default)]
    pub adversaries: Vec<AdversaryReport>,
    /// Times that an honest member blamed an honest one.
    #[serde(default)]
    pub false_flags: u64,
}

/// What happened in a run, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimTotals {
    /// Messages handed to links.
    pub sent: u64,
    /// Messages that never arrived.
    pub lost: u64,
    /// Messages that arrived twice.
    pub duplicated: u64,
    /// Messages that were overtaken.
    pub reordered: u64,
    /// Members' part in it.
    pub fleet: FleetTotals,
    /// Decisions made.
    pub decisions: u64,
    /// Simulated milliseconds.
    pub millis: u64,
}

impl SimTotals {
    pub(crate) const fn with_links(mut self, links: LinkTotals) -> Self {
        self.sent = links.sent;
        self.lost = links.lost;
        self.duplicated = links.duplicated;
        self.reordered = links.reordered;
        self
    }
}

/// Runs one seed. `trace` is given a line for each thing worth one, the same lines each time.
pub fn simulate(config: &SimConfig, mut trace: Option<&mut dyn FnMut(&str)>) -> SimReport {
    let mut stage = Stage::new(config);
    if trace.is_some() {
        stage.fleet.keep_lines();
    }
    for checker in checkers::all() {
        stage.fleet.watch_with(checker);
    }
    let end = config.minutes * MINUTE;
    let calm = (end * 3 / 4).min(end.saturating_sub(20 * MINUTE));
    let mut rogues = Rogues::draw(config);
    if let Some(Planted::In(member, defect)) = config.planted {
        stage.fleet.set_defect(member, Some(defect));
    }
    let mut faults = faults(config, calm).into_iter().peekable();
    let mut operators = Operators::new(config);
    let (mut at, mut stopped) = (0, None);
    while stopped.is_none_or(|stopped| at < stopped + AGREE) {
        while let Some((_, fault)) = faults.next_if(|(due, _)| *due <= at && *due < calm) {
            stage.strike(&fault);
        }
        let is_calm = at >= calm;
        if is_calm && !std::mem::replace(&mut stage.is_calm, true) {
            stage.calm_down(&rogues);
        }
        stage.tend();
        operators.tend(&mut stage);
        match stopped {
            None if at >= end && rogues.is_over(at) => {
                rogues.stop(&mut stage);
                stopped = Some(at);
            }
            None => rogues.tend(&mut stage),
            Some(_) => {}
        }
        let next = faults
            .peek()
            .map_or(at + ROUND, |(due, _)| (*due).max(at + 1));
        let next = next.min(at + ROUND);
        stage.fleet.run_for(Millis::new(next - at));
        at = next;
        hand_over(&mut stage, &mut trace);
        if stopped.is_some() && stage.fleet.unconverged().is_empty() {
            break;
        }
    }
    stage.fleet.judge_quiet();
    hand_over(&mut stage, &mut trace);
    let mut more = stage.judge_roster();
    more.extend(rogues.violations(&stage));
    report(config, &stage, &rogues, more)
}

/// What goes wrong. Where adversaries are, they take the places of liars and copied agents, and nobody
/// leaves: of seven, two that lie, one that is restored and one that leaves are no majority any more.
fn faults(config: &SimConfig, calm: u64) -> Vec<(u64, Fault)> {
    if !config.faults {
        return Vec::new();
    }
    let plan = FaultPlan::draw(&config.bytes(), config.members, 12 * MINUTE, calm);
    let mut faults = plan.faults;
    // What would end later ends with all others when faults stop.
    faults.retain(|(due, _)| *due < calm);
    if config.adversaries > 0 {
        let is_other =
            |fault: &Fault| !matches!(fault, Fault::Lie(..) | Fault::Clone(_) | Fault::Leave(_));
        faults.retain(|(_, fault)| is_other(fault));
    }
    faults
}

fn hand_over(stage: &mut Stage, trace: &mut Option<&mut dyn FnMut(&str)>) {
    if let Some(trace) = trace {
        stage.fleet.take_lines().iter().for_each(|line| trace(line));
    }
}

fn report(config: &SimConfig, stage: &Stage, rogues: &Rogues, more: Vec<Violation>) -> SimReport {
    let fleet = &stage.fleet;
    let mut violations = fleet.violations().to_vec();
    violations.extend(more);
    let totals = SimTotals {
        fleet: *fleet.totals(),
        decisions: fleet.chain().all().count() as u64,
        millis: stage.elapsed(),
        ..SimTotals::default()
    };
    let hash: Digest = fleet.trace_hash();
    SimReport {
        seed: config.seed,
        passed: violations.is_empty(),
        violations,
        trace_hash: hash.to_string(),
        totals: totals.with_links(fleet.world().link_totals()),
        adversaries: rogues.reports(),
        false_flags: rogues.false_flags(),
    }
}

fn violation(checker: &str, at_ms: u64, text: String) -> Violation {
    Violation {
        checker: checker.to_owned(),
        at_ms,
        text,
    }
}
