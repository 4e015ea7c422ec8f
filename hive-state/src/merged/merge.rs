//! What comes from others: checked, and merged if it is news.

use super::author::{Author, Held, Placed, certification_hash};
use super::proof::{ForkProof, UnverifiedProof, pair_hash};
use super::{Dirty, Merged};
use hive_proto::{Epoch, Item, Manifest, ManifestError, Record, RecordError, Version};
use hive_types::limits::{
    BULK_KEYS, RECORD_BODY_BYTES, RECORD_ENVELOPE_BYTES, SMALL_RECORD_BYTES, VERSION_MAX,
};
use hive_types::{Elapsed, NodeId, Now};
use thiserror::Error;

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// A record under a key that had none.
    New,
    /// A record that is newer than the one under its key.
    Replaced,
    /// Superseded before it came.
    Old,
    /// Known already, by its verified bytes.
    Duplicate,
    /// The author went on to another member key; its older records are gone.
    Opened {
        /// Whose.
        author: NodeId,
        /// The epoch that is open now.
        epoch: Epoch,
    },
    /// Two contents under one version, by this item and a known one or by the proof that came.
    Equivocation {
        /// Who signed both. The own node: another copy of this agent runs.
        author: NodeId,
        /// The version.
        version: Version,
    },
    /// The own node's word, returned by somebody and not known here. It is kept. Either this agent
    /// was restored from a backup, or another copy of it runs.
    OwnNewer {
        /// Its version.
        version: Version,
    },
    /// Nothing was changed by it.
    Refused(Refused),
}

impl Merge {
    /// Whether the replica changed: the item is to be stored and passed on.
    pub const fn is_news(&self) -> bool {
        !matches!(self, Self::Old | Self::Duplicate | Self::Refused(_))
    }
}

/// Why an item does not count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Its author is no member.
    #[error("{0} is no member; its records are not kept")]
    Stranger(NodeId),
    /// Its epoch's manifest has not come.
    #[error("epoch {} is not open yet: its manifest has to come first", .0.0)]
    EpochUnknown(Epoch),
    /// Its version is none that an author writes.
    #[error("version {0} is outside 0.1 to {VERSION_MAX}.{VERSION_MAX}")]
    Version(Version),
    /// Larger than a record under its key may be.
    #[error("a record of {bytes} bytes; under this key at most {max}")]
    TooLarge {
        /// Bytes that came.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// No record, or not its author's.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The manifest does not count.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The two records do not contradict each other.
    #[error("no proof: author and version of both records and the manifest must be the same")]
    NoProof,
}

/// Checks that need nothing but the record.
pub(super) fn check_bounds(record: &Record) -> Result<(), Refused> {
    let fields = record.fields();
    let Version { epoch, counter } = fields.version;
    if epoch.0 > VERSION_MAX || counter.0 > VERSION_MAX || counter.0 == 0 {
        return Err(Refused::Version(fields.version));
    }
    let (bytes, max) = (record.bytes().len(), record_bytes(&fields.key));
    if bytes > max {
        return Err(Refused::TooLarge { bytes, max });
    }
    Ok(())
}

/// Bytes of a record under `key` at most. Keys of one byte below [`BULK_KEYS`] are bulk keys.
fn record_bytes(key: &[u8]) -> usize {
    match key {
        [bulk] if usize::from(*bulk) < BULK_KEYS => RECORD_BODY_BYTES + RECORD_ENVELOPE_BYTES,
        _ => SMALL_RECORD_BYTES,
    }
}

/// What is known of a record before its seal is checked.
enum Known {
    Duplicate,
    Old,
    Open,
}

fn known(author: &Author, record: &Record) -> Known {
    match author.get(&record.fields().key) {
        Some(held) if held.record().bytes() == record.bytes() => Known::Duplicate,
        Some(held) if held.record().fields().version > record.fields().version => {
            match author.rivals(record).next() {
                Some(_) => Known::Open,
                None => Known::Old,
            }
        }
        _ => Known::Open,
    }
}

impl Merged {
    /// Merges one item. Any order, any number of times: the same set of items gives the same state,
    /// as `docs/state-merged.md` states exactly. `now` dates the arrival, and nothing else.
    pub fn merge(&mut self, item: Item, now: Now) -> Merge {
        let merged = match item {
            Item::Record(bytes) => self.merge_record(bytes, now),
            Item::Epoch(manifest) => self.merge_epoch(*manifest, now),
            Item::Proof {
                manifest,
                first,
                second,
            } => UnverifiedProof::parse(*manifest, first, second)
                .and_then(|proof| self.merge_proof(proof, now)),
        };
        merged.unwrap_or_else(Merge::Refused)
    }

