//! What the own node saw of outside peers: incidents counted over a window that rolls.

use hive_types::limits::{
    DUST_HTLCS_PER_HOUR, EVIDENCE_LIFETIME, FEE_RAISE_FACTOR, FEE_RAISE_PPM, FEE_WATCH, JAM_HTLCS,
    JAM_SPAN, WATCHED_FEES, WATCHED_PEERS,
};
use hive_types::{
    LocalSnapshot, Millis, Msat, NodeId, Now, PeerEvents, Ppm, ShortChannelId, Toxicity, UnixMillis,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Two halves make the window, so that old incidents leave it step by step.
const HALF_WINDOW: Millis = Millis::new(EVIDENCE_LIFETIME.get() / 2);

const HOUR: Millis = Millis::from_hours(1);

/// The amount at which fees are compared: 100,000 sat, where base fees weigh little.
pub const COMPARED: Msat = Msat::new(100_000_000);

/// What was seen of outside peers. Its size is bounded, and its encoding fits one stored value.
///
/// ```
/// use hive_policy::bans::{PeerWatch, gravest};
/// use hive_types::*;
///
/// # let node_id: NodeId = "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619".parse()?;
/// # let peer: NodeId = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c".parse()?;
/// # let mut local = LocalSnapshot {
/// #     node_id, network: Network::Regtest, height: BlockHeight::new(100), synced: true,
/// #     on_chain: OnChain::default(), feerate: FeeratePerKw::new(253), channels: vec![],
/// #     peers: vec![], forwards: vec![], peer_events: vec![],
/// # };
/// let mut watch = PeerWatch::default();
/// local.peer_events.push(PeerEvents::none(peer));
/// watch.observe(Now::default(), &local);
/// local.peer_events[0].force_closes = 2;
/// watch.observe(Now::default(), &local);
/// let found = watch.toxicity(Now::default(), &peer).ok_or("nothing was seen")?;
/// assert_eq!(gravest(&found), Some(BanReason::ForceCloses));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerWatch {
    peers: BTreeMap<NodeId, Seen>,
    fees: BTreeMap<(NodeId, Option<ShortChannelId>), FeeMark>,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    totals: PeerEvents,
    since: UnixMillis,
    rolled: UnixMillis,
    last_seen: UnixMillis,
    current: Counts,
    earlier: Counts,
    hour: UnixMillis,
    dust_in_hour: u64,
    full_since: Option<UnixMillis>,
    /// Whether the jam that began then was counted.
    jam_counted: bool,
}

/// Incidents of half a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    force_closes: u32,
    stuck_htlcs: u32,
    jams: u32,
    dust_htlcs: u32,
    fee_raises: u32,
    forwards: u32,
    failed: u32,
}

/// A price that is watched after a push or an open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FeeMark {
    until: UnixMillis,
    /// What 100,000 sat cost when the watch began; unknown until the policy was seen.
    price: Option<Msat>,
}

impl PeerWatch {
    /// Takes in a reading of the node. Returns the peers that did something: forwards that failed
    /// count in the figures, but are no news by themselves.
    pub fn observe(&mut self, now: Now, local: &LocalSnapshot) -> BTreeSet<NodeId> {
        let mut news = BTreeSet::new();
        let events: BTreeMap<NodeId, PeerEvents> = local
            .peer_events
            .iter()
            .map(|seen| (seen.peer, *seen))
            .collect();
        let full = local
            .channels
            .iter()
            .filter(|channel| channel.htlcs >= JAM_HTLCS);
        let full: BTreeSet<NodeId> = full.map(|channel| channel.peer).collect();
        let known: Vec<NodeId> = self.peers.keys().copied().collect();
        let told = events.keys().copied().chain(full.iter().copied());
        let all: BTreeSet<NodeId> = told.chain(known).collect();
        for peer in all {
            let totals = events.get(&peer).copied();
            let wall = now.wall;
            // Counting begins where the node's totals stand when a peer is first seen.
            let first = totals.unwrap_or(PeerEvents::none(peer));
            let seen = self
                .peers
                .entry(peer)
                .or_insert_with(|| Seen::new(first, wall));
            seen.roll(wall);
            let is_news = totals.is_some_and(|totals| seen.count(totals, wall))
                | seen.count_jams(full.contains(&peer), wall);
            if is_news {
                seen.last_seen = wall;
                news.insert(peer);
            }
        }
        self.bound(&events);
        news
    }

