//! A new member key: begun by the operator or after a restored backup, certified by the node, seated by the
//! fleet.

use crate::command::CommandError;
use crate::hive::{Hive, Stage};
use crate::identity::META_IDENTITY;
use crate::io::Change;
use crate::start::META_EPOCH;
use hive_proto::{DecisionBody, Epoch, Item, VerifiedManifest, codec};
use hive_types::{HiveId, NodeId, Tier};

impl Hive {
    /// Begins a new epoch: a fresh member key that the node certifies and the fleet seats.
    pub(crate) fn rotate_key(&mut self) -> Result<String, CommandError> {
        let Stage::Member(member) = &self.stage else {
            return Err(CommandError::NoFleet);
        };
        if member.new_key.is_some() {
            return Err(CommandError::Busy);
        }
        let known = member.merged.epoch(&member.me()).unwrap_or_default();
        let epoch = Epoch(known.max(member.identity.epoch()).0 + 1);
        let key = self.new_key(member.identity.hive(), epoch);
        self.ask_node_to_sign(&key);
        if let Stage::Member(member) = &mut self.stage {
            member.new_key = Some(key);
        }
        Ok(format!(
            "beginning epoch {}; the node signs its new member key",
            epoch.0
        ))
    }

    /// The node certified a new member key: the old one is void, records go on under the new one, and
    /// the fleet is asked to seat it.
    pub(crate) fn key_certified(&mut self, identity: crate::identity::Identity) {
        let network = self.config.network;
        let now = self.now;
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let Ok(verified) = identity.manifest.clone().verify(&identity.hive(), network) else {
            return;
        };
        member.new_key = None;
        member.merged.begin_epoch(verified.clone(), now);
        let is_restored = member.start.is_restored();
        let rotating = match is_restored {
            true => Ok(()),
            false => member
                .decider
                .rotate(&verified, identity.secret.clone())
                .map(drop),
        };
        member.door.set_manifest(verified.clone());
        member.identity = identity.clone();
        member.heart = Default::default();
        let bytes = member.identity.encode();
        self.out.store(Change::Meta {
            key: META_IDENTITY.to_owned(),
            bytes,
        });
        self.out.audit(
            now.wall,
            "epoch",
            None,
            format!("member key of epoch {}", identity.epoch().0),
        );
        self.store_merged();
        self.spread(
            vec![Item::Epoch(Box::new(identity.manifest))],
            hive_types::limits::RELAY_HOPS,
            None,
        );
        if is_restored {
            self.renew_voice();
        }
        if rotating.is_err() {
            self.alert("too many proposals wait; run hive-rotate-key again in a minute".to_owned());
        }
        self.tend_decisions();
    }

    /// The fleet seated a member's new key.
    pub(crate) fn reseated(&mut self, node: NodeId) {
        if node == self.config.node_id {
            self.end_restoring();
        }
    }

    /// Asks the fleet to seat members whose node has certified a newer key. Any full member does, for
    /// one that lost its memory must not speak before it is seated.
    pub(crate) fn tend_epochs(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let newer: Vec<VerifiedManifest> = member
            .folded()
            .members()
            .iter()
            .filter_map(|(node, seat)| {
                let manifest = member.merged.manifest(node)?;
                (manifest.epoch() > seat.epoch).then(|| manifest.clone())
            })
            .collect();
        let is_full = member.tier() == Some(Tier::Full);
        for manifest in newer {
            let Stage::Member(member) = &mut self.stage else {
                return;
            };
            member.decider.note_epoch(manifest.clone());
            if is_full {
                let manifest = Box::new(manifest.into_manifest());
                self.wish_once(DecisionBody::Reseat { manifest });
            }
        }
    }

    /// A node that comes back needs an epoch above those it had.
    pub(crate) fn remember_epoch(&mut self, hive: HiveId, epoch: Epoch) {
        self.epochs.insert(hive, epoch);
        let bytes = codec::encode(&self.epochs);
        self.out.store(Change::Meta {
            key: META_EPOCH.to_owned(),
            bytes,
        });
    }

    pub(crate) fn next_epoch(&self, hive: &HiveId) -> Epoch {
        Epoch(self.epochs.get(hive).map_or(1, |epoch| epoch.0 + 1))
    }
}
