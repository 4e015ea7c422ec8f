//! The bill: what the fleet cost this node and brought it. Every part of it is a stored value of its
//! own, so that it survives restarts and the actions behind it.

use crate::command::{BillAction, BillDay, Report};
use crate::hive::Hive;
use crate::io::{ActionResult, ActionState, Change, Done, StoredAction};
use hive_policy::bill::{Bill, BillChanges, CountedFrom, DayBill, OpenedChannel, day_of};
use hive_proto::codec;
use hive_types::{Action, ActionId, ChannelId, ChannelPolicy, Millis, Msat, NodeId};
use std::collections::BTreeMap;

/// The store's names for the parts of the bill.
const META_DAY: &str = "bill/day/";
const META_OPENED: &str = "bill/opened/";
const META_COUNTED: &str = "bill/from/";
/// Set once totals were counted.
const META_BEGAN: &str = "bill/began";

/// Forwards are counted this often: totals lose nothing in between.
const COUNT_INTERVAL: Millis = Millis::from_hours(1);

impl Hive {
    /// Counts what the node forwarded, when it is due.
    pub(crate) fn tend_bill(&mut self) {
        if self.now.elapsed < self.next_bill {
            return;
        }
        let Some(local) = &self.local else {
            return;
        };
        self.next_bill = self.now.elapsed.plus(COUNT_INTERVAL);
        let corridors = self.corridor_prices();
        let changes = self.bill.count(self.now.wall, local, &corridors);
        self.out.store(Change::Meta {
            key: META_BEGAN.to_owned(),
            bytes: vec![1],
        });
        self.store_bill(changes);
    }

    /// What channels to fellows charged before joining; of several the cheapest.
    fn corridor_prices(&self) -> BTreeMap<NodeId, ChannelPolicy> {
        let mut prices: BTreeMap<NodeId, ChannelPolicy> = BTreeMap::new();
        let channels = self.local.iter().flat_map(|local| &local.channels);
        for channel in channels {
            let Some(saved) = self.saved_fees.get(&channel.channel_id) else {
                continue;
            };
            let price = |policy: &ChannelPolicy| (policy.rate, policy.base);
            let known = prices.entry(channel.peer).or_insert(*saved);
            if price(saved) < price(known) {
                *known = *saved;
            }
        }
        prices
    }

    /// An action that happened goes on the bill.
    pub(crate) fn bill_action(&mut self, id: ActionId, action: &Action, result: &ActionResult) {
        let at = self.now.wall;
        let changes = match (action, result) {
            (
                Action::Open(open),
                ActionResult::Done(Done::Opened {
                    channel_id, fee, ..
                }),
            ) => {
                let opened = OpenedChannel {
                    action: id,
                    peer: open.target,
                    capacity: open.capacity,
                    fee: fee.to_msat_saturating(),
                    at,
                    earned: Msat::ZERO,
                };
                self.bill.note_open(*channel_id, opened)
            }
            (Action::Rebalance(moved), ActionResult::Done(Done::Paid { fee })) => {
                self.bill.note_rebalance(at, moved.amount, *fee)
            }
            _ => return,
        };
        self.store_bill(changes);
    }

    fn store_bill(&mut self, changes: BillChanges) {
        let mut store = |prefix: &str, name: String, bytes: Vec<u8>| {
            let key = format!("{prefix}{name}");
            self.out.store(Change::Meta { key, bytes });
        };
        for day in changes.days {
            let bytes = self.bill.day(day).map(codec::encode).unwrap_or_default();
            store(META_DAY, day.to_string(), bytes);
        }
        for channel in changes.channels {
            let opened = self.bill.opened_channel(&channel);
            store(
                META_OPENED,
                channel.to_string(),
                opened.map(codec::encode).unwrap_or_default(),
            );
        }
        for peer in changes.from {
            let counted = self.bill.counted_from(&peer);
            store(
                META_COUNTED,
                peer.to_string(),
                counted.map(codec::encode).unwrap_or_default(),
            );
        }
        for day in changes.forgotten_days {
            store(META_DAY, day.to_string(), Vec::new());
        }
        for channel in changes.forgotten_channels {
            store(META_OPENED, channel.to_string(), Vec::new());
        }
    }

