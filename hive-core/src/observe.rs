//! Observe: what this node's own forwards say of its outside peers, told to fellows as one member's
//! word.

use crate::hive::{Hive, Stage};
use crate::io::Change;
use hive_policy::bans::{self, COMPARED, PeerWatch};
use hive_proto::{Observation, RecordBody, codec, keys};
use hive_state::merged::Draft;
use hive_types::limits::{BAN_DUST_HTLCS, EVIDENCE_LIFETIME, OBSERVATIONS_PER_MEMBER};
use hive_types::{
    Action, BanReason, LocalSnapshot, Millis, Msat, NodeId, Opportunity, Ppm, Sat, ShortChannelId,
    Toxicity, UnixMillis,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The store's name for the baseline.
const META_BASELINE: &str = "baseline";

/// Counting begins anew after this: what a channel brought long ago says little.
const BASELINE_LIFETIME: Millis = Millis::from_days(30);

/// The store's name for what was seen of outside peers.
const META_WATCH: &str = "watch";

/// Figures that are no news are stored this often.
const WATCH_STORED: Millis = Millis::from_hours(1);

/// A word is said anew when its figures moved by a quarter.
const NEWS_DIVISOR: u64 = 4;

/// What the node had forwarded when counting began: nodes tell totals since they began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Baseline {
    since: UnixMillis,
    totals: BTreeMap<NodeId, Earned>,
}

/// Volume and fees of forwards that came from a peer or went to it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Earned {
    volume: Msat,
    fees: Msat,
}

impl Baseline {
    pub(crate) fn restored(meta: &BTreeMap<String, Vec<u8>>) -> Option<Self> {
        codec::decode(meta.get(META_BASELINE)?).ok()
    }
}

impl Hive {
    /// Tells fellows what channels to outside peers brought, and what speaks against those peers, where
    /// that is news.
    pub(crate) fn tell_opportunities(&mut self) {
        let Some(local) = self.local.clone() else {
            return;
        };
        let Some(baseline) = self.baseline(&local) else {
            return;
        };
        for (peer, opportunity) in opportunities(&local, &baseline, self.now.wall) {
            let toxicity = self.telling_toxicity(&peer);
            self.say(Observation {
                peer,
                toxicity,
                opportunity: Some(opportunity),
            });
        }
    }

    /// Tells fellows what speaks against a peer now, or that nothing does any more.
    pub(crate) fn tell_word(&mut self, peer: NodeId) {
        let told = self.told_word(&peer);
        let opportunity = told.and_then(|told| told.opportunity);
        let toxicity = self.telling_toxicity(&peer);
        if toxicity.is_some() || opportunity.is_some() {
            self.say(Observation {
                peer,
                toxicity,
                opportunity,
            });
        } else if told.is_some() {
            // Nothing speaks against the peer any more, which takes a word as well.
            let toxicity = Some(Toxicity::default());
            self.say(Observation {
                peer,
                toxicity,
                opportunity,
            });
        }
    }

    /// Incidents are told; a share of failures is told where it is evidence.
    fn telling_toxicity(&self, peer: &NodeId) -> Option<Toxicity> {
        let found = self.watch.toxicity(self.now, peer)?;
        let incidents = Toxicity {
            failure_rate: Ppm::ZERO,
            ..found
        };
        (!incidents.is_empty() || bans::gravest(&found).is_some()).then_some(found)
    }

    fn told_word(&self, peer: &NodeId) -> Option<Observation> {
        let Stage::Member(member) = &self.stage else {
            return None;
        };
        let held = member.merged.get(&member.me(), &keys::observation(peer))?;
        Observation::decode(&held.record().fields().body).ok()
    }

