//! BOLT 4 failure messages, as far as a probe cares.

use super::ProbeFailureKind;

/// What a failure code says of the hop that sent it; `None` where the last node says that it does not
/// know the hash, which is how a probe arrives.
///
/// ```
/// use hive_node::backend::{ProbeFailureKind, bolt4::failure_kind};
///
/// let fee_insufficient = 0x100c;
/// assert_eq!(failure_kind(fee_insufficient), Some(ProbeFailureKind::FeeInsufficient));
/// let incorrect_or_unknown_payment_details = 0x400f;
/// assert_eq!(failure_kind(incorrect_or_unknown_payment_details), None);
/// ```
pub const fn failure_kind(code: u16) -> Option<ProbeFailureKind> {
    // PERM is 0x4000, NODE 0x2000, UPDATE 0x1000.
    Some(match code {
        0x400f => return None,
        0x1007 => ProbeFailureKind::TemporaryChannel,
        0x100c => ProbeFailureKind::FeeInsufficient,
        0x1014 => ProbeFailureKind::ChannelDisabled,
        0x400a => ProbeFailureKind::UnknownNextPeer,
        _ => ProbeFailureKind::Other,
    })
}
