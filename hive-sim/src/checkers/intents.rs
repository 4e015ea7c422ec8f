//! Announced opens are steady: graphs that differ between members make nobody change its mind all day.

use super::{Checker, Scene, Sight};
use hive_core::Change;
use hive_proto::{Record, RecordBody, RecordKind};
use hive_types::limits::INTENTS_PER_MEMBER;
use hive_types::{Intent, NodeId};
use std::collections::{BTreeMap, VecDeque};

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
/// Intents that a member writes in a day, taken back ones counted: each that it may have, twice
/// announced, for each lasts half a day, and twice ended.
pub const CHANGES_PER_DAY: usize = 4 * INTENTS_PER_MEMBER;
/// Times that a member announces an open to one target in a day. An announcement lasts for half a
/// day, so two are usual; the others are for opens that failed on the way.
pub const SAME_TARGET_PER_DAY: usize = 6;

/// No honest member announces, takes back and announces again: what others plan around stays.
#[derive(Default)]
pub struct IntentsAreSteady {
    written: BTreeMap<NodeId, VecDeque<(u64, NodeId, bool)>>,
}

impl Checker for IntentsAreSteady {
    fn name(&self) -> &'static str {
        "announced opens are steady"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        let Sight::Persisted { agent, changes, .. } = sight else {
            return;
        };
        let agent = scene.agent(*agent);
        let (node, now) = (agent.node(), scene.at.get());
        for change in &changes.changes {
            let Change::Record { author, bytes, .. } = change else {
                continue;
            };
            if let Some(intent) = intent_of(bytes).filter(|_| *author == node && agent.is_honest())
            {
                let is_live = intent.until > scene.world.chain().height();
                found.extend(self.note(node, now, intent.target, is_live));
            }
        }
    }
}

impl IntentsAreSteady {
    fn note(&mut self, node: NodeId, now: u64, target: NodeId, is_live: bool) -> Option<String> {
        let written = self.written.entry(node).or_default();
        while written.front().is_some_and(|(at, _, _)| at + DAY_MS <= now) {
            written.pop_front();
        }
        written.push_back((now, target, is_live));
        let same = written
            .iter()
            .filter(|(_, to, live)| *live && *to == target);
        let (same, all) = (same.count(), written.len());
        if is_live && same > SAME_TARGET_PER_DAY {
            let (who, to) = (node.short(), target.short());
            return Some(format!(
                "{who} announces an open to {to} for the {same}th time in a day"
            ));
        }
        (all > CHANGES_PER_DAY)
            .then(|| format!("{} changes its mind {all} times in a day", node.short()))
    }
}

fn intent_of(bytes: &[u8]) -> Option<Intent> {
    let record = Record::parse(bytes.to_vec()).ok()?;
    let fields = record.fields();
    (fields.kind == RecordKind::INTENT).then(|| Intent::decode(&fields.body).ok())?
}
