//! Two members want one target: one opens.

use super::Stage;
use super::money::{Fees, approve, asks, in_channels, log, open_to, pending, proposed, report};
use crate::failure::{Context, Outcome, ensure, wrong};
use crate::node::Kind;
use crate::wait;
use crate::world::World;
use hive_core::{LockRow, Reply};
use hive_node::control::CommandName;
use hive_types::{ActionId, Msat, NodeId, OpenChannel, Ppm, Sat};
use serde_json::{Value, json};
use std::thread;

/// The members.
const MEMBERS: [usize; 2] = [0, 1];

/// The node that both want, one that both have a channel with, and a dear one between these two: who joins
/// them by a cheaper way earns.
pub(super) const TARGET: usize = 2;
const NEIGHBOUR: usize = 3;
const DEAR: usize = 4;

/// Plans every five minutes of the agents' clock. LND on a btcd without estimates takes a high feerate, which the
/// limits' defaults do not pay.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("fleet.plan_minutes", "5"),
    ("limits.channel_max", "1000000"),
    ("limits.feerate_ceiling", "50000"),
    ("limits.cost_per_action", "60000000"),
    ("limits.budget_per_day", "200000"),
];

/// Two approvals at once for one target come to one channel: by approval, locked, confirmed, announced, in
/// ledger and report. The other member moves nothing. Then the holder leaves, and its lock with it.
pub(super) fn t31_two_members_open_one_channel(stage: &mut Stage) -> Outcome {
    let fleet = stage.fleet;
    let world = &mut stage.world;
    network(world, fleet)?;
    let target = world.id(TARGET)?;
    world.fleet(&MEMBERS, SETTINGS)?;
    let proposals = both_propose(world, target)?;
    for (place, (id, _)) in MEMBERS.into_iter().zip(&proposals) {
        rehearse(world, place, *id)?;
    }
    let before = [holdings(world, 0)?, holdings(world, 1)?];
    let approved = approve_together(world, [proposals[0].0, proposals[1].0]);
    let (winner, loser) = opened(world, target, &approved)?;
    let capacity = proposals[winner].1.capacity;
    confirmed(world, winner, target, capacity)?;
    written_down(world, winner, loser, proposals[winner].0, capacity)?;
    let after = holdings(world, loser)?;
    ensure(after == before[loser], || {
        format!("the loser had {:?} and has {after:?}", before[loser])
    })?;
    lock_ends(world, target)
}

/// Members beside a neighbour; the only other way from it to the target is dear. Members know where the target is.
pub(super) fn network(world: &mut World, fleet: super::Fleet) -> Outcome {
    world.start(&fleet.kinds(5))?;
    channels(world)
}

/// Money and channels for five nodes that run.
pub(super) fn channels(world: &World) -> Outcome {
    for member in MEMBERS {
        world.fund_in(member, &[Sat::new(1_500_000), Sat::new(1_500_000)])?;
    }
    world.fund_in(DEAR, &[Sat::new(12_000_000), Sat::new(12_000_000)])?;
    let half = |size: u64| (Sat::new(size), Sat::new(size / 2));
    let mut dear = Vec::new();
    for far in [TARGET, NEIGHBOUR] {
        let (size, push) = half(10_000_000);
        dear.push(world.open(DEAR, far, size, push)?);
    }
    for member in MEMBERS {
        let (size, push) = half(1_000_000);
        world.open(member, NEIGHBOUR, size, push)?;
    }
    let price = Fees(Msat::new(50_000), Ppm::new(5_000));
    for channel in dear {
        world.node(DEAR).set_fees(channel, price.0, price.1)?;
        asks(world, channel, DEAR, price, &MEMBERS)?;
    }
    announced(world)
}

