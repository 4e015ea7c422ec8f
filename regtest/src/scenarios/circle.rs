//! Pushes around a real circle: payer, shared peer, fellow, payer.

use super::Stage;
use super::money::{Fees, approve, asks, in_channel, in_channels, log, pending, proposed, report};
use crate::failure::{Context, Outcome, ensure, wrong};
use crate::forwarding::Forwarding;
use crate::wait;
use crate::world::World;
use hive_types::limits::{CORRIDOR_DRAIN, CORRIDOR_PUSH_TOLD, OBSERVE_INTERVAL};
use hive_types::{Action, ActionId, Msat, Ppm, Rebalance, Sat, ShortChannelId};
use std::time::{Duration, Instant};

/// Who pays, the fellow that runs dry, the peer that they share, and a peer of the fellow's.
pub(super) const PAYER: usize = 0;
pub(super) const FELLOW: usize = 1;
pub(super) const SHARED: usize = 2;
const OTHER: usize = 3;

pub(super) const MEMBERS: [usize; 2] = [PAYER, FELLOW];

/// Two pushes of the largest size are more than a quarter of it.
const CORRIDOR: Sat = Sat::new(1_800_000);

/// What the shared peer asks.
const PRICE: Fees = Fees(Msat::ZERO, Ppm::new(50));

/// Plans each five minutes of the agents' clock; pushes alone, so that every HTLC is one. The first one
/// that arrives leaves the fellow low enough for a second.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("fleet.plan_minutes", "5"),
    ("limits.opted_out_kinds", "open,probe"),
    ("limits.rebalance_cooldown_minutes", "0"),
    ("planner.push_max", "240000"),
];

/// How fast agents' clocks run while pushes go.
pub(super) const SPEED: u32 = 120;

/// The circle's channels.
pub(super) struct Circle {
    /// Payer and shared peer: the payer has plenty.
    pub(super) out: ShortChannelId,
    /// Shared peer and fellow: the fellow has little, yet more than a probe's exit has to have.
    pub(super) dry: ShortChannelId,
    /// The corridor.
    pub(super) back: ShortChannelId,
}

impl Circle {
    /// The fellow's peers but for the payer, as a setting names them.
    pub(super) fn beyond(&self, world: &World) -> Outcome<String> {
        Ok(format!("{},{}", world.id(SHARED)?, world.id(OTHER)?))
    }
}

/// Nodes, channels and fees, with the fleet on top.
pub(super) fn circle(stage: &mut Stage, settings: &[(&str, &str)]) -> Outcome<Circle> {
    let kinds = stage.fleet.kinds(4);
    let world = &mut stage.world;
    world.start(&kinds)?;
    world.fund_in(PAYER, &[Sat::new(3_000_000), Sat::new(3_000_000)])?;
    world.fund_in(SHARED, &[Sat::new(3_000_000), Sat::new(3_000_000)])?;
    world.fund_in(FELLOW, &[Sat::new(3_000_000)])?;
    let sat = Sat::new;
    let out = world.open(PAYER, SHARED, sat(2_000_000), sat(200_000))?;
    let dry = world.open(SHARED, FELLOW, sat(2_000_000), sat(150_000))?;
    let back = world.open(PAYER, FELLOW, CORRIDOR, sat(1_000_000))?;
    let other = world.open(FELLOW, OTHER, sat(1_000_000), sat(500_000))?;
    let Fees(base, rate) = PRICE;
    world.node(SHARED).set_fees(dry, base, rate)?;
    asks(world, dry, SHARED, PRICE, &[PAYER, FELLOW])?;
    // What is filled earns well, and what is drained little.
    let dear = Fees(Msat::ZERO, Ppm::new(1_000));
    world.node(FELLOW).set_fees(dry, dear.0, dear.1)?;
    let cheap = Fees(Msat::ZERO, Ppm::new(10));
    world.node(PAYER).set_fees(out, cheap.0, cheap.1)?;
    asks(world, dry, FELLOW, dear, &[PAYER, FELLOW])?;
    asks(world, out, PAYER, cheap, &[PAYER, FELLOW])?;
    world.known(PAYER, other, &[FELLOW, OTHER])?;
    world.fleet(&MEMBERS, settings)?;
    for end in MEMBERS {
        asks(world, back, end, Fees::NONE, &MEMBERS)?;
    }
    Ok(Circle { out, dry, back })
}

