//! Which fellow channels run low, and whose turn it is to help.

use super::share_of;
use crate::config::PlannerConfig;
use hive_types::{
    FellowChannel, FellowView, FleetView, LocalSnapshot, Msat, NodeId, Ppm, Sat, ShortChannelId,
    Tier,
};

/// A member that could push has the turn for this many blocks, an hour on average. Then the next one
/// has it: one that does not want to, or is away, holds nobody up.
const TURN_BLOCKS: u32 = 6;

/// A fellow's channel that runs low.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    pub(super) fellow: NodeId,
    pub(super) peer: NodeId,
    pub(super) scid: ShortChannelId,
    pub(super) capacity: Sat,
    pub(super) spendable: Msat,
    /// What it can send, of its capacity.
    pub(super) share: Ppm,
    /// What fills it, as far as the other side has it.
    pub(super) wanted: Msat,
}

/// The low channels of all fellows, the driest first. A channel counts when the graph confirms it and
/// its owner shows its balance; channels between fellows do not count.
pub(super) fn needs(fleet: &FleetView, config: &PlannerConfig) -> Vec<Need> {
    let fellows = fleet.members.iter().filter(|m| Some(m.node_id) != fleet.me);
    let able = fellows.filter(|fellow| fellow.fresh && fellow.tier == Tier::Full);
    let channels = able.flat_map(|fellow| fellow.channels.iter().map(move |c| (fellow, c)));
    let outside = channels.filter(|(_, channel)| !is_member(fleet, &channel.peer));
    let mut needs: Vec<Need> = outside
        .filter_map(|(fellow, channel)| need(fellow, channel, config))
        .collect();
    needs.sort_by_key(|need| (need.share, need.scid));
    needs
}

fn is_member(fleet: &FleetView, id: &NodeId) -> bool {
    fleet.members.iter().any(|member| member.node_id == *id)
}

/// BOLT 2 lets a node ask for a reserve, by custom a hundredth of the capacity: the other side cannot
/// send its last hundredth.
const RESERVE: Ppm = Ppm::new(10_000);

fn need(fellow: &FellowView, channel: &FellowChannel, config: &PlannerConfig) -> Option<Need> {
    let spendable = channel.spendable.filter(|_| channel.confirmed)?;
    let whole = channel.capacity.to_msat_saturating();
    let share = Ppm::of(spendable.get(), whole.get());
    let full = share_of(channel.capacity, config.refill_to);
    let there = whole
        .saturating_sub(spendable)
        .saturating_sub(share_of(channel.capacity, RESERVE));
    (share < config.low_water).then_some(())?;
    Some(Need {
        fellow: fellow.node_id,
        peer: channel.peer,
        scid: channel.scid?,
        capacity: channel.capacity,
        spendable,
        share,
        wanted: full.saturating_sub(spendable).min(there),
    })
}

/// Whether this member pushes now. Those with a channel to the fellow and a surplus towards the shared
/// peer take turns; where there are none, all that are linked with the fellow do.
pub(super) fn is_our_turn(
    need: &Need,
    fleet: &FleetView,
    local: &LocalSnapshot,
    config: &PlannerConfig,
) -> bool {
    let members = fleet.members.iter();
    let able = members.filter(|m| m.fresh && m.tier == Tier::Full && m.node_id != need.fellow);
    let linked: Vec<&FellowView> = able
        .filter(|member| is_linked(fleet, local, member, &need.fellow))
        .collect();
    let direct: Vec<&FellowView> = linked
        .iter()
        .copied()
        .filter(|member| has_surplus(fleet, local, member, need, config))
        .collect();
    let turns = if direct.is_empty() { linked } else { direct };
    let place = turns.iter().position(|m| Some(m.node_id) == fleet.me);
    let turn = local.height.get() / TURN_BLOCKS;
    place.is_some_and(|place| turn as usize % turns.len() == place)
}

/// For the own node its node's word counts, not what was said of it to fellows.
fn is_linked(
    fleet: &FleetView,
    local: &LocalSnapshot,
    member: &FellowView,
    fellow: &NodeId,
) -> bool {
    if Some(member.node_id) == fleet.me {
        return local.channels.iter().any(|c| c.usable && c.peer == *fellow);
    }
    let told = member.channels.iter();
    told.into_iter().any(|c| c.confirmed && c.peer == *fellow)
}

fn has_surplus(
    fleet: &FleetView,
    local: &LocalSnapshot,
    member: &FellowView,
    need: &Need,
    config: &PlannerConfig,
) -> bool {
    let least = config.push_min.to_msat_saturating();
    let enough = |capacity: Sat, spendable: Msat| {
        let mark = share_of(capacity, config.low_water);
        spendable.saturating_sub(mark) >= least
    };
    if Some(member.node_id) == fleet.me {
        let own = local.channels.iter().filter(|c| c.usable);
        let mut towards = own.filter(|c| c.peer == need.peer);
        return towards.any(|c| enough(c.capacity, c.spendable));
    }
    let told = member.channels.iter().filter(|c| c.confirmed);
    let mut towards = told.filter(|c| c.peer == need.peer);
    towards.any(|c| c.spendable.is_some_and(|s| enough(c.capacity, s)))
}