/// The target's announcement is older than the members' channels, and LND tells an old one by the day: it announces
/// itself anew. Planners leave out whose address they do not know.
fn announced(world: &World) -> Outcome {
    let target = world.id(TARGET)?;
    if world.node(TARGET).kind() == Kind::Lnd {
        let said = json!({"alias": "target"});
        world
            .node(TARGET)
            .request("/v2/peers/nodeannouncement", &said)?;
    }
    for member in MEMBERS {
        let node = world.node(member);
        wait::until(format!("{} knows where {target} is", node.name()), || {
            let known = match node.kind() {
                Kind::Lnd => node.request(&format!("/v1/graph/node/{target}"), &Value::Null)?,
                Kind::Cln => node.request("listnodes", &json!({"id": target.to_string()}))?,
            };
            let node = known.get("node").or_else(|| known.pointer("/nodes/0"));
            let addresses = node.and_then(|node| node.get("addresses")?.as_array());
            let is_known = addresses.is_some_and(|addresses| !addresses.is_empty());
            ensure(is_known, || known.to_string())
        })?;
    }
    Ok(())
}

/// A member that leaves while it holds a lock frees it: the channel that it opened stays, and its fellow sees no lock.
pub(super) fn t62_a_leaver_frees_its_lock(stage: &mut Stage) -> Outcome {
    let fleet = stage.fleet;
    let world = &mut stage.world;
    network(world, fleet)?;
    let target = world.id(TARGET)?;
    world.fleet(&MEMBERS, SETTINGS)?;
    let [stays, leaves] = MEMBERS;
    world.stop_agent(stays)?;
    let (id, _) = proposed(world, leaves, "the target", open_to(target))?;
    world.start_agent(stays)?;
    world.converged(&MEMBERS)?;
    approve(world, leaves, id, false)?;
    let has_channel = |world: &World| {
        let channels = world.node(leaves).channels()?;
        let to_target = channels.iter().filter(|own| own.peer == target).count();
        ensure(to_target == 1, || format!("{channels:?}"))
    };
    wait::until("a channel to the target", || has_channel(world))?;
    // It is not confirmed, so that the lock is held.
    wait::until("the fellow sees the lock", || {
        let locks = locks(world, stays)?;
        let is_held = locks.iter().any(|lock| lock.target == target);
        ensure(is_held, || format!("{locks:?}"))
    })?;
    world.call(leaves, CommandName::HiveLeave, &Value::Null)?;
    world.stage(leaves, "alone")?;
    wait::until("the fellow sees no lock", || {
        let locks = locks(world, stays)?;
        ensure(locks.is_empty(), || format!("{locks:?}"))
    })?;
    has_channel(world)
}

/// Each member proposes the target while the other's agent is away: when both are there, one leaves it to the
/// other.
fn both_propose(world: &mut World, target: NodeId) -> Outcome<[(ActionId, OpenChannel); 2]> {
    let wanted = open_to(target);
    let has = |world: &World, place| -> Outcome<bool> {
        let rows = pending(world, place)?;
        Ok(rows
            .iter()
            .any(|row| wanted(&row.proposal.action).is_some()))
    };
    let first = wait::until("a member proposes the target", || {
        for place in MEMBERS {
            if has(world, place)? {
                return Ok(place);
            }
        }
        wrong("no such proposal")
    })
    .or_else(|failure| {
        let plans = MEMBERS.map(|place| world.call(place, CommandName::HivePlan, &Value::Null));
        wrong(format!("{failure}; plans: {plans:?}"))
    })?;
    let second = 1 - first;
    world.stop_agent(first)?;
    proposed(world, second, "the target", &wanted)?;
    world.start_agent(first)?;
    world.converged(&MEMBERS)?;
    let own = |place| proposed(world, place, "the target", &wanted);
    Ok([own(0)?, own(1)?])
}

/// A rehearsal says what would be done and leaves the proposal where it is.
fn rehearse(world: &World, place: usize, id: ActionId) -> Outcome {
    let said = approve(world, place, id, true)?;
    let rows = pending(world, place)?;
    let waits = rows.iter().any(|row| row.id == Some(id));
    ensure(waits && said.contains("lock"), || {
        format!("{said}; {rows:?}")
    })
}

/// Both operators say yes at the same moment.
fn approve_together(world: &World, ids: [ActionId; 2]) -> [Outcome<String>; 2] {
    thread::scope(|scope| {
        let [one, other] = ids;
        let other = scope.spawn(move || approve(world, 1, other, false));
        let one = approve(world, 0, one, false);
        let other = other.join();
        [
            one,
            other.unwrap_or_else(|_| wrong("the approval panicked")),
        ]
    })
}

