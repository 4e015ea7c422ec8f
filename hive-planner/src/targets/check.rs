//! Whether an open that was planned earlier may still begin.

use super::History;
use super::share::{Shares, room};
use crate::config::PlannerConfig;
use crate::graph::{Graph, NodeIndex};
use hive_types::{BlockHeight, FleetView, LocalSnapshot, NodeId, OpenChannel, Sat};
use std::collections::BTreeSet;
use thiserror::Error;

/// Why an open that was planned may not begin now. Each passes by itself or by a new plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenObstacle {
    /// The own node is not among the members.
    #[error("this node is not a member of the fleet")]
    NotAMember,
    /// The target is a fellow: links inside the fleet are not planned here.
    #[error("{0} is a fellow")]
    Fellow(NodeId),
    /// The target is banned.
    #[error("{0} is banned; lift the ban to open to it")]
    Banned(NodeId),
    /// The target refused or closed by force.
    #[error("the target is not asked again before height {until}")]
    CoolingDown {
        /// From this height on it is.
        until: BlockHeight,
    },
    /// Another member holds the lock.
    #[error("{holder} is opening to the target")]
    LockedBy {
        /// Who opens.
        holder: NodeId,
    },
    /// This node has a channel with the target, or one under way.
    #[error("there is a channel with the target already")]
    Connected,
    /// The fleet's share of the target's public capacity would be above the cap, or has not yet
    /// fallen below the lower mark.
    #[error(
        "the fleet's share of the target leaves room for {room}; wait or choose a smaller channel"
    )]
    ShareCap {
        /// The largest channel that the cap leaves room for.
        room: Sat,
    },
}

/// Checks what the fleet's view says against an open that was planned some time ago, after an
/// operator's approval, say. Money, feerate and permits are hive-policy's to check.
///
/// # Errors
/// The first [`OpenObstacle`] that stands in the way.
pub fn check_open(
    graph: &Graph,
    fleet: &FleetView,
    local: &LocalSnapshot,
    history: &History,
    config: &PlannerConfig,
    open: &OpenChannel,
) -> Result<(), OpenObstacle> {
    let me = fleet.me.filter(|me| *me == local.node_id);
    let me = me.ok_or(OpenObstacle::NotAMember)?;
    let target = open.target;
    if fleet.members.iter().any(|member| member.node_id == target) {
        return Err(OpenObstacle::Fellow(target));
    }
    if fleet.banned.contains(&target) {
        return Err(OpenObstacle::Banned(target));
    }
    let until = history.cooldowns.get(&target).copied();
    if let Some(until) = until.filter(|until| *until > local.height) {
        return Err(OpenObstacle::CoolingDown { until });
    }
    let mut locks = fleet.locks.iter().filter(|lock| lock.until > local.height);
    if let Some(lock) = locks.find(|lock| lock.target == target && lock.holder != me) {
        let holder = lock.holder;
        return Err(OpenObstacle::LockedBy { holder });
    }
    if local.channels.iter().any(|channel| channel.peer == target) {
        return Err(OpenObstacle::Connected);
    }
    check_share(graph, fleet, history, config, open)
}

fn check_share(
    graph: &Graph,
    fleet: &FleetView,
    history: &History,
    config: &PlannerConfig,
    open: &OpenChannel,
) -> Result<(), OpenObstacle> {
    let members = fleet.members.iter();
    let members: BTreeSet<NodeIndex> = members
        .filter_map(|member| graph.node_index(&member.node_id))
        .collect();
    let shares = Shares::of(graph, &members);
    let public = graph.node_index(&open.target);
    let public = public.map_or(Sat::ZERO, |node| graph.capacity_of(node));
    let capped = shares
        .capped(&history.capped, config)
        .contains(&open.target);
    let room = match capped {
        true => Sat::ZERO,
        false => room(public, shares.held(&open.target), config.share_cap),
    };
    if open.capacity > room {
        return Err(OpenObstacle::ShareCap { room });
    }
    Ok(())
}
