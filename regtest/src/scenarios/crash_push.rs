//! A payer and its node are killed (SIGKILL) while a push goes around the circle.

use super::Stage;
use super::circle::{
    Circle, FELLOW, MEMBERS, PAYER, SETTINGS, SHARED, SPEED, at_rest, circle, htlcs, paid, push,
    totals,
};
use super::crash::{Victim, strike};
use super::money::{approve, in_channel, log, report};
use crate::failure::{Outcome, ensure};
use crate::forwarding::Forwarding;
use crate::wait;
use crate::world::World;
use hive_types::{ActionId, Msat, Rebalance};

/// Small pushes, so that all of them together are no drain of the corridor.
const SMALL: (&str, &str) = ("planner.push_max", "60000");

/// When the payer's agent or node is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After so many questions to the agent since its operator's yes: while it makes the invoice and sends.
    After(u32),
    /// While the shared peer holds the HTLC.
    Held,
}

const POINTS: [(Victim, Moment); 5] = [
    (Victim::Agent, Moment::After(0)),
    (Victim::Node, Moment::After(1)),
    (Victim::Agent, Moment::Held),
    (Victim::Node, Moment::Held),
    (Victim::Agent, Moment::After(4)),
];

/// However often the payer's agent and node die during a push, it arrives once or not at all, and costs no more than
/// the fee that the bill says.
pub(super) fn t59_t60_kills_move_money_once(stage: &mut Stage) -> Outcome {
    let mut settings = SETTINGS.to_vec();
    settings.retain(|(name, _)| *name != SMALL.0);
    settings.push(SMALL);
    let circle = circle(stage, &settings)?;
    let world = &mut stage.world;
    world.hasten(SPEED)?;
    world.converged(&MEMBERS)?;
    let mut arrived = 0;
    for (victim, moment) in POINTS {
        arrived += u32::from(struck(world, &circle, victim, moment)?);
    }
    // Those whose HTLC was held were sent for certain, and were let go.
    ensure(arrived >= 2, || format!("{arrived} pushes arrived"))
}

/// One push with one kill; whether it arrived.
fn struck(world: &mut World, circle: &Circle, victim: Victim, moment: Moment) -> Outcome<bool> {
    at_rest(world)?;
    let (id, moved) = push(world, circle)?;
    let (before, dry) = (totals(world)?, in_channel(world, FELLOW, circle.dry)?);
    let booked = report(world, PAYER)?;
    if matches!(moment, Moment::Held) {
        world.forwards(SHARED, Forwarding::Hold)?;
    }
    approve(world, PAYER, id, false)?;
    match moment {
        Moment::After(point) => strike(world, PAYER, victim, point)?,
        Moment::Held => {
            wait::until("the shared peer holds one HTLC", || {
                let htlcs = htlcs(world, circle.out)?;
                ensure(htlcs == 1, || format!("{htlcs} HTLCs"))
            })?;
            strike(world, PAYER, victim, 0)?;
            let bill = report(world, PAYER)?;
            ensure(bill.reserved >= moved.fee, || {
                format!("{victim:?} {moment:?}: a fee of {}, {bill:?}", moved.fee)
            })?;
            world.forwards(SHARED, Forwarding::Honest)?;
        }
    }
    let has_arrived = ended(world, id)?;
    world.converged(&MEMBERS)?;
    let bill = report(world, PAYER)?;
    let fee = bill.rebalance_fees.saturating_sub(booked.rebalance_fees);
    let is_booked = bill.rebalances == booked.rebalances + u32::from(has_arrived)
        && bill.reserved.is_zero()
        && fee <= most(&moved, has_arrived);
    ensure(is_booked, || {
        format!("{victim:?} {moment:?}: {booked:?} became {bill:?}, a push of {moved:?}")
    })?;
    paid(world, before, fee)?;
    let now = in_channel(world, FELLOW, circle.dry)?;
    let gained = now.saturating_sub(dry);
    let expected = if has_arrived {
        moved.amount
    } else {
        Msat::ZERO
    };
    ensure(gained == expected && now >= dry, || {
        format!(
            "{victim:?} {moment:?}: {dry} became {now}, a push of {}",
            moved.amount
        )
    })?;
    Ok(has_arrived)
}

/// What a push may cost.
fn most(moved: &Rebalance, has_arrived: bool) -> Msat {
    if has_arrived { moved.fee } else { Msat::ZERO }
}

/// Waits until the agent knows what became of the push; whether it arrived.
fn ended(world: &World, id: ActionId) -> Outcome<bool> {
    wait::until(format!("what became of push {id} is known"), || {
        let status = world.status(PAYER)?;
        ensure(status.acting == 0, || format!("{status:?}"))?;
        let rows = log(world, PAYER)?;
        let rows: serde_json::Value = serde_json::from_str(&rows).unwrap_or_default();
        let text = ends_of(&rows, &id.to_string());
        match (text.contains("paid"), text.contains("not done")) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            _ => ensure(false, || format!("{text:?}")).map(|()| false),
        }
    })
}

/// Every text in the log about the end of an action.
fn ends_of(value: &serde_json::Value, id: &str) -> String {
    match value {
        serde_json::Value::Array(rows) => rows.iter().map(|row| ends_of(row, id)).collect(),
        serde_json::Value::Object(row) => {
            let text = value.to_string();
            if text.contains(id) && row.values().any(|word| word == "settle") {
                return text;
            }
            row.values().map(|row| ends_of(row, id)).collect()
        }
        _ => String::new(),
    }
}
