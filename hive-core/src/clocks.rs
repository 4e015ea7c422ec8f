//! Wall clocks that are wrong: noticed by comparison, told to the operator, and nothing else. No
//! order and no membership depends on them.

use crate::hive::{Hive, Stage};
use hive_types::limits::CLOCK_SKEW;
use hive_types::{Millis, NodeId, UnixMillis};
use std::collections::BTreeMap;

/// How far fellows' clocks were from this one's when they last said.
#[derive(Default)]
pub(crate) struct Clocks(BTreeMap<NodeId, Millis>);

impl Clocks {
    fn is_off(&self, node: &NodeId) -> bool {
        self.0.get(node).is_some_and(|apart| *apart > CLOCK_SKEW)
    }

    /// Whether more than half of the fellows heard disagree with this clock: then it is this one.
    pub(crate) fn own_is_off(&self) -> bool {
        let off = self.0.values().filter(|apart| **apart > CLOCK_SKEW).count();
        2 * off > self.0.len()
    }
}

impl Hive {
    /// A fellow told the time: an alert when it or this clock has begun to be wrong.
    pub(crate) fn compare_clock(&mut self, fellow: NodeId, wall: UnixMillis) {
        let apart = Millis::new(wall.get().abs_diff(self.now.wall.get()));
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let was_off = (member.clocks.is_off(&fellow), member.clocks.own_is_off());
        member.clocks.0.insert(fellow, apart);
        let is_off = (member.clocks.is_off(&fellow), member.clocks.own_is_off());
        if is_off.1 && !was_off.1 {
            self.alert(format!(
                "this machine's clock differs from most fellows' by {apart}; set it, by NTP say"
            ));
        } else if is_off.0 && !was_off.0 && !is_off.1 {
            let fellow = fellow.short();
            self.alert(format!(
                "the clock of fellow {fellow} differs from this one's by {apart}; tell its operator"
            ));
        }
    }
}
