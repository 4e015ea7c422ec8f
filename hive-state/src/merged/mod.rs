//! What is merged: signed records of members, each with one author, relayed by anyone.
//!
//! A replica is a function of the items that it has seen, whatever their order:
//!
//! - of each author, the newest certified epoch; older epochs' records are gone;
//! - of each key in that epoch, the record with the highest version;
//! - of those, the newest [`RECORDS_PER_AUTHOR`](hive_types::limits::RECORDS_PER_AUTHOR).
//!
//! Two bodies under one version are kept as a [`ForkProof`] once they meet. Expiry changes views
//! only. [`Merged::digest`] and what follows it are Scuttlebutt reconciliation (van Renesse et al.,
//! "Efficient Reconciliation and Flow Control for Anti-Entropy Protocols", 2008).
//!
//! ```
//! use hive_proto::{Certification, Epoch, Manifest, MemberSecret, NodeSignature, Profile, RecordKind};
//! use hive_state::merged::{Draft, Merge, Merged};
//! use hive_types::{HiveId, Network, NodeId, Now, UnixMillis};
//! use secp256k1::{SECP256K1, SecretKey};
//!
//! let (hive, network, now) = (HiveId::from_bytes([1; 32]), Network::Regtest, Now::default());
//! let node = SecretKey::from_slice(&[7; 32])?;
//! let author = NodeId::from_bytes(node.public_key(SECP256K1).serialize())?;
//! let secret = MemberSecret::from_bytes(&[8; 32]).ok_or("not a key")?;
//! let certification =
//!     Certification { hive, node: author, network, member_key: secret.public(), epoch: Epoch(1) };
//! let signature = NodeSignature::sign(&certification.text(), &node);
//! let profile = Profile::new("example", UnixMillis::new(0));
//! let seat = Manifest::sign(certification, signature, profile, &secret)?.verify(&hive, network)?;
//!
//! // The author writes; a fellow asks and has the record after one round.
//! let mut own = Merged::new(hive, network, author);
//! own.set_authors([seat.clone()], now.wall);
//! own.set_may_write(true);
//! let body = b"hello".to_vec();
//! let draft = Draft { key: vec![99], kind: RecordKind(99), schema: 1, expiry_secs: 0, body };
//! own.write(draft, &secret, now)?;
//! let mut fellow = Merged::new(hive, network, NodeId::from_bytes([2; 33])?);
//! fellow.set_authors([seat], now.wall);
//! for item in own.answer(&fellow.digest()).delta.items {
//!     assert_eq!(fellow.merge(item, now), Merge::New);
//! }
//! assert_eq!(fellow.digest(), own.digest());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod author;
mod change;
mod merge;
mod pack;
mod proof;
mod reconcile;
mod write;

pub use author::Held;
pub use change::Change;
pub use merge::{Merge, Refused};
pub use proof::{ForkProof, Memory, Standing};
pub use reconcile::{Answer, ListingAnswer};
pub use write::{Draft, WriteError};

use author::{Author, certification_hash};
use change::Dirty;
use hive_proto::{Epoch, RecordKind, VerifiedManifest, Version};
use hive_types::limits::DEPARTED_TRACKED;
use hive_types::{Elapsed, HiveId, MemberKey, Network, NodeId, UnixMillis};
use std::collections::{BTreeMap, BTreeSet};

/// One member's replica of everything that its fleet says.
pub struct Merged {
    hive: HiveId,
    network: Network,
    me: NodeId,
    may_write: bool,
    authors: BTreeMap<NodeId, Author>,
    departed: BTreeMap<NodeId, Version>,
    /// Seats whose manifest has not come: a checkpoint names keys only.
    awaited: BTreeMap<NodeId, (Epoch, MemberKey)>,
    /// Full members, who may read everything. Unknown: everybody may.
    full: Option<BTreeSet<NodeId>>,
    dirty: BTreeSet<Dirty>,
}

impl Merged {
    /// An empty replica of `me`'s fleet, which may not write yet.
    pub const fn new(hive: HiveId, network: Network, me: NodeId) -> Self {
        Self {
            hive,
            network,
            me,
            may_write: false,
            authors: BTreeMap::new(),
            departed: BTreeMap::new(),
            awaited: BTreeMap::new(),
            full: None,
            dirty: BTreeSet::new(),
        }
    }

