//! Evidence against outside peers: what the own node sees, when it convicts, and when it is over.

use crate::common::*;
use hive_policy::bans::{PeerWatch, effective, gravest};
use hive_types::limits::{
    BAN_DUST_HTLCS, BAN_FEE_RAISES, BAN_FORWARDS, BAN_JAMS, BAN_STUCK_HTLCS, DUST_HTLCS_PER_HOUR,
    EVIDENCE_LIFETIME, FEE_WATCH, JAM_HTLCS, JAM_SPAN, WATCHED_FEES, WATCHED_PEERS, corroboration,
};
use hive_types::{BanReason, FleetView, LocalSnapshot, Msat, NodeId, PeerEvents, Ppm, Toxicity};

const PEER: u8 = 30;

/// A node that tells this of one peer, and has no channel that is full.
fn told(change: impl Fn(&mut PeerEvents)) -> LocalSnapshot {
    let mut events = PeerEvents::none(node(PEER));
    change(&mut events);
    LocalSnapshot {
        peer_events: vec![events],
        ..local()
    }
}

fn begun() -> PeerWatch {
    let mut watch = PeerWatch::default();
    // What happened before this agent ran is nobody's evidence.
    let before = told(|seen| {
        seen.force_closes = 7;
        seen.forwards = 10_000;
        seen.failed = 10_000;
    });
    assert!(watch.observe(after(0), &before).is_empty());
    assert_eq!(watch.toxicity(after(0), &node(PEER)), None);
    let same = watch.observe(after(SECOND), &before);
    assert!(same.is_empty());
    watch
}

fn found(watch: &PeerWatch, millis: u64) -> Toxicity {
    let found = watch.toxicity(after(millis), &node(PEER));
    found.unwrap_or_default()
}

#[test]
fn t49_each_kind_of_evidence_convicts_at_its_threshold_and_not_before() {
    type Deed = fn(&mut PeerEvents, u64);
    let grow = |deed: Deed, count: u64| {
        let mut watch = PeerWatch::default();
        watch.observe(after(0), &told(|_| ()));
        watch.observe(after(SECOND), &told(|seen| deed(seen, count)));
        let found = found(&watch, 2 * SECOND);
        (gravest(&found), found)
    };
    let closes: Deed = |seen, count| seen.force_closes = count;
    assert_eq!(grow(closes, 1).0, None);
    assert_eq!(grow(closes, 2).0, Some(BanReason::ForceCloses));
    let stuck: Deed = |seen, count| seen.stuck_htlcs = count;
    assert_eq!(grow(stuck, u64::from(BAN_STUCK_HTLCS) - 1).0, None);
    let (reason, evidence) = grow(stuck, u64::from(BAN_STUCK_HTLCS));
    assert_eq!(reason, Some(BanReason::StuckHtlcs));
    assert_eq!(evidence.incidents(BanReason::StuckHtlcs), BAN_STUCK_HTLCS);
    assert_eq!(evidence.last_seen, after(SECOND).wall);
    let dust: Deed = |seen, count| seen.dust_htlcs = count;
    let free = u64::from(DUST_HTLCS_PER_HOUR);
    assert_eq!(
        grow(dust, free).1,
        Toxicity::default(),
        "an hour brings some"
    );
    let flood = free + u64::from(BAN_DUST_HTLCS);
    assert_eq!(grow(dust, flood - 1).0, None);
    assert_eq!(grow(dust, flood).0, Some(BanReason::Dust));
    let failing: Deed = |seen, count| {
        seen.forwards = count;
        seen.failed = count * 96 / 100;
    };
    assert_eq!(grow(failing, u64::from(BAN_FORWARDS) - 1).0, None);
    assert_eq!(
        grow(failing, u64::from(BAN_FORWARDS)).0,
        Some(BanReason::Failures)
    );
    let half: Deed = |seen, count| {
        seen.forwards = count;
        seen.failed = count / 2;
    };
    assert_eq!(grow(half, 100_000).0, None);
}

#[test]
fn what_happened_before_and_totals_that_fall_are_no_evidence() {
    let mut watch = begun();
    // The node forgot its history; what comes then counts.
    watch.observe(after(2 * SECOND), &told(|_| ()));
    assert_eq!(found(&watch, 2 * SECOND), Toxicity::default());
    watch.observe(after(3 * SECOND), &told(|seen| seen.force_closes = 1));
    assert_eq!(found(&watch, 3 * SECOND).force_closes, 1);
}

#[test]
fn slots_that_stay_taken_are_one_jam_until_they_were_free() {
    let mut watch = PeerWatch::default();
    let with = |htlcs: u32| {
        let mut local = told(|_| ());
        let mut channels = local.channels.iter_mut();
        channels.find(|own| own.peer == node(PEER)).unwrap().htlcs = htlcs;
        local
    };
    let (full, free) = (with(JAM_HTLCS), with(JAM_HTLCS - 1));
    let span = JAM_SPAN.get();
    let mut millis = 0;
    let mut read = |watch: &mut PeerWatch, local: &LocalSnapshot, wait: u64| {
        millis += wait;
        watch.observe(after(millis), local);
        found(watch, millis).jams
    };
    assert_eq!(read(&mut watch, &full, 0), 0);
    assert_eq!(read(&mut watch, &full, span - 1), 0);
    assert_eq!(read(&mut watch, &free, 1), 0, "a wave that passed");
    for jam in 1..=BAN_JAMS {
        assert_eq!(read(&mut watch, &full, SECOND), jam - 1);
        assert_eq!(read(&mut watch, &full, span), jam);
        assert_eq!(read(&mut watch, &full, 10 * span), jam, "the same one");
        assert_eq!(read(&mut watch, &free, SECOND), jam);
    }
    assert_eq!(gravest(&found(&watch, millis)), Some(BanReason::Jamming));
}

