//! From a proposal to its settlement: gate, lock, permit, result.

use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::io::{ActionResult, ActionState, Done, Output};
use crate::judge::funding_of;
use hive_policy::{Authorized, Refusal, Settlement, Standing, Subject, Verdict};
use hive_proto::{DecisionBody, UnlockReason};
use hive_types::limits::REFUSALS_REMEMBERED;
use hive_types::{
    Action, ActionId, BlockHeight, FleetView, Msat, NodeId, OutPoint, Proposal, ShortChannelId,
    Tier,
};

/// Blocks after which a channel that no graph shows no longer holds its lock. An announcement takes six
/// confirmations and minutes of gossip; twice that is enough, and graphs may leave channels out.
const ANNOUNCED_WITHIN: u32 = 12;

impl Hive {
    /// Puts a proposal of the planner before the gate.
    pub(crate) fn weigh(&mut self, proposal: Proposal, fleet: &FleetView) {
        if self.is_under_way(&proposal.action) {
            return;
        }
        let id = self.new_action_id();
        let Some(local) = self.local.as_ref() else {
            return;
        };
        let standing = Standing {
            tier: self.tier(),
            reconciled: self.reconciled(),
            lock: None,
            banned: &fleet.banned,
        };
        match self.gate.consider(self.now, id, &proposal, local, standing) {
            Verdict::Execute(permit) => self.act(id, proposal, permit),
            Verdict::NeedsLock => self.seek_lock(id, proposal),
            Verdict::Consult(pending) => {
                self.announce_intent(&pending.proposal);
                self.consult(&pending, fleet);
            }
            Verdict::Ask(pending) => {
                self.announce_intent(&pending.proposal);
                self.out.audit(
                    self.now.wall,
                    "propose",
                    Some(id),
                    proposal.explanation.summary.clone(),
                );
                self.out.emit(Event::Proposed {
                    id,
                    proposal: Box::new(proposal),
                });
            }
            Verdict::Refuse(refusal) => self.refused(id, &proposal, &refusal),
        }
    }

    pub(crate) fn refused(&mut self, id: ActionId, proposal: &Proposal, refusal: &Refusal) {
        if matches!(refusal, Refusal::DryRun { .. }) {
            return self.rehearsed(id, proposal, refusal);
        }
        let reason = format!("{}: {refusal}", proposal.action.kind());
        // The same is asked again each round; the log keeps the reason once until it changes.
        let subject = Subject::of(&proposal.action);
        let said = subject.as_ref().and_then(|about| self.refusals.get(about));
        if said == Some(&reason) {
            return;
        }
        let text = reason.clone();
        self.out.audit(self.now.wall, "refuse", Some(id), text);
        if self.refusals.len() >= REFUSALS_REMEMBERED {
            self.refusals.clear();
        }
        if let Some(subject) = subject {
            self.refusals.insert(subject, reason.clone());
        }
        self.out.emit(Event::Refused { reason });
    }

    /// Asks the fleet for the target of an open. Nothing is reserved while it decides.
    pub(crate) fn seek_lock(&mut self, id: ActionId, proposal: Proposal) {
        let Action::Open(open) = proposal.action else {
            return;
        };
        let Some(height) = self.local.as_ref().map(|local| local.height) else {
            return;
        };
        self.actions
            .intend(id, proposal.clone(), self.now.wall, &mut self.out);
        self.announce_intent(&proposal);
        let body = DecisionBody::Lock {
            target: open.target,
            action: id,
            height,
        };
        if let Err(reason) = self.wish(body) {
            self.lock_lost(id, open.target, reason);
        }
    }

    /// The fleet decided that this member may open: every check again, then the permit.
    pub(crate) fn lock_granted(&mut self, id: ActionId, target: NodeId) {
        let intended = self
            .actions
            .get(&id)
            .filter(|action| action.state == ActionState::Intended);
        match intended.map(|action| action.proposal.clone()) {
            Some(proposal) => self.authorize_and_act(id, proposal, Some(target)),
            None => self.abandon_lock(target, id),
        }
    }

    /// The fleet decided otherwise.
    pub(crate) fn lock_lost(&mut self, id: ActionId, target: NodeId, reason: String) {
        let result = ActionResult::NotDone {
            reason: reason.clone(),
            fault: None,
        };
        self.actions.set_state(
            &id,
            ActionState::NotDone,
            Some(result),
            self.now.wall,
            &mut self.out,
        );
        // An approval does not outlive the lock that it was given for.
        self.gate.withdraw(id);
        self.retract_intent(&target);
        self.out.emit(Event::LockLost { target, reason });
    }