    /// The bill of the last days, up to now.
    pub(crate) fn report(&self, days: u32) -> Report {
        let mut bill = self.bill.clone();
        if let Some(local) = &self.local {
            // What is not counted yet is shown all the same; it is stored when it is due.
            bill.count(self.now.wall, local, &self.corridor_prices());
        }
        let since = day_of(self.now.wall).saturating_sub(days.saturating_sub(1));
        let mut sum = DayBill::default();
        bill.days_from(since).for_each(|(_, day)| sum.add(day));
        Report {
            period_days: days,
            opens: sum.opens,
            opened: sum.opened,
            open_fees: sum.open_fees,
            rebalances: sum.rebalances,
            rebalanced: sum.rebalanced,
            rebalance_fees: sum.rebalance_fees,
            earned: sum.earned,
            earned_by_opens: sum.earned_by_opens,
            corridor_volume: sum.corridor_volume,
            forgone: sum.forgone,
            net_msat: sum.net_msat(),
            reserved: self.gate.usage(self.now).reserved,
            days: bill
                .days_from(since)
                .map(|(day, bill)| row_of_day(day, bill))
                .collect(),
            actions: self.bill_actions(&bill, since),
        }
    }

    /// What each action cost, newest first; opens with what their channel earned since. Opens stay on
    /// the bill when their action is forgotten.
    fn bill_actions(&self, bill: &Bill, since: u32) -> Vec<BillAction> {
        let is_in = |row: &BillAction| day_of(row.at) >= since;
        let opens = bill.opened().map(|(channel, opened)| BillAction {
            action: opened.action,
            at: opened.at,
            what: format!("opened {} to {}", opened.capacity, opened.peer),
            cost: opened.fee,
            channel: Some(*channel),
            earned: Some(opened.earned),
        });
        let done = self
            .actions
            .iter()
            .filter(|action| action.state == ActionState::Done);
        let moves = done.filter_map(bill_rebalance);
        let mut rows: Vec<BillAction> = opens.chain(moves).filter(is_in).collect();
        rows.sort_by_key(|row| (core::cmp::Reverse(row.at), row.action));
        rows
    }
}

fn bill_rebalance(action: &StoredAction) -> Option<BillAction> {
    let (Action::Rebalance(moved), Some(ActionResult::Done(Done::Paid { fee }))) =
        (action.action(), &action.result)
    else {
        return None;
    };
    let what = match moved.beneficiary {
        Some(fellow) => format!("pushed {} for {fellow}", moved.amount),
        None => format!("moved {}", moved.amount),
    };
    Some(BillAction {
        action: action.id,
        at: action.wall,
        what,
        cost: *fee,
        channel: None,
        earned: None,
    })
}

fn row_of_day(day: u32, bill: &DayBill) -> BillDay {
    BillDay {
        day,
        open_fees: bill.open_fees,
        rebalance_fees: bill.rebalance_fees,
        earned: bill.earned,
        earned_by_opens: bill.earned_by_opens,
        forgone: bill.forgone,
        net_msat: bill.net_msat(),
    }
}

/// The bill as it was stored.
pub(crate) fn restored_bill(meta: &BTreeMap<String, Vec<u8>>) -> Bill {
    let of = |prefix: &'static str| {
        let all = meta.iter();
        all.filter_map(move |(key, bytes)| Some((key.strip_prefix(prefix)?, bytes)))
    };
    let days = of(META_DAY).filter_map(|(key, bytes)| {
        let day: DayBill = codec::decode(bytes).ok()?;
        Some((key.parse().ok()?, day))
    });
    let opened = of(META_OPENED).filter_map(|(key, bytes)| {
        let opened: OpenedChannel = codec::decode(bytes).ok()?;
        let channel: ChannelId = key.parse().ok()?;
        Some((channel, opened))
    });
    let counted = of(META_COUNTED).filter_map(|(key, bytes)| {
        let counted: CountedFrom = codec::decode(bytes).ok()?;
        let peer: NodeId = key.parse().ok()?;
        Some((peer, counted))
    });
    Bill::restore(days, opened, counted, meta.contains_key(META_BEGAN))
}
