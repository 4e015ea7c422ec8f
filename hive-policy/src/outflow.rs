//! The outflow guard: outsiders who drain a free corridor.
//!
//! A channel has one policy for everybody, so outsiders too pass out to a fellow for nothing. From the
//! node's own forwards the guard counts, hour by hour, what came from outsiders and went out to a
//! fellow, less what came back from the fellow and went on to outsiders. Above [`CORRIDOR_DRAIN`] of
//! the corridor's capacity in 24 hours the corridor drains: the operator is told and a small fee is
//! asked, the floor. It ends once the drain stayed under half of that for [`CORRIDOR_CALM`].
//!
//! Forwards that came from another fellow do not count: that fellow watches its own corridor.
//!
//! A fellow's push looks like an outsider's payment: it leaves the fellow by a peer that both share, and goes
//! from that peer over this node back to the fellow. No node can see who pays an HTLC. What shows it is the
//! fellow's signed heartbeat: what it can send to that peer falls by as much. Such flows are left out, up to
//! [`CORRIDOR_PUSHES`] of the capacity in a day.

mod pushes;

pub use pushes::Told;

use hive_types::limits::{
    CORRIDOR_CALM, CORRIDOR_DRAIN, CORRIDOR_FLOOR_MAX, CORRIDOR_FLOOR_MIN, CORRIDOR_PUSHES,
};
use hive_types::{Elapsed, LocalSnapshot, Millis, Msat, NodeId, Ppm};
use pushes::Pushes;
use std::collections::BTreeMap;

/// Flows are summed up by the hour.
const HOUR: Millis = Millis::from_hours(1);

/// Hours that count: a day.
const HOURS: u64 = 24;

/// The rate that a drained corridor asks for, given what was asked before joining: a quarter of it,
/// between [`CORRIDOR_FLOOR_MIN`] and [`CORRIDOR_FLOOR_MAX`], and never more than it was.
pub fn floor(before: Ppm) -> Ppm {
    let quarter = Ppm::new(before.get() / 4);
    let rate = quarter.clamp(CORRIDOR_FLOOR_MIN, CORRIDOR_FLOOR_MAX);
    rate.min(before)
}

/// What the guard found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Outsiders drain the corridor to a fellow.
    Drains {
        /// The fellow.
        fellow: NodeId,
        /// What they moved out in a day, less what came back.
        net: Msat,
        /// What all channels with the fellow hold.
        capacity: Msat,
    },
    /// No more, for long enough.
    Calm {
        /// The fellow.
        fellow: NodeId,
    },
}

/// What flows through corridors. Which ones drain is given in again over a restart; the day's flows
/// are counted anew.
#[derive(Clone, Debug, Default)]
pub struct Outflow {
    /// Totals at the last look.
    totals: Option<BTreeMap<(NodeId, NodeId), Msat>>,
    /// Net flow to outsiders' benefit in msat, by fellow and hour.
    hours: BTreeMap<NodeId, BTreeMap<u64, i128>>,
    /// What may be fellows' own.
    pushes: Pushes,
    /// Corridors that drain, and since when they have been calm.
    drained: BTreeMap<NodeId, Option<Elapsed>>,
}

impl Outflow {
    /// Goes on with the corridors that were drained before a restart.
    pub fn restore(drained: impl Iterator<Item = NodeId>) -> Self {
        Self {
            drained: drained.map(|fellow| (fellow, None)).collect(),
            ..Self::default()
        }
    }

    /// What outsiders moved out to a fellow in the last day, less what came back, in msat.
    pub fn net(&self, fellow: &NodeId) -> i128 {
        let hours = self.hours.get(fellow);
        hours.map_or(0, |hours| hours.values().sum())
    }

