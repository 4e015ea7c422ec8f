//! What only the moment can tell.

use super::fold::Folded;
use hive_proto::Decision;

/// Why a decision is put before this member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is its author's own proposal.
    Fresh,
    /// Somebody accepted it in an earlier ballot of this slot, so that it may be decided already.
    /// What was in order then (a ticket's date) is to be let pass; what would do harm now (a target
    /// that is taken) is not, and ends by itself.
    Adopted,
}

/// An acceptor's view on what is no function of the chain: a ticket's expiry, whether a target is
/// free, whether a height is about now, whether a candidate was probed. Asked when deciding, never
/// when folding or when checking a certificate.
pub trait Judge {
    /// Whether to accept `decision` after `folded`, now.
    ///
    /// # Errors
    /// The reason why not, for the log of the one who proposed it.
    fn judge(&self, folded: &Folded, decision: &Decision, standing: Standing)
    -> Result<(), String>;
}

/// Accepts whatever the chain allows. For tests and for tools without a node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lenient;

impl Judge for Lenient {
    fn judge(&self, _: &Folded, _: &Decision, _: Standing) -> Result<(), String> {
        Ok(())
    }
}
