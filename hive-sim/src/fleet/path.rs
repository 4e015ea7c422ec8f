//! The path of one action through its driver, from the write that first names it to the word of its
//! end: what crash points are counted on.

use super::Fleet;
use super::agent::Agent;
use super::drive::Step;
use hive_core::{ActionState, Change, ChangeSet};
use hive_types::{ActionId, ActionKind};

/// How far an action got that is followed.
#[derive(Clone, Debug)]
pub(super) struct Path {
    kind: ActionKind,
    action: Option<ActionId>,
    is_over: bool,
    steps: Vec<Step>,
}

impl Fleet {
    /// Notes every step that an agent takes while the next action of this kind is under way, whatever
    /// the step is for. A start forgets it.
    pub fn follow(&mut self, agent: usize, kind: ActionKind) {
        self.agents[agent].path = Some(Path {
            kind,
            action: None,
            is_over: false,
            steps: Vec::new(),
        });
    }

    /// The action that is followed, once it has begun.
    pub fn followed(&self, agent: usize) -> Option<ActionId> {
        self.agents[agent].path.as_ref()?.action
    }

    /// The steps of an action that was followed to its end.
    pub fn walked(&self, agent: usize) -> Option<&[Step]> {
        let path = self.agents[agent].path.as_ref();
        let over = path.filter(|path| path.is_over)?;
        Some(&over.steps)
    }

    /// The path begins with the write that first names the action.
    pub(super) fn set_out(&mut self, agent: usize, changes: &ChangeSet) {
        let Some(path) = &mut self.agents[agent].path else {
            return;
        };
        let mut actions = changes.changes.iter().filter_map(|change| match change {
            Change::Action(action) if action.kind == path.kind => Some(action),
            _ => None,
        });
        let begun = |state| matches!(state, ActionState::Intended | ActionState::Acting);
        if path.action.is_none() {
            path.action = actions
                .find(|action| begun(action.state))
                .map(|action| action.id);
        }
    }
}

impl Agent {
    /// Whether the next step on the path is this one.
    pub(super) fn is_next(&self, step: usize) -> bool {
        let path = self.path.as_ref();
        path.is_some_and(|path| path.is_under_way() && path.steps.len() == step)
    }

    /// Takes a step; returns its place on the path.
    pub(super) fn walk(&mut self, step: Step) -> Option<usize> {
        let is_up = self.hive.is_some();
        let path = self.path.as_mut();
        let path = path.filter(|path| is_up && path.is_under_way())?;
        path.steps.push(step);
        let stored = self.disk.stored.actions.get(&path.action?);
        let has_ended = stored
            .is_none_or(|action| matches!(action.state, ActionState::Done | ActionState::NotDone));
        path.is_over = step == Step::Told && has_ended;
        Some(path.steps.len() - 1)
    }
}

impl Path {
    const fn is_under_way(&self) -> bool {
        self.action.is_some() && !self.is_over
    }
}
