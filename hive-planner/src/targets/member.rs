//! One member's part of the fleet's plan: what it proposes now.

use super::evidence;
use super::fleet::plan_fleet;
use super::fleet_plan::{Destination, FleetPlan, PlannedChannel};
use super::problem::{Problem, Seat, UnseenChannel, unwatched};
use super::scene::{Means, SMALLEST_CHANNEL};
use super::{ExpectedOpen, History, Plan, PlanNote};
use crate::config::PlannerConfig;
use crate::graph::Graph;
use hive_types::{
    Action, BlockHeight, Constraint, FeeratePerKw, FellowView, FleetView, Intent, LocalSnapshot,
    NodeId, OpenChannel, Proposal, Sat, limits,
};
use std::collections::{BTreeMap, BTreeSet};

/// Weight of a funding transaction with two P2WPKH inputs, the P2WSH funding output and change:
/// 820 units, and room for a taproot change output.
const OPEN_WEIGHT: u32 = 900;

/// Plans opens for the whole fleet and proposes this member's.
///
/// A target that several members would open to is proposed by one of them at a time: by who has
/// announced it, else by the one to whom it is worth most. The others keep a slot for it and look
/// again when the first channel is there. Only a member that has nothing else to do looks for other
/// targets meanwhile.
///
/// Equal arguments give equal plans, bit for bit. Members, fellows' peers and locked targets need
/// not be in the graph.
pub fn plan_opens(
    graph: &Graph,
    fleet: &FleetView,
    local: &LocalSnapshot,
    history: &History,
    config: &PlannerConfig,
) -> Plan {
    let Some(part) = Part::of(graph, fleet, local, history, config) else {
        return Plan::nothing(history.capped.clone(), PlanNote::NotAMember);
    };
    if !local.synced {
        // Only the shares are asked for.
        let silent = PlannerConfig {
            payments: 0,
            ..*config
        };
        let capped = plan_fleet(graph, &part.problem, &silent, &unwatched).capped;
        return Plan::nothing(capped, PlanNote::NotSynced);
    }
    let config = &PlannerConfig {
        candidates: if part.is_idle() { 0 } else { config.candidates },
        ..*config
    };
    let plan = plan_fleet(graph, &part.problem, config, &unwatched);
    let waits = |plan: &FleetPlan| {
        let own = plan.channels.iter().any(|channel| channel.seat == part.me);
        own && part.proposable(plan).is_empty()
    };
    if !waits(&plan) {
        return part.report(plan, config);
    }
    let mut without = part.problem.clone();
    without.closed.extend(part.blocked(&plan));
    let instead = plan_fleet(graph, &without, config, &unwatched);
    match part.proposable(&instead).is_empty() {
        true => part.report(plan, config),
        false => part.report(instead, config),
    }
}

/// The fleet's problem as this member sees it, and its own place in it.
struct Part {
    problem: Problem,
    me: usize,
    ceiling: FeeratePerKw,
    /// Left out, as nobody knows where they are.
    addressless: u32,
    /// Targets that a fellow is about to open to, or anybody holds a lock on.
    waiting: BTreeSet<NodeId>,
}

impl Part {
    /// `None` when this member is not among the members.
    fn of(
        graph: &Graph,
        fleet: &FleetView,
        local: &LocalSnapshot,
        history: &History,
        config: &PlannerConfig,
    ) -> Option<Self> {
        let own = fleet.me.filter(|me| *me == local.node_id)?;
        let me = fleet.members.iter().position(|m| m.node_id == own)?;
        let ceiling = feerate_ceiling(local.feerate, config);
        let open_cost = ceiling.fee_for(OPEN_WEIGHT);
        let own_constraint = fleet.members[me].constraint;
        let seats = fleet.members.iter().enumerate();
        let seats = seats.map(|(place, fellow)| {
            let mut seat = seat(fellow, (place == me).then_some(local));
            match place == me {
                true => bound_by_chain_money(&mut seat, local, open_cost),
                false => bound_by_graph(&mut seat, graph, &own_constraint),
            }
            seat
        });
        let waiting_out = history.cooldowns.iter();
        let waiting_out = waiting_out.filter(|(_, until)| **until > local.height);
        let waiting_out = waiting_out.map(|(target, _)| *target);
        let addressless = out_of_reach(graph, local);
        let closed = waiting_out.chain(addressless.iter().copied());
        let mut part = Self {
            problem: Problem {
                seats: seats.collect(),
                closed: closed.chain(fleet.banned.iter().copied()).collect(),
                capped: history.capped.clone(),
                open_cost,
                evidence: evidence::factors(fleet),
                ..Problem::default()
            },
            me,
            ceiling,
            addressless: u32::try_from(addressless.len()).unwrap_or(u32::MAX),
            waiting: BTreeSet::new(),
        };
        part.add_locks(fleet, local.height);
        part.add_intents(fleet, local.height);
        Some(part)
    }

