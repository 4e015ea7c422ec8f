//! Plans: made beside the machine, held to the present when they come, and announced to fellows.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod support;

use hive_core::{Command, CommandError, Event, Input, Planned, Reply};
use hive_policy::Mode;
use hive_types::{Action, Millis, NodeId, Sat, limits};
use std::sync::Arc;
use support::{Net, halves};

/// A little more than the time between two plans.
const ROUND_SECS: u64 = 700;

/// Full members of one fleet; the first `planning` of them know a graph.
fn fleet(count: u8, planning: usize) -> Net {
    let mut net = Net::fleet(count, Mode::Advisor);
    net.run(60);
    learn_graph(&mut net, 0..planning);
    net
}

fn learn_graph(net: &mut Net, members: std::ops::Range<usize>) {
    let graph = Arc::new(halves());
    for index in members {
        net.input(index, Input::Graph(graph.clone()));
    }
}

fn targets(reply: Result<Reply, CommandError>) -> Vec<NodeId> {
    let rows = match reply {
        Ok(Reply::Proposals(rows)) => rows,
        Ok(Reply::Plan(plan)) => plan.proposals,
        other => panic!("no proposals: {other:?}"),
    };
    let opens = rows
        .into_iter()
        .filter_map(|row| match row.proposal.action {
            Action::Open(open) => Some(open.target),
            _ => None,
        });
    opens.collect()
}

fn pending(net: &mut Net, index: usize) -> Vec<NodeId> {
    targets(net.command(index, Command::Pending))
}

fn planned(net: &mut Net, index: usize) -> Vec<NodeId> {
    targets(net.command(index, Command::Plan))
}

fn raise_tip(net: &mut Net, blocks: u32) {
    for index in 0..net.peers.len() {
        let local = &mut net.peers[index].local;
        local.height = local.height.plus(blocks);
        let local = local.clone();
        net.input(index, Input::Observed(&local));
    }
}

/// The first has no money any more and says so: whatever keeps others from its targets, it is not
/// that the plan would have it open there.
fn impoverish_first(net: &mut Net) {
    set_money(net, 0, Sat::ZERO);
    net.run(ROUND_SECS);
}

fn set_money(net: &mut Net, index: usize, confirmed: Sat) {
    net.peers[index].local.on_chain.confirmed = confirmed;
    let local = net.peers[index].local.clone();
    net.input(index, Input::Observed(&local));
}

fn reject_all(net: &mut Net, index: usize) {
    let Ok(Reply::Proposals(rows)) = net.command(index, Command::Pending) else {
        panic!("nothing waits");
    };
    for action in rows.into_iter().filter_map(|row| row.id) {
        let reason = "not this one".to_owned();
        let command = Command::Reject { action, reason };
        net.command(index, command).unwrap();
    }
}

#[test]
fn a_member_goes_on_while_its_one_plan_is_made() {
    let mut net = fleet(3, 3);
    net.holds_plans = true;
    net.run(3 * ROUND_SECS);
    let asked: Vec<usize> = net.plans.iter().map(|(index, _)| *index).collect();
    assert_eq!(asked.len(), 3, "one each, whatever became due: {asked:?}");
    let head = net.status(0).head;
    net.command(1, Command::RotateKey).unwrap();
    net.run(30);
    assert!(net.status(0).head > head, "the fleet decides meanwhile");
    // An operator's question joins the plan that is being made.
    let id = net.ask(0, Command::Plan);
    assert_eq!(net.plans.len(), 3);
    assert!(net.answer(id).is_none());
    net.make_plans();
    let shown = targets(net.answer(id).unwrap());
    assert!(!shown.is_empty());
    assert_eq!(pending(&mut net, 0), shown);
}

#[test]
fn a_plan_says_how_old_its_graph_is() {
    let mut net = fleet(3, 3);
    net.run(120);
    let Ok(Reply::Plan(shown)) = net.command(0, Command::Plan) else {
        panic!("no plan");
    };
    let note = shown.notes.last().unwrap();
    assert!(note.contains("was read 2 min ago"), "{note}");
    let graph = halves();
    let size = format!(
        "{} nodes and {} channels",
        graph.node_count(),
        graph.channel_count()
    );
    assert!(note.contains(&size), "{note}");
}

#[test]
fn an_answer_counts_for_the_open_question_and_its_membership_only() {
    let mut net = fleet(3, 3);
    net.holds_plans = true;
    net.run(ROUND_SECS);
    let plans = std::mem::take(&mut net.plans);
    // The first begins a new epoch meanwhile, the second leaves, the third is stopped.
    let ids = [0, 1, 2].map(|index| net.ask(index, Command::Plan));
    net.command(0, Command::RotateKey).unwrap();
    net.run(30);
    net.command(1, Command::Leave).unwrap();
    net.run(90);
    net.command(2, Command::Pause { span: None }).unwrap();
    for (index, request) in plans {
        let answer = request.perform();
        net.input(index, Input::Planned(answer.clone()));
        net.input(index, Input::Planned(answer));
    }
    let answers = ids.map(|id| net.answer(id).unwrap());
    assert_eq!(answers[0], Err(CommandError::NoFleet));
    assert_eq!(answers[1], Err(CommandError::NoFleet));
    assert!(
        !targets(answers[2].clone()).is_empty(),
        "shown all the same"
    );
    for index in 0..3 {
        assert!(pending(&mut net, index).is_empty(), "{index}");
    }
    // The place is free again.
    let id = net.ask(0, Command::Plan);
    net.make_plans();
    assert!(!targets(net.answer(id).unwrap()).is_empty());
}

