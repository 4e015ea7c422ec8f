//! Votes that are proposed, the bill, what is shared of channels, and leaving at a bad moment.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use hive_core::{Command, Event, Input, Reply, Report};
use hive_planner::graph::{Graph, GraphBuilder};
use hive_policy::Mode;
use hive_proto::{RecordKind, VoteKind};
use hive_types::{
    ChannelId, ChannelPolicy, ForwardTotals, LocalChannel, Millis, Msat, NodeId, OutPoint, Ppm,
    Sat, Tier, Txid,
};
use std::sync::Arc;
use support::{Net, node_id};

fn policy(base: u64, rate: u32) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::new(base),
        rate: Ppm::new(rate),
        cltv_delta: 40,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(5_000_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

fn channel(number: u8, peer: NodeId) -> LocalChannel {
    LocalChannel {
        channel_id: ChannelId::from_bytes([number; 32]),
        scid: format!("70{number}x1x0").parse().ok(),
        funding: OutPoint {
            txid: Txid::from_bytes([number; 32]),
            vout: 0,
        },
        peer,
        capacity: Sat::new(2_000_000),
        spendable: Msat::new(1_000_000_000),
        receivable: Msat::new(900_000_000),
        usable: true,
        announced: true,
        opened_by_us: true,
        local_policy: Some(policy(1_000, 100)),
        remote_policy: Some(policy(0, 0)),
        htlcs: 0,
    }
}

/// A graph that shows these channels.
fn graph(channels: &[(NodeId, &LocalChannel)]) -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    for (owner, channel) in channels {
        builder.add_node(*owner);
        builder.add_node(channel.peer);
        let ends = [*owner, channel.peer];
        builder
            .add_channel(channel.scid.unwrap(), ends, channel.capacity)
            .unwrap();
    }
    Arc::new(builder.build())
}

fn read(net: &mut Net, index: usize) {
    let local = net.peers[index].local.clone();
    net.input(index, Input::Observed(&local));
}

fn report(net: &mut Net, index: usize, days: u32) -> Report {
    match net.command(index, Command::Report { days }) {
        Ok(Reply::Report(report)) => report,
        other => panic!("no report: {other:?}"),
    }
}

/// Three full members, and one on trial with a channel to a peer that nobody else has.
fn with_a_candidate() -> Net {
    let mut net = Net::fleet(3, Mode::Advisor);
    net.holds_plans = true;
    net.add(3, Mode::Advisor);
    let ticket = net.ticket(0, Tier::Probationary);
    net.command(3, Command::Join { ticket }).unwrap();
    net.run(10);
    let own = channel(9, node_id(40));
    let graph = graph(&[(node_id(3), &own)]);
    net.peers[3].local.channels = vec![own];
    for index in 0..4 {
        net.input(index, Input::Graph(graph.clone()));
        read(&mut net, index);
    }
    net.run(5);
    net
}

/// Time passes in which members beat and read their nodes.
fn pass(net: &mut Net, hours: u64) {
    for _ in 0..3 * hours {
        net.millis += Millis::from_secs(1_200).get();
        (0..4).for_each(|_| net.step());
        (0..net.peers.len()).for_each(|index| read(net, index));
    }
}

fn proposed(net: &Net, index: usize) -> Vec<String> {
    let events = net.peers[index].events.iter();
    let told = events.filter_map(|event| match event {
        Event::VoteProposed {
            subject,
            kind: VoteKind::Promote,
            reason,
        } if *subject == node_id(3) => Some(reason.clone()),
        _ => None,
    });
    told.collect()
}

