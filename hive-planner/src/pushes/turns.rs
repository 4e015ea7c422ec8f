//! Whose turn it is to fill a channel.
//!
//! Members plan from nearly the same view, but not quite: two could each find that they pay for filling
//! the same channel. So those that could as well be the payer take turns by block height.

use super::channel::Way;
use super::circle::Payment;
use super::model::Model;
use super::worth::amount;
use hive_types::{LocalSnapshot, NodeId};
use std::collections::BTreeMap;

/// A member that could push has the turn for this many blocks, an hour on average. Then the next one
/// has it: one that does not want to, or is away, holds nobody up.
const TURN_BLOCKS: u32 = 6;

/// The first blocks of a turn pass without a push: tips may differ by one, and what the member before
/// pushed has to be told.
const GUARD_BLOCKS: u32 = 1;

/// Whether this member fills the channel now: those that could as well be the payer take turns. The short
/// channel id staggers the turns. Who is alone always has the turn.
pub(super) fn is_our_turn(before: &Model<'_>, payment: &Payment, local: &LocalSnapshot) -> bool {
    let channel = before.channel(payment.fills);
    let mut turns = direct_payers(before, payment.fills);
    if turns.is_empty() {
        turns = surplus(before, |_, _| true).into_keys().collect();
    }
    if !turns.contains(&payment.payer) {
        turns.push(payment.payer);
        turns.sort_unstable();
    }
    let Some(place) = turns.iter().position(|member| *member == local.node_id) else {
        return false;
    };
    let height = local.height.get();
    let many = turns.len() as u64;
    let turn = u64::from(height / TURN_BLOCKS) + channel.scid.to_u64() % many;
    many == 1 || (turn % many == place as u64 && height % TURN_BLOCKS >= GUARD_BLOCKS)
}

/// Members that could fill the channel by the cheap circle, in order of node ids: they have a surplus
/// towards the peer, and the owner can pass it on to them. Only those with half of the largest
/// surplus count: with less a member is not taken for the payer, in whatever view of the fleet.
fn direct_payers(model: &Model<'_>, fills: Way) -> Vec<NodeId> {
    let (peer, owner) = model.channel(fills).ends(fills);
    let least = least(model);
    let ways = (0..model.request.channels.len()).flat_map(Way::both);
    let linked: Vec<NodeId> = ways
        .filter_map(|way| {
            let (near, far) = model.channel(way).ends(way);
            let joins = near.node == owner.node && model.is_member(&far.node);
            // What one of the two does not tell counts as enough: the member itself knows.
            let able = model.sendable(way).is_none() || model.room(way) >= least;
            (joins && able).then_some(far.node)
        })
        .collect();
    let mut able = surplus(model, |_, towards| *towards == peer.node);
    able.retain(|member, _| linked.contains(member));
    let most = able.values().copied().max().unwrap_or(0);
    able.retain(|_, room| *room >= most / 2);
    able.into_keys().collect()
}

/// Members that could send the smallest push out of the fleet by a channel that counts, with the most
/// that one of those can send.
fn surplus(model: &Model<'_>, counts: impl Fn(&NodeId, &NodeId) -> bool) -> BTreeMap<NodeId, i64> {
    let least = least(model);
    let mut found = BTreeMap::new();
    for way in (0..model.request.channels.len()).flat_map(Way::both) {
        let (near, far) = model.channel(way).ends(way);
        let leaves = model.is_member(&near.node) && !model.is_member(&far.node);
        let room = model.room(way);
        if leaves && counts(&near.node, &far.node) && room >= least {
            let most = found.entry(near.node).or_insert(room);
            *most = room.max(*most);
        }
    }
    found
}

fn least(model: &Model<'_>) -> i64 {
    amount(model.request.config.push_min.to_msat_saturating()).max(1)
}
