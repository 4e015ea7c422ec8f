//! The bill: what is counted, once, and what stays when actions and forwards are long over.

use crate::common::*;
use hive_policy::bill::{Bill, DayBill, OpenedChannel, day_of};
use hive_types::limits::{BILL_CHANNELS, BILL_DAYS};
use hive_types::{ChannelId, ForwardTotals, LocalSnapshot, Msat, Sat, UnixMillis};
use std::collections::BTreeMap;

const AT: UnixMillis = UnixMillis::new(START);

fn forward(from: u8, to: u8, count: u64, volume: u64, fees: u64) -> ForwardTotals {
    ForwardTotals {
        from: node(from),
        to: node(to),
        count,
        volume: Msat::new(volume),
        fees: Msat::new(fees),
    }
}

fn with(forwards: Vec<ForwardTotals>) -> LocalSnapshot {
    LocalSnapshot {
        forwards,
        ..local()
    }
}

fn opened(number: u8) -> (ChannelId, OpenedChannel) {
    let channel = OpenedChannel {
        action: id(number.into()),
        peer: node(number),
        capacity: Sat::new(1_000_000),
        fee: Msat::new(200_000),
        at: AT,
        earned: Msat::ZERO,
    };
    (ChannelId::from_bytes([number; 32]), channel)
}

fn today(bill: &Bill) -> DayBill {
    bill.day(day_of(AT)).copied().unwrap_or_default()
}

#[test]
fn costs_revenue_and_what_is_forgone_add_up() {
    let mut bill = Bill::default();
    let (channel, open) = opened(20);
    bill.note_open(channel, open);
    bill.note_rebalance(AT, Msat::new(50_000_000), Msat::new(3_000));
    // What was forwarded before the agent came is not its merit.
    let before = vec![
        forward(10, 20, 5, 9_000_000, 9_000),
        forward(20, 11, 1, 1_000, 7),
    ];
    let corridors = BTreeMap::from([(node(11), policy(1_000, 100))]);
    bill.count(AT, &with(before), &corridors);
    assert_eq!(today(&bill).earned, Msat::ZERO);
    let after = vec![
        // By the opened channel, to an outsider.
        forward(10, 20, 7, 29_000_000, 12_000),
        // From it, over a free corridor: 10 M msat at 100 ppm and twice a base of 1,000.
        forward(20, 11, 3, 10_001_000, 7),
        // Between others.
        forward(12, 13, 1, 5_000, 50),
    ];
    bill.count(AT, &with(after.clone()), &corridors);
    // Counted again, also after a restart, it is counted once.
    bill.count(AT, &with(after), &corridors);
    let sum = today(&bill);
    assert_eq!(sum.earned, Msat::new(3_050));
    assert_eq!(sum.earned_by_opens, Msat::new(3_000));
    assert_eq!(sum.corridor_volume, Msat::new(10_000_000));
    assert_eq!(sum.forgone, Msat::new(3_000));
    assert_eq!((sum.opens, sum.open_fees), (1, Msat::new(200_000)));
    assert_eq!((sum.rebalances, sum.rebalance_fees), (1, Msat::new(3_000)));
    assert_eq!(sum.net_msat(), 3_000 - 200_000 - 3_000 - 3_000);
    let earned = bill.opened_channel(&channel).unwrap().earned;
    assert_eq!(earned, Msat::new(3_000));
}

#[test]
fn a_peer_with_older_channels_shares_the_revenue_by_capacity() {
    let mut bill = Bill::default();
    let (channel, open) = opened(20);
    bill.note_open(channel, open);
    let mut node_with_two = with(vec![]);
    let mut older = crate::common::channel(20);
    older.channel_id = ChannelId::from_bytes([77; 32]);
    older.capacity = Sat::new(3_000_000);
    node_with_two.channels.push(older);
    let none = BTreeMap::new();
    bill.count(AT, &node_with_two, &none);
    node_with_two.forwards = vec![forward(10, 20, 1, 1_000_000, 4_000)];
    bill.count(AT, &node_with_two, &none);
    assert_eq!(today(&bill).earned_by_opens, Msat::new(1_000));
    assert_eq!(
        bill.opened_channel(&channel).unwrap().earned,
        Msat::new(1_000)
    );
}

#[test]
fn totals_that_fall_count_from_there_on() {
    let (mut bill, none) = (Bill::default(), BTreeMap::new());
    let count = |bill: &mut Bill, count, fees| {
        bill.count(
            AT,
            &with(vec![forward(10, 20, count, count * 1_000, fees)]),
            &none,
        );
        today(bill).earned.get()
    };
    assert_eq!(count(&mut bill, 100, 1_000), 0);
    assert_eq!(count(&mut bill, 101, 1_010), 10);
    assert_eq!(count(&mut bill, 2, 20), 10, "the node forgot its history");
    assert_eq!(count(&mut bill, 3, 30), 20);
}

#[test]
fn t65_the_bill_keeps_a_bounded_number_of_days_and_channels() {
    let mut bill = Bill::default();
    let (_, open) = opened(20);
    let days = BILL_DAYS + 100;
    let mut stored = std::collections::BTreeSet::new();
    for day in 0..days {
        let at = AT.plus(hive_types::Millis::from_days(day.into()));
        let mut id = [0; 32];
        id[..4].copy_from_slice(&day.to_be_bytes());
        let channel = ChannelId::from_bytes(id);
        for changes in [
            bill.note_open(channel, OpenedChannel { at, ..open }),
            bill.note_rebalance(at, Msat::new(1), Msat::new(1)),
        ] {
            stored.extend(changes.days);
            stored.retain(|day| !changes.forgotten_days.contains(day));
        }
    }
    assert_eq!(bill.days_from(0).count(), BILL_DAYS as usize);
    assert_eq!(
        stored.len(),
        BILL_DAYS as usize,
        "what is stored is what is kept"
    );
    assert_eq!(bill.opened().count(), BILL_CHANNELS.min(days as usize));
    let since = day_of(AT) + days - 30;
    let mut sum = DayBill::default();
    bill.days_from(since).for_each(|(_, day)| sum.add(day));
    assert_eq!((sum.opens, sum.rebalances), (30, 30));
}
