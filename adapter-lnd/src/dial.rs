//! Reaching peers, and telling why one can't be reached.

use crate::connect::Link;
use crate::proto::lnrpc::{ConnectPeerRequest, LightningAddress, NodeInfoRequest};
use crate::snapshot::peers;
use crate::warnings::Topic;
use hive_node::backend::BackendError;
use hive_types::NodeId;
use std::time::{Duration, Instant};
use tonic::Code;

const CALL: &str = "/lnrpc.Lightning/ConnectPeer";

/// Seconds that LND tries one address.
const ADDRESS_TIMEOUT_SECONDS: u64 = 15;

/// Addresses of a peer that are tried: those of a manifest.
const ADDRESSES: usize = hive_types::limits::ADDRESSES;

/// A peer that takes a connection and has no place for it drops it within this.
const STANDS_AFTER: Duration = Duration::from_secs(3);

/// How often a new link is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// Links to a fellow, and tells its operator's part of it where it has no place for this node.
///
/// # Errors
/// [`BackendError::PeerUnreachable`] with what was tried last.
pub(crate) async fn to_fellow(
    link: &Link,
    to: NodeId,
    addresses: &[String],
) -> Result<(), BackendError> {
    let (dialled, is_dropped) = dialled(link, to, addresses).await?;
    if dialled.is_ok() || is_dropped {
        let about = is_dropped.then(|| about_slots(to));
        link.warnings.say(Topic::Slots(to), about);
    }
    dialled
}

/// Links to a node outside the fleet, which owes this one no place.
///
/// # Errors
/// As [`to_fellow`].
pub(crate) async fn to_stranger(link: &Link, to: NodeId) -> Result<(), BackendError> {
    dialled(link, to, &[]).await?.0
}

/// Links to a peer, unless a link stands; and whether it dropped one, where none stands.
async fn dialled(
    link: &Link,
    to: NodeId,
    addresses: &[String],
) -> Result<(Result<(), BackendError>, bool), BackendError> {
    if is_linked(link, to).await? {
        return Ok((Ok(()), false));
    }
    let mut known = addresses.to_vec();
    if known.is_empty() {
        known = published(link, to).await?;
    }
    let mut reason = "no address of it is known".to_owned();
    let mut is_dropped = false;
    for address in known.iter().take(ADDRESSES) {
        match dial(link, to, address).await? {
            Ok(()) if stands(link, to).await? => return Ok((Ok(()), false)),
            Ok(()) => {
                reason = format!("it took the connection at {address} and dropped it at once");
                is_dropped = true;
            }
            Err(said) => reason = format!("{address}: {said}"),
        }
    }
    let unreachable = BackendError::PeerUnreachable { peer: to, reason };
    Ok((Err(unreachable), is_dropped))
}

/// LND takes few inbound links from peers without a channel, and drops the others without a word.
fn about_slots(peer: NodeId) -> String {
    format!(
        "{peer} drops this node's connection at once. If it runs LND, its slots for peers without a channel are probably \
         taken: its operator raises `num-restricted-slots` in lnd.conf (100 by default) and restarts LND, or connects \
         to this node from there. A channel between the two ends this for good. Until then messages reach it by other \
         members"
    )
}

/// Dials one address. The inner error is the peer's.
async fn dial(link: &Link, to: NodeId, address: &str) -> Result<Result<(), String>, BackendError> {
    let request = ConnectPeerRequest {
        addr: Some(LightningAddress {
            pubkey: to.to_string(),
            host: address.to_owned(),
        }),
        // The agent dials again itself, and a node that left is left alone.
        perm: false,
        timeout: ADDRESS_TIMEOUT_SECONDS,
    };
    let mut client = link.lightning();
    match link.wait(client.connect_peer(request)).await {
        Ok(_) => Ok(Ok(())),
        Err(status) if status.message().contains("already connected") => Ok(Ok(())),
        Err(status) => match link.error(CALL, &status) {
            BackendError::Refused(said) => Ok(Err(said)),
            // LND itself waited for the peer longer than a call may take.
            BackendError::Unreachable(said) if status.code() == Code::DeadlineExceeded => {
                Ok(Err(said))
            }
            error => Err(error),
        },
    }
}

/// Whether a new link is still there a moment later. It counts once both sides said `init`.
async fn stands(link: &Link, to: NodeId) -> Result<bool, BackendError> {
    let until = Instant::now() + STANDS_AFTER;
    while Instant::now() < until {
        if is_linked(link, to).await? {
            return Ok(true);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(false)
}

async fn is_linked(link: &Link, to: NodeId) -> Result<bool, BackendError> {
    let peers = peers(link).await?;
    Ok(peers.iter().any(|peer| peer.node_id == to))
}

/// Where the graph says that a node is.
async fn published(link: &Link, node: NodeId) -> Result<Vec<String>, BackendError> {
    let request = NodeInfoRequest {
        pub_key: node.to_string(),
    };
    let mut client = link.lightning();
    match link.wait(client.get_node_info(request)).await {
        Ok(said) => {
            let addresses = said.node.into_iter().flat_map(|node| node.addresses);
            Ok(addresses.map(|address| address.addr).collect())
        }
        Err(status) if status.code() == Code::NotFound => Ok(Vec::new()),
        Err(status) if status.message().contains("unable to find node") => Ok(Vec::new()),
        Err(status) => Err(link.error("/lnrpc.Lightning/GetNodeInfo", &status)),
    }
}
