//! Decide: what this member would do next, and when it looks again.
//!
//! A plan is asked for, made elsewhere while the machine goes on, and taken in when it comes. By then
//! the world has moved: what is proposed is held to the fleet and the node as they are now, and an
//! answer to a question that nobody asks any more is dropped. Nothing about a plan under way is
//! stored; after a crash it is asked for anew.

mod request;

pub use request::{PlanId, PlanRequest, Planned};

use crate::command::{CommandError, PlanShown, ProposalRow, Reply};
use crate::hive::{Hive, Stage};
use crate::io::{ActionState, CommandId, Output};
use crate::member::Membership;
use hive_planner::{History, PlannerConfig, check_open};
use hive_proto::Epoch;
use hive_types::limits::{GRAPH_SPACING, LOCKS_PER_MEMBER};
use hive_types::{
    Action, BlockHeight, FleetView, HiveId, LocalSnapshot, Millis, NodeId, Proposal, Rebalance,
    Tier,
};
use request::Made;
use std::collections::BTreeMap;

/// How long a member that can't plan yet waits before it looks again: its node is read within seconds
/// of a start, its fellows are heard within a gossip round or two.
const NOT_READY: Millis = Millis::from_secs(30);

/// Operators that wait for one plan at most; more are told to try again.
const ASKING: usize = 16;

/// The plan that is being made.
pub(crate) struct Planning {
    id: PlanId,
    /// The membership that it is made for.
    whose: (HiveId, Epoch),
    /// Whether its proposals go before the gate.
    weigh: bool,
    /// Operators who want to see it.
    asking: Vec<CommandId>,
    /// The graph that it is made on, in words.
    graph: String,
}

impl Hive {
    /// The loop: when a round is due, observe anew and ask for a plan. What comes of it goes before
    /// the gate.
    pub(crate) fn tend_plan(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if self.now.elapsed < member.next_plan {
            return;
        }
        let is_ready = self.local.is_some() && self.graph.is_some() && member.may_plan();
        let wait = match is_ready {
            true => self.config.plan_interval,
            false => self.config.plan_interval.min(NOT_READY),
        };
        member.next_plan = self.now.elapsed.plus(wait);
        if !is_ready {
            return;
        }
        self.out.push(Output::Observe);
        self.announce_constraint();
        self.tell_opportunities();
        // Nothing of it would pass the gate.
        if !self.is_halted()
            && let Some(planning) = self.ask_for_plan()
        {
            planning.weigh = true;
        }
    }

    /// The operator wants to see a plan: the answer comes with it.
    pub(crate) fn show_plan(&mut self, id: CommandId) -> Result<(), CommandError> {
        self.in_fleet()?;
        let planning = self.ask_for_plan().ok_or(CommandError::Starting {
            waiting_for: "the node's channels and graph, or the fleet".to_owned(),
        })?;
        if planning.asking.len() >= ASKING {
            return Err(CommandError::Busy);
        }
        planning.asking.push(id);
        Ok(())
    }

    fn is_halted(&self) -> bool {
        let halt = self.gate.halt();
        halt.stopped || halt.paused_until.is_some()
    }

    /// The plan that is being made; asks for one where there is none. At most one is under way.
    fn ask_for_plan(&mut self) -> Option<&mut Planning> {
        let whose = self.planning_member()?;
        if self.planning.is_none() {
            let (request, graph) = (self.plan_request()?, self.graph_note()?);
            self.planning = Some(Planning {
                id: request.id,
                whose,
                weigh: false,
                asking: Vec::new(),
                graph,
            });
            self.out.push(Output::Plan(Box::new(request)));
        }
        // One for a membership that is over is still being made: its answer frees the place.
        let planning = self.planning.as_mut();
        planning.filter(|planning| planning.whose == whose)
    }

    /// The membership that a plan would be for; none while it can't plan.
    fn planning_member(&self) -> Option<(HiveId, Epoch)> {
        match &self.stage {
            Stage::Member(member) if member.may_plan() => {
                Some((member.identity.hive(), member.identity.epoch()))
            }
            _ => None,
        }
    }

    fn plan_request(&mut self) -> Option<PlanRequest> {
        let fleet = self.fleet_view();
        let cooldowns = self.cooldowns();
        let (local, graph) = (self.local.as_ref()?, self.graph.as_ref()?);
        let Stage::Member(member) = &self.stage else {
            return None;
        };
        self.plans += 1;
        Some(PlanRequest {
            id: PlanId(self.plans),
            graph: graph.clone(),
            fleet,
            local: local.clone(),
            history: history(member, cooldowns),
            planner: of_fleet(self.config.planner, &member.identity.hive()),
        })
    }

    /// A plan was made. Answers to any but the present question, or for a membership that is over,
    /// count for nothing.
    pub(crate) fn planned(&mut self, planned: Planned) {
        let is_it = |planning: &mut Planning| planning.id == planned.id;
        let Some(planning) = self.planning.take_if(is_it) else {
            return;
        };
        let answer = match planned.outcome {
            _ if self.planning_member() != Some(planning.whose) => Err(CommandError::NoFleet),
            Ok(mut made) => {
                let mut notes = std::mem::take(&mut made.notes);
                notes.push(planning.graph);
                Ok((self.take_plan(made), notes))
            }
            Err(reason) => {
                let reason = format!("no plan was made: {reason}; report this");
                self.alert(reason.clone());
                Err(CommandError::Refused { reason })
            }
        };
        for id in planning.asking {
            let reply = answer.clone();
            let reply = reply.map(|(proposals, notes)| Reply::Plan(shown(proposals, notes)));
            self.out.push(Output::Reply { id, reply });
        }
        if let Ok((proposals, _)) = answer
            && planning.weigh
            && !self.is_halted()
        {
            self.weigh_all(proposals);
        }
    }

