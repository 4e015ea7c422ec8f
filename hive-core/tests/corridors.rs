//! Fees among fellows, of one machine: leaving, being put out, and a fleet state that can't be read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use hive_core::{Command, Input, Stored};
use hive_policy::Mode;
use hive_proto::{Item, Message, Record, RecordKind};
use hive_types::{
    Action, ChannelId, ChannelPolicy, LocalChannel, Msat, NodeId, OutPoint, Ppm, Sat,
    ShortChannelId, Txid,
};
use support::{Net, node_id};

const BEFORE: (u64, u32) = (1_000, 400);

fn channel(number: u8, peer: NodeId) -> LocalChannel {
    let policy = ChannelPolicy {
        base: Msat::new(BEFORE.0),
        rate: Ppm::new(BEFORE.1),
        cltv_delta: 80,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(900_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    };
    LocalChannel {
        channel_id: ChannelId::from_bytes([number; 32]),
        scid: ShortChannelId::new(700_000, number.into(), 0),
        funding: OutPoint {
            txid: Txid::from_bytes([number; 32]),
            vout: 0,
        },
        peer,
        capacity: Sat::new(1_000_000),
        spendable: Msat::new(500_000_000),
        receivable: Msat::new(500_000_000),
        usable: true,
        announced: true,
        opened_by_us: true,
        local_policy: Some(policy),
        remote_policy: None,
        htlcs: 0,
    }
}

/// The node does what its agent was permitted to, and is read again.
fn obey(net: &mut Net, index: usize) {
    let peer = &mut net.peers[index];
    for (_, action) in std::mem::take(&mut peer.acts) {
        let Action::SetPolicy(set) = action else {
            continue;
        };
        let mut own = peer.local.channels.iter_mut();
        let own = own.find(|own| own.scid == Some(set.channel)).unwrap();
        own.local_policy = Some(set.policy);
    }
    let local = peer.local.clone();
    net.input(index, Input::Observed(&local));
}

/// Reads the node once a minute for some minutes; what its first channel asks then.
fn asks_after(net: &mut Net, index: usize, minutes: u64) -> (u64, u32) {
    for _ in 0..minutes {
        obey(net, index);
        net.run(60);
    }
    let policy = net.peers[index].local.channels[0].local_policy.unwrap();
    (policy.base.get(), policy.rate.get())
}

/// A fleet whose last member has a free corridor to the first.
fn with_corridor(count: u8) -> (Net, usize) {
    let mut net = Net::fleet(count, Mode::Advisor);
    let last = usize::from(count) - 1;
    if count > 3 {
        for voter in 0..last {
            let node = node_id(count - 1);
            net.command(voter, Command::Vouch { node }).unwrap();
        }
        net.run(30);
    }
    net.peers[last].local.channels = vec![channel(1, node_id(0))];
    assert_eq!(asks_after(&mut net, last, 2), (0, 0));
    (net, last)
}

#[test]
fn t62_who_left_restores_its_fees_and_takes_in_no_message_after() {
    let (mut net, last) = with_corridor(3);
    // A frame that a member would answer.
    let mut frame = None;
    for _ in 0..3_000 {
        net.step();
        let mut wire = net.wire.iter();
        frame = wire.find(|(_, to, _)| *to == last).cloned();
        if frame.is_some() {
            break;
        }
    }
    let (from, _, bytes) = frame.unwrap();
    net.command(last, Command::Leave).unwrap();
    assert_eq!(asks_after(&mut net, last, 3), BEFORE);
    assert_eq!(net.status(last).stage, "alone");
    assert!(net.peers[last].stored.saved_fees.is_empty());
    let stored: Stored = net.peers[last].stored.clone();
    net.wire.clear();
    let from = node_id(from as u8);
    for _ in 0..3 {
        let bytes = &bytes;
        net.input(last, Input::Message { from, bytes });
    }
    // All that it says is that it has left, to a fellow that seems not to know.
    let answers = net.wire.iter().filter(|(sender, ..)| *sender == last);
    for (.., answer) in answers {
        let Ok(Message::Delta(delta)) = Message::from_frame(answer) else {
            panic!("an answer of another kind");
        };
        let [Item::Record(record)] = delta.items.as_slice() else {
            panic!("more than a record: {delta:?}");
        };
        let record = Record::parse(record.clone()).unwrap();
        assert_eq!(record.fields().kind, RecordKind::DEPARTURE);
    }
    assert_eq!(net.peers[last].stored.records, stored.records);
    assert_eq!(net.peers[last].stored.decisions, stored.decisions);
    assert_eq!(net.status(last).stage, "alone");
}

#[test]
fn t62_who_is_put_out_restores_its_fees() {
    let (mut net, last) = with_corridor(4);
    for voter in 0..3 {
        let expel = Command::Expel {
            node: node_id(3),
            reason: "a test".to_owned(),
        };
        net.command(voter, expel).unwrap();
    }
    net.run(60);
    assert_eq!(asks_after(&mut net, last, 3), BEFORE);
    assert_eq!(net.status(last).stage, "alone");
}

#[test]
fn t63_fees_are_restored_where_the_stored_fleet_can_not_be_read() {
    let (mut net, last) = with_corridor(3);
    net.crash(last);
    for bytes in net.peers[last].stored.decisions.values_mut() {
        *bytes = vec![0xff; 10];
    }
    net.boot(last, Mode::Advisor);
    assert_eq!(net.status(last).stage, "halted");
    assert_eq!(asks_after(&mut net, last, 3), (0, 0), "it does nothing");
    let restored = Command::RestoreFees { resume: false };
    net.command(last, restored).unwrap();
    assert_eq!(asks_after(&mut net, last, 3), BEFORE);
    let status = net.status(last);
    assert_eq!(status.stage, "halted");
    let told = |alert: &String| alert.contains("resume=true");
    assert!(status.alerts.iter().any(told), "{:?}", status.alerts);
}
