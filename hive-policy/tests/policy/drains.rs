//! The outflow guard: outsiders who pass through free corridors.

use crate::common::*;
use hive_policy::outflow::{Flow, Outflow, Told};
use hive_types::limits::CORRIDOR_CALM;
use hive_types::{Elapsed, ForwardTotals, LocalSnapshot, Msat, NodeId, Sat, ShortChannelId};

const FELLOW: u8 = 10;
const OTHER_FELLOW: u8 = 11;
const OUTSIDER: u8 = 40;

fn is_fellow(node_id: &NodeId) -> bool {
    [FELLOW, OTHER_FELLOW].map(node).contains(node_id)
}

/// A node with one channel of a million sat with each fellow, whose forwards are counted by hand.
struct Node {
    local: LocalSnapshot,
    guard: Outflow,
    hours: u64,
    /// What the fellow says that it can send to the outsider, in sat.
    told: Option<u64>,
}

impl Node {
    fn new() -> Self {
        let mut node = Self {
            local: two_channels(),
            guard: Outflow::default(),
            hours: 0,
            told: None,
        };
        // What was forwarded in earlier years has no date.
        node.forward(OUTSIDER, FELLOW, 50_000_000);
        assert!(node.look().is_empty());
        node
    }

    fn forward(&mut self, from: u8, to: u8, sat: u64) {
        let volume = Msat::new(sat * 1_000);
        let (from, to) = (node(from), node(to));
        let mut totals = self.local.forwards.iter_mut();
        match totals.find(|total| total.from == from && total.to == to) {
            Some(total) => total.volume = total.volume.saturating_add(volume),
            None => self.local.forwards.push(ForwardTotals {
                from,
                to,
                count: 1,
                volume,
                fees: Msat::ZERO,
            }),
        }
    }

    fn look(&mut self) -> Vec<Flow> {
        self.look_at(Elapsed::new(self.hours * HOUR))
    }

    fn look_at(&mut self, now: Elapsed) -> Vec<Flow> {
        let told = self.told.map(|sat| Told {
            fellow: node(FELLOW),
            peer: node(OUTSIDER),
            channel: ShortChannelId::new(700_000, 1, 0).unwrap(),
            spendable: Msat::new(sat * 1_000),
        });
        let told: Vec<Told> = told.into_iter().collect();
        self.guard.observe(now, &self.local, is_fellow, &told)
    }

    /// What is counted as drained once all that may be a fellow's push has been waited for.
    fn net_after_an_hour(&mut self) -> i128 {
        self.hours += 1;
        self.look();
        self.guard.net(&node(FELLOW))
    }

    /// Hours in which outsiders move so much each; what was found, and in which hour.
    fn hours(&mut self, hours: u64, out: u64, back: u64) -> Vec<(u64, Flow)> {
        let mut found = Vec::new();
        for _ in 0..hours {
            self.hours += 1;
            self.forward(OUTSIDER, FELLOW, out);
            self.forward(FELLOW, OUTSIDER, back);
            found.extend(self.look().into_iter().map(|flow| (self.hours, flow)));
        }
        found
    }
}

#[test]
fn t61_outsiders_who_drain_a_corridor_are_noticed_and_calm_ends_it() {
    let mut node_ = Node::new();
    // A quarter of a million sat is the bound: 20,000 an hour pass it in the thirteenth.
    let found = node_.hours(24, 20_000, 0);
    let drains = Flow::Drains {
        fellow: node(FELLOW),
        net: Msat::new(260_000_000),
        capacity: Sat::new(1_000_000).to_msat_saturating(),
    };
    assert_eq!(found, [(13, drains)]);
    // Just under the bound is no calm, and is not told again.
    assert!(node_.hours(72, 8_000, 0).is_empty());
    // Under half of it for a day is.
    let calm = node_.hours(60, 4_000, 0);
    let fellow = node(FELLOW);
    assert_eq!(calm.len(), 1, "{calm:?}");
    assert_eq!(calm[0].1, Flow::Calm { fellow });
    let waited = calm[0].0 - 96;
    assert!(waited > CORRIDOR_CALM.get() / HOUR, "{waited}");
    // And it can begin again.
    assert_eq!(node_.hours(24, 60_000, 0).len(), 1);
}

