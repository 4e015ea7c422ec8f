//! The one state machine of The Hive: observe, orient, decide, act and share.
//!
//! Time, chance and the world are arguments. [`Input`] is the one way in, [`Output`] the one way out;
//! whoever drives the machine performs outputs in order and starts none before a
//! [`Output::Persist`] ahead of it is durable.

mod act;
mod actions;
mod admit;
mod answer;
mod beat;
mod chance;
mod clocks;
mod command;
mod config;
mod decide;
mod event;
mod fellowship;
mod gossip;
mod hive;
mod identity;
mod inbox;
mod io;
mod join;
mod judge;
mod member;
mod observe;
mod orient;
mod outbox;
mod peers;
mod plan;
mod start;
mod stored;

pub use command::{
    Command, CommandError, ContributionRow, LockRow, Member, ProposalRow, Reply, Report, Status,
};
pub use config::Config;
pub use event::Event;
pub use hive::Hive;
pub use io::{
    ActionResult, ActionState, AuditEntry, Change, ChangeSet, CommandId, Done, Input, MemberRow,
    Output, Snapshot, StoredAction,
};
pub use stored::Stored;
