//! A fellow whose node demands what its updates do not say.

use super::Stage;
use super::circle::{FELLOW, PAYER, circle};
use super::money::log;
use crate::failure::{Outcome, ensure};
use crate::forwarding::Forwarding;
use crate::wait;
use hive_types::limits::LINK_TEST_INTERVAL;
use std::time::Duration;

/// What the fellow's node demands in secret, in millionths.
const DEMAND: u32 = 700;

/// What the payer's log has of it: Core Lightning's failure names the demand, LND's comes with the update that
/// asks for nothing.
const CLN_SAYS: &str = "demands 0msat and 700ppm where its update says 0msat and 0ppm";
const LND_SAYS: &str = "refuses for its fee what its update asks for: 0msat and 0ppm";

/// How fast agents' clocks run here: links are tested once a day, half a minute of the machine's.
const SPEED: u32 = 2_880;

const SETTINGS: &[(&str, &str)] = &[("limits.opted_out_kinds", "open,rebalance")];

/// Gossip says nothing and the node demands a fee: a test payment finds it, and it is told as a fault of the
/// fellow's node, never held against the fellow.
pub(super) fn t52_a_secret_demand_is_a_fault(stage: &mut Stage) -> Outcome {
    let circle = circle(stage, SETTINGS)?;
    let world = &mut stage.world;
    world.forwards(FELLOW, Forwarding::Demand(DEMAND))?;
    // Without exits that the fellow tells of there are no probes of its forwarding: on such a clock every HTLC
    // takes too long.
    world.set(FELLOW, "fleet.hidden", &circle.beyond(world)?)?;
    world.hasten(SPEED)?;
    let day = Duration::from_millis(LINK_TEST_INTERVAL.get()) / SPEED;
    let fellow = world.id(FELLOW)?.to_string();
    let corridor = circle.back.to_string();
    let is_lnd = world.node(FELLOW).as_lnd().is_some();
    let demand = if is_lnd { LND_SAYS } else { CLN_SAYS };
    wait::within(
        day + wait::PATIENCE,
        "a test payment finds the demand",
        || {
            let rows = log(world, PAYER)?;
            let is_told = rows.contains("fault: a test payment")
                && rows.contains(&fellow)
                && rows.contains(&corridor)
                && rows.contains(demand);
            ensure(is_told, || rows)
        },
    )?;
    let members = world.members(PAYER)?;
    let is_blamed = members.iter().any(|member| !member.flags.is_empty());
    ensure(!is_blamed, || {
        format!("held against the fellow: {members:?}")
    })
}