    /// What the operator compares with the node's own view of the network: the plan knows nothing newer.
    fn graph_note(&self) -> Option<String> {
        let graph = self.graph.as_ref()?;
        let (nodes, channels) = (graph.node_count(), graph.channel_count());
        let age = self.now.elapsed.since(self.graph_at);
        Some(format!(
            "the graph of {nodes} nodes and {channels} channels was read {age} ago; it is read anew when it changed, at \
             most every {GRAPH_SPACING}"
        ))
    }

    /// What of a plan still holds: minutes may lie between the views that it was made from and now.
    fn take_plan(&mut self, made: Made) -> Vec<Proposal> {
        if let Stage::Member(member) = &mut self.stage {
            member.capped = made.capped;
        }
        let fleet = self.fleet_view();
        let proposals = made.proposals.into_iter();
        let held = proposals.filter(|proposal| self.still_holds(&fleet, &proposal.action));
        held.collect()
    }

    fn still_holds(&self, fleet: &FleetView, action: &Action) -> bool {
        let Some(local) = &self.local else {
            return false;
        };
        match action {
            Action::Open(open) => {
                let fellows = fleet.members.iter().filter(|m| Some(m.node_id) != fleet.me);
                // Somebody announced it meanwhile. What a stale member announced was planned over.
                let fresh = fellows.filter(|fellow| fellow.fresh);
                let mut intents = fresh.flat_map(|fellow| &fellow.intents);
                let is_announced = intents.any(|intent| intent.target == open.target);
                !is_announced && self.check_planned(fleet, action).is_ok()
            }
            Action::Rebalance(moved) => push_holds(fleet, local, moved),
            Action::SetPolicy(_) | Action::Probe(_) => true,
        }
    }

    fn weigh_all(&mut self, proposals: Vec<Proposal>) {
        let fleet = self.fleet_view();
        for proposal in proposals {
            // More locks than a member may hold would only be declined.
            let is_open = matches!(proposal.action, Action::Open(_));
            if !is_open || self.opens_under_way() < LOCKS_PER_MEMBER {
                self.weigh(proposal, &fleet);
            }
        }
    }

    fn opens_under_way(&self) -> usize {
        let wanted = self.actions.iter().filter(|action| {
            action.state == ActionState::Intended && matches!(action.action(), Action::Open(_))
        });
        self.own_locks().len() + wanted.count()
    }

    /// Checks again what an open was planned on: hours may lie between plan and permit.
    pub(crate) fn check_planned(&self, fleet: &FleetView, action: &Action) -> Result<(), String> {
        let (Action::Open(open), Stage::Member(member)) = (action, &self.stage) else {
            return Ok(());
        };
        let (Some(local), Some(graph)) = (&self.local, &self.graph) else {
            return Err("the node was not read yet".to_owned());
        };
        let history = history(member, self.cooldowns());
        check_open(graph, fleet, local, &history, &self.config.planner, open)
            .map_err(|obstacle| obstacle.to_string())
    }

    pub(crate) fn height(&self) -> BlockHeight {
        let local = self.local.as_ref();
        local.map(|local| local.height).unwrap_or_default()
    }
}

impl Membership {
    /// Whether it acts on plans at all: not before its own word is known again, not on its way out.
    fn may_plan(&self) -> bool {
        self.start.takes_part() && self.leaving.is_none()
    }
}

/// Whether a push is still for somebody, and the own channel that it leaves by still has the money.
fn push_holds(fleet: &FleetView, local: &LocalSnapshot, moved: &Rebalance) -> bool {
    let is_there = |node: &NodeId| {
        let mut members = fleet.members.iter();
        let fellow = members.find(|member| member.node_id == *node);
        fellow.is_some_and(|fellow| fellow.fresh && fellow.tier == Tier::Full)
    };
    let can_pay = moved.hops.first().is_some_and(|hop| {
        let mut channels = local.channels.iter();
        let own = channels.find(|channel| channel.scid == Some(hop.channel));
        own.is_some_and(|channel| channel.usable && channel.spendable >= hop.amount)
    });
    can_pay && moved.beneficiary.as_ref().is_none_or(is_there)
}

fn shown(proposals: Vec<Proposal>, notes: Vec<String>) -> PlanShown {
    let rows = proposals.into_iter().map(|proposal| ProposalRow {
        id: None,
        proposal,
        expires: None,
    });
    PlanShown {
        proposals: rows.collect(),
        notes,
    }
}

/// Members plan from one sample of demand, their fleet's.
fn of_fleet(config: PlannerConfig, hive: &HiveId) -> PlannerConfig {
    let mut seed = [0; 8];
    seed.copy_from_slice(&hive.as_bytes()[..8]);
    let seed = config.seed ^ u64::from_le_bytes(seed);
    PlannerConfig { seed, ..config }
}

fn history(member: &Membership, cooldowns: BTreeMap<NodeId, BlockHeight>) -> History {
    History {
        capped: member.capped.clone(),
        cooldowns,
    }
}
