//! Rate, history, policies, channels: what the operator bounds besides money.

use crate::common::*;
use hive_policy::{
    Gate, GateState, LimitSettings, Limits, Mode, PolicyField, Refusal, Settlement, Standing,
    Verdict,
};
use hive_types::{
    Action, ActionKind, ChannelPolicy, Millis, Msat, Ppm, Proposal, SetPolicy, ShortChannelId,
};

const MOVE: u64 = 100_000_000;
const FEE: u64 = 30_000;
const MINUTE: u64 = 60 * SECOND;

fn autonomous(change: impl FnOnce(&mut LimitSettings)) -> Gate {
    Gate::new(wide(change), Mode::Autonomous)
}

/// Does it if it may be done, and says why not otherwise.
fn act(gate: &mut Gate, millis: u64, number: u64, proposal: &Proposal) -> Result<(), Refusal> {
    let target = match &proposal.action {
        Action::Open(open) => open.target.as_bytes()[1],
        _ => 0,
    };
    let held = lock(target, id(number));
    let standing = Standing {
        lock: Some(&held),
        ..full()
    };
    match gate.consider(after(millis), id(number), proposal, &local(), standing) {
        Verdict::Execute(permit) => {
            let settlement = Settlement::Done {
                spent: permit.cost(),
            };
            gate.settle(after(millis), permit.id(), settlement).unwrap();
            Ok(())
        }
        Verdict::Refuse(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

#[test]
fn payments_have_a_rate_of_their_own() {
    let mut gate = autonomous(|limits| limits.sends_per_hour = 3);
    for number in 0..3u8 {
        let send = match number {
            0 => probe(10, 1_000),
            _ => rebalance(10 + number, 30 + number, MOVE, FEE),
        };
        act(&mut gate, 0, number.into(), &send).unwrap();
    }
    let limited = Err(Refusal::SendsPerHour { sends: 3, limit: 3 });
    assert_eq!(act(&mut gate, 1, 3, &probe(20, 1_000)), limited);
    assert_eq!(act(&mut gate, 1, 4, &rebalance(20, 40, MOVE, FEE)), limited);
    act(&mut gate, 1, 5, &set_policy(20, 50)).unwrap();
    act(&mut gate, HOUR, 6, &probe(20, 1_000)).unwrap();
}

#[test]
fn a_peer_gets_the_next_channel_after_its_days() {
    let mut gate = autonomous(|limits| {
        limits.open_cooldown_days = 3;
        limits.opens_per_day = 10;
        limits.budget_per_day = hive_types::Sat::new(1_000_000);
    });
    let mut state = GateState::default();
    act(&mut gate, 0, 1, &open(90)).unwrap();
    act(&mut gate, 0, 2, &open(91)).unwrap();
    for (number, millis) in [(3, SECOND), (4, 2 * DAY), (5, 3 * DAY - SECOND)] {
        restart(&mut gate, &mut state);
        let refused = act(&mut gate, millis, number, &open(90));
        let expected = Refusal::Cooldown {
            kind: ActionKind::Open,
            left: Millis::new(3 * DAY - millis),
            setting: "open_cooldown_days".to_owned(),
        };
        assert_eq!(refused, Err(expected));
        // The day's capital is free again long before.
        assert_eq!(
            gate.usage(after(millis)).opens,
            if millis < DAY { 2 } else { 0 }
        );
    }
    act(&mut gate, 3 * DAY, 6, &open(90)).unwrap();
    // What a restored gate keeps of opens is bounded in time.
    gate.tick(after(40 * DAY));
    restart(&mut gate, &mut state);
    assert_eq!(gate.ledger().count(), 0);
}

#[test]
fn an_open_that_did_not_happen_is_in_nobodys_way() {
    let mut gate = autonomous(|_| ());
    let held = lock(90, id(1));
    let standing = Standing {
        lock: Some(&held),
        ..full()
    };
    let verdict = gate.consider(after(0), id(1), &open(90), &local(), standing);
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
    gate.settle(after(0), id(1), Settlement::NotDone).unwrap();
    act(&mut gate, 1, 2, &open(90)).unwrap();
}

#[test]
fn a_pair_of_channels_rests_also_after_a_failure() {
    let mut gate = autonomous(|limits| limits.rebalance_cooldown_minutes = 10);
    let push = rebalance(10, 30, MOVE, FEE);
    let verdict = gate.consider(after(0), id(1), &push, &local(), full());
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
    gate.settle(after(0), id(1), Settlement::NotDone).unwrap();
    let refused = act(&mut gate, 9 * MINUTE, 2, &push);
    assert!(
        matches!(refused, Err(Refusal::Cooldown { .. })),
        "{refused:?}"
    );
    act(&mut gate, 9 * MINUTE, 3, &rebalance(30, 10, MOVE, FEE)).unwrap();
    act(&mut gate, 10 * MINUTE, 4, &push).unwrap();
}

#[test]
fn a_channel_that_is_opted_out_is_neither_set_nor_used() {
    let out =
        |number| -> Limits { wide(|limits| limits.opted_out_channels = [scid(number)].into()) };
    let refusal = |channel: ShortChannelId| Err(Refusal::ChannelOptedOut { channel });
    // Channel 200 is another's, on the way.
    for (number, proposal) in [
        (10, rebalance(10, 30, MOVE, FEE)),
        (30, rebalance(10, 30, MOVE, FEE)),
        (200, rebalance(10, 30, MOVE, FEE)),
        (12, probe(12, 1_000)),
        (11, set_policy(11, 5)),
    ] {
        let mut gate = Gate::new(out(number), Mode::Autonomous);
        assert_eq!(act(&mut gate, 0, 1, &proposal), refusal(scid(number)));
        let mut gate = Gate::new(out(99), Mode::Autonomous);
        assert_eq!(act(&mut gate, 0, 1, &proposal), Ok(()));
    }
}

fn set(change: impl FnOnce(&mut ChannelPolicy)) -> Proposal {
    // What channel 11 has already.
    let mut policy = policy(1_000, 100);
    change(&mut policy);
    let channel = scid(11);
    proposal(Action::SetPolicy(SetPolicy { channel, policy }), 0)
}

#[test]
fn a_policy_stays_inside_its_bounds() {
    let bounds = |limits: &mut LimitSettings| {
        limits.policy_base_min = Msat::new(10);
        limits.policy_base_max = Msat::new(500);
        limits.policy_rate_min = Ppm::new(1);
        limits.policy_rate_max = Ppm::new(50);
    };
    let judged = |change: fn(&mut ChannelPolicy)| {
        let mut gate = autonomous(bounds);
        match act(&mut gate, 0, 1, &set(change)) {
            Ok(()) => None,
            Err(Refusal::PolicyBound { field, .. }) => Some(field),
            Err(other) => panic!("{other}"),
        }
    };
    // What is outside already may stay as it is.
    assert_eq!(judged(|_| ()), None);
    assert_eq!(judged(|p| p.base = Msat::new(10)), None);
    assert_eq!(judged(|p| p.base = Msat::new(500)), None);
    assert_eq!(judged(|p| p.base = Msat::new(9)), Some(PolicyField::Base));
    assert_eq!(judged(|p| p.base = Msat::new(501)), Some(PolicyField::Base));
    assert_eq!(judged(|p| p.rate = Ppm::new(50)), None);
    assert_eq!(judged(|p| p.rate = Ppm::ZERO), Some(PolicyField::Rate));
    assert_eq!(judged(|p| p.rate = Ppm::new(51)), Some(PolicyField::Rate));
    let dear = |p: &mut ChannelPolicy| p.htlc_minimum = Msat::new(1_000_001);
    assert_eq!(judged(dear), Some(PolicyField::HtlcMinimum));
    let tiny = |p: &mut ChannelPolicy| p.htlc_maximum = Msat::new(999_999);
    assert_eq!(judged(tiny), Some(PolicyField::HtlcMaximum));
    assert_eq!(judged(|p| p.disabled = true), Some(PolicyField::Disabled));
    assert_eq!(judged(|p| p.inbound_ppm = 1), Some(PolicyField::Inbound));
    assert_eq!(
        judged(|p| p.inbound_base_msat = 1),
        Some(PolicyField::Inbound)
    );
    assert_eq!(judged(|p| p.inbound_ppm = -5), None);
}
