//! Settled forwards, summed up by pair of channels. LND's list is read once from its beginning, later
//! only what was added.

use crate::connect::Link;
use crate::proto::lnrpc::{ForwardingEvent, ForwardingHistoryRequest};
use hive_node::backend::BackendError;
use hive_types::{ForwardTotals, Msat, NodeId};
use std::collections::BTreeMap;

/// Forwards in one answer: half a megabyte.
const PAGE: u32 = 10_000;

const CALL: &str = "/lnrpc.Lightning/ForwardingHistory";

/// What was read so far.
#[derive(Debug, Default)]
pub(crate) struct Forwards {
    /// The second of the newest forward that was read, and how many of that second were.
    second: u64,
    in_second: u32,
    by_channels: BTreeMap<(u64, u64), Sum>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u64,
    volume: Msat,
    fees: Msat,
}

impl Forwards {
    /// Reads what LND has added.
    pub(crate) async fn follow(&mut self, link: &Link) -> Result<(), BackendError> {
        loop {
            let request = ForwardingHistoryRequest {
                start_time: self.second,
                index_offset: self.in_second,
                num_max_events: PAGE,
            };
            let page = link
                .ask(CALL, link.lightning().forwarding_history(request))
                .await?
                .forwarding_events;
            page.iter().for_each(|forward| self.add(forward));
            if page.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    fn add(&mut self, forward: &ForwardingEvent) {
        let second = forward.timestamp_ns / 1_000_000_000;
        match second == self.second {
            true => self.in_second += 1,
            false => (self.second, self.in_second) = (second, 1),
        }
        let pair = (forward.chan_id_in, forward.chan_id_out);
        let sum = self.by_channels.entry(pair).or_default();
        sum.count += 1;
        sum.volume = sum.volume.saturating_add(Msat::new(forward.amt_out_msat));
        sum.fees = sum.fees.saturating_add(Msat::new(forward.fee_msat));
    }

    /// Totals by pair of peers, in order. Channels that nobody knows any more are left out.
    pub(crate) fn totals(&self, peers: &BTreeMap<u64, NodeId>) -> Vec<ForwardTotals> {
        let mut totals = BTreeMap::<(NodeId, NodeId), ForwardTotals>::new();
        for ((incoming, outgoing), sum) in &self.by_channels {
            let (Some(from), Some(to)) = (peers.get(incoming), peers.get(outgoing)) else {
                continue;
            };
            let none = ForwardTotals::none(*from, *to);
            let row = totals.entry((*from, *to)).or_insert(none);
            row.add(sum.count, sum.volume, sum.fees);
        }
        totals.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(timestamp_ns: u64, pair: (u64, u64)) -> ForwardingEvent {
        ForwardingEvent {
            chan_id_in: pair.0,
            chan_id_out: pair.1,
            fee_msat: 7,
            amt_out_msat: 1_000,
            timestamp_ns,
        }
    }

    #[test]
    fn begins_again_within_the_second() {
        let mut read = Forwards::default();
        for nanos in [999_999_999, 1_000_000_000, 1_999_999_999] {
            read.add(&forward(nanos, (1, 2)));
        }
        assert_eq!((read.second, read.in_second), (1, 2));
    }

    #[test]
    fn sums_up_by_pair_of_peers() {
        let [a, b] = [2u8, 3].map(|prefix| {
            let mut bytes = [1; 33];
            bytes[0] = prefix;
            NodeId::from_bytes(bytes).unwrap()
        });
        let mut read = Forwards::default();
        for pair in [(1, 2), (3, 2), (2, 1), (9, 1)] {
            read.add(&forward(5, pair));
        }
        let peers = BTreeMap::from([(1, a), (3, a), (2, b)]);
        let totals = read.totals(&peers);
        let rows: Vec<_> = totals
            .iter()
            .map(|row| (row.from, row.to, row.count))
            .collect();
        assert_eq!(rows, [(a, b, 2), (b, a, 1)]);
        assert_eq!(totals[0].fees, Msat::new(14));
    }
}