#[test]
fn promotion_is_proposed_once_with_its_reasons_and_never_cast() {
    let mut net = with_a_candidate();
    pass(&mut net, 13 * 24);
    assert!(proposed(&net, 0).is_empty(), "{:?}", proposed(&net, 0));
    pass(&mut net, 2 * 24);
    for member in 0..3 {
        let told = proposed(&net, member);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("reach 1 peers"), "{told:?}");
        let listed = net.status(member).votes_proposed;
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].subject, listed[0].kind),
            (node_id(3), VoteKind::Promote)
        );
    }
    assert!(
        net.status(3).votes_proposed.is_empty(),
        "no vote, no proposal"
    );
    assert_eq!(
        net.tiers(0)[&node_id(3)],
        Tier::Probationary,
        "nobody voted"
    );
    net.crash(0);
    net.boot(0, Mode::Advisor);
    (1..4).for_each(|other| net.connect(0, other));
    net.run(120);
    assert_eq!(net.status(0).votes_proposed.len(), 1, "kept over a restart");
    for member in [0, 1] {
        net.command(member, Command::Vouch { node: node_id(3) })
            .unwrap();
    }
    net.run(60);
    assert_eq!(net.tiers(0)[&node_id(3)], Tier::Full);
    assert!((0..3).all(|member| net.status(member).votes_proposed.is_empty()));
}

#[test]
fn who_is_away_or_adds_nothing_is_not_proposed() {
    let mut net = with_a_candidate();
    // Two of three hours without a heartbeat.
    for _ in 0..6 * 24 {
        pass(&mut net, 1);
        (0..3).for_each(|other| net.disconnect(other, 3));
        net.cut.insert(3);
        pass(&mut net, 2);
        net.cut.clear();
        (0..3).for_each(|other| net.connect(other, 3));
    }
    assert!(proposed(&net, 0).is_empty(), "{:?}", proposed(&net, 0));
    let mut net = with_a_candidate();
    net.peers[3].local.channels.clear();
    pass(&mut net, 16 * 24);
    assert!(proposed(&net, 0).is_empty(), "{:?}", proposed(&net, 0));
}

#[test]
fn t65_the_bill_survives_restarts_and_counts_once() {
    let mut net = Net::fleet(2, Mode::Advisor);
    let forwards = |count: u64| {
        vec![ForwardTotals {
            from: node_id(30),
            to: node_id(1),
            count,
            volume: Msat::new(count * 1_000_000),
            fees: Msat::new(count * 10),
        }]
    };
    // A corridor to the fellow, which charged 1,000 msat and 100 ppm before joining.
    net.peers[0].local.channels = vec![channel(7, node_id(1))];
    net.peers[0].local.forwards = forwards(50);
    read(&mut net, 0);
    net.run(5);
    net.peers[0].local.channels[0].local_policy = Some(policy(0, 0));
    net.peers[0].local.forwards = forwards(60);
    net.millis += Millis::from_hours(2).get();
    read(&mut net, 0);
    let before = report(&mut net, 0, 2);
    assert_eq!(before.earned, Msat::new(600));
    assert_eq!(before.corridor_volume, Msat::new(60_000_000));
    // Sixty times 1,000 msat, and 100 ppm of 60 M msat, less the 600 msat earned.
    assert_eq!(before.forgone, Msat::new(65_400));
    assert_eq!(before.net_msat, -65_400);
    assert_eq!(before.days.len(), 1);
    // What came since the last count is shown, is not stored yet, and is not lost by a crash.
    net.peers[0].local.forwards = forwards(61);
    read(&mut net, 0);
    assert_eq!(report(&mut net, 0, 2).earned, Msat::new(610));
    net.crash(0);
    net.boot(0, Mode::Advisor);
    net.connect(0, 1);
    net.run(30);
    assert_eq!(report(&mut net, 0, 2).earned, Msat::new(610));
    net.millis += Millis::from_days(10).get();
    read(&mut net, 0);
    assert_eq!(report(&mut net, 0, 2).earned, Msat::ZERO);
    assert_eq!(report(&mut net, 0, 30).earned, Msat::new(610));
}

