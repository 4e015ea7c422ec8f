//! The harness itself: nodes that work, with no agent beside them.

use super::Stage;
use crate::failure::{Outcome, ensure};
use crate::wait;
use hive_types::{Msat, Ppm, Sat};

/// Two nodes start, open a channel, pay both ways, survive a kill, and stop.
pub(super) fn work(stage: &mut Stage) -> Outcome {
    let world = &mut stage.world;
    world.start(&stage.fleet.kinds(2))?;
    world.fund(0, Sat::new(10_000_000))?;
    let channel = world.open(0, 1, Sat::new(1_000_000), Sat::new(300_000))?;
    world.pay(0, 1, Msat::new(50_000_000))?;
    world.pay(1, 0, Msat::new(20_000_000))?;
    let ends = (world.id(0)?, world.id(1)?);
    world.node(0).set_fees(channel, Msat::ZERO, Ppm::new(123))?;
    wait::until("the other end hears of new fees", || {
        let seen = world.node(1).policy(channel, ends.0)?;
        let is_new = seen.is_some_and(|seen| seen.rate == Ppm::new(123) && seen.base.is_zero());
        ensure(is_new, || format!("{seen:?}"))
    })?;
    world.node_mut(1).kill();
    world.node_mut(1).start()?;
    ensure(world.id(1)? == ends.1, || "another node came back".into())?;
    wait::until("the channel works again", || {
        let channels = world.node(0).channels()?;
        let works = channels.iter().any(|channel| channel.usable);
        ensure(works, || format!("{channels:?}"))
    })?;
    world.stop()
}