/// The second asked for a plan while it alone had money; before that is made, the first plans with
/// its own money and announces. What the first announced, and what the second then proposes.
fn crossing(is_rejected: bool) -> (Vec<NodeId>, Vec<NodeId>) {
    let mut net = fleet(2, 0);
    set_money(&mut net, 0, Sat::ZERO);
    net.run(ROUND_SECS);
    net.holds_plans = true;
    learn_graph(&mut net, 1..2);
    net.run(ROUND_SECS);
    let late = net.plans.pop().unwrap();
    assert_eq!((late.0, net.plans.len()), (1, 0));
    net.holds_plans = false;
    let money = Sat::new(20_000_000);
    set_money(&mut net, 0, money);
    set_money(&mut net, 1, Sat::ZERO);
    net.run(ROUND_SECS);
    learn_graph(&mut net, 0..1);
    net.run(ROUND_SECS);
    let announced = pending(&mut net, 0);
    if is_rejected {
        reject_all(&mut net, 0);
    }
    set_money(&mut net, 1, money);
    net.run(30);
    net.plans.push(late);
    net.make_plans();
    (announced, pending(&mut net, 1))
}

#[test]
fn what_fellows_announced_while_a_plan_was_made_is_left_to_them() {
    let both = |(announced, proposed): (Vec<NodeId>, Vec<NodeId>)| {
        let common = announced.iter().filter(|to| proposed.contains(to));
        common.count()
    };
    assert!(
        both(crossing(true)) > 0,
        "the late plan wants what the first wanted"
    );
    assert_eq!(both(crossing(false)), 0);
}

#[test]
fn a_planner_that_breaks_down_costs_its_plan_and_no_more() {
    let mut net = fleet(2, 2);
    net.holds_plans = true;
    net.run(ROUND_SECS);
    let (index, request) = net.plans.remove(0);
    let id = net.ask(index, Command::Plan);
    let failed = Planned::failed(request.id(), "out of memory");
    net.input(index, Input::Planned(failed));
    assert!(matches!(
        net.answer(id),
        Some(Err(CommandError::Refused { .. }))
    ));
    let events = &net.peers[index].events;
    let alert = |event: &Event| matches!(event, Event::Alert { text } if text.contains("memory"));
    assert!(events.iter().any(alert));
    net.holds_plans = false;
    assert!(!planned(&mut net, index).is_empty());
}

#[test]
fn t35_a_proposal_that_waits_reserves_softly_and_ends() {
    let mut net = fleet(3, 1);
    net.run(ROUND_SECS);
    let reserved = pending(&mut net, 0);
    assert!(!reserved.is_empty());
    impoverish_first(&mut net);
    learn_graph(&mut net, 1..3);
    let is_free = |net: &mut Net| {
        let wanted = planned(net, 1);
        reserved.iter().any(|target| wanted.contains(target))
    };
    // Others plan around it, and nobody is locked out of anything.
    assert!(!is_free(&mut net));
    assert_eq!(net.command(0, Command::Locks), Ok(Reply::Locks(Vec::new())));
    // Half a day later the target is anybody's, though nobody has said yes or no.
    raise_tip(&mut net, 72);
    assert_eq!(pending(&mut net, 0), reserved);
    assert!(is_free(&mut net));
    // A day later it does not wait any more.
    net.millis += Millis::from_hours(24).get();
    net.run(60);
    assert!(pending(&mut net, 0).is_empty());
    let is_lock = |event: &Event| matches!(event, Event::Locked { .. });
    assert!(!net.peers[0].events.iter().any(is_lock));
}

#[test]
fn t35_a_rejected_proposal_is_free_at_once() {
    let mut net = fleet(2, 1);
    net.run(ROUND_SECS);
    let reserved = pending(&mut net, 0);
    impoverish_first(&mut net);
    learn_graph(&mut net, 1..2);
    let before = planned(&mut net, 1);
    assert!(before.iter().all(|target| !reserved.contains(target)));
    reject_all(&mut net, 0);
    net.run(30);
    let after = planned(&mut net, 1);
    assert!(after.iter().any(|target| reserved.contains(target)));
}

#[test]
fn what_a_silent_fellow_announced_keeps_nobody_from_it() {
    let mut net = fleet(2, 1);
    net.run(ROUND_SECS);
    let reserved = pending(&mut net, 0);
    impoverish_first(&mut net);
    learn_graph(&mut net, 1..2);
    let wants = |net: &mut Net| {
        let wanted = planned(net, 1);
        reserved.iter().any(|target| wanted.contains(target))
    };
    assert!(!wants(&mut net), "the first is there and means it");
    net.cut.insert(0);
    net.disconnect(0, 1);
    net.run(limits::HEARTBEAT_STALE.get() / 1_000 + ROUND_SECS);
    assert!(wants(&mut net));
}
