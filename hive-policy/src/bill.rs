//! The bill: what the fleet cost this node and brought it, by day, by action and by channel.
//!
//! Nodes tell forwards as totals since they began, by pair of peers. The bill keeps the totals that it
//! has counted and adds what came since to the running day, so that a crash counts nothing twice and
//! nothing is lost. What a day cost is added when an action ends, so that the action itself may go.
//!
//! - *Earned by opens*: fees of forwards from or to a peer by channels that the fleet opened. Where the
//!   node has other channels with that peer, the fee counts by the opened channels' share of the
//!   capacity; of both ends the larger share counts.
//! - *Forgone*: what forwards out over free corridors would have earned at the fee from before joining,
//!   less what they earned. With several channels to a fellow the cheapest counts, so that the bill
//!   does not overstate it. It is an estimate: at that fee some of the traffic had gone elsewhere.

use hive_types::limits::{BILL_CHANNELS, BILL_DAYS};
use hive_types::{
    ActionId, ChannelId, ChannelPolicy, ForwardTotals, LocalSnapshot, Msat, NodeId, Sat, UnixMillis,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const DAY_MS: u64 = 86_400_000;

/// Costs and revenues of one day, by UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayBill {
    /// Channels opened for the fleet.
    pub opens: u32,
    /// Capital in them.
    pub opened: Sat,
    /// On-chain fees of those opens.
    pub open_fees: Msat,
    /// Rebalances that came back.
    pub rebalances: u32,
    /// What they moved.
    pub rebalanced: Msat,
    /// What they cost.
    pub rebalance_fees: Msat,
    /// Fees of all forwards.
    pub earned: Msat,
    /// Of those, by channels that the fleet opened.
    pub earned_by_opens: Msat,
    /// Volume that went out over free corridors.
    pub corridor_volume: Msat,
    /// What that would have earned more at the fee from before joining.
    pub forgone: Msat,
}

impl DayBill {
    /// Adds another day.
    pub fn add(&mut self, other: &Self) {
        self.opens = self.opens.saturating_add(other.opens);
        self.opened = self.opened.saturating_add(other.opened);
        self.open_fees = self.open_fees.saturating_add(other.open_fees);
        self.rebalances = self.rebalances.saturating_add(other.rebalances);
        self.rebalanced = self.rebalanced.saturating_add(other.rebalanced);
        self.rebalance_fees = self.rebalance_fees.saturating_add(other.rebalance_fees);
        self.earned = self.earned.saturating_add(other.earned);
        self.earned_by_opens = self.earned_by_opens.saturating_add(other.earned_by_opens);
        self.corridor_volume = self.corridor_volume.saturating_add(other.corridor_volume);
        self.forgone = self.forgone.saturating_add(other.forgone);
    }

    /// What the fleet brought, less what it cost, in msat: revenue of opened channels less on-chain
    /// fees, rebalancing fees and what was forgone.
    pub fn net_msat(&self) -> i64 {
        let costs = [self.open_fees, self.rebalance_fees, self.forgone];
        let costs: i128 = costs.iter().map(|cost| i128::from(cost.get())).sum();
        let net = i128::from(self.earned_by_opens.get()) - costs;
        i64::try_from(net.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or_default()
    }
}

/// A channel that the fleet opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedChannel {
    /// The action that opened it.
    pub action: ActionId,
    /// The other end.
    pub peer: NodeId,
    /// Its capacity when it was opened.
    pub capacity: Sat,
    /// What its funding paid on chain.
    pub fee: Msat,
    /// When it was opened.
    pub at: UnixMillis,
    /// What it earned since.
    pub earned: Msat,
}

/// What was counted of a pair of peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    count: u64,
    volume: Msat,
    fees: Msat,
}

/// What was counted of forwards from one peer, by where they went.
pub type CountedFrom = BTreeMap<NodeId, Counted>;

/// The whole bill. Its parts are stored one by one: a day, a channel, the totals from one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    days: BTreeMap<u32, DayBill>,
    opened: BTreeMap<ChannelId, OpenedChannel>,
    counted: BTreeMap<NodeId, CountedFrom>,
    began: bool,
}

