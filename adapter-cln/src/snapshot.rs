//! The node's channels, funds and peers as the agent reads them.

use crate::calls::{
    Address, Feerates, Funds, Getinfo, Info, Listconfigs, Listfunds, Listpeerchannels, Listpeers,
    PeerChannel, Update,
};
use crate::events::host_port;
use crate::hex;
use crate::limits::{EMERGENCY_MSAT, SNAPSHOT_TRIES};
use crate::rpc::Rpc;
use hive_node::backend::{BackendError, NodeInfo};
use hive_planner::graph::Graph;
use hive_types::limits::FEERATE_FLOOR;
use hive_types::{
    BlockHeight, ChannelPolicy, FeeratePerKw, LocalChannel, LocalSnapshot, Msat, Network, NodeId,
    OnChain, OutPoint, PeerView, Ppm, Sat,
};

/// In front of the version.
pub(crate) const IMPLEMENTATION: &str = "Core Lightning ";

/// States of a channel that still is one: its money can be used again without a transaction, or soon can.
const LIVE: [&str; 7] = [
    "CHANNELD_AWAITING_LOCKIN",
    "CHANNELD_NORMAL",
    "CHANNELD_AWAITING_SPLICE",
    "CHANNELD_SHUTTING_DOWN",
    "CLOSINGD_SIGEXCHANGE",
    "DUALOPEND_OPEN_COMMITTED",
    "DUALOPEND_AWAITING_LOCKIN",
];

/// Whether a channel in this state is being opened.
pub(crate) fn awaits_funding(state: &str) -> bool {
    state.starts_with("OPENINGD")
        || state.starts_with("DUALOPEND")
        || state.ends_with("AWAITING_LOCKIN")
}

/// States in which payments cross.
const FORWARDING: [&str; 2] = ["CHANNELD_NORMAL", "CHANNELD_AWAITING_SPLICE"];

/// Blocks from which on the network is told of a channel (BOLT 7).
const ANNOUNCE_BLOCKS: u32 = 6;

/// Bits of anchor outputs in a channel's type (BOLT 9).
const ANCHORS: [u32; 2] = [22, 23];

/// The setting of what the node keeps back while it has anchor channels.
const EMERGENCY: &str = "min-emergency-msat";

/// What the node says of itself.
///
/// # Errors
/// [`BackendError`] when it does not answer, or is on a chain that The Hive does not know.
pub(crate) async fn info(rpc: &Rpc) -> Result<NodeInfo, BackendError> {
    let info = rpc.call(&Getinfo {}).await?;
    node_info(&info)
}

pub(crate) fn node_info(info: &Info) -> Result<NodeInfo, BackendError> {
    let synced = is_synced(info);
    Ok(NodeInfo {
        node_id: info.id,
        network: network(info)?,
        alias: info.alias.clone(),
        version: format!("{IMPLEMENTATION}{}", info.version),
        synced,
        height: BlockHeight::new(info.blockheight),
        features: hex::decode(&info.our_features.init).unwrap_or_default(),
        addresses: addresses(info),
    })
}

fn network(info: &Info) -> Result<Network, BackendError> {
    info.network.parse().map_err(|_| {
        BackendError::Unfit(format!(
            "it is on {}, and fleets are on bitcoin, testnet, testnet4, signet and regtest alone; run the plugin beside \
             a node on one of these",
            info.network
        ))
    })
}

fn is_synced(info: &Info) -> bool {
    info.warning_bitcoind_sync.is_none() && info.warning_lightningd_sync.is_none()
}

/// What the node announces, else what it listens on with an address that means something elsewhere.
fn addresses(info: &Info) -> Vec<String> {
    let announced: Vec<String> = info.address.iter().filter_map(address).collect();
    if !announced.is_empty() {
        return announced;
    }
    let is_wildcard = |one: &&Address| !matches!(one.address.as_deref(), Some("0.0.0.0" | "::"));
    let bound = info.binding.iter().filter(is_wildcard);
    bound.filter_map(address).collect()
}

