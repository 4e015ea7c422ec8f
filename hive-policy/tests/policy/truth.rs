//! Fee truth: who asks what was not agreed is found, and nobody else is blamed.

use crate::common::*;
use hive_policy::truce::Truces;
use hive_policy::truth::{Agreed, Fault, FeeTruth, Judgement, Look, Source};
use hive_types::limits::{
    FEE_GRACE, FEE_GRACE_GOSSIP, FEE_GRACE_STALE, OBSERVE_INTERVAL, TRUCE, WITHDRAWAL_EXCUSE,
    WITHDRAWAL_REST,
};
use hive_types::{ChannelPolicy, Elapsed, Millis, Msat, NodeId, Ppm, Sat};
use std::collections::BTreeSet;

const LOOK: u64 = OBSERVE_INTERVAL.get();

fn fellow() -> NodeId {
    node(10)
}

/// A look at a channel whose policy is as agreed, with something changed about it.
fn look(change: impl FnOnce(&mut ChannelPolicy)) -> Look {
    let mut seen = policy(0, 0);
    change(&mut seen);
    Look {
        fellow: fellow(),
        channel: channel(10).channel_id,
        scid: Some(scid(10)),
        capacity: Sat::new(1_000_000),
        can_send: Msat::new(500_000_000),
        seen: Some((seen, Source::Update)),
        agreed: Agreed::Nothing,
        is_usable: true,
        is_fresh: true,
        is_excused: false,
    }
}

fn cheat() -> Look {
    look(|policy| policy.rate = Ppm::new(500))
}

/// A judge that looks once a minute.
#[derive(Default)]
struct Judge {
    truth: FeeTruth,
    millis: u64,
    blamed: BTreeSet<NodeId>,
    suspected: usize,
    evidence: String,
}

impl Judge {
    fn see(&mut self, looks: &[Look]) {
        let now = Elapsed::new(self.millis);
        for judgement in self.truth.observe(now, looks, &self.blamed) {
            match judgement {
                Judgement::Suspected { .. } => self.suspected += 1,
                Judgement::Blamed { fellow, evidence } => {
                    self.blamed.insert(fellow);
                    self.evidence = evidence;
                }
                Judgement::Right { fellow } => drop(self.blamed.remove(&fellow)),
            }
        }
        self.millis += LOOK;
    }

    /// Looks for a span; after how many milliseconds the fellow was blamed.
    fn watch(&mut self, look: Look, span: Millis) -> Option<u64> {
        let start = self.millis;
        while self.millis - start <= span.get() {
            let seen_at = self.millis;
            self.see(&[look]);
            if self.blamed.contains(&look.fellow) {
                return Some(seen_at - start);
            }
        }
        None
    }
}

#[test]
fn t50_every_way_of_charging_a_fellow_is_suspected_at_once_and_blamed_after_the_grace() {
    let least = Msat::new(1_000);
    let ways: [(&str, Look, Fault); 7] = [
        ("rate", cheat(), Fault::Rate(Ppm::new(500))),
        (
            "base",
            look(|policy| policy.base = least),
            Fault::Base(least),
        ),
        (
            "inbound rate",
            look(|policy| policy.inbound_ppm = 200),
            Fault::InboundRate(200),
        ),
        (
            "inbound base",
            look(|policy| policy.inbound_base_msat = 1),
            Fault::InboundBase(1),
        ),
        (
            "htlc_maximum of 1 sat",
            look(|policy| policy.htlc_maximum = least),
            Fault::HtlcMaximum(least),
        ),
        (
            "htlc_minimum",
            look(|policy| policy.htlc_minimum = Msat::new(20_000_000)),
            Fault::HtlcMinimum(Msat::new(20_000_000)),
        ),
        (
            "disabled",
            look(|policy| policy.disabled = true),
            Fault::Disabled,
        ),
    ];
    for (name, look, fault) in ways {
        assert_eq!(look.faults(), [fault], "{name}");
        let mut judge = Judge::default();
        judge.see(&[look]);
        assert_eq!((judge.suspected, judge.blamed.len()), (1, 0), "{name}");
        judge.millis = 0;
        let mut judge = Judge::default();
        let found = judge.watch(look, Millis::from_days(1)).unwrap();
        // The first look after the grace is the first confirmation, the next one the second.
        assert_eq!(found, FEE_GRACE.get() + LOOK, "{name}");
        assert!(judge.evidence.contains("800000x10x0"), "{}", judge.evidence);
        assert!(judge.evidence.contains(&fault.to_string()), "{name}");
    }
}

