//! May it act: modes, budgets, the permit to spend, free corridors, and bans.
//!
//! Everything that costs or changes something passes one [`Gate`]. It weighs a proposal against the
//! operator's [`Limits`], reserves what the action may cost, and only then makes the [`Authorized`]
//! permit without which no backend acts. Afterwards the action is settled: it happened, it did not, or
//! nobody knows, and then its reservation stays.
//!
//! - In [`Mode::Advisor`], the default, nothing is done without an approval. What waits for the
//!   operator reserves nothing and holds no lock; an approval is checked like a new proposal.
//! - In [`Mode::Autonomous`] what is inside the limits is done. What waited before the switch waits on.
//! - In [`Mode::Oracle`] a program of the operator's is asked ([`oracle`]); its clear, signed and timely
//!   yes is an approval, and anything else leaves the proposal to the operator.
//! - In a dry run ([`Gate::set_dry_run`]) every check is made and nothing is permitted: where a permit
//!   would be given, [`Refusal::DryRun`] says what for.
//! - An open passes only with the fleet's lock for it. [`Verdict::NeedsLock`] says that the rest is
//!   well; [`Gate::authorize`] then checks all of it again.
//! - A window is any 24 hours or any hour, not a day of the calendar. Windows count time that really
//!   passed, so setting the wall clock forward or back opens none.
//!
//! The crate is pure: time comes in as [`hive_types::Now`], and all state can be stored and restored
//! as values ([`GateChange`], [`GateState`]). Free corridors among fellows and the way back are in
//! [`corridor`], outside peers to keep away from in [`bans`].
//!
//! # Example
//!
//! ```
//! use hive_policy::{Gate, GateState, Limits, Mode, Settlement, Standing, Verdict};
//! use hive_types::*;
//!
//! # let local = LocalSnapshot {
//! #     node_id: "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619".parse()?,
//! #     network: Network::Regtest,
//! #     height: BlockHeight::new(100),
//! #     synced: true,
//! #     on_chain: OnChain::default(),
//! #     feerate: FeeratePerKw::new(253),
//! #     channels: vec![LocalChannel {
//! #         channel_id: ChannelId::from_bytes([1; 32]),
//! #         scid: Some("100x1x0".parse()?),
//! #         funding: OutPoint { txid: Txid::from_bytes([1; 32]), vout: 0 },
//! #         peer: "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c".parse()?,
//! #         capacity: Sat::new(1_000_000),
//! #         spendable: Msat::ZERO,
//! #         receivable: Msat::ZERO,
//! #         usable: true,
//! #         announced: true,
//! #         opened_by_us: true,
//! #         local_policy: None,
//! #         remote_policy: None,
//! #         htlcs: 0,
//! #     }],
//! #     peers: vec![],
//! #     forwards: vec![],
//! #     peer_events: vec![],
//! # };
//! # let policy = ChannelPolicy {
//! #     base: Msat::ZERO,
//! #     rate: Ppm::ZERO,
//! #     cltv_delta: 80,
//! #     htlc_minimum: Msat::new(1),
//! #     htlc_maximum: Msat::new(990_000_000),
//! #     disabled: false,
//! #     inbound_base_msat: 0,
//! #     inbound_ppm: 0,
//! # };
//! # let id = ActionId::from_bytes([7; 16]);
//! let proposal = Proposal {
//!     action: Action::SetPolicy(SetPolicy { channel: "100x1x0".parse()?, policy }),
//!     cost: Msat::ZERO,
//!     value_per_day: Msat::new(5_000),
//!     confidence: Ppm::new(900_000),
//!     explanation: Explanation::default(),
//! };
//! let standing = Standing { tier: Some(Tier::Full), reconciled: true, lock: None, banned: &[] };
//! let now = Now::default();
//!
//! let mut gate = Gate::new(Limits::default(), Mode::Advisor);
//! let verdict = gate.consider(now, id, &proposal, &local, standing);
//! assert!(matches!(verdict, Verdict::Ask(_)));
//!
//! let approved = gate.approve(now, id, &local, standing)?;
//! let permit = gate.authorize(now, id, &approved, &local, standing)?;
//!
//! // Stored before the permit goes to a backend; a crash in between loses no reservation.
//! let mut stored = GateState::default();
//! gate.take_changes().into_iter().for_each(|change| stored.apply(change));
//! let mut gate = Gate::restore(Limits::default(), stored);
//! gate.settle(now, permit.id(), Settlement::Done { spent: Msat::ZERO })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bans;
pub mod bill;
pub mod conduct;
pub mod corridor;
mod gate;
mod limits;
pub mod oracle;
pub mod outflow;
mod refusal;
pub mod signature;
pub mod truce;
pub mod truth;

pub use gate::{
    Authorized, ClockMark, Ended, EntryState, Gate, GateChange, GateState, Halt, LedgerEntry, Mode,
    Pending, SettleError, Settlement, Standing, Subject, Usage, Verdict,
};
pub use limits::{LimitSettings, Limits, LimitsError};
pub use refusal::{Ending, Malformed, PolicyField, Refusal};
