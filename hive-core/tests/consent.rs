//! Who may say yes: the operator, the oracle, nobody in a dry run; and what comes of it.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod support;

use hive_core::{Command, CommandError, Event, Input, LockRow, OracleAnswer, ProposalRow, Reply};
use hive_policy::Mode;
use hive_policy::oracle::{
    DecisionPacket, OracleReply, OracleVerdict, PACKET_VERSION, PacketAction,
};
use hive_policy::signature::sign;
use hive_types::limits::{HTTP_REPLY_BYTES, LOCK_FUNDED_BLOCKS, ORACLE_LIFETIME};
use hive_types::{Action, ActionId, Sat, UnixMillis};
use std::sync::Arc;
use support::{Net, START, halves, oracle_secret};

/// A little more than the time between two plans.
const ROUND_SECS: u64 = 700;

/// Two members, the first of which plans.
fn fleet(mode: Mode) -> Net {
    let mut net = Net::fleet(2, mode);
    net.run(60);
    net
}

fn plan(net: &mut Net) {
    net.input(0, Input::Graph(Arc::new(halves())));
    net.run(ROUND_SECS);
}

/// A fleet whose first member just asked its oracle.
fn asked() -> (Net, DecisionPacket) {
    let mut net = fleet(Mode::Oracle);
    net.input(0, Input::Graph(Arc::new(halves())));
    for _ in 0..10 * ROUND_SECS {
        net.step();
        if let Some((0, packet)) = net.questions.first() {
            let packet = packet.clone();
            return (net, packet);
        }
    }
    panic!("nothing was asked");
}

fn yes(packet: &DecisionPacket) -> OracleReply {
    OracleReply {
        version: PACKET_VERSION,
        action: packet.action,
        nonce: packet.nonce,
        verdict: OracleVerdict::Approve,
        reason: "cheap today".to_owned(),
        amount_sat: None,
    }
}

fn signed(net: &Net, body: Vec<u8>) -> OracleAnswer {
    let now = UnixMillis::new(START + net.millis);
    let signature = sign(oracle_secret().as_bytes(), now, &body);
    OracleAnswer { body, signature }
}

fn written(net: &Net, reply: &OracleReply) -> OracleAnswer {
    signed(net, serde_json::to_vec(reply).unwrap())
}

fn advise(net: &mut Net, action: ActionId, answer: Result<OracleAnswer, String>) {
    net.input(0, Input::Advice { action, answer });
    net.run(30);
}

fn pending(net: &mut Net) -> Vec<ProposalRow> {
    match net.command(0, Command::Pending) {
        Ok(Reply::Proposals(rows)) => rows,
        other => panic!("no list: {other:?}"),
    }
}

fn waits(net: &mut Net, action: ActionId) -> bool {
    pending(net).iter().any(|row| row.id == Some(action))
}

fn locks(net: &mut Net) -> Vec<LockRow> {
    match net.command(0, Command::Locks) {
        Ok(Reply::Locks(rows)) => rows,
        other => panic!("no list: {other:?}"),
    }
}

fn opened(net: &Net) -> Vec<(ActionId, Sat)> {
    let acts = net.peers[0].acts.iter();
    let opens = acts.filter_map(|(id, action)| match action {
        Action::Open(open) => Some((*id, open.capacity)),
        _ => None,
    });
    opens.collect()
}

fn approve(action: ActionId) -> Command {
    Command::Approve {
        action,
        dry_run: false,
    }
}

fn failed(net: &Net, action: ActionId) -> bool {
    let mut events = net.peers[0].events.iter();
    events.any(|event| matches!(event, Event::OracleFailed { id, .. } if *id == action))
}

fn proposed(net: &Net, action: ActionId) -> bool {
    let mut events = net.peers[0].events.iter();
    events.any(|event| matches!(event, Event::Proposed { id, .. } if *id == action))
}

fn capacity(packet: &DecisionPacket) -> Sat {
    match packet.proposal.action {
        PacketAction::Open { capacity_sat, .. } => capacity_sat,
        _ => panic!("not an open"),
    }
}

#[test]
fn the_oracle_says_yes_and_the_channel_is_opened() {
    let (mut net, packet) = asked();
    assert!(waits(&mut net, packet.action), "the operator may decide");
    assert!(!proposed(&net, packet.action), "but need not yet");
    assert!(opened(&net).is_empty());
    let answer = written(&net, &yes(&packet));
    advise(&mut net, packet.action, Ok(answer));
    assert_eq!(opened(&net), [(packet.action, capacity(&packet))]);
    let mut log = net.peers[0].stored.audit.iter();
    assert!(log.any(|entry| entry.text == "approved by the oracle: cheap today"));
}

