//! A block with the funding of an open of ours is reorganized away.

use super::Stage;
use super::money::{approve, in_channels, open_to, pending, proposed, report};
use super::one_target::{SETTINGS, TARGET, channels, locks};
use crate::failure::{Context, Outcome, ensure};
use crate::node::Kind;
use crate::wait;
use crate::world::World;
use hive_core::{LockRow, Report};
use hive_node::control::CommandName;
use hive_types::{ActionId, Msat, NodeId};
use serde_json::Value;

/// The member that opens.
const OPENER: usize = 0;

/// Blocks that the funding has before they go.
const DEPTH: u32 = 2;

/// Confirmations that the target wants: more than the funding gets before the reorganization.
const TARGET_CONFIRMATIONS: u32 = 5;

/// The funding confirms, is reorganized away, waits in the mempool while empty blocks pass, and confirms again at
/// another height. All the while the target stays locked, the ledger holds one open with its fee, and nothing opens
/// a second time; at the end there is one channel in use, and the lock is free.
pub(super) fn an_open_outlives_its_block(stage: &mut Stage) -> Outcome {
    let kinds = stage.fleet.kinds(5);
    let world = &mut stage.world;
    begin(world, &kinds)?;
    let target = world.id(TARGET)?;
    world.fleet(&[OPENER], SETTINGS)?;
    // LND alone does not pass on where the target is.
    world.connect(OPENER, TARGET)?;
    let before = holdings(world)?;
    let (id, _) = proposed(world, OPENER, "the target", open_to(target))?;
    approve(world, OPENER, id, false)?;
    let funding = funding(world, target)?;
    in_mempool(world, &funding)?;
    world.mine(DEPTH)?;
    let bill = booked(world, id)?;
    let lock = held(world, target)?;
    world.chain().reorganize(DEPTH)?;
    world.synced()?;
    in_mempool(world, &funding)?;
    for _ in 0..2 {
        observed(world)?;
        ensure(held(world, target)? == lock, || "another lock".into())?;
        as_before(world, target, id, &bill)?;
    }
    world.confirm(&funding)?;
    world.usable(OPENER, TARGET, &funding)?;
    wait::until("the lock is given back", || {
        let locks = locks(world, OPENER)?;
        ensure(locks.is_empty(), || format!("{locks:?}"))
    })?;
    as_before(world, target, id, &bill)?;
    nothing_lost(world, before, bill.open_fees)
}

/// As the other scenarios' network, with a target that waits for its confirmations.
fn begin(world: &mut World, kinds: &[Kind]) -> Outcome {
    for &kind in kinds {
        world.add(kind)?;
    }
    let confirmations = match world.node(TARGET).kind() {
        Kind::Lnd => format!("--bitcoin.defaultchanconfs={TARGET_CONFIRMATIONS}"),
        Kind::Cln => format!("--funding-confirms={TARGET_CONFIRMATIONS}"),
    };
    world.node_mut(TARGET).set_options(vec![confirmations]);
    for place in 0..kinds.len() {
        world.node_mut(place).launch()?;
    }
    for place in 0..kinds.len() {
        world.node_mut(place).ready()?;
    }
    world.synced()?;
    channels(world)
}

/// The funding transaction of the one channel to the target.
fn funding(world: &World, target: NodeId) -> Outcome<String> {
    wait::until("a channel to the target", || {
        let channels = world.node(OPENER).channels()?;
        let mut to = channels.iter().filter(|own| own.peer == target);
        let own = to.next().during("no channel")?;
        ensure(to.next().is_none(), || format!("{channels:?}"))?;
        let (funding, _) = own.funding.split_once(':').during("an outpoint")?;
        Ok::<_, crate::failure::Failure>(funding.to_owned())
    })
}

fn in_mempool(world: &World, transaction: &str) -> Outcome {
    wait::until("the funding waits for a block", || {
        let waiting = world
            .chain()
            .call("getrawmempool", &serde_json::json!([]))?;
        let waiting = waiting.to_string();
        ensure(waiting.contains(transaction), || waiting)
    })
}

/// The open stands in the report, once.
fn booked(world: &World, id: ActionId) -> Outcome<Report> {
    wait::until("the open stands in the report", || {
        let bill = report(world, OPENER)?;
        let is_it = bill.opens == 1 && bill.actions.iter().any(|row| row.action == id);
        ensure(is_it && bill.reserved.is_zero(), || format!("{bill:?}")).map(|()| bill)
    })
}

/// The one lock, the opener's on the target.
fn held(world: &World, target: NodeId) -> Outcome<LockRow> {
    let locks = locks(world, OPENER)?;
    let own = world.id(OPENER)?;
    match locks.as_slice() {
        [lock] if (lock.target, lock.holder) == (target, own) => Ok(lock.clone()),
        other => Err(crate::failure::Failure::Wrong(format!("{other:?}"))),
    }
}

/// Waits until the agent has seen the newest block and made a plan since.
fn observed(world: &World) -> Outcome {
    let height = world.chain().height()?;
    wait::until("the agent has seen the newest block", || {
        let status = world.status(OPENER)?;
        ensure(status.height == height, || format!("{status:?}"))
    })?;
    world
        .call(OPENER, CommandName::HivePlan, &Value::Null)
        .map(drop)
}

/// Nothing is under way or wanted for the target, and the books say what they said.
fn as_before(world: &World, target: NodeId, id: ActionId, bill: &Report) -> Outcome {
    let now = booked(world, id)?;
    let same = (now.opened, now.open_fees) == (bill.opened, bill.open_fees);
    ensure(same, || format!("{bill:?} became {now:?}"))?;
    let (rows, status) = (pending(world, OPENER)?, world.status(OPENER)?);
    let wanted = open_to(target);
    let again = rows
        .iter()
        .any(|row| wanted(&row.proposal.action).is_some());
    ensure(!again && status.acting == 0, || {
        format!("{rows:?}, {status:?}")
    })?;
    let channels = world.node(OPENER).channels()?;
    let to = channels.iter().filter(|own| own.peer == target).count();
    ensure(to == 1, || format!("{channels:?}"))
}

/// Chain and channels together.
fn holdings(world: &World) -> Outcome<Msat> {
    let on_chain = world.node(OPENER).on_chain()?.to_msat_saturating();
    Ok(on_chain.saturating_add(in_channels(world, OPENER)?))
}

/// The node has no less than it had but for the fee in the report and what the channel keeps for its own.
fn nothing_lost(world: &World, before: Msat, fees: Msat) -> Outcome {
    let kept = Msat::new(10_000_000);
    let after = holdings(world)?;
    let least = before.saturating_sub(fees).saturating_sub(kept);
    ensure(after >= least, || {
        format!("{before} became {after}, fees of {fees}")
    })
}
