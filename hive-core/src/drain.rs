//! Orient: how fast members' channels drain, from what was seen of them over time.
//!
//! Every ten minutes what each channel can send is compared with what it could send before. The flow
//! `f` of a sample (positive: it can send less), held to a twentieth of the capacity either way, goes
//! into a running mean of the rate `r` in msat a day:
//!
//! ```text
//! r' = (r * m + f * day) / (m + dt)        m = min(time seen so far, one day)
//! ```
//!
//! For the first day that is the plain mean since the beginning; from then on old samples fade with a
//! time constant of a day. A push that fills a channel comes all at once, and counts for a twentieth
//! however large it is: a channel that drains and is refilled still drains. The same bound holds for
//! what falls at once, so that large payments to and fro cancel out.
//!
//! Times are of the running boot. Nothing is stored: after a restart the mean begins anew.

use hive_types::limits::HEARTBEAT_STALE;
use hive_types::{Elapsed, FellowChannel, FleetView, Millis, Msat, NodeId, Sat, ShortChannelId};
use std::collections::BTreeMap;

/// Between two samples: longer than a heartbeat's interval, so that each sees a new one.
const SPACING: Millis = Millis::from_secs(600);

/// Two samples further apart say nothing of each other: the member was stale in between.
const GAP: Millis = HEARTBEAT_STALE;

/// Old samples fade with this: people pay by the day.
const MEMORY: Millis = Millis::from_days(1);

/// What was seen for less than this is no estimate. A share comes in steps of 1/255, so after three
/// hours a rate is right to about 3 % of the capacity a day.
const ENOUGH: Millis = Millis::from_hours(3);

/// A sample's flow is at most the capacity divided by this. Seven capacities a day are still seen.
const FLOW_DIVISOR: i128 = 20;

/// A rate under the capacity divided by this a day is told as none: it is within what shares' steps
/// and single payments make of a channel at rest.
const NOISE_DIVISOR: u64 = 100;

const DAY: i128 = Millis::from_days(1).get() as i128;

/// The channels that are watched: as many as fresh members tell of, 32 bytes each.
#[derive(Default)]
pub(crate) struct Drains {
    tracks: BTreeMap<NodeId, BTreeMap<ShortChannelId, Track>>,
    next: Elapsed,
}

#[derive(Clone, Copy)]
struct Track {
    at: Elapsed,
    spendable: Msat,
    msat_per_day: i64,
    seen: Millis,
}

impl Drains {
    pub(crate) fn is_due(&self, now: Elapsed) -> bool {
        now >= self.next
    }

    /// Takes a sample of every channel whose balance is known. Channels that are no longer told, and
    /// those of members that are gone, are forgotten; those of a stale member wait.
    pub(crate) fn watch(&mut self, fleet: &FleetView, now: Elapsed) {
        self.next = now.plus(SPACING);
        let mut kept = BTreeMap::new();
        for member in &fleet.members {
            let before = self.tracks.remove(&member.node_id).unwrap_or_default();
            if !member.fresh {
                kept.insert(member.node_id, before);
                continue;
            }
            let told = member.channels.iter();
            let told = told.filter_map(|told| Some((told.scid?, told.spendable?, told.capacity)));
            let tracks = told.map(|(scid, spendable, capacity)| {
                let track = before.get(&scid).copied();
                let begun = track.unwrap_or_else(|| Track::begin(now, spendable));
                (scid, begun.sampled(now, spendable, capacity))
            });
            kept.insert(member.node_id, tracks.collect());
        }
        self.tracks = kept;
    }

    /// How fast what a member can send over its channel falls, in msat a day.
    pub(crate) fn of(&self, member: &NodeId, channel: &FellowChannel) -> Option<i64> {
        let track = self.tracks.get(member)?.get(&channel.scid?)?;
        let noise = channel.capacity.to_msat_saturating().get() / NOISE_DIVISOR;
        let rate = track.msat_per_day;
        let told = if rate.unsigned_abs() < noise { 0 } else { rate };
        (track.seen >= ENOUGH).then_some(told)
    }
}

impl Track {
    const fn begin(at: Elapsed, spendable: Msat) -> Self {
        Self {
            at,
            spendable,
            msat_per_day: 0,
            seen: Millis::ZERO,
        }
    }