    /// Everything is checked again: what the plan rested on, then what the gate says.
    pub(crate) fn authorize_and_act(
        &mut self,
        id: ActionId,
        proposal: Proposal,
        locked: Option<NodeId>,
    ) {
        let fleet = self.fleet_view();
        if let Err(obstacle) = self.check_planned(&fleet, &proposal.action) {
            return self.not_begun(id, locked, obstacle);
        }
        let lock = locked.and_then(|target| self.lock_view(&target));
        let Some(local) = self.local.as_ref() else {
            return;
        };
        let standing = Standing {
            tier: self.tier(),
            reconciled: self.reconciled(),
            lock: lock.as_ref(),
            banned: &fleet.banned,
        };
        match self
            .gate
            .authorize(self.now, id, &proposal, local, standing)
        {
            Ok(permit) => self.act(id, proposal, permit),
            Err(refusal) => {
                self.refused(id, &proposal, &refusal);
                self.not_begun(id, locked, refusal.to_string());
            }
        }
    }

    /// A wanted action is not permitted after all: its lock is given back.
    fn not_begun(&mut self, id: ActionId, locked: Option<NodeId>, reason: String) {
        let wall = self.now.wall;
        let text = format!("not begun: {reason}");
        let result = ActionResult::NotDone {
            reason: reason.clone(),
            fault: None,
        };
        self.actions
            .set_state(&id, ActionState::NotDone, Some(result), wall, &mut self.out);
        self.gate.withdraw(id);
        self.out.audit(wall, "withdraw", Some(id), text);
        self.out.emit(Event::ActionFailed { id, reason });
        if let Some(target) = locked {
            self.retract_intent(&target);
            self.abandon_lock(target, id);
        }
    }

    /// Hands a permitted action to the driver. Reservation and action become durable first.
    pub(crate) fn act(&mut self, id: ActionId, proposal: Proposal, permit: Authorized) {
        if self.actions.get(&id).is_none() {
            self.actions
                .intend(id, proposal.clone(), self.now.wall, &mut self.out);
        }
        self.actions
            .set_state(&id, ActionState::Acting, None, self.now.wall, &mut self.out);
        let reserved = format!(
            "{} reserved: {}",
            permit.cost(),
            proposal.explanation.summary
        );
        self.out.audit(self.now.wall, "permit", Some(id), reserved);
        self.out.emit(Event::Acting {
            id,
            proposal: Box::new(proposal),
        });
        self.out.push(Output::Act { id, permit });
    }

    /// Books how an action ended. The same end may be told twice: after a crash the driver asks again.
    pub(crate) fn completed(&mut self, id: ActionId, result: ActionResult) {
        let Some(action) = self.actions.get(&id).cloned() else {
            return;
        };
        if action.state != ActionState::Acting {
            return;
        }
        let (state, settlement) = match &result {
            ActionResult::Done(done) => {
                (ActionState::Done, Settlement::Done { spent: spent(done) })
            }
            ActionResult::NotDone { .. } => (ActionState::NotDone, Settlement::NotDone),
            ActionResult::Unknown { .. } => (ActionState::Acting, Settlement::Unknown),
        };
        if state != ActionState::Acting {
            self.unreconciled.remove(&id);
        }
        if let Err(error) = self.gate.settle(self.now, id, settlement) {
            self.out.emit(Event::Alert {
                text: error.to_string(),
            });
        }
        self.actions.set_state(
            &id,
            state,
            Some(result.clone()),
            self.now.wall,
            &mut self.out,
        );
        self.out
            .audit(self.now.wall, "settle", Some(id), describe(&result));
        self.fee_ended(&action.proposal.action, &result);
        self.link_tested(&action.proposal.action, &result);
        if state == ActionState::Done {
            self.bill_action(id, &action.proposal.action, &result);
            self.watch_fees_after(&action.proposal.action);
        }
        if let Action::Probe(probe) = &action.proposal.action {
            return self.probe_ended(id, probe, &result);
        }
        self.tell_end(id, &action.proposal.action, result);
        self.out.push(Output::Observe);
    }

    fn tell_end(&mut self, id: ActionId, action: &Action, result: ActionResult) {
        match (action, result) {
            (Action::Open(open), ActionResult::Done(Done::Opened { funding, .. })) => {
                self.announce_funding(open.target, id, funding);
                self.retract_intent(&open.target);
                self.out.emit(Event::Opened { id, target: open.target, capacity: open.capacity });
            }
            (Action::Rebalance(moved), ActionResult::Done(Done::Paid { fee })) => {
                let beneficiary = moved.beneficiary;
                self.out.emit(Event::Pushed { id, beneficiary, amount: moved.amount, fee });
            }
            (action, ActionResult::NotDone { reason, .. }) => {
                if let Action::Open(open) = action {
                    self.retract_intent(&open.target);
                    self.abandon_lock(open.target, id);
                }
                self.out.emit(Event::ActionFailed { id, reason });
            }
            (_, ActionResult::Unknown { reason }) => self.out.emit(Event::Alert {
                text: format!("whether action {id} happened is unknown: {reason}; the agent asks the node again"),
            }),
            _ => {}
        }
    }