/// Three pushes in one world: one that comes back short, one that is stuck, and one that arrives.
pub(super) fn pushes(stage: &mut Stage) -> Outcome {
    let circle = circle(stage, SETTINGS)?;
    let world = &mut stage.world;
    world.hasten(SPEED)?;
    world.converged(&MEMBERS)?;
    t57_a_short_return_is_not_settled(world, &circle)?;
    t59_a_stuck_push_is_not_repeated(world, &circle)?;
    t60_a_push_costs_fees_alone(world, &circle)?;
    t61_pushes_are_no_drain(world, &circle)
}

/// The push that the circle is there for.
pub(super) fn push(world: &World, circle: &Circle) -> Outcome<(ActionId, Rebalance)> {
    let ways = [circle.out, circle.dry, circle.back];
    proposed(
        world,
        PAYER,
        "a push around the circle",
        |action| match action {
            Action::Rebalance(moved) => {
                let hops = moved.hops.iter().map(|hop| hop.channel);
                hops.eq(ways).then(|| moved.clone())
            }
            _ => None,
        },
    )
}

/// The last hop brings less than the payer's invoice says: nobody is paid, nobody has paid.
fn t57_a_short_return_is_not_settled(world: &mut World, circle: &Circle) -> Outcome {
    let before = totals(world)?;
    world.forwards(FELLOW, Forwarding::Short(1_000))?;
    let (id, _) = push(world, circle)?;
    approve(world, PAYER, id, false)?;
    ended(world, id, "not done")?;
    let shortened = world.treated(FELLOW, Forwarding::Short(1_000));
    ensure(shortened > 0, || "no HTLC came to the fellow".into())?;
    settled(world, before)?;
    let bill = report(world, PAYER)?;
    let is_free = bill.rebalances == 0 && bill.reserved.is_zero();
    ensure(is_free, || format!("{bill:?}"))?;
    world.forwards(FELLOW, Forwarding::Honest)
}

/// An HTLC that the shared peer keeps: its reservation stays, over a restart of the agent too, and nothing else
/// is sent that way. Then it is let go, and counts once.
fn t59_a_stuck_push_is_not_repeated(world: &mut World, circle: &Circle) -> Outcome {
    let before = totals(world)?;
    world.forwards(SHARED, Forwarding::Hold)?;
    let (id, moved) = push(world, circle)?;
    approve(world, PAYER, id, false)?;
    wait::until("the shared peer holds one HTLC", || {
        let htlcs = htlcs(world, circle.out)?;
        ensure(htlcs == 1, || format!("{htlcs} HTLCs"))
    })?;
    stays_alone(world, circle)?;
    world.kill_agent(PAYER)?;
    world.start_agent(PAYER)?;
    world.converged(&MEMBERS)?;
    stays_alone(world, circle)?;
    let bill = report(world, PAYER)?;
    ensure(bill.reserved >= moved.fee && bill.rebalances == 0, || {
        format!("stuck, a fee of {}: {bill:?}", moved.fee)
    })?;
    world.forwards(SHARED, Forwarding::Honest)?;
    ended(world, id, "paid")?;
    let bill = report(world, PAYER)?;
    let is_booked = bill.rebalances == 1 && bill.reserved.is_zero();
    ensure(is_booked && bill.rebalanced == moved.amount, || {
        format!("{bill:?}")
    })?;
    paid(world, before, bill.rebalance_fees)
}

/// Through three planning rounds of the agents' clock there is one HTLC and no other push waits.
fn stays_alone(world: &World, circle: &Circle) -> Outcome {
    let rounds = Duration::from_secs(3 * 5 * 60) / world.speed();
    let begun = Instant::now();
    wait::until("three planning rounds pass", || {
        ensure(begun.elapsed() >= rounds, || "not yet".into())
    })?;
    let (htlcs, rows) = (htlcs(world, circle.out)?, pending(world, PAYER)?);
    ensure(htlcs == 1, || format!("{htlcs} HTLCs on the way out"))?;
    let acting = world.status(PAYER)?.acting;
    ensure(acting == 1, || format!("{acting} actions under way"))?;
    let pushes = rows.iter().filter(|row| match &row.proposal.action {
        Action::Rebalance(moved) => moved.hops.first().map(|hop| hop.channel) == Some(circle.out),
        _ => false,
    });
    ensure(pushes.count() == 0, || {
        format!("another push waits: {rows:?}")
    })
}

