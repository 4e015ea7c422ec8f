//! The one state machine of The Hive: observe, orient, decide, act and share.
//!
//! Time, chance and the world are arguments. [`Input`] is the one way in, [`Output`] the one way out;
//! whoever drives the machine performs outputs in order and starts none before a
//! [`Output::Persist`] ahead of it is durable. The same seed, snapshot and inputs give the same
//! outputs, byte for byte, so that the simulator drives exactly the code that runs beside real nodes.
//!
//! A machine in no fleet that is told to found one asks its node for a signature:
//!
//! ```
//! use hive_core::{Command, CommandId, Config, Hive, Input, Output, Snapshot};
//! use hive_types::{Capabilities, Constraint, Millis, Network, Now};
//!
//! let config = Config {
//!     node_id: "03864ef025fde8fb587d989186ce6a4a186895ee44a926bfc370e2c366597a3f8f".parse()?,
//!     network: Network::Regtest,
//!     software: "example 0.1".to_owned(),
//!     addresses: Vec::new(),
//!     capabilities: Capabilities::NONE,
//!     limits: hive_policy::Limits::new(hive_policy::LimitSettings::default())?,
//!     mode: hive_policy::Mode::Advisor,
//!     planner: hive_planner::PlannerConfig::default(),
//!     constraint: Constraint::default(),
//!     plan_interval: Millis::from_hours(1),
//!     sharing: Default::default(),
//!     oracle_secret: None,
//!     dry_run: false,
//!     manage_fees: true,
//! };
//! let (seed, now) = ([7; 32], Now::default());
//! let mut hive = Hive::new(config, seed, Snapshot::default(), now);
//! let (id, command) = (CommandId(1), Command::Init);
//! let outputs = hive.handle(now, Input::Command { id, command });
//! let asked = outputs.iter().find_map(|output| match output {
//!     Output::SignWithNode { text } => Some(text.as_str()),
//!     _ => None,
//! });
//! assert!(asked.is_some_and(|text| text.starts_with("hive manifest v1 ")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A plan over the whole network takes seconds. The machine hands it out as [`Output::Plan`], goes
//! on, and takes it in as [`Input::Planned`].
//!
//! The rooms, in the order of the loop: `observe`, `orient`, `plan` and `judge`, `act`, `gossip` and
//! `decide`. `join`, `admit`, `start`, `epochs` and `exit` are a member's way in, back and out;
//! `fellowship`, `votes`, `bans`, `conduct`, `contribution`, `corridors` and `bill` are its life among fellows.

mod act;
mod actions;
mod admit;
mod answer;
mod approve;
mod bans;
mod beat;
mod bill;
mod chance;
mod claims;
mod clocks;
mod command;
mod conduct;
mod config;
mod contribution;
mod corridors;
mod decide;
mod drain;
mod epochs;
mod event;
mod exit;
mod farewell;
mod fault;
mod fellowship;
mod gossip;
mod hive;
mod identity;
mod inbox;
mod intent;
mod io;
mod join;
mod judge;
mod member;
mod misconduct;
mod observe;
mod oracle;
mod orient;
mod outbox;
mod peers;
mod plan;
mod probation;
mod probing;
mod sharing;
mod start;
mod stored;
mod votes;

pub use command::{
    BanRow, BanWord, BillAction, BillDay, Command, CommandError, ContributionRow, FlagRow, LockRow,
    Member, PlanShown, ProposalRow, Reply, Report, ReputationRow, Status, UptimeRow, VoteProposal,
};
pub use config::{ChannelRef, Config, ParseChannelRefError};
pub use event::Event;
pub use fault::Fault;
pub use hive::Hive;
pub use io::{
    ActionResult, ActionState, AuditEntry, Change, ChangeSet, CommandId, Done, Input, MemberRow,
    OracleAnswer, Output, ProbeFailure, ProbeFailureKind, Snapshot, StoredAction,
};
pub use plan::{PlanId, PlanRequest, Planned};
pub use stored::Stored;
