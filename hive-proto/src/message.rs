//! Every message of the protocol, with its number.

use crate::codec;
use crate::decision::{Certificate, Slot};
use crate::frame::FrameError;
use crate::manifest::Manifest;
use crate::record::{Epoch, Version};
use crate::seal::Sealed;
use crate::ticket::Ticket;
use hive_types::limits::RELAY_HOPS;
use hive_types::{Digest, Elapsed, NodeId, Signature, UnixMillis};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A message between two connected nodes. BOLT 8 says who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A candidate asks to join.
    Hello(Hello),
    /// The member's answer, which costs it no memory.
    Challenge(Challenge),
    /// The candidate proves itself.
    Attest(Attest),
    /// Random bytes to send back: the admission probe.
    Probe(Vec<u8>),
    /// The bytes sent back.
    Echo(Vec<u8>),
    /// The candidate is a member.
    Welcome(Welcome),
    /// The candidate is not, and why.
    Refused(Refusal),
    /// What the sender has, by author: the first step of reconciliation.
    Digest(Vec<DigestLine>),
    /// Records that the receiver lacks or should hear of.
    Delta(Delta),
    /// Which records of one author the sender has.
    Listing(Listing),
    /// A statement of the decision protocol on its way.
    Routed(Routed),
    /// Which decisions the sender lacks.
    ChainRequest(ChainRequest),
    /// Decisions in order, with their certificates.
    Chain(ChainSegment),
    /// The charter, the newest checkpoint and the state that it names.
    Snapshot(ChainSnapshot),
}

macro_rules! kinds {
    ($($name:ident = $number:literal),+ $(,)?) => {
        impl Message {
            /// The number of the message's kind.
            pub const fn kind(&self) -> u64 {
                match self { $(Self::$name(_) => $number),+ }
            }

            pub(crate) fn encode_body(&self) -> Vec<u8> {
                match self { $(Self::$name(body) => codec::encode(body)),+ }
            }

            pub(crate) fn decode_body(kind: u64, body: &[u8]) -> Result<Self, FrameError> {
                match kind {
                    $($number => Ok(Self::$name(codec::decode(body)?)),)+
                    unknown => Err(FrameError::UnknownKind(unknown)),
                }
            }
        }
    };
}

kinds! {
    Hello = 1, Challenge = 2, Attest = 3, Probe = 4, Echo = 5, Welcome = 6, Refused = 7,
    Digest = 16, Delta = 17, Listing = 18,
    Routed = 32, ChainRequest = 33, Chain = 34, Snapshot = 35,
}

/// First step of the handshake: nothing is shown yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Which ticket the candidate holds.
    pub ticket: Digest,
    /// Random.
    pub nonce: [u8; 32],
}

/// What the member wants back, so that it needs to remember nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cookie {
    /// When it was made, by the member's own count since boot.
    pub made: Elapsed,
    /// A hash over the member's secret, the candidate's node id, HELLO and `made`.
    pub mac: Digest,
}

/// Second step: the member shows who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// To be given back.
    pub cookie: Cookie,
    /// The member's manifest.
    pub manifest: Manifest,
}

/// Third step: the candidate shows ticket and manifest, signed with everything before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attest {
    /// What it began with.
    pub hello: Hello,
    /// What it was given.
    pub cookie: Cookie,
    /// The ticket.
    pub ticket: Ticket,
    /// The candidate's manifest.
    pub manifest: Manifest,
    /// The candidate's seal over the transcript.
    pub signature: Signature,
}

/// Last step: the member's seal over everything, and the decision that admits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The charter's certificate: the fleet.
    pub charter: Certificate,
    /// The certificate that admits the candidate.
    pub admission: Certificate,
    /// The newest slot that the member knows; the chain is asked for next.
    pub head: Slot,
    /// The member's seal over the transcript, ATTEST, charter and admission.
    pub signature: Signature,
}

/// Why a candidate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Refusal {
    /// Unknown, forged, foreign or for another node.
    #[error("the ticket does not count here; ask its issuer for a new one")]
    Ticket,
    /// Past its date.
    #[error("the ticket has expired; ask for a new one")]
    TicketExpired,
    /// Redeemed by another node, or by this one before it left.
    #[error("the ticket was used; ask for a new one")]
    TicketUsed,
    /// The manifest does not count.
    #[error("the manifest or its seal does not count; make a new one and try again")]
    Manifest,
    /// A capability that the ticket asks for is missing.
    #[error(
        "the node lacks a capability that the ticket asks for; enable it, reconnect, try again"
    )]
    Capabilities,
    /// The probe was not echoed in time.
    #[error("the probe was not echoed in time; try again on a better connection")]
    Probe,
    /// The fleet has as many members as it may.
    #[error("the hive is full")]
    Full,
    /// Expelled once.
    #[error("this node was expelled from the hive")]
    Expelled,
    /// Too many attempts: wait for a minute.
    #[error("too many attempts now; try again in a minute")]
    Busy,
    /// No majority can be reached now: try again later.
    #[error("no majority of the hive can be reached now; try again later")]
    NoMajority,
    /// The member is no full member, or still starting.
    #[error("this member can't admit anybody now; try again later, or through another member")]
    NotReady,
}

