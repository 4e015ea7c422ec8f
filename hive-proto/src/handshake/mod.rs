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
//!
//! ```
//! use hive_proto::Message;
//! use hive_proto::handshake::{Admissions, Door, Verdict, Visitor};
//! use hive_types::Now;
//!
//! /// What a member sends back to a stranger, if anything.
//! fn answer(
//!     door: &mut Door,
//!     fleet: &dyn Admissions,
//!     now: Now,
//!     from: &Visitor,
//!     message: Message,
//!     random: [u8; 32],
//! ) -> Option<Message> {
//!     match message {
//!         Message::Hello(hello) => {
//!             let challenge = door.on_hello(now.elapsed, &from.node, &hello);
//!             Some(Message::Challenge(challenge))
//!         }
//!         Message::Attest(attest) => match door.on_attest(now, from, attest, random, fleet) {
//!             Ok(Verdict::Probe(bytes)) => Some(Message::Probe(bytes)),
//!             Ok(Verdict::Repeat(_guest)) => None, // look its admission up, and `Guest::welcome`
//!             Err(error) => error.answer().map(Message::Refused),
//!         },
//!         Message::Echo(bytes) => match door.on_echo(now.elapsed, &from.node, &bytes)? {
//!             Ok(_guest) => None, // propose its admission; once decided, `Guest::welcome`
//!             Err(refusal) => Some(Message::Refused(refusal)),
//!         },
//!         _ => None,
//!     }
//! }
//! ```

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
