//! Founding, joining, starting again, leaving.

mod support;

use hive_core::{Command, CommandError, Event};
use hive_policy::Mode;
use hive_types::Tier;
use support::{Net, node_id};

#[test]
fn t10_nobody_joins_without_a_ticket() {
    let mut net = Net::new(2, Mode::Advisor);
    net.command(0, Command::Init).unwrap();
    net.run(60);
    assert_eq!(net.tiers(0).len(), 1);
    assert_eq!(net.command(1, Command::Members), Err(CommandError::NoFleet));
}

#[test]
fn five_members_join_and_agree() {
    let mut net = Net::fleet(5, Mode::Advisor);
    net.run(120);
    let status: Vec<_> = (0..5).map(|index| net.status(index)).collect();
    for (index, one) in status.iter().enumerate() {
        assert_eq!(
            one.stage, "member",
            "{index}: {one:?} {:?}",
            net.peers[index].events
        );
        assert_eq!(one.members, 5, "{index}");
        assert_eq!(
            (one.head, &one.state),
            (status[0].head, &status[0].state),
            "{index}"
        );
    }
    let tiers = net.tiers(4);
    assert_eq!(tiers[&node_id(2)], Tier::Full);
    assert_eq!(tiers[&node_id(3)], Tier::Probationary);
}

#[test]
fn a_probationary_member_is_promoted_by_a_majority() {
    let mut net = Net::fleet(4, Mode::Advisor);
    let node = node_id(3);
    net.command(0, Command::Vouch { node }).unwrap();
    net.run(30);
    assert_eq!(net.tiers(1)[&node], Tier::Probationary);
    net.command(1, Command::Vouch { node }).unwrap();
    net.run(60);
    for index in 0..4 {
        assert_eq!(net.tiers(index)[&node], Tier::Full, "{index}");
    }
}

#[test]
fn t62_a_member_leaves_and_is_heard_no_more() {
    let mut net = Net::fleet(4, Mode::Advisor);
    net.command(2, Command::Leave).unwrap();
    net.run(120);
    assert_eq!(net.status(2).stage, "alone");
    for index in [0, 1, 3] {
        assert!(!net.tiers(index).contains_key(&node_id(2)), "{index}");
    }
}

#[test]
fn t62_the_last_member_can_leave() {
    let mut net = Net::fleet(2, Mode::Advisor);
    net.command(1, Command::Leave).unwrap();
    net.run(120);
    net.command(0, Command::Leave).unwrap();
    net.run(120);
    assert_eq!(
        (net.status(0).stage, net.status(1).stage),
        ("alone".into(), "alone".into())
    );
    assert!(net.peers[0].stored.records.is_empty());
}

#[test]
fn a_restarted_member_goes_on() {
    let mut net = Net::fleet(3, Mode::Advisor);
    net.run(60);
    net.crash(1);
    net.run(60);
    net.boot(1, Mode::Advisor);
    assert_eq!(net.status(1).stage, "starting");
    net.run(120);
    let (one, other) = (net.status(0), net.status(1));
    assert_eq!(other.stage, "member", "{:?}", net.peers[1].events);
    assert_eq!((one.state, one.head), (other.state, other.head));
    assert!(!net.peers[1].events.contains(&Event::Restored));
}

#[test]
fn t26_a_restored_backup_begins_a_new_epoch_and_is_not_flagged() {
    let mut net = Net::fleet(3, Mode::Advisor);
    let backup = net.peers[1].stored.clone();
    net.run(1_000);
    net.crash(1);
    net.peers[1].stored = backup;
    net.boot(1, Mode::Advisor);
    net.run(240);
    assert!(
        net.peers[1].events.contains(&Event::Restored),
        "{:?}",
        net.peers[1].events
    );
    let (one, other) = (net.status(0), net.status(1));
    assert_eq!(other.stage, "member", "{:?}", net.peers[1].events);
    assert_eq!((one.state, one.head), (other.state, other.head));
    let flagged = |event: &Event| matches!(event, Event::Equivocation { .. } | Event::CloneMet);
    assert!(!net.peers.iter().any(|peer| peer.events.iter().any(flagged)));
}

