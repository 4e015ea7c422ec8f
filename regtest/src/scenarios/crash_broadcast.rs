//! lightningd is killed (SIGKILL) while it gives out the funding transaction of an open of ours: between the channel
//! and the chain.

use super::Stage;
use super::money::{approve, in_channels, open_to, pending, proposed, report};
use super::one_target::{SETTINGS, TARGET, network};
use crate::failure::{Context, Outcome, ensure};
use crate::node::{ChannelSeen, Cln, Hold};
use crate::wait;
use crate::world::World;
use hive_types::{ActionId, Msat, NodeId};

/// The member that opens.
const OPENER: usize = 0;

/// The node dies with its agent before the chain has the funding, dies again when it gives it out once more, and dies
/// after the chain has it but before it was told. The agent calls the open neither done nor failed until the node
/// knows the funding; then there is one channel, paid for once.
pub(super) fn t36_kills_at_the_broadcast_leave_one_channel(stage: &mut Stage) -> Outcome {
    let fleet = stage.fleet;
    let world = &mut stage.world;
    network(world, fleet)?;
    let target = world.id(TARGET)?;
    world.fleet(&[OPENER], SETTINGS)?;
    let before = holdings(world)?;
    let (id, _) = proposed(world, OPENER, "the target", open_to(target))?;
    cln(world)?.hold_broadcast(Hold::Before)?;
    approve(world, OPENER, id, false)?;
    for then in [Some(Hold::Before), Some(Hold::After), None] {
        wait::until("the funding is held up on its way to the chain", || {
            let is_held = cln(world)?.is_broadcast_held();
            ensure(is_held, || format!("{:?}", report(world, OPENER)))
        })?;
        killed(world, then)?;
        under_way(world, target)?;
    }
    let channel = one(world, target)?;
    let (funding, _) = channel.funding.split_once(':').during("an outpoint")?;
    world.confirm(funding)?;
    world.usable(OPENER, TARGET, funding)?;
    booked_once(world, target, id, before)
}

fn cln(world: &World) -> Outcome<&Cln> {
    world.node(OPENER).as_cln().during("Core Lightning")
}

/// The node is killed with all that it started, and comes back with its agent. What it gives out then is held up
/// again, or not any more.
fn killed(world: &mut World, then: Option<Hold>) -> Outcome {
    world.node_mut(OPENER).kill();
    cln(world)?.let_go()?;
    if let Some(hold) = then {
        cln(world)?.hold_broadcast(hold)?;
    }
    world.node_mut(OPENER).start()?;
    world.agent_answers(OPENER)
}

/// There is the one channel; the open is booked at most once, and while it is not, its cost is reserved and it is
/// neither given up nor begun anew.
fn under_way(world: &World, target: NodeId) -> Outcome {
    one(world, target)?;
    let (bill, status) = (report(world, OPENER)?, world.status(OPENER)?);
    let is_open = bill.opens == 0 && status.acting == 1 && !bill.reserved.is_zero();
    let is_done = bill.opens == 1 && status.acting == 0 && bill.reserved.is_zero();
    ensure(is_open || is_done, || format!("{bill:?}, {status:?}"))?;
    let rows = pending(world, OPENER)?;
    let wanted = open_to(target);
    let again = rows
        .iter()
        .any(|row| wanted(&row.proposal.action).is_some());
    ensure(!again, || format!("{rows:?}"))
}

fn one(world: &World, target: NodeId) -> Outcome<ChannelSeen> {
    let channels = world.node(OPENER).channels()?;
    let to: Vec<&ChannelSeen> = channels.iter().filter(|own| own.peer == target).collect();
    match to.as_slice() {
        [one] => Ok((*one).clone()),
        other => crate::failure::wrong(format!("{other:?}")),
    }
}

/// Chain and channels together.
fn holdings(world: &World) -> Outcome<Msat> {
    let on_chain = world.node(OPENER).on_chain()?.to_msat_saturating();
    Ok(on_chain.saturating_add(in_channels(world, OPENER)?))
}

/// One open in the report, nothing reserved, and the node has no less than it had but for the on-chain fee in the
/// report and what the channel keeps for its own fees.
fn booked_once(world: &World, target: NodeId, id: ActionId, before: Msat) -> Outcome {
    one(world, target)?;
    let bill = wait::until("the open stands in the report", || {
        let bill = report(world, OPENER)?;
        let is_it = bill.opens == 1 && bill.actions.iter().any(|row| row.action == id);
        ensure(is_it && bill.reserved.is_zero(), || format!("{bill:?}")).map(|()| bill)
    })?;
    let kept = Msat::new(10_000_000);
    let after = holdings(world)?;
    let least = before.saturating_sub(bill.open_fees).saturating_sub(kept);
    ensure(after >= least && !bill.open_fees.is_zero(), || {
        format!("{before} became {after}, fees of {}", bill.open_fees)
    })
}
