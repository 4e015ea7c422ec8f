//! What peers did to forwarded HTLCs, counted from LND's stream of them.
//!
//! LND keeps no list of forwards that failed, so that counting begins with the agent.

use crate::proto::routerrpc::HtlcEvent;
use crate::proto::routerrpc::htlc_event::{Event, EventType};
use hive_types::BlockHeight;
use std::collections::{BTreeMap, VecDeque};

/// Forwards under way that are remembered: a hundred channels with every slot of both sides taken. The
/// oldest give way uncounted.
const UNDER_WAY: usize = 100_000;

/// An HTLC that ends this close to its timeout was held until then: LND itself goes on chain ten blocks
/// before that.
const STUCK_BLOCKS: u32 = 12;

/// Channel and number of an HTLC, coming in and going out.
type Key = (u64, u64, u64, u64);

/// Counts by channel.
#[derive(Debug, Default)]
pub(crate) struct HtlcCounts {
    under_way: BTreeMap<Key, u32>,
    order: VecDeque<Key>,
    by_channel: BTreeMap<u64, Counts>,
    dust_limits: BTreeMap<u64, u64>,
    height: BlockHeight,
}

/// What one channel's peer did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) forwards: u64,
    pub(crate) failed: u64,
    pub(crate) stuck: u64,
    pub(crate) dust: u64,
}

impl HtlcCounts {
    /// The tip, against which timeouts are held.
    pub(crate) fn at_height(&mut self, height: BlockHeight) {
        self.height = height;
    }

    /// The dust limits in satoshi of the channels that there are; counts of others are kept.
    pub(crate) fn set_dust_limits(&mut self, limits: BTreeMap<u64, u64>) {
        self.dust_limits = limits;
    }

    #[cfg(test)]
    pub(crate) fn of(&self, channel: u64) -> Counts {
        self.by_channel.get(&channel).copied().unwrap_or_default()
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = (u64, Counts)> + '_ {
        self.by_channel
            .iter()
            .map(|(channel, counts)| (*channel, *counts))
    }

    pub(crate) fn take(&mut self, said: &HtlcEvent) {
        if said.event_type() != EventType::Forward {
            return;
        }
        let key = (
            said.incoming_channel_id,
            said.incoming_htlc_id,
            said.outgoing_channel_id,
            said.outgoing_htlc_id,
        );
        match &said.event {
            Some(Event::ForwardEvent(forward)) => {
                let info = forward.info.unwrap_or_default();
                self.count_dust(said.incoming_channel_id, info.incoming_amt_msat);
                self.begin(key, info.outgoing_timelock);
            }
            Some(Event::LinkFailEvent(failure)) => {
                let info = failure.info.unwrap_or_default();
                self.count_dust(said.incoming_channel_id, info.incoming_amt_msat);
            }
            Some(Event::SettleEvent(_)) => self.end(key, false),
            Some(Event::ForwardFailEvent(_)) => self.end(key, true),
            None => {}
        }
    }

    fn begin(&mut self, key: Key, timeout: u32) {
        if self.under_way.insert(key, timeout).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > UNDER_WAY {
            if let Some(oldest) = self.order.pop_front() {
                self.under_way.remove(&oldest);
            }
        }
    }

    fn end(&mut self, key: Key, failed: bool) {
        // One that began before the agent did is not counted: its beginning was not seen.
        let Some(timeout) = self.under_way.remove(&key) else {
            return;
        };
        // Ends come in about the order of beginnings: what is at the front and over goes.
        while self
            .order
            .front()
            .is_some_and(|first| !self.under_way.contains_key(first))
        {
            self.order.pop_front();
        }
        let counts = self.by_channel.entry(key.2).or_default();
        counts.forwards += 1;
        counts.failed += u64::from(failed);
        let is_late = timeout != 0 && self.height.get().saturating_add(STUCK_BLOCKS) >= timeout;
        counts.stuck += u64::from(is_late);
    }

    fn count_dust(&mut self, channel: u64, amount_msat: u64) {
        let limit = self.dust_limits.get(&channel).copied().unwrap_or_default();
        if amount_msat < limit.saturating_mul(1_000) {
            self.by_channel.entry(channel).or_default().dust += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::routerrpc::{ForwardEvent, ForwardFailEvent, HtlcInfo, SettleEvent};

    fn event(number: u64, event: Event) -> HtlcEvent {
        HtlcEvent {
            incoming_channel_id: 1,
            outgoing_channel_id: 2,
            incoming_htlc_id: number,
            outgoing_htlc_id: number,
            event_type: EventType::Forward.into(),
            event: Some(event),
        }
    }

    fn forward(number: u64, incoming_amt_msat: u64, outgoing_timelock: u32) -> HtlcEvent {
        let info = Some(HtlcInfo {
            outgoing_timelock,
            incoming_amt_msat,
        });
        event(number, Event::ForwardEvent(ForwardEvent { info }))
    }

    #[test]
    fn t49_failures_stuck_htlcs_and_dust_are_counted() {
        let mut counts = HtlcCounts::default();
        counts.set_dust_limits([(1, 354)].into());
        counts.at_height(BlockHeight::new(100));
        counts.take(&forward(1, 353_999, 500));
        counts.take(&forward(2, 354_000, 500));
        counts.take(&event(1, Event::SettleEvent(SettleEvent {})));
        counts.take(&event(2, Event::ForwardFailEvent(ForwardFailEvent {})));
        // Never seen to begin.
        counts.take(&event(9, Event::ForwardFailEvent(ForwardFailEvent {})));
        counts.take(&forward(3, 1_000_000, 150));
        counts.at_height(BlockHeight::new(140));
        counts.take(&event(3, Event::ForwardFailEvent(ForwardFailEvent {})));
        let expected = Counts {
            forwards: 3,
            failed: 2,
            stuck: 1,
            dust: 0,
        };
        assert_eq!(counts.of(2), expected);
        assert_eq!(counts.of(1).dust, 1);
        assert!(counts.order.is_empty());
    }

    #[test]
    fn what_never_ends_is_bounded() {
        let mut counts = HtlcCounts::default();
        for number in 0..UNDER_WAY as u64 + 10 {
            counts.take(&forward(number, 1_000, 500));
        }
        assert_eq!(counts.under_way.len(), UNDER_WAY);
        assert_eq!(counts.order.len(), UNDER_WAY);
    }

    #[test]
    fn own_payments_do_not_count() {
        let mut counts = HtlcCounts::default();
        let mut own = forward(1, 1_000, 500);
        own.event_type = EventType::Send.into();
        counts.take(&own);
        assert_eq!(counts.channels().count(), 0);
        assert!(counts.under_way.is_empty());
    }
}
