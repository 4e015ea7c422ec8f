//! What was reserved and spent, and what of it still counts.

use hive_types::{
    Action, ActionId, ActionKind, Millis, Msat, NodeId, Sat, ShortChannelId, UnixMillis,
    limits::{HEARTBEAT_INTERVAL, OPEN_COOLDOWN_DAYS},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The window of daily limits.
const DAY: Millis = Millis::from_days(1);
/// What an open may be remembered for beyond its day.
const OPENS_KEPT: Millis = Millis::from_days(OPEN_COOLDOWN_DAYS as u64);
/// The window of the rate limit.
const HOUR: Millis = Millis::from_hours(1);
/// An open that is done counts against on-chain money for this long on top of what the node says:
/// the newest snapshot may be from before it. A member reads its node several times in this.
const SNAPSHOT_LAG: Millis = HEARTBEAT_INTERVAL;

/// What two actions must not do at the same time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An open to this node.
    Open(NodeId),
    /// A rebalance that leaves by the first and returns by the second channel.
    Rebalance(ShortChannelId, ShortChannelId),
    /// A policy for this channel.
    SetPolicy(ShortChannelId),
    /// A probe along these channels.
    Probe(Vec<ShortChannelId>),
}

impl Subject {
    /// The subject of an action; `None` of one whose route has no hop.
    pub fn of(action: &Action) -> Option<Self> {
        Some(match action {
            Action::Open(open) => Self::Open(open.target),
            Action::Rebalance(rebalance) => Self::Rebalance(
                rebalance.hops.first()?.channel,
                rebalance.hops.last()?.channel,
            ),
            Action::SetPolicy(set) => Self::SetPolicy(set.channel),
            Action::Probe(probe) => Self::Probe(probe.hops.iter().map(|hop| hop.channel).collect()),
        })
    }
}

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// Held: the action is under way, or its outcome is unknown.
    Reserved,
    /// The action happened.
    Settled {
        /// What it cost.
        spent: Msat,
        /// When that was known, in gate time.
        at: UnixMillis,
    },
    /// The action did not happen.
    Released,
}

/// One action in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The action.
    pub id: ActionId,
    /// Its kind.
    pub kind: ActionKind,
    /// What no other action may do at the same time.
    pub subject: Subject,
    /// What it may cost.
    pub reserved: Msat,
    /// What it puts into a channel.
    pub capital: Sat,
    /// What it keeps in flight.
    pub in_flight: Msat,
    /// When it was reserved, in gate time; windows count by it.
    pub at: UnixMillis,
    /// When it was reserved, by the wall clock; for display.
    pub wall: UnixMillis,
    /// What became of it.
    pub state: EntryState,
}

impl LedgerEntry {
    fn is_open(&self) -> bool {
        matches!(self.state, EntryState::Reserved)
    }

    fn in_hour(&self, at: UnixMillis) -> bool {
        at < self.at.plus(HOUR)
    }

    /// A reservation counts from the day it is made until a day after it is settled, so no window
    /// of 24 hours that holds the spending can miss it.
    fn in_day(&self, at: UnixMillis) -> bool {
        match self.state {
            EntryState::Reserved => true,
            EntryState::Settled { at: settled, .. } => at < settled.plus(DAY),
            EntryState::Released => false,
        }
    }

    /// An open that happened is remembered, so that its peer does not get the next one too soon.
    fn in_memory(&self, at: UnixMillis) -> bool {
        match self.state {
            EntryState::Settled { at: settled, .. } if self.kind == ActionKind::Open => {
                at < settled.plus(OPENS_KEPT)
            }
            _ => false,
        }
    }

    /// From when a later action of the same subject has to keep its distance. An open that did not
    /// happen is in nobody's way; a payment that failed is not tried again at once.
    fn since(&self) -> Option<UnixMillis> {
        match (self.kind, self.state) {
            (ActionKind::Open, EntryState::Settled { at, .. }) => Some(at),
            (ActionKind::Open, _) => None,
            _ => Some(self.at),
        }
    }

    fn holds_on_chain(&self, at: UnixMillis) -> bool {
        match self.state {
            EntryState::Reserved => true,
            EntryState::Settled { at: settled, .. } => at < settled.plus(SNAPSHOT_LAG),
            EntryState::Released => false,
        }
    }

