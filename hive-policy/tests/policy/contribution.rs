//! Cases of contribution and uptime: who forwards for whom, and who is there.

use crate::common::{DAY, HOUR, START, node};
use hive_policy::conduct::contribution::{Contributions, Share, Volumes, agrees, is_leech};
use hive_policy::conduct::presence::{Attested, Uptime, uptime};
use hive_types::limits::{PRESENCE_MIN, PRESENCE_SLOTS};
use hive_types::*;
use std::collections::{BTreeMap, BTreeSet};

const FELLOW: u8 = 10;
/// Outside peers.
const X: u8 = 60;
const Y: u8 = 61;
/// Of the channels with the fellow.
const CAPACITY: Sat = Sat::new(2_000_000);

/// A node's totals, and who counts them.
#[derive(Default)]
struct Node {
    totals: BTreeMap<(u8, u8), u64>,
    contributions: Contributions,
    millis: u64,
}

impl Node {
    /// One that has begun to count.
    fn new() -> Self {
        let mut new = Self::default();
        new.look();
        new
    }

    fn forward(&mut self, from: u8, to: u8, sat: u64) {
        *self.totals.entry((from, to)).or_default() += sat;
    }

    fn forwards(&self) -> Vec<ForwardTotals> {
        let all = self.totals.iter().map(|((from, to), sat)| ForwardTotals {
            from: node(*from),
            to: node(*to),
            count: 1,
            volume: Msat::new(sat * 1_000),
            fees: Msat::ZERO,
        });
        all.collect()
    }

    fn look(&mut self) {
        let fellows: BTreeSet<NodeId> = [node(FELLOW), node(11)].into();
        let (wall, forwards) = (UnixMillis::new(START + self.millis), self.forwards());
        self.contributions
            .observe(wall, &fellows, &forwards, |_| CAPACITY);
    }

    /// Days in each of which these forwards happen.
    fn days(&mut self, days: u64, each: &[(u8, u8, u64)]) {
        for _ in 0..days {
            for (from, to, sat) in each {
                self.forward(*from, *to, *sat);
            }
            (0..24).for_each(|_| {
                self.millis += HOUR;
                self.look();
            });
        }
    }

    fn volumes(&self) -> (u64, u64) {
        let Volumes { given, taken } = self.contributions.volumes(&node(FELLOW), &self.forwards());
        (given.get() / 1_000, taken.get() / 1_000)
    }

    fn share(&self) -> Share {
        let forwards = self.forwards();
        self.contributions.share(&node(FELLOW), &forwards, CAPACITY)
    }

    fn is_for_vote(&self) -> bool {
        self.contributions.is_for_vote(&node(FELLOW))
    }
}

#[test]
fn t53_no_data_is_unknown_and_never_one() {
    let mut idle = Node::new();
    assert_eq!(idle.share(), Share::Unknown);
    idle.days(30, &[]);
    assert_eq!((idle.share(), idle.volumes()), (Share::Unknown, (0, 0)));
    // Traffic of others, and of one side alone, says nothing of the fellow.
    idle.days(10, &[(X, Y, 9_000_000), (FELLOW, X, 9_000_000)]);
    assert_eq!(idle.share(), Share::Unknown);
    assert!(!is_leech(idle.share(), false) && !idle.is_for_vote());
}

#[test]
fn t53_little_volume_and_few_days_are_unknown() {
    // Less than the channels with it hold: an honest imbalance moves that much once.
    let mut small = Node::new();
    small.days(10, &[(X, FELLOW, 199_000)]);
    assert_eq!(small.share(), Share::Unknown);
    // Much, but for two days.
    let mut young = Node::new();
    young.days(2, &[(X, FELLOW, 5_000_000)]);
    assert_eq!(young.share(), Share::Unknown);
    young.days(1, &[]);
    assert_eq!(young.share(), Share::Known(Ppm::ZERO));
}

#[test]
fn t53_what_was_forwarded_before_it_was_a_fellow_does_not_count() {
    let mut node = Node::default();
    node.forward(X, FELLOW, 50_000_000);
    node.look();
    node.days(5, &[]);
    assert_eq!((node.volumes(), node.share()), ((0, 0), Share::Unknown));
}