    fn sampled(self, now: Elapsed, spendable: Msat, capacity: Sat) -> Self {
        let passed = now.since(self.at);
        if passed == Millis::ZERO || passed > GAP {
            return Self {
                at: now,
                spendable,
                ..self
            };
        }
        let most = i128::from(capacity.to_msat_saturating().get()) / FLOW_DIVISOR;
        let flow = i128::from(self.spendable.get()) - i128::from(spendable.get());
        let flow = flow.clamp(-most, most);
        let (seen, span) = (i128::from(self.seen.get()), i128::from(passed.get()));
        // Below 2^64 * 2^27 + 2^60 * 2^27: far from the end of the type.
        let rate = (i128::from(self.msat_per_day) * seen + flow * DAY) / (seen + span);
        let rate = rate.clamp(i64::MIN.into(), i64::MAX.into());
        let seen = Millis::new(self.seen.get().saturating_add(passed.get()));
        Self {
            at: now,
            spendable,
            msat_per_day: i64::try_from(rate).unwrap_or_default(),
            seen: seen.min(MEMORY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::{Constraint, FellowView, Tier};

    const CAPACITY: u64 = 1_000_000;
    const STEP: u64 = SPACING.get();

    fn node() -> NodeId {
        NodeId::from_bytes([2; 33]).unwrap()
    }

    fn channel(sat: u64) -> FellowChannel {
        FellowChannel {
            scid: Some("700000x1x0".parse().unwrap()),
            peer: node(),
            capacity: Sat::new(CAPACITY),
            spendable: Some(Msat::new(sat * 1000)),
            drain_msat_per_day: None,
            confirmed: true,
        }
    }

    fn fleet(sat: u64, fresh: bool) -> FleetView {
        let member = FellowView {
            node_id: node(),
            tier: Tier::Full,
            fresh,
            privileges: Default::default(),
            channels: vec![channel(sat)],
            constraint: Constraint::default(),
            intents: Vec::new(),
        };
        FleetView {
            members: vec![member],
            ..FleetView::default()
        }
    }

    /// What is known after a balance in sat was seen every ten minutes.
    fn after(balances: impl IntoIterator<Item = u64>) -> Option<i64> {
        let mut drains = Drains::default();
        for (step, sat) in balances.into_iter().enumerate() {
            drains.watch(&fleet(sat, true), Elapsed::new(step as u64 * STEP));
        }
        drains.of(&node(), &channel(0))
    }

    #[test]
    fn a_steady_drain_is_known_after_three_hours() {
        let falling = |steps| (0..=steps).map(|step| 900_000 - 1_000 * step);
        assert_eq!(after(falling(17)), None);
        // 1,000 sat in ten minutes are 144,000 in a day.
        assert_eq!(after(falling(18)), Some(144_000_000));
        assert_eq!(after(falling(500)), Some(144_000_000));
        let rising = (0..=100).map(|step| 100_000 + 1_000 * step);
        assert_eq!(after(rising), Some(-144_000_000));
    }

    #[test]
    fn a_channel_that_pushes_refill_still_drains() {
        // It loses 2,000 sat in ten minutes, 288,000 a day, and is filled up again when it runs low.
        let mut sat = 500_000;
        let balances = (0..1_000).map(|_| {
            sat = if sat < 150_000 { 500_000 } else { sat - 2_000 };
            sat
        });
        let rate = after(balances).unwrap();
        assert!((220_000_000..=288_000_000).contains(&rate), "{rate}");
    }

    #[test]
    fn payments_to_and_fro_are_no_drain() {
        // What is left is the last sample's own weight.
        for size in [10_000, 300_000] {
            let balances = (0..401).map(|step| 500_000 - size * (step % 2));
            let rate = after(balances).unwrap();
            assert!(rate.unsigned_abs() < 30_000_000, "{size}: {rate}");
        }
    }

    #[test]
    fn old_days_fade() {
        let busy = (0..=144).map(|step| 900_000 - 5_000 * step);
        let idle = std::iter::repeat_n(180_000, 3 * 144);
        let first = after(busy.clone()).unwrap();
        assert_eq!(first, 720_000_000);
        let later = after(busy.clone().chain(idle)).unwrap();
        assert!((20_000_000..60_000_000).contains(&later), "{later}");
        let long = std::iter::repeat_n(180_000, 9 * 144);
        assert_eq!(after(busy.chain(long)), Some(0));
    }

    #[test]
    fn silence_says_nothing_and_what_is_gone_is_forgotten() {
        let mut drains = Drains::default();
        let at = |step: u64| Elapsed::new(step * STEP);
        for step in 0..=30 {
            drains.watch(&fleet(900_000 - 1_000 * step, true), at(step));
        }
        let before = drains.of(&node(), &channel(0));
        drains.watch(&fleet(900_000, false), at(40));
        assert_eq!(drains.of(&node(), &channel(0)), before);
        drains.watch(&fleet(300_000, true), at(50));
        assert_eq!(drains.of(&node(), &channel(0)), before);
        drains.watch(&FleetView::default(), at(51));
        assert!(drains.tracks.is_empty());
    }

    #[test]
    fn no_balance_overflows() {
        let mut track = Track::begin(Elapsed::new(0), Msat::new(u64::MAX));
        for step in 1..200 {
            let spendable = Msat::new(if step % 2 == 0 { u64::MAX } else { 0 });
            track = track.sampled(Elapsed::new(step), spendable, Sat::new(u64::MAX));
        }
        assert!(track.seen > Millis::ZERO);
    }
}
