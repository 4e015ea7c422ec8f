//! The outflow guard: outsiders who pass through free corridors.

use crate::common::*;
use hive_policy::outflow::{Flow, Outflow};
use hive_types::limits::CORRIDOR_CALM;
use hive_types::{Elapsed, ForwardTotals, LocalSnapshot, Msat, NodeId, Sat};

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
}

impl Node {
    fn new() -> Self {
        let mut node = Self {
            local: two_channels(),
            guard: Outflow::default(),
            hours: 0,
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
        let now = Elapsed::new(self.hours * HOUR);
        self.guard.observe(now, &self.local, is_fellow)
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