    fn say(&mut self, word: Observation) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let may_say = !member.is_fellow(&word.peer) && member.merged.may_write();
        let is_new = self
            .told_word(&word.peer)
            .is_none_or(|told| is_news_word(&told, &word));
        if may_say && is_new {
            self.write(Draft::new(keys::observation(&word.peer), &word, 0));
        }
    }

    /// Counts what outside peers did since the last reading. What is evidence is told as a ban at once.
    pub(crate) fn watch_peers(&mut self) {
        let Some(local) = &self.local else {
            return;
        };
        let mut news = self.watch.observe(self.now, local);
        news.extend(self.raised_fees());
        let failing = self.watch.toxicities(self.now);
        let failing =
            failing.filter(|(_, found)| bans::gravest(found) == Some(BanReason::Failures));
        let suspects: BTreeSet<NodeId> = failing
            .map(|(peer, _)| peer)
            .chain(news.iter().copied())
            .collect();
        // What the node's totals repeat after a crash need not be stored each time.
        if !news.is_empty() || self.now.elapsed >= self.next_watch {
            self.next_watch = self.now.elapsed.plus(WATCH_STORED);
            self.store_watch();
        }
        for peer in suspects {
            self.weigh_finding(peer);
        }
    }

    fn weigh_finding(&mut self, peer: NodeId) {
        let is_outside = matches!(&self.stage, Stage::Member(member) if !member.is_fellow(&peer));
        let Some(found) = self.watch.toxicity(self.now, &peer).filter(|_| is_outside) else {
            return;
        };
        let reason = bans::gravest(&found).filter(|_| !self.bans.is_allowed(peer));
        let Some(reason) = reason else {
            return self.tell_word(peer);
        };
        let told = self.told_ban(&peer);
        let is_news = told.is_none_or(|told| {
            let (before, now) = (told.evidence.incidents(reason), found.incidents(reason));
            told.reason != reason || now.abs_diff(before) > before / NEWS_DIVISOR as u32
        });
        if !is_news {
            return;
        }
        let line = format!("{peer}: {reason}, {} incidents", found.incidents(reason));
        self.out.audit(self.now.wall, "evidence", None, line);
        self.banned.stirred = true;
        let until = self.now.wall.plus(EVIDENCE_LIFETIME);
        self.tell_ban(peer, reason, found, until);
    }

    /// Balance was pushed or a channel opened: what the peers along the way charge is watched.
    pub(crate) fn watch_fees_after(&mut self, action: &Action) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let me = member.me();
        let is_outside = |node: &NodeId| *node != me && !member.is_fellow(node);
        let mut prices: Vec<(NodeId, Option<ShortChannelId>)> = Vec::new();
        match action {
            Action::Open(open) => prices.push((open.target, None)),
            Action::Rebalance(moved) => {
                let pairs = moved.hops.iter().zip(moved.hops.iter().skip(1));
                prices.extend(pairs.map(|(before, hop)| (before.to, Some(hop.channel))));
            }
            Action::SetPolicy(_) | Action::Probe(_) => {}
        }
        prices.retain(|(peer, _)| is_outside(peer));
        for (peer, channel) in prices {
            let price = self.price(&peer, channel);
            self.watch.watch_fee(self.now, peer, channel, price);
        }
    }

    /// Peers that raised a price that is watched.
    fn raised_fees(&mut self) -> BTreeSet<NodeId> {
        let watched: Vec<_> = self.watch.watched_fees().collect();
        let mut raised = BTreeSet::new();
        for (peer, channel) in watched {
            if let Some(price) = self.price(&peer, channel)
                && self.watch.fee_seen(self.now, peer, channel, price)
            {
                raised.insert(peer);
            }
        }
        raised
    }

    /// What a peer charges on one of its channels, or towards this node, for the compared amount.
    fn price(&self, peer: &NodeId, channel: Option<ShortChannelId>) -> Option<Msat> {
        let own = self.local.iter().flat_map(|local| &local.channels);
        let own = own.filter(|own| own.peer == *peer && (channel.is_none() || own.scid == channel));
        let own = own.filter_map(|own| own.remote_policy?.fee(COMPARED)).max();
        let gossiped = || {
            let graph = self.graph.as_ref()?;
            let edge = graph.edge(channel?, graph.node_index(peer)?)?;
            edge.policy?.fee(COMPARED)
        };
        own.or_else(gossiped)
    }

    pub(crate) fn store_watch(&mut self) {
        let (key, bytes) = (META_WATCH.to_owned(), codec::encode(&self.watch));
        self.out.store(Change::Meta { key, bytes });
    }

    /// Where counting began; it begins now when it never did or too long ago.
    fn baseline(&mut self, local: &LocalSnapshot) -> Option<Baseline> {
        let is_old = |baseline: &Baseline| self.now.wall.since(baseline.since) > BASELINE_LIFETIME;
        if self.baseline.as_ref().is_none_or(is_old) {
            let baseline = Baseline {
                since: self.now.wall,
                totals: totals(local),
            };
            let (key, bytes) = (META_BASELINE.to_owned(), codec::encode(&baseline));
            self.out.store(Change::Meta { key, bytes });
            self.baseline = Some(baseline);
        }
        self.baseline.clone()
    }
}

fn totals(local: &LocalSnapshot) -> BTreeMap<NodeId, Earned> {
    let mut totals: BTreeMap<NodeId, Earned> = BTreeMap::new();
    for forward in &local.forwards {
        for peer in [forward.from, forward.to] {
            let earned = totals.entry(peer).or_default();
            earned.volume = earned.volume.saturating_add(forward.volume);
            earned.fees = earned.fees.saturating_add(forward.fees);
        }
    }
    totals
}

