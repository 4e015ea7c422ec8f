//! Inputs that LND still holds for an open that died.
//!
//! LND leases the inputs of an open for ten minutes and keeps the lease over a restart, where nothing is left of the
//! open itself: it is agreed upon in memory, and its channel is stored before its funding is published. Within one run
//! it lives as long as the link to its target: LND cancels it and frees its inputs before it takes a lost peer from its
//! list. So where the target is not linked, and no channel and no transaction came of it, nothing can come of it any
//! more, whoever still holds the inputs.

use super::became::Begun;
use super::open::as_outpoint;
use crate::connect::Link;
use crate::proto::walletrpc::{ReleaseOutputRequest, UtxoLease};
use crate::snapshot::listed;
use hive_node::backend::BackendError;
use hive_types::{NodeId, OutPoint, UnixMillis};
use std::time::Duration;

/// The id of the leases that LND takes for itself, SHA-256 of `lnd-internal-lock-id`: for opens, for sweeps, and for
/// the PSBTs of an operator who names no other. Others may be freed by whoever took them alone.
pub(super) const OWN_LEASE: [u8; 32] = [
    0xed, 0xe1, 0x9a, 0x92, 0xed, 0x32, 0x1a, 0x47, 0x05, 0xf8, 0xa1, 0xcc, 0xcc, 0x1d, 0x4f, 0x61,
    0x82, 0x54, 0x5d, 0x4b, 0xb4, 0xfa, 0xe0, 0x8b, 0xd5, 0x93, 0x78, 0x31, 0xb7, 0xe3, 0x8f, 0x98,
];

/// What was agreed upon the moment before the link went is stored within this.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// How long LND leases an input: its `DefaultReservationTimeout` and `DefaultLockDuration`.
const LEASE_SECONDS: u64 = 600;

/// Between the choice of the inputs and LND's lease lie a write, some questions and the dialling of the target, seconds
/// together, and the clocks of two machines differ a little. The longer this is, the likelier is another's lease taken
/// for the open's; one of the open's that comes later is not freed and ends by itself.
const LEASE_SLACK_SECONDS: u64 = 30;

const CALL: &str = "/walletrpc.WalletKit/ReleaseOutput";

/// Whether the open is over, be it done or not: its target is not linked, now and a moment later.
pub(super) async fn is_over(link: &Link, target: NodeId) -> Result<bool, BackendError> {
    for wait in [Duration::ZERO, SETTLED_AFTER] {
        tokio::time::sleep(wait).await;
        if listed(link)
            .await?
            .iter()
            .any(|peer| peer.node_id == target)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Frees the inputs that LND leased when this open began. A lease from another time is somebody else's: freed, the
/// transaction that it stands for could be spent twice.
pub(super) async fn release(link: &Link, leases: &[(OutPoint, UtxoLease)], open: &Begun<'_>) {
    let held = leases.iter().filter(|(place, lease)| {
        open.inputs.contains(place) && lease.id == OWN_LEASE && is_of(open.at, lease.expiration)
    });
    for (place, _) in held {
        let request = ReleaseOutputRequest {
            id: OWN_LEASE.to_vec(),
            outpoint: Some(as_outpoint(place)),
        };
        let mut client = link.wallet();
        if let Err(reason) = link.ask(CALL, client.release_output(request)).await {
            tracing::warn!(%place, %reason, "an input of an open that died stays leased; LND frees it after ten minutes");
        }
    }
}

/// Whether a lease that ends then, in seconds since 1970, was taken when an open began. Who can't tell when it began
/// frees nothing.
fn is_of(begun: Option<UnixMillis>, expiration: u64) -> bool {
    begun.is_some_and(|begun| {
        let ends = begun.get() / 1_000 + LEASE_SECONDS;
        expiration.abs_diff(ends) <= LEASE_SLACK_SECONDS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_known_by_when_it_ends() {
        let begun = Some(UnixMillis::new(1_000_000_999));
        for (expiration, expected) in [
            (1_000_600, true),
            (1_000_630, true),
            (1_000_631, false),
            (1_000_569, false),
            (1_003_600, false),
            (0, false),
        ] {
            assert_eq!(is_of(begun, expiration), expected, "{expiration}");
        }
        assert!(!is_of(None, 1_000_600));
        assert!(!is_of(Some(UnixMillis::new(u64::MAX)), 1));
    }
}