/// Parts of a bill that changed and are to be stored, and days that are to be forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BillChanges {
    /// Days by number.
    pub days: BTreeSet<u32>,
    /// Channels.
    pub channels: BTreeSet<ChannelId>,
    /// Peers from whom forwards came.
    pub from: BTreeSet<NodeId>,
    /// Days that are too old.
    pub forgotten_days: BTreeSet<u32>,
    /// Channels that gave way to newer ones.
    pub forgotten_channels: BTreeSet<ChannelId>,
}

/// Days since 1970-01-01 UTC.
pub fn day_of(wall: UnixMillis) -> u32 {
    u32::try_from(wall.get() / DAY_MS).unwrap_or(u32::MAX)
}

impl Bill {
    /// The bill as it was stored; `began`: whether totals were counted before.
    pub fn restore(
        days: impl IntoIterator<Item = (u32, DayBill)>,
        opened: impl IntoIterator<Item = (ChannelId, OpenedChannel)>,
        counted: impl IntoIterator<Item = (NodeId, CountedFrom)>,
        began: bool,
    ) -> Self {
        Self {
            days: days.into_iter().collect(),
            opened: opened.into_iter().collect(),
            counted: counted.into_iter().collect(),
            began,
        }
    }

    /// A day that has something on it.
    pub fn day(&self, day: u32) -> Option<&DayBill> {
        self.days.get(&day)
    }

    /// The days from this one on, oldest first.
    pub fn days_from(&self, day: u32) -> impl Iterator<Item = (u32, &DayBill)> {
        self.days.range(day..).map(|(day, bill)| (*day, bill))
    }

    /// Channels that the fleet opened, in order of ids.
    pub fn opened(&self) -> impl Iterator<Item = (&ChannelId, &OpenedChannel)> {
        self.opened.iter()
    }

    /// One of them.
    pub fn opened_channel(&self, channel: &ChannelId) -> Option<&OpenedChannel> {
        self.opened.get(channel)
    }

    /// What was counted of forwards from a peer.
    pub fn counted_from(&self, peer: &NodeId) -> Option<&CountedFrom> {
        self.counted.get(peer)
    }

