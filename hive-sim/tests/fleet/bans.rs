//! Outside peers that misbehave on the simulated network, and member keys in wrong hands.

use crate::support::*;
use hive_core::{BanRow, Command, Event, Reply};
use hive_policy::Mode;
use hive_proto::{
    Delta, Departure, DepartureReason, Item, Message, Record, RecordBody, RecordFields, RecordKind,
    Vote, VoteKind, VoteText, keys,
};
use hive_sim::fleet::Fleet;
use hive_sim::world::NodeSpec;
use hive_types::{BanReason, ChannelId, Millis, Msat, NodeId, Sat};

/// BOLT 1 type of the protocol's messages.
const MESSAGE_TYPE: u16 = 48_865;

fn rows(fleet: &mut Fleet, member: usize) -> Vec<BanRow> {
    match fleet.command(member, Command::Bans) {
        Ok(Reply::Bans(rows)) => rows,
        other => panic!("no bans: {other:?}"),
    }
}

fn row(fleet: &mut Fleet, member: usize, peer: NodeId) -> Option<BanRow> {
    rows(fleet, member).into_iter().find(|row| row.peer == peer)
}

/// An outside node with channels to the members named, twice as many as it closes.
fn closer(fleet: &mut Fleet, members: &[usize]) -> (NodeId, Vec<ChannelId>) {
    let spec = NodeSpec::agent(Sat::new(20_000_000));
    let peer = fleet.world_mut().add_node(spec).unwrap();
    let mut channels = Vec::new();
    for member in members {
        let node = fleet.node(*member);
        for _ in 0..4 {
            let half = Msat::new(500_000_000);
            let size = Sat::new(1_000_000);
            let channel = fleet.world_mut().settled_channel(peer, node, size, half);
            channels.push(channel.unwrap());
        }
    }
    // Members read their nodes at least once a minute.
    fleet.run_for(minutes(2));
    (peer, channels)
}

fn close_two_of(fleet: &mut Fleet, peer: NodeId, channels: &[ChannelId]) {
    for channel in channels.iter().take(2) {
        fleet.world_mut().force_close(peer, *channel).unwrap();
    }
}

fn open_to(
    fleet: &Fleet,
    member: usize,
    peer: NodeId,
) -> Vec<(ChannelId, hive_types::ChannelPolicy)> {
    let snapshot = fleet.world().snapshot(fleet.node(member)).unwrap();
    let channels = snapshot.channels.into_iter();
    let with = channels.filter(|channel| channel.peer == peer);
    with.map(|channel| (channel.channel_id, channel.local_policy.unwrap()))
        .collect()
}

#[test]
fn t49_evidence_reaches_all_within_seconds_and_t48_no_channel_is_closed() {
    let mut fleet = founded(5, 61, Mode::Autonomous);
    let (peer, channels) = closer(&mut fleet, &[0, 1]);
    let (first, second) = channels.split_at(4);
    close_two_of(&mut fleet, peer, first);
    let since = fleet.now();
    let reached = |fleet: &mut Fleet, count: usize| {
        (0..5).all(|member| {
            let known = row(fleet, member, peer);
            known.is_some_and(|row| row.words.len() >= count)
        })
    };
    let mut seconds = 0;
    while !reached(&mut fleet, 1) {
        fleet.run_for(secs(1));
        seconds += 1;
        assert!(seconds <= 10, "{seconds}");
    }
    println!(
        "a ban was everywhere after {} of simulated time",
        fleet.now().since(since)
    );
    // It bears its evidence, and is no ban for anybody but who saw it.
    for member in 0..5 {
        let known = row(&mut fleet, member, peer).unwrap();
        assert_eq!(known.words[0].author, fleet.node(0));
        assert_eq!(known.words[0].evidence.force_closes, 2);
        assert_eq!(known.banned, member == 0, "{member}");
    }
    close_two_of(&mut fleet, peer, second);
    fleet.run_for(secs(10));
    for member in 0..5 {
        let known = row(&mut fleet, member, peer).unwrap();
        assert!(
            known.banned && known.reason == BanReason::ForceCloses,
            "{member}"
        );
        let told = fleet.events().iter().any(|(_, by, event)| {
            *by == member && matches!(event, Event::PeerBanned { peer: of, .. } if *of == peer)
        });
        assert!(told, "{member}");
    }
    // What it closed is buried.
    fleet.run_for(Millis::from_hours(2));
    // What is open stays open, at the fee that it had; nobody opens another.
    let before: Vec<_> = (0..2).map(|member| open_to(&fleet, member, peer)).collect();
    assert!(before.iter().all(|open| open.len() == 2), "{before:?}");
    fleet.run_for(Millis::from_hours(12));
    let after: Vec<_> = (0..2).map(|member| open_to(&fleet, member, peer)).collect();
    assert_eq!(before, after);
    assert_eq!(by_target(&fleet).get(&peer), None);
    no_violation(&fleet);
}