#[test]
fn the_oracle_says_yes_to_less() {
    let (mut net, packet) = asked();
    let amount = packet.budget.limits.channel_min_sat;
    assert!(amount < capacity(&packet));
    let reply = OracleReply {
        amount_sat: Some(amount),
        ..yes(&packet)
    };
    let answer = written(&net, &reply);
    advise(&mut net, packet.action, Ok(answer));
    assert_eq!(opened(&net), [(packet.action, amount)]);
}

#[test]
fn the_oracle_says_no_and_nobody_can_approve_it_any_more() {
    let (mut net, packet) = asked();
    let reply = OracleReply {
        verdict: OracleVerdict::Deny,
        ..yes(&packet)
    };
    let answer = written(&net, &reply);
    advise(&mut net, packet.action, Ok(answer));
    assert!(!waits(&mut net, packet.action));
    let refused = net.command(0, approve(packet.action));
    let is_gone =
        matches!(&refused, Err(CommandError::NoProposal { reason }) if reason.contains("denied"));
    assert!(is_gone, "{refused:?}");
    assert!(opened(&net).is_empty());
}

/// Whatever else comes, the operator decides as in advisor mode, and still can.
#[test]
fn t39_anything_but_a_clear_answer_leaves_it_to_the_operator() {
    let (_, sample) = asked();
    let body = |reply: &OracleReply| serde_json::to_vec(reply).unwrap();
    let mut unknown = serde_json::to_value(yes(&sample)).unwrap();
    unknown["min_confidence"] = 0.into();
    let other_nonce = OracleReply {
        nonce: hive_types::Nonce::from_bytes([1; 32]),
        ..yes(&sample)
    };
    let too_much = OracleReply {
        amount_sat: Some(capacity(&sample).saturating_add(Sat::new(1))),
        ..yes(&sample)
    };
    let bodies = [
        b"Sure! APPROVE".to_vec(),
        Vec::new(),
        vec![b' '; HTTP_REPLY_BYTES + 1],
        unknown.to_string().into_bytes(),
        body(&other_nonce),
        body(&too_much),
    ];
    let mut answers: Vec<Option<Vec<u8>>> = bodies.into_iter().map(Some).collect();
    answers.push(None);
    for body in answers {
        let (mut net, packet) = asked();
        assert_eq!(packet, sample, "one seed gives one question");
        let shown = body
            .clone()
            .map(|body| String::from_utf8_lossy(&body).into_owned());
        let answer = match body {
            Some(body) => Ok(signed(&net, body)),
            None => Err("HTTP status 500".to_owned()),
        };
        advise(&mut net, packet.action, answer);
        assert!(opened(&net).is_empty(), "{shown:?}");
        assert!(waits(&mut net, packet.action), "{shown:?}");
        assert!(failed(&net, packet.action) && proposed(&net, packet.action));
        // The first answer was the only one that counts.
        let good = written(&net, &yes(&packet));
        advise(&mut net, packet.action, Ok(good));
        assert!(opened(&net).is_empty(), "{shown:?}");
        net.command(0, approve(packet.action)).unwrap();
        net.run(30);
        assert_eq!(opened(&net).len(), 1, "{shown:?}");
    }
}

#[test]
fn t39_a_signature_by_another_secret_counts_for_nothing() {
    let (mut net, packet) = asked();
    let answer = OracleAnswer {
        signature: sign(&[8; 32], UnixMillis::new(START + net.millis), b"{}"),
        ..written(&net, &yes(&packet))
    };
    advise(&mut net, packet.action, Ok(answer));
    assert!(opened(&net).is_empty() && waits(&mut net, packet.action));
}

#[test]
fn t39_no_answer_in_time_is_the_operators_question_and_a_late_one_counts_for_nothing() {
    let (mut net, packet) = asked();
    net.run(ORACLE_LIFETIME.get() / 1_000 + 1);
    assert!(failed(&net, packet.action) && proposed(&net, packet.action));
    let answer = written(&net, &yes(&packet));
    advise(&mut net, packet.action, Ok(answer));
    assert!(opened(&net).is_empty() && waits(&mut net, packet.action));
}

#[test]
fn t39_a_reply_replayed_after_a_restart_counts_for_nothing() {
    let (mut net, packet) = asked();
    let answer = written(&net, &yes(&packet));
    net.crash(0);
    net.boot(0, Mode::Oracle);
    net.connect(0, 1);
    net.run(5);
    advise(&mut net, packet.action, Ok(answer));
    assert!(opened(&net).is_empty());
    assert!(waits(&mut net, packet.action));
}

#[test]
fn t39_a_reply_used_once_is_used_up() {
    let (mut net, packet) = asked();
    net.acts_succeed = false;
    let answer = written(&net, &yes(&packet));
    advise(&mut net, packet.action, Ok(answer.clone()));
    advise(&mut net, packet.action, Ok(answer));
    assert_eq!(opened(&net).len(), 1);
}

