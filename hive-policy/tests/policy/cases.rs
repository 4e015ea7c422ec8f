//! Faults and attacks that must not work, by case number.

use crate::common::*;
use hive_policy::{
    Ending, Gate, GateState, LimitSettings, Limits, Mode, Refusal, SettleError, Settlement,
    Standing, Verdict,
};
use hive_types::{
    Action, FeeratePerKw, LocalSnapshot, LockView, Millis, Msat, NodeId, OnChain, Ppm, Sat, Tier,
    limits::PENDING_PROPOSALS,
};

const MOVE: u64 = 100_000_000;
const FEE: u64 = 1_000_000;

/// Puts a proposal to the operator and expects that the operator is asked.
fn ask(gate: &mut Gate, millis: u64, number: u64, proposal: &hive_types::Proposal) {
    let verdict = gate.consider(after(millis), id(number), proposal, &local(), full());
    assert!(matches!(verdict, Verdict::Ask(_)), "{verdict:?}");
}

fn with_lock<'a>(lock: &'a LockView) -> Standing<'a> {
    Standing {
        lock: Some(lock),
        ..full()
    }
}

fn budget_for_two() -> Limits {
    wide(|settings| {
        settings.budget_per_day = Sat::new(2_000);
        settings.cost_per_action = Msat::new(FEE);
    })
}

#[test]
fn t34_an_approval_hours_later_is_checked_again_and_needs_a_fresh_lock() {
    let mut gate = Gate::new(Limits::default(), Mode::Advisor);
    ask(&mut gate, 0, 1, &open(90));
    ask(&mut gate, 0, 2, &rebalance(10, 30, MOVE, 30_000));
    let late = after(10 * HOUR);

    let dear = LocalSnapshot {
        feerate: FeeratePerKw::new(1_001),
        ..local()
    };
    let refused = gate.approve(late, id(1), &dear, full());
    assert!(
        matches!(refused, Err(Refusal::Feerate { .. })),
        "{refused:?}"
    );
    let poor = LocalSnapshot {
        on_chain: OnChain {
            confirmed: Sat::new(1_200_999),
            ..OnChain::default()
        },
        ..local()
    };
    let refused = gate.approve(late, id(1), &poor, full());
    assert!(
        matches!(refused, Err(Refusal::Reserve { .. })),
        "{refused:?}"
    );
    let banned = Standing {
        banned: &[node(90)],
        ..full()
    };
    let refused = gate.approve(late, id(1), &local(), banned);
    assert!(
        matches!(refused, Err(Refusal::PeerBanned { .. })),
        "{refused:?}"
    );

    let proposal = gate.approve(late, id(1), &local(), full()).unwrap();
    assert_eq!(proposal, open(90));
    let stale = LockView {
        height: hive_types::BlockHeight::new(994),
        ..lock(90, id(1))
    };
    for (lock, what) in [
        (lock(91, id(1)), "another target"),
        (lock(90, id(2)), "another action"),
        (stale, "too old"),
        (
            LockView {
                holder: node(7),
                ..lock(90, id(1))
            },
            "another holder",
        ),
    ] {
        let refused = gate.authorize(late, id(1), &proposal, &local(), with_lock(&lock));
        let no_lock = matches!(
            refused,
            Err(Refusal::NoLock { .. } | Refusal::LockTooOld { .. })
        );
        assert!(no_lock, "{what}: {refused:?}");
    }
    let lock = lock(90, id(1));
    let refused = gate.authorize(late, id(1), &proposal, &dear, with_lock(&lock));
    assert!(
        matches!(refused, Err(Refusal::Feerate { .. })),
        "{refused:?}"
    );
    let other = open(91);
    let refused = gate.authorize(late, id(1), &other, &local(), with_lock(&lock));
    assert_eq!(refused, Err(Refusal::NotWhatWasApproved { id: id(1) }));
    assert_eq!(gate.ledger().count(), 0);

    let permit = gate
        .authorize(late, id(1), &proposal, &local(), with_lock(&lock))
        .unwrap();
    assert_eq!(permit.capital(), Sat::new(1_000_000));
    assert_eq!(permit.action(), &proposal.action);
    assert_eq!(gate.usage(late).opens, 1);
}