#[test]
fn fees_raised_after_pushes_are_evidence_and_usual_changes_are_not() {
    let (peer, channel) = (node(PEER), Some(scid(77)));
    let price = |rate: u64| Msat::new(100 * rate);
    let mut watch = PeerWatch::default();
    let mut at = 0;
    let mut raise = |watch: &mut PeerWatch, from: u64, to: u64, wait: u64| {
        watch.watch_fee(after(at), peer, channel, Some(price(from)));
        at += wait;
        let raised = watch.fee_seen(after(at), peer, channel, price(to));
        at += FEE_WATCH.get() + 1;
        raised
    };
    assert!(!raise(&mut watch, 1, 1, SECOND));
    assert!(!raise(&mut watch, 200, 350, SECOND), "a tool that steers");
    assert!(!raise(&mut watch, 10, 100, SECOND), "small change");
    assert!(!raise(&mut watch, 10, 2_000, FEE_WATCH.get()), "much later");
    for count in 1..=BAN_FEE_RAISES {
        assert!(raise(&mut watch, 10, 2_000, SECOND), "{count}");
    }
    let now = after(at);
    let found = watch.toxicity(now, &peer).unwrap();
    assert_eq!(gravest(&found), Some(BanReason::FeeSniping));
    assert!(
        !watch.fee_seen(now, peer, Some(scid(78)), price(9_000)),
        "not watched"
    );
}

#[test]
fn t48_own_evidence_leaves_its_window_and_can_be_forgiven() {
    let closed = told(|seen| seen.force_closes = 2);
    let mut watch = PeerWatch::default();
    watch.observe(after(0), &told(|_| ()));
    watch.observe(after(SECOND), &closed);
    let window = EVIDENCE_LIFETIME.get();
    let closes = |watch: &PeerWatch, millis: u64| found(watch, millis).force_closes;
    assert_eq!(closes(&watch, window / 2), 2);
    // Read daily, or not at all: after the window nothing of it is left.
    let unread = watch.clone();
    let mut daily = watch.clone();
    (1..40).for_each(|day| drop(daily.observe(after(day * DAY), &closed)));
    assert_eq!(closes(&daily, 40 * DAY), 0);
    assert_eq!(closes(&unread, SECOND + window), 0);
    watch.forgive(after(2 * SECOND), &node(PEER));
    watch.observe(after(3 * SECOND), &closed);
    assert_eq!(
        closes(&watch, 3 * SECOND),
        0,
        "what was forgiven does not come back"
    );
}

#[test]
fn what_is_watched_is_bounded() {
    let peer = |number: u64| -> NodeId { format!("02{number:064x}").parse().unwrap() };
    let many = |count: u64, closes: u64| LocalSnapshot {
        peer_events: (0..count)
            .map(|number| PeerEvents {
                force_closes: closes,
                stuck_htlcs: closes * 1_000,
                forwards: u64::MAX,
                failed: u64::MAX,
                dust_htlcs: u64::MAX,
                ..PeerEvents::none(peer(number + 1))
            })
            .collect(),
        ..local()
    };
    let mut watch = PeerWatch::default();
    watch.observe(after(0), &many(2_000, 0));
    watch.observe(after(SECOND), &many(2_000, 1_000_000));
    for number in 0..1_000 {
        let channel = Some(scid(7));
        watch.watch_fee(
            after(SECOND),
            peer(number + 1),
            channel,
            Some(Msat::new(u64::MAX)),
        );
    }
    assert_eq!(watch.toxicities(after(SECOND)).count(), WATCHED_PEERS);
    assert_eq!(watch.watched_fees().count(), WATCHED_FEES);
}

#[test]
fn t48_liars_below_a_third_corroborate_nothing() {
    use hive_types::{FellowView, ObservationView, Tier};
    for full in 1..=50usize {
        let liars = full.div_ceil(3) - 1;
        assert!(3 * liars < full && liars < corroboration(full), "{full}");
        let member = |number: usize| FellowView {
            node_id: node(number as u8 + 1),
            tier: Tier::Full,
            fresh: true,
            privileges: Default::default(),
            channels: Vec::new(),
            constraint: Default::default(),
            intents: Vec::new(),
        };
        let lie = |number: usize| ObservationView {
            author: node(number as u8 + 2),
            peer: node(99),
            toxicity: Some(Toxicity {
                force_closes: 1_000,
                failure_rate: Ppm::ONE,
                last_seen: after(0).wall,
                ..Toxicity::default()
            }),
            opportunity: None,
        };
        let mut fleet = FleetView {
            me: Some(node(ME)),
            members: (0..full).map(member).collect(),
            observations: (0..liars).map(lie).collect(),
            ..FleetView::default()
        };
        let own = Default::default();
        assert!(effective(after(0), &fleet, &own).is_empty(), "{full}");
        let honest = corroboration(full).min(full - 1);
        fleet.observations = (0..honest).map(lie).collect();
        let is_banned = !effective(after(0), &fleet, &own).is_empty();
        assert_eq!(is_banned, honest == corroboration(full), "{full}");
    }
}