    /// Who can open nothing has nothing to propose, and need not find out what others will.
    fn is_idle(&self) -> bool {
        self.why_idle().is_some()
    }

    fn why_idle(&self) -> Option<PlanNote> {
        let own = self.problem.seats.get(self.me)?;
        Means::of(own).why_idle()
    }

    fn add_locks(&mut self, fleet: &FleetView, height: BlockHeight) {
        for lock in fleet.locks.iter().filter(|lock| lock.until > height) {
            self.waiting.insert(lock.target);
            let holder = fleet.members.iter().position(|m| m.node_id == lock.holder);
            let Some(place) = holder else { continue };
            let mut intents = fleet.members[place].intents.iter();
            let told = intents.find(|intent| intent.target == lock.target);
            let capacity = told.map_or(SMALLEST_CHANNEL, |intent| intent.capacity);
            self.expect(place, lock.target, capacity);
        }
    }

    /// Of two members that announce one target, the one that values it more has it, then the one
    /// with the smaller node id: both see the same, so one of them turns away.
    fn add_intents(&mut self, fleet: &FleetView, height: BlockHeight) {
        let mut winners: BTreeMap<NodeId, (usize, &Intent)> = BTreeMap::new();
        for (place, fellow) in fleet.members.iter().enumerate() {
            let live = fellow.intents.iter().take(limits::INTENTS_PER_MEMBER);
            for intent in live.filter(|intent| fellow.fresh && intent.until > height) {
                let best = winners.entry(intent.target).or_insert((place, intent));
                if intent.value_per_day > best.1.value_per_day {
                    *best = (place, intent);
                }
            }
        }
        for (target, (place, intent)) in winners {
            if self.waiting.contains(&target) {
                continue;
            }
            if place == self.me {
                self.problem.kept.insert((place, target));
            } else {
                self.waiting.insert(target);
                self.expect(place, target, intent.capacity);
            }
        }
    }

    fn expect(&mut self, seat: usize, peer: NodeId, capacity: Sat) {
        if let Some(seat) = self.problem.seats.get_mut(seat) {
            seat.unseen.push(UnseenChannel {
                peer,
                capacity,
                coming: true,
            });
        }
    }

    /// Targets of the plan that this member may not open to now.
    fn blocked(&self, plan: &FleetPlan) -> BTreeSet<NodeId> {
        let mut first: BTreeMap<NodeId, usize> = BTreeMap::new();
        for channel in &plan.channels {
            if let Destination::Outside(target) = channel.to {
                first.entry(target).or_insert(channel.seat);
            }
        }
        first.retain(|target, seat| {
            *seat != self.me && !self.problem.kept.contains(&(self.me, *target))
        });
        first
            .into_keys()
            .chain(self.waiting.iter().copied())
            .collect()
    }

    fn proposable<'p>(&self, plan: &'p FleetPlan) -> Vec<(NodeId, &'p PlannedChannel)> {
        let blocked = self.blocked(plan);
        let own = plan
            .channels
            .iter()
            .filter(|channel| channel.seat == self.me);
        own.filter_map(|channel| match channel.to {
            Destination::Outside(target) => Some((target, channel)),
            Destination::Fellow(_) => None,
        })
        .filter(|(target, _)| !blocked.contains(target))
        .collect()
    }

    fn report(&self, plan: FleetPlan, config: &PlannerConfig) -> Plan {
        let proposals: Vec<Proposal> = self
            .proposable(&plan)
            .into_iter()
            .map(|(target, channel)| self.proposal(target, channel))
            .collect();
        let expected = plan.channels.iter().filter_map(|channel| match channel.to {
            Destination::Outside(target) => Some(ExpectedOpen {
                member: self.problem.seats.get(channel.seat)?.id,
                target,
                capacity: channel.capacity,
                value_per_day: channel.value_per_day,
            }),
            Destination::Fellow(_) => None,
        });
        let notes = match proposals.is_empty() {
            true => self.why_nothing(&plan, config),
            false => plan.notes.clone(),
        };
        let nodes = self.addressless;
        let left_out = (nodes > 0).then_some(PlanNote::NoAddress { nodes });
        Plan {
            expected: expected.collect(),
            proposals,
            capped: plan.capped,
            revenue_before: plan.revenue_before,
            revenue_after: plan.revenue_after,
            work: plan.work,
            notes: notes.into_iter().chain(left_out).collect(),
        }
    }

    /// The member's own reason first, then what holds for the whole plan.
    fn why_nothing(&self, plan: &FleetPlan, config: &PlannerConfig) -> Vec<PlanNote> {
        let own = plan.channels.iter().any(|channel| channel.seat == self.me);
        let general = plan.notes.iter().find(|note| note.is_reason()).copied();
        let reason = match (self.why_idle(), own, general) {
            (Some(idle), _, _) => idle,
            (None, true, _) => PlanNote::FellowsFirst,
            (None, false, Some(general)) => general,
            (None, false, None) => PlanNote::NothingPays {
                open_cost: self.problem.open_cost,
                payback_days: config.payback_days,
            },
        };
        let others = plan.notes.iter().filter(|note| !note.is_reason());
        [reason].into_iter().chain(others.copied()).collect()
    }

    fn proposal(&self, target: NodeId, channel: &PlannedChannel) -> Proposal {
        Proposal {
            action: Action::Open(OpenChannel {
                target,
                capacity: channel.capacity,
                feerate_ceiling: self.ceiling,
                announce: true,
            }),
            cost: self.problem.open_cost.to_msat_saturating(),
            value_per_day: channel.value_per_day,
            confidence: channel.confidence,
            explanation: channel.explanation.clone(),
        }
    }
}