#[test]
fn t35_what_waits_counts_against_no_budget() {
    let mut gate = Gate::new(budget_for_two(), Mode::Advisor);
    for number in 0..10 {
        let proposal = rebalance(10 + number, 30 + number, MOVE, FEE);
        ask(&mut gate, 0, number.into(), &proposal);
    }
    assert_eq!(gate.usage(after(0)), hive_policy::Usage::default());
    gate.set_mode(Mode::Autonomous);
    for number in [10, 11] {
        let proposal = rebalance(10 + number, 30 + number, MOVE, FEE);
        let verdict = gate.consider(after(1), id(number.into()), &proposal, &local(), full());
        assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
    }
    let refused = gate.approve(after(2), id(0), &local(), full());
    assert!(
        matches!(refused, Err(Refusal::Budget { .. })),
        "{refused:?}"
    );
    assert_eq!(gate.pending().len(), 10, "it keeps waiting");
}

#[test]
fn t40_twenty_proposals_with_budget_for_two_run_exactly_two() {
    let mut gate = Gate::new(budget_for_two(), Mode::Autonomous);
    let mut state = GateState::default();
    let mut executed = 0;
    for number in 0..20 {
        let proposal = rebalance(10 + number, 30 + number, MOVE, FEE);
        let now = after(u64::from(number));
        match gate.consider(now, id(number.into()), &proposal, &local(), full()) {
            Verdict::Execute(permit) => {
                assert_eq!(permit.cost(), Msat::new(FEE));
                executed += 1;
            }
            Verdict::Refuse(Refusal::Budget { .. }) => (),
            other => panic!("{other:?}"),
        }
        restart(&mut gate, &mut state);
    }
    assert_eq!(executed, 2);
    gate.settle(after(30), id(0), Settlement::NotDone).unwrap();
    let again = rebalance(15, 35, MOVE, FEE);
    let verdict = gate.consider(after(31), id(40), &again, &local(), full());
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
}

#[test]
fn t40_twenty_approvals_with_budget_for_two_run_exactly_two() {
    let mut gate = Gate::new(budget_for_two(), Mode::Advisor);
    let mut state = GateState::default();
    let all: Vec<_> = (0..20)
        .map(|number| rebalance(10 + number, 30 + number, MOVE, FEE))
        .collect();
    for (number, proposal) in (0..).zip(&all) {
        ask(&mut gate, number, number, proposal);
    }
    for number in 0..20 {
        gate.approve(after(50), id(number), &local(), full())
            .unwrap();
        restart(&mut gate, &mut state);
    }
    let mut permits = 0;
    for (number, proposal) in (0..).zip(&all) {
        match gate.authorize(after(60), id(number), proposal, &local(), full()) {
            Ok(_) => permits += 1,
            Err(refusal) => assert!(matches!(refusal, Refusal::Budget { .. }), "{refusal:?}"),
        }
        restart(&mut gate, &mut state);
    }
    assert_eq!(permits, 2);
}

#[test]
fn t41_only_the_operator_changes_the_confidence_threshold() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Autonomous);
    let before = gate.limits().clone();
    let mut unsure = rebalance(49, 10, MOVE, FEE);
    unsure.confidence = Ppm::new(499_999);
    for number in 0..100 {
        let now = after(number * SECOND);
        let proposal = rebalance(10, 30, MOVE, 10);
        let verdict = gate.consider(now, id(number), &proposal, &local(), full());
        assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
        let spent = Msat::new(10);
        gate.settle(now, id(number), Settlement::Done { spent })
            .unwrap();
    }
    assert_eq!(gate.limits(), &before);
    let now = after(200 * SECOND);
    let refused = gate.authorize(now, id(200), &unsure, &local(), full());
    assert!(
        matches!(refused, Err(Refusal::Confidence { .. })),
        "{refused:?}"
    );
    let verdict = gate.consider(now, id(201), &unsure, &local(), full());
    assert!(matches!(verdict, Verdict::Ask(_)), "{verdict:?}");
    gate.reject(now, id(201)).unwrap();

    let lower = |settings: &mut LimitSettings| settings.min_confidence = Ppm::new(400_000);
    gate.set_limits(wide(lower));
    let verdict = gate.consider(now, id(202), &unsure, &local(), full());
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
}