fn address(one: &Address) -> Option<String> {
    let is_plain = matches!(one.kind.as_str(), "ipv4" | "ipv6" | "torv3" | "dns");
    let (host, port) = (one.address.as_deref()?, one.port?);
    is_plain.then(|| host_port(host, port.into()))
}

/// Everything of the node but forwards, as of one moment: what is read twice, before and after, is the same.
///
/// # Errors
/// [`BackendError`] when the node does not answer, or not so that it can be understood.
pub(crate) async fn read(rpc: &Rpc, graph: Option<&Graph>) -> Result<Reading, BackendError> {
    let spent = false;
    let mut before = (
        rpc.call(&Getinfo {}).await?,
        rpc.call(&Listfunds { spent }).await?,
    );
    let mut tries = 0;
    loop {
        let id = None;
        let channels = rpc.call(&Listpeerchannels { id }).await?.channels;
        let peers = peers(rpc).await?;
        let after = (
            rpc.call(&Getinfo {}).await?,
            rpc.call(&Listfunds { spent }).await?,
        );
        tries += 1;
        let is_same =
            before.0.blockheight == after.0.blockheight && before.1.outputs == after.1.outputs;
        // A node whose wallet never rests is read as well as it goes; the next reading comes soon.
        if is_same || tries >= SNAPSHOT_TRIES {
            // Where the node has none, an open is refused when it comes to it.
            let feerate = feerate(rpc).await?.unwrap_or(FEERATE_FLOOR);
            let reserve = reserve(rpc, &channels).await?;
            let on_chain = on_chain(&after.1, reserve);
            let snapshot = snapshot(&after.0, on_chain, feerate, &channels, peers, graph)?;
            return Ok(Reading { snapshot, channels });
        }
        before = after;
    }
}

/// Those that are connected, in order.
///
/// # Errors
/// [`BackendError`] when the node does not answer.
pub(crate) async fn peers(rpc: &Rpc) -> Result<Vec<PeerView>, BackendError> {
    let peers = rpc.call(&Listpeers { id: None }).await?.peers;
    let connected = peers.into_iter().filter(|peer| peer.connected);
    let mut peers: Vec<PeerView> = connected
        .map(|peer| PeerView {
            node_id: peer.id,
            features: hex::decode(&peer.features).unwrap_or_default(),
        })
        .collect();
    peers.sort_by_key(|peer| peer.node_id);
    Ok(peers)
}

/// A snapshot without forwards, and the channels that it was made from.
pub(crate) struct Reading {
    pub(crate) snapshot: LocalSnapshot,
    pub(crate) channels: Vec<PeerChannel>,
}

/// What a funding transaction pays by the node's own estimate; `None` while it has none.
///
/// # Errors
/// [`BackendError`] when the node does not answer.
pub(crate) async fn feerate(rpc: &Rpc) -> Result<Option<FeeratePerKw>, BackendError> {
    let rates = rpc.call(&Feerates::PER_KW).await?.perkw;
    let floor = rates.floor.unwrap_or_default().max(FEERATE_FLOOR.get());
    Ok(rates.opening.map(|rate| FeeratePerKw::new(rate.max(floor))))
}

/// What the node keeps back: with the first anchor channel it begins to, so that an open counts with it.
///
/// # Errors
/// [`BackendError`] when the node does not answer.
pub(crate) async fn reserve(rpc: &Rpc, channels: &[PeerChannel]) -> Result<Sat, BackendError> {
    let has_anchors = channels.iter().any(|channel| {
        let bits = &channel.channel_type.bits;
        bits.iter().any(|bit| ANCHORS.contains(bit))
    });
    match has_anchors {
        true => emergency(rpc).await,
        false => Ok(Sat::ZERO),
    }
}

/// `min-emergency-msat`.
///
/// # Errors
/// [`BackendError`] when the node does not answer.
pub(crate) async fn emergency(rpc: &Rpc) -> Result<Sat, BackendError> {
    let configs = rpc.call(&Listconfigs { config: EMERGENCY }).await?;
    let value = configs.configs.get(EMERGENCY);
    let msat = value.and_then(|value| value.value_msat);
    Ok(msat.unwrap_or(Msat::new(EMERGENCY_MSAT)).to_sat_ceil())
}

