//! Agents and nodes are killed (SIGKILL) at many points; what they were at is there after, once.

use super::Stage;
use crate::failure::{Outcome, ensure};
use crate::wait;
use crate::world::World;
use hive_node::control::CommandName;
use serde_json::{Value, json};

/// Who is killed, and when: after so many questions to the agent since the command. The first come within
/// the milliseconds in which it writes and signs, the later ones while fellows answer.
const POINTS: [(Victim, u32); 6] = [
    (Victim::Agent, 0),
    (Victim::Agent, 1),
    (Victim::Node, 0),
    (Victim::Agent, 6),
    (Victim::Node, 4),
    (Victim::Agent, 25),
];

#[derive(Clone, Copy, Debug)]
pub(super) enum Victim {
    Agent,
    Node,
}

const HOST: usize = 0;
const GUEST: usize = 1;

/// A guest is killed at many points of joining: the same ticket lets it in, or it is in already, and the fleet
/// has it once. A founder is killed while it founds and while it admits.
pub(super) fn joining_survives_kills(stage: &mut Stage) -> Outcome {
    let world = &mut stage.world;
    world.start(&stage.fleet.kinds(2))?;
    world.agent(HOST, &[])?;
    world.agent(GUEST, &[])?;
    world.call(HOST, CommandName::HiveInit, &Value::Null)?;
    strike(world, HOST, Victim::Agent, 0)?;
    if world.status(HOST)?.stage == "alone" {
        world.call(HOST, CommandName::HiveInit, &Value::Null)?;
    }
    world.stage(HOST, "member")?;
    for (round, (victim, point)) in POINTS.into_iter().enumerate() {
        let ticket = world.invite(HOST, Some(world.id(GUEST)?), "full")?;
        let params = json!({"ticket": ticket});
        world.call(GUEST, CommandName::HiveJoin, &params)?;
        // The host is struck too: what it promised and decided must hold.
        let place = if round % 2 == 0 { GUEST } else { HOST };
        strike(world, place, victim, point)?;
        came_in(world, &params)?;
        world.converged(&[HOST, GUEST])?;
        let members = world.members(HOST)?;
        ensure(members.len() == 2, || {
            format!("{victim:?} {point}: {members:?}")
        })?;
        world.call(GUEST, CommandName::HiveLeave, &Value::Null)?;
        strike(world, GUEST, victim, point)?;
        left(world)?;
    }
    world.stop()
}

/// The guest comes in by the same ticket, however often it must ask.
fn came_in(world: &World, params: &Value) -> Outcome {
    wait::until("the guest is a member", || {
        let status = world.status(GUEST)?;
        if status.stage == "alone" {
            world.call(GUEST, CommandName::HiveJoin, params)?;
        }
        ensure(status.stage == "member", || format!("{status:?}"))
    })
}

/// The guest has left, and its host knows it.
fn left(world: &World) -> Outcome {
    wait::until("the guest has left", || {
        let status = world.status(GUEST)?;
        if status.stage == "member" {
            // Leaving again, where the kill came before it was written.
            world.call(GUEST, CommandName::HiveLeave, &Value::Null)?;
        }
        ensure(status.stage == "alone", || format!("{status:?}"))?;
        let members = world.members(HOST)?;
        ensure(members.len() == 1, || format!("{members:?}"))
    })
}

/// Kills after so many questions, and starts again what was killed.
pub(super) fn strike(world: &mut World, place: usize, victim: Victim, point: u32) -> Outcome {
    for _ in 0..point {
        world.status(place)?;
    }
    match victim {
        Victim::Agent => {
            world.kill_agent(place)?;
            world.start_agent(place)?;
        }
        Victim::Node => {
            world.node_mut(place).kill();
            world.node_mut(place).start()?;
            world.agent_answers(place)?;
        }
    }
    world.synced()?;
    wait::until("the agent has read its node", || {
        let status = world.status(place)?;
        ensure(status.synced, || format!("{status:?}"))
    })
}