#[test]
fn t42_an_approval_counts_once_in_time_and_from_a_full_member() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Advisor);
    let mut state = GateState::default();
    let proposals: Vec<_> = (0..4)
        .map(|n| rebalance(10 + n, 30 + n, MOVE, FEE))
        .collect();
    for (number, proposal) in (0..).zip(&proposals) {
        ask(&mut gate, 0, number, proposal);
    }
    let now = after(SECOND);
    let probationary = Standing {
        tier: Some(Tier::Probationary),
        ..full()
    };
    let refused = gate.approve(now, id(0), &local(), probationary);
    assert!(
        matches!(refused, Err(Refusal::Probationary { .. })),
        "{refused:?}"
    );

    gate.approve(now, id(0), &local(), full()).unwrap();
    restart(&mut gate, &mut state);
    let twice = gate.approve(now, id(0), &local(), full());
    assert_eq!(twice, Err(Refusal::AlreadyApproved { id: id(0) }));
    let permit = gate.authorize(now, id(0), &proposals[0], &local(), full());
    assert_eq!(permit.unwrap().id(), id(0));
    restart(&mut gate, &mut state);
    let carried_out = Refusal::Ended {
        id: id(0),
        ending: Ending::Authorized,
    };
    let again = gate.authorize(now, id(0), &proposals[0], &local(), full());
    assert_eq!(again, Err(carried_out.clone()));
    let again = gate.approve(now, id(0), &local(), full());
    assert_eq!(again, Err(carried_out));

    gate.reject(now, id(1)).unwrap();
    restart(&mut gate, &mut state);
    let refused = gate.approve(now, id(1), &local(), full());
    assert!(refused.unwrap_err().to_string().contains("rejected"));
    let refused = gate.approve(after(DAY), id(2), &local(), full());
    assert!(refused.unwrap_err().to_string().contains("expired"));
    let late = after(2 * DAY);
    let proposal = rebalance(20, 40, MOVE, FEE);
    let verdict = gate.consider(late, id(5), &proposal, &local(), full());
    assert!(matches!(verdict, Verdict::Ask(_)), "{verdict:?}");
    gate.approve(late, id(5), &local(), full()).unwrap();
    assert!(gate.withdraw(id(5)) && !gate.withdraw(id(5)));
    restart(&mut gate, &mut state);
    let refused = gate.authorize(late, id(5), &proposal, &local(), full());
    assert!(refused.unwrap_err().to_string().contains("withdrawn"));
    let unknown = gate.approve(now, id(99), &local(), full());
    assert_eq!(unknown, Err(Refusal::UnknownProposal { id: id(99) }));
    let entries: Vec<_> = gate.ledger().map(|entry| entry.id).collect();
    assert_eq!(entries, [id(0)], "one execution");
}

#[test]
fn t42_an_approval_that_is_not_carried_out_ends_within_the_hour() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Advisor);
    ask(&mut gate, 0, 1, &open(90));
    gate.approve(after(HOUR), id(1), &local(), full()).unwrap();
    let held = lock(90, id(1));
    let late = after(2 * HOUR);
    let refused = gate.authorize(late, id(1), &open(90), &local(), with_lock(&held));
    let ending = Ending::Expired;
    assert_eq!(refused, Err(Refusal::Ended { id: id(1), ending }));
    assert_eq!(gate.ledger().count(), 0);
}

