//! Fees between fellows: nothing while both are in, as before once one is gone.

use super::Stage;
use super::money::{Fees, asks};
use crate::failure::{Outcome, ensure};
use hive_node::control::CommandName;
use hive_types::{Msat, Ppm, Sat};
use serde_json::Value;
use std::time::Instant;

/// What the ends asked before they joined, each something else.
const BEFORE: [Fees; 2] = [
    Fees(Msat::new(1_000), Ppm::new(200)),
    Fees(Msat::new(7), Ppm::new(311)),
];

/// Both ends of a channel between fellows ask nothing; after one left both ask what they asked before, and the
/// last member can leave as well.
pub(super) fn t62_fees_vanish_and_come_back(stage: &mut Stage) -> Outcome {
    let world = &mut stage.world;
    world.start(&stage.fleet.kinds(2))?;
    world.fund(0, Sat::new(10_000_000))?;
    let channel = world.open(0, 1, Sat::new(2_000_000), Sat::new(1_000_000))?;
    for (end, before) in BEFORE.into_iter().enumerate() {
        let Fees(base, rate) = before;
        world.node(end).set_fees(channel, base, rate)?;
        asks(world, channel, end, before, &[0, 1])?;
    }
    world.fleet(&[0, 1], &[])?;
    let joined = Instant::now();
    for end in [0, 1] {
        asks(world, channel, end, Fees::NONE, &[0, 1])?;
    }
    let seconds = joined.elapsed().as_secs_f32();
    println!(
        "FIGURE regtest_{}_corridor_free_after_agreement {seconds:.1} s -",
        stage.fleet
    );
    world.pay(0, 1, Msat::new(30_000_000))?;
    for leaver in [1, 0] {
        world.call(leaver, CommandName::HiveLeave, &Value::Null)?;
        world.stage(leaver, "alone")?;
        for (end, before) in BEFORE.into_iter().enumerate() {
            asks(world, channel, end, before, &[0, 1])?;
        }
    }
    for place in [0, 1] {
        let channels = world.node(place).channels()?;
        ensure(
            channels.len() == 1 && channels.iter().all(|own| own.usable),
            || format!("leaving touched channels: {channels:?}"),
        )?;
    }
    Ok(())
}