    /// Watches a price of a peer from now on: that of one of its channels, or towards this node.
    /// Balance was pushed past it, or a channel was opened to it.
    pub fn watch_fee(
        &mut self,
        now: Now,
        peer: NodeId,
        channel: Option<ShortChannelId>,
        price: Option<Msat>,
    ) {
        let until = now.wall.plus(FEE_WATCH);
        self.fees.retain(|_, mark| mark.until > now.wall);
        let has_room = self.fees.len() < WATCHED_FEES || self.fees.contains_key(&(peer, channel));
        if has_room {
            // What a price was before an earlier push stays the measure.
            let mark = self
                .fees
                .entry((peer, channel))
                .or_insert(FeeMark { until, price });
            mark.until = until;
        }
    }

    /// The prices that are watched now.
    pub fn watched_fees(&self) -> impl Iterator<Item = (NodeId, Option<ShortChannelId>)> {
        self.fees.keys().copied()
    }

    /// Takes in a price that is watched. Returns whether it was raised.
    pub fn fee_seen(
        &mut self,
        now: Now,
        peer: NodeId,
        channel: Option<ShortChannelId>,
        price: Msat,
    ) -> bool {
        let Some(mark) = self.fees.get_mut(&(peer, channel)) else {
            return false;
        };
        if mark.until <= now.wall {
            self.fees.remove(&(peer, channel));
            return false;
        }
        let Some(before) = mark.price else {
            mark.price = Some(price);
            return false;
        };
        let least = COMPARED.get() / 1_000_000 * u64::from(FEE_RAISE_PPM);
        let growth = price.get().saturating_sub(before.get());
        if growth < least || price.get() / FEE_RAISE_FACTOR < before.get() {
            return false;
        }
        self.fees.remove(&(peer, channel));
        let wall = now.wall;
        let seen = self.peers.entry(peer);
        let seen = seen.or_insert_with(|| Seen::new(PeerEvents::none(peer), wall));
        seen.roll(wall);
        seen.current.fee_raises = seen.current.fee_raises.saturating_add(1);
        seen.last_seen = wall;
        true
    }

    /// What speaks against a peer, as the own node saw it; nothing where nothing does.
    pub fn toxicity(&self, now: Now, peer: &NodeId) -> Option<Toxicity> {
        let found = self.peers.get(peer)?.toxicity(now.wall);
        (!found.is_empty()).then_some(found)
    }

    /// Every peer against which something speaks, in order.
    pub fn toxicities(&self, now: Now) -> impl Iterator<Item = (NodeId, Toxicity)> {
        let all = self.peers.iter();
        all.map(move |(peer, seen)| (*peer, seen.toxicity(now.wall)))
            .filter(|(_, found)| !found.is_empty())
    }

    /// Forgives a peer: counting begins anew.
    pub fn forgive(&mut self, now: Now, peer: &NodeId) {
        if let Some(seen) = self.peers.get_mut(peer) {
            *seen = Seen::new(seen.totals, now.wall);
        }
        self.fees.retain(|(watched, _), _| watched != peer);
    }

    /// Peers of whom nothing is told any more and against whom nothing speaks are forgotten; beyond
    /// the limit those that were least seen.
    fn bound(&mut self, events: &BTreeMap<NodeId, PeerEvents>) {
        let both = |seen: &Seen| seen.current.is_empty() && seen.earlier.is_empty();
        self.peers.retain(|peer, seen| {
            events.contains_key(peer) || seen.full_since.is_some() || !both(seen)
        });
        while self.peers.len() > WATCHED_PEERS {
            let least = self
                .peers
                .iter()
                .min_by_key(|(peer, seen)| (seen.last_seen, **peer));
            let least = least.map(|(peer, _)| *peer);
            least.and_then(|peer| self.peers.remove(&peer));
        }
    }
}

impl Seen {
    const fn new(totals: PeerEvents, wall: UnixMillis) -> Self {
        const NOTHING: Counts = Counts {
            force_closes: 0,
            stuck_htlcs: 0,
            jams: 0,
            dust_htlcs: 0,
            fee_raises: 0,
            forwards: 0,
            failed: 0,
        };
        Self {
            totals,
            since: wall,
            rolled: wall,
            last_seen: UnixMillis::new(0),
            current: NOTHING,
            earlier: NOTHING,
            hour: wall,
            dust_in_hour: 0,
            full_since: None,
            jam_counted: false,
        }
    }

