//! Bans of outside peers: what one member's word does, and what corroboration does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use hive_core::{BanRow, Command, CommandError, Event, Input, Reply};
use hive_policy::Mode;
use hive_types::limits::EVIDENCE_LIFETIME;
use hive_types::{BanReason, NodeId, PeerEvents};
use support::{Net, node_id};

/// The best outside peer of the fleet.
fn best() -> NodeId {
    node_id(30)
}

/// The node of this member tells that the peer closed so many channels by force, true or not.
fn tells(net: &mut Net, index: usize, closes: u64) {
    for count in [0, closes] {
        net.peers[index].local.peer_events = vec![PeerEvents {
            force_closes: count,
            ..PeerEvents::none(best())
        }];
        let local = net.peers[index].local.clone();
        net.input(index, Input::Observed(&local));
    }
}

fn row(net: &mut Net, index: usize) -> Option<BanRow> {
    match net.command(index, Command::Bans) {
        Ok(Reply::Bans(rows)) => rows.into_iter().find(|row| row.peer == best()),
        other => panic!("no bans: {other:?}"),
    }
}

fn is_banned(net: &mut Net, index: usize) -> bool {
    row(net, index).is_some_and(|row| row.banned)
}

fn ban(net: &mut Net, index: usize) -> Result<Reply, CommandError> {
    let reason = "I don't like it".to_owned();
    net.command(
        index,
        Command::Ban {
            peer: best(),
            reason,
        },
    )
}

#[test]
fn t48_one_rogue_moves_nothing_by_word_or_by_forged_evidence() {
    let mut net = Net::fleet(4, Mode::Advisor);
    for member in 0..4 {
        let node = node_id(3);
        let _ = net.command(member, Command::Vouch { node });
    }
    net.run(60);
    ban(&mut net, 2).unwrap();
    net.run(10);
    assert!(is_banned(&mut net, 2));
    for honest in [0, 1, 3] {
        assert!(!is_banned(&mut net, honest), "an operator's word");
    }
    net.command(2, Command::Unban { peer: best() }).unwrap();
    tells(&mut net, 2, 1_000);
    net.run(10);
    for honest in [0, 1, 3] {
        let row = row(&mut net, honest).unwrap();
        assert!(!row.banned && row.words.len() == 1 && row.words[0].counts);
        assert_eq!(row.words[0].author, node_id(2), "it is seen who says so");
    }
    assert!(is_banned(&mut net, 2), "own evidence is enough for oneself");
}

#[test]
fn t48_corroborated_bans_end_by_allowance_by_unban_and_by_time() {
    let mut net = Net::fleet(3, Mode::Advisor);
    tells(&mut net, 1, 2);
    tells(&mut net, 2, 3);
    net.run(10);
    assert!((0..3).all(|member| is_banned(&mut net, member)));
    let by = vec![node_id(1), node_id(2)];
    let told = Event::PeerBanned {
        peer: best(),
        reason: BanReason::ForceCloses,
        by,
    };
    assert!(
        net.peers[0].events.contains(&told),
        "{:?}",
        net.peers[0].events
    );
    // The allow-list comes before everything, for whoever has the peer on it.
    net.command(0, Command::Allow { peer: best() }).unwrap();
    assert!(!is_banned(&mut net, 0) && is_banned(&mut net, 1));
    net.crash(0);
    net.boot(0, Mode::Advisor);
    net.connect(0, 1);
    net.connect(0, 2);
    net.run(60);
    assert!(!is_banned(&mut net, 0), "also after a restart");
    assert!(ban(&mut net, 0).is_err(), "nor by the own word");
    net.command(0, Command::Disallow { peer: best() }).unwrap();
    assert!(is_banned(&mut net, 0));
    // Who unbans forgives; one word is not enough for the others any more.
    net.command(2, Command::Unban { peer: best() }).unwrap();
    net.run(10);
    let banned: Vec<usize> = (0..3)
        .filter(|member| is_banned(&mut net, *member))
        .collect();
    assert_eq!(banned, [1]);
    // What nobody saw again in all that time counts no more.
    net.millis += EVIDENCE_LIFETIME.get();
    net.run(5);
    assert!(!is_banned(&mut net, 1));
}

#[test]
fn t49_a_ban_bears_its_evidence_and_is_there_within_a_second() {
    let mut net = Net::fleet(5, Mode::Advisor);
    for node in [node_id(3), node_id(4)] {
        (0..3).for_each(|member| drop(net.command(member, Command::Vouch { node })));
        net.run(30);
    }
    tells(&mut net, 1, 2);
    (0..10).for_each(|_| net.step());
    for member in 0..5 {
        let row = row(&mut net, member).unwrap();
        assert_eq!(row.reason, BanReason::ForceCloses);
        assert_eq!(row.words.len(), 1);
        assert_eq!(row.words[0].evidence.force_closes, 2);
    }
    // A third one is no news of a quarter, many more are.
    tells(&mut net, 1, 40);
    net.run(2);
    let seen = row(&mut net, 0).unwrap().words[0].evidence.force_closes;
    assert!(seen > 2, "{seen}");
}

#[test]
fn an_operators_ban_survives_a_restart_with_its_reason() {
    let mut net = Net::fleet(2, Mode::Advisor);
    ban(&mut net, 0).unwrap();
    net.crash(0);
    net.boot(0, Mode::Advisor);
    net.connect(0, 1);
    net.run(60);
    let kept = row(&mut net, 0).unwrap();
    assert!(kept.banned && kept.said.as_deref() == Some("I don't like it"));
    assert!(kept.until.is_some());
    assert!(
        net.command(0, Command::Unban { peer: node_id(33) })
            .is_err()
    );
}

#[test]
fn members_are_neither_banned_nor_accused_by_what_their_nodes_did() {
    let mut net = Net::fleet(3, Mode::Advisor);
    for closes in [0, 9] {
        net.peers[0].local.peer_events = vec![PeerEvents {
            force_closes: closes,
            ..PeerEvents::none(node_id(1))
        }];
        let local = net.peers[0].local.clone();
        net.input(0, Input::Observed(&local));
    }
    net.run(10);
    for member in 0..3 {
        let rows = net.command(member, Command::Bans);
        assert_eq!(rows, Ok(Reply::Bans(Vec::new())), "{member}");
    }
    let (peer, reason) = (node_id(1), "a fellow".to_owned());
    assert!(net.command(0, Command::Ban { peer, reason }).is_err());
}
