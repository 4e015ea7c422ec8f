//! The record: one signed value of one author, the unit of everything that is merged.
//!
//! Its envelope is frozen for all protocol versions. A record is kept and relayed as the bytes that
//! came, also when its kind is not known here.

use crate::codec::{self, DecodeError};
use crate::seal::{MemberSecret, SealDomain, SealError, VerifyingKey, tagged_hash};
use core::fmt;
use hive_types::limits::{RECORD_BODY_BYTES, RECORD_KEY_BYTES};
use hive_types::{Digest, HiveId, NodeId, Signature};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which member key of a node: each new key, certified by the node key, begins a new epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// How manieth write of its author in its epoch, over all keys.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Counter(pub u64);

/// The order of one author's writes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version {
    /// The epoch counts first.
    pub epoch: Epoch,
    /// Then the write within it.
    pub counter: Counter,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.0, self.counter.0)
    }
}

/// What a record's body is. A number, so that kinds of later versions are carried too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordKind(pub u16);

impl RecordKind {
    /// What it counted of its fellows: forwards and presence. Its key is one byte, as its record may be
    /// long.
    pub const TALLY: Self = Self(0);
    /// A manifest: what the node is and where it is found.
    pub const MANIFEST: Self = Self(1);
    /// A heartbeat in full.
    pub const HEARTBEAT_FULL: Self = Self(2);
    /// A heartbeat's changes since the full one that it names.
    pub const HEARTBEAT_CHANGE: Self = Self(3);
    /// What the member is able and willing to open.
    pub const CONSTRAINT: Self = Self(4);
    /// An open that the member announces.
    pub const INTENT: Self = Self(5);
    /// Its word on an outside peer.
    pub const OBSERVATION: Self = Self(6);
    /// Its vote on a member.
    pub const VOTE: Self = Self(7);
    /// It leaves the fleet.
    pub const DEPARTURE: Self = Self(8);
    /// The funding of an open under a lock was published.
    pub const FUNDING: Self = Self(9);
    /// It bans an outside peer.
    pub const BAN: Self = Self(10);
    /// What it asks of a fellow for passing, where that is not what was agreed on joining.
    pub const CORRIDOR: Self = Self(11);

    /// Whether every member may read it. What shows balances, capital or what a member saw of outside
    /// peers goes to full members only, and so does what this build does not know.
    pub const fn is_for_all(self) -> bool {
        matches!(
            self,
            Self::MANIFEST
                | Self::INTENT
                | Self::VOTE
                | Self::DEPARTURE
                | Self::FUNDING
                | Self::CORRIDOR
        )
    }
}

/// A record's fields, in the order in which they are encoded and signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFields {
    /// Who wrote it; only this node's agent can.
    pub author: NodeId,
    /// When, in the author's own order.
    pub version: Version,
    /// What it replaces: a newer version under the same key.
    #[serde(with = "crate::codec::bytes")]
    pub key: Vec<u8>,
    /// What the body is.
    pub kind: RecordKind,
    /// The body's schema, for changes to come.
    pub schema: u8,
    /// Seconds after its arrival in which it counts in views; 0 for ever. It is kept beyond.
    pub expiry_secs: u32,
    /// The value, encoded.
    #[serde(with = "crate::codec::bytes")]
    pub body: Vec<u8>,
}

/// A record as it came: its exact bytes, its fields, its seal. The seal may be unverified.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    bytes: Vec<u8>,
    fields: RecordFields,
}

/// The bytes are no record that counts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Shorter than its signature.
    #[error("a record of {0} bytes has no room for its signature")]
    Short(usize),
    /// The fields are not canonically encoded.
    #[error("record: {0}")]
    Fields(#[from] DecodeError),
    /// Key or body are longer than allowed.
    #[error("a record's key has at most {RECORD_KEY_BYTES} bytes, its body {RECORD_BODY_BYTES}")]
    TooLong,
    /// The seal does not match.
    #[error("record: {0}")]
    Seal(#[from] SealError),
}

impl Record {
    /// Writes and signs.
    ///
    /// # Errors
    /// [`RecordError::TooLong`] when key or body pass their limits.
    pub fn sign(
        fields: RecordFields,
        secret: &MemberSecret,
        hive: &HiveId,
    ) -> Result<Self, RecordError> {
        check_lengths(&fields)?;
        let mut bytes = codec::encode(&fields);
        let signature = secret.seal(SealDomain::Record, hive, &bytes);
        bytes.extend_from_slice(signature.as_bytes());
        Ok(Self { bytes, fields })
    }

    /// Reads the bytes without checking the seal.
    ///
    /// # Errors
    /// [`RecordError`] for anything but one canonical record within its limits.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, RecordError> {
        let signed = signed_part(&bytes).ok_or(RecordError::Short(bytes.len()))?;
        let fields: RecordFields = codec::decode(signed)?;
        check_lengths(&fields)?;
        Ok(Self { bytes, fields })
    }

    /// Checks the seal against the author's key of the record's epoch.
    ///
    /// # Errors
    /// [`RecordError::Seal`] when it does not match.
    pub fn verify(&self, hive: &HiveId, key: &VerifyingKey) -> Result<(), RecordError> {
        let (signed, signature) = self.bytes.split_at(self.bytes.len() - Signature::SIZE);
        let mut raw = [0; Signature::SIZE];
        raw.copy_from_slice(signature);
        key.verify(
            SealDomain::Record,
            hive,
            signed,
            &Signature::from_bytes(raw),
        )?;
        Ok(())
    }

    /// The exact bytes: fields and signature.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The fields.
    pub fn fields(&self) -> &RecordFields {
        &self.fields
    }

    /// The hash over the exact bytes; two bodies under one version differ in it.
    pub fn hash(&self) -> Digest {
        tagged_hash("hive/record-id", &[&self.bytes])
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecordFields {
            author,
            version,
            kind,
            ..
        } = &self.fields;
        write!(
            f,
            "Record(kind {} of {} at {version})",
            kind.0,
            author.short()
        )
    }
}

fn signed_part(bytes: &[u8]) -> Option<&[u8]> {
    bytes
        .len()
        .checked_sub(Signature::SIZE)
        .map(|end| &bytes[..end])
}

fn check_lengths(fields: &RecordFields) -> Result<(), RecordError> {
    if fields.key.len() > RECORD_KEY_BYTES || fields.body.len() > RECORD_BODY_BYTES {
        return Err(RecordError::TooLong);
    }
    Ok(())
}
