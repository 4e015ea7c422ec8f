//! The oracle: a program of the operator's that is asked before something is done, and what of its
//! answer counts.
//!
//! The question is a [`DecisionPacket`], the answer an [`OracleReply`]; `docs/decision-packet.schema.json`
//! is the contract of both. [`judge`] takes nothing for a yes but an answer that is signed with the
//! shared secret, fresh, within its size, for this question's nonce and action, and clear. Anything
//! else is an [`OracleError`], and then the operator decides as in advisor mode. One answer counts for
//! one question: whoever asks keeps the packet until the first answer, and no longer.
//!
//! ```
//! use hive_policy::oracle::{Advised, OracleReply, OracleVerdict, PACKET_VERSION};
//!
//! let text = r#"{"version": 1, "action": "07070707070707070707070707070707",
//!     "nonce": "0909090909090909090909090909090909090909090909090909090909090909",
//!     "verdict": "APPROVE", "reason": "cheap today", "amount_sat": 600000}"#;
//! let reply: OracleReply = serde_json::from_str(text)?;
//! assert_eq!((reply.version, reply.verdict), (PACKET_VERSION, OracleVerdict::Approve));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod packet;

pub use packet::{
    Context, DecisionPacket, PACKET_VERSION, PacketAction, PacketBudget, PacketFact, PacketFleet,
    PacketHop, PacketLimits, PacketMember, PacketNode, PacketPolicy, PacketProposal, PacketUsed,
};

use crate::signature::{self, Secret, SignatureError};
use hive_types::{
    Action, ActionId, Msat, Nonce, OpenChannel, Proposal, Rebalance, RouteHop, Sat, UnixMillis,
    limits::{HTTP_REPLY_BYTES, ORACLE_REASON_CHARS},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OracleVerdict {
    /// Do it.
    Approve,
    /// Don't.
    Deny,
}

/// What an oracle answers. A field that is not listed here makes the answer worth nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OracleReply {
    /// [`PACKET_VERSION`].
    pub version: u32,
    /// The packet's.
    pub action: ActionId,
    /// The packet's.
    pub nonce: Nonce,
    /// Yes or no.
    pub verdict: OracleVerdict,
    /// Why, for the audit log.
    pub reason: String,
    /// Yes, but no more than this: an open's capacity, or what a rebalance moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_sat: Option<Sat>,
}

/// An answer that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advised {
    /// An approval like the operator's.
    Approve {
        /// Less than was proposed; `None`: all of it.
        amount: Option<Sat>,
        /// Why, cleaned for a log.
        reason: String,
    },
    /// The end of the proposal.
    Deny {
        /// Why, cleaned for a log.
        reason: String,
    },
}

/// An answer that does not count: the operator decides.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OracleError {
    /// More than any answer has.
    #[error(
        "the oracle's reply has {bytes} bytes, at most {HTTP_REPLY_BYTES} count; look at what answers at oracle.url"
    )]
    TooLong {
        /// Bytes of it.
        bytes: usize,
    },
    /// Not known to be the oracle's.
    #[error("the oracle's reply is not known to be the oracle's: {0}")]
    Signature(#[from] SignatureError),
    /// Something else than a reply.
    #[error("the oracle's reply is no decision ({0}); see docs/decision-packet.schema.json")]
    Format(String),
    /// Another contract.
    #[error(
        "the oracle's reply has version {got}, this agent speaks {PACKET_VERSION}; update the older of the two"
    )]
    Version {
        /// Its version.
        got: u32,
    },
    /// For another question: an old reply, say.
    #[error(
        "the oracle's reply answers another question; it must repeat action and nonce of the packet"
    )]
    OtherQuestion,
    /// Too late.
    #[error("the oracle's reply came after the question had expired; make the oracle faster")]
    Late,
    /// An amount that can't be meant.
    #[error(
        "the oracle's amount of {amount} is not from {min} to {max}; leave amount_sat out to approve all"
    )]
    Amount {
        /// What it said.
        amount: Sat,
        /// The smallest one that counts.
        min: Sat,
        /// The largest one that counts.
        max: Sat,
    },
    /// An amount with a verdict or an action that has none.
    #[error(
        "the oracle named an amount where none belongs: only an approved open or rebalance has one"
    )]
    AmountMeaningless,
}