    /// Cheap checks come first, the seal after them, and only a verified record changes anything.
    fn merge_record(&mut self, bytes: Vec<u8>, now: Now) -> Result<Merge, Refused> {
        let record = Record::parse(bytes)?;
        let (id, version) = (record.fields().author, record.fields().version);
        check_bounds(&record)?;
        let author = self.authors.get_mut(&id).ok_or(Refused::Stranger(id))?;
        if version.epoch > author.epoch() {
            return Err(Refused::EpochUnknown(version.epoch));
        }
        if version.epoch < author.epoch() {
            return Ok(Merge::Old);
        }
        match known(author, &record) {
            Known::Duplicate => return Ok(Merge::Duplicate),
            Known::Old => return Ok(Merge::Old),
            Known::Open => {}
        }
        record.verify(&self.hive, author.manifest.key())?;
        let forked = note_fork(author, &record, now);
        if forked {
            self.dirty.insert(Dirty::Proofs(id));
        }
        let placed = self.place(record, now.elapsed);
        Ok(match placed {
            _ if forked => Merge::Equivocation {
                author: id,
                version,
            },
            Some(Placed::New(_) | Placed::Replaced) if id == self.me => Merge::OwnNewer { version },
            Some(Placed::New(_)) => Merge::New,
            Some(Placed::Replaced) => Merge::Replaced,
            Some(Placed::Old) | None => Merge::Old,
        })
    }

    /// Keeps a verified record if it is news, and notes what a store has to write.
    pub(super) fn place(&mut self, record: Record, arrived: Elapsed) -> Option<Placed> {
        let (id, key) = (record.fields().author, record.fields().key.clone());
        let hash = record.hash();
        let placed = self.authors.get_mut(&id)?.place(record, hash, arrived);
        if let Placed::New(Some(evicted)) = &placed {
            self.dirty.insert(Dirty::Record(id, evicted.clone()));
        }
        if placed != Placed::Old {
            self.dirty.insert(Dirty::Record(id, key));
        }
        Some(placed)
    }

    fn merge_epoch(&mut self, manifest: Manifest, now: Now) -> Result<Merge, Refused> {
        let (id, epoch) = (
            manifest.certification().node,
            manifest.certification().epoch,
        );
        if self.awaited.contains_key(&id) {
            return self.meet(manifest);
        }
        let author = self.authors.get_mut(&id).ok_or(Refused::Stranger(id))?;
        let version = Version {
            epoch,
            ..Version::default()
        };
        if epoch.0 > VERSION_MAX {
            return Err(Refused::Version(version));
        }
        if epoch < author.epoch() {
            return Ok(Merge::Old);
        }
        if manifest.certification() == author.manifest.manifest().certification() {
            return Ok(Merge::Duplicate);
        }
        let manifest = manifest.verify(&self.hive, self.network)?;
        let same_epoch = epoch == author.epoch();
        if same_epoch && (author.seated || certification_hash(&manifest) < *author.certification())
        {
            return Ok(Merge::Old);
        }
        author.open(manifest, false, now.wall);
        self.dirty.insert(Dirty::Epoch(id));
        Ok(match id == self.me {
            true => Merge::OwnNewer { version },
            false => Merge::Opened { author: id, epoch },
        })
    }

    /// The manifest of a seat of which only the key was known: that key's, or a newer epoch's.
    fn meet(&mut self, manifest: Manifest) -> Result<Merge, Refused> {
        let certification = *manifest.certification();
        let (author, epoch) = (certification.node, certification.epoch);
        let (seated, key) = *self.awaited.get(&author).ok_or(Refused::Stranger(author))?;
        let is_seats = (epoch, certification.member_key) == (seated, key);
        if epoch <= seated && !is_seats {
            return Ok(Merge::Old);
        }
        let verified = manifest.verify(&self.hive, self.network)?;
        let mut known = Author::new(verified);
        known.seated = is_seats;
        self.awaited.remove(&author);
        self.authors.insert(author, known);
        self.dirty.insert(Dirty::Epoch(author));
        Ok(Merge::Opened { author, epoch })
    }

    fn merge_proof(&mut self, proof: UnverifiedProof, now: Now) -> Result<Merge, Refused> {
        let (id, version) = (proof.author(), proof.version());
        let author = self.authors.get_mut(&id).ok_or(Refused::Stranger(id))?;
        if !author.wants_proof(version.epoch, proof.hash()) {
            return Ok(Merge::Duplicate);
        }
        author.place_proof(
            ForkProof::verify(proof, &self.hive, self.network)?,
            now.wall,
        );
        self.dirty.insert(Dirty::Proofs(id));
        Ok(Merge::Equivocation {
            author: id,
            version,
        })
    }
}

/// Keeps the proof with the smallest hash if live records contradict the verified one; whether that
/// was news.
fn note_fork(author: &mut Author, record: &Record, now: Now) -> bool {
    let by_hash = |held: &&Held| pair_hash(held.record(), record);
    let Some(rival) = author.rivals(record).min_by_key(by_hash) else {
        return false;
    };
    let manifest = author.manifest.manifest().clone();
    let proof = ForkProof::of_verified(manifest, rival.record().clone(), record.clone());
    let news = author.wants_proof(proof.epoch(), proof.hash());
    if news {
        author.place_proof(proof, now.wall);
    }
    news
}
