//! Decide: what this member would do next, and when it looks again.

use crate::hive::{Hive, Stage};
use crate::io::{ActionState, Output};
use crate::member::Membership;
use hive_planner::{History, PlannerConfig, check_open, plan_opens, plan_pushes};
use hive_proto::keys;
use hive_state::merged::Draft;
use hive_types::limits::LOCKS_PER_MEMBER;
use hive_types::{Action, BlockHeight, Constraint, HiveId, Intent, NodeId, Proposal};

/// A target that refused is left alone for this long: a week. Trying sooner annoys and wins nothing.
const COOLDOWN_BLOCKS: u32 = 1_008;

/// An announced open ends by itself after half a day, or is announced again.
const INTENT_BLOCKS: u32 = 72;

impl Hive {
    /// The loop: when a round is due, observe anew, plan, and put what comes of it before the gate.
    pub(crate) fn tend_plan(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if self.now.elapsed < member.next_plan {
            return;
        }
        member.next_plan = self.now.elapsed.plus(self.config.plan_interval);
        self.out.push(Output::Observe);
        self.announce_constraint();
        self.tell_opportunities();
        let Some(proposals) = self.make_plan() else {
            return;
        };
        for proposal in proposals {
            // More locks than a member may hold would only be declined.
            let is_open = matches!(proposal.action, Action::Open(_));
            if !is_open || self.opens_under_way() < LOCKS_PER_MEMBER {
                self.weigh(proposal);
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
    pub(crate) fn check_planned(&self, action: &Action) -> Result<(), String> {
        let (Action::Open(open), Stage::Member(member)) = (action, &self.stage) else {
            return Ok(());
        };
        let (Some(local), Some(graph)) = (&self.local, &self.graph) else {
            return Err("the node was not read yet".to_owned());
        };
        let (fleet, history) = (self.fleet_view(), history(member));
        check_open(graph, &fleet, local, &history, &self.config.planner, open)
            .map_err(|obstacle| obstacle.to_string())
    }

    /// Pushes first: they are cheap, and a dry channel loses more than a missing one.
    pub(crate) fn make_plan(&mut self) -> Option<Vec<Proposal>> {
        let fleet = self.fleet_view();
        let (local, graph) = (self.local.as_ref()?, self.graph.as_ref()?);
        let Stage::Member(member) = &mut self.stage else {
            return None;
        };
        if !member.start.takes_part() || member.leaving.is_some() {
            return None;
        }
        member.cooling.retain(|_, until| *until > local.height);
        let planner = of_fleet(self.config.planner, &member.identity.hive());
        let history = history(member);
        let mut proposals = plan_pushes(graph, &fleet, local, &planner);
        let plan = plan_opens(graph, &fleet, local, &history, &planner);
        member.capped = plan.capped;
        proposals.extend(plan.proposals);
        Some(proposals)
    }

    /// A target refused: it is left alone for a while.
    pub(crate) fn note_refusal(&mut self, target: NodeId) {
        let height = self.height();
        if let Stage::Member(member) = &mut self.stage {
            member.cooling.insert(target, height.plus(COOLDOWN_BLOCKS));
        }
    }

    fn height(&self) -> BlockHeight {
        self.local
            .as_ref()
            .map(|local| local.height)
            .unwrap_or_default()
    }

    /// Tells fellows of an open that this member is about to make, so that they plan around it.
    pub(crate) fn announce_intent(&mut self, proposal: &Proposal) {
        let Action::Open(open) = proposal.action else {
            return;
        };
        let intent = Intent {
            target: open.target,
            capacity: open.capacity,
            value_per_day: proposal.value_per_day,
            until: self.height().plus(INTENT_BLOCKS),
        };
        self.write_intent(&intent);
    }

    /// Takes an announced open back: an intent that has ended already replaces it.
    pub(crate) fn retract_intent(&mut self, target: &NodeId) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let key = keys::intent(target);
        let Some(held) = member.merged.get(&member.me(), &key) else {
            return;
        };
        let Ok(intent) = <Intent as hive_proto::RecordBody>::decode(&held.record().fields().body)
        else {
            return;
        };
        let height = self.height();
        if intent.until > height {
            self.write_intent(&Intent {
                until: height,
                ..intent
            });
        }
    }

    fn write_intent(&mut self, intent: &Intent) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        if member.merged.may_write() {
            self.write(Draft::new(keys::intent(&intent.target), intent, 0));
        }
    }

    /// Tells fellows what this member could open, when that changed by more than a tenth.
    fn announce_constraint(&mut self) {
        let new = self.own_constraint();
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let told = member.merged.get(&member.me(), &keys::constraint());
        let told = told.and_then(|held| {
            <Constraint as hive_proto::RecordBody>::decode(&held.record().fields().body).ok()
        });
        let is_news = told.is_none_or(|told| differs(&told, &new));
        if is_news && member.merged.may_write() && new.channel_min <= new.channel_max {
            self.write(Draft::new(keys::constraint(), &new, 0));
        }
    }
}

/// Members plan from one sample of demand, their fleet's.
fn of_fleet(config: PlannerConfig, hive: &HiveId) -> PlannerConfig {
    let mut seed = [0; 8];
    seed.copy_from_slice(&hive.as_bytes()[..8]);
    let seed = config.seed ^ u64::from_le_bytes(seed);
    PlannerConfig { seed, ..config }
}

fn history(member: &Membership) -> History {
    History {
        capped: member.capped.clone(),
        cooldowns: member.cooling.clone(),
    }
}

fn differs(told: &Constraint, new: &Constraint) -> bool {
    let apart = told.capital.get().abs_diff(new.capital.get());
    let same_shape = (told.slots, told.channel_min, told.channel_max)
        == (new.slots, new.channel_min, new.channel_max);
    !same_shape || apart > told.capital.get() / 10
}
