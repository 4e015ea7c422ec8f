//! Observe: what this node's own forwards say of its outside peers, told to fellows as one member's
//! word.

use crate::hive::{Hive, Stage};
use crate::io::Change;
use hive_proto::{Observation, RecordBody, codec, keys};
use hive_state::merged::Draft;
use hive_types::limits::OBSERVATIONS_PER_MEMBER;
use hive_types::{LocalSnapshot, Millis, Msat, NodeId, Opportunity, Sat, UnixMillis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The store's name for the baseline.
const META_BASELINE: &str = "baseline";

/// Counting begins anew after this: what a channel brought long ago says little.
const BASELINE_LIFETIME: Millis = Millis::from_days(30);

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
    /// Tells fellows what channels to outside peers brought, where that is news.
    pub(crate) fn tell_opportunities(&mut self) {
        let Some(local) = self.local.clone() else {
            return;
        };
        let Some(baseline) = self.baseline(&local) else {
            return;
        };
        for (peer, opportunity) in opportunities(&local, &baseline, self.now.wall) {
            let Stage::Member(member) = &self.stage else {
                return;
            };
            let is_outside = !member.is_fellow(&peer) && member.merged.may_write();
            let told = member.merged.get(&member.me(), &keys::observation(&peer));
            let told = told.and_then(|held| Observation::decode(&held.record().fields().body).ok());
            let told = told.and_then(|told| told.opportunity);
            if is_outside && told.is_none_or(|told| is_news(&told, &opportunity)) {
                let (toxicity, opportunity) = (None, Some(opportunity));
                let word = Observation {
                    peer,
                    toxicity,
                    opportunity,
                };
                self.write(Draft::new(keys::observation(&peer), &word, 0));
            }
        }
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
            let opportunity = Opportunity {
                capital: *capital.get(&peer)?,
                days: u32::try_from(days).unwrap_or(u32::MAX),
                volume: earned.volume.saturating_sub(before.volume),
                fees: earned.fees.saturating_sub(before.fees),
                success_rate: None,
            };
            (!opportunity.fees.is_zero()).then_some((peer, opportunity))
        })
        .collect();
    all.sort_by_key(|(peer, opportunity)| (core::cmp::Reverse(opportunity.fees), *peer));
    all.truncate(OBSERVATIONS_PER_MEMBER);
    all
}

fn is_news(told: &Opportunity, new: &Opportunity) -> bool {
    let rate = |word: &Opportunity| word.fees.get() / u64::from(word.days.max(1));
    let apart = rate(told).abs_diff(rate(new));
    told.capital != new.capital || apart > rate(told) / NEWS_DIVISOR
}
