//! This member's judgement on what is put before the fleet: only what no chain can tell.

use hive_planner::graph::Graph;
use hive_policy::conduct::Flags;
use hive_proto::{Decision, DecisionBody, Funding, RecordBody, keys};
use hive_state::decided::{Folded, Judge, Lock, Standing, TargetFacts, judge_lock};
use hive_state::merged::Merged;
use hive_types::{LocalSnapshot, NodeId, Now, OutPoint};

/// What this member knows of time, of its node, of the graph and of its fellows' words.
pub(crate) struct Judgement<'a> {
    now: Now,
    local: Option<&'a LocalSnapshot>,
    graph: Option<&'a Graph>,
    merged: &'a Merged,
    flags: &'a Flags,
}

impl<'a> Judgement<'a> {
    pub(crate) const fn new(
        now: Now,
        local: Option<&'a LocalSnapshot>,
        graph: Option<&'a Graph>,
        merged: &'a Merged,
        flags: &'a Flags,
    ) -> Self {
        Self {
            now,
            local,
            graph,
            merged,
            flags,
        }
    }

    fn facts(&self, folded: &Folded, target: &NodeId) -> Result<TargetFacts, String> {
        let local = self.local.ok_or("this member has not read its node yet")?;
        let lock = folded.locks().get(target);
        Ok(TargetFacts {
            tip: local.height,
            funding_published: lock
                .is_some_and(|lock| funding_of(self.merged, lock, target).is_some()),
            channel_seen: lock.is_some_and(|lock| self.is_seen(lock, target)),
        })
    }

    /// Whether the holder did what the lock is for: told of a funding, or the graph shows the channel.
    pub(crate) fn is_used(&self, lock: &Lock, target: &NodeId) -> bool {
        funding_of(self.merged, lock, target).is_some() || self.is_seen(lock, target)
    }

    /// Whether the graph shows a channel of the holder and the target that is younger than the lock.
    fn is_seen(&self, lock: &Lock, target: &NodeId) -> bool {
        let younger = |graph: &Graph| {
            let ends = (graph.node_index(&lock.holder)?, graph.node_index(target)?);
            let mut between = graph.between(ends.0, ends.1);
            Some(between.any(|edge| edge.scid.block() >= lock.height.get()))
        };
        self.graph.and_then(younger).unwrap_or(false)
    }
}

impl Judge for Judgement<'_> {
    fn judge(
        &self,
        folded: &Folded,
        decision: &Decision,
        standing: Standing,
    ) -> Result<(), String> {
        match &decision.body {
            DecisionBody::Admit { ticket, .. } => {
                let expired = ticket.body().expires <= self.now.wall;
                // Somebody accepted it when it was valid: it may be decided already.
                if expired && standing == Standing::Fresh {
                    return Err("the ticket is expired; ask for a new one".to_owned());
                }
                Ok(())
            }
            DecisionBody::Lock { target, height, .. } => {
                // Another member may have accepted it before: then it may be decided already.
                let is_stripped = !self.flags.privileges(&decision.author).locks;
                if is_stripped && standing == Standing::Fresh {
                    return Err("its author has lost the privilege of locks here".to_owned());
                }
                let facts = self.facts(folded, target)?;
                judge_lock(folded, target, *height, facts).map_err(|refused| refused.to_string())
            }
            _ => Ok(()),
        }
    }
}

/// The funding that a lock's holder published, by its own record.
pub(crate) fn funding_of(merged: &Merged, lock: &Lock, target: &NodeId) -> Option<OutPoint> {
    let held = merged.get(&lock.holder, &keys::funding(target))?;
    let funding = Funding::decode(&held.record().fields().body).ok()?;
    (funding.target == *target && funding.action == lock.action).then_some(funding.outpoint)
}