    /// Counts what was forwarded since the last look, and says what became of each corridor. `told` is what
    /// fellows' newest heartbeats say of their channels with outsiders.
    pub fn observe(
        &mut self,
        now: Elapsed,
        local: &LocalSnapshot,
        is_fellow: impl Fn(&NodeId) -> bool,
        told: &[Told],
    ) -> Vec<Flow> {
        let mut capacities: BTreeMap<NodeId, Msat> = BTreeMap::new();
        for channel in local.channels.iter().filter(|own| is_fellow(&own.peer)) {
            let held = capacities.entry(channel.peer).or_default();
            *held = held.saturating_add(channel.capacity.to_msat_saturating());
        }
        self.pushes.hear(now, told);
        self.count(now, local, &is_fellow);
        let most = |fellow: &NodeId| share(capacities.get(fellow), CORRIDOR_PUSHES);
        let hour = now.get() / HOUR.get();
        for (fellow, moved) in self.pushes.drains(now, most) {
            self.add(fellow, hour, moved.into());
        }
        self.hours
            .retain(|fellow, _| capacities.contains_key(fellow));
        let gone = |fellow: &NodeId| !capacities.contains_key(fellow);
        let mut news: Vec<Flow> = self
            .drained
            .keys()
            .copied()
            .filter(gone)
            .map(calm)
            .collect();
        news.extend(
            capacities
                .iter()
                .filter_map(|(fellow, capacity)| self.judge(now, *fellow, *capacity)),
        );
        for flow in &news {
            match flow {
                Flow::Drains { fellow, .. } => drop(self.drained.insert(*fellow, None)),
                Flow::Calm { fellow } => drop(self.drained.remove(fellow)),
            }
        }
        news
    }

    fn count(&mut self, now: Elapsed, local: &LocalSnapshot, is_fellow: &dyn Fn(&NodeId) -> bool) {
        let totals: BTreeMap<(NodeId, NodeId), Msat> = local
            .forwards
            .iter()
            .map(|forward| ((forward.from, forward.to), forward.volume))
            .collect();
        let hour = now.get() / HOUR.get();
        for hours in self.hours.values_mut() {
            hours.retain(|at, _| at + HOURS > hour);
        }
        // What was forwarded before the first look has no date.
        let Some(before) = self.totals.replace(totals.clone()) else {
            return;
        };
        for (pair @ (from, to), volume) in totals {
            // A node that counts anew tells less than before, which is no flow.
            let earlier = before.get(&pair).copied().unwrap_or_default();
            let moved = volume.saturating_sub(earlier);
            match (is_fellow(&from), is_fellow(&to)) {
                (false, true) if self.pushes.may_pay(to, from) => {
                    self.pushes.arrived(now, to, from, moved);
                }
                (false, true) => self.add(to, hour, moved.get().into()),
                (true, false) => self.add(from, hour, -i128::from(moved.get())),
                _ => {}
            }
        }
    }

    fn add(&mut self, fellow: NodeId, hour: u64, flow: i128) {
        if flow != 0 {
            let hours = self.hours.entry(fellow).or_default();
            *hours.entry(hour).or_default() += flow;
        }
    }

    fn judge(&mut self, now: Elapsed, fellow: NodeId, capacity: Msat) -> Option<Flow> {
        let net = self.net(&fellow);
        let most = i128::from(share(Some(&capacity), CORRIDOR_DRAIN));
        let Some(calm_since) = self.drained.get_mut(&fellow) else {
            let net = u64::try_from(net.max(0)).unwrap_or(u64::MAX);
            return (i128::from(net) > most).then_some(Flow::Drains {
                fellow,
                net: Msat::new(net),
                capacity,
            });
        };
        if net > most / 2 {
            *calm_since = None;
            return None;
        }
        let since = *calm_since.get_or_insert(now);
        (now.since(since) >= CORRIDOR_CALM).then_some(Flow::Calm { fellow })
    }
}

/// A share of a capacity, in msat.
fn share(capacity: Option<&Msat>, of: Ppm) -> u64 {
    let msat = capacity.map_or(0, |capacity| u128::from(capacity.get()));
    u64::try_from(msat * u128::from(of.get()) / 1_000_000).unwrap_or(u64::MAX)
}

const fn calm(fellow: NodeId) -> Flow {
    Flow::Calm { fellow }
}
