//! What leaving does to that which waits for a yes or for a lock.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod support;

use hive_core::{ActionState, Command, Event, Input, ProposalRow, Reply};
use hive_policy::Mode;
use hive_types::{ActionId, Tier};
use std::sync::Arc;
use support::{Net, halves};

/// A little more than the time between two plans.
const ROUND_SECS: u64 = 700;

/// Two members, the first of which has planned.
fn planned() -> (Net, Vec<ProposalRow>) {
    let mut net = Net::fleet(2, Mode::Advisor);
    net.run(60);
    net.input(0, Input::Graph(Arc::new(halves())));
    net.run(ROUND_SECS);
    let rows = pending(&mut net);
    assert!(!rows.is_empty(), "nothing was proposed");
    (net, rows)
}

fn pending(net: &mut Net) -> Vec<ProposalRow> {
    match net.command(0, Command::Pending) {
        Ok(Reply::Proposals(rows)) => rows,
        other => panic!("no list: {other:?}"),
    }
}

fn approve(net: &mut Net, action: ActionId) {
    let dry_run = false;
    let approved = net.command(0, Command::Approve { action, dry_run });
    assert!(approved.is_ok(), "{approved:?}");
}

fn has_left(net: &Net) -> bool {
    let mut events = net.peers[0].events.iter();
    events.any(|event| matches!(event, Event::Left))
}

/// With fellows in reach leaving takes a moment: nothing waits from its first one on. A new fleet begins with
/// nothing of the old one, over a restart too.
#[test]
fn t62_what_waits_is_withdrawn_by_leaving() {
    let (mut net, rows) = planned();
    net.command(0, Command::Leave).unwrap();
    assert_eq!(pending(&mut net), []);
    net.run(60);
    assert!(has_left(&net));
    let ids: Vec<ActionId> = rows.iter().filter_map(|row| row.id).collect();
    let is_old = |row: &ProposalRow| row.id.is_some_and(|id| ids.contains(&id));
    net.command(0, Command::Init).unwrap();
    net.run(ROUND_SECS);
    // The new fleet plans for itself.
    assert!(!pending(&mut net).iter().any(is_old));
    net.crash(0);
    net.boot(0, Mode::Advisor);
    net.run(5);
    assert!(!pending(&mut net).iter().any(is_old));
    let log = net.peers[0].stored.audit.iter();
    let withdrawn = log.filter(|entry| entry.subject == "withdraw");
    let withdrawn: Vec<ActionId> = withdrawn.filter_map(|entry| entry.action).collect();
    assert!(ids.iter().all(|id| withdrawn.contains(id)), "{withdrawn:?}");
}

/// Who leaves out of everybody's reach leaves at once.
#[test]
fn t62_what_waits_is_withdrawn_where_nobody_answers() {
    let (mut net, _) = planned();
    net.disconnect(0, 1);
    net.command(0, Command::Leave).unwrap();
    assert!(has_left(&net));
    assert_eq!(pending(&mut net), []);
}

/// An approved open that never got its lock ends with its fleet: it neither opens anything later nor takes a
/// place of the next fleet's.
#[test]
fn t62_an_open_that_seeks_its_lock_ends_with_its_fleet() {
    let (mut net, rows) = planned();
    let id = rows[0].id.unwrap();
    // A founder decides alone among two; among three it needs another.
    net.add(2, Mode::Advisor);
    let ticket = net.ticket(0, Tier::Full);
    net.command(2, Command::Join { ticket }).unwrap();
    net.run(10);
    net.disconnect(0, 1);
    net.disconnect(0, 2);
    net.cut.insert(0);
    approve(&mut net, id);
    net.run(5);
    let state = |net: &Net| net.peers[0].stored.actions[&id].state;
    assert_eq!(state(&net), ActionState::Intended);
    net.command(0, Command::Leave).unwrap();
    assert_eq!(state(&net), ActionState::NotDone);
    net.command(0, Command::Init).unwrap();
    net.run(2 * ROUND_SECS);
    assert!(net.peers[0].acts.is_empty());
    let actions = net.peers[0].stored.actions.values();
    let wanted = actions.filter(|action| action.state == ActionState::Intended);
    assert_eq!(wanted.count(), 0);
    // Both places for opens under way are free for the new fleet.
    assert!(!pending(&mut net).is_empty());
}
