//! What fellows learn of a channel's balance: exactly, to the quarter, or nothing; by channel or by peer.

use crate::config::ChannelRef;
use crate::hive::Hive;
use crate::io::Change;
use hive_proto::Sharing;
use hive_types::{ChannelId, LocalChannel, ShortChannelId};
use std::collections::BTreeMap;

/// The store's name for channels that a rule found by their place in the chain.
const META_SEEN: &str = "sharing/";

/// Places in the chain at which channels stood when a rule on that place found them. A splice moves a
/// channel, and must not undo what its operator said of it.
#[derive(Default)]
pub(crate) struct SharingSeen(BTreeMap<ChannelId, ShortChannelId>);

impl SharingSeen {
    /// As it was stored.
    pub(crate) fn restored(meta: &BTreeMap<String, Vec<u8>>) -> Self {
        let all = meta.iter().filter_map(|(key, bytes)| {
            let channel: ChannelId = key.strip_prefix(META_SEEN)?.parse().ok()?;
            let place: ShortChannelId = String::from_utf8(bytes.clone()).ok()?.parse().ok()?;
            Some((channel, place))
        });
        Self(all.collect())
    }

    /// What the operator said of a channel: of itself first, then of its peer.
    pub(crate) fn rule(
        &self,
        rules: &BTreeMap<ChannelRef, Sharing>,
        channel: &LocalChannel,
    ) -> Option<Sharing> {
        let places = [self.0.get(&channel.channel_id).copied(), channel.scid];
        let by_place = places.into_iter().flatten().map(ChannelRef::Place);
        let refs = [ChannelRef::Channel(channel.channel_id)]
            .into_iter()
            .chain(by_place);
        let mut refs = refs.chain([ChannelRef::Peer(channel.peer)]);
        refs.find_map(|at| rules.get(&at).copied())
    }
}

impl Hive {
    /// Remembers which channels the rules on places mean, and forgets channels that are closed.
    pub(crate) fn note_shared_channels(&mut self) {
        let Some(local) = &self.local else {
            return;
        };
        let rules = &self.config.sharing;
        let mut changes = Vec::new();
        for channel in &local.channels {
            let Some(place) = channel.scid else {
                continue;
            };
            let is_ruled = rules.contains_key(&ChannelRef::Place(place));
            if is_ruled && self.sharing_seen.0.insert(channel.channel_id, place) != Some(place) {
                changes.push((channel.channel_id, place.to_string().into_bytes()));
            }
        }
        let is_open = |id: &ChannelId| {
            local
                .channels
                .iter()
                .any(|channel| channel.channel_id == *id)
        };
        self.sharing_seen.0.retain(|id, _| {
            let stays = is_open(id);
            if !stays {
                changes.push((*id, Vec::new()));
            }
            stays
        });
        for (channel, bytes) in changes {
            let key = format!("{META_SEEN}{channel}");
            self.out.store(Change::Meta { key, bytes });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::{Msat, NodeId, OutPoint, Sat, Txid};

    #[test]
    fn a_rule_on_a_channel_counts_before_its_peers_and_stays_over_a_splice() {
        let peer: NodeId = format!("02{:064x}", 9).parse().unwrap();
        let id = ChannelId::from_bytes([1; 32]);
        let mut channel = LocalChannel {
            channel_id: id,
            scid: "800x1x1".parse().ok(),
            funding: OutPoint {
                txid: Txid::from_bytes([1; 32]),
                vout: 0,
            },
            peer,
            capacity: Sat::new(1),
            spendable: Msat::ZERO,
            receivable: Msat::ZERO,
            usable: true,
            announced: true,
            opened_by_us: true,
            local_policy: None,
            remote_policy: None,
            htlcs: 0,
        };
        let mut rules = BTreeMap::from([(ChannelRef::Peer(peer), Sharing::Coarse)]);
        let mut seen = SharingSeen::default();
        assert_eq!(seen.rule(&rules, &channel), Some(Sharing::Coarse));
        rules.insert("800x1x1".parse().unwrap(), Sharing::Hidden);
        assert_eq!(seen.rule(&rules, &channel), Some(Sharing::Hidden));
        // Spliced: another place, the same channel.
        seen.0.insert(id, "800x1x1".parse().unwrap());
        channel.scid = "900x1x1".parse().ok();
        assert_eq!(seen.rule(&rules, &channel), Some(Sharing::Hidden));
        rules.insert(ChannelRef::Channel(id), Sharing::Exact);
        assert_eq!(seen.rule(&rules, &channel), Some(Sharing::Exact));
        assert_eq!(seen.rule(&BTreeMap::new(), &channel), None);
    }
}