/// A frame with these records as if this member's agent had sent it to all others.
fn hand_over(fleet: &mut Fleet, by: usize, records: Vec<Vec<u8>>) {
    let delta = Delta {
        hops: 1,
        items: records.into_iter().map(Item::Record).collect(),
        want: Vec::new(),
        more: false,
    };
    let frame = Message::Delta(delta).to_frame().unwrap();
    let from = fleet.node(by);
    for to in (0..fleet.agents().len()).filter(|to| *to != by) {
        let to = fleet.node(to);
        let world = fleet.world_mut();
        let _ = world.send_message(from, to, MESSAGE_TYPE, frame.clone());
    }
}

#[test]
fn a_stolen_member_key_is_void_after_rotation() {
    let mut fleet = founded(4, 62, Mode::Advisor);
    let (victim, thief, accused) = (1, 2, 3);
    let (stolen, manifest) = fleet.agents()[victim].disk().identity().unwrap();
    let node = fleet.node(victim);
    let epoch = manifest.certification().epoch;
    let hive = manifest.certification().hive;
    fleet.command(victim, Command::RotateKey).unwrap();
    fleet.run_for(minutes(3));
    let newer = fleet.agents()[victim].disk().manifest().unwrap();
    assert!(newer.certification().epoch > epoch);
    let records = |fleet: &Fleet, member: usize| {
        let all = fleet.agents()[member].disk().stored.records.clone();
        all.into_iter()
            .filter(|((author, _), _)| *author == node)
            .collect::<Vec<_>>()
    };
    let forge = |kind: RecordKind, key: Vec<u8>, counter: u64, body: Vec<u8>| {
        let version = hive_proto::Version {
            epoch,
            counter: hive_proto::Counter(counter),
        };
        let fields = RecordFields {
            author: node,
            version,
            key,
            kind,
            schema: 1,
            expiry_secs: 0,
            body,
        };
        Record::sign(fields, &stolen, &hive)
            .unwrap()
            .bytes()
            .to_vec()
    };
    let departure = Departure {
        node,
        reason: DepartureReason::Operator,
    };
    let newest = fleet.chain().newest(&hive).unwrap();
    let subject = fleet.node(accused);
    let text = VoteText {
        kind: VoteKind::Expel,
        subject,
        roster: newest.after.roster_hash(),
    };
    let vote = Vote::sign(text, node, epoch, &stolen, &hive);
    let forged = vec![
        forge(
            RecordKind::DEPARTURE,
            keys::departure(),
            1 << 30,
            departure.encode(),
        ),
        forge(
            RecordKind::VOTE,
            keys::vote(VoteKind::Expel, &subject),
            1 << 31,
            vote.encode(),
        ),
    ];
    hand_over(&mut fleet, thief, forged.clone());
    // Two votes and a stolen one would be three of four.
    for voter in [0, thief] {
        let reason = "test".to_owned();
        fleet
            .command(
                voter,
                Command::Expel {
                    node: subject,
                    reason,
                },
            )
            .unwrap();
    }
    fleet.run_for(minutes(5));
    let newest = fleet.chain().newest(&hive).unwrap();
    assert_eq!(
        newest.after.members().len(),
        4,
        "nobody left and nobody was put out"
    );
    for member in 0..4 {
        let held = records(&fleet, member);
        assert!(
            held.iter().all(|(_, bytes)| !forged.contains(bytes)),
            "{member}"
        );
        assert_eq!(fleet.status(member).stage, "member");
    }
    // The thief's own words go under in silence: nobody is blamed for them but by their own doing.
    assert!(
        !fleet
            .events()
            .iter()
            .any(|(_, _, event)| matches!(event, Event::Equivocation { .. }))
    );
    // The rightful voice is heard as before.
    let reason = "test".to_owned();
    fleet
        .command(
            victim,
            Command::Expel {
                node: subject,
                reason,
            },
        )
        .unwrap();
    fleet.run_for(minutes(5));
    let newest = fleet.chain().newest(&hive).unwrap();
    assert_eq!(newest.after.members().len(), 3);
}

#[test]
fn t18_an_expelled_member_gets_its_fees_back_and_holds_nothing() {
    let mut fleet = founded(4, 63, Mode::Autonomous);
    fleet.run_for(minutes(18));
    let out = fleet.node(3);
    let hive = fleet.agents()[0].disk().hive().unwrap();
    for voter in 0..3 {
        let reason = "test".to_owned();
        fleet
            .command(voter, Command::Expel { node: out, reason })
            .unwrap();
    }
    fleet.run_for(minutes(10));
    assert_eq!(fleet.status(3).stage, "alone");
    let disk = fleet.agents()[3].disk();
    assert!(disk.stored.saved_fees.is_empty());
    assert!(disk.stored.records.is_empty() && disk.stored.members.is_empty());
    assert!(
        !disk.stored.meta.contains_key("joining"),
        "no key to come back with"
    );
    let newest = fleet.chain().newest(&hive).unwrap();
    let mut locks = newest.after.locks().values();
    assert!(locks.all(|lock| lock.holder != out));
    // Nobody dials it again, nor does it dial anybody.
    fleet.run_for(minutes(10));
    for other in 0..3 {
        let peer = fleet.node(other);
        let rows = match fleet.command(other, Command::Members) {
            Ok(Reply::Members(rows)) => rows,
            other => panic!("no members: {other:?}"),
        };
        assert!(rows.iter().all(|row| row.node_id != out), "{peer}");
    }
    no_violation(&fleet);
}
