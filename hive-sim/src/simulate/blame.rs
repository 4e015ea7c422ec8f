//! Who is blamed without cause, and for how long.

use super::scene::Stage;
use super::violation;
use crate::checkers::Violation;
use crate::faults::MINUTE;
use hive_policy::conduct::FlagKind;
use hive_types::NodeId;
use std::collections::BTreeMap;

/// An honest member may bear a blame for so long: until word of its repair is through.
const BLAME_MS: u64 = 30 * MINUTE;

/// Who blames whom for what.
pub(super) type Blame = (usize, NodeId, FlagKind);

/// Blame on honest members.
#[derive(Default)]
pub(super) struct FalseBlame {
    /// What stands, since when, and whether it was told that this is too long.
    standing: BTreeMap<Blame, (u64, bool)>,
    count: u64,
    found: Vec<Violation>,
}

impl FalseBlame {
    /// Takes in that a member blames another one, which is counted if the other is honest.
    pub(super) fn raised(&mut self, stage: &Stage, at: u64, blame: Blame, evidence: &str) {
        let (by, node, kind) = blame;
        let mut on_it = stage.fleet.agents().iter().filter(|on| on.node() == node);
        if self.standing.contains_key(&blame) || !on_it.all(|agent| agent.is_honest()) {
            return;
        }
        self.count += 1;
        self.standing.insert(blame, (at, false));
        if kind_is_proof(kind) {
            let (who, whom) = (stage.fleet.node(by).short(), node.short());
            let text = format!("{who} blames {whom}, which is honest, for {kind}: {evidence}");
            let at = at + stage.start().get();
            self.found
                .push(violation("no honest member is blamed", at, text));
        }
    }

    /// Forgets what does not stand any more, and finds what stands for too long.
    pub(super) fn judge(&mut self, stage: &Stage, stands: impl Fn(&Blame) -> bool) {
        let now = stage.elapsed();
        self.standing.retain(|blame, _| stands(blame));
        for ((by, node, kind), (since, is_told)) in &mut self.standing {
            if *is_told || now.saturating_sub(*since) < BLAME_MS {
                continue;
            }
            *is_told = true;
            let (who, whom) = (stage.fleet.node(*by).short(), node.short());
            let minute = *since / MINUTE;
            let text =
                format!("{who} blames {whom}, which is honest, for {kind} since minute {minute}");
            let at = stage.fleet.now().get();
            self.found
                .push(violation("no honest member is blamed for long", at, text));
        }
    }

    /// Times that an honest member blamed an honest one.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// What was broken.
    pub(super) fn violations(&self) -> impl Iterator<Item = Violation> {
        self.found.iter().cloned()
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