#[test]
fn t53_wash_volume_is_left_out() {
    // Out and back to the fellow itself, and to and fro over an outside peer.
    let wash = [
        (FELLOW, FELLOW, 7_000_000),
        (FELLOW, X, 9_000_000),
        (X, FELLOW, 9_000_000),
    ];
    let mut washing = Node::new();
    washing.days(5, &wash);
    assert_eq!(
        (washing.volumes(), washing.share()),
        ((0, 0), Share::Unknown)
    );
    // A leech gains nothing by it.
    let mut leech = Node::new();
    let honest = [(Y, FELLOW, 1_000_000), (FELLOW, Y, 100_000)];
    leech.days(5, &[&wash[..], &honest[..]].concat());
    assert_eq!(leech.volumes(), (4_500_000, 0));
    assert!(is_leech(leech.share(), false));
}

#[test]
fn t54_a_leech_is_one_under_half_until_it_is_over_three_fifths() {
    let ratio_after = |taken| {
        let mut node = Node::new();
        node.days(4, &[(X, FELLOW, 1_000_000), (FELLOW, Y, taken)]);
        node.share()
    };
    assert_eq!(ratio_after(500_000), Share::Known(Ppm::new(500_000)));
    assert!(!is_leech(ratio_after(500_000), false));
    assert!(is_leech(ratio_after(499_000), false));
    // It stays one until it is clearly better, so that it does not flap.
    assert!(is_leech(ratio_after(600_000), true));
    assert!(!is_leech(ratio_after(601_000), true));
    assert!(!is_leech(Share::Unknown, true));
}

#[test]
fn t54_a_vote_is_proposed_after_seven_days_under_three_tenths_in_a_row() {
    let low = [(X, FELLOW, 1_000_000), (FELLOW, Y, 250_000)];
    let mut leech = Node::new();
    // Known from the third day on.
    leech.days(8, &low);
    assert!(!leech.is_for_vote());
    leech.days(1, &low);
    assert!(leech.is_for_vote());
    // A good day ends it: seven new ones are needed.
    leech.days(1, &[(FELLOW, Y, 3_000_000)]);
    assert!(!leech.is_for_vote());
    // Under a half and over three tenths is a leech, and no case for a vote.
    let mut poor = Node::new();
    poor.days(14, &[(X, FELLOW, 1_000_000), (FELLOW, Y, 400_000)]);
    assert!(is_leech(poor.share(), false) && !poor.is_for_vote());
}

#[test]
fn t54_a_clock_that_jumps_brings_no_vote() {
    let mut node = Node::new();
    node.days(4, &[(X, FELLOW, 1_000_000)]);
    node.millis += 30 * DAY;
    node.look();
    assert!(!node.is_for_vote());
    // And one that is set back for good does not hold the day open.
    node.millis -= 34 * DAY;
    node.look();
    let before = node.contributions.days();
    node.days(2, &[]);
    assert_eq!(node.contributions.days(), before + 2);
}

#[test]
fn t54_counting_goes_on_over_restarts_and_forgets_old_days() {
    let mut node = Node::new();
    node.days(5, &[(X, FELLOW, 1_000_000)]);
    node.forward(X, FELLOW, 300_000);
    node.millis += HOUR;
    node.look();
    // What was stored last is from the end of a day; the node's totals bridge the rest.
    let stored = node.contributions.clone();
    node.forward(FELLOW, Y, 200_000);
    node.contributions = stored;
    node.look();
    assert_eq!(node.volumes(), (5_300_000, 200_000));
    // The node counts anew: nothing is counted twice.
    node.totals.clear();
    node.look();
    assert_eq!(node.volumes(), (5_000_000, 0));
    node.days(15, &[]);
    assert_eq!(node.volumes(), (0, 0));
}

#[test]
fn both_sides_agree_within_a_quarter() {
    let sat = |sat: u64| Msat::new(sat * 1_000);
    assert!(agrees(sat(10_000_000), sat(7_600_000)));
    assert!(!agrees(sat(10_000_000), sat(7_400_000)));
    assert!(agrees(sat(0), sat(900_000)));
    assert!(agrees(Msat::new(u64::MAX), Msat::new(u64::MAX)));
}

/// Three members and what they attest while time goes on.
struct Watchers {
    attested: BTreeMap<NodeId, Attested>,
    slot: u32,
}

impl Watchers {
    const MEMBERS: [u8; 4] = [1, 2, 3, FELLOW];