/// What of an answer counts. `body` and `header` are the HTTP body and its `Hive-Signature`, as received.
///
/// # Errors
/// An [`OracleError`] for everything but a clear answer to this question.
pub fn judge(
    packet: &DecisionPacket,
    secret: &Secret,
    body: &[u8],
    header: &str,
    now: UnixMillis,
) -> Result<Advised, OracleError> {
    let bytes = body.len();
    if bytes > HTTP_REPLY_BYTES {
        return Err(OracleError::TooLong { bytes });
    }
    signature::verify(secret.as_bytes(), header, body, now)?;
    let reply: OracleReply =
        serde_json::from_slice(body).map_err(|error| OracleError::Format(error.to_string()))?;
    if reply.version != PACKET_VERSION {
        let got = reply.version;
        return Err(OracleError::Version { got });
    }
    if (reply.action, reply.nonce) != (packet.action, packet.nonce) {
        return Err(OracleError::OtherQuestion);
    }
    if now >= packet.expires_at_unix_ms {
        return Err(OracleError::Late);
    }
    let reason = cleaned(&reply.reason);
    match (reply.verdict, reply.amount_sat) {
        (OracleVerdict::Approve, None) => Ok(Advised::Approve {
            amount: None,
            reason,
        }),
        (OracleVerdict::Approve, Some(amount)) => {
            check_amount(packet, amount)?;
            let amount = Some(amount);
            Ok(Advised::Approve { amount, reason })
        }
        (OracleVerdict::Deny, None) => Ok(Advised::Deny { reason }),
        (OracleVerdict::Deny, Some(_)) => Err(OracleError::AmountMeaningless),
    }
}

fn check_amount(packet: &DecisionPacket, amount: Sat) -> Result<(), OracleError> {
    let (min, max) = match &packet.proposal.action {
        PacketAction::Open { capacity_sat, .. } => {
            (packet.budget.limits.channel_min_sat, *capacity_sat)
        }
        PacketAction::Rebalance { amount_msat, .. } => (Sat::new(1), amount_msat.to_sat_floor()),
        PacketAction::SetPolicy { .. } | PacketAction::Probe { .. } => {
            return Err(OracleError::AmountMeaningless);
        }
    };
    if amount.is_zero() || amount < min || amount > max {
        return Err(OracleError::Amount { amount, min, max });
    }
    Ok(())
}

/// The same proposal with a smaller amount; `None` when it has none or would not become smaller.
///
/// An open gets less capacity. Of a rebalance each hop carries less by the same difference, so each
/// keeps its absolute fee, which is more than the smaller amount asks for: nobody is underpaid.
pub(crate) fn lowered(proposal: &Proposal, amount: Sat) -> Option<Proposal> {
    let mut lower = proposal.clone();
    match &mut lower.action {
        Action::Open(open) => *open = smaller_open(open, amount)?,
        Action::Rebalance(moved) => *moved = smaller_rebalance(moved, amount)?,
        Action::SetPolicy(_) | Action::Probe(_) => return None,
    }
    let summary = &mut lower.explanation.summary;
    summary.push_str(&format!(" (lowered to {amount})"));
    Some(lower)
}

fn smaller_open(open: &OpenChannel, amount: Sat) -> Option<OpenChannel> {
    let fits = !amount.is_zero() && amount <= open.capacity;
    fits.then_some(OpenChannel {
        capacity: amount,
        ..*open
    })
}

fn smaller_rebalance(moved: &Rebalance, amount: Sat) -> Option<Rebalance> {
    let amount = amount.to_msat().filter(|amount| !amount.is_zero())?;
    let less: Msat = moved.amount.checked_sub(amount)?;
    let hops: Option<Vec<RouteHop>> = moved
        .hops
        .iter()
        .map(|hop| {
            let amount = hop.amount.checked_sub(less)?;
            Some(RouteHop { amount, ..*hop })
        })
        .collect();
    Some(Rebalance {
        amount,
        hops: hops?,
        ..*moved
    })
}

/// One line of bounded length: it goes into logs.
fn cleaned(reason: &str) -> String {
    let printable = |character: char| match character.is_control() {
        true => ' ',
        false => character,
    };
    let line = reason.chars().map(printable);
    line.take(ORACLE_REASON_CHARS).collect()
}
