//! How much of a target's public capacity is the fleet's, from the graph alone.

use crate::config::PlannerConfig;
use crate::graph::{Graph, NodeIndex};
use hive_types::{NodeId, Ppm, Sat};
use std::collections::{BTreeMap, BTreeSet};

/// The fleet's holdings at every outside node that it has public channels with.
pub(super) struct Shares {
    held: BTreeMap<NodeId, u64>,
    public: BTreeMap<NodeId, u64>,
}

impl Shares {
    pub(super) fn of(graph: &Graph, members: &BTreeSet<NodeIndex>) -> Self {
        let mut held: BTreeMap<NodeId, u64> = BTreeMap::new();
        let mut public = BTreeMap::new();
        let edges = members.iter().flat_map(|member| graph.channels_of(*member));
        for edge in edges.filter(|edge| !members.contains(&edge.to)) {
            let target = graph.node_id(edge.to);
            let sum = held.entry(target).or_default();
            *sum = sum.saturating_add(edge.capacity.get());
            public.insert(target, graph.capacity_of(edge.to).get());
        }
        Self { held, public }
    }

    /// What fleet channels with the target hold.
    pub(super) fn held(&self, target: &NodeId) -> u64 {
        self.held.get(target).copied().unwrap_or(0)
    }

    /// Targets closed to all members: those at the cap now, and those that were and are not yet below
    /// the lower mark.
    pub(super) fn capped(
        &self,
        before: &BTreeSet<NodeId>,
        config: &PlannerConfig,
    ) -> BTreeSet<NodeId> {
        let shares = self.held.iter().map(|(target, held)| {
            let public = self.public.get(target).copied().unwrap_or(0);
            (target, Ppm::of(*held, public))
        });
        let closed = shares.filter(|(target, share)| {
            let mark = match before.contains(target) {
                true => config.share_resume.min(config.share_cap),
                false => config.share_cap,
            };
            *share >= mark
        });
        closed.map(|(target, _)| *target).collect()
    }
}

/// The largest channel after which the fleet's share of a target stays at the cap: `held + x` over
/// `public + x`.
pub(super) fn room(public: Sat, held: u64, cap: Ppm) -> Sat {
    let cap = u128::from(cap.get().min(1_000_000));
    if cap == 1_000_000 {
        return Sat::new(u64::MAX);
    }
    let allowed = cap * u128::from(public.get());
    let taken = u128::from(held) * 1_000_000;
    let room = allowed.saturating_sub(taken) / (1_000_000 - cap);
    Sat::new(u64::try_from(room).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_ends_at_the_cap() {
        let cap = Ppm::new(200_000);
        let room_of = |public, held| room(Sat::new(public), held, cap).get();
        assert_eq!(room_of(1_000, 0), 250);
        assert_eq!(Ppm::of(250, 1_250), cap);
        assert_eq!(room_of(1_000, 100), 125);
        assert_eq!(room_of(1_000, 200), 0);
        assert_eq!(room_of(1_000, 900), 0);
        assert_eq!(room_of(0, 0), 0);
        assert_eq!(room(Sat::new(5), 9, Ppm::ONE).get(), u64::MAX);
        assert!(room_of(u64::MAX, 0) > u64::MAX / 5);
    }
}