#[test]
fn t62_who_leaves_while_it_is_starting_leaves_its_departure_behind() {
    for reach in [true, false] {
        let mut net = Net::fleet(3, Mode::Advisor);
        net.run(60);
        net.crash(1);
        net.cut.insert(1);
        net.boot(1, Mode::Advisor);
        assert_eq!(net.status(1).stage, "starting");
        if reach {
            // Heard by one that has not returned this member's records yet.
            net.connect(1, 2);
            assert_eq!(net.status(1).stage, "starting");
        }
        net.command(1, Command::Leave).unwrap();
        net.run(90);
        assert_eq!(net.status(1).stage, "alone", "{reach}");
        net.cut.clear();
        net.connect(1, 0);
        net.run(120);
        assert_eq!(net.tiers(0).len(), 2, "{reach}: {:?}", net.peers[0].events);
        assert!(net.status(0).state == net.status(2).state);
    }
}

/// Kinds of records that a member's disk holds of another.
fn kinds_of(net: &Net, index: usize, author: usize) -> std::collections::BTreeSet<RecordKind> {
    let all = net.peers[index].stored.records.iter();
    let of = all.filter(|((by, _), _)| *by == node_id(author as u8));
    let kinds = of.map(|(_, bytes)| {
        let record = hive_proto::Record::parse(bytes.clone()).unwrap();
        record.fields().kind
    });
    kinds.collect()
}

#[test]
fn balances_and_observations_reach_full_members_only_until_promotion() {
    let mut net = with_a_candidate();
    // Another one on trial, who could hand on what it should not have.
    net.add(4, Mode::Advisor);
    let ticket = net.ticket(0, Tier::Probationary);
    net.command(4, Command::Join { ticket }).unwrap();
    net.run(10);
    net.peers[0].local.channels = vec![channel(8, node_id(41))];
    read(&mut net, 0);
    let (peer, reason) = (node_id(42), "of my own".to_owned());
    net.command(0, Command::Ban { peer, reason }).unwrap();
    net.run(300);
    let private = [
        RecordKind::HEARTBEAT_FULL,
        RecordKind::CONSTRAINT,
        RecordKind::BAN,
    ];
    assert!(
        private
            .iter()
            .all(|kind| kinds_of(&net, 1, 0).contains(kind)),
        "{:?}",
        kinds_of(&net, 1, 0)
    );
    for on_trial in [3, 4] {
        for author in (0..5).filter(|author| *author != on_trial) {
            let kinds = kinds_of(&net, on_trial, author);
            assert!(
                kinds.iter().all(|kind| kind.is_for_all()),
                "{on_trial} of {author}: {kinds:?}"
            );
        }
        // Its own go to full members, who judge by them.
        assert!(kinds_of(&net, 0, on_trial).contains(&RecordKind::HEARTBEAT_FULL));
        assert!(kinds_of(&net, 2, on_trial).contains(&RecordKind::HEARTBEAT_FULL));
    }
    // All agree all the same.
    let state = net.status(0).state;
    assert!((1..5).all(|index| net.status(index).state == state));
    for member in [0, 1] {
        net.command(member, Command::Vouch { node: node_id(3) })
            .unwrap();
    }
    net.run(300);
    assert_eq!(net.tiers(3)[&node_id(3)], Tier::Full);
    assert_eq!(
        kinds_of(&net, 3, 0),
        kinds_of(&net, 1, 0),
        "a full member reads all"
    );
    let still = kinds_of(&net, 4, 0);
    assert!(still.iter().all(|kind| kind.is_for_all()), "{still:?}");
}

#[test]
fn t26_who_is_on_trial_can_not_return_what_it_never_had() {
    let mut net = with_a_candidate();
    net.run(120);
    let backup = net.peers[1].stored.clone();
    pass(&mut net, 1);
    net.crash(1);
    net.peers[1].stored = backup;
    net.cut.insert(1);
    net.boot(1, Mode::Advisor);
    net.connect(1, 3);
    net.run(90);
    assert_eq!(
        net.status(1).stage,
        "starting",
        "only a full member knows its heartbeats"
    );
    net.cut.clear();
    net.run(240);
    assert_eq!(net.status(1).stage, "member");
    let flagged = net.peers[0].events.iter();
    assert!(
        !flagged
            .into_iter()
            .any(|event| matches!(event, Event::Equivocation { .. }))
    );
}
