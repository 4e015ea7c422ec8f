//! Amounts, rates, ids, time, limits and the plain views of The Hive.
//!
//! Everything here is a value: no clock, no randomness, no IO. The names are those of the Lightning
//! specification (the BOLTs), and units stand in types: [`Msat`], [`Sat`], [`Ppm`],
//! [`FeeratePerKw`], [`BlockHeight`], [`Millis`].
//!
//! ```
//! use hive_types::{Msat, Ppm, ShortChannelId};
//!
//! let scid: ShortChannelId = "800000x1x0".parse()?;
//! assert_eq!(scid.block(), 800_000);
//! let fee = Ppm::new(250).fee_on(Msat::new(1_000_000)).ok_or("overflow")?;
//! assert_eq!(fee, Msat::new(250));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod action;
mod amount;
mod bytes;
mod chain;
mod fee;
mod id;
pub mod limits;
mod outside;
mod time;
mod view;

pub use action::{
    Action, ActionKind, Explanation, OpenChannel, Probe, Proposal, Rebalance, RouteHop, SetPolicy,
};
pub use amount::{Msat, ParseAmountError, Sat};
pub use bytes::ParseHexError;
pub use chain::{
    BlockHeight, FeeratePerKw, Network, OutPoint, ParseNetworkError, ParseOutPointError, Txid,
};
pub use fee::{ChannelPolicy, Ppm};
pub use id::{
    ActionId, ChannelId, Digest, HiveId, MemberKey, NodeId, Nonce, ParseNodeIdError,
    ParseShortChannelIdError, ShortChannelId, Signature, TicketId,
};
pub use outside::{BanReason, ObservationView, Opportunity, PeerEvents, Toxicity};
pub use time::{BootId, Elapsed, Millis, Now, UnixMillis};
pub use view::{
    Capabilities, Constraint, FellowChannel, FellowView, FleetView, ForwardTotals, Intent,
    LocalChannel, LocalSnapshot, LockView, OnChain, PeerView, Privileges, Tier,
};
