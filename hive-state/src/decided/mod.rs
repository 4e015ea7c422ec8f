//! What is decided: the numbered chain, single-decree Paxos per slot, certificates, the fold.
//!
//! - [`Folded`] is what the chain says: roster, locks, tickets. It is a plain function of the
//!   decisions, and [`Folded::check`] says what may follow.
//! - [`Quorum`], [`verify`]: who must accept, and what proves that they did.
//! - [`Acceptor`], [`Proposer`]: the two halves of Paxos for one slot, unsigned and pure, so that the
//!   model check runs the code that decides.
//! - [`Chain`]: the certificates that a member keeps, and what it hands to others.
//! - [`Decider`]: the machine that joins them: sealed statements in, outputs in order out.
//!
//! ```
//! use hive_state::decided::Quorum;
//!
//! // Of two full members the founder decides; of three, any two.
//! let two = Quorum::new([1, 2].into(), 1);
//! assert!(two.reached(|node| *node == 1) && !two.reached(|node| *node == 2));
//! let three = Quorum::new([1, 2, 3].into(), 1);
//! assert!(three.reached(|node| *node != 1) && !three.needs(&1));
//! ```

mod acceptor;
mod certificate;
mod chain;
mod check;
mod decider;
mod fold;
mod judge;
mod locks;
mod proposer;
mod quorum;

pub use acceptor::{Acceptor, Prepared, Proposed};
pub use certificate::{CertificateError, contradiction, verify};
pub use chain::{Chain, ChainReply, SnapshotError};
pub use check::{Invalid, TicketFault, VoteFault};
pub use decider::{
    AdoptError, Decider, DeciderOutput, FoundError, Identity, Ignored, LearnError, QuotaFull,
    RestoreError, Restored, WishEnd, WishId,
};
pub use fold::{Folded, Redeemed, Seat, StateError};
pub use judge::{Judge, Lenient, Standing};
pub use locks::{Lock, LockRefused, TargetFacts, judge_lock, lock_is_free, may_start};
pub use proposer::{Origin, Proposer};
pub use quorum::Quorum;