#[test]
fn t61_traffic_that_comes_back_or_comes_from_fellows_is_no_drain() {
    let mut there_and_back = Node::new();
    assert!(there_and_back.hours(100, 500_000, 490_000).is_empty());
    let mut fellows = Node::new();
    for _ in 0..100 {
        fellows.hours += 1;
        fellows.forward(OTHER_FELLOW, FELLOW, 500_000);
        assert!(fellows.look().is_empty());
    }
    let mut slow = Node::new();
    assert!(slow.hours(300, 10_000, 0).is_empty());
}

#[test]
fn t61_a_floor_outlives_a_restart_and_a_node_that_counts_anew() {
    let mut node_ = Node::new();
    assert_eq!(node_.hours(24, 40_000, 0).len(), 1);
    node_.guard = Outflow::restore([node(FELLOW)].into_iter());
    assert!(node_.look().is_empty());
    // Not told again, and not over before a calm day.
    assert!(node_.hours(20, 40_000, 0).is_empty());
    node_.local.forwards.clear();
    assert!(node_.look().is_empty());
    assert!(node_.guard.net(&node(FELLOW)) >= 0);
    // The channel is closed: nothing is left to guard.
    node_.local.channels.remove(0);
    let fellow = node(FELLOW);
    assert_eq!(node_.look(), [Flow::Calm { fellow }]);
}

/// A fellow that tells of a channel with the outsider, in which it has this much.
fn told(sat: u64) -> Node {
    let mut node_ = Node::new();
    node_.told = Some(sat);
    assert!(node_.look().is_empty());
    node_
}

#[test]
fn t61_a_fellows_own_push_is_no_drain_whichever_is_seen_first() {
    for is_told_first in [true, false] {
        let mut node_ = told(900_000);
        if is_told_first {
            node_.told = Some(650_000);
            assert!(node_.look().is_empty());
            // Its HTLC takes an hour.
            node_.hours += 1;
        }
        node_.forward(OUTSIDER, FELLOW, 250_000);
        let at = node_.hours * HOUR;
        assert!(node_.look_at(Elapsed::new(at)).is_empty());
        node_.told = Some(650_000);
        // The heartbeat is twenty minutes late.
        assert!(node_.look_at(Elapsed::new(at + HOUR / 3)).is_empty());
        assert_eq!(node_.net_after_an_hour(), 0, "told first: {is_told_first}");
        // What comes after it is the outsiders' again.
        node_.forward(OUTSIDER, FELLOW, 100_000);
        assert!(node_.look().is_empty());
        assert_eq!(node_.net_after_an_hour(), 100_000_000);
    }
}

#[test]
fn t61_what_no_heartbeat_explains_is_a_drain() {
    // The fellow has a channel with the outsider, and pays nothing over it.
    let mut idle = told(900_000);
    idle.forward(OUTSIDER, FELLOW, 260_000);
    assert!(idle.look().is_empty(), "it may be told of yet");
    idle.hours += 1;
    let fellow = node(FELLOW);
    assert!(matches!(idle.look()[..], [Flow::Drains { fellow: found, .. }] if found == fellow));
    // What it paid hours before explains nothing, nor does a channel that it tells of no more.
    for gap in [7, 0] {
        let mut gone = told(900_000);
        gone.told = (gap > 0).then_some(100_000);
        assert!(gone.look().is_empty());
        gone.hours += gap;
        assert!(gone.look().is_empty());
        gone.forward(OUTSIDER, FELLOW, 200_000);
        assert!(gone.look().is_empty());
        assert_eq!(gone.net_after_an_hour(), 200_000_000, "{gap}");
    }
}

#[test]
fn t61_a_fellow_that_claims_outsiders_payments_delays_the_alarm_and_no_more() {
    let mut node_ = told(900_000);
    let mut found = Vec::new();
    for hour in 1..=24 {
        node_.hours = hour;
        node_.forward(OUTSIDER, FELLOW, 30_000);
        // It says each time that it paid that itself, and a little later that it has it back.
        let at = hour * HOUR;
        for (minute, sat) in [(0, 600_000), (10, 900_000)] {
            node_.told = Some(sat);
            let now = Elapsed::new(at + minute * 60_000);
            found.extend(node_.look_at(now).into_iter().map(|flow| (hour, flow)));
        }
    }
    // A quarter of a million sat is excused and a quarter is let pass, as is what may be told of yet.
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, 18, "{found:?}");
}