#[test]
fn t42_a_wall_clock_set_back_reopens_no_approval() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Advisor);
    ask(&mut gate, 0, 1, &rebalance(10, 30, MOVE, FEE));
    let mut back = after(DAY);
    back.wall = hive_types::UnixMillis::new(START);
    let refused = gate.approve(back, id(1), &local(), full());
    assert!(refused.unwrap_err().to_string().contains("expired"));
}

#[test]
fn t43_switching_to_autonomous_runs_nothing_that_waited() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Advisor);
    let mut state = GateState::default();
    let proposal = rebalance(10, 30, MOVE, FEE);
    ask(&mut gate, 0, 1, &proposal);
    gate.set_mode(Mode::Autonomous);
    gate.tick(after(SECOND));
    restart(&mut gate, &mut state);
    assert_eq!(gate.ledger().count(), 0);
    assert_eq!(gate.pending().len(), 1);
    let refused = gate.authorize(after(SECOND), id(1), &proposal, &local(), full());
    assert_eq!(refused, Err(Refusal::NotApproved { id: id(1) }));
    let verdict = gate.consider(after(SECOND), id(2), &proposal, &local(), full());
    let waits = matches!(&verdict, Verdict::Refuse(Refusal::AlreadyPending { id: old, .. }) if *old == id(1));
    assert!(waits, "{verdict:?}");
    gate.approve(after(SECOND), id(1), &local(), full())
        .unwrap();
    let permit = gate.authorize(after(SECOND), id(1), &proposal, &local(), full());
    assert!(permit.is_ok(), "{permit:?}");
}

/// The type system keeps other crates out (see the doctests of `Authorized`); inside of this crate
/// one line makes permits.
#[test]
fn t44_one_place_makes_permits() {
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    let (mut makes, mut calls) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                makes += usize::from(line.contains("Authorized {") && !line.contains("struct"));
                if line.contains("for_reservation") {
                    calls.push((path.file_name().unwrap().to_owned(), line.trim().to_owned()));
                }
            }
        }
    }
    calls.sort();
    let lines: Vec<&str> = calls.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "let permit = Authorized::for_reservation(&entry, action.clone(), start_below);",
            "pub(super) fn for_reservation(",
        ]
    );
    // What is left is the block `impl Authorized {`; the maker's own says `Self`.
    assert_eq!(makes, 1);
}

#[test]
fn t44_advisor_mode_gives_no_permit_without_an_approval() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Advisor);
    let actions = [
        rebalance(10, 30, MOVE, FEE),
        set_policy(11, 5),
        probe(12, 1_000),
    ];
    for (number, proposal) in (0..).zip(&actions) {
        let refused = gate.authorize(after(0), id(number), proposal, &local(), full());
        assert_eq!(refused, Err(Refusal::NotApproved { id: id(number) }));
    }
    let held = lock(90, id(9));
    let refused = gate.authorize(after(0), id(9), &open(90), &local(), with_lock(&held));
    assert_eq!(refused, Err(Refusal::NotApproved { id: id(9) }));
    let verdict = gate.consider(after(0), id(9), &open(90), &local(), with_lock(&held));
    assert!(matches!(verdict, Verdict::Ask(_)), "{verdict:?}");
    assert_eq!(gate.ledger().count(), 0);
}