    fn new() -> Self {
        let attested = Self::MEMBERS.map(|member| (node(member), Attested::default()));
        Self {
            attested: attested.into(),
            slot: 100_000,
        }
    }

    /// Slots in which these are up; one that is down attests nothing.
    fn slots(&mut self, slots: u32, up: &[u8]) {
        for _ in 0..slots {
            self.slot += 1;
            for member in Self::MEMBERS.iter().filter(|member| up.contains(member)) {
                let fellows = Self::MEMBERS.iter().filter(|fellow| *fellow != member);
                let fellows: Vec<(NodeId, bool)> = fellows
                    .map(|fellow| (node(*fellow), up.contains(fellow)))
                    .collect();
                let own = self.attested.get_mut(&node(*member)).unwrap();
                // Many times in a slot.
                for _ in 0..3 {
                    own.note(self.slot, &fellows);
                }
            }
        }
    }

    fn uptime(&self, of: u8) -> Option<Uptime> {
        uptime(&node(of), &self.attested)
    }
}

#[test]
fn t55_uptime_is_what_a_majority_of_watchers_saw() {
    let mut fleet = Watchers::new();
    fleet.slots(PRESENCE_MIN, &[1, 2, 3, FELLOW]);
    // The running slot does not count.
    assert_eq!(fleet.uptime(FELLOW), None);
    fleet.slots(1, &[1, 2, 3, FELLOW]);
    let share = Ppm::ONE;
    let slots = PRESENCE_MIN;
    assert_eq!(fleet.uptime(FELLOW), Some(Uptime { share, slots }));
    fleet.slots(40, &[1, 2, 3]);
    fleet.slots(60, &[1, 2, 3, FELLOW]);
    let known = fleet.uptime(FELLOW).unwrap();
    assert_eq!((known.slots, known.share), (106, Ppm::of(66, 106)));
    // A week later what is older is forgotten.
    fleet.slots(PRESENCE_SLOTS as u32, &[1, 2, 3, FELLOW]);
    assert_eq!(fleet.uptime(FELLOW).unwrap().share, Ppm::ONE);
}

#[test]
fn t55_an_observer_that_was_down_or_joins_late_changes_nothing() {
    let mut fleet = Watchers::new();
    fleet.slots(50, &[1, 2, 3, FELLOW]);
    fleet.slots(20, &[1, 2, FELLOW]);
    fleet.slots(30, &[1, 2, 3, FELLOW]);
    assert_eq!(fleet.uptime(FELLOW).unwrap().share, Ppm::ONE);
    assert_eq!(fleet.uptime(3).unwrap().share, Ppm::of(79, 99));
    // One that hears nobody is cut off itself: it speaks against nobody.
    let alone: Vec<(NodeId, bool)> = [1, 2, FELLOW].map(|member| (node(member), false)).into();
    let own = fleet.attested.get_mut(&node(3)).unwrap();
    for passed in 1..=40 {
        own.note(fleet.slot + passed, &alone);
    }
    fleet.slots(40, &[1, 2, FELLOW]);
    assert_eq!(fleet.uptime(FELLOW).unwrap().share, Ppm::ONE);
}

#[test]
fn t55_a_liar_moves_no_uptime() {
    let mut fleet = Watchers::new();
    fleet.slots(100, &[1, 2, 3, FELLOW]);
    fleet.slots(68, &[1, 2, 3]);
    let before: Vec<Option<Uptime>> = [1, 2, FELLOW].map(|of| fleet.uptime(of)).into();
    // It says that all were down but one that was up all the time, and that slots to come are over.
    let liar = fleet.attested.get_mut(&node(3)).unwrap();
    liar.slot = u32::MAX;
    liar.watched = [255; PRESENCE_SLOTS / 8];
    for (of, (since, seen)) in &mut liar.seen {
        (*since, *seen) = (
            0,
            [if *of == node(FELLOW) { 255 } else { 0 }; PRESENCE_SLOTS / 8],
        );
    }
    let after: Vec<Option<Uptime>> = [1, 2, FELLOW].map(|of| fleet.uptime(of)).into();
    assert_eq!(after, before);
    let liar = fleet.attested.get_mut(&node(3)).unwrap();
    liar.slot = fleet.slot;
    // In the same slots: two of three watchers outweigh it.
    assert_eq!(fleet.uptime(FELLOW), before[2]);
}
