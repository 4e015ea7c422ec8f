//! The oracle's contract: what it is asked, and that nothing but a clear answer counts.

use crate::common::*;
use crate::schema::Schema;
use hive_policy::oracle::{
    Advised, Context, DecisionPacket, OracleError, OracleReply, OracleVerdict, PACKET_VERSION,
    judge,
};
use hive_policy::signature::{Secret, SignatureError, sign};
use hive_policy::{Ending, Gate, GateState, Limits, Mode, Refusal, Settlement, Standing, Verdict};
use hive_types::limits::{HTTP_REPLY_BYTES, ORACLE_LIFETIME, ORACLE_REASON_CHARS};
use hive_types::{
    Action, Constraint, FellowChannel, FellowView, FleetView, HiveId, Msat, Nonce, Ppm, Proposal,
    Sat, Tier, UnixMillis,
};
use proptest::prelude::*;

const MOVE: u64 = 100_000_000;
const FEE: u64 = 1_000_000;

fn secret() -> Secret {
    Secret::new(vec![7; 32]).unwrap()
}

fn fleet() -> FleetView {
    let channel = |confirmed| FellowChannel {
        scid: None,
        peer: node(90),
        capacity: Sat::new(2_000_000),
        spendable: None,
        drain_msat_per_day: None,
        confirmed,
    };
    let member = |number, channels| FellowView {
        node_id: node(number),
        tier: Tier::Full,
        fresh: true,
        channels,
        constraint: Constraint::default(),
        intents: Vec::new(),
        privileges: hive_types::Privileges::default(),
    };
    FleetView {
        me: Some(node(ME)),
        members: vec![
            member(ME, Vec::new()),
            member(2, vec![channel(true), channel(false), channel(true)]),
        ],
        locks: Vec::new(),
        observations: Vec::new(),
        banned: vec![node(99)],
    }
}

fn packet(gate: &Gate, number: u64, proposal: &Proposal) -> DecisionPacket {
    let (local, fleet) = (local(), fleet());
    let context = Context {
        gate,
        local: &local,
        fleet: &fleet,
        hive: HiveId::from_bytes([8; 32]),
    };
    let nonce = Nonce::from_bytes([number as u8; 32]);
    DecisionPacket::new(after(0), id(number), nonce, proposal, context)
}

fn gate() -> Gate {
    Gate::new(wide(|_| ()), Mode::Oracle)
}

fn yes(packet: &DecisionPacket) -> OracleReply {
    OracleReply {
        version: PACKET_VERSION,
        action: packet.action,
        nonce: packet.nonce,
        verdict: OracleVerdict::Approve,
        reason: "cheap".to_owned(),
        amount_sat: None,
    }
}

fn lowered_to(packet: &DecisionPacket, amount: u64) -> OracleReply {
    OracleReply {
        amount_sat: Some(Sat::new(amount)),
        ..yes(packet)
    }
}

fn wall(millis: u64) -> UnixMillis {
    after(millis).wall
}

/// Signed and answered a second after the question.
fn answer(packet: &DecisionPacket, reply: &OracleReply) -> Result<Advised, OracleError> {
    say(packet, serde_json::to_string(reply).unwrap().as_bytes())
}

fn say(packet: &DecisionPacket, body: &[u8]) -> Result<Advised, OracleError> {
    let header = sign(secret().as_bytes(), wall(SECOND), body);
    judge(packet, &secret(), body, &header, wall(SECOND))
}

fn actions() -> [Proposal; 4] {
    let mut push = rebalance(10, 30, MOVE, FEE);
    if let Action::Rebalance(moved) = &mut push.action {
        moved.beneficiary = Some(node(30));
    }
    push.explanation.summary = "it runs dry".to_owned();
    push.explanation.facts = vec![("drain".to_owned(), "5 sat a day".to_owned())];
    [open(90), push, set_policy(11, 5), probe(12, 1_000)]
}

#[test]
fn packets_and_replies_keep_their_published_contract() {
    let (schema, gate) = (Schema::published(), gate());
    for (number, proposal) in (1..).zip(&actions()) {
        let packet = packet(&gate, number, proposal);
        let json = serde_json::to_value(&packet).unwrap();
        assert_eq!(schema.check_closed("packet", &json), Ok(()));
        assert!(schema.check("reply", &json).is_err());
        let read: DecisionPacket = serde_json::from_value(json).unwrap();
        assert_eq!(read, packet);
        for reply in [yes(&packet), lowered_to(&packet, 600_000)] {
            let json = serde_json::to_value(&reply).unwrap();
            assert_eq!(schema.check_closed("reply", &json), Ok(()));
            assert!(schema.check("packet", &json).is_err());
        }
    }
}