/// What each peer's channels brought since the baseline: the best first, as many as may be told.
fn opportunities(
    local: &LocalSnapshot,
    baseline: &Baseline,
    wall: UnixMillis,
) -> Vec<(NodeId, Opportunity)> {
    let days = (wall.since(baseline.since).as_secs() / 86_400).max(1);
    let mut capital: BTreeMap<NodeId, Sat> = BTreeMap::new();
    for channel in &local.channels {
        let held = capital.entry(channel.peer).or_default();
        *held = held.saturating_add(channel.capacity);
    }
    let mut all: Vec<(NodeId, Opportunity)> = totals(local)
        .into_iter()
        .filter_map(|(peer, earned)| {
            let before = baseline.totals.get(&peer).copied().unwrap_or_default();
            let seen = local.peer_events.iter().find(|seen| seen.peer == peer);
            let seen = seen.filter(|seen| seen.forwards > 0);
            let opportunity = Opportunity {
                capital: *capital.get(&peer)?,
                days: u32::try_from(days).unwrap_or(u32::MAX),
                volume: earned.volume.saturating_sub(before.volume),
                fees: earned.fees.saturating_sub(before.fees),
                success_rate: seen
                    .map(|seen| Ppm::of(seen.forwards.saturating_sub(seen.failed), seen.forwards)),
            };
            (!opportunity.fees.is_zero()).then_some((peer, opportunity))
        })
        .collect();
    all.sort_by_key(|(peer, opportunity)| (core::cmp::Reverse(opportunity.fees), *peer));
    all.truncate(OBSERVATIONS_PER_MEMBER);
    all
}

/// What was seen of outside peers, as it was stored.
pub(crate) fn restored_watch(meta: &BTreeMap<String, Vec<u8>>) -> PeerWatch {
    let bytes = meta.get(META_WATCH);
    bytes
        .and_then(|bytes| codec::decode(bytes).ok())
        .unwrap_or_default()
}

fn is_news_word(told: &Observation, new: &Observation) -> bool {
    let of_opportunity = match (&told.opportunity, &new.opportunity) {
        (Some(told), Some(new)) => is_news(told, new),
        (told, new) => told != new,
    };
    let incidents = |word: &Observation| {
        let found = word.toxicity.unwrap_or_default();
        let all = [
            found.force_closes,
            found.stuck_htlcs,
            found.jams,
            found.fee_raises,
        ];
        (
            all,
            found.dust_htlcs / BAN_DUST_HTLCS,
            bans::gravest(&found),
        )
    };
    of_opportunity || incidents(told) != incidents(new)
}

fn is_news(told: &Opportunity, new: &Opportunity) -> bool {
    let rate = |word: &Opportunity| word.fees.get() / u64::from(word.days.max(1));
    let apart = rate(told).abs_diff(rate(new));
    told.capital != new.capital || apart > rate(told) / NEWS_DIVISOR
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::{
        BlockHeight, BootId, Elapsed, FeeratePerKw, Network, Now, OnChain, PeerEvents,
    };

    #[test]
    fn a_full_watch_fits_one_stored_value() {
        let peer = |number: u64| -> NodeId { format!("02{number:064x}").parse().unwrap() };
        let at = |millis: u64| Now {
            wall: UnixMillis::new(1_800_000_000_000 + millis),
            elapsed: Elapsed::new(millis),
            boot: BootId::new(1),
        };
        let told = |count: u64| LocalSnapshot {
            node_id: peer(1),
            network: Network::Regtest,
            height: BlockHeight::new(1),
            synced: true,
            on_chain: OnChain::default(),
            feerate: FeeratePerKw::new(253),
            channels: Vec::new(),
            peers: Vec::new(),
            forwards: Vec::new(),
            peer_events: (0..2_000)
                .map(|number| PeerEvents {
                    forwards: count,
                    failed: count,
                    stuck_htlcs: count,
                    dust_htlcs: count,
                    force_closes: count,
                    ..PeerEvents::none(peer(number + 2))
                })
                .collect(),
        };
        let mut watch = PeerWatch::default();
        watch.observe(at(0), &told(0));
        let half = EVIDENCE_LIFETIME.get() / 2;
        watch.observe(at(1), &told(u64::MAX / 2));
        watch.observe(at(half + 1), &told(u64::MAX));
        let scid = "900000x1x1".parse().ok();
        for number in 0..1_000 {
            watch.watch_fee(
                at(half + 1),
                peer(number + 2),
                scid,
                Some(Msat::new(u64::MAX)),
            );
        }
        assert!(watch.toxicities(at(half + 1)).count() > 200);
        let read: PeerWatch = codec::decode(&codec::encode(&watch)).unwrap();
        assert_eq!(read, watch);
    }
}
