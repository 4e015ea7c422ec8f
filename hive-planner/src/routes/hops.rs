//! The network as one sender weighs it for one amount: one hop from a node to a neighbour.

use super::SenderModel;
use super::sender::fee;
use crate::graph::{Edge, EdgeIndex, Graph, NodeIndex};
use hive_types::{ChannelPolicy, Msat};
use std::collections::BTreeSet;

/// A hop whose parts reach this many msat (11 BTC) is no way: no sender pays it.
pub(super) const HOP_LIMIT: u64 = 1 << 40;

/// A way from a node to a neighbour over one of their channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    pub(super) from: NodeIndex,
    pub(super) to: NodeIndex,
    pub(super) edge: EdgeIndex,
    /// What `from` takes, in msat below [`HOP_LIMIT`].
    pub(super) fee: u64,
    /// What the hop costs beside fees, in msat below [`HOP_LIMIT`].
    pub(super) rest: u64,
    /// What `to` adds or takes off for what arrives here, between plus and minus [`HOP_LIMIT`].
    pub(super) inbound: i64,
}

/// Every hop that can carry the amount, by its beginning and end. Hops neither begin nor end at a
/// node of `without`. Of parallel channels the sender's choice stands for all.
pub(super) fn hops(
    graph: &Graph,
    sender: SenderModel,
    amount: Msat,
    without: &BTreeSet<NodeIndex>,
) -> Vec<Hop> {
    let mut hops: Vec<Hop> = Vec::with_capacity(graph.edges().len());
    for (node, _) in graph.nodes().filter(|(node, _)| !without.contains(node)) {
        let edges = graph.channels_of(node);
        for edge in edges.filter(|edge| !without.contains(&edge.to)) {
            let Some(hop) = weigh(sender, amount, &edge) else {
                continue;
            };
            match hops.last_mut() {
                Some(last) if (last.from, last.to) == (hop.from, hop.to) => {
                    *last = join(sender, last, &hop);
                }
                _ => hops.push(hop),
            }
        }
    }
    hops.retain(|hop| hop.fee < HOP_LIMIT && hop.rest < HOP_LIMIT);
    hops
}

/// Whether an HTLC of this amount passes: the direction is enabled and the limits fit.
fn passes(edge: &Edge, amount: Msat) -> Option<&ChannelPolicy> {
    edge.usable().filter(|policy| policy.admits(amount))
}

fn weigh(sender: SenderModel, amount: Msat, edge: &Edge) -> Option<Hop> {
    let policy = passes(edge, amount)?;
    let attempt = sender.hop(amount, edge.capacity)?;
    let limit = HOP_LIMIT as i64;
    Some(Hop {
        from: edge.from,
        to: edge.to,
        edge: edge.index,
        fee: fee(policy, amount).min(HOP_LIMIT),
        rest: attempt
            .saturating_add(sender.timelock(policy.cltv_delta, amount))
            .min(HOP_LIMIT),
        inbound: sender.inbound(edge.inbound, amount).clamp(-limit, limit),
    })
}

/// What two parallel channels count for together; of equal ones the older stands.
fn join(sender: SenderModel, old: &Hop, new: &Hop) -> Hop {
    if !sender.expects_the_dearest() {
        let better = new.fee + new.rest < old.fee + old.rest;
        return if better { *new } else { *old };
    }
    let asks = |hop: &Hop| hop.fee as i64 + hop.inbound;
    let dearer = if asks(new) > asks(old) { new } else { old };
    Hop {
        rest: old.rest.max(new.rest),
        ..*dearer
    }
}
