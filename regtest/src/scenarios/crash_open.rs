//! A member and its node are killed (SIGKILL) while it locks a target and opens a channel to it.

use super::Stage;
use super::crash::{Victim, strike};
use super::money::{approve, in_channels, open_to, pending, report};
use super::one_target::{SETTINGS, TARGET, network};
use crate::failure::{Context, Outcome, ensure};
use crate::node::ChannelSeen;
use crate::wait;
use crate::world::World;
use hive_types::{ActionId, Msat, NodeId};

/// The member that opens.
const OPENER: usize = 0;

/// After so many questions to the agent since its operator's yes. The first come before the lock is decided,
/// the next within the open, the last when it is done and not yet confirmed.
const POINTS: [(Victim, u32); 6] = [
    (Victim::Agent, 0),
    (Victim::Agent, 3),
    (Victim::Node, 1),
    (Victim::Agent, 10),
    (Victim::Node, 6),
    (Victim::Agent, 30),
];

/// However often agent and node die between the operator's yes and the confirmed channel, there is one channel
/// to the target or none, and it is paid for once.
pub(super) fn t36_kills_leave_one_channel_or_none(stage: &mut Stage) -> Outcome {
    let fleet = stage.fleet;
    let world = &mut stage.world;
    network(world, fleet)?;
    let target = world.id(TARGET)?;
    world.fleet(&[OPENER], SETTINGS)?;
    let before = holdings(world)?;
    let mut yes = 0;
    for (victim, point) in POINTS {
        if let Some(id) = opened_or_proposed(world, target)? {
            approve(world, OPENER, id, false)?;
            yes += 1;
        }
        strike(world, OPENER, victim, point)?;
        rested(world)?;
        let channels = to(world, target)?;
        ensure(channels.len() <= 1, || {
            format!("{victim:?} {point}: {channels:?}")
        })?;
    }
    while let Some(id) = opened_or_proposed(world, target)? {
        approve(world, OPENER, id, false)?;
        yes += 1;
        ensure(yes <= 2 * POINTS.len(), || {
            format!("{yes} approvals and no channel")
        })?;
    }
    let channels = to(world, target)?;
    let one = channels.first().during("a channel")?;
    let (funding, _) = one.funding.split_once(':').during("an outpoint")?;
    world.confirm(funding)?;
    world.usable(OPENER, TARGET, funding)?;
    booked_once(world, target, before)
}

/// Waits until nothing is under way.
fn rested(world: &World) -> Outcome {
    wait::until("the opener knows what became of its open", || {
        let status = world.status(OPENER)?;
        ensure(status.acting == 0, || format!("{status:?}"))
    })
}

/// Waits until there is a channel, or else a proposal that waits, and gives the proposal.
fn opened_or_proposed(world: &World, target: NodeId) -> Outcome<Option<ActionId>> {
    let wanted = open_to(target);
    wait::until("a channel to the target, or a proposal of one", || {
        let (rows, status) = (pending(world, OPENER)?, world.status(OPENER)?);
        let is_idle = status.acting == 0;
        if !to(world, target)?.is_empty() {
            return ensure(is_idle, || format!("{status:?}")).map(|()| None);
        }
        let waiting = rows
            .iter()
            .find(|row| wanted(&row.proposal.action).is_some());
        let waiting = waiting.and_then(|row| row.id).filter(|_| is_idle);
        waiting.during(format!("{rows:?}, {status:?}")).map(Some)
    })
}

fn to(world: &World, target: NodeId) -> Outcome<Vec<ChannelSeen>> {
    let channels = world.node(OPENER).channels()?;
    Ok(channels
        .into_iter()
        .filter(|own| own.peer == target)
        .collect())
}

/// Chain and channels together.
fn holdings(world: &World) -> Outcome<Msat> {
    let on_chain = world.node(OPENER).on_chain()?.to_msat_saturating();
    Ok(on_chain.saturating_add(in_channels(world, OPENER)?))
}

/// One channel, one open in the report, nothing reserved, and the node has no less than it had but for
/// the on-chain fee in the report and what the channel keeps for its own fees.
fn booked_once(world: &World, target: NodeId, before: Msat) -> Outcome {
    let channels = to(world, target)?;
    ensure(channels.len() == 1, || format!("{channels:?}"))?;
    let bill = wait::until("the open stands in the report", || {
        let bill = report(world, OPENER)?;
        ensure(bill.opens == 1, || format!("{bill:?}")).map(|()| bill)
    })?;
    ensure(bill.reserved.is_zero(), || format!("{bill:?}"))?;
    let kept = Msat::new(10_000_000);
    let after = holdings(world)?;
    let least = before.saturating_sub(bill.open_fees).saturating_sub(kept);
    ensure(after >= least, || {
        format!("{before} became {after}, fees of {}", bill.open_fees)
    })
}
