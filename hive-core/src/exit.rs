//! Leaving, what others' leaving means, and founding anew.

use crate::command::CommandError;
use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::identity::META_IDENTITY;
use crate::io::{ActionResult, ActionState, Change};
use crate::oracle::Questions;
use crate::start::META_SPONSOR;
use hive_proto::{DecisionBody, Departure, DepartureReason, RecordKind, keys};
use hive_state::merged::Draft;
use hive_types::{ActionId, Millis, NodeId};
use std::collections::BTreeSet;

/// How long a leaving member waits for the fleet to decide its departure. Its record alone ends its
/// duties; the decision only shrinks the quorum.
const LEAVE_TIMEOUT: Millis = Millis::from_secs(60);

impl Hive {
    /// Leaves: the departure is a record first, then the fleet's decision, and never depends on anyone.
    pub(crate) fn leave(&mut self) -> Result<String, CommandError> {
        let Stage::Member(member) = &self.stage else {
            return Err(CommandError::NoFleet);
        };
        let me = member.me();
        let is_alone = member.fellows().next().is_none();
        let departure = Departure {
            node: me,
            reason: DepartureReason::Operator,
        };
        self.write_departure(Draft::new(keys::departure(), &departure, 0));
        self.withdraw_all();
        if is_alone || self.connected_fellows(None).is_empty() {
            self.out_of_fleet();
            return Ok("left; fees are being restored".to_owned());
        }
        self.propose_departure(me);
        if let Stage::Member(member) = &mut self.stage {
            let outputs = member.decider.note_departure(me);
            member.leaving = Some(self.now.elapsed.plus(LEAVE_TIMEOUT));
            self.perform(outputs);
        }
        Ok("leaving; fees are being restored and fellows are told".to_owned())
    }

    /// Departures that are known and not decided yet.
    pub(crate) fn tend_departures(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let is_gone = |node: &NodeId| {
            let held = member.merged.get(node, &keys::departure());
            held.is_some_and(|held| held.record().fields().kind == RecordKind::DEPARTURE)
        };
        let gone: Vec<NodeId> = member
            .folded()
            .members()
            .keys()
            .copied()
            .filter(is_gone)
            .collect();
        for node in gone {
            let Stage::Member(member) = &mut self.stage else {
                return;
            };
            let outputs = member.decider.note_departure(node);
            self.perform(outputs);
            self.propose_departure(node);
        }
    }

    fn propose_departure(&mut self, node: NodeId) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let Some(held) = member.merged.get(&node, &keys::departure()) else {
            return;
        };
        let departure = held.record().bytes().to_vec();
        self.wish_once(DecisionBody::Depart { node, departure });
    }

    /// Leaving has waited long enough for the fleet.
    pub(crate) fn tend_leaving(&mut self) {
        let due = matches!(&self.stage, Stage::Member(member)
            if member.leaving.is_some_and(|deadline| self.now.elapsed >= deadline));
        if due {
            self.out_of_fleet();
        }
    }

    /// Ends what waits for a yes or for a lock. It was planned beside these fellows, for their sake or under
    /// their locks, and means nothing to the next fleet. What has its permit goes on to its end.
    fn withdraw_all(&mut self) {
        let reason = "this member left the fleet that it was planned with";
        self.questions = Questions::default();
        let waiting: Vec<ActionId> = self.gate.pending().iter().map(|one| one.id).collect();
        let intended = self.actions.iter();
        let intended: Vec<ActionId> = intended
            .filter(|action| action.state == ActionState::Intended)
            .map(|action| action.id)
            .collect();
        for &id in &waiting {
            self.gate.withdraw(id);
        }
        for &id in &intended {
            let result = Some(ActionResult::NotDone {
                reason: reason.to_owned(),
                fault: None,
            });
            let wall = self.now.wall;
            self.actions
                .set_state(&id, ActionState::NotDone, result, wall, &mut self.out);
        }
        let ended: BTreeSet<ActionId> = waiting.into_iter().chain(intended).collect();
        for id in ended {
            let text = reason.to_owned();
            self.out.audit(self.now.wall, "withdraw", Some(id), text);
        }
    }

    /// In no fleet any more: its state is forgotten, money and fees are not.
    pub(crate) fn out_of_fleet(&mut self) {
        let departure = self.own_departure();
        let Stage::Member(member) = std::mem::replace(&mut self.stage, Stage::Alone) else {
            return;
        };
        self.remember_epoch(member.identity.hive(), member.identity.epoch());
        self.out.store(Change::ForgetFleet);
        self.keep_departure(departure);
        for key in [META_IDENTITY, META_SPONSOR, crate::decide::META_CHECKPOINT] {
            self.forget_meta(key);
        }
        self.out.audit(
            self.now.wall,
            "leave",
            None,
            format!("out of the hive {}", member.identity.hive()),
        );
        self.forget_proposals();
        self.withdraw_all();
        self.out.emit(Event::Left);
        self.tend_fees();
    }

    /// Founds the fleet anew, alone, when its majority is lost for good.
    pub(crate) fn refound(&mut self) -> Result<String, CommandError> {
        if !matches!(self.stage, Stage::Member(_)) {
            return Err(CommandError::NoFleet);
        }
        self.out_of_fleet();
        self.found()
    }
}
