//! Every crash point of an open and of a push.
//!
//! A run without a crash counts the steps of the first action of its kind, from the write that first
//! names it to the word of its end. Then there is one run for each moment: the agent stops right there,
//! starts again half a minute later, and goes on as ever. Whether money was spent twice is read from the
//! world's chain and network, not from what the agent says.
//!
//! ```
//! use hive_sim::crashes::{Case, Money};
//!
//! let case = Case::new(Money::Push, 3);
//! let points = case.points();
//! let outcome = case.crash(points[points.len() / 2], None);
//! assert!(outcome.is_struck && outcome.is_sound(), "{outcome:?}");
//! ```

use crate::checkers;
use crate::fleet::{CrashPoint, Defect, Fleet, Step, member_config};
use crate::generate::{GeneratorConfig, generate};
use crate::world::{NodeSpec, PaymentState, World, WorldConfig};
use hive_core::{ActionState, Command, Config, Reply};
use hive_planner::PlannerConfig;
use hive_policy::{EntryState, LimitSettings, Limits, Mode};
use hive_types::{
    ActionId, ActionKind, Capabilities, ChannelPolicy, Constraint, Millis, Msat, NodeId, Ppm, Sat,
    Tier,
};
use std::sync::Arc;

/// Who acts, and crashes.
const ACTOR: usize = 1;
/// The fellow whose channel a push fills.
const DRY: usize = 0;
/// Members of the fleet: a quorum without the actor.
const MEMBERS: usize = 3;
/// How long a member may take to begin, and to be done.
const PATIENCE: Millis = Millis::from_hours(3);
/// Between two looks at whether it is done.
const LOOK: Millis = Millis::from_secs(5);
/// How long the agent is down.
const DOWN: Millis = Millis::from_secs(30);
/// How long a run goes on after the start: a plan is made in it, and what was begun ends.
const AFTER: Millis = Millis::from_secs(20 * 60);

/// The largest push: with one the fellow has enough, and there is room for a second one all the same, so
/// that nothing but the members' care keeps it from being paid twice.
const PUSH_MAX: Sat = Sat::new(800_000);

/// What moves money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    /// A channel is opened.
    Open,
    /// A fellow's channel is filled.
    Push,
}

/// What a crash came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the crash struck.
    pub is_struck: bool,
    /// Fundings, or payments that arrived or may still arrive, of the member, by the world.
    pub effects: usize,
    /// Whether the action is over: it has an end in the store, or never had a beginning.
    pub has_ended: bool,
    /// Whether the ledger still holds money for it.
    pub is_reserved: bool,
    /// Whether its end says that it did not happen, though by the world it did, or the other way round.
    pub is_misjudged: bool,
    /// What checkers found.
    pub violations: Vec<String>,
}

impl Outcome {
    /// Whether money moved twice for one action.
    pub const fn is_double_spend(&self) -> bool {
        self.effects > 1
    }

    /// Whether everything is as it has to be.
    pub const fn is_sound(&self) -> bool {
        let is_over = self.has_ended && !self.is_reserved && !self.is_misjudged;
        is_over && !self.is_double_spend() && self.violations.is_empty()
    }
}

/// A member that does one of the two, on a world of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    money: Money,
    seed: u8,
}

impl Case {
    /// The case of a seed.
    pub const fn new(money: Money, seed: u8) -> Self {
        Self { money, seed }
    }

    /// The steps of the action in a run without a crash; none if it is never done.
    pub fn steps(&self) -> Vec<Step> {
        let mut fleet = self.begin();
        let end = fleet.now().plus(PATIENCE);
        while fleet.walked(ACTOR).is_none() && fleet.now() < end {
            fleet.run_for(LOOK);
        }
        fleet.walked(ACTOR).unwrap_or_default().to_vec()
    }

    /// Every moment of the action at which a crash may strike: after each step, and before each write
    /// and each call to the node. Before any other step is after the one before it.
    pub fn points(&self) -> Vec<CrashPoint> {
        let steps = self.steps();
        let mut points = Vec::new();
        for (step, what) in steps.iter().enumerate() {
            let before = step.checked_sub(1).and_then(|before| steps.get(before));
            let has_before = match what {
                Step::Write | Step::Prepared | Step::Invoiced => true,
                Step::Executed => before != Some(&Step::Invoiced),
                Step::Output | Step::Told => false,
            };
            let sides = has_before.then_some(true).into_iter().chain([false]);
            points.extend(sides.map(|is_before| CrashPoint::OnPath { step, is_before }));
        }
        points
    }

    /// What comes of a crash at this point, of a driver with this defect or none.
    pub fn crash(&self, point: CrashPoint, defect: Option<Defect>) -> Outcome {
        let mut fleet = self.begin();
        fleet.set_defect(ACTOR, defect);
        fleet.crash_at(ACTOR, point);
        let end = fleet.now().plus(PATIENCE);
        while fleet.agents()[ACTOR].is_up() && fleet.now() < end {
            fleet.run_for(LOOK);
        }
        let is_struck = !fleet.agents()[ACTOR].is_up();
        let action = fleet.followed(ACTOR);
        fleet.run_for(DOWN);
        fleet.boot(ACTOR);
        fleet.run_for(AFTER);
        self.judge(&fleet, action, is_struck)
    }