#[test]
fn t17_who_left_returns_with_a_new_ticket_only() {
    let mut net = Net::fleet(3, Mode::Advisor);
    net.command(2, Command::Leave).unwrap();
    net.run(120);
    assert_eq!(net.tiers(0).len(), 2);
    let ticket = net.ticket(0, Tier::Full);
    net.command(2, Command::Join { ticket }).unwrap();
    net.run(60);
    assert_eq!(net.tiers(0).len(), 3, "{:?}", net.peers[2].events);
    assert_eq!(net.status(2).stage, "member");
}

#[test]
fn t12_a_ticket_admits_one_node() {
    let mut net = Net::new(3, Mode::Advisor);
    net.command(0, Command::Init).unwrap();
    let ticket = net.ticket(0, Tier::Full);
    net.command(
        1,
        Command::Join {
            ticket: ticket.clone(),
        },
    )
    .unwrap();
    net.command(2, Command::Join { ticket }).unwrap();
    net.run(600);
    assert_eq!(net.tiers(0).len(), 2);
    let stages = [net.status(1).stage, net.status(2).stage];
    assert_eq!(
        stages.iter().filter(|stage| *stage == "member").count(),
        1,
        "{stages:?}"
    );
}

#[test]
fn t18_an_expelled_member_stays_out() {
    let mut net = Net::fleet(4, Mode::Advisor);
    let node = node_id(2);
    for index in [0, 1] {
        net.command(
            index,
            Command::Expel {
                node,
                reason: "test".into(),
            },
        )
        .unwrap();
    }
    net.run(120);
    assert!(!net.tiers(0).contains_key(&node));
    assert_eq!(net.status(2).stage, "alone", "{:?}", net.peers[2].events);
    let ticket = net.ticket(0, Tier::Probationary);
    net.command(2, Command::Join { ticket }).unwrap();
    net.run(300);
    assert_eq!(net.tiers(0).len(), 3);
}

#[test]
fn a_key_is_rotated_while_the_fleet_goes_on() {
    let mut net = Net::fleet(3, Mode::Advisor);
    net.command(1, Command::RotateKey).unwrap();
    net.run(120);
    let (one, other) = (net.status(0), net.status(1));
    assert_eq!((one.state, one.head), (other.state, other.head));
    assert_eq!(net.peers[0].stored.members[&node_id(1)].epoch, 2);
}

#[test]
fn t26_a_restored_founder_of_two_is_seated_again_by_its_fellow() {
    let mut net = Net::fleet(2, Mode::Advisor);
    let backup = net.peers[0].stored.clone();
    net.run(1_000);
    net.crash(0);
    net.peers[0].stored = backup;
    net.boot(0, Mode::Advisor);
    net.run(240);
    assert!(net.peers[0].events.contains(&Event::Restored));
    let (one, other) = (net.status(0), net.status(1));
    assert_eq!(
        (one.stage.as_str(), other.stage.as_str()),
        ("member", "member")
    );
    assert_eq!((one.state, one.head), (other.state, other.head));
    assert_eq!(net.peers[1].stored.members[&node_id(0)].epoch, 2);
}

#[test]
fn t26_an_older_copy_writes_nothing_before_a_fellow_was_heard() {
    let mut net = Net::fleet(3, Mode::Advisor);
    let copy = net.peers[1].stored.clone();
    net.run(400);
    net.crash(1);
    net.peers[1].stored = copy;
    net.cut.insert(1);
    net.boot(1, Mode::Advisor);
    net.run(30);
    assert_eq!(net.status(1).stage, "starting");
    net.cut.clear();
    net.run(240);
    assert_eq!(net.status(1).stage, "member");
    assert!(net.peers[1].events.contains(&Event::Restored));
}

