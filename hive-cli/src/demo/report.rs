//! What the demo found, for people and as JSON.

use super::houses::Findings;
use hive_types::{Msat, Sat};
use serde::Serialize;
use std::collections::BTreeMap;

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// The fleet held against it.
    Held,
    /// It did not, or the trial could not be made.
    Failed,
}

/// How the trials ended.
#[derive(Default)]
pub(crate) struct Trials(BTreeMap<&'static str, (Outcome, String)>);

impl Trials {
    pub(crate) fn end(&mut self, name: &'static str, held: bool, how: String) {
        let outcome = if held { Outcome::Held } else { Outcome::Failed };
        self.0.insert(name, (outcome, how));
    }

    /// Takes in how others ended.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn outcomes(&self) -> BTreeMap<&'static str, Outcome> {
        let outcomes = self.0.iter();
        outcomes
            .map(|(name, (outcome, _))| (*name, *outcome))
            .collect()
    }

    pub(crate) fn details(&self) -> BTreeMap<&'static str, String> {
        let details = self.0.iter();
        details
            .map(|(name, (_, how))| (*name, how.clone()))
            .collect()
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) members: usize,
    pub(crate) nodes: usize,
    pub(crate) channels: usize,
    pub(crate) simulated_hours: f64,
    pub(crate) wall_seconds: f64,
    /// Members that the fleet admitted, the founder counted.
    pub(crate) joined: usize,
    /// Members that left in order.
    pub(crate) left: usize,
    /// Whether all that stayed hold the same records and decisions at the end.
    pub(crate) converged: bool,
    /// The digest that they share.
    pub(crate) state: String,
    /// The newest decision's number.
    pub(crate) decisions: u64,
    /// Fundings on the chain, by members.
    pub(crate) channels_opened: usize,
    /// Of them, those without a certificate of their own that was valid at that height.
    pub(crate) duplicate_opens: usize,
    pub(crate) distinct_targets: usize,
    /// Locks that more than one member wanted.
    pub(crate) contended_locks: usize,
    pub(crate) opens_by_member: BTreeMap<String, usize>,
    pub(crate) capital_opened_sat: Sat,
    /// Circular payments in favour of a fellow that came back.
    pub(crate) pushes: usize,
    pub(crate) pushed_msat: Msat,
    pub(crate) push_fees_msat: Msat,
    /// What members earned by forwarding.
    pub(crate) fees_earned_msat: Msat,
    pub(crate) payments: u64,
    pub(crate) frames: u64,
    pub(crate) largest_frame_bytes: u64,
    pub(crate) bytes_per_member_hour: u64,
    /// Rules that were broken; each a sentence.
    pub(crate) violations: Vec<String>,
    pub(crate) trials: BTreeMap<&'static str, Outcome>,
    /// What was measured in each trial.
    pub(crate) trial_details: BTreeMap<&'static str, String>,
}

impl Report {
    /// Adds what came of the houses beside the fleet's.
    pub(crate) fn take_in(&mut self, findings: Findings) {
        self.violations.extend(findings.violations);
        self.trials.extend(findings.trials.outcomes());
        self.trial_details.extend(findings.trials.details());
    }

    /// Whether everything is as it must be.
    pub(crate) fn is_good(&self) -> bool {
        let all_held = self.trials.values().all(|trial| *trial == Outcome::Held);
        self.converged
            && self.joined == self.members
            && self.duplicate_opens == 0
            && self.violations.is_empty()
            && all_held
    }

    /// The report for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            String::new(),
            format!(
                "{:.1} simulated hours in {:.1} s on a network of {} nodes and {} channels, seed {}",
                self.simulated_hours, self.wall_seconds, self.nodes, self.channels, self.seed
            ),
            String::new(),
        ];
        lines.extend(
            self.rows()
                .into_iter()
                .map(|(name, value)| format!("  {name:<20} {value}")),
        );
        lines.push(String::new());
        lines.push("  trials".to_owned());
        for (name, outcome) in &self.trials {
            let word = match outcome {
                Outcome::Held => "held",
                Outcome::Failed => "FAILED",
            };
            let details = self.trial_details.get(name).map_or("", String::as_str);
            lines.push(format!(
                "  {:<20} {word}: {details}",
                name.replace('_', " ")
            ));
        }
        lines.push(String::new());
        match self.violations.is_empty() {
            true => lines.push("  no rule was broken".to_owned()),
            false => lines.extend(
                self.violations
                    .iter()
                    .map(|text| format!("  BROKEN: {text}")),
            ),
        }
        lines
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let agree = match self.converged {
            true => format!(
                "yes: {} and decision {}",
                self.state.get(..16).unwrap_or(&self.state),
                self.decisions
            ),
            false => "NO".to_owned(),
        };
        let opens = self.opens_by_member.iter();
        let opens: Vec<String> = opens
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        vec![
            (
                "members",
                format!(
                    "{} of {} joined, {} left",
                    self.joined, self.members, self.left
                ),
            ),
            ("all agree", agree),
            (
                "channels opened",
                format!(
                    "{} to {} targets with {}; {} without a right to it",
                    self.channels_opened,
                    self.distinct_targets,
                    self.capital_opened_sat,
                    self.duplicate_opens
                ),
            ),
            ("by member", opens.join(", ")),
            (
                "locks",
                format!("{} wanted by more than one", self.contended_locks),
            ),
            (
                "pushes",
                format!(
                    "{}, moving {} for {}",
                    self.pushes, self.pushed_msat, self.push_fees_msat
                ),
            ),
            (
                "earned",
                format!(
                    "{} of {} payments in the world",
                    self.fees_earned_msat, self.payments
                ),
            ),
            (
                "gossip",
                format!(
                    "{} bytes per member and hour, largest frame {} bytes",
                    self.bytes_per_member_hour, self.largest_frame_bytes
                ),
            ),
        ]
    }
}