    /// A channel was opened for the fleet.
    pub fn note_open(&mut self, channel: ChannelId, opened: OpenedChannel) -> BillChanges {
        let mut changes = BillChanges::default();
        if self.opened.len() >= BILL_CHANNELS && !self.opened.contains_key(&channel) {
            let oldest = self
                .opened
                .iter()
                .min_by_key(|(id, known)| (known.at, **id));
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.opened.remove(&oldest);
                changes.forgotten_channels.insert(oldest);
            }
        }
        self.opened.insert(channel, opened);
        changes.channels.insert(channel);
        let today = self.today(opened.at, &mut changes);
        today.opens = today.opens.saturating_add(1);
        today.opened = today.opened.saturating_add(opened.capacity);
        today.open_fees = today.open_fees.saturating_add(opened.fee);
        changes
    }

    /// A rebalance or push came back.
    pub fn note_rebalance(&mut self, at: UnixMillis, moved: Msat, fee: Msat) -> BillChanges {
        let mut changes = BillChanges::default();
        let today = self.today(at, &mut changes);
        today.rebalances = today.rebalances.saturating_add(1);
        today.rebalanced = today.rebalanced.saturating_add(moved);
        today.rebalance_fees = today.rebalance_fees.saturating_add(fee);
        changes
    }

    /// Counts what the node forwarded since it was last counted. `corridors`: what channels to fellows
    /// charged before joining.
    pub fn count(
        &mut self,
        at: UnixMillis,
        local: &LocalSnapshot,
        corridors: &BTreeMap<NodeId, ChannelPolicy>,
    ) -> BillChanges {
        let mut changes = BillChanges::default();
        let shares = self.shares(local);
        let mut sum = DayBill::default();
        for totals in &local.forwards {
            let Some(new) = self.advance(totals) else {
                continue;
            };
            changes.from.insert(totals.from);
            if !self.began {
                continue;
            }
            sum.earned = sum.earned.saturating_add(new.fees);
            let of = |peer: &NodeId| shares.get(peer).copied().unwrap_or_default();
            let share = of(&totals.from).max(of(&totals.to));
            let by_opens = portion(new.fees, share);
            sum.earned_by_opens = sum.earned_by_opens.saturating_add(by_opens);
            self.credit(totals, new.fees, local, &mut changes);
            if let Some(policy) = corridors.get(&totals.to) {
                sum.corridor_volume = sum.corridor_volume.saturating_add(new.volume);
                sum.forgone = sum.forgone.saturating_add(forgone(&new, policy));
            }
        }
        self.began = true;
        if sum != DayBill::default() {
            self.today(at, &mut changes).add(&sum);
        }
        changes
    }

    /// What came since the totals were last counted; nothing where they stand still or fell: a node
    /// that forgot its history is counted from there on.
    fn advance(&mut self, totals: &ForwardTotals) -> Option<Counted> {
        let counted = self.counted.entry(totals.from).or_default();
        let known = counted.entry(totals.to).or_default();
        let told = Counted {
            count: totals.count,
            volume: totals.volume,
            fees: totals.fees,
        };
        let before = std::mem::replace(known, told);
        if before == told {
            return None;
        }
        let fell = told.count < before.count || told.volume < before.volume;
        Some(match fell {
            true => Counted::default(),
            false => Counted {
                count: told.count - before.count,
                volume: told.volume.saturating_sub(before.volume),
                fees: told.fees.saturating_sub(before.fees),
            },
        })
    }

    /// Of each peer the part of the capacity that the fleet opened, in millionths.
    fn shares(&self, local: &LocalSnapshot) -> BTreeMap<NodeId, u64> {
        let mut all: BTreeMap<NodeId, (u64, u64)> = BTreeMap::new();
        for channel in &local.channels {
            let (opened, whole) = all.entry(channel.peer).or_default();
            *whole = whole.saturating_add(channel.capacity.get());
            if self.opened.contains_key(&channel.channel_id) {
                *opened = opened.saturating_add(channel.capacity.get());
            }
        }
        let share = |(opened, whole): (u64, u64)| {
            let share = u128::from(opened) * 1_000_000 / u128::from(whole.max(1));
            u64::try_from(share).unwrap_or_default()
        };
        all.into_iter()
            .map(|(peer, sums)| (peer, share(sums)))
            .collect()
    }

    /// Opened channels at either end of a forward share its fee by capacity.
    fn credit(
        &mut self,
        totals: &ForwardTotals,
        fees: Msat,
        local: &LocalSnapshot,
        changes: &mut BillChanges,
    ) {
        for end in BTreeSet::from([totals.from, totals.to]) {
            let whole: u64 = local
                .channels
                .iter()
                .filter(|channel| channel.peer == end)
                .fold(0, |sum, channel| sum.saturating_add(channel.capacity.get()));
            for channel in local.channels.iter().filter(|channel| channel.peer == end) {
                let Some(opened) = self.opened.get_mut(&channel.channel_id) else {
                    continue;
                };
                let share =
                    u128::from(channel.capacity.get()) * 1_000_000 / u128::from(whole.max(1));
                let earned = portion(fees, u64::try_from(share).unwrap_or_default());
                opened.earned = opened.earned.saturating_add(earned);
                changes.channels.insert(channel.channel_id);
            }
        }
    }

    fn today(&mut self, at: UnixMillis, changes: &mut BillChanges) -> &mut DayBill {
        let day = day_of(at);
        changes.days.insert(day);
        let old: Vec<u32> = self
            .days
            .keys()
            .copied()
            .take_while(|known| known.saturating_add(BILL_DAYS) <= day)
            .collect();
        for day in old {
            self.days.remove(&day);
            changes.forgotten_days.insert(day);
        }
        self.days.entry(day).or_default()
    }
}

/// What forwards would have earned more at this policy.
fn forgone(new: &Counted, policy: &ChannelPolicy) -> Msat {
    let by_rate = policy
        .rate
        .fee_on(new.volume)
        .unwrap_or(Msat::new(u64::MAX));
    let base = policy.base.get().saturating_mul(new.count);
    by_rate
        .saturating_add(Msat::new(base))
        .saturating_sub(new.fees)
}

fn portion(amount: Msat, millionths: u64) -> Msat {
    let part = u128::from(amount.get()) * u128::from(millionths.min(1_000_000)) / 1_000_000;
    Msat::new(u64::try_from(part).unwrap_or(u64::MAX))
}
