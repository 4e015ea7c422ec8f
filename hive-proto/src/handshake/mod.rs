//! The mutual handshake between a candidate and a member, as two state machines without IO.
//!
//! ```text
//! candidate                                   member
//!   | HELLO      hash of the ticket, nonce      |
//!   |------------------------------------------>|  remembers nothing
//!   |      CHALLENGE  cookie, member's manifest |
//!   |<------------------------------------------|
//!   | ATTEST     ticket, manifest, seal         |
//!   |------------------------------------------>|  cheap checks, rate limits, signatures
//!   |                PROBE  60,000 random bytes |
//!   |<------------------------------------------|
//!   | ECHO                                      |
//!   |------------------------------------------>|  the fleet decides
//!   |    WELCOME  charter, admission, seal      |
//!   |<------------------------------------------|
//! ```
//!
//! Time and random bytes are arguments. [`Candidate`] is one attempt with one contact; [`Door`] is a
//! member's side for all candidates. What only the fleet's state can say, the door asks through
//! [`Admissions`].

mod candidate;
mod candidate_error;
mod cookie;
mod door;
mod guest;
mod limit;
mod transcript;

pub use candidate::{Applicant, Candidate, Contact, Joined};
pub use candidate_error::CandidateError;
pub use door::{Admissions, AttestError, Door, Redemption, Verdict, Visitor};
pub use guest::Guest;
pub use limit::PeerLimit;
pub use transcript::Transcript;
