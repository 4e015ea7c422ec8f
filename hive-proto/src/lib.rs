//! The Hive's wire protocol: frames, messages, tickets, manifests, signatures and the handshake.
//!
//! The Hive is a fleet of independent Lightning nodes that act together. This crate is its language
//! and can be used alone: it has no runtime, no clock, no random source and no IO, and it depends on
//! little more than `secp256k1`, `bitcoin` (for hashes), `bech32`, `bincode` and `serde`. The bytes are
//! described in `docs/protocol.md` of the repository; test vectors for other implementations are in
//! `tests/vectors` of this crate.
//!
//! # What is where
//!
//! | for | see |
//! |---|---|
//! | reading an invitation, `hive1…` | [`Ticket`] |
//! | knowing which key speaks for a node | [`Manifest`], [`VerifiedManifest`], [`NodeSignature`] |
//! | reading and writing what two nodes say | [`Message::from_frame`], [`Message::to_frame`] |
//! | joining a fleet, or letting somebody join | [`handshake`] |
//! | replicated values and their bodies | [`Record`], [`RecordBody`], [`keys`] |
//! | the chain of decisions | [`Decision`], [`Certificate`], [`Statement`], [`Vote`] |
//! | hashes and seals | [`tagged_hash`], [`MemberSecret`], [`VerifyingKey`], [`SealDomain`] |
//!
//! Types whose name begins with `Verified`, and [`Joined`](handshake::Joined) and
//! [`Guest`](handshake::Guest), were checked; anything else that was decoded is only well formed.
//!
//! # Example
//!
//! Who wrote this ticket, and does its manifest say the same?
//!
//! ```
//! # use hive_proto::{Epoch, Profile, MemberSecret, NodeSignature, TicketBody, Certification};
//! # use hive_types::{Capabilities, HiveId, Network, NodeId, TicketId, Tier, UnixMillis};
//! use hive_proto::{Manifest, Ticket};
//!
//! fn issuer(ticket: &str, manifest: Manifest) -> Result<NodeId, Box<dyn std::error::Error>> {
//!     let ticket: Ticket = ticket.parse()?;
//!     let body = ticket.body();
//!     let issuer = manifest.verify(&body.hive, body.network)?;
//!     ticket.verify(issuer.key())?;
//!     Ok(issuer.node_id())
//! }
//! # // A node, its agent's key, and a ticket of theirs.
//! # let node_secret = secp256k1::SecretKey::from_slice(&[1; 32])?;
//! # let node = secp256k1::PublicKey::from_secret_key(secp256k1::SECP256K1, &node_secret);
//! # let node = NodeId::from_bytes(node.serialize())?;
//! # let secret = MemberSecret::from_bytes(&[2; 32]).ok_or("no key")?;
//! # let (hive, network, epoch) = (HiveId::from_bytes([3; 32]), Network::Regtest, Epoch(1));
//! # let member_key = secret.public();
//! # let certification = Certification { hive, node, network, member_key, epoch };
//! # let signature = NodeSignature::sign(&certification.text(), &node_secret);
//! # let expires = UnixMillis::new(1_900_000_000_000);
//! # let profile = Profile::new("example", expires);
//! # let manifest = Manifest::sign(certification, signature, profile, &secret)?;
//! # let id = TicketId::from_bytes([4; 16]);
//! # let (tier, required, guest) = (Tier::Probationary, Capabilities::NONE, None);
//! # let contacts = vec![(node, "127.0.0.1:9735".to_owned())];
//! # let body = TicketBody { hive, network, issuer: node, epoch, id, tier, required, expires, guest, contacts };
//! # let ticket = Ticket::sign(body, &secret)?.to_string();
//!
//! assert!(ticket.starts_with("hive1"));
//! assert_eq!(issuer(&ticket, manifest)?, node);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
    Ban, BodyError, Corridor, CorridorTerms, Departure, DepartureReason, Funding, Observation,
    RecordBody, Tally, TallyRow, TallySlots, WithdrawnFor, keys, per_member,
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