#[test]
fn t50_a_private_channel_is_judged_by_the_peers_update_and_a_public_one_by_gossip_too() {
    let mut hidden = cheat();
    hidden.scid = None;
    let mut judge = Judge::default();
    assert!(judge.watch(hidden, Millis::from_hours(1)).is_some());
    let mut gossiped = cheat();
    gossiped.seen = gossiped.seen.map(|(policy, _)| (policy, Source::Gossip));
    let mut judge = Judge::default();
    let found = judge.watch(gossiped, Millis::from_days(2)).unwrap();
    assert_eq!(found, FEE_GRACE_GOSSIP.get() + LOOK);
    assert!(judge.evidence.contains("gossip"));
    let mut unseen = cheat();
    unseen.seen = None;
    let mut judge = Judge::default();
    assert_eq!(judge.watch(unseen, Millis::from_days(9)), None);
}

#[test]
fn t50_privileges_come_back_at_the_first_right_look() {
    let mut judge = Judge::default();
    judge.watch(cheat(), Millis::from_hours(1)).unwrap();
    judge.see(&[cheat()]);
    assert!(judge.blamed.contains(&fellow()));
    judge.see(&[look(|_| {})]);
    assert!(judge.blamed.is_empty());
    // One right channel of two is not right.
    judge.watch(cheat(), Millis::from_hours(1)).unwrap();
    let mut second = look(|_| {});
    second.channel = channel(11).channel_id;
    judge.see(&[cheat(), second]);
    assert!(judge.blamed.contains(&fellow()));
    judge.see(&[look(|_| {}), second]);
    assert!(judge.blamed.is_empty());
}

#[test]
fn t50_a_blame_outlives_a_restart_and_an_outage_of_the_blamed() {
    let mut judge = Judge::default();
    judge.watch(cheat(), Millis::from_hours(1)).unwrap();
    judge.truth = FeeTruth::default();
    judge.see(&[cheat()]);
    assert!(judge.blamed.contains(&fellow()));
    let mut away = cheat();
    away.is_usable = false;
    judge.see(&[away]);
    assert!(judge.blamed.contains(&fellow()), "away is not right");
}

#[test]
fn t51_updates_in_flight_and_changes_of_terms_blame_nobody() {
    // An update that takes as long as the grace, again and again.
    let mut judge = Judge::default();
    for _ in 0..50 {
        assert_eq!(judge.watch(cheat(), FEE_GRACE), None);
        judge.see(&[look(|_| {})]);
    }
    assert!(judge.suspected >= 50);
    // What is agreed changes before the grace is over: it begins anew.
    let mut judge = Judge::default();
    let mut floored = cheat();
    floored.agreed = Agreed::AtMost(Ppm::new(25));
    for _ in 0..20 {
        assert_eq!(judge.watch(cheat(), FEE_GRACE), None);
        assert_eq!(judge.watch(floored, FEE_GRACE), None);
    }
    // Connections that come and go: LND disables and enables late.
    let mut judge = Judge::default();
    let disabled = look(|policy| policy.disabled = true);
    let mut away = disabled;
    away.is_usable = false;
    for _ in 0..20 {
        assert_eq!(judge.watch(disabled, FEE_GRACE), None);
        judge.see(&[away]);
    }
}

#[test]
fn t51_rate_limited_gossip_and_looks_in_a_burst_blame_nobody() {
    let mut late = cheat();
    late.seen = late.seen.map(|(policy, _)| (policy, Source::Gossip));
    let mut judge = Judge::default();
    assert_eq!(judge.watch(late, Millis::from_hours(24)), None);
    // A hundred looks in one second are one confirmation.
    let mut truth = FeeTruth::default();
    let grace = Elapsed::new(FEE_GRACE.get());
    truth.observe(Elapsed::new(0), &[cheat()], &BTreeSet::new());
    for millis in 0..100 {
        let now = grace.plus(Millis::new(10 * millis));
        let said = truth.observe(now, &[cheat()], &BTreeSet::new());
        assert!(said.is_empty(), "{said:?}");
    }
    // A restart forgets what was suspected.
    let mut judge = Judge::default();
    for _ in 0..20 {
        assert_eq!(judge.watch(cheat(), FEE_GRACE), None);
        judge.truth = FeeTruth::default();
    }
}

#[test]
fn t51_what_is_usual_is_no_fault() {
    let usual = [
        look(|policy| policy.inbound_ppm = -300),
        look(|policy| policy.inbound_base_msat = -1_000),
        look(|policy| policy.htlc_minimum = Msat::new(1_000_000)),
        look(|policy| policy.htlc_maximum = Msat::new(200_000_000)),
        look(|policy| policy.cltv_delta = 500),
    ];
    for look in usual {
        assert!(look.faults().is_empty(), "{look:?}");
    }
    // Tools lower htlc_maximum to what a nearly dry channel can send.
    let mut dry = look(|policy| policy.htlc_maximum = Msat::new(1_000));
    dry.can_send = Msat::new(20_000_000);
    assert!(dry.faults().is_empty());
    // Half of what nobody else knows can't be judged; a closed door can.
    let mut probationary = cheat();
    probationary.agreed = Agreed::Discount;
    assert!(probationary.faults().is_empty());
    let mut shut = look(|policy| policy.disabled = true);
    shut.agreed = Agreed::Discount;
    assert_eq!(shut.faults(), [Fault::Disabled]);
}

