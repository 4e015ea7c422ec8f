//! May it act: modes, budgets, the permit to spend, free corridors, and bans.
//!
//! Everything that costs or changes something passes one [`Gate`]. It weighs a proposal against the
//! operator's [`Limits`], reserves what the action may cost, and only then makes the [`Authorized`]
//! permit without which no backend acts. The default [`Mode`] does nothing without an approval.
//!
//! The crate is pure: time comes in as [`hive_types::Now`], and all state can be stored and restored
//! as values ([`GateChange`], [`GateState`]).

pub mod bans;
pub mod corridor;
mod gate;
mod limits;
mod refusal;

pub use gate::{
    Authorized, ClockMark, Ended, EntryState, Gate, GateChange, GateState, Halt, LedgerEntry, Mode,
    Pending, SettleError, Settlement, Standing, Subject, Usage, Verdict,
};
pub use limits::{LimitSettings, Limits, LimitsError};
pub use refusal::{Ending, Malformed, Refusal};