/// Nodes that tell nobody where they are and that there is no link with: an open to them would take a lock
/// and come to nothing.
fn out_of_reach(graph: &Graph, local: &LocalSnapshot) -> Vec<NodeId> {
    let linked: BTreeSet<NodeId> = local.peers.iter().map(|peer| peer.node_id).collect();
    let addressless = graph.addressless().iter().copied();
    addressless.filter(|node| !linked.contains(node)).collect()
}

fn feerate_ceiling(feerate: FeeratePerKw, config: &PlannerConfig) -> FeeratePerKw {
    let now = u64::from(feerate.get());
    let more = now * u64::from(config.feerate_headroom.get()) / 1_000_000;
    FeeratePerKw::new(u32::try_from(now + more).unwrap_or(u32::MAX))
}

/// A stale member opens nothing. What it told counts as far as the graph confirmed it; what is not
/// confirmed counts for nothing. The own node knows its channels, young ones included.
fn seat(fellow: &FellowView, own: Option<&LocalSnapshot>) -> Seat {
    let constraint = &fellow.constraint;
    let confirmed = fellow.channels.iter().filter(|channel| channel.confirmed);
    let told = confirmed.map(|channel| (channel.peer, channel.capacity));
    let own_channels = own.map_or(&[][..], |local| &local.channels).iter();
    let own_channels = own_channels.map(|channel| (channel.peer, channel.capacity));
    let unseen = told
        .chain(own_channels)
        .map(|(peer, capacity)| UnseenChannel {
            peer,
            capacity,
            coming: false,
        });
    Seat {
        id: fellow.node_id,
        slots: if fellow.fresh { constraint.slots } else { 0 },
        capital: constraint.capital,
        channel_min: constraint.channel_min,
        channel_max: constraint.channel_max,
        unseen: unseen.collect(),
    }
}

/// What a fellow would open is its word alone. It counts up to what the graph shows of the fellow, or
/// up to what this member would open itself if that is more (a new node has nothing to show): beyond
/// that it would only keep targets from others.
fn bound_by_graph(seat: &mut Seat, graph: &Graph, own: &Constraint) {
    let node = graph.node_index(&seat.id);
    let shown = node.map_or(Sat::ZERO, |node| graph.capacity_of(node));
    let degree = node.map_or(0, |node| graph.degree_of(node));
    let degree = u32::try_from(degree).unwrap_or(u32::MAX);
    seat.capital = seat.capital.min(shown.max(own.capital));
    seat.slots = seat.slots.min(degree.max(own.slots));
}

/// Each open takes its on-chain cost beside its capacity.
fn bound_by_chain_money(seat: &mut Seat, local: &LocalSnapshot, open_cost: Sat) {
    let on_chain = local.on_chain;
    let free = on_chain.confirmed.saturating_sub(on_chain.reserve);
    let capital = seat.capital.min(free);
    let smallest = seat.channel_min.max(SMALLEST_CHANNEL);
    let each = smallest.saturating_add(open_cost).get();
    let affordable = u32::try_from(capital.get() / each).unwrap_or(u32::MAX);
    seat.slots = seat.slots.min(affordable.max(1));
    let fees = open_cost.get().saturating_mul(u64::from(seat.slots));
    seat.capital = capital.min(free.saturating_sub(Sat::new(fees)));
}
