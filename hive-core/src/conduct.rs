//! What this member makes of its fellows' conduct: raised by detectors, shown to the operator, felt in
//! what it does for them.

use crate::command::{ReputationRow, UptimeRow};
use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::io::Change;
use hive_policy::conduct::{FlagKind, Flags, Reputation};
use hive_proto::codec;
use hive_types::{ActionId, NodeId, Ppm, Privileges};
use std::collections::{BTreeMap, BTreeSet};

/// The store's name for the flags.
pub(crate) const META_FLAGS: &str = "flags";

/// The store's name for how well fellows forward, and for probes that were counted as held.
pub(crate) const META_REPUTATIONS: &str = "reputations";

/// How well fellows forward, and probes under way that were counted as held.
pub(crate) type Reputations = (BTreeMap<NodeId, Reputation>, BTreeSet<ActionId>);

/// All that this member makes of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conduct {
    /// How well it forwards.
    pub(crate) reputation: Option<ReputationRow>,
    /// What it forwards for this node against what this node forwards for it.
    pub(crate) ratio: Option<Ppm>,
    /// How much of the last week it was there.
    pub(crate) uptime: Option<UptimeRow>,
    /// What it is blamed for.
    pub(crate) flags: Vec<FlagKind>,
}

impl Hive {
    /// What this member makes of another one: what votes may rest on.
    pub(crate) fn conduct_of(&self, node: &NodeId) -> Conduct {
        Conduct {
            reputation: self.reputation_row(node),
            ratio: self.ratio(node),
            uptime: self.uptime(node).map(|uptime| UptimeRow {
                share_ppm: uptime.share.get(),
                slots: uptime.slots,
            }),
            flags: self.flags.of(node).map(|(kind, _)| kind).collect(),
        }
    }

    /// Blames a fellow, with the evidence. Others than fellows are not blamed.
    pub(crate) fn flag(&mut self, node: NodeId, kind: FlagKind, evidence: &str) {
        if !matches!(&self.stage, Stage::Member(member) if member.is_fellow(&node)) {
            return;
        }
        if !self.flags.raise(node, kind, self.now.wall, evidence) {
            return;
        }
        self.store_flags();
        let text = format!("{node} {kind}: {evidence}");
        self.out.audit(self.now.wall, "flag", None, text);
        let evidence = evidence.to_owned();
        self.out.emit(Event::Flagged {
            node,
            kind,
            evidence,
        });
    }

    /// Takes a blame back: the conduct is right again.
    pub(crate) fn unflag(&mut self, node: NodeId, kind: FlagKind) {
        if self.flags.clear(&node, kind).is_some() {
            self.flag_ended(node, kind);
            self.store_flags();
        }
    }

    /// Ends flags that have lived their time, and those of nodes that are no fellows any more.
    pub(crate) fn tend_flags(&mut self) {
        let ended = self.flags.expire(self.now.wall);
        let is_stored = !ended.is_empty();
        for (node, kind) in ended {
            self.flag_ended(node, kind);
        }
        let before = self.flags.iter().count();
        if let Stage::Member(member) = &self.stage
            && member.tier().is_some()
        {
            self.flags.retain(|node| member.is_fellow(node));
        }
        if is_stored || self.flags.iter().count() != before {
            self.store_flags();
        }
    }

    /// What this member does for a fellow.
    pub(crate) fn privileges(&self, node: &NodeId) -> Privileges {
        self.flags.privileges(node)
    }

    /// How well a fellow forwards, once anything is known of it.
    pub(crate) fn reputation_row(&self, node: &NodeId) -> Option<ReputationRow> {
        let mut known = self.reputations.get(node)?.clone();
        known.decay(self.now.wall);
        let shown = known.shown();
        Some(ReputationRow {
            mean_ppm: shown.mean.get(),
            low_ppm: shown.low.get(),
            samples_milli: shown.samples / 1_000,
        })
    }

    /// Stores how well fellows forward; what nodes did that are none any more is forgotten.
    pub(crate) fn store_reputations(&mut self) {
        if let Stage::Member(member) = &self.stage
            && member.tier().is_some()
        {
            self.reputations.retain(|node, _| member.is_fellow(node));
        }
        self.out.store(Change::Meta {
            key: META_REPUTATIONS.to_owned(),
            bytes: codec::encode(&(&self.reputations, &self.held)),
        });
    }

    fn flag_ended(&mut self, node: NodeId, kind: FlagKind) {
        let text = format!("{node} {kind}: over");
        self.out.audit(self.now.wall, "unflag", None, text);
        self.out.emit(Event::Unflagged { node, kind });
    }

    fn store_flags(&mut self) {
        self.out.store(Change::Meta {
            key: META_FLAGS.to_owned(),
            bytes: codec::encode(&self.flags),
        });
    }
}

/// The flags as they were stored.
pub(crate) fn restored_flags(bytes: &[u8]) -> Flags {
    codec::decode(bytes).unwrap_or_default()
}

/// How well fellows forward, as it was stored.
pub(crate) fn restored_reputations(bytes: Option<&Vec<u8>>) -> Reputations {
    let restored = bytes.and_then(|bytes| codec::decode(bytes).ok());
    restored.unwrap_or_default()
}