    /// The older half leaves the window.
    fn roll(&mut self, wall: UnixMillis) {
        if wall.since(self.rolled) < HALF_WINDOW {
            return;
        }
        let is_long_ago = wall.since(self.rolled) >= EVIDENCE_LIFETIME;
        self.earlier = if is_long_ago {
            Counts::default()
        } else {
            self.current
        };
        self.current = Counts::default();
        self.rolled = wall;
    }

    /// Counts what came since the last reading; whether it was an incident. Totals that fell are those
    /// of a node that forgot: they count from there on.
    fn count(&mut self, totals: PeerEvents, wall: UnixMillis) -> bool {
        let before = std::mem::replace(&mut self.totals, totals);
        let new = |now: u64, before: u64| now.saturating_sub(before);
        let (closes, stuck) = (
            new(totals.force_closes, before.force_closes),
            new(totals.stuck_htlcs, before.stuck_htlcs),
        );
        let dust = self.dust_beyond(new(totals.dust_htlcs, before.dust_htlcs), wall);
        let current = &mut self.current;
        add(&mut current.forwards, new(totals.forwards, before.forwards));
        add(&mut current.failed, new(totals.failed, before.failed));
        add(&mut current.force_closes, closes);
        add(&mut current.stuck_htlcs, stuck);
        add(&mut current.dust_htlcs, dust);
        if totals.failed > before.failed {
            self.last_seen = wall;
        }
        closes > 0 || stuck > 0 || dust > 0
    }

    /// Dust beyond what the running hour may bring. After silence the hours between may bring theirs.
    fn dust_beyond(&mut self, dust: u64, wall: UnixMillis) -> u64 {
        let hours = wall.since(self.hour).get() / HOUR.get();
        let quota = u64::from(DUST_HTLCS_PER_HOUR);
        if hours > 0 {
            self.hour = wall;
            self.dust_in_hour = 0;
        }
        let free = (quota * hours.max(1)).saturating_sub(self.dust_in_hour);
        self.dust_in_hour = self.dust_in_hour.saturating_add(dust).min(quota);
        dust.saturating_sub(free)
    }

    /// Slots that stay taken are one jam, until they were free again.
    fn count_jams(&mut self, is_full: bool, wall: UnixMillis) -> bool {
        if !is_full {
            self.full_since = None;
            self.jam_counted = false;
            return false;
        }
        let since = *self.full_since.get_or_insert(wall);
        let is_jam = !self.jam_counted && wall.since(since) >= JAM_SPAN;
        if is_jam {
            self.jam_counted = true;
            add(&mut self.current.jams, 1);
        }
        is_jam
    }

    fn toxicity(&self, wall: UnixMillis) -> Toxicity {
        let (now, earlier) = (self.counted(wall), self.before(wall));
        let sum = |of: fn(&Counts) -> u32| of(&now).saturating_add(of(&earlier));
        let (forwards, failed) = (sum(|counts| counts.forwards), sum(|counts| counts.failed));
        let span = wall.since(self.since);
        Toxicity {
            force_closes: sum(|counts| counts.force_closes),
            stuck_htlcs: sum(|counts| counts.stuck_htlcs),
            jams: sum(|counts| counts.jams),
            dust_htlcs: sum(|counts| counts.dust_htlcs),
            fee_raises: sum(|counts| counts.fee_raises),
            forwards,
            failure_rate: match forwards {
                0 => Ppm::ZERO,
                _ => Ppm::of(failed.min(forwards).into(), forwards.into()),
            },
            window: span.min(EVIDENCE_LIFETIME),
            last_seen: self.last_seen,
        }
    }

    /// The current half as it counts at `wall`, whether it was rolled since or not.
    fn counted(&self, wall: UnixMillis) -> Counts {
        match wall.since(self.rolled) >= EVIDENCE_LIFETIME {
            true => Counts::default(),
            false => self.current,
        }
    }

    fn before(&self, wall: UnixMillis) -> Counts {
        match wall.since(self.rolled) >= HALF_WINDOW {
            true => Counts::default(),
            false => self.earlier,
        }
    }
}

impl Counts {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn add(sum: &mut u32, more: u64) {
    *sum = sum.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
}