#[test]
fn a_newcomer_after_a_checkpoint_reads_everybody() {
    let mut net = Net::fleet(3, Mode::Advisor);
    // Each rotation is a decision; checkpoints come after 128, and the chain's tail is 256.
    for round in 0..400 {
        net.command(round % 3, Command::RotateKey).unwrap();
        net.run(3);
    }
    net.run(120);
    assert!(net.status(0).head > 400, "{}", net.status(0).head);
    net.add(3, Mode::Advisor);
    let ticket = net.ticket(0, Tier::Probationary);
    net.command(3, Command::Join { ticket }).unwrap();
    net.run(300);
    let (one, newcomer) = (net.status(0), net.status(3));
    assert_eq!(newcomer.members, 4, "{:?}", net.peers[3].events);
    assert_eq!((one.state, one.head), (newcomer.state, newcomer.head));
    // Balances are for full members.
    for index in [0, 1] {
        net.command(index, Command::Vouch { node: node_id(3) })
            .unwrap();
    }
    net.run(120);
    let read: Vec<_> = net.peers[3]
        .stored
        .records
        .keys()
        .map(|(author, _)| *author)
        .collect();
    assert!((0..4).all(|number| read.contains(&node_id(number))));
}

#[test]
fn t27_a_clock_that_is_off_is_told_and_changes_nothing() {
    let alerts = |net: &Net, index: usize, words: &str| {
        let events = net.peers[index].events.iter();
        events
            .filter(|event| matches!(event, Event::Alert { text } if text.contains(words)))
            .count()
    };
    let (own, fellows) = ("this machine's clock", "the clock of fellow");
    let minutes = |minutes: i64| minutes * 60_000;
    for skew in [minutes(6), minutes(-6), minutes(24 * 60), minutes(-24 * 60)] {
        let mut net = Net::fleet(5, Mode::Advisor);
        net.run(120);
        assert!((0..5).all(|index| alerts(&net, index, "clock") == 0));
        net.peers[3].skew_millis = skew;
        net.run(1_200);
        // The one whose clock is off is told so once, the others of it once each.
        for index in 0..5 {
            let is_off = index == 3;
            assert_eq!(
                alerts(&net, index, own),
                usize::from(is_off),
                "{index} at {skew}"
            );
            assert!(
                is_off || alerts(&net, index, fellows) == 1,
                "{index} at {skew}"
            );
        }
        assert!(
            net.status(3)
                .alerts
                .iter()
                .any(|alert| alert.contains("clock"))
        );
        let state = net.status(0).state;
        for index in 0..5 {
            let status = net.status(index);
            assert_eq!(
                (status.members, &status.state),
                (5, &state),
                "{index} at {skew}"
            );
        }
    }
}

#[test]
fn t10_a_forged_ticket_is_told_at_once() {
    let mut net = Net::new(2, Mode::Advisor);
    net.command(0, Command::Init).unwrap();
    let ticket = net.ticket(0, Tier::Full);
    let mut body = ticket.body().clone();
    body.id = hive_types::TicketId::from_bytes([7; 16]);
    let thief = hive_proto::MemberSecret::from_bytes(&[9; 32]).unwrap();
    let forged = hive_proto::Ticket::sign(body, &thief).unwrap();
    net.command(1, Command::Join { ticket: forged }).unwrap();
    net.run(5);
    assert_eq!(net.status(1).stage, "alone", "{:?}", net.peers[1].events);
    assert_eq!(net.tiers(0).len(), 1);
    let told = net.peers[1].events.iter();
    let mut told = told.filter_map(|event| match event {
        Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(told.any(|reason| reason.contains("signature")));
    let alerts = net.status(1).alerts;
    let shown = |alerts: &[String]| alerts.iter().any(|alert| alert.contains("signature"));
    assert!(shown(&alerts), "{alerts:?}");
    // A new attempt is a new story.
    let ticket = net.ticket(0, Tier::Full);
    net.command(1, Command::Join { ticket }).unwrap();
    net.run(60);
    assert_eq!(net.status(1).stage, "member");
    assert!(!shown(&net.status(1).alerts));
}