#[test]
fn t43_a_change_of_mode_ends_every_question() {
    for mode in [Mode::Autonomous, Mode::Advisor, Mode::Oracle] {
        let (mut net, packet) = asked();
        let answer = written(&net, &yes(&packet));
        net.command(0, Command::Mode { mode: Some(mode) }).unwrap();
        advise(&mut net, packet.action, Ok(answer));
        assert!(opened(&net).is_empty(), "{mode:?}");
        assert!(waits(&mut net, packet.action), "{mode:?}");
    }
}

/// The oracle said yes, the lock is still sought, and the operator takes the mode away.
#[test]
fn t43_an_oracles_yes_that_was_not_carried_out_ends_with_its_mode() {
    for mode in [Mode::Autonomous, Mode::Advisor] {
        let (mut net, packet) = asked();
        let action = packet.action;
        // A founder decides alone among two; among three it needs another.
        net.add(2, Mode::Advisor);
        let ticket = net.ticket(0, hive_types::Tier::Full);
        net.command(2, Command::Join { ticket }).unwrap();
        net.run(10);
        net.disconnect(0, 1);
        net.disconnect(0, 2);
        net.cut.insert(0);
        let answer = Ok(written(&net, &yes(&packet)));
        net.input(0, Input::Advice { action, answer });
        net.run(5);
        assert!(opened(&net).is_empty(), "no majority, no lock");
        net.command(0, Command::Mode { mode: Some(mode) }).unwrap();
        net.cut.clear();
        net.connect(0, 1);
        net.connect(0, 2);
        net.run(120);
        assert!(opened(&net).is_empty(), "{mode:?}");
        let me = net.peers[0].id;
        assert!(locks(&mut net).iter().all(|lock| lock.holder != me));
    }
}

#[test]
fn t43_what_waited_is_not_run_by_the_switch_to_autonomous() {
    let mut net = fleet(Mode::Advisor);
    plan(&mut net);
    let waiting = pending(&mut net);
    assert!(!waiting.is_empty());
    let mode = Some(Mode::Autonomous);
    net.command(0, Command::Mode { mode }).unwrap();
    net.run(60);
    let ran = |row: &ProposalRow| opened(&net).iter().any(|(id, _)| Some(*id) == row.id);
    assert!(!waiting.iter().any(ran));
    assert!(waiting.iter().all(|row| waits(&mut net, row.id.unwrap())));
}

#[test]
fn t42_an_approved_or_rejected_question_is_closed() {
    let (mut net, packet) = asked();
    let answer = written(&net, &yes(&packet));
    net.command(0, approve(packet.action)).unwrap();
    advise(&mut net, packet.action, Ok(answer));
    assert_eq!(opened(&net).len(), 1);
    let again = net.command(0, approve(packet.action));
    assert!(
        matches!(again, Err(CommandError::NoProposal { .. })),
        "{again:?}"
    );
    assert_eq!(opened(&net).len(), 1);

    let (mut net, packet) = asked();
    let answer = written(&net, &yes(&packet));
    let (action, reason) = (packet.action, "no".to_owned());
    net.command(0, Command::Reject { action, reason }).unwrap();
    advise(&mut net, packet.action, Ok(answer));
    assert!(opened(&net).is_empty());
}

/// Whoever is no member any more approves nothing, however sound the proposal was.
#[test]
fn t42_an_approval_after_leaving_opens_nothing() {
    let mut net = fleet(Mode::Advisor);
    plan(&mut net);
    let action = pending(&mut net).first().and_then(|row| row.id).unwrap();
    net.command(0, Command::Leave).unwrap();
    net.run(60);
    let refused = net.command(0, approve(action));
    assert!(refused.is_err(), "{refused:?}");
    net.run(60);
    assert!(opened(&net).is_empty());
}

#[test]
fn mode_oracle_needs_a_secret_and_says_what_to_set() {
    let mut net = fleet(Mode::Advisor);
    net.has_oracle = false;
    net.crash(0);
    net.boot(0, Mode::Advisor);
    let mode = Some(Mode::Oracle);
    let refused = net.command(0, Command::Mode { mode });
    let says = matches!(&refused, Err(CommandError::Refused { reason }) if reason.contains("oracle.secret_file"));
    assert!(says, "{refused:?}");
    assert_eq!(
        net.command(0, Command::Mode { mode: None }),
        Ok(Reply::Mode(Mode::Advisor))
    );
}

/// The secret was taken out of the settings while the mode stayed: the operator decides.
#[test]
fn t39_without_a_secret_nobody_is_asked() {
    let mut net = fleet(Mode::Oracle);
    net.has_oracle = false;
    net.crash(0);
    net.boot(0, Mode::Oracle);
    net.connect(0, 1);
    net.run(60);
    plan(&mut net);
    assert!(net.questions.is_empty());
    let waiting = pending(&mut net);
    let first = waiting.first().and_then(|row| row.id).unwrap();
    assert!(failed(&net, first) && proposed(&net, first));
}

