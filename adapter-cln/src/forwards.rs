//! Forwards in totals, read on from where the last reading ended; and what peers did on the way.

use crate::calls::{ClosedChannel, Forward, Listforwards, PeerChannel};
use crate::limits::{DUST_MSAT, FORWARDS_PAGE, STUCK_BLOCKS};
use crate::rpc::Rpc;
use hive_node::backend::BackendError;
use hive_types::{BlockHeight, ChannelId, ForwardTotals, NodeId, PeerEvents, ShortChannelId};
use std::collections::{BTreeMap, BTreeSet};

/// What was counted since the node began, as far as it still knows.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// The index after the last row that was read.
    next: u64,
    totals: BTreeMap<(NodeId, NodeId), ForwardTotals>,
    deeds: BTreeMap<NodeId, PeerEvents>,
    owners: BTreeMap<ShortChannelId, NodeId>,
    stuck: BTreeSet<(ChannelId, u64)>,
    forced: BTreeSet<ChannelId>,
}

impl Counted {
    /// Remembers whose channels these are, and what can be seen of their peers' conduct.
    pub(crate) fn look(
        &mut self,
        channels: &[PeerChannel],
        closed: &[ClosedChannel],
        height: BlockHeight,
    ) {
        for channel in channels {
            let names = [channel.short_channel_id, channel.alias.local];
            for name in names.into_iter().flatten() {
                self.owners.insert(name, channel.peer_id);
            }
            self.look_for_stuck(channel, height);
        }
        for channel in closed {
            let Some(peer) = channel.peer_id else {
                continue;
            };
            let names = [channel.short_channel_id, channel.alias.local];
            for name in names.into_iter().flatten() {
                self.owners.insert(name, peer);
            }
            // The node saw the end on chain first: the peer published its commitment.
            if channel.close_cause == "onchain" && self.forced.insert(channel.channel_id) {
                self.deeds_of(peer).force_closes += 1;
            }
        }
    }

    /// HTLCs that we offered and that the peer still holds shortly before their timeout; each counts once.
    fn look_for_stuck(&mut self, channel: &PeerChannel, height: BlockHeight) {
        let Some(channel_id) = channel.channel_id else {
            return;
        };
        for htlc in channel.htlcs.iter().filter(|htlc| htlc.direction == "out") {
            let (Some(id), Some(expiry)) = (htlc.id, htlc.expiry) else {
                continue;
            };
            let is_late = expiry <= height.plus(STUCK_BLOCKS).get();
            if is_late && self.stuck.insert((channel_id, id)) {
                self.deeds_of(channel.peer_id).stuck_htlcs += 1;
            }
        }
        // What is over is forgotten: a node lives for years.
        let open: BTreeSet<u64> = channel.htlcs.iter().filter_map(|htlc| htlc.id).collect();
        self.stuck
            .retain(|(of, id)| *of != channel_id || open.contains(id));
    }

    fn deeds_of(&mut self, peer: NodeId) -> &mut PeerEvents {
        self.deeds.entry(peer).or_insert(PeerEvents::none(peer))
    }

    /// Reads what changed since the last time.
    ///
    /// # Errors
    /// [`BackendError`] when the node does not answer; what was read until then is kept.
    pub(crate) async fn catch_up(&mut self, rpc: &Rpc) -> Result<(), BackendError> {
        loop {
            let page = Listforwards {
                index: "updated",
                start: self.next.max(1),
                limit: FORWARDS_PAGE,
            };
            let rows = rpc.call(&page).await?.forwards;
            let last = rows.iter().filter_map(|row| row.updated_index).max();
            rows.iter().for_each(|row| self.count(row));
            let Some(last) = last else { return Ok(()) };
            self.next = last.saturating_add(1);
            if rows.len() < usize::try_from(FORWARDS_PAGE).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    /// A forward that is over. It stands at the index of its last change, so it comes once.
    fn count(&mut self, row: &Forward) {
        let from = self.owners.get(&row.in_channel).copied();
        let out = row.out_channel.and_then(|out| self.owners.get(&out));
        let to = out.copied();
        let is_settled = row.status == "settled";
        if !is_settled && row.status != "failed" {
            return;
        }
        let is_dust = row.in_msat.is_some_and(|amount| amount.get() < DUST_MSAT);
        if let Some(from) = from.filter(|_| is_dust) {
            self.deeds_of(from).dust_htlcs += 1;
        }
        let Some(to) = to else { return };
        let deeds = self.deeds_of(to);
        deeds.forwards += 1;
        deeds.failed += u64::from(!is_settled);
        if let Some(from) = from.filter(|_| is_settled) {
            let none = ForwardTotals::none(from, to);
            let totals = self.totals.entry((from, to)).or_insert(none);
            totals.add(
                1,
                row.out_msat.unwrap_or_default(),
                row.fee_msat.unwrap_or_default(),
            );
        }
    }

    /// Settled forwards by pair, in order.
    pub(crate) fn totals(&self) -> Vec<ForwardTotals> {
        self.totals.values().copied().collect()
    }

    /// What was seen of each peer, those with a channel included.
    pub(crate) fn deeds(&self, channels: &[PeerChannel]) -> Vec<PeerEvents> {
        let with_channel = channels.iter().map(|channel| channel.peer_id);
        let peers: BTreeSet<NodeId> = self.deeds.keys().copied().chain(with_channel).collect();
        let of = |peer: NodeId| {
            let seen = self.deeds.get(&peer).copied();
            seen.unwrap_or(PeerEvents::none(peer))
        };
        peers.into_iter().map(of).collect()
    }
}