    fn judge(&self, fleet: &Fleet, action: Option<ActionId>, is_struck: bool) -> Outcome {
        let stored = &fleet.agents()[ACTOR].disk().stored;
        let of_action = action.and_then(|id| stored.actions.get(&id));
        let state = of_action.map(|action| action.state);
        let mut ledger = stored.gate.ledger.iter();
        let effects = self.effects(fleet);
        let is_any_done = stored
            .actions
            .values()
            .any(|action| action.kind == self.kind() && action.state == ActionState::Done);
        let violations = fleet.violations().iter().map(ToString::to_string);
        Outcome {
            is_struck,
            effects,
            has_ended: state
                .is_none_or(|state| matches!(state, ActionState::Done | ActionState::NotDone)),
            is_reserved: ledger
                .any(|entry| Some(entry.id) == action && entry.state == EntryState::Reserved),
            is_misjudged: is_any_done != (effects > 0),
            violations: violations.collect(),
        }
    }

    fn effects(&self, fleet: &Fleet) -> usize {
        let (world, node) = (fleet.world(), fleet.node(ACTOR));
        match self.money {
            Money::Open => {
                let fundings = world.fundings().iter();
                fundings.filter(|funding| funding.opener == node).count()
            }
            Money::Push => {
                let payments = world.payments(node).into_iter().flatten();
                payments
                    .filter(|(_, state)| !matches!(state, PaymentState::Failed(_)))
                    .count()
            }
        }
    }

    const fn kind(&self) -> ActionKind {
        match self.money {
            Money::Open => ActionKind::Open,
            Money::Push => ActionKind::Rebalance,
        }
    }

    /// A fleet in which the actor, and nobody else, is about to act.
    fn begin(&self) -> Fleet {
        let mut fleet = self.ground();
        command(&mut fleet, DRY, Command::Init);
        fleet.run_for(Millis::from_secs(2));
        for guest in 1..MEMBERS {
            let invite = Command::Invite {
                tier: Tier::Full,
                guest: None,
                lifetime: Millis::from_hours(24),
                required: Capabilities::NONE,
            };
            if let Some(Reply::Ticket(text)) = command(&mut fleet, DRY, invite)
                && let Ok(ticket) = text.parse()
            {
                command(&mut fleet, guest, Command::Join { ticket });
            }
            fleet.run_for(Millis::from_secs(60));
        }
        fleet.follow(ACTOR, self.kind());
        fleet
    }

    fn ground(&self) -> Fleet {
        let seed = [self.seed; 32];
        let graph = Arc::new(generate(&GeneratorConfig { nodes: 60, seed }));
        let config = WorldConfig {
            seed,
            ..WorldConfig::default()
        };
        let mut world = World::from_graph(&graph, config);
        let outside: Vec<NodeId> = graph.nodes().map(|(_, node)| node).collect();
        let members: Vec<NodeId> = (0..MEMBERS).filter_map(|_| self.node(&mut world)).collect();
        for (index, node) in members.iter().enumerate() {
            let peers = outside.iter().skip(3 + 7 * index).step_by(3).take(3);
            peers.for_each(|peer| join(&mut world, *node, *peer, 50));
        }
        if let (Money::Push, [dry, actor, ..], Some(shared)) =
            (self.money, &members[..], outside.first())
        {
            join(&mut world, *actor, *shared, 5);
            join(&mut world, *dry, *shared, 95);
            join(&mut world, *dry, *actor, 50);
        }
        let mut fleet = Fleet::new(world, seed);
        for (index, node) in members.into_iter().enumerate() {
            fleet.add(node, self.config(node, index == ACTOR));
        }
        for checker in checkers::safety() {
            fleet.watch_with(checker);
        }
        fleet
    }

    fn node(&self, world: &mut World) -> Option<NodeId> {
        let spec = NodeSpec::agent(Sat::new(8_000_000));
        // Members earn by what they forward: there is something to gain from filling a channel.
        let policy = ChannelPolicy {
            base: Msat::ZERO,
            rate: Ppm::new(400),
            ..spec.policy
        };
        world.add_node(NodeSpec { policy, ..spec }).ok()
    }

    /// One open a day at most: a second one would be of the same action, or of one that was denied.
    fn config(&self, node: NodeId, acts: bool) -> Config {
        let usual = member_config(node);
        let opens_per_day = u32::from(self.money == Money::Open);
        let settings = LimitSettings {
            opens_per_day,
            ..usual.limits.clone().into_settings()
        };
        Config {
            limits: Limits::new(settings).unwrap_or_else(|_| usual.limits.clone()),
            mode: if acts {
                Mode::Autonomous
            } else {
                Mode::Advisor
            },
            constraint: Constraint {
                slots: opens_per_day,
                ..usual.constraint
            },
            planner: PlannerConfig {
                push_max: PUSH_MAX,
                ..usual.planner
            },
            ..usual
        }
    }
}

/// A standing channel of four million sat of which the peer has so many hundredths.
fn join(world: &mut World, member: NodeId, peer: NodeId, hundredths: u64) {
    let capacity = Sat::new(4_000_000);
    let at_peer = Msat::new(capacity.to_msat_saturating().get() / 100 * hundredths);
    let made = world.settled_channel(member, peer, capacity, at_peer);
    debug_assert!(made.is_ok(), "{made:?}");
}

fn command(fleet: &mut Fleet, member: usize, command: Command) -> Option<Reply> {
    let reply = fleet.command(member, command);
    debug_assert!(reply.is_ok(), "{reply:?}");
    reply.ok()
}
