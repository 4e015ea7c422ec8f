//! Agents beside nodes: the least that a fleet needs.

use super::Stage;
use crate::failure::{Outcome, ensure};
use crate::wait;
use std::time::Instant;

/// Two members meet: invite, join, agree; both survive a kill, and leave nothing behind.
pub(super) fn meet(stage: &mut Stage) -> Outcome {
    let world = &mut stage.world;
    world.start(&stage.fleet.kinds(2))?;
    let begun = Instant::now();
    world.fleet(&[0, 1], &[])?;
    let seconds = begun.elapsed().as_secs_f32();
    println!(
        "FIGURE regtest_{}_two_agents_to_agreement {seconds:.1} s -",
        stage.fleet
    );
    for place in [0, 1] {
        world.kill_agent(place)?;
        world.start_agent(place)?;
        world.converged(&[0, 1])?;
        let members = world.members(place)?;
        ensure(members.len() == 2, || format!("{members:?}"))?;
    }
    wait::until("the members are connected", || {
        let status = world.status(0)?;
        ensure(status.connected >= 1, || format!("{status:?}"))
    })?;
    world.stop()
}
