//! The Hive's wire protocol: frames, messages, tickets, manifests and signatures.

pub mod codec;
mod decision;
mod founding;
mod frame;
pub mod handshake;
mod lnsign;
mod manifest;
mod message;
mod record;
mod seal;
mod ticket;

pub use decision::admitted_tier;
pub use decision::{
    Acceptance, Ballot, Certificate, Charter, Decision, DecisionBody, FleetParameters,
    SignedDecision, Slot, Statement, UnlockReason, Vote, VoteKind, VoteText,
};
pub use founding::CharterError;
pub use frame::{Frame, FrameError, PROTOCOL_VERSION};
pub use lnsign::{NodeSignature, NodeSignatureError};
pub use manifest::{Certification, Manifest, ManifestError, Profile, VerifiedManifest};
pub use message::{
    Attest, ChainRequest, ChainSegment, ChainSnapshot, Challenge, Cookie, Delta, DigestLine, Hello,
    Item, KeyVersion, Listing, Message, Refusal, Routed, Welcome, clamp_hops,
};
pub use record::{Counter, Epoch, Record, RecordError, RecordFields, RecordKind, Version};
pub use seal::{MemberSecret, SealDomain, SealError, Sealed, VerifyingKey, tagged_hash};
pub use ticket::{Ticket, TicketBody, TicketError};