    /// Ends every lock of ours that has nothing left to guard: the channel is seen, or there is no
    /// action behind it.
    pub(crate) fn tend_locks(&mut self) {
        for (target, action) in self.own_locks() {
            let stored = self.actions.get(&action).map(|stored| {
                let announce = matches!(stored.action(), Action::Open(open) if open.announce);
                (stored.state, stored.result.clone(), announce)
            });
            match stored {
                Some((ActionState::Intended | ActionState::Acting, ..)) => {}
                Some((
                    ActionState::Done,
                    Some(ActionResult::Done(Done::Opened { funding, .. })),
                    announce,
                )) => match self.is_seen(&funding, announce) {
                    true => self.unlock(target, action, UnlockReason::Opened(funding)),
                    false => self.keep_funding(target, action, funding),
                },
                _ => self.abandon_lock(target, action),
            }
        }
    }

    /// Fellows hold the lock for longer by this member's record of the funding. A new epoch takes it
    /// away with all others, and one that began while it could not be written never was.
    fn keep_funding(&mut self, target: NodeId, action: ActionId, funding: OutPoint) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let lock = member.folded().locks().get(&target);
        if lock.is_some_and(|lock| funding_of(&member.merged, lock, &target).is_none()) {
            self.announce_funding(target, action, funding);
        }
    }

    /// Whether the channel is where fellows count it: in the graph. One that is never announced is seen
    /// once the own node knows its place in the chain, and one that the own graph should show by now.
    fn is_seen(&self, funding: &OutPoint, announce: bool) -> bool {
        let Some(local) = &self.local else {
            return false;
        };
        let channels = local.channels.iter();
        let mut scids = channels
            .filter(|channel| channel.funding == *funding)
            .filter_map(|channel| channel.scid);
        let graph = self.graph.as_ref();
        let shows = |scid| graph.is_some_and(|graph| graph.channel(scid).is_some());
        let is_late = |scid: ShortChannelId| {
            let mined = BlockHeight::new(scid.block());
            local.height >= mined.plus(ANNOUNCED_WITHIN)
        };
        scids.any(|scid| !announce || shows(scid) || is_late(scid))
    }

    fn abandon_lock(&mut self, target: NodeId, action: ActionId) {
        self.unlock(target, action, UnlockReason::Abandoned);
    }

    fn unlock(&mut self, target: NodeId, action: ActionId, reason: UnlockReason) {
        // A full queue of wishes is no loss: the next look at the locks asks again.
        let _ = self.wish(DecisionBody::Unlock {
            target,
            action,
            reason,
        });
    }

    /// Whether the same thing is wanted, under way or waiting for the operator already.
    pub(crate) fn is_under_way(&self, action: &Action) -> bool {
        let busy = self
            .actions
            .iter()
            .filter(|stored| matches!(stored.state, ActionState::Intended | ActionState::Acting));
        let waiting = self
            .gate
            .pending()
            .iter()
            .map(|pending| &pending.proposal.action);
        busy.map(|stored| stored.action())
            .chain(waiting)
            .any(|other| same_thing(other, action))
    }

    pub(crate) fn new_action_id(&mut self) -> ActionId {
        self.actions.fresh_id(&mut self.chance)
    }

    /// Whether the node's real state is known: what was acting before a restart has an end.
    pub(crate) fn reconciled(&self) -> bool {
        self.unreconciled.is_empty() && self.local.is_some() && !self.is_restoring()
    }

    pub(crate) fn tier(&self) -> Option<Tier> {
        match &self.stage {
            Stage::Member(member) => member.tier(),
            _ => None,
        }
    }
}

/// Two actions that must not run at once.
fn same_thing(one: &Action, other: &Action) -> bool {
    match (one, other) {
        (Action::Open(one), Action::Open(other)) => one.target == other.target,
        (Action::SetPolicy(one), Action::SetPolicy(other)) => one.channel == other.channel,
        (Action::Rebalance(one), Action::Rebalance(other)) => {
            let ends = |hops: &[hive_types::RouteHop]| {
                (
                    hops.first().map(|hop| hop.channel),
                    hops.last().map(|hop| hop.channel),
                )
            };
            ends(&one.hops) == ends(&other.hops)
        }
        (Action::Probe(one), Action::Probe(other)) => one == other,
        _ => false,
    }
}

fn spent(done: &Done) -> Msat {
    match done {
        Done::Opened { fee, .. } => fee.to_msat_saturating(),
        Done::Paid { fee } => *fee,
        Done::Set { .. } | Done::Probed { .. } => Msat::ZERO,
    }
}

fn describe(result: &ActionResult) -> String {
    match result {
        ActionResult::Done(Done::Opened { funding, fee, .. }) => {
            format!("opened by {funding}, {fee} on-chain")
        }
        ActionResult::Done(Done::Paid { fee }) => format!("paid {fee} in routing fees"),
        ActionResult::Done(Done::Set { .. }) => "policy set".to_owned(),
        ActionResult::Done(Done::Probed { arrived, .. }) => format!("probed, arrived: {arrived}"),
        ActionResult::NotDone { reason, .. } => format!("not done: {reason}"),
        ActionResult::Unknown { reason } => format!("unknown: {reason}"),
    }
}
