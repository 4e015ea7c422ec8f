//! Cases of conduct: probes, reputation, contribution, uptime.

use crate::common::{
    DAY, HOUR, ME, START, after, channel, id, local, node, policy, proposal, scid,
};
use hive_policy::conduct::probes::{EndKind, Exit, ProbeEnd, choose, judge};
use hive_policy::conduct::{Balances, Claims, Compared, Reputation, Seen};
use hive_policy::{Gate, LimitSettings, Limits, Mode, Refusal, Settlement, Standing};
use hive_types::limits::{PROBE_AMOUNT, PROBE_AMOUNT_MAX, PROBES_PER_HOUR};
use hive_types::*;

const FELLOW: u8 = 10;

fn at(millis: u64) -> UnixMillis {
    UnixMillis::new(START + millis)
}

fn exit(number: u8, degree: usize) -> Exit {
    Exit {
        channel: scid(number),
        peer: node(number),
        policy: policy(1_000, 100),
        claimed: Msat::new(500_000_000),
        degree,
    }
}

fn probe(number: u8) -> Proposal {
    let own = channel(FELLOW);
    let probe = choose(&[&own], &[exit(number, 5)], &[], 0).unwrap();
    proposal(Action::Probe(probe), 0)
}

fn member() -> Standing<'static> {
    Standing {
        tier: Some(Tier::Full),
        reconciled: true,
        lock: None,
        banned: &[],
    }
}

/// What a fellow's reputation is after these probes, one an hour, each by another exit.
fn after_probes(seen: impl IntoIterator<Item = Seen>) -> Reputation {
    let mut reputation = Reputation::default();
    for (hour, seen) in seen.into_iter().enumerate() {
        let exit = node(100 + (hour % 5) as u8);
        reputation.see(seen, exit, at(hour as u64 * HOUR));
    }
    reputation
}

#[test]
fn t56_a_probe_goes_through_the_fellow_to_a_peer_that_it_can_pay() {
    let own = channel(FELLOW);
    let (poor, off) = (
        Exit {
            claimed: Msat::new(99_000_000),
            ..exit(62, 99)
        },
        Exit {
            policy: ChannelPolicy {
                disabled: true,
                ..policy(0, 0)
            },
            ..exit(63, 99)
        },
    );
    let exits = [exit(60, 5), exit(61, 9), poor, off];
    let first = choose(&[&own], &exits, &[], 0).unwrap();
    let hops: Vec<(ShortChannelId, NodeId)> =
        first.hops.iter().map(|hop| (hop.channel, hop.to)).collect();
    assert_eq!(hops, [(scid(FELLOW), node(FELLOW)), (scid(61), node(61))]);
    assert_eq!(first.hops[1].amount, PROBE_AMOUNT);
    // The fellow's own fee is offered: failing for terms is not what is asked.
    assert_eq!(first.hops[0].amount, Msat::new(1_000_000 + 1_000 + 100));
    // Next time the other one, then the first again.
    let second = choose(&[&own], &exits, &[scid(61)], 0).unwrap();
    assert_eq!(second.hops[1].channel, scid(60));
    let third = choose(&[&own], &exits, &[scid(61), scid(60)], 0).unwrap();
    assert_eq!(third.hops[1].channel, scid(61));
    // Amounts differ from probe to probe, within bounds.
    let amounts = [0, 1 << 40, 7 << 50, u64::MAX].map(|draw| {
        let probe = choose(&[&own], &exits, &[], draw).unwrap();
        assert_eq!(probe.hops[1].amount, probe.amount);
        assert!((PROBE_AMOUNT..=PROBE_AMOUNT_MAX).contains(&probe.amount));
        probe.amount
    });
    assert!(
        amounts
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            > 2
    );
    // Nothing to say: no exit, no own channel that can send.
    assert_eq!(choose(&[&own], &[poor, off], &[], 0), None);
    let empty = LocalChannel {
        spendable: Msat::new(1_000),
        ..channel(FELLOW)
    };
    assert_eq!(choose(&[&empty], &exits, &[], 0), None);
}

