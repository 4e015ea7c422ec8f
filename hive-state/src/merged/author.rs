//! One author's records: what is kept of all that was seen, as a function of the set seen alone.

use super::proof::ForkProof;
use hive_proto::{Counter, DigestLine, Epoch, Record, VerifiedManifest, Version, tagged_hash};
use hive_types::limits::{PROOFS_PER_AUTHOR, RECORDS_PER_AUTHOR};
use hive_types::{Digest, Elapsed, Millis, UnixMillis};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A record that is kept, with what this replica adds to it.
#[derive(Clone, Debug)]
pub struct Held {
    record: Record,
    hash: Digest,
    arrived: Elapsed,
}

impl Held {
    /// The record, its seal verified.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// The hash over its exact bytes.
    pub const fn hash(&self) -> &Digest {
        &self.hash
    }

    /// When it came, in this boot.
    pub const fn arrived(&self) -> Elapsed {
        self.arrived
    }

    /// Whether it counts in views at `now`. It is kept in any case.
    pub fn counts(&self, now: Elapsed) -> bool {
        match self.record.fields().expiry_secs {
            0 => true,
            secs => now.since(self.arrived) < Millis::from_secs(u64::from(secs)),
        }
    }
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// Kept under a key that had none; the key that had to go for it.
    New(Option<Vec<u8>>),
    Replaced,
    Old,
}

/// What two members speak of when they compare an author's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Everything.
    All,
    /// What every member may read.
    ForAll,
}

impl View {
    pub(super) fn shows(self, held: &Held) -> bool {
        self == Self::All || held.record.fields().kind.is_for_all()
    }
}

/// The order of live records: the counter, and the hash between two bodies under one counter.
type Rank = (Counter, Digest);

pub(super) struct Author {
    pub(super) manifest: VerifiedManifest,
    /// Whether the roster names this very certification; then no other of its epoch takes over.
    pub(super) seated: bool,
    certification: Digest,
    by_rank: BTreeMap<Rank, Held>,
    by_key: BTreeMap<Vec<u8>, Rank>,
    bytes: usize,
    proofs: BTreeMap<Epoch, ForkProof>,
    /// The epoch at which this replica came to know the author.
    pub(super) met: Epoch,
    /// When this replica learned that a forked epoch was closed by a newer one.
    pub(super) closed: BTreeMap<Epoch, UnixMillis>,
    hash: OnceLock<Digest>,
}