    fn cost(&self) -> Msat {
        match self.state {
            EntryState::Reserved => self.reserved,
            EntryState::Settled { spent, .. } => spent,
            EntryState::Released => Msat::ZERO,
        }
    }
}

/// What the windows hold now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Fees spent in 24 hours.
    pub spent: Msat,
    /// Fees reserved and not settled, of whatever day.
    pub reserved: Msat,
    /// Own money put, or about to be put, into channels in 24 hours.
    pub capital: Sat,
    /// Channels opened, or about to be, in 24 hours.
    pub opens: u32,
    /// Actions begun in an hour.
    pub actions: u32,
    /// Own payments begun in an hour.
    pub sends: u32,
    /// Amount of payments whose outcome is not known.
    pub in_flight: Msat,
    /// On-chain money that opens hold and the node may still show as free.
    pub on_chain: Sat,
    /// Actions whose outcome is not known.
    pub unsettled: usize,
}

impl Usage {
    /// Spent and reserved fees together.
    pub fn cost(&self) -> Msat {
        self.spent.saturating_add(self.reserved)
    }
}

/// All entries that still count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger(BTreeMap<ActionId, LedgerEntry>);

impl Ledger {
    pub(super) fn restore(entries: Vec<LedgerEntry>) -> Self {
        Self(entries.into_iter().map(|entry| (entry.id, entry)).collect())
    }

    pub(super) fn get(&self, id: ActionId) -> Option<&LedgerEntry> {
        self.0.get(&id)
    }

    pub(super) fn put(&mut self, entry: LedgerEntry) {
        self.0.insert(entry.id, entry);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &LedgerEntry> {
        self.0.values()
    }

    /// The actions under way that do the same.
    pub(super) fn under_way(&self, subject: &Subject) -> impl Iterator<Item = ActionId> {
        let same = move |entry: &&LedgerEntry| entry.is_open() && entry.subject == *subject;
        self.iter().filter(same).map(|entry| entry.id)
    }

    /// When the same was last done, as far as a later one has to keep its distance from it.
    pub(super) fn last(&self, subject: &Subject) -> Option<UnixMillis> {
        let same = self.iter().filter(|entry| entry.subject == *subject);
        same.filter_map(LedgerEntry::since).max()
    }

    /// How many actions of a kind were begun in an hour.
    pub(super) fn begun(&self, kind: ActionKind, at: UnixMillis) -> u32 {
        let all = self.iter().filter(|entry| entry.kind == kind);
        let lately = all.filter(|entry| entry.in_hour(at)).count();
        u32::try_from(lately).unwrap_or(u32::MAX)
    }

    /// Drops what no window counts any more and gives the ids.
    pub(super) fn close(&mut self, at: UnixMillis) -> Vec<ActionId> {
        let counts =
            |entry: &LedgerEntry| entry.in_day(at) || entry.in_hour(at) || entry.in_memory(at);
        let closed = self.iter().filter(|entry| !counts(entry));
        let ids: Vec<ActionId> = closed.map(|entry| entry.id).collect();
        for id in &ids {
            self.0.remove(id);
        }
        ids
    }

    /// Sums saturate: the largest value is over every limit, as limits are at most all bitcoin.
    pub(super) fn usage(&self, at: UnixMillis) -> Usage {
        let mut usage = Usage::default();
        for entry in self.iter() {
            usage.actions += u32::from(entry.in_hour(at));
            let is_send = matches!(entry.kind, ActionKind::Rebalance | ActionKind::Probe);
            usage.sends += u32::from(is_send && entry.in_hour(at));
            if entry.is_open() {
                usage.unsettled += 1;
                usage.reserved = usage.reserved.saturating_add(entry.reserved);
                usage.in_flight = usage.in_flight.saturating_add(entry.in_flight);
            } else if entry.in_day(at) {
                usage.spent = usage.spent.saturating_add(entry.cost());
            }
            if entry.kind != ActionKind::Open {
                continue;
            }
            if entry.in_day(at) {
                usage.opens += 1;
                usage.capital = usage.capital.saturating_add(entry.capital);
            }
            if entry.holds_on_chain(at) {
                let held = entry.capital.saturating_add(entry.cost().to_sat_ceil());
                usage.on_chain = usage.on_chain.saturating_add(held);
            }
        }
        usage
    }
}
