//! The Hive's wire protocol: frames, messages, tickets, manifests and signatures.

mod body;
pub mod codec;
mod decision;
mod founding;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
pub mod handshake;
mod heartbeat;
mod leb128;
mod lnsign;
mod manifest;
mod message;
mod record;
mod seal;
mod ticket;

pub use body::{
    Ban, BanReason, BodyError, Departure, DepartureReason, Funding, Observation, RecordBody, keys,
    per_member,
};
pub use decision::admitted_tier;
pub use decision::{
    Acceptance, Ballot, Certificate, Charter, Decision, DecisionBody, FleetParameters,
    SignedDecision, Slot, Statement, UnlockReason, Vote, VoteKind, VoteText,
};
pub use founding::CharterError;
pub use frame::{Frame, FrameError, PROTOCOL_VERSION};
pub use heartbeat::{
    Heartbeat, HeartbeatChange, HeartbeatError, Share, ShareChanges, Sharing, Unannounced,
};
pub use lnsign::{NodeSignature, NodeSignatureError};
pub use manifest::{Certification, Manifest, ManifestError, Profile, VerifiedManifest};
pub use message::{
    Attest, ChainRequest, ChainSegment, ChainSnapshot, Challenge, Cookie, Delta, DigestLine, Hello,
    Item, KeyVersion, Listing, Message, Refusal, Routed, Welcome, clamp_hops,
};
pub use record::{Counter, Epoch, Record, RecordError, RecordFields, RecordKind, Version};
pub use seal::{MemberSecret, SealDomain, SealError, Sealed, VerifyingKey, tagged_hash};
pub use ticket::{Ticket, TicketBody, TicketError};
