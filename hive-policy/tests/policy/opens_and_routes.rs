//! Limits of single actions: what an open and a route must be like.

use crate::common::*;
use hive_policy::{Gate, Malformed, Mode, Refusal, Settlement, Standing, Verdict};
use hive_types::{
    Action, FeeratePerKw, LocalSnapshot, Msat, OnChain, Ppm, Proposal, Rebalance, Sat,
};

const MOVE: u64 = 100_000_000;
const FEE: u64 = 1_000_000;

fn check(proposal: &Proposal) -> Refusal {
    let gate = Gate::new(wide(|_| ()), Mode::Autonomous);
    gate.check(after(0), id(1), proposal, &local(), full())
        .unwrap_err()
}

fn malformed(proposal: &Proposal) -> Malformed {
    match check(proposal) {
        Refusal::Malformed { problem, .. } => problem,
        other => panic!("{other:?}"),
    }
}

fn changed(change: impl FnOnce(&mut Rebalance)) -> Proposal {
    let mut proposal = rebalance(10, 30, MOVE, FEE);
    if let Action::Rebalance(rebalance) = &mut proposal.action {
        change(rebalance);
    }
    proposal
}

#[test]
fn a_route_delivers_and_costs_what_it_says() {
    assert_eq!(
        malformed(&changed(|r| r.hops.clear())),
        Malformed::RouteLength
    );
    assert_eq!(
        malformed(&changed(|r| r.hops.truncate(2))),
        Malformed::RouteEnd
    );
    let elsewhere = changed(|r| r.hops[2].to = node(77));
    assert_eq!(malformed(&elsewhere), Malformed::RouteEnd);
    let other_peer = changed(|r| r.hops[0].to = node(77));
    assert_eq!(malformed(&other_peer), Malformed::RouteStart);
    let less_comes_back = changed(|r| r.hops[2].amount = Msat::new(MOVE - 1));
    assert_eq!(malformed(&less_comes_back), Malformed::RouteAmounts);
    let grows = changed(|r| r.hops[0].amount = Msat::new(1));
    assert_eq!(malformed(&grows), Malformed::RouteAmounts);
    let dearer = changed(|r| r.hops[0].amount = Msat::new(MOVE + FEE + 1));
    assert_eq!(malformed(&dearer), Malformed::CostUnderstated);
    let mut cheap_words = rebalance(10, 30, MOVE, FEE);
    cheap_words.cost = Msat::new(FEE - 1);
    assert_eq!(malformed(&cheap_words), Malformed::CostUnderstated);
    let nothing = rebalance(10, 30, 0, 0);
    assert_eq!(malformed(&nothing), Malformed::NoAmount);
    let not_ours = rebalance(60, 30, MOVE, FEE);
    assert_eq!(
        check(&not_ours),
        Refusal::NotOurChannel { channel: scid(60) }
    );
    let comes_back_elsewhere = rebalance(10, 60, MOVE, FEE);
    let channel = scid(60);
    assert_eq!(
        check(&comes_back_elsewhere),
        Refusal::NotOurChannel { channel }
    );
}

#[test]
fn rebalance_fees_have_a_rate_and_a_ceiling() {
    let fee = Msat::new(1_000_001);
    let refused = check(&rebalance(10, 30, MOVE, fee.get()));
    assert!(
        matches!(refused, Refusal::RebalanceRate { .. }),
        "{refused:?}"
    );
    let refused = check(&rebalance(10, 30, 2 * MOVE, fee.get()));
    let ceiling = Msat::new(1_000_000);
    assert_eq!(refused, Refusal::RebalanceFee { fee, ceiling });
    let text = refused.to_string();
    assert!(
        text.contains("1000001msat") && text.contains("rebalance_fee"),
        "{text}"
    );
}

#[test]
fn an_open_stays_inside_size_feerate_and_cost() {
    let with = |change: fn(&mut hive_types::OpenChannel)| {
        let mut proposal = open(90);
        if let Action::Open(open) = &mut proposal.action {
            change(open);
        }
        proposal
    };
    let small = check(&with(|open| open.capacity = Sat::new(499_999)));
    assert!(matches!(small, Refusal::ChannelSize { .. }), "{small:?}");
    let large = check(&with(|open| open.capacity = Sat::new(5_000_001)));
    assert!(matches!(large, Refusal::ChannelSize { .. }), "{large:?}");
    let dear = check(&with(|open| {
        open.feerate_ceiling = FeeratePerKw::new(5_001)
    }));
    assert!(matches!(dear, Refusal::Feerate { .. }), "{dear:?}");
    assert_eq!(malformed(&open(ME)), Malformed::OpensToSelf);
    let mut free = open(90);
    free.cost = Msat::new(443_999);
    assert_eq!(malformed(&free), Malformed::CostUnderstated);
    let mut costly = open(90);
    costly.cost = Msat::new(5_000_001);
    let refused = check(&costly);
    assert!(matches!(refused, Refusal::ActionCost { .. }), "{refused:?}");
}