/// What the contract refuses the agent refuses too.
#[test]
fn t39_the_contract_and_the_agent_refuse_the_same() {
    let (schema, gate) = (Schema::published(), gate());
    let packet = packet(&gate, 1, &open(90));
    let good = serde_json::to_value(yes(&packet)).unwrap();
    assert!(say(&packet, good.to_string().as_bytes()).is_ok());
    let changes: [(&str, serde_json::Value); 12] = [
        ("version", 2.into()),
        ("version", "1".into()),
        ("action", "07".into()),
        ("nonce", "zz".into()),
        ("verdict", "approve".into()),
        ("verdict", "MAYBE".into()),
        ("verdict", true.into()),
        ("reason", 5.into()),
        ("reason", serde_json::Value::Null),
        ("amount_sat", 0.into()),
        ("amount_sat", (-1).into()),
        ("push_sat", 1.into()),
    ];
    for (field, value) in changes {
        let mut reply = good.clone();
        reply[field] = value;
        assert!(schema.check("reply", &reply).is_err(), "{reply}");
        let judged = say(&packet, reply.to_string().as_bytes());
        assert!(judged.is_err(), "{reply}: {judged:?}");
    }
    for field in ["version", "action", "nonce", "verdict", "reason"] {
        let mut reply = good.clone();
        reply.as_object_mut().unwrap().remove(field);
        assert!(schema.check("reply", &reply).is_err(), "{reply}");
        assert!(say(&packet, reply.to_string().as_bytes()).is_err());
    }
    let mut reply = good;
    reply["amount_sat"] = serde_json::Value::Null;
    assert_eq!(schema.check("reply", &reply), Ok(()));
    assert!(say(&packet, reply.to_string().as_bytes()).is_ok());
}

#[test]
fn t39_only_a_signed_fresh_and_matching_reply_counts() {
    let gate = gate();
    let packet = packet(&gate, 1, &open(90));
    let body = serde_json::to_vec(&yes(&packet)).unwrap();
    let header = sign(secret().as_bytes(), wall(SECOND), &body);
    let at =
        |header: &str, body: &[u8], millis| judge(&packet, &secret(), body, header, wall(millis));
    let approved = Advised::Approve {
        amount: None,
        reason: "cheap".to_owned(),
    };
    assert_eq!(at(&header, &body, SECOND), Ok(approved));

    let other = sign(&[8; 32], wall(SECOND), &body);
    let wrong = OracleError::Signature(SignatureError::Wrong);
    assert_eq!(at(&other, &body, SECOND), Err(wrong.clone()));
    let mut changed = body.clone();
    changed.push(b' ');
    assert_eq!(at(&header, &changed, SECOND), Err(wrong));
    let unsigned = OracleError::Signature(SignatureError::Malformed);
    assert_eq!(at("", &body, SECOND), Err(unsigned));

    let lifetime = ORACLE_LIFETIME.get();
    assert!(at(&header, &body, lifetime - 1).is_ok());
    assert_eq!(at(&header, &body, lifetime), Err(OracleError::Late));
    let old = at(&header, &body, HOUR);
    let is_stale = matches!(
        old,
        Err(OracleError::Signature(SignatureError::Stale { .. }))
    );
    assert!(is_stale, "{old:?}");

    let long = vec![b' '; HTTP_REPLY_BYTES + 1];
    let bytes = long.len();
    assert_eq!(say(&packet, &long), Err(OracleError::TooLong { bytes }));
    for prose in ["Sure, go ahead! APPROVE", "", "[]", "\"APPROVE\"", "null"] {
        let judged = say(&packet, prose.as_bytes());
        assert!(matches!(judged, Err(OracleError::Format(_))), "{prose}");
    }
}

/// A reply to one question is none to any other: not to the same action asked again, nor to another
/// action under the same number.
#[test]
fn t39_a_reply_is_bound_to_nonce_and_action() {
    let gate = gate();
    let asked = packet(&gate, 1, &open(90));
    for other in [
        DecisionPacket {
            nonce: Nonce::from_bytes([9; 32]),
            ..asked.clone()
        },
        DecisionPacket {
            action: id(2),
            ..asked.clone()
        },
    ] {
        let judged = answer(&asked, &yes(&other));
        assert_eq!(judged, Err(OracleError::OtherQuestion));
    }
}