    /// Takes the roster: the certified manifest of each seat. Records of others are neither kept
    /// nor counted; those of who left are dropped, its newest version is remembered. A seat with a
    /// newer epoch opens it; an epoch that is ahead of its seat stays open.
    pub fn set_authors(
        &mut self,
        seats: impl IntoIterator<Item = VerifiedManifest>,
        wall: UnixMillis,
    ) {
        let mut seats: BTreeMap<_, _> = seats
            .into_iter()
            .map(|seat| (seat.node_id(), seat))
            .collect();
        let gone: Vec<_> = self
            .authors
            .keys()
            .filter(|id| !seats.contains_key(id))
            .copied()
            .collect();
        gone.iter().for_each(|id| self.forget(id));
        for (id, author) in &mut self.authors {
            let Some(seat) = seats.remove(id) else {
                continue;
            };
            let same = certification_hash(&seat) == *author.certification();
            author.seated = same;
            if !same && seat.epoch() >= author.epoch() {
                author.open(seat, true, wall);
                self.dirty.insert(Dirty::Epoch(*id));
            }
        }
        for (id, seat) in seats {
            self.authors.insert(id, Author::new(seat));
            self.dirty.insert(Dirty::Epoch(id));
        }
    }

    /// Seats of which only the key is known. Their manifests are asked for in every digest, and open
    /// their epochs when they come.
    pub fn await_authors(&mut self, seats: impl IntoIterator<Item = (NodeId, Epoch, MemberKey)>) {
        let seats = seats.into_iter().map(|(id, epoch, key)| (id, (epoch, key)));
        self.awaited = seats.collect();
        self.awaited.retain(|id, _| !self.authors.contains_key(id));
    }

    fn forget(&mut self, id: &NodeId) {
        if let Some(author) = self.authors.remove(id) {
            let newest = author
                .newest()
                .max(self.departed.get(id).copied().unwrap_or_default());
            self.departed.insert(*id, newest);
            if self.departed.len() > DEPARTED_TRACKED {
                self.departed.pop_first();
            }
            self.dirty.insert(Dirty::Author(*id));
        }
    }

    /// The own node.
    pub const fn me(&self) -> NodeId {
        self.me
    }

    /// The authors, in order.
    pub fn authors(&self) -> impl Iterator<Item = NodeId> {
        self.authors.keys().copied()
    }

    /// The manifest that opened an author's epoch.
    pub fn manifest(&self, author: &NodeId) -> Option<&VerifiedManifest> {
        self.authors.get(author).map(|author| &author.manifest)
    }

    /// The newest version known of a node, also after it left.
    pub fn newest(&self, node: &NodeId) -> Option<Version> {
        let here = self.authors.get(node).map(Author::newest);
        here.max(self.departed.get(node).copied())
    }

    /// The newest versions of nodes that left.
    pub const fn departed(&self) -> &BTreeMap<NodeId, Version> {
        &self.departed
    }

    /// Gives back a stored newest version of a node that left.
    pub fn recall_departed(&mut self, node: NodeId, newest: Version) {
        let known = self.departed.entry(node).or_default();
        *known = newest.max(*known);
    }

    /// The live record under a key, expired or not.
    pub fn get(&self, author: &NodeId, key: &[u8]) -> Option<&Held> {
        self.authors.get(author)?.get(key)
    }

    /// An author's live records in version order, expired ones too.
    pub fn live(&self, author: &NodeId) -> impl Iterator<Item = &Held> {
        self.authors.get(author).into_iter().flat_map(Author::live)
    }

    /// All records that count at `now`: by author, in version order.
    pub fn view(&self, now: Elapsed) -> impl Iterator<Item = &Held> {
        let all = self.authors.values().flat_map(Author::live);
        all.filter(move |held| held.counts(now))
    }

    /// An author's newest records of one kind that count at `now`, at most `limit`, newest first.
    pub fn newest_of(
        &self,
        author: &NodeId,
        kind: RecordKind,
        now: Elapsed,
        limit: usize,
    ) -> impl Iterator<Item = &Held> {
        let live = self
            .authors
            .get(author)
            .into_iter()
            .flat_map(|author| author.live().rev());
        live.filter(move |held| held.record().fields().kind == kind && held.counts(now))
            .take(limit)
    }

    /// Live records, over all authors.
    pub fn len(&self) -> usize {
        self.authors.values().map(Author::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all live records; at most
    /// [`RECORD_BYTES_PER_AUTHOR`](hive_types::limits::RECORD_BYTES_PER_AUTHOR) for each author.
    pub fn bytes(&self) -> usize {
        self.authors.values().map(Author::bytes).sum()
    }
}