#[test]
fn t59_a_stuck_payment_holds_its_reservation_over_days_and_restarts() {
    let limits = wide(|settings| {
        settings.budget_per_day = Sat::new(2_000);
        settings.cost_per_action = Msat::new(FEE);
        settings.max_in_flight = Msat::new(2 * (MOVE + FEE));
    });
    let mut gate = Gate::new(limits, Mode::Autonomous);
    let mut state = GateState::default();
    let stuck = rebalance(10, 30, MOVE, FEE);
    let verdict = gate.consider(after(0), id(1), &stuck, &local(), full());
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
    gate.settle(after(1), id(1), Settlement::Unknown).unwrap();
    restart(&mut gate, &mut state);

    let later = after(20 * DAY);
    let verdict = gate.consider(later, id(2), &stuck, &local(), full());
    let under_way = matches!(verdict, Verdict::Refuse(Refusal::UnderWay { .. }));
    assert!(under_way, "no second push: {verdict:?}");
    let usage = gate.usage(later);
    assert_eq!(usage.reserved, Msat::new(FEE));
    assert_eq!(usage.in_flight, Msat::new(MOVE + FEE));
    let more = rebalance(11, 31, MOVE + 1, FEE);
    let verdict = gate.consider(later, id(3), &more, &local(), full());
    let full_up = matches!(verdict, Verdict::Refuse(Refusal::InFlight { .. }));
    assert!(full_up, "{verdict:?}");
    let long = Verdict::Refuse(Refusal::Cltv {
        blocks: 1_009,
        ceiling: 1_008,
    });
    let mut slow = rebalance(12, 32, MOVE, FEE);
    if let Action::Rebalance(rebalance) = &mut slow.action {
        rebalance.hops[0].cltv_blocks = 1_009;
    }
    assert_eq!(gate.consider(later, id(4), &slow, &local(), full()), long);

    let spent = Msat::new(FEE);
    gate.settle(later, id(1), Settlement::Done { spent })
        .unwrap();
    restart(&mut gate, &mut state);
    let day_after = after(21 * DAY - 1);
    assert_eq!(gate.usage(day_after).spent, spent, "it was spent that day");
    assert_eq!(gate.usage(after(21 * DAY)).spent, Msat::ZERO);
}

#[test]
fn a_backend_that_overspends_stops_everything() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Autonomous);
    let proposal = rebalance(10, 30, MOVE, FEE);
    let verdict = gate.consider(after(0), id(1), &proposal, &local(), full());
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
    let spent = Msat::new(FEE + 1);
    let over = gate.settle(after(1), id(1), Settlement::Done { spent });
    assert!(
        matches!(over, Err(SettleError::Overspent { .. })),
        "{over:?}"
    );
    assert_eq!(gate.usage(after(1)).spent, spent, "the truth is booked");
    let next = rebalance(11, 31, MOVE, FEE);
    let verdict = gate.consider(after(2), id(2), &next, &local(), full());
    assert_eq!(verdict, Verdict::Refuse(Refusal::Stopped));
    gate.release();
    let verdict = gate.consider(after(2), id(2), &next, &local(), full());
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
}

#[test]
fn settling_twice_books_once() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Autonomous);
    let proposal = rebalance(10, 30, MOVE, FEE);
    let verdict = gate.consider(after(0), id(1), &proposal, &local(), full());
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
    let done = Settlement::Done {
        spent: Msat::new(7),
    };
    assert_eq!(gate.settle(after(1), id(1), done), Ok(()));
    assert_eq!(gate.settle(after(2), id(1), done), Ok(()));
    assert_eq!(gate.settle(after(2), id(1), Settlement::Unknown), Ok(()));
    let released = gate.settle(after(2), id(1), Settlement::NotDone);
    assert_eq!(released, Err(SettleError::AlreadySettled(id(1))));
    let unknown = gate.settle(after(2), id(5), done);
    assert_eq!(unknown, Err(SettleError::UnknownAction(id(5))));
    assert_eq!(gate.usage(after(2)).cost(), Msat::new(7));
}

#[test]
fn a_pause_ends_by_itself_and_the_kill_switch_does_not() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Autonomous);
    let mut state = GateState::default();
    let proposal = rebalance(10, 30, MOVE, FEE);
    gate.pause(after(0), Millis::new(HOUR));
    restart(&mut gate, &mut state);
    gate.tick(after(0));
    assert_eq!(gate.next_wake(after(HOUR / 2)).get(), HOUR);
    let paused = gate.check(after(HOUR - 1), id(1), &proposal, &local(), full());
    assert!(matches!(paused, Err(Refusal::Paused { .. })), "{paused:?}");
    let paused = gate.check(after(HOUR), id(1), &proposal, &local(), full());
    assert_eq!(paused, Ok(()));
    gate.stop();
    restart(&mut gate, &mut state);
    gate.resume();
    let stopped = gate.check(after(90 * DAY), id(1), &proposal, &local(), full());
    assert_eq!(stopped, Err(Refusal::Stopped));
}