#[test]
fn t39_an_amount_counts_only_where_it_is_smaller_and_possible() {
    let gate = gate();
    let [open, push, policy, probe] = actions();
    let amounts = |number, proposal: &Proposal, cases: &[(u64, bool)]| {
        let packet = packet(&gate, number, proposal);
        for (amount, counts) in cases {
            let judged = answer(&packet, &lowered_to(&packet, *amount));
            assert_eq!(judged.is_ok(), *counts, "{amount}: {judged:?}");
        }
    };
    // channel_min is 500,000 sat.
    let of_open = [
        (1_000_000, true),
        (500_000, true),
        (499_999, false),
        (1_000_001, false),
        (0, false),
        (u64::MAX, false),
    ];
    amounts(1, &open, &of_open);
    amounts(
        2,
        &push,
        &[(100_000, true), (1, true), (100_001, false), (0, false)],
    );
    amounts(3, &policy, &[(1, false)]);
    amounts(4, &probe, &[(1, false)]);
    let packet = packet(&gate, 1, &open);
    let no = OracleReply {
        verdict: OracleVerdict::Deny,
        ..lowered_to(&packet, 600_000)
    };
    assert_eq!(answer(&packet, &no), Err(OracleError::AmountMeaningless));
}

#[test]
fn a_reason_becomes_one_line_of_bounded_length() {
    let packet = packet(&gate(), 1, &open(90));
    let no = OracleReply {
        verdict: OracleVerdict::Deny,
        reason: format!("a\nb\u{1b}[31m{}", "x".repeat(2 * ORACLE_REASON_CHARS)),
        ..yes(&packet)
    };
    let Ok(Advised::Deny { reason }) = answer(&packet, &no) else {
        panic!("a clear no");
    };
    assert!(reason.starts_with("a b [31mx"), "{reason}");
    assert_eq!(reason.chars().count(), ORACLE_REASON_CHARS);
}

#[test]
fn oracle_mode_asks_only_about_what_would_be_done() {
    let mut gate = Gate::new(wide(|limits| limits.opens_per_day = 0), Mode::Oracle);
    let mut consider = |number, proposal: &Proposal, standing| {
        gate.consider(after(0), id(number), proposal, &local(), standing)
    };
    let asked = consider(1, &rebalance(10, 30, MOVE, FEE), full());
    assert!(matches!(asked, Verdict::Consult(_)), "{asked:?}");
    let unsure = Proposal {
        confidence: Ppm::new(499_999),
        ..rebalance(11, 31, MOVE, FEE)
    };
    let asked = consider(2, &unsure, full());
    assert!(matches!(asked, Verdict::Ask(_)), "{asked:?}");
    let refused = consider(3, &open(90), full());
    let no_opens = matches!(refused, Verdict::Refuse(Refusal::OpensPerDay { .. }));
    assert!(no_opens, "{refused:?}");
    let guest = Standing {
        tier: Some(Tier::Probationary),
        ..full()
    };
    let refused = consider(4, &rebalance(12, 32, MOVE, FEE), guest);
    assert!(matches!(refused, Verdict::Refuse(_)), "{refused:?}");
    assert_eq!(gate.ledger().count(), 0);
    assert_eq!(gate.pending().len(), 2);
    // Without an approval there is no permit, whoever asks.
    let refused = gate.authorize(
        after(0),
        id(1),
        &rebalance(10, 30, MOVE, FEE),
        &local(),
        full(),
    );
    assert_eq!(refused, Err(Refusal::NotApproved { id: id(1) }));
    let refused = gate.authorize(
        after(0),
        id(9),
        &rebalance(13, 33, MOVE, FEE),
        &local(),
        full(),
    );
    assert_eq!(refused, Err(Refusal::NotApproved { id: id(9) }));
}

#[test]
fn t42_what_the_oracle_denied_is_not_approved_later() {
    let mut gate = gate();
    let proposal = rebalance(10, 30, MOVE, FEE);
    let _ = gate.consider(after(0), id(1), &proposal, &local(), full());
    gate.deny(after(1), id(1)).unwrap();
    let mut state = GateState::default();
    restart(&mut gate, &mut state);
    let ending = Ending::Denied;
    let refused = gate.approve(after(2), id(1), &local(), full());
    assert_eq!(refused, Err(Refusal::Ended { id: id(1), ending }));
    // What the operator approved the oracle can't take back.
    let _ = gate.consider(after(3), id(2), &proposal, &local(), full());
    gate.approve(after(3), id(2), &local(), full()).unwrap();
    let refused = gate.deny(after(3), id(2));
    assert_eq!(refused, Err(Refusal::AlreadyApproved { id: id(2) }));
}

