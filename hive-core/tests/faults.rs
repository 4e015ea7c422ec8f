//! An open that comes to nothing: whose fault it was says how long its target is left alone.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod support;

use hive_core::{ActionResult, Command, Fault, Input, Reply};
use hive_policy::Mode;
use hive_types::limits::{OPEN_AWAY, OPEN_OWN_FAULT, OPEN_REFUSED};
use hive_types::{Action, Millis, NodeId};
use std::sync::Arc;
use support::{Net, halves};

/// A little more than the time between two plans.
const ROUND_SECS: u64 = 700;

/// A fleet whose opens end as the test says.
fn fleet() -> Net {
    let mut net = Net::fleet(3, Mode::Advisor);
    net.acts_succeed = false;
    net.run(60);
    net.input(0, Input::Graph(Arc::new(halves())));
    net.run(ROUND_SECS);
    net
}

fn proposals(net: &mut Net) -> Vec<(NodeId, hive_types::ActionId)> {
    let Ok(Reply::Proposals(rows)) = net.command(0, Command::Pending) else {
        panic!("nothing waits");
    };
    let opens = rows
        .into_iter()
        .filter_map(|row| match (row.proposal.action, row.id) {
            (Action::Open(open), Some(id)) => Some((open.target, id)),
            _ => None,
        });
    opens.collect()
}

/// Approves the first open that waits, and lets it end so. Gives its target.
fn fail(net: &mut Net, fault: Fault) -> NodeId {
    let (target, action) = *proposals(net).first().unwrap();
    let begun = net.peers[0].acts.len();
    net.command(
        0,
        Command::Approve {
            action,
            dry_run: false,
        },
    )
    .unwrap();
    net.run(30);
    assert_eq!(net.peers[0].acts.len(), begun + 1, "the lock is granted");
    let reason = "a test".to_owned();
    let result = ActionResult::NotDone {
        reason,
        fault: Some(fault),
    };
    let id = net.peers[0].acts[begun].0;
    net.input(0, Input::Completed { id, result });
    target
}

fn wants(net: &mut Net, target: NodeId) -> bool {
    match net.command(0, Command::Plan) {
        Ok(Reply::Plan(plan)) => plan
            .proposals
            .iter()
            .any(|row| matches!(&row.proposal.action, Action::Open(open) if open.target == target)),
        other => panic!("no plan: {other:?}"),
    }
}

/// All clocks go on, without what happens meanwhile.
fn skip(net: &mut Net, span: Millis) {
    net.millis += span.get();
    net.run(60);
}

/// The target is left alone until the span is nearly over, and wanted again soon after.
fn is_left_alone_for(fault: Fault, span: Millis) {
    let mut net = fleet();
    let target = fail(&mut net, fault);
    assert!(!wants(&mut net, target), "{fault:?}: left alone at first");
    let early = Millis::from_secs(300);
    skip(&mut net, Millis::new(span.get() - early.get()));
    assert!(
        !wants(&mut net, target),
        "{fault:?}: left alone until {span}"
    );
    skip(&mut net, early);
    assert!(wants(&mut net, target), "{fault:?}: wanted after {span}");
}

#[test]
fn a_target_that_refused_is_left_alone_for_a_week() {
    is_left_alone_for(Fault::Peer, OPEN_REFUSED);
}

#[test]
fn a_target_that_is_away_is_left_alone_for_an_hour() {
    is_left_alone_for(Fault::PeerAway, OPEN_AWAY);
}

#[test]
fn an_own_fault_keeps_the_same_open_back_for_a_block_only() {
    for own in [Fault::Node, Fault::Operator, Fault::Agent] {
        is_left_alone_for(own, OPEN_OWN_FAULT);
    }
}

#[test]
fn a_restart_does_not_make_a_member_ask_again() {
    let mut net = fleet();
    let target = fail(&mut net, Fault::Peer);
    net.crash(0);
    net.boot(0, Mode::Advisor);
    (1..3).for_each(|other| net.connect(0, other));
    net.input(0, Input::Graph(Arc::new(halves())));
    net.run(120);
    assert!(!wants(&mut net, target));
}

#[test]
fn who_stays_away_is_asked_less_often() {
    let mut net = fleet();
    let target = fail(&mut net, Fault::PeerAway);
    skip(&mut net, OPEN_AWAY);
    net.run(ROUND_SECS);
    let again = proposals(&mut net)
        .into_iter()
        .find(|(to, _)| *to == target);
    assert!(again.is_some(), "it is wanted again");
    for (_, action) in proposals(&mut net) {
        if Some((target, action)) != again {
            let reason = "another one".to_owned();
            net.command(0, Command::Reject { action, reason }).unwrap();
        }
    }
    assert_eq!(fail(&mut net, Fault::PeerAway), target);
    skip(&mut net, OPEN_AWAY);
    assert!(!wants(&mut net, target), "an hour is not enough this time");
    skip(&mut net, OPEN_AWAY);
    assert!(wants(&mut net, target));
}

#[test]
fn a_lock_that_was_not_got_is_no_fault_of_the_target() {
    let mut net = fleet();
    let (target, action) = *proposals(&mut net).first().unwrap();
    // Nobody is there to decide, and the wish is given up.
    net.disconnect(0, 1);
    net.disconnect(0, 2);
    net.cut.insert(0);
    net.command(
        0,
        Command::Approve {
            action,
            dry_run: false,
        },
    )
    .unwrap();
    net.run(30);
    assert!(net.peers[0].acts.is_empty());
    net.crash(0);
    net.boot(0, Mode::Advisor);
    net.cut.clear();
    (1..3).for_each(|other| net.connect(0, other));
    net.input(0, Input::Graph(Arc::new(halves())));
    net.run(120);
    assert!(wants(&mut net, target));
}

#[test]
fn results_from_before_faults_were_told_still_read() {
    let old = r#"{"not_done":{"reason":"the target can't be reached"}}"#;
    let read: ActionResult = serde_json::from_str(old).unwrap();
    let reason = "the target can't be reached".to_owned();
    assert_eq!(
        read,
        ActionResult::NotDone {
            reason,
            fault: None
        }
    );
    let fault = Some(Fault::PeerAway);
    let new = ActionResult::NotDone {
        reason: String::new(),
        fault,
    };
    let text = serde_json::to_string(&new).unwrap();
    assert_eq!(serde_json::from_str::<ActionResult>(&text).unwrap(), new);
}