#[test]
fn t34_an_approval_hours_later_takes_a_fresh_lock() {
    let mut net = fleet(Mode::Advisor);
    plan(&mut net);
    let action = pending(&mut net).first().and_then(|row| row.id).unwrap();
    for index in 0..2 {
        let local = &mut net.peers[index].local;
        local.height = local.height.plus(60);
        let local = local.clone();
        net.input(index, Input::Observed(&local));
    }
    net.run(2 * 3_600);
    assert_eq!(locks(&mut net), []);
    net.acts_succeed = false;
    net.command(0, approve(action)).unwrap();
    net.run(5);
    let held = locks(&mut net);
    let heights: Vec<_> = held.iter().map(|lock| lock.height).collect();
    assert_eq!(heights, [net.peers[0].local.height]);
    assert_eq!(opened(&net).len(), 1);
}

/// A new epoch takes a member's records away, and with them what holds its lock while the funding is
/// not confirmed: it says it again.
#[test]
fn a_funding_holds_its_lock_over_a_new_epoch() {
    let mut net = fleet(Mode::Advisor);
    plan(&mut net);
    let action = pending(&mut net).first().and_then(|row| row.id).unwrap();
    net.command(0, approve(action)).unwrap();
    net.run(30);
    assert_eq!(opened(&net).len(), 1);
    let until = |net: &mut Net| match net.command(1, Command::Locks) {
        Ok(Reply::Locks(rows)) => rows.first().map(|lock| lock.until),
        other => panic!("no list: {other:?}"),
    };
    let funded = net.peers[0].local.height.plus(LOCK_FUNDED_BLOCKS);
    assert_eq!(until(&mut net), Some(funded));
    net.command(0, Command::RotateKey).unwrap();
    net.run(60);
    // It is said when the node is read, as it is every minute.
    let local = net.peers[0].local.clone();
    net.input(0, Input::Observed(&local));
    net.run(60);
    assert_eq!(until(&mut net), Some(funded));
}

#[test]
fn t35_what_waits_for_a_human_holds_no_lock() {
    let mut net = fleet(Mode::Advisor);
    plan(&mut net);
    assert!(!pending(&mut net).is_empty());
    assert_eq!(locks(&mut net), []);
    // A fellow that may act at once is not held up meanwhile.
    let mode = Some(Mode::Autonomous);
    net.command(1, Command::Mode { mode }).unwrap();
    net.input(1, Input::Graph(Arc::new(halves())));
    net.run(ROUND_SECS);
    let by_fellow = &net.peers[1].acts;
    assert!(matches!(by_fellow[..], [(_, Action::Open(_)), ..]));
    assert!(opened(&net).is_empty());
    assert!(
        locks(&mut net)
            .iter()
            .all(|lock| lock.holder != net.peers[0].id)
    );
}

#[test]
fn a_rehearsed_approval_moves_nothing_and_takes_no_lock() {
    let mut net = fleet(Mode::Advisor);
    plan(&mut net);
    let action = pending(&mut net).first().and_then(|row| row.id).unwrap();
    let head = net.status(0).head;
    let dry_run = true;
    let said = net.command(0, Command::Approve { action, dry_run });
    let tells = matches!(&said, Ok(Reply::Done(text)) if text.contains("nothing was done"));
    assert!(tells, "{said:?}");
    net.run(60);
    assert_eq!(net.status(0).head, head);
    assert!(opened(&net).is_empty() && waits(&mut net, action));
    let mut log = net.peers[0].stored.audit.iter();
    assert!(log.any(|entry| entry.subject == "dry_run" && entry.action == Some(action)));
    net.command(0, approve(action)).unwrap();
    net.run(30);
    assert_eq!(opened(&net).len(), 1);
}

#[test]
fn a_dry_run_by_configuration_says_each_thing_once_and_does_none() {
    let mut net = fleet(Mode::Autonomous);
    net.dry_run = true;
    net.crash(0);
    net.boot(0, Mode::Autonomous);
    net.connect(0, 1);
    net.run(60);
    let head = net.status(0).head;
    plan(&mut net);
    net.run(2 * ROUND_SECS);
    assert!(net.peers[0].acts.is_empty());
    assert_eq!(net.status(0).head, head, "no lock was asked for");
    let said: Vec<String> = net.peers[0]
        .events
        .iter()
        .filter_map(|event| match event {
            Event::DryRun { proposal, .. } => Some(proposal.explanation.summary.clone()),
            _ => None,
        })
        .collect();
    assert!(!said.is_empty());
    let once: std::collections::BTreeSet<&String> = said.iter().collect();
    assert_eq!(once.len(), said.len());
    assert!(net.peers[0].stored.gate.ledger.is_empty());
}