#[test]
fn an_open_needs_a_synced_node_and_leaves_the_larger_reserve() {
    let gate = Gate::new(wide(|_| ()), Mode::Autonomous);
    let check = |local: &LocalSnapshot| gate.check(after(0), id(1), &open(90), local, full());
    let behind = LocalSnapshot {
        synced: false,
        ..local()
    };
    assert_eq!(check(&behind), Err(Refusal::NotSynced));
    let with = |confirmed, reserve| LocalSnapshot {
        on_chain: OnChain {
            confirmed: Sat::new(confirmed),
            unconfirmed: Sat::new(100_000_000),
            reserve: Sat::new(reserve),
        },
        ..local()
    };
    assert_eq!(check(&with(1_201_000, 0)), Ok(()));
    assert!(
        check(&with(1_200_999, 0)).is_err(),
        "the operator's reserve"
    );
    assert_eq!(check(&with(1_301_000, 300_000)), Ok(()));
    assert!(
        check(&with(1_300_999, 300_000)).is_err(),
        "the node's reserve"
    );
}

/// Autonomous, with the lock held.
fn open_now(
    gate: &mut Gate,
    millis: u64,
    number: u64,
    target: u8,
    local: &LocalSnapshot,
) -> Verdict {
    let held = lock(target, id(number));
    let standing = Standing {
        lock: Some(&held),
        ..full()
    };
    gate.consider(after(millis), id(number), &open(target), local, standing)
}

#[test]
fn opens_share_days_capital_and_on_chain_money() {
    let tight = LocalSnapshot {
        on_chain: OnChain {
            confirmed: Sat::new(2_000_000),
            ..OnChain::default()
        },
        ..local()
    };
    let mut gate = Gate::new(wide(|s| s.opens_per_day = 3), Mode::Autonomous);
    let verdict = gate.consider(after(0), id(1), &open(90), &local(), full());
    assert_eq!(verdict, Verdict::NeedsLock);
    assert_eq!(gate.ledger().count(), 0, "no lock, no reservation");
    let verdict = open_now(&mut gate, 0, 1, 90, &local());
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
    let verdict = open_now(&mut gate, 1, 2, 91, &tight);
    let held = matches!(verdict, Verdict::Refuse(Refusal::Reserve { .. }));
    assert!(held, "the first open's money is not free: {verdict:?}");
    let spent = Msat::new(700_000);
    gate.settle(after(2), id(1), Settlement::Done { spent })
        .unwrap();
    let verdict = open_now(&mut gate, 3, 3, 91, &tight);
    let held = matches!(verdict, Verdict::Refuse(Refusal::Reserve { .. }));
    assert!(
        held,
        "a snapshot from before may still show it: {verdict:?}"
    );

    for (number, target) in [(4, 91), (5, 92)] {
        let verdict = open_now(&mut gate, 4, number, target, &local());
        assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
    }
    let verdict = open_now(&mut gate, 5, 6, 93, &local());
    let enough = matches!(verdict, Verdict::Refuse(Refusal::OpensPerDay { .. }));
    assert!(enough, "{verdict:?}");
    gate.set_limits(wide(|s| {
        s.capital_per_day = Sat::new(3_999_999);
        s.channel_max = Sat::new(3_999_999);
        s.opens_per_day = 9;
    }));
    let verdict = open_now(&mut gate, 5, 7, 93, &local());
    let enough = matches!(verdict, Verdict::Refuse(Refusal::Capital { .. }));
    assert!(enough, "{verdict:?}");
    gate.settle(after(6), id(4), Settlement::NotDone).unwrap();
    let verdict = open_now(&mut gate, 7, 8, 91, &local());
    assert!(
        matches!(verdict, Verdict::Execute(_)),
        "released: {verdict:?}"
    );
}

#[test]
fn confidence_does_not_let_an_open_skip_its_lock() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Autonomous);
    let mut sure = open(90);
    sure.confidence = Ppm::ONE;
    let refused = gate.authorize(after(0), id(1), &sure, &local(), full());
    assert_eq!(refused, Err(Refusal::NoLock { target: node(90) }));
}