#[test]
fn a_smaller_amount_is_what_is_done() {
    let mut gate = gate();
    let mut state = GateState::default();
    let _ = gate.consider(after(0), id(1), &open(90), &local(), full());
    let larger = gate.approve_lowered(after(0), id(1), Sat::new(1_000_001), &local(), full());
    assert!(
        matches!(larger, Err(Refusal::NotSmaller { .. })),
        "{larger:?}"
    );
    let tiny = gate.approve_lowered(after(0), id(1), Sat::new(499_999), &local(), full());
    assert!(matches!(tiny, Err(Refusal::ChannelSize { .. })), "{tiny:?}");
    let amount = Sat::new(600_000);
    let lower = gate.approve_lowered(after(0), id(1), amount, &local(), full());
    let lower = lower.unwrap();
    assert!(lower.explanation.summary.contains("lowered to"));
    restart(&mut gate, &mut state);
    let held = lock(90, id(1));
    let standing = Standing {
        lock: Some(&held),
        ..full()
    };
    let all = gate.authorize(after(0), id(1), &open(90), &local(), standing);
    assert_eq!(all, Err(Refusal::NotWhatWasApproved { id: id(1) }));
    let permit = gate.authorize(after(0), id(1), &lower, &local(), standing);
    let permit = permit.unwrap();
    assert_eq!(
        (permit.capital(), gate.usage(after(0)).capital),
        (amount, amount)
    );
}

#[test]
fn t43_no_question_to_the_oracle_survives_into_another_mode() {
    for mode in [Mode::Autonomous, Mode::Advisor] {
        let mut gate = gate();
        let proposal = rebalance(10, 30, MOVE, FEE);
        let _ = gate.consider(after(0), id(1), &proposal, &local(), full());
        gate.set_mode(mode);
        let mut state = GateState::default();
        restart(&mut gate, &mut state);
        gate.tick(after(SECOND));
        let refused = gate.authorize(after(SECOND), id(1), &proposal, &local(), full());
        assert_eq!(refused, Err(Refusal::NotApproved { id: id(1) }));
        assert_eq!((gate.ledger().count(), gate.pending().len()), (0, 1));
    }
}

/// Twenty questions at once and budget for two: each yes is checked again.
#[test]
fn t40_twenty_yeses_with_budget_for_two_run_exactly_two() {
    let limits: Limits = wide(|settings| {
        settings.budget_per_day = Sat::new(2_000);
        settings.cost_per_action = Msat::new(FEE);
    });
    let mut gate = Gate::new(limits, Mode::Oracle);
    let mut state = GateState::default();
    for number in 0..20u8 {
        let proposal = rebalance(10 + number, 30 + number, MOVE, FEE);
        let asked = gate.consider(after(0), id(number.into()), &proposal, &local(), full());
        assert!(matches!(asked, Verdict::Consult(_)), "{asked:?}");
    }
    let mut done = 0;
    for number in 0..20 {
        restart(&mut gate, &mut state);
        let Ok(proposal) = gate.approve(after(SECOND), id(number), &local(), full()) else {
            continue;
        };
        restart(&mut gate, &mut state);
        if let Ok(permit) = gate.authorize(after(SECOND), id(number), &proposal, &local(), full()) {
            restart(&mut gate, &mut state);
            let spent = Msat::new(FEE);
            let settled = gate.settle(after(SECOND), permit.id(), Settlement::Done { spent });
            assert_eq!(settled, Ok(()));
            done += 1;
        }
    }
    assert_eq!(done, 2);
}

proptest! {
    /// Whatever a smaller rebalance moves, every hop earns what it earned before, and the gate takes
    /// the route for a sound one.
    #[test]
    fn a_lowered_rebalance_underpays_nobody(
        amount in 2u64..1_000_000,
        fee in 0u64..10_000,
        lower in 1u64..1_000_000,
    ) {
        prop_assume!(lower <= amount);
        let limits = wide(|limits| limits.rebalance_rate = Ppm::ONE);
        let mut gate = Gate::new(limits, Mode::Oracle);
        let proposal = rebalance(10, 30, amount * 1_000, fee.min(amount * 1_000));
        let asked = gate.consider(after(0), id(1), &proposal, &local(), full());
        prop_assume!(matches!(asked, Verdict::Consult(_)));
        let lowered = gate.approve_lowered(after(0), id(1), Sat::new(lower), &local(), full());
        prop_assume!(!matches!(lowered, Err(Refusal::RebalanceRate { .. })));
        let lowered = lowered.unwrap();
        let (Action::Rebalance(before), Action::Rebalance(now)) = (&proposal.action, &lowered.action)
        else {
            panic!("rebalances");
        };
        prop_assert_eq!(now.amount, Msat::new(lower * 1_000));
        prop_assert_eq!(now.fee, before.fee);
        let earned = |hops: &[hive_types::RouteHop]| -> Vec<Msat> {
            let pairs = hops.windows(2);
            pairs.map(|pair| pair[0].amount.saturating_sub(pair[1].amount)).collect()
        };
        prop_assert_eq!(earned(&now.hops), earned(&before.hops));
        prop_assert_eq!(now.hops.last().map(|hop| hop.amount), Some(now.amount));
    }
}
