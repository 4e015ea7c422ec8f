//! Tickets: who comes in by one, and who does not.

use super::Stage;
use crate::failure::{Context, Outcome, ensure, wrong};
use crate::wait;
use crate::world::World;
use hive_node::control::CommandName;
use hive_proto::{MemberSecret, Ticket, TicketBody};
use hive_types::{Network, Tier};
use serde_json::json;
use std::time::Instant;

/// The founder, a guest for each tier, and one who comes by what is no ticket.
const FOUNDER: usize = 0;
const FULL: usize = 1;
const PROBATIONARY: usize = 2;
const THIEF: usize = 3;

/// Both tiers come in by tickets. A ticket that is forged, used, another's, of another network or mistyped
/// is refused with its reason, and the fleet stays as it is; the same node comes in by a ticket of its own.
pub(super) fn t10_t12_a_ticket_admits_one_guest(stage: &mut Stage) -> Outcome {
    let fleet = stage.fleet;
    let world = &mut stage.world;
    world.start(&fleet.kinds(4))?;
    world.agent(FOUNDER, &[])?;
    world.found(FOUNDER)?;
    let ticket = world.invite(FOUNDER, Some(world.id(FULL)?), "full")?;
    let begun = Instant::now();
    world.agent(FULL, &[])?;
    enter(world, FULL, &ticket)?;
    let seconds = begun.elapsed().as_secs_f32();
    println!("FIGURE regtest_{fleet}_agent_start_to_joined {seconds:.1} s -");
    world.agent(PROBATIONARY, &[])?;
    let open = world.invite(FOUNDER, None, "probationary")?;
    enter(world, PROBATIONARY, &open)?;
    seen_with_tiers(world)?;
    world.agent(THIEF, &[])?;
    let others = world.invite(FOUNDER, Some(world.id(FULL)?), "full")?;
    refused_at_once(world, &others, "another node")?;
    refused_at_once(world, &mistyped(&open)?, "ticket")?;
    refused_at_once(
        world,
        &forged(&open, |body| body.network = other(body.network))?,
        "this node is on",
    )?;
    refused_by_fleet(
        world,
        &forged(&open, |body| body.tier = Tier::Full)?,
        "signature",
    )?;
    refused_by_fleet(world, &open, "used")?;
    seen_with_tiers(world)?;
    world.join(FOUNDER, THIEF, "probationary")?;
    world.converged(&[FOUNDER, FULL, PROBATIONARY, THIEF])?;
    world.stop()
}

fn enter(world: &World, place: usize, ticket: &str) -> Outcome {
    let params = json!({"ticket": ticket});
    world.call(place, CommandName::HiveJoin, &params)?;
    world.stage(place, "member")
}

/// All three agree who is in, and as what.
fn seen_with_tiers(world: &World) -> Outcome {
    world.converged(&[FOUNDER, FULL, PROBATIONARY])?;
    for place in [FOUNDER, FULL, PROBATIONARY] {
        let members = world.members(place)?;
        ensure(members.len() == 3, || format!("{members:?}"))?;
        for (member, tier) in [
            (FOUNDER, Tier::Full),
            (FULL, Tier::Full),
            (PROBATIONARY, Tier::Probationary),
        ] {
            let id = world.id(member)?;
            let row = members.iter().find(|row| row.node_id == id);
            let row = row.during(format!("member {member} in {place}'s roster"))?;
            ensure(row.tier == tier, || format!("{row:?}"))?;
        }
    }
    Ok(())
}

/// The agent itself sees what is wrong, and shows the ticket to nobody.
fn refused_at_once(world: &World, ticket: &str, reason: &str) -> Outcome {
    let params = json!({"ticket": ticket});
    match world.call(THIEF, CommandName::HiveJoin, &params) {
        Ok(answer) => wrong(format!("taken instead of {reason:?}: {answer}")),
        Err(failure) => {
            let words = failure.to_string();
            ensure(words.contains(reason), || words)?;
            world.stage(THIEF, "alone")
        }
    }
}

/// A fellow refuses, and the operator reads why where the stage of joining stands.
fn refused_by_fleet(world: &World, ticket: &str, reason: &str) -> Outcome {
    let before = world.status(FOUNDER)?;
    let params = json!({"ticket": ticket});
    world.call(THIEF, CommandName::HiveJoin, &params)?;
    wait::until(format!("a ticket is refused for {reason:?}"), || {
        let status = world.status(THIEF)?;
        let is_told = status.alerts.iter().any(|alert| alert.contains(reason));
        ensure(status.stage == "alone" && is_told, || format!("{status:?}"))
    })?;
    let after = world.status(FOUNDER)?;
    let is_same = (after.head, after.members) == (before.head, before.members);
    ensure(is_same, || format!("{before:?} became {after:?}"))
}

/// What a thief makes of a ticket: other words under a seal of its own.
fn forged(ticket: &str, change: impl FnOnce(&mut TicketBody)) -> Outcome<String> {
    let ticket: Ticket = ticket.parse().during("a ticket")?;
    let mut body = ticket.body().clone();
    change(&mut body);
    let thief = MemberSecret::from_bytes(&[9; 32]).during("a key")?;
    let forged = Ticket::sign(body, &thief).during("a ticket")?;
    Ok(forged.to_string())
}

fn other(network: Network) -> Network {
    match network {
        Network::Bitcoin => Network::Testnet,
        _ => Network::Bitcoin,
    }
}

/// One character of it is another.
fn mistyped(ticket: &str) -> Outcome<String> {
    let last = ticket.chars().next_back().during("a ticket")?;
    let instead = if last == 'q' { "p" } else { "q" };
    let rest = ticket.strip_suffix(last).during("a ticket")?;
    Ok(format!("{rest}{instead}"))
}