impl Author {
    pub(super) fn new(manifest: VerifiedManifest) -> Self {
        Self {
            certification: certification_hash(&manifest),
            met: manifest.epoch(),
            manifest,
            seated: true,
            by_rank: BTreeMap::new(),
            by_key: BTreeMap::new(),
            bytes: 0,
            proofs: BTreeMap::new(),
            closed: BTreeMap::new(),
            hash: OnceLock::new(),
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.manifest.epoch()
    }

    pub(super) const fn certification(&self) -> &Digest {
        &self.certification
    }

    /// The newest version seen in this epoch. The record of it is never dropped within the epoch.
    pub(super) fn newest(&self) -> Version {
        let counter = self.by_rank.last_key_value();
        Version {
            epoch: self.epoch(),
            counter: counter.map_or(Counter(0), |((counter, _), _)| *counter),
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Held> {
        self.by_rank.get(self.by_key.get(key)?)
    }

    /// Live records in version order.
    pub(super) fn live(&self) -> impl DoubleEndedIterator<Item = &Held> {
        self.by_rank.values()
    }

    /// Live records above `counter`, in version order.
    pub(super) fn above(&self, counter: Counter) -> impl Iterator<Item = &Held> {
        let newer = self
            .by_rank
            .range((counter, Digest::from_bytes([0xff; 32]))..);
        newer
            .map(|(_, held)| held)
            .filter(move |held| held.record.fields().version.counter > counter)
    }

    pub(super) fn len(&self) -> usize {
        self.by_rank.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Live records with the same counter and another content.
    pub(super) fn rivals(&self, record: &Record) -> impl Iterator<Item = &Held> {
        let counter = record.fields().version.counter;
        let (from, to) = (Digest::from_bytes([0; 32]), Digest::from_bytes([0xff; 32]));
        let same = self.by_rank.range((counter, from)..=(counter, to));
        same.map(|(_, held)| held)
            .filter(move |held| held.record.bytes() != record.bytes())
    }

    /// Keeps the record if it is the newest of its key and among the newest keys.
    ///
    /// Of all records seen, exactly this is kept: of each key the highest rank, and of those the
    /// [`RECORDS_PER_AUTHOR`] highest. A key's rank only grows, so the number of keys above a
    /// dropped one never falls, and what is dropped in one order of arrival is dropped in all.
    pub(super) fn place(&mut self, record: Record, hash: Digest, arrived: Elapsed) -> Placed {
        let fields = record.fields();
        let rank = (fields.version.counter, hash);
        let replaced = self.by_key.get(&fields.key).copied();
        match replaced {
            Some(held) if held >= rank => return Placed::Old,
            Some(held) => self.remove(&held),
            None if self.is_full() && self.oldest() > Some(rank) => return Placed::Old,
            None => None,
        };
        let evicted = match self.oldest() {
            Some(oldest) if self.is_full() => self.remove(&oldest),
            _ => None,
        };
        self.by_key.insert(record.fields().key.clone(), rank);
        self.bytes += record.bytes().len();
        self.by_rank.insert(
            rank,
            Held {
                record,
                hash,
                arrived,
            },
        );
        self.hash = OnceLock::new();
        match replaced {
            Some(_) => Placed::Replaced,
            None => Placed::New(evicted),
        }
    }

    fn is_full(&self) -> bool {
        self.by_rank.len() >= RECORDS_PER_AUTHOR
    }

    fn oldest(&self) -> Option<Rank> {
        self.by_rank.first_key_value().map(|(rank, _)| *rank)
    }

    /// The record that goes when one more key is written.
    pub(super) fn next_to_go(&self) -> Option<&Held> {
        self.is_full()
            .then(|| self.by_rank.values().next())
            .flatten()
    }

    /// Takes a record out; its key.
    fn remove(&mut self, rank: &Rank) -> Option<Vec<u8>> {
        let held = self.by_rank.remove(rank)?;
        self.bytes -= held.record.bytes().len();
        self.by_key
            .remove_entry(&held.record.fields().key)
            .map(|(key, _)| key)
    }

    /// Goes on under another certification; the records under the one before are dropped.
    pub(super) fn open(&mut self, manifest: VerifiedManifest, seated: bool, wall: UnixMillis) {
        self.certification = certification_hash(&manifest);
        self.manifest = manifest;
        self.seated = seated;
        self.by_rank.clear();
        self.by_key.clear();
        self.bytes = 0;
        self.hash = OnceLock::new();
        self.note_closings(wall);
    }

    pub(super) fn proofs(&self) -> impl Iterator<Item = &ForkProof> {
        self.proofs.values()
    }

    /// Whether the proof would change what is kept.
    pub(super) fn wants_proof(&self, epoch: Epoch, hash: &Digest) -> bool {
        match self.proofs.get(&epoch) {
            Some(held) => hash < held.hash(),
            None => {
                let full = self.proofs.len() >= PROOFS_PER_AUTHOR;
                !full
                    || self
                        .proofs
                        .keys()
                        .next()
                        .is_some_and(|oldest| *oldest < epoch)
            }
        }
    }

    /// Keeps of each epoch the proof with the smallest hash, and of those the newest epochs'.
    pub(super) fn place_proof(&mut self, proof: ForkProof, wall: UnixMillis) {
        self.proofs.insert(proof.epoch(), proof);
        while self.proofs.len() > PROOFS_PER_AUTHOR {
            self.proofs.pop_first();
        }
        self.hash = OnceLock::new();
        self.note_closings(wall);
    }

    /// A fork is closed once the author goes on in a newer epoch. What was closed before this
    /// replica knew the author has no time here: nobody can say when it was.
    fn note_closings(&mut self, wall: UnixMillis) {
        let (now, met) = (self.epoch(), self.met);
        let proofs = &self.proofs;
        self.closed.retain(|epoch, _| proofs.contains_key(epoch));
        for epoch in proofs
            .keys()
            .filter(|epoch| **epoch < now && **epoch >= met)
        {
            self.closed.entry(*epoch).or_insert(wall);
        }
    }

    pub(super) fn line(&self, view: View) -> DigestLine {
        let (newest, hash) = match view {
            View::All => (
                self.newest(),
                *self.hash.get_or_init(|| self.content_hash(view)),
            ),
            View::ForAll => (self.newest_in(view), self.content_hash(view)),
        };
        DigestLine {
            author: self.manifest.node_id(),
            newest,
            hash,
            proofs: u8::try_from(self.proofs.len()).unwrap_or(u8::MAX),
        }
    }

    /// The newest version of what this view shows.
    pub(super) fn newest_in(&self, view: View) -> Version {
        let newest = self.live().rev().find(|held| view.shows(held));
        let counter = newest.map(|held| held.record.fields().version.counter);
        Version {
            epoch: self.epoch(),
            counter: counter.unwrap_or(Counter(0)),
        }
    }

    /// A hash over all that replicas must agree on. Each record's hash covers key, version and body;
    /// the count in front keeps records and proofs apart.
    fn content_hash(&self, view: View) -> Digest {
        let shown: Vec<&Digest> = self
            .live()
            .filter(|held| view.shows(held))
            .map(|held| &held.hash)
            .collect();
        let mut content = Vec::with_capacity(32 * (shown.len() + self.proofs.len()) + 40);
        content.extend_from_slice(self.certification.as_bytes());
        content.extend_from_slice(&(shown.len() as u64).to_be_bytes());
        let proofs = self.proofs.values().map(ForkProof::hash);
        shown
            .into_iter()
            .chain(proofs)
            .for_each(|hash| content.extend_from_slice(hash.as_bytes()));
        tagged_hash("hive/author-content", &[&content])
    }
}

/// Which of two certifications of one epoch counts is decided by this hash, the same everywhere.
pub(super) fn certification_hash(manifest: &VerifiedManifest) -> Digest {
    let text = manifest.manifest().certification().text();
    tagged_hash("hive/certification-id", &[text.as_bytes()])
}
