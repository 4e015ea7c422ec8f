//! How much a plan may take, in units that are the same on every machine.

use super::problem::{Progress, Watch};
use serde::{Deserialize, Serialize};

/// This many comparisons of payments cost as much as settling one node.
const COMPARISONS_PER_NODE: u64 = 64;

/// What a plan took, in units that are the same on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Nodes that Dijkstra settled; comparisons of payments count at 64 for one.
    pub settled: u64,
    /// Payments in the sample.
    pub payments: u32,
    /// Targets that were weighed.
    pub candidates: u32,
    /// Whether the limit, or whoever watched, ended the plan early.
    pub cut: bool,
}

/// The work so far, against its limit. All questions are asked between steps whose size does not
/// depend on the number of threads, so a plan is cut at the same place on every machine.
pub(super) struct Budget<'a> {
    pub(super) work: Work,
    limit: u64,
    watch: Watch<'a>,
}

impl<'a> Budget<'a> {
    pub(super) fn new(limit: u64, watch: Watch<'a>) -> Self {
        Self {
            work: Work::default(),
            limit,
            watch,
        }
    }

    /// Counts so many comparisons.
    pub(super) fn compare(&mut self, payments: usize) {
        let nodes = (payments as u64).div_ceil(COMPARISONS_PER_NODE);
        self.work.settled = self.work.settled.saturating_add(nodes);
    }

    /// Counts so many settled nodes.
    pub(super) fn settle(&mut self, nodes: u64) {
        self.work.settled = self.work.settled.saturating_add(nodes);
    }

    /// Whether there is work left; once there is not, the plan is cut.
    pub(super) fn goes_on(&mut self) -> bool {
        self.is_below(self.limit)
    }

    /// Whether less than half of the work is done: what must come first may not take it all.
    pub(super) fn has_half(&mut self) -> bool {
        self.is_below(self.limit / 2)
    }

    /// How many steps of this size fit into half of the limit; if not all, the plan is cut.
    pub(super) fn steps_in_half(&mut self, steps: usize, size: u64) -> usize {
        let left = (self.limit / 2).saturating_sub(self.work.settled);
        let fit = usize::try_from(left / size.max(1)).unwrap_or(usize::MAX);
        self.work.cut |= fit < steps;
        fit.min(steps)
    }

    fn is_below(&mut self, limit: u64) -> bool {
        let progress = Progress {
            done: self.work.settled,
            of: self.limit.max(self.work.settled),
        };
        self.work.cut |= self.work.settled >= limit || !(self.watch)(progress);
        !self.work.cut
    }
}