/// Waits until one member opens and the other has given up; says who is who.
fn opened(
    world: &World,
    target: NodeId,
    approved: &[Outcome<String>; 2],
) -> Outcome<(usize, usize)> {
    let winner = wait::until("one member opens a channel to the target", || {
        for place in MEMBERS {
            let channels = world.node(place).channels()?;
            if channels.iter().any(|own| own.peer == target) {
                return Ok(place);
            }
        }
        let logs = MEMBERS.map(|place| log(world, place));
        wrong(format!("approved: {approved:?}; {logs:?}"))
    })?;
    let loser = 1 - winner;
    wait::until("the other member has given up", || {
        let status = world.status(loser)?;
        let is_idle = status.pending == 0 && status.acting == 0;
        ensure(is_idle, || format!("{status:?}"))
    })?;
    Ok((winner, loser))
}

/// The channel confirms and the network hears of it: a node with no part in it has both policies.
fn confirmed(world: &World, winner: usize, target: NodeId, capacity: Sat) -> Outcome {
    let channels = world.node(winner).channels()?;
    let mut new = channels.iter().filter(|own| own.peer == target);
    let own = new.next().during("the new channel")?;
    ensure(new.next().is_none(), || {
        format!("two channels: {channels:?}")
    })?;
    ensure(own.capacity == capacity, || {
        format!("{own:?}, not {capacity}")
    })?;
    let (funding, _) = own.funding.split_once(':').during("an outpoint")?;
    world.confirm(funding)?;
    let scid = world.usable(winner, TARGET, funding)?;
    world.known(NEIGHBOUR, scid, &[winner, TARGET])?;
    Ok(())
}

/// Ledger and report of the winner hold the open; the loser's hold none.
fn written_down(
    world: &World,
    winner: usize,
    loser: usize,
    id: ActionId,
    capacity: Sat,
) -> Outcome {
    let bill = wait::until("the open stands in the report", || {
        let bill = report(world, winner)?;
        ensure(bill.opens == 1, || format!("{bill:?}")).map(|()| bill)
    })?;
    let is_right = bill.opened == capacity
        && !bill.open_fees.is_zero()
        && bill.reserved.is_zero()
        && bill.actions.iter().any(|row| row.action == id);
    ensure(is_right, || format!("{bill:?}"))?;
    let rows = log(world, winner)?;
    for word in ["propose", "approve", "permit", "settle"] {
        ensure(rows.contains(word), || format!("no {word} in {rows}"))?;
    }
    let bill = report(world, loser)?;
    let is_empty = bill.opens == 0 && bill.opened.is_zero() && bill.reserved.is_zero();
    ensure(is_empty && bill.actions.is_empty(), || {
        format!("the loser's bill: {bill:?}")
    })?;
    let rows = log(world, loser)?;
    ensure(!rows.contains("permit"), || {
        format!("the loser was permitted: {rows}")
    })
}

/// The lock is given back once the channel is seen.
fn lock_ends(world: &World, target: NodeId) -> Outcome {
    for place in MEMBERS {
        wait::until(format!("member {place} sees no lock"), || {
            let locks = locks(world, place)?;
            let is_free = locks.iter().all(|lock| lock.target != target);
            ensure(is_free, || format!("{locks:?}"))
        })?;
    }
    Ok(())
}

pub(super) fn locks(world: &World, place: usize) -> Outcome<Vec<LockRow>> {
    match world.ask(place, CommandName::HiveLocks, &Value::Null)? {
        Reply::Locks(rows) => Ok(rows),
        other => wrong(format!("hive-locks gave {other:?}")),
    }
}

/// What a node has on the chain and in channels, and how many channels.
fn holdings(world: &World, place: usize) -> Outcome<(Sat, Msat, usize)> {
    let node = world.node(place);
    Ok((
        node.on_chain()?,
        in_channels(world, place)?,
        node.channels()?.len(),
    ))
}
