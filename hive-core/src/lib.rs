//! The one state machine of The Hive: observe, orient, decide, act and share.
//!
//! Time, chance and the world are arguments. [`Input`] is the one way in, [`Output`] the one way out;
//! whoever drives the machine performs outputs in order and starts none before a
//! [`Output::Persist`] ahead of it is durable.

mod chance;
mod command;
mod event;
mod identity;
mod io;
mod peers;
mod stored;

pub use command::{
    Command, CommandError, ContributionRow, LockRow, Member, ProposalRow, Reply, Report, Status,
};
pub use event::Event;
pub use io::{
    ActionResult, ActionState, AuditEntry, Change, ChangeSet, CommandId, Done, Input, MemberRow,
    Output, Snapshot, StoredAction,
};
pub use stored::Stored;