#[test]
fn t56_probes_cost_nothing_pass_in_advisor_mode_and_are_rate_limited() {
    let mut gate = Gate::new(Limits::default(), Mode::Advisor);
    let mut given = 0;
    for number in 0..30 {
        let now = after(u64::from(number) * 60_000);
        let action = id(number.into());
        match gate.authorize_probe(now, action, &probe(50 + number), &local(), member()) {
            Ok(permit) => {
                assert_eq!((permit.cost(), permit.capital()), (Msat::ZERO, Sat::ZERO));
                let spent = Msat::ZERO;
                gate.settle(now, action, Settlement::Done { spent })
                    .unwrap();
                given += 1;
            }
            Err(refusal) => {
                let limit = PROBES_PER_HOUR;
                assert_eq!(
                    refusal,
                    Refusal::ProbesPerHour {
                        probes: limit,
                        limit
                    }
                );
            }
        }
    }
    assert_eq!(given, PROBES_PER_HOUR);
    assert_eq!(gate.usage(after(HOUR)).cost(), Msat::ZERO);
    // An hour after the first ones there is room again.
    let later = after(HOUR + 600_000);
    let again = gate.authorize_probe(later, id(99), &probe(99), &local(), member());
    assert!(again.is_ok());
}

#[test]
fn t56_no_probe_while_stopped_or_opted_out_and_nothing_else_passes_as_one() {
    let refusal = |gate: &mut Gate, proposal: &Proposal| {
        let given = gate.authorize_probe(after(0), id(1), proposal, &local(), member());
        given.unwrap_err()
    };
    let mut gate = Gate::new(Limits::default(), Mode::Autonomous);
    gate.stop();
    assert_eq!(refusal(&mut gate, &probe(50)), Refusal::Stopped);
    gate.release();
    let not_approved = Refusal::NotApproved { id: id(1) };
    assert_eq!(refusal(&mut gate, &crate::common::open(60)), not_approved);
    let large = |amount| {
        let mut large = probe(50);
        if let Action::Probe(probe) = &mut large.action {
            probe.amount = amount;
            probe.hops[1].amount = amount;
        }
        large
    };
    let larger = large(Msat::new(PROBE_AMOUNT_MAX.get() + 1));
    assert_eq!(refusal(&mut gate, &larger), not_approved);
    // A circle is no probe of a fellow.
    let mut circle = probe(50);
    if let Action::Probe(probe) = &mut circle.action {
        probe.hops[1].to = node(ME);
    }
    assert_eq!(refusal(&mut gate, &circle), not_approved);
    let settings = LimitSettings {
        opted_out_kinds: [ActionKind::Probe].into(),
        ..LimitSettings::default()
    };
    let mut gate = Gate::new(Limits::new(settings).unwrap(), Mode::Autonomous);
    let kind = ActionKind::Probe;
    assert_eq!(
        refusal(&mut gate, &probe(50)),
        Refusal::KindOptedOut { kind }
    );
}

#[test]
fn t56_only_what_ends_in_the_fellow_is_the_fellows() {
    let (me, fellow, beyond) = (node(ME), node(FELLOW), node(60));
    let end = |from: Option<NodeId>, kind| judge(&me, &fellow, &ProbeEnd { from, kind });
    // A dead first hop of our own, whatever it says.
    for kind in [EndKind::Unable, EndKind::Timeout, EndKind::Terms] {
        assert_eq!(end(Some(me), kind), None);
    }
    assert_eq!(end(Some(beyond), EndKind::Arrived), Some(Seen::Forwarded));
    // Beyond the fellow: it forwarded.
    for kind in [EndKind::Unable, EndKind::Timeout, EndKind::Terms] {
        assert_eq!(end(Some(beyond), kind), Some(Seen::Forwarded));
    }
    assert_eq!(end(Some(fellow), EndKind::Unable), Some(Seen::Failed));
    assert_eq!(end(Some(fellow), EndKind::Timeout), Some(Seen::Held));
    assert_eq!(end(None, EndKind::Timeout), Some(Seen::Held));
    // Fees that gossip did not tell are a fault, not a black hole (case T52).
    assert_eq!(end(Some(fellow), EndKind::Terms), None);
    assert_eq!(end(None, EndKind::Unable), None);
}

#[test]
fn t56_a_black_hole_is_found_in_bounded_time_whatever_it_did_before() {
    // A new one: by the fourth probe.
    assert!(!after_probes([Seen::Held; 3]).is_black_hole());
    assert!(after_probes([Seen::Held; 4]).is_black_hole());
    // One that was perfect for a month: by so many more.
    let failures_needed = |how: Seen| {
        (1..100).find(|count| {
            let before = std::iter::repeat_n(Seen::Forwarded, 24 * 30);
            after_probes(before.chain(std::iter::repeat_n(how, *count))).is_black_hole()
        })
    };
    assert!(failures_needed(Seen::Held).is_some_and(|count| count <= 8));
    assert!(failures_needed(Seen::Failed).is_some_and(|count| count <= 20));
    // All towards one node: that node may hold them.
    let mut one_exit = Reputation::default();
    (0..12).for_each(|hour| one_exit.see(Seen::Held, node(100), at(hour * HOUR)));
    assert!(!one_exit.is_black_hole());
}

