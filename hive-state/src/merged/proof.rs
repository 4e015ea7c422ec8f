//! Equivocation: two records of one author under one version, and what they say of the author.

use super::author::Author;
use super::{Merged, Refused};
use hive_proto::{Epoch, Item, Manifest, Record, Version, tagged_hash};
use hive_types::limits::RESTORE_GRACE;
use hive_types::{Digest, HiveId, Millis, Network, NodeId, UnixMillis};
use serde::{Deserialize, Serialize};

/// Two different records of one author under one version, both verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkProof {
    manifest: Manifest,
    first: Record,
    second: Record,
    hash: Digest,
}

impl ForkProof {
    /// Joins two records whose seals were verified with the manifest's member key.
    pub(super) fn of_verified(manifest: Manifest, one: Record, other: Record) -> Self {
        let hash = pair_hash(&one, &other);
        let (first, second) = if one.hash() <= other.hash() {
            (one, other)
        } else {
            (other, one)
        };
        Self {
            manifest,
            first,
            second,
            hash,
        }
    }

    /// Checks a proof that came, with nothing but what it brings: also one of an epoch that is over.
    pub(super) fn verify(
        unverified: UnverifiedProof,
        hive: &HiveId,
        network: Network,
    ) -> Result<Self, Refused> {
        let UnverifiedProof {
            manifest,
            first,
            second,
            hash,
        } = unverified;
        let verified = manifest.verify(hive, network)?;
        first.verify(hive, verified.key())?;
        second.verify(hive, verified.key())?;
        Ok(Self {
            manifest: verified.into_manifest(),
            first,
            second,
            hash,
        })
    }

    /// Whose.
    pub fn author(&self) -> NodeId {
        self.first.fields().author
    }

    /// The version that has two contents.
    pub fn version(&self) -> Version {
        self.first.fields().version
    }

    /// Its epoch.
    pub fn epoch(&self) -> Epoch {
        self.version().epoch
    }

    /// The hash over both records.
    pub const fn hash(&self) -> &Digest {
        &self.hash
    }

    /// Both records, the one with the smaller hash first.
    pub const fn records(&self) -> (&Record, &Record) {
        (&self.first, &self.second)
    }

    /// The proof as it travels.
    pub fn to_item(&self) -> Item {
        Item::Proof {
            manifest: Box::new(self.manifest.clone()),
            first: self.first.bytes().to_vec(),
            second: self.second.bytes().to_vec(),
        }
    }
}

/// The hash over two records, the smaller hash first.
pub(super) fn pair_hash(one: &Record, other: &Record) -> Digest {
    let (one, other) = (one.hash(), other.hash());
    let (first, second) = (one.min(other), one.max(other));
    tagged_hash("hive/fork-proof", &[first.as_bytes(), second.as_bytes()])
}

/// A proof that fits together, its three signatures not yet checked.
pub(super) struct UnverifiedProof {
    manifest: Manifest,
    first: Record,
    second: Record,
    hash: Digest,
}

impl UnverifiedProof {
    pub(super) fn parse(
        manifest: Manifest,
        first: Vec<u8>,
        second: Vec<u8>,
    ) -> Result<Self, Refused> {
        let (first, second) = (Record::parse(first)?, Record::parse(second)?);
        let (one, other) = (first.fields(), second.fields());
        let certified = manifest.certification();
        let fits = one.author == other.author
            && one.version == other.version
            && certified.node == one.author
            && certified.epoch == one.version.epoch
            && first.hash() < second.hash();
        if !fits {
            return Err(Refused::NoProof);
        }
        super::merge::check_bounds(&first)?;
        super::merge::check_bounds(&second)?;
        let hash = pair_hash(&first, &second);
        Ok(Self {
            manifest,
            first,
            second,
            hash,
        })
    }

    pub(super) fn author(&self) -> NodeId {
        self.first.fields().author
    }

    pub(super) fn version(&self) -> Version {
        self.first.fields().version
    }

    pub(super) const fn hash(&self) -> &Digest {
        &self.hash
    }
}

/// What an author's forks say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// No fork is known.
    Honest,
    /// A fork, and the author closed it with a new epoch: a restored backup.
    Restored,
    /// A fork in the epoch that the author still writes in. It may yet close it.
    Forked,
    /// Forks too close to each other to be restored backups.
    Equivocator,
}

impl Standing {
    /// Whether the author's word is not to be relied upon.
    pub const fn is_flagged(self) -> bool {
        matches!(self, Self::Forked | Self::Equivocator)
    }
}

/// What this replica remembers of an author beyond its items. It can't be had from others, so it is
/// stored and given back by [`Merged::recall`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The author.
    pub author: NodeId,
    /// The epoch at which this replica came to know it.
    pub met: Epoch,
    /// Forked epochs, and when this replica learned that a newer epoch had closed them.
    pub closed: Vec<(Epoch, UnixMillis)>,
}

impl Author {
    fn standing(&self) -> Standing {
        let Some(newest) = self.proofs().last() else {
            return Standing::Honest;
        };
        if newest.epoch() >= self.epoch() {
            return Standing::Forked;
        }
        let times: Vec<_> = self.closed.values().collect();
        let close = |pair: &[&UnixMillis]| {
            let apart = pair[0].get().abs_diff(pair[1].get());
            Millis::new(apart) < RESTORE_GRACE
        };
        match times.windows(2).any(close) {
            true => Standing::Equivocator,
            false => Standing::Restored,
        }
    }

    pub(super) fn memory(&self, author: NodeId) -> Memory {
        let closed = self
            .closed
            .iter()
            .map(|(epoch, wall)| (*epoch, *wall))
            .collect();
        Memory {
            author,
            met: self.met,
            closed,
        }
    }
}

impl Merged {
    /// What the author's forks say of it; `None` for a stranger.
    pub fn standing(&self, author: &NodeId) -> Option<Standing> {
        self.authors.get(author).map(Author::standing)
    }

    /// The proofs against an author, by epoch.
    pub fn proofs(&self, author: &NodeId) -> impl Iterator<Item = &ForkProof> {
        self.authors
            .get(author)
            .into_iter()
            .flat_map(Author::proofs)
    }

    /// What to store of each author beyond its items.
    pub fn memories(&self) -> impl Iterator<Item = Memory> {
        self.authors.iter().map(|(id, author)| author.memory(*id))
    }

    /// Gives back what was stored, after the author's items: merging them notes its own times.
    pub fn recall(&mut self, memory: &Memory) {
        if let Some(author) = self.authors.get_mut(&memory.author) {
            author.met = memory.met;
            author.closed = memory.closed.iter().copied().collect();
        }
    }
}