#[test]
fn the_queue_is_bounded_and_asks_nothing_twice() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Advisor);
    for number in 0..PENDING_PROPOSALS as u64 {
        let out = 10 + u8::try_from(number % 20).unwrap();
        let back = 30 + u8::try_from(number / 20).unwrap();
        ask(&mut gate, 0, number, &rebalance(out, back, MOVE, FEE));
    }
    let more = rebalance(40, 41, MOVE, FEE);
    let verdict = gate.consider(after(1), id(99), &more, &local(), full());
    let limit = PENDING_PROPOSALS;
    assert_eq!(verdict, Verdict::Refuse(Refusal::QueueFull { limit }));
    let verdict = gate.consider(after(1), id(0), &more, &local(), full());
    assert_eq!(verdict, Verdict::Refuse(Refusal::DuplicateId { id: id(0) }));
    let same = rebalance(10, 30, MOVE / 2, FEE / 2);
    let verdict = gate.consider(after(1), id(99), &same, &local(), full());
    let waits = matches!(verdict, Verdict::Refuse(Refusal::AlreadyPending { .. }));
    assert!(waits, "{verdict:?}");
    gate.tick(after(DAY));
    assert!(gate.pending().is_empty());
}

#[test]
fn nothing_is_done_by_who_may_not_or_knows_not() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Autonomous);
    let probationary = Standing {
        tier: Some(Tier::Probationary),
        ..full()
    };
    let stranger = Standing {
        tier: None,
        ..full()
    };
    let unsure = Standing {
        reconciled: false,
        ..full()
    };
    let spends = [open(90), rebalance(10, 30, MOVE, FEE)];
    let free = [set_policy(10, 5), probe(11, 1_000)];
    for proposal in spends.iter().chain(&free) {
        let check = |standing| gate.check(after(0), id(1), proposal, &local(), standing);
        assert_eq!(check(stranger), Err(Refusal::NotMember));
        assert_eq!(check(unsure), Err(Refusal::NotReconciled));
        assert_eq!(check(full()), Ok(()));
        let spends = proposal.cost > Msat::ZERO;
        assert_eq!(check(probationary).is_err(), spends, "{proposal:?}");
    }
    let verdict = gate.consider(after(0), id(1), &free[0], &local(), probationary);
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
}

#[test]
fn free_actions_are_rate_limited_and_opted_out_too() {
    let mut gate = Gate::new(wide(|s| s.actions_per_hour = 3), Mode::Autonomous);
    let own: fn(u8) -> NodeId = node;
    for number in 0..3 {
        let proposal = set_policy(10 + number, 5);
        let verdict = gate.consider(after(0), id(number.into()), &proposal, &local(), full());
        assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
    }
    let check = |gate: &Gate, millis, proposal: &hive_types::Proposal| {
        gate.check(after(millis), id(50), proposal, &local(), full())
    };
    let refused = check(&gate, HOUR - 1, &probe(20, 1_000));
    assert!(
        matches!(refused, Err(Refusal::ActionsPerHour { .. })),
        "{refused:?}"
    );
    assert_eq!(check(&gate, HOUR, &probe(20, 1_000)), Ok(()));
    gate.set_limits(wide(|s| {
        s.opted_out_peers.insert(own(20));
        s.opted_out_kinds.insert(hive_types::ActionKind::Rebalance);
    }));
    for proposal in [probe(20, 1_000), set_policy(20, 5), open(20)] {
        let refused = check(&gate, HOUR, &proposal);
        assert_eq!(refused, Err(Refusal::PeerOptedOut { peer: own(20) }));
    }
    let refused = check(&gate, HOUR, &rebalance(10, 30, MOVE, FEE));
    assert!(
        matches!(refused, Err(Refusal::KindOptedOut { .. })),
        "{refused:?}"
    );
}
