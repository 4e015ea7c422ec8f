//! Whose turn it is to fill a channel.
//!
//! Members plan from nearly the same view, but not quite: two could each find that they pay for filling
//! the same channel. So those that could fill it take turns by block height.

use super::channel::Way;
use super::circle::Payment;
use super::model::Model;
use super::worth::amount;
use hive_types::{LocalSnapshot, NodeId};
use std::collections::BTreeSet;

/// A member that could push has the turn for this many blocks, an hour on average. Then the next one
/// has it: one that does not want to, or is away, holds nobody up.
const TURN_BLOCKS: u32 = 6;

/// The first blocks of a turn pass without a push: tips may differ by one, and what the member before
/// pushed has to be told.
const GUARD_BLOCKS: u32 = 1;

/// Whether this member fills the channel now. Full members with a surplus towards the peer at its other
/// end take turns, the owner too if it has a surplus anywhere; where only the owner is left, all with a
/// surplus anywhere do. Balances count as they are `before` this plan's own payments. The short channel id staggers the turns. Who is alone always has the turn.
pub(super) fn is_our_turn(before: &Model<'_>, payment: &Payment, local: &LocalSnapshot) -> bool {
    let channel = before.channel(payment.fills);
    let (peer, owner) = channel.ends(payment.fills);
    let direct = with_surplus(before, |member, towards| {
        *towards == peer.node || *member == owner.node
    });
    let turns = match direct.iter().any(|member| *member != owner.node) {
        true => direct,
        false => with_surplus(before, |_, _| true),
    };
    let Some(place) = turns.iter().position(|member| *member == local.node_id) else {
        return false;
    };
    let height = local.height.get();
    let many = turns.len() as u64;
    let turn = u64::from(height / TURN_BLOCKS) + channel.scid.to_u64() % many;
    many == 1 || (turn % many == place as u64 && height % TURN_BLOCKS >= GUARD_BLOCKS)
}

/// Members that could send the smallest push out of the fleet by a channel that counts.
fn with_surplus(model: &Model<'_>, counts: impl Fn(&NodeId, &NodeId) -> bool) -> BTreeSet<NodeId> {
    let least = amount(model.request.config.push_min.to_msat_saturating()).max(1);
    let ways = (0..model.request.channels.len()).flat_map(Way::both);
    let leaving = ways.filter_map(|way| {
        let (near, far) = model.channel(way).ends(way);
        let leaves = model.is_member(&near.node) && !model.is_member(&far.node);
        let able = leaves && counts(&near.node, &far.node) && model.room(way) >= least;
        able.then_some(near.node)
    });
    leaving.collect()
}
