//! A fellow that forwards, and then swallows.

use super::Stage;
use super::circle::{FELLOW, PAYER, circle};
use crate::failure::{Context, Outcome, ensure};
use crate::forwarding::Forwarding;
use crate::wait;
use crate::world::World;
use hive_core::Member;
use hive_policy::conduct::FlagKind;
use std::time::Instant;

/// How fast agents' clocks run here: failures count one by one, ten minutes apart.
const SPEED: u32 = 240;

const SETTINGS: &[(&str, &str)] = &[("limits.opted_out_kinds", "open,rebalance")];

/// Probes through a fellow pass and speak for it. Once it fails all that it should forward, it is found, loses
/// its reputation and is blamed; its node and channels stay as they are.
pub(super) fn t56_a_black_hole_is_found(stage: &mut Stage) -> Outcome {
    circle(stage, SETTINGS)?;
    let world = &mut stage.world;
    world.hasten(SPEED)?;
    world.converged(&[PAYER, FELLOW])?;
    let good = wait::until("a probe through the fellow passes", || {
        let seen = fellow(world)?;
        let known = seen.reputation.filter(|known| known.samples_milli >= 900);
        known.during(format!("{seen:?}"))
    })?;
    ensure(good.mean_ppm > 500_000, || {
        format!("one success gives {good:?}")
    })?;

    world.forwards(FELLOW, Forwarding::Fail)?;
    let begun = Instant::now();
    let seen = wait::until("the black hole is found", || {
        let seen = fellow(world)?;
        let is_found = seen
            .flags
            .iter()
            .any(|flag| flag.kind == FlagKind::BlackHole);
        ensure(is_found, || format!("{seen:?}")).map(|()| seen)
    })?;
    let minutes = begun.elapsed().as_secs_f32() * world.speed() as f32 / 60.0;
    println!(
        "FIGURE regtest_{}_black_hole_blamed {minutes:.0} min -",
        stage.fleet
    );
    let now = seen.reputation.during("a reputation")?;
    ensure(now.mean_ppm < good.mean_ppm, || {
        format!("from {good:?} to {now:?}")
    })?;
    let channels = world.node(PAYER).channels()?;
    ensure(
        channels.len() == 2 && channels.iter().all(|own| own.usable),
        || format!("{channels:?}"),
    )
}

/// The fellow as the payer sees it.
fn fellow(world: &World) -> Outcome<Member> {
    let id = world.id(FELLOW)?;
    let members = world.members(PAYER)?;
    let mut found = members.into_iter().filter(|member| member.node_id == id);
    found.next().during("the fellow")
}