#[test]
fn t56_a_black_hole_that_forwards_again_is_forgiven() {
    let mut reputation = after_probes([Seen::Held; 12]);
    assert!(reputation.is_black_hole() && !reputation.has_recovered());
    let recovered = (0..60).find(|step: &u64| {
        reputation.see(Seen::Forwarded, node(100), at(12 * HOUR + step * 600_000));
        reputation.has_recovered()
    });
    // Within three hours of a probe each ten minutes.
    assert!(recovered.is_some_and(|step| step <= 18), "{recovered:?}");
    assert!(!reputation.is_black_hole());
}

#[test]
fn t56_an_honest_fellow_that_fails_now_and_then_is_no_black_hole() {
    // Every third probe fails, for a month; and four in a row after a day of good ones.
    let thirds = (0..24 * 30).map(|hour| match hour % 3 {
        0 => Seen::Failed,
        _ => Seen::Forwarded,
    });
    assert!(!after_probes(thirds).is_black_hole());
    let streak = std::iter::repeat_n(Seen::Forwarded, 24);
    let streak = streak.chain(std::iter::repeat_n(Seen::Failed, 4));
    assert!(!after_probes(streak).is_black_hole());
}

#[test]
fn t56_liars_who_report_failures_move_nothing() {
    let mut reputation = after_probes(std::iter::repeat_n(Seen::Forwarded, 24));
    let (before, shown) = (reputation.own(), reputation.shown());
    // Forty-eight members say every minute of a day that it fails.
    for minute in 0..24 * 60 {
        for liar in 150..198 {
            reputation.hear_failure(node(liar), at(23 * HOUR + minute * 60_000));
        }
    }
    assert!(!reputation.is_black_hole());
    assert!(reputation.own().mean.get() + 40_000 >= before.mean.get());
    assert!(reputation.shown().mean.get() + 80_000 >= shown.mean.get());
    // Of a fellow that nobody probed they make no black hole either.
    let mut unknown = Reputation::default();
    (150..198).for_each(|liar| unknown.hear_failure(node(liar), at(0)));
    assert!(!unknown.is_black_hole());
    assert_eq!(unknown.own().samples, 0);
    assert!(unknown.shown().mean.get() >= 400_000);
}

#[test]
fn what_was_seen_counts_half_after_a_week() {
    let mut reputation = after_probes([Seen::Forwarded; 8]);
    let samples = reputation.own().samples;
    assert!((7_900_000..=8_000_000).contains(&samples), "{samples}");
    let week = |weeks: u64| at(7 * HOUR + weeks * 7 * DAY);
    reputation.decay(week(1));
    let half = reputation.own().samples;
    assert!(half.abs_diff(samples / 2) < samples / 50, "{half}");
    // In small steps as in large ones.
    let mut stepwise = after_probes([Seen::Forwarded; 8]);
    (0..7 * 24).for_each(|hour| stepwise.decay(at(8 * HOUR + hour * HOUR)));
    assert!(stepwise.own().samples.abs_diff(half) < 100_000);
    // A clock that goes back changes nothing; one far ahead forgets.
    let before = reputation.clone();
    reputation.decay(week(0));
    assert_eq!(reputation, before);
    reputation.decay(UnixMillis::new(u64::MAX));
    assert_eq!(reputation.own().samples, 0);
    assert_eq!(reputation.own().mean, Ppm::new(500_000));
}

/// A heartbeat each five minutes, as it compares.
fn hear(claims: &mut Claims, beat: u64, compared: Compared) {
    claims.hear(Compared {
        version: (0, beat),
        at: Elapsed::new(beat * 300_000),
        ..compared
    });
}

fn contradiction() -> Compared {
    Compared {
        contradiction: Some("tells of a channel between two other nodes".to_owned()),
        ..Compared::default()
    }
}

#[test]
fn t28_a_claim_is_false_after_three_heartbeats_in_a_row_and_right_again_after_one() {
    let mut claims = Claims::default();
    for (beat, compared) in [contradiction(), contradiction(), Compared::default()]
        .into_iter()
        .enumerate()
    {
        hear(&mut claims, beat as u64, compared);
    }
    assert!(!claims.are_false() && claims.are_right());
    (3..6).for_each(|beat| hear(&mut claims, beat, contradiction()));
    assert!(claims.are_false() && !claims.are_right());
    assert!(claims.evidence().contains("two other nodes"));
    hear(&mut claims, 6, Compared::default());
    assert!(!claims.are_false() && claims.are_right());
}

