//! What the own member writes.

use super::merge::check_bounds;
use super::{Dirty, Merged, Refused};
use hive_proto::{
    Counter, MemberSecret, Record, RecordBody, RecordError, RecordFields, RecordKind,
    VerifiedManifest, Version,
};
use hive_types::limits::VERSION_MAX;
use hive_types::{NodeId, Now};
use thiserror::Error;

/// A record to be written: everything but who, when and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it replaces.
    pub key: Vec<u8>,
    /// What the body is.
    pub kind: RecordKind,
    /// The body's schema.
    pub schema: u8,
    /// Seconds after its arrival in which it counts in views; 0 for ever.
    pub expiry_secs: u32,
    /// The value, encoded.
    pub body: Vec<u8>,
}

impl Draft {
    /// A draft of a body that this build knows.
    pub fn new<B: RecordBody>(key: Vec<u8>, body: &B, expiry_secs: u32) -> Self {
        Self {
            key,
            kind: B::KIND,
            schema: B::SCHEMA,
            expiry_secs,
            body: body.encode(),
        }
    }
}

/// Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// No fellow has returned the newest own records since the start.
    #[error("starting: wait until a fellow has returned this node's newest records")]
    Starting,
    /// The own node is in no roster.
    #[error("{0} is no member: join a fleet first")]
    NoMember(NodeId),
    /// The secret is not the one of the open epoch.
    #[error("the member key is not the one of epoch {}: begin a new epoch", .0.epoch.0)]
    OtherKey(Version),
    /// One more key would push out a record that still counts.
    #[error(
        "as many records as allowed still count: write the oldest again, key {0:02x?}, or let it expire"
    )]
    Full(Vec<u8>),
    /// Too long, or the counters of this epoch are used up.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl From<RecordError> for WriteError {
    fn from(error: RecordError) -> Self {
        Self::Refused(error.into())
    }
}

impl Merged {
    /// Whether the own member may write: not before a fellow has returned its newest own records,
    /// for else it could write a version a second time.
    pub const fn may_write(&self) -> bool {
        self.may_write
    }

    /// Lets the own member write, or stops it.
    pub const fn set_may_write(&mut self, may: bool) {
        self.may_write = may;
    }

    /// Signs the draft under the next version and keeps it. It is stored before it is sent.
    ///
    /// # Errors
    /// [`WriteError`]; nothing is written then.
    pub fn write(
        &mut self,
        draft: Draft,
        secret: &MemberSecret,
        now: Now,
    ) -> Result<Record, WriteError> {
        if !self.may_write {
            return Err(WriteError::Starting);
        }
        let author = self
            .authors
            .get_mut(&self.me)
            .ok_or(WriteError::NoMember(self.me))?;
        let newest = author.newest();
        if author.manifest.key().member_key() != secret.public() {
            return Err(WriteError::OtherKey(newest));
        }
        let oldest = author.next_to_go();
        if let Some(oldest) = oldest.filter(|oldest| oldest.counts(now.elapsed))
            && author.get(&draft.key).is_none()
        {
            return Err(WriteError::Full(oldest.record().fields().key.clone()));
        }
        let counter = Counter(newest.counter.0.saturating_add(1));
        let record = Record::sign(
            fields(self.me, draft, Version { counter, ..newest }),
            secret,
            &self.hive,
        )?;
        check_bounds(&record)?;
        self.place(record.clone(), now.elapsed);
        Ok(record)
    }

    /// Signs the last word of this epoch, a departure, under the highest version that there is. No
    /// forgotten record can have it, so it needs no fellow that returns what this member wrote.
    ///
    /// # Errors
    /// [`WriteError`]; nothing is written then.
    pub fn write_last(
        &mut self,
        draft: Draft,
        secret: &MemberSecret,
        now: Now,
    ) -> Result<Record, WriteError> {
        let me = self.me;
        let author = self.authors.get(&me).ok_or(WriteError::NoMember(me))?;
        let newest = author.newest();
        if author.manifest.key().member_key() != secret.public() {
            return Err(WriteError::OtherKey(newest));
        }
        if let Some(held) = author
            .get(&draft.key)
            .filter(|_| newest.counter.0 == VERSION_MAX)
        {
            return Ok(held.record().clone());
        }
        let counter = Counter(VERSION_MAX);
        let version = Version { counter, ..newest };
        let record = Record::sign(fields(me, draft, version), secret, &self.hive)?;
        check_bounds(&record)?;
        self.place(record.clone(), now.elapsed);
        Ok(record)
    }

    /// Goes on under a new member key: the own records are dropped, and writing begins at one. The
    /// manifest is to be sent as [`hive_proto::Item::Epoch`]. Whether it was newer than the open one.
    pub fn begin_epoch(&mut self, manifest: VerifiedManifest, now: Now) -> bool {
        let Some(author) = self.authors.get_mut(&self.me) else {
            return false;
        };
        let newer = manifest.node_id() == self.me && manifest.epoch() > author.epoch();
        if newer {
            author.open(manifest, false, now.wall);
            self.dirty.insert(Dirty::Epoch(self.me));
        }
        newer
    }
}

fn fields(author: NodeId, draft: Draft, version: Version) -> RecordFields {
    let Draft {
        key,
        kind,
        schema,
        expiry_secs,
        body,
    } = draft;
    RecordFields {
        author,
        version,
        key,
        kind,
        schema,
        expiry_secs,
        body,
    }
}