impl Refusal {
    /// Whether the same ticket may be taken later, with nothing but time or the connection changed.
    pub const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Probe | Self::Full | Self::Busy | Self::NoMajority | Self::NotReady
        )
    }
}

/// One author's records as the sender has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestLine {
    /// The author.
    pub author: NodeId,
    /// Newest epoch and highest counter.
    pub newest: Version,
    /// Hash over the live records and the proofs against the author.
    pub hash: Digest,
    /// Proofs of equivocation against the author that the sender holds.
    pub proofs: u8,
}

/// Something to be merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// A record's exact bytes.
    Record(#[serde(with = "crate::codec::bytes")] Vec<u8>),
    /// The manifest that opens an author's newer epoch.
    Epoch(Box<Manifest>),
    /// Two records of one author with one version, and the manifest of their epoch: with it, anyone
    /// can check them, also after the author went on to another key.
    Proof {
        /// Whose key both are sealed with.
        manifest: Box<Manifest>,
        /// The one with the smaller hash.
        #[serde(with = "crate::codec::bytes")]
        first: Vec<u8>,
        /// The other.
        #[serde(with = "crate::codec::bytes")]
        second: Vec<u8>,
    },
}

/// Items to merge, in version order by author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// Relays that are left for fresh items; 0 for an answer to a digest.
    pub hops: u8,
    /// The items.
    pub items: Vec<Item>,
    /// What the sender lacks: lines to be answered with another delta.
    pub want: Vec<DigestLine>,
    /// Whether the frame was too small for all that the receiver lacks: another digest brings more.
    pub more: bool,
}

/// One key of one author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyVersion {
    /// The record's version.
    pub version: Version,
    /// The first 16 bytes of the record's hash: with fewer, an author could find two bodies that
    /// look alike in listings and never meet.
    pub hash: [u8; 16],
}

/// The records of one author, exchanged when versions agree and hashes do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The author.
    pub author: NodeId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its live records in order.
    pub records: Vec<KeyVersion>,
    /// The first 16 bytes of the hash of each proof against it, in order.
    pub proofs: Vec<[u8; 16]>,
    /// Whether the receiver is to answer with its own listing.
    pub reply: bool,
}

/// A sealed statement on its way to one member, perhaps through others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// Whom it is for.
    pub to: NodeId,
    /// Relays that are left; clamped by each relay.
    pub hops: u8,
    /// The sealed [`crate::Statement`].
    pub statement: Sealed,
}

/// Relays that a copy has left, whatever its sender says: a forged counter can't make it travel
/// further than [`RELAY_HOPS`].
pub const fn clamp_hops(claimed: u8) -> u8 {
    if claimed < RELAY_HOPS {
        claimed
    } else {
        RELAY_HOPS
    }
}

impl Routed {
    /// The copy that a relay passes on, with one relay less; `None` when it goes no further. The
    /// statement's bytes stay as they are.
    pub fn onward(&self) -> Option<Self> {
        let hops = clamp_hops(self.hops).checked_sub(1)?;
        Some(Self {
            hops,
            ..self.clone()
        })
    }
}

/// Asks for decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainRequest {
    /// The first slot that the sender lacks.
    pub from: Slot,
    /// The sender's wall clock, so that members notice clocks that are wrong. Nothing else is made
    /// of it.
    pub wall: UnixMillis,
}

/// Decisions, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainSegment {
    /// The certificates in order of slots.
    pub certificates: Vec<Certificate>,
    /// The newest slot that the sender has.
    pub head: Slot,
}

/// The chain up to a checkpoint, for those who lack what was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainSnapshot {
    /// The charter.
    pub charter: Certificate,
    /// The newest checkpoint.
    pub checkpoint: Certificate,
    /// The folded state that the checkpoint's hash is of, encoded.
    #[serde(with = "crate::codec::bytes")]
    pub state: Vec<u8>,
}
