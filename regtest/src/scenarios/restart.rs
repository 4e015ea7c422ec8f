//! A node goes away and comes back; its agent follows by itself.

use super::Stage;
use crate::failure::{Outcome, ensure};
use crate::wait;
use crate::world::World;
use std::time::Instant;

const MEMBERS: [usize; 2] = [0, 1];

/// A member's node is stopped in order, then killed: each time it comes back, and nobody touches its agent,
/// the member hears its fellow and is heard.
pub(super) fn agents_follow_their_nodes(stage: &mut Stage) -> Outcome {
    let fleet = stage.fleet;
    let world = &mut stage.world;
    world.start(&fleet.kinds(2))?;
    world.fleet(&MEMBERS, &[])?;
    for place in MEMBERS {
        for is_killed in [false, true] {
            let how = if is_killed { "kill" } else { "stop" };
            let kind = world.node(place).kind();
            let seconds = heal(world, place, is_killed)?;
            println!("FIGURE regtest_{fleet}_{kind}_heal_after_{how} {seconds:.1} s -");
        }
    }
    world.stop()
}

/// Ends a node and starts it again; gives the seconds from its answering to the fleet's agreement.
fn heal(world: &mut World, place: usize, is_killed: bool) -> Outcome<f32> {
    let other = 1 - place;
    if is_killed {
        world.node_mut(place).kill();
    } else {
        world.node_mut(place).stop()?;
    }
    wait::until("the fellow sees that the node is gone", || {
        let status = world.status(other)?;
        ensure(status.connected == 0, || format!("{status:?}"))
    })?;
    world.node_mut(place).start()?;
    let begun = Instant::now();
    world.agent_answers(place)?;
    wait::until("both members are linked and synced", || {
        for member in MEMBERS {
            let status = world.status(member)?;
            let is_well = status.connected == 1 && status.synced && status.stage == "member";
            ensure(is_well, || format!("{status:?}"))?;
        }
        Ok::<_, crate::failure::Failure>(())
    })?;
    world.converged(&MEMBERS)?;
    let seconds = begun.elapsed().as_secs_f32();
    for from in MEMBERS {
        world.hears(from, &[1 - from])?;
    }
    world.converged(&MEMBERS)?;
    Ok(seconds)
}