/// A push arrives: the fellow has more where it was dry, and all that changed hands is the shared peer's fee.
fn t60_a_push_costs_fees_alone(world: &mut World, circle: &Circle) -> Outcome {
    at_rest(world)?;
    let before = totals(world)?;
    let (at, booked) = (
        in_channel(world, FELLOW, circle.dry)?,
        report(world, PAYER)?,
    );
    let (id, moved) = push(world, circle)?;
    approve(world, PAYER, id, false)?;
    ended(world, id, "paid")?;
    let bill = report(world, PAYER)?;
    let fee = bill.rebalance_fees.saturating_sub(booked.rebalance_fees);
    ensure(
        bill.rebalances == booked.rebalances + 1 && fee <= moved.fee,
        || format!("{bill:?}, a push of {moved:?}"),
    )?;
    paid(world, before, fee)?;
    let now = in_channel(world, FELLOW, circle.dry)?;
    ensure(now == at.saturating_add(moved.amount), || {
        format!(
            "the dry channel had {at} and has {now} after a push of {}",
            moved.amount
        )
    })
}

/// More than a quarter of the corridor went over it, all of it the payer's own: once the fellow has seen that in
/// its forwards and in the payer's heartbeats, it raises no alarm and asks for nothing.
fn t61_pushes_are_no_drain(world: &World, circle: &Circle) -> Outcome {
    let moved = report(world, PAYER)?.rebalanced;
    let quarter = CORRIDOR_DRAIN.fee_on(CORRIDOR.to_msat_saturating());
    let quarter = quarter.during("a quarter")?;
    ensure(moved > quarter, || {
        format!("pushes of {moved} are less than {quarter}, which proves nothing")
    })?;
    // What the fellow waits for before it counts a flow, and time for some looks.
    let begun = Instant::now();
    let looks = 5 * OBSERVE_INTERVAL.get();
    let waits = Duration::from_millis(CORRIDOR_PUSH_TOLD.get() + looks) / world.speed();
    wait::within(waits + wait::PATIENCE, "the fellow has counted", || {
        ensure(begun.elapsed() >= waits, || "not yet".into())
    })?;
    let rows = log(world, FELLOW)?;
    ensure(!rows.contains("outsiders moved"), || {
        format!("pushes of {moved} are an alarm: {rows}")
    })?;
    asks(world, circle.back, FELLOW, Fees::NONE, &MEMBERS)
}

/// Waits until the log says how an action ended.
fn ended(world: &World, id: ActionId, how: &str) -> Outcome {
    wait::until(format!("action {id} ends: {how}"), || {
        let answer = world.call(
            PAYER,
            hive_node::control::CommandName::HiveLog,
            &serde_json::json!({"action": id.to_string()}),
        )?;
        let rows = answer.to_string();
        ensure(rows.contains("settle") && rows.contains(how), || rows)
    })
}

/// Waits until nobody has HTLCs.
pub(super) fn at_rest(world: &World) -> Outcome {
    wait::until("no HTLC is on the way", || {
        for node in world.nodes() {
            let channels = node.channels()?;
            if channels.iter().any(|own| own.htlcs > 0) {
                return wrong(format!("{}: {channels:?}", node.name()));
            }
        }
        Ok(())
    })
}

/// What payer, fellow and shared peer have in channels.
pub(super) fn totals(world: &World) -> Outcome<[Msat; 3]> {
    let total = |place| in_channels(world, place);
    Ok([total(PAYER)?, total(FELLOW)?, total(SHARED)?])
}

/// Everybody has again what it had.
fn settled(world: &World, before: [Msat; 3]) -> Outcome {
    paid(world, before, Msat::ZERO)
}

/// The payer is short of the fee, the shared peer has it, the fellow has what it had. LND shows whole satoshi,
/// rounded down in each channel.
pub(super) fn paid(world: &World, before: [Msat; 3], fee: Msat) -> Outcome {
    at_rest(world)?;
    let rounding = Msat::new(2_000);
    let close = |one: Msat, other: Msat| one.get().abs_diff(other.get()) <= rounding.get();
    wait::until(
        format!("the payer is short of {fee} and the shared peer has it"),
        || {
            let [payer, fellow, shared] = before;
            let now = totals(world)?;
            let is_right = close(now[0], payer.saturating_sub(fee))
                && close(now[1], fellow)
                && close(now[2], shared.saturating_add(fee));
            ensure(is_right, || format!("before {before:?}, now {now:?}"))
        },
    )
}

pub(super) fn htlcs(world: &World, channel: ShortChannelId) -> Outcome<usize> {
    let channels = world.node(PAYER).channels()?;
    let own = channels.iter().filter(|own| own.scid == Some(channel));
    Ok(own.map(|own| own.htlcs).sum())
}