fn on_chain(funds: &Funds, reserve: Sat) -> OnChain {
    let sum = |status: &str| {
        let free = funds.outputs.iter().filter(|output| !output.reserved);
        let counted = free.filter(|output| output.status == status);
        counted
            .map(|output| output.amount_msat.to_sat_floor())
            .sum()
    };
    OnChain {
        confirmed: sum("confirmed"),
        unconfirmed: sum("unconfirmed"),
        reserve,
    }
}

fn snapshot(
    info: &Info,
    on_chain: OnChain,
    feerate: FeeratePerKw,
    channels: &[PeerChannel],
    peers: Vec<PeerView>,
    graph: Option<&Graph>,
) -> Result<LocalSnapshot, BackendError> {
    let height = BlockHeight::new(info.blockheight);
    let live = channels.iter();
    let mut channels: Vec<LocalChannel> = live
        .filter_map(|channel| local_channel(channel, height, graph))
        .collect();
    channels.sort_by_key(|channel| channel.channel_id);
    Ok(LocalSnapshot {
        node_id: info.id,
        network: network(info)?,
        height,
        synced: is_synced(info),
        on_chain,
        feerate,
        channels,
        peers,
        forwards: Vec::new(),
        peer_events: Vec::new(),
    })
}

/// A channel that is not closed and whose funding is known.
fn local_channel(
    channel: &PeerChannel,
    height: BlockHeight,
    graph: Option<&Graph>,
) -> Option<LocalChannel> {
    let state = channel.state.as_str();
    if !LIVE.contains(&state) {
        return None;
    }
    let scid = channel.short_channel_id;
    let is_deep =
        scid.is_some_and(|scid| height.get() + 1 >= scid.block().saturating_add(ANNOUNCE_BLOCKS));
    let is_up = channel.peer_connected && channel.reestablished != Some(false);
    let remote = channel.updates.remote.map(policy);
    Some(LocalChannel {
        channel_id: channel.channel_id?,
        scid,
        funding: OutPoint {
            txid: channel.funding_txid?,
            vout: channel.funding_outnum?,
        },
        peer: channel.peer_id,
        capacity: channel.total_msat?.to_sat_floor(),
        spendable: channel.spendable_msat.unwrap_or_default(),
        receivable: channel.receivable_msat.unwrap_or_default(),
        usable: is_up && FORWARDING.contains(&state),
        announced: !channel.private && is_deep,
        opened_by_us: channel.opener.as_deref() == Some("local"),
        local_policy: channel.updates.local.map(policy),
        remote_policy: remote.map(|remote| as_gossiped(channel, remote, graph)),
        htlcs: u32::try_from(channel.htlcs.len()).unwrap_or(u32::MAX),
    })
}

/// The parts of a policy that `listpeerchannels` tells. Core Lightning has no inbound fees.
pub(crate) fn policy(update: Update) -> ChannelPolicy {
    ChannelPolicy {
        base: update.fee_base_msat,
        rate: Ppm::new(update.fee_proportional_millionths),
        cltv_delta: update.cltv_expiry_delta,
        htlc_minimum: update.htlc_minimum_msat,
        htlc_maximum: update.htlc_maximum_msat,
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

/// What the peer's update says besides: its inbound fee and its disable bit stand in the graph only.
fn as_gossiped(channel: &PeerChannel, told: ChannelPolicy, graph: Option<&Graph>) -> ChannelPolicy {
    let gossiped = || {
        let graph = graph?;
        let from: NodeId = channel.peer_id;
        let edge = graph.edge(channel.short_channel_id?, graph.node_index(&from)?)?;
        edge.policy
    };
    match gossiped() {
        Some(seen) => ChannelPolicy {
            disabled: seen.disabled,
            inbound_base_msat: seen.inbound_base_msat,
            inbound_ppm: seen.inbound_ppm,
            ..told
        },
        None => told,
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
