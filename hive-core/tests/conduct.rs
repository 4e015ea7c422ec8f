//! Conduct as members see it: leeches, false claims and uptime, with the flags and votes that follow.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod support;

use hive_core::{Command, ContributionRow, Event, Input, Member, Reply};
use hive_planner::graph::Graph;
use hive_policy::Mode;
use hive_policy::conduct::FlagKind;
use hive_types::{
    ChannelId, ForwardTotals, LocalChannel, Msat, NodeId, OutPoint, Sat, ShortChannelId, Txid,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use support::{Net, halves, node_id};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;
const CAPACITY: Sat = Sat::new(1_000_000);

fn scid(number: u32) -> ShortChannelId {
    ShortChannelId::new(790_000, number, 0).unwrap()
}

fn channel(number: u8, peer: NodeId, spendable_sat: u64) -> LocalChannel {
    LocalChannel {
        channel_id: ChannelId::from_bytes([number; 32]),
        scid: Some(scid(number.into())),
        funding: OutPoint {
            txid: Txid::from_bytes([number; 32]),
            vout: 0,
        },
        peer,
        capacity: CAPACITY,
        spendable: Msat::new(spendable_sat * 1_000),
        receivable: Msat::new((CAPACITY.get() - spendable_sat) * 1_000),
        usable: true,
        announced: true,
        opened_by_us: true,
        local_policy: None,
        remote_policy: None,
        htlcs: 0,
    }
}

/// Lets time pass in one leap, then all have read their nodes and talk for a while.
fn leap(net: &mut Net, millis: u64) {
    net.millis += millis;
    observe(net);
    net.run(20);
}

fn observe(net: &mut Net) {
    for index in 0..net.peers.len() {
        let local = net.peers[index].local.clone();
        net.input(index, Input::Observed(&local));
    }
}

fn rows(net: &mut Net, by: usize) -> Vec<Member> {
    match net.command(by, Command::Members) {
        Ok(Reply::Members(rows)) => rows,
        other => panic!("no members: {other:?}"),
    }
}

fn row(net: &mut Net, by: usize, of: usize) -> Member {
    let node = net.peers[of].id;
    let rows = rows(net, by);
    rows.into_iter().find(|row| row.node_id == node).unwrap()
}

fn contribution(net: &mut Net, by: usize, of: usize) -> ContributionRow {
    let node = Some(net.peers[of].id);
    match net.command(by, Command::Contribution { node }) {
        Ok(Reply::Contribution(rows)) => rows.into_iter().next().unwrap(),
        other => panic!("no contribution: {other:?}"),
    }
}

/// Whom a member blamed for what, ever.
fn blamed(net: &Net, by: usize) -> Vec<(NodeId, FlagKind)> {
    let events = net.peers[by].events.iter();
    let flags = events.filter_map(|event| match event {
        Event::Flagged { node, kind, .. } => Some((*node, *kind)),
        _ => None,
    });
    flags.collect()
}

fn votes_proposed(net: &mut Net, by: usize) -> Vec<NodeId> {
    let rows = net.status(by).votes_proposed;
    rows.into_iter().map(|row| row.subject).collect()
}

/// One more forward of a member's node.
fn forward(net: &mut Net, by: usize, from: NodeId, to: NodeId, sat: u64) {
    let forwards = &mut net.peers[by].local.forwards;
    let known = forwards
        .iter_mut()
        .find(|totals| (totals.from, totals.to) == (from, to));
    match known {
        Some(totals) => totals.volume = totals.volume.saturating_add(Msat::new(sat * 1_000)),
        None => forwards.push(ForwardTotals {
            from,
            to,
            count: 1,
            volume: Msat::new(sat * 1_000),
            fees: Msat::ZERO,
        }),
    }
}

#[test]
fn t54_a_leech_loses_pushes_and_after_a_week_a_vote_is_proposed_but_never_cast() {
    let mut net = Net::fleet(3, Mode::Autonomous);
    let (leech, outside) = (net.peers[2].id, node_id(40));
    net.peers[0].local.channels = vec![channel(1, leech, 500_000)];
    observe(&mut net);
    // Each day half a million goes to it, and a tenth of that comes from it.
    let day = |net: &mut Net, taken| {
        forward(net, 0, outside, leech, 500_000);
        forward(net, 0, leech, node_id(41), taken);
        leap(net, DAY);
    };
    (0..2).for_each(|_| day(&mut net, 50_000));
    assert_eq!(blamed(&net, 0), []);
    assert_eq!(contribution(&mut net, 0, 2).ratio_ppm, None);
    day(&mut net, 50_000);
    assert_eq!(blamed(&net, 0), [(leech, FlagKind::Leech)]);
    let shown = contribution(&mut net, 0, 2);
    assert_eq!((shown.days, shown.ratio_ppm), (3, Some(100_000)));
    assert_eq!(shown.forwarded_for, Msat::new(1_500_000_000));
    let flag = row(&mut net, 0, 2).flags.remove(0);
    assert!(flag.evidence.contains("3 days") && flag.evidence.contains("1500000000"));
    assert!(votes_proposed(&mut net, 0).is_empty());
    (0..6).for_each(|_| day(&mut net, 50_000));
    assert_eq!(votes_proposed(&mut net, 0), [leech]);
    // Nobody votes by itself, whatever the mode: all are members weeks later.
    (0..20).for_each(|_| day(&mut net, 50_000));
    let tiers = net.tiers(1);
    assert_eq!(tiers.len(), 3);
    let votes = net.peers[0].stored.records.keys();
    assert!(votes.filter(|(_, key)| key.first() == Some(&7)).count() == 0);
    // Others, who forwarded nothing, blame nobody.
    assert_eq!((blamed(&net, 1), blamed(&net, 2)), (vec![], vec![]));
    // It mends: pushes come back, the proposal goes.
    (0..8).for_each(|_| day(&mut net, 900_000));
    assert!(row(&mut net, 0, 2).flags.is_empty());
    assert!(votes_proposed(&mut net, 0).is_empty());
}

#[test]
fn t53_both_sides_of_a_contribution_are_shown_and_compared() {
    let mut net = Net::fleet(2, Mode::Advisor);
    let (one, other) = (net.peers[0].id, net.peers[1].id);
    let (x, y) = (node_id(40), node_id(41));
    observe(&mut net);
    // What comes from outside to the first goes on by the second, and the other way round.
    forward(&mut net, 0, x, other, 6_000_000);
    forward(&mut net, 1, one, y, 6_000_000);
    forward(&mut net, 1, y, one, 4_000_000);
    forward(&mut net, 0, other, x, 4_000_000);
    // To and fro between the same two outsiders is left out on both sides alike.
    forward(&mut net, 0, node_id(42), other, 1_000_000);
    forward(&mut net, 0, other, node_id(42), 1_000_000);
    // The tally goes out once in a slot of the chain.
    for peer in &mut net.peers {
        peer.local.height = peer.local.height.plus(6);
    }
    leap(&mut net, 4 * DAY);
    for peer in &mut net.peers {
        peer.local.height = peer.local.height.plus(6);
    }
    leap(&mut net, MINUTE);
    let row = contribution(&mut net, 0, 1);
    assert_eq!(row.forwarded_for, Msat::new(2_000_000_000));
    let told = row.told_for.unwrap().get();
    assert!((1_800_000_000..=2_000_000_000).contains(&told), "{told}");
    assert_eq!(row.agrees, Some(true));
    // One that says it forwarded far more than it did is seen through, and gains nothing.
    forward(&mut net, 1, y, one, 50_000_000);
    for peer in &mut net.peers {
        peer.local.height = peer.local.height.plus(6);
    }
    leap(&mut net, MINUTE);
    let lied = contribution(&mut net, 0, 1);
    assert_eq!(lied.agrees, Some(false));
    assert!(lied.told_by > row.told_by);
    assert_eq!(lied.forwarded_by, row.forwarded_by);
}

/// Two members; the second tells of these channels.
fn claims_of(channels: Vec<LocalChannel>, graph: Option<Graph>) -> Net {
    let mut net = Net::fleet(3, Mode::Advisor);
    let liar = net.peers[1].id;
    net.peers[0].local.channels = vec![channel(1, liar, 600_000)];
    net.peers[1].local.channels = channels;
    if let Some(graph) = graph {
        net.input(0, Input::Graph(Arc::new(graph)));
    }
    observe(&mut net);
    net
}

fn minutes(net: &mut Net, minutes: u64) {
    (0..minutes / 5).for_each(|_| leap(net, 5 * MINUTE));
}

#[test]
fn t28_a_member_that_claims_what_our_own_side_holds_is_found_and_forgiven() {
    let me = node_id(0);
    let mut net = claims_of(vec![channel(1, me, 1_000_000)], None);
    minutes(&mut net, 10);
    assert_eq!(blamed(&net, 0), []);
    minutes(&mut net, 20);
    let liar = net.peers[1].id;
    assert_eq!(blamed(&net, 0), [(liar, FlagKind::Claims)]);
    let flag = row(&mut net, 0, 1).flags.remove(0);
    assert!(flag.evidence.contains("600000000"), "{}", flag.evidence);
    // Others know nothing of that channel's balance.
    assert_eq!(blamed(&net, 2), []);
    net.peers[1].local.channels = vec![channel(1, me, 400_000)];
    minutes(&mut net, 20);
    assert!(row(&mut net, 0, 1).flags.is_empty());
}

#[test]
fn t28_an_honest_member_is_not_blamed_while_payments_come_and_go() {
    let me = node_id(0);
    let mut net = claims_of(vec![channel(1, me, 400_000)], None);
    // Half of the channel moves to and fro; the fellow's word lags behind by up to five minutes.
    for step in 0..200_u64 {
        let ours = if step % 2 == 0 { 100_000 } else { 900_000 };
        net.peers[0].local.channels = vec![channel(1, net.peers[1].id, ours)];
        let local = net.peers[0].local.clone();
        net.input(0, Input::Observed(&local));
        net.millis += 97_000;
        net.run(2);
        net.peers[1].local.channels = vec![channel(1, me, 1_000_000 - ours)];
        let local = net.peers[1].local.clone();
        net.input(1, Input::Observed(&local));
        net.run(2);
    }
    for by in 0..3 {
        assert_eq!(blamed(&net, by), [], "{by}");
    }
}

#[test]
fn t28_a_member_that_claims_channels_of_others_is_found() {
    let graph = halves();
    let foreign = graph.channels().next().unwrap().scid;
    let claimed = LocalChannel {
        scid: Some(foreign),
        ..channel(9, node_id(40), 900_000)
    };
    let mut net = claims_of(vec![claimed], Some(graph));
    minutes(&mut net, 30);
    let liar = net.peers[1].id;
    assert_eq!(blamed(&net, 0), [(liar, FlagKind::Claims)]);
    // A member that never read its graph can't tell.
    assert_eq!(blamed(&net, 2), []);
}

#[test]
fn t28_a_member_that_makes_channels_up_is_found_after_six_hours() {
    let made_up = (20..26).map(|number| channel(number, node_id(40), 900_000));
    let mut net = claims_of(made_up.collect(), Some(halves()));
    minutes(&mut net, 6 * 60 - 30);
    assert_eq!(blamed(&net, 0), []);
    minutes(&mut net, 60);
    assert_eq!(blamed(&net, 0), [(net.peers[1].id, FlagKind::Claims)]);
}

/// Six blocks, in which heartbeats come often enough to be fresh.
fn slots(net: &mut Net, count: u32) {
    for _ in 0..count {
        for peer in &mut net.peers {
            peer.local.height = peer.local.height.plus(6);
        }
        (0..3).for_each(|_| leap(net, 20 * MINUTE));
    }
}

/// What each observer that runs says of each member's uptime: one line for each, and all the same.
fn uptimes(net: &mut Net) -> Vec<(NodeId, Option<(u32, u32)>)> {
    let running: Vec<usize> = (0..net.peers.len())
        .filter(|index| net.peers[*index].hive.is_some())
        .collect();
    let said: BTreeSet<Vec<_>> = running
        .into_iter()
        .map(|by| {
            let rows = rows(net, by).into_iter();
            let rows = rows.map(|row| (row.node_id, row.uptime));
            rows.map(|(node, uptime)| (node, uptime.map(|up| (up.share_ppm, up.slots))))
                .collect()
        })
        .collect();
    assert_eq!(said.len(), 1, "{said:?}");
    said.into_iter().next().unwrap()
}

/// Makes a member full: tallies are for full members.
fn promote(net: &mut Net, index: usize) {
    let node = net.peers[index].id;
    for voter in 0..3 {
        net.command(voter, Command::Vouch { node }).unwrap();
    }
    net.run(60);
}

fn uptime_of(net: &mut Net, index: usize) -> Option<(u32, u32)> {
    let node = net.peers[index].id;
    let all = uptimes(net);
    all.into_iter().find(|(of, _)| *of == node).unwrap().1
}

#[test]
fn t55_uptime_is_the_same_at_all_observers_over_restarts_and_for_those_who_join_late() {
    let mut net = Net::fleet(4, Mode::Advisor);
    promote(&mut net, 3);
    slots(&mut net, 10);
    assert_eq!(uptime_of(&mut net, 3).unwrap().0, 1_000_000);
    // The last member is away for ten slots, and meanwhile the first one is restarted.
    net.crash(3);
    slots(&mut net, 5);
    net.crash(0);
    slots(&mut net, 1);
    net.boot(0, Mode::Advisor);
    for other in 1..3 {
        net.connect(0, other);
    }
    slots(&mut net, 5);
    net.boot(3, Mode::Advisor);
    for other in 0..3 {
        net.connect(3, other);
    }
    slots(&mut net, 10);
    let (share, watched) = uptime_of(&mut net, 3).unwrap();
    // Half an hour passes until silence is absence, so the first slot of it may still count.
    assert!(watched >= 28, "{watched}");
    assert!((600_000..=750_000).contains(&share), "{share} of {watched}");
    let before = uptimes(&mut net);
    // A member that joins now reads the same of all that were there.
    net.add(4, Mode::Advisor);
    let ticket = net.ticket(0, hive_types::Tier::Full);
    net.command(4, Command::Join { ticket }).unwrap();
    net.run(60);
    promote(&mut net, 4);
    let after = uptimes(&mut net);
    assert_eq!(after.len(), 5);
    for (node, known) in before {
        assert!(after.contains(&(node, known)), "{node}");
    }
    assert_eq!(uptime_of(&mut net, 4), None);
}