#[test]
fn t28_what_can_not_be_judged_neither_counts_nor_clears_for_an_hour() {
    let open = || Compared {
        is_open: true,
        ..Compared::default()
    };
    // A dip of our own balance does not begin the count anew.
    let mut claims = Claims::default();
    (0..2).for_each(|beat| hear(&mut claims, beat, contradiction()));
    (2..8).for_each(|beat| hear(&mut claims, beat, open()));
    assert!(!claims.are_false() && !claims.are_right());
    hear(&mut claims, 8, contradiction());
    assert!(claims.are_false());
    // After a restart, blame from before stands until something can be said.
    let mut claims = Claims::default();
    hear(&mut claims, 0, open());
    assert!(!claims.are_false() && !claims.are_right());
    hear(&mut claims, 1, Compared::default());
    assert!(claims.are_right());
    // Not for ever: an hour later it is forgotten.
    let mut claims = Claims::default();
    (0..3).for_each(|beat| hear(&mut claims, beat, contradiction()));
    (3..16).for_each(|beat| hear(&mut claims, beat, open()));
    assert!(!claims.are_false() && claims.are_right());
    // And two contradictions, a long silence, and one more are not three in a row.
    let mut claims = Claims::default();
    (0..2).for_each(|beat| hear(&mut claims, beat, contradiction()));
    (2..16).for_each(|beat| hear(&mut claims, beat, open()));
    hear(&mut claims, 16, contradiction());
    assert!(!claims.are_false());
}

#[test]
fn t28_one_heartbeat_heard_often_is_one_contradiction() {
    let mut claims = Claims::default();
    for minute in 0..600 {
        let at = Elapsed::new(minute * 60_000);
        let version = (0, 1);
        claims.hear(Compared {
            version,
            at,
            ..contradiction()
        });
    }
    assert!(!claims.are_false());
    // Many within seconds, as after a partition, are one as well.
    let mut claims = Claims::default();
    for counter in 0..50 {
        let at = Elapsed::new(counter * 1_000);
        let version = (0, counter);
        claims.hear(Compared {
            version,
            at,
            ..contradiction()
        });
    }
    assert!(!claims.are_false());
}

#[test]
fn t28_channels_that_nobody_announced_are_held_against_a_fellow_after_six_hours() {
    let unknown = |unknown, told| Compared {
        told,
        unknown,
        ..Compared::default()
    };
    let hours = |compared: &Compared, beats: u64| {
        let mut claims = Claims::default();
        (0..beats).for_each(|beat| hear(&mut claims, beat, compared.clone()));
        claims.are_false()
    };
    assert!(!hours(&unknown(10, 12), 72));
    assert!(hours(&unknown(10, 12), 74));
    // A graph that misses a few, or half, or that knows none of two.
    for compared in [unknown(2, 40), unknown(20, 40), unknown(2, 2)] {
        assert!(!hours(&compared, 2_000));
    }
}

#[test]
fn t28_what_our_own_side_holds_leaves_no_room_for_a_claim() {
    let capacity = Sat::new(1_000_000);
    let msat = |sat: u64| Msat::new(sat * 1_000);
    let mut balances = Balances::default();
    let minute = |minute: u64| Elapsed::new(minute * 60_000);
    balances.note(minute(0), msat(600_000));
    // Not watched for long enough.
    assert_eq!(balances.excess(minute(1), capacity, msat(1_000_000)), None);
    (1..=10).for_each(|at| balances.note(minute(at), msat(600_000)));
    let excess =
        |balances: &Balances, claimed| balances.excess(minute(10), capacity, msat(claimed));
    assert_eq!(excess(&balances, 400_000), Some(Msat::ZERO));
    assert_eq!(excess(&balances, 515_000), Some(Msat::ZERO));
    assert_eq!(excess(&balances, 1_000_000), Some(msat(600_000)));
    // It had more a while ago, so its word may be from then: that can't be said.
    balances.note(minute(10), msat(50_000));
    balances.note(minute(10), msat(600_000));
    assert_eq!(excess(&balances, 1_000_000), None);
    (11..45).for_each(|at| balances.note(minute(at), msat(600_000)));
    let later = balances.excess(minute(44), capacity, msat(1_000_000));
    assert_eq!(later, Some(msat(600_000)));
}