#[test]
fn t61_a_floor_that_was_told_is_no_fault_up_to_what_was_told() {
    let floored = |rate| {
        let mut look = look(|policy| policy.rate = Ppm::new(rate));
        look.agreed = Agreed::AtMost(Ppm::new(25));
        look
    };
    assert!(floored(25).faults().is_empty());
    assert_eq!(floored(26).faults(), [Fault::Rate(Ppm::new(26))]);
    let mut base = floored(25);
    base.seen = Some((policy(1, 25), Source::Update));
    assert_eq!(base.faults(), [Fault::Base(Msat::new(1))]);
}

#[test]
fn t63_a_fellow_that_is_gone_is_stale_and_no_cheat() {
    // Its node is offline: its direction is disabled by somebody's rule.
    let mut offline = look(|policy| policy.disabled = true);
    (offline.is_usable, offline.is_fresh) = (false, false);
    let mut judge = Judge::default();
    assert_eq!(judge.watch(offline, Millis::from_days(30)), None);
    // Its agent alone is gone: what it set stays.
    let mut agentless = look(|_| {});
    agentless.is_fresh = false;
    assert_eq!(judge.watch(agentless, Millis::from_days(30)), None);
    assert_eq!(judge.suspected, 0);
    // An agent that missed a promotion while away has a week, and the whole grace when it is back.
    let mut missed = cheat();
    missed.is_fresh = false;
    assert_eq!(judge.watch(missed, Millis::from_days(6)), None);
    assert_eq!(judge.watch(cheat(), FEE_GRACE), None);
    assert_eq!(judge.watch(look(|_| {}), FEE_GRACE), None);
    // Charging for weeks behind a silent agent is found all the same.
    let found = judge.watch(missed, Millis::from_days(30)).unwrap();
    assert_eq!(found, FEE_GRACE_STALE.get() + LOOK);
}

/// Lets days pass in steps of an hour; for how many hours the fellow was excused.
fn pass(truces: &mut Truces, days: u64, by_it: bool, by_us: bool) -> (u64, u64) {
    let (mut excused, mut ended) = (0, 0);
    for _ in 0..days * 24 {
        let standing = truces.pass(fellow(), Millis::from_hours(1), by_it, by_us);
        excused += u64::from(standing.is_excused);
        ended += u64::from(standing.is_truce);
    }
    (excused, ended)
}

#[test]
fn a_withdrawal_that_was_told_excuses_for_a_while_and_is_no_licence() {
    let mut truces = Truces::default();
    let (excused, _) = pass(&mut truces, 40, true, false);
    assert_eq!(excused, WITHDRAWAL_EXCUSE.get() / HOUR - 1);
    // It grows back while nothing is withdrawn, and only then.
    pass(&mut truces, WITHDRAWAL_REST.get() / DAY / 2, false, false);
    let (excused, _) = pass(&mut truces, 40, true, false);
    assert_eq!(excused, WITHDRAWAL_EXCUSE.get() / HOUR / 2 - 1);
    // A year of one day on, one day off: less than half of it.
    let mut truces = Truces::default();
    let year: u64 = (0..182)
        .map(|_| {
            let (excused, _) = pass(&mut truces, 1, true, false);
            pass(&mut truces, 1, false, false);
            excused
        })
        .sum();
    assert!(year <= 182 * 24, "{year}");
    // Kept over a restart.
    let text = serde_json::to_string(&truces).unwrap();
    assert_eq!(serde_json::from_str::<Truces>(&text).unwrap(), truces);
    // Excused is not right: a blame from before stays.
    let mut judge = Judge::default();
    judge.watch(cheat(), Millis::from_hours(1)).unwrap();
    let mut excuse = cheat();
    excuse.is_excused = true;
    judge.see(&[excuse]);
    assert!(judge.blamed.contains(&fellow()));
}

#[test]
fn two_that_withdrew_from_each_other_find_back() {
    let mut truces = Truces::default();
    let day = TRUCE.get() / DAY;
    assert_eq!(pass(&mut truces, day, true, true).1, 1);
    // Who stays wrong waits twice as long each time.
    assert_eq!(pass(&mut truces, day, true, true).1, 0);
    assert_eq!(pass(&mut truces, day, true, true).1, 1);
    assert_eq!(pass(&mut truces, 4, true, true).1, 1);
    let (_, in_a_quarter) = pass(&mut truces, 90, true, true);
    assert!(in_a_quarter <= 6, "{in_a_quarter}");
    // One side alone brings no truce: the cheat has to be right first.
    let mut truces = Truces::default();
    assert_eq!(pass(&mut truces, 90, false, true).1, 0);
}
