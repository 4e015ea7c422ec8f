//! Arms that the planner places.

use super::{Brief, Placed};
use crate::placement::{End, Open, Placement};
use crate::{Arm, SMALLEST_CHANNEL};
use hive_planner::demand::{DemandError, Payment, draw};
use hive_planner::{
    Destination, FleetPlan, Grid, PlannerConfig, Problem, Seat, plan_fleet, unwatched,
};
use hive_types::{NodeId, Sat};
use std::collections::BTreeSet;

/// Places a planned arm; the members have the ids that they get in the graph.
pub(crate) fn place(brief: &Brief<'_>, arm: Arm, ids: &[NodeId]) -> Result<Placed, DemandError> {
    if arm == Arm::Uncoordinated {
        return alone(brief, ids);
    }
    let seats = match arm {
        Arm::Whale => ids
            .first()
            .map(|id| seat(brief, *id, brief.settings.members)),
        _ => None,
    };
    let seats = match seats {
        Some(whale) => vec![whale],
        None => ids.iter().map(|id| seat(brief, *id, 1)).collect(),
    };
    let config = PlannerConfig {
        strictly_unique: arm == Arm::FleetUnique,
        ..config(brief, brief.seed)
    };
    let problem = Problem {
        links: matches!(arm, Arm::Fleet | Arm::FleetUnique),
        ..problem(brief, seats)
    };
    let plan = plan_fleet(brief.network.graph, &problem, &config, &unwatched);
    Ok(Placed {
        placement: placement(&plan, problem.seats.len(), |seat| seat),
        samples: vec![sample(brief, &config)?],
    })
}

/// Each member plans for itself on its own sample, and knows of no other.
fn alone(brief: &Brief<'_>, ids: &[NodeId]) -> Result<Placed, DemandError> {
    let mut all = Placed {
        placement: Placement {
            members: ids.len(),
            ..Placement::default()
        },
        samples: Vec::new(),
    };
    for (member, id) in ids.iter().enumerate() {
        let config = config(brief, own_seed(brief.seed, member));
        let problem = problem(brief, vec![seat(brief, *id, 1)]);
        let plan = plan_fleet(brief.network.graph, &problem, &config, &unwatched);
        let own = placement(&plan, 1, |_| member);
        all.placement.opens.extend(own.opens);
        all.placement.settled += own.settled;
        let notes = own
            .notes
            .into_iter()
            .map(|note| format!("member {member}: {note}"));
        all.placement.notes.extend(notes);
        all.samples.push(sample(brief, &config)?);
    }
    Ok(all)
}

/// The seed of a member's own sample; the first shares the fleet's.
fn own_seed(seed: u64, member: usize) -> u64 {
    seed ^ (member as u64) << 32
}

/// A member with its channels, or the whale with those of so many members.
fn seat(brief: &Brief<'_>, id: NodeId, members: u32) -> Seat {
    let settings = brief.settings;
    let slots = settings.channels.saturating_mul(members);
    let capital = settings.channel_size().get() * u64::from(slots);
    Seat {
        channel_min: SMALLEST_CHANNEL,
        ..Seat::new(id, slots, Sat::new(capital))
    }
}

/// All arms use all their opens: what one costs is the same for all and comes off net revenue.
fn problem(brief: &Brief<'_>, seats: Vec<Seat>) -> Problem {
    Problem {
        seats,
        open_cost: Sat::ZERO,
        merchants: brief.network.merchants.clone(),
        ..Problem::default()
    }
}

fn config(brief: &Brief<'_>, seed: u64) -> PlannerConfig {
    let settings = brief.settings;
    // One size for all unless the planner is asked to choose among several.
    let sizes = match settings.planner.sizes.values() {
        [] => Grid::new(&[settings.channel_size()]).unwrap_or_default(),
        _ => settings.planner.sizes,
    };
    PlannerConfig {
        seed,
        demand: brief.demand,
        sender: brief.sender,
        amounts: brief.amounts,
        payments_per_day: settings.payments_per_day,
        hold_out: false,
        assumed_base: settings.fee_base,
        assumed_rate: settings.fee_rate,
        sizes,
        ..settings.planner
    }
}

/// The payments that a plan with these settings is made from.
fn sample(brief: &Brief<'_>, config: &PlannerConfig) -> Result<Vec<Payment>, DemandError> {
    let network = brief.network;
    draw(
        network.graph,
        &BTreeSet::new(),
        network.merchants,
        &config.demand_sample(),
    )
}

fn placement(plan: &FleetPlan, members: usize, member: impl Fn(usize) -> usize) -> Placement {
    let opens = plan.channels.iter().map(|channel| {
        let (to, own) = match channel.to {
            Destination::Outside(node) => (End::Outside(node), channel),
            Destination::Fellow(seat) => (End::Fellow(member(seat)), channel),
        };
        Open {
            member: member(own.seat),
            to,
            capacity: own.capacity,
            base: own.base,
            rate: own.rate,
        }
    });
    Placement {
        members,
        opens: opens.collect(),
        settled: plan.work.settled,
        notes: plan.notes.iter().map(ToString::to_string).collect(),
    }
}
