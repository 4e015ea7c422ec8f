//! Test payments over corridors: what a link demands where messages show something else.
//!
//! A test goes from this node over another peer to the fellow and back over the corridor, priced by what
//! the fellow's update says. Nobody knows its hash, so it costs nothing. A fellow that asks for more than
//! it says fails it with `fee_insufficient`; that is told as a fault and never held against it, for a
//! node may be behind with its own updates.

use hive_types::limits::{FINAL_CLTV_DELTA, PROBE_AMOUNT};
use hive_types::{ChannelPolicy, LocalChannel, NodeId, Probe, RouteHop, ShortChannelId};

/// A way from this node to a fellow over another peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approach {
    /// Own channel with the peer.
    pub own: ShortChannelId,
    /// The peer.
    pub via: NodeId,
    /// The peer's channel with the fellow.
    pub channel: ShortChannelId,
    /// What the peer asks there, from the graph.
    pub policy: ChannelPolicy,
}

/// A test of the corridor of a fellow with this node, `me`, by an approach; `told` is what the fellow's
/// update says. `None` where it could say nothing.
pub fn test(
    me: NodeId,
    corridor: &LocalChannel,
    told: &ChannelPolicy,
    by: &Approach,
) -> Option<Probe> {
    let fits = |policy: &ChannelPolicy| {
        !policy.disabled
            && policy.htlc_minimum <= PROBE_AMOUNT
            && policy.htlc_maximum > PROBE_AMOUNT
    };
    let has_room = corridor.usable && corridor.receivable > PROBE_AMOUNT;
    let is_apart = by.via != corridor.peer && by.via != me;
    if !fits(told) || !fits(&by.policy) || !has_room || !is_apart {
        return None;
    }
    let at_fellow = PROBE_AMOUNT.checked_add(told.fee(PROBE_AMOUNT)?)?;
    let at_via = at_fellow.checked_add(by.policy.fee(at_fellow)?)?;
    let far = FINAL_CLTV_DELTA + u32::from(told.cltv_delta);
    let hop = |channel, to, amount, cltv_blocks| RouteHop {
        channel,
        to,
        amount,
        cltv_blocks,
    };
    Some(Probe {
        amount: PROBE_AMOUNT,
        hops: vec![
            hop(
                by.own,
                by.via,
                at_via,
                far + u32::from(by.policy.cltv_delta),
            ),
            hop(by.channel, corridor.peer, at_fellow, far),
            hop(corridor.scid?, me, PROBE_AMOUNT, FINAL_CLTV_DELTA),
        ],
    })
}

/// Whether an action is such a test: this amount, three hops, the last one back to this node. What a
/// permit without the operator is given for.
pub fn is_test(probe: &Probe, me: &NodeId) -> bool {
    let [first, second, last] = probe.hops.as_slice() else {
        return false;
    };
    let ends_here = last.to == *me && last.amount == PROBE_AMOUNT && probe.amount == PROBE_AMOUNT;
    ends_here && first.to != *me && second.to != *me && first.to != second.to
}
