//! What a member makes of its fellows' conduct, and what follows.
//!
//! Each member judges by what it saw itself: gossip, its node's own forwards, probes, signed
//! contradictions. What it finds is a [`Flag`] with its evidence, and a flag takes privileges away
//! until the conduct is right again. Nothing here expels anybody: that takes votes.

mod claims;
pub mod contribution;
mod flags;
pub mod presence;
pub mod probes;
mod reputation;

pub use claims::{Balances, Claims, Compared};
pub use flags::{Flag, FlagKind, Flags};
pub use reputation::{Estimate, Reputation, Seen};
