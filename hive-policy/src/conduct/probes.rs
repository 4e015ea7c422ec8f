//! Probes: which one to send, and whom its end speaks of.
//!
//! A probe goes from this node to a fellow over their own channel, and on to one of the fellow's peers,
//! who can't know its hash. So it costs nothing, and a failure has few suspects.

use super::reputation::Seen;
use hive_types::limits::{
    FINAL_CLTV_DELTA, PROBE_AMOUNT, PROBE_AMOUNT_MAX, PROBE_EXITS, PROBE_HEADROOM,
};
use hive_types::{ChannelPolicy, LocalChannel, Msat, NodeId, Probe, RouteHop, ShortChannelId};
use std::cmp::Reverse;

/// A channel by which a probe may leave a fellow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The channel.
    pub channel: ShortChannelId,
    /// Its far end.
    pub peer: NodeId,
    /// What the fellow asks for, from the graph.
    pub policy: ChannelPolicy,
    /// What the fellow says that it can send.
    pub claimed: Msat,
    /// Channels of the far end: a well connected node is up.
    pub degree: usize,
}

impl Exit {
    /// Whether a failure by this exit can't be excused with what the fellow made known of it.
    fn is_fit(&self) -> bool {
        let fits = self.policy.htlc_minimum <= PROBE_AMOUNT
            && self.policy.htlc_maximum >= PROBE_AMOUNT_MAX;
        let plenty = PROBE_AMOUNT_MAX.checked_mul(PROBE_HEADROOM);
        fits && !self.policy.disabled && plenty.is_some_and(|plenty| self.claimed >= plenty)
    }
}

/// The next probe of a fellow: over the own channel that can send most, out by one of its channels to
/// well connected peers, the one that was tried least lately; `draw` decides between equals. `None`
/// where no probe would say anything.
pub fn choose(
    own: &[&LocalChannel],
    exits: &[Exit],
    tried: &[ShortChannelId],
    draw: u64,
) -> Option<Probe> {
    let mut fit: Vec<&Exit> = exits.iter().filter(|exit| exit.is_fit()).collect();
    fit.sort_by_key(|exit| (Reverse(exit.degree), exit.channel));
    fit.truncate(PROBE_EXITS);
    let last_try = |exit: &Exit| tried.iter().rposition(|channel| *channel == exit.channel);
    let oldest = fit.iter().map(|exit| last_try(exit)).min()?;
    fit.retain(|exit| last_try(exit) == oldest);
    let place = usize::try_from(draw % (fit.len() as u64).max(1)).ok()?;
    let exit = fit.get(place)?;
    let amount = amount(draw);
    let sent = amount.checked_add(exit.policy.fee(amount)?)?;
    let entry = own
        .iter()
        .filter(|channel| channel.usable && channel.spendable >= sent)
        .max_by_key(|channel| (channel.spendable, channel.scid))?;
    let first = RouteHop {
        channel: entry.scid?,
        to: entry.peer,
        amount: sent,
        cltv_blocks: FINAL_CLTV_DELTA + u32::from(exit.policy.cltv_delta),
    };
    let last = RouteHop {
        channel: exit.channel,
        to: exit.peer,
        amount,
        cltv_blocks: FINAL_CLTV_DELTA,
    };
    Some(Probe {
        amount,
        hops: vec![first, last],
    })
}

/// Between the smallest and the largest: nobody knows a probe by its amount.
fn amount(draw: u64) -> Msat {
    let range = PROBE_AMOUNT_MAX.saturating_sub(PROBE_AMOUNT).get() + 1;
    // The low bits choose the exit.
    PROBE_AMOUNT.saturating_add(Msat::new((draw >> 32) % range))
}

/// Whether an action is a probe as [`choose`] makes them: such an amount, two hops, the last one to
/// somebody else. What a permit without the operator is given for.
pub fn is_small(probe: &Probe, me: &NodeId) -> bool {
    let [_, last] = probe.hops.as_slice() else {
        return false;
    };
    let fits = (PROBE_AMOUNT..=PROBE_AMOUNT_MAX).contains(&probe.amount);
    fits && last.amount == probe.amount && last.to != *me
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeEnd {
    /// The node that the answer came from, own node included; `None` when nothing came back.
    pub from: Option<NodeId>,
    /// What it says.
    pub kind: EndKind,
}

/// What the answer to a probe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    /// The last node does not know the hash: everybody before it forwarded.
    Arrived,
    /// The next channel has too little, or its other end is not there.
    Unable,
    /// Nothing came back in time, or an HTLC ran into its timeout.
    Timeout,
    /// Fees, timelocks, limits: a matter of what was announced, not of forwarding.
    Terms,
}

/// What a probe's end says of the fellow that it went through; `None` where it says nothing. Failures
/// at this node's own first hop and beyond the fellow are not the fellow's (case T56).
pub fn judge(me: &NodeId, fellow: &NodeId, end: &ProbeEnd) -> Option<Seen> {
    let from_fellow = end.from.is_none_or(|from| from == *fellow);
    match (end.kind, end.from) {
        (EndKind::Arrived, _) => Some(Seen::Forwarded),
        (_, Some(from)) if from == *me => None,
        (EndKind::Timeout, _) if from_fellow => Some(Seen::Held),
        (EndKind::Unable, Some(_)) if from_fellow => Some(Seen::Failed),
        (EndKind::Unable | EndKind::Terms, _) if from_fellow => None,
        // Only what was forwarded can fail further on.
        _ => Some(Seen::Forwarded),
    }
}
