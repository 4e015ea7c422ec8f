//! The node read in one go.

use crate::connect::{Link, held};
use crate::convert::{channel_id, features, node_id, outpoint, policies, sat, scid};
use crate::forwards::Forwards;
use crate::htlcs::HtlcCounts;
use crate::info;
use crate::proto::lnrpc::channel_close_summary::ClosureType;
use crate::proto::lnrpc::pending_channels_response::PendingOpenChannel;
use crate::proto::lnrpc::{
    ChanInfoRequest, Channel, ChannelCloseSummary, ChannelEdge, ClosedChannelsRequest, Initiator,
    ListChannelsRequest, ListPeersRequest, PendingChannelsRequest, WalletBalanceRequest,
};
use crate::proto::walletrpc::{EstimateFeeRequest, RequiredReserveRequest};
use hive_node::backend::BackendError;
use hive_types::limits::FEERATE_FLOOR;
use hive_types::{
    BlockHeight, FeeratePerKw, LocalChannel, LocalSnapshot, Msat, NodeId, OnChain, PeerEvents,
    PeerView, Sat,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use tokio::task::JoinSet;
use tonic::Code;

/// A funding that should confirm within about an hour, as LND's own default for opens.
pub(crate) const FUNDING_TARGET_BLOCKS: i32 = 6;

/// The wallet's own account; others may be watched without a key.
pub(crate) const ACCOUNT: &str = "default";

/// Readings in a row that are compared before a changing node is taken as it is.
const READINGS: usize = 4;

/// Policies that are asked for at a time.
const POLICIES_AT_A_TIME: usize = 16;

/// Confirmations before a channel is announced (BOLT 7).
const ANNOUNCE_DEPTH: u32 = 6;

/// Weight of one HTLC in a commitment (BOLT 3).
const HTLC_WEIGHT: i64 = 172;

/// Reads, and remembers what need not be read again.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    forwards: tokio::sync::Mutex<Forwards>,
    closed: Mutex<Closed>,
    pub(crate) htlcs: Mutex<HtlcCounts>,
}

/// Channels that are no more, read again whenever the open ones changed.
#[derive(Clone, Debug, Default)]
struct Closed {
    beside: BTreeSet<u64>,
    peers: BTreeMap<u64, NodeId>,
    forced: BTreeMap<NodeId, u64>,
    is_known: bool,
}

/// Open and opening channels.
pub(crate) struct Channels {
    pub(crate) open: Vec<Channel>,
    pub(crate) opening: Vec<PendingOpenChannel>,
}

impl Channels {
    fn points(&self) -> BTreeSet<&str> {
        let open = self
            .open
            .iter()
            .map(|channel| channel.channel_point.as_str());
        let opening = self.opening.iter().filter_map(|one| one.channel.as_ref());
        open.chain(opening.map(|channel| channel.channel_point.as_str()))
            .collect()
    }
}

pub(crate) async fn channels(link: &Link) -> Result<Channels, BackendError> {
    let mut client = link.lightning();
    let opening = link
        .ask(
            "/lnrpc.Lightning/PendingChannels",
            client.pending_channels(PendingChannelsRequest {}),
        )
        .await?;
    let open = link
        .ask(
            "/lnrpc.Lightning/ListChannels",
            client.list_channels(ListChannelsRequest {}),
        )
        .await?;
    Ok(Channels {
        open: open.channels,
        opening: opening.pending_open_channels,
    })
}

/// What the node has on chain, apart from its reserve.
async fn balance(link: &Link) -> Result<OnChain, BackendError> {
    let account = ACCOUNT.to_owned();
    let mut client = link.lightning();
    let said = link
        .ask(
            "/lnrpc.Lightning/WalletBalance",
            client.wallet_balance(WalletBalanceRequest { account }),
        )
        .await?;
    Ok(OnChain {
        confirmed: sat(said.confirmed_balance),
        unconfirmed: sat(said.unconfirmed_balance),
        reserve: reserve(link, 0).await?,
    })
}

/// What LND keeps back for its anchor channels and so many more.
pub(crate) async fn reserve(link: &Link, additional: u32) -> Result<Sat, BackendError> {
    let request = RequiredReserveRequest {
        additional_public_channels: additional,
    };
    let mut client = link.wallet();
    let said = link
        .ask(
            "/walletrpc.WalletKit/RequiredReserve",
            client.required_reserve(request),
        )
        .await?;
    Ok(sat(said.required_reserve))
}

/// LND's estimate for a funding transaction, never under what nodes relay.
pub(crate) async fn feerate(link: &Link) -> Result<FeeratePerKw, BackendError> {
    let request = EstimateFeeRequest {
        conf_target: FUNDING_TARGET_BLOCKS,
    };
    let mut client = link.wallet();
    let said = link
        .ask(
            "/walletrpc.WalletKit/EstimateFee",
            client.estimate_fee(request),
        )
        .await?;
    let rate = u32::try_from(said.sat_per_kw.max(0)).unwrap_or(u32::MAX);
    Ok(FeeratePerKw::new(rate).max(FEERATE_FLOOR))
}

/// A channel that opens between two readings moves money from one to the other: they are repeated until
/// none did.
async fn money(link: &Link) -> Result<(Channels, OnChain), BackendError> {
    let mut before = channels(link).await?;
    for reading in 1.. {
        let on_chain = balance(link).await?;
        let after = channels(link).await?;
        if before.points() == after.points() || reading == READINGS {
            return Ok((after, on_chain));
        }
        before = after;
    }
    Err(BackendError::Reply("the node does not stand still".into()))
}

/// The peers that are linked: both sides said `init`. LND lists a peer before it has heard its `init`, and drops some
/// of them then. Nobody sends one without a feature.
pub(crate) async fn peers(link: &Link) -> Result<Vec<PeerView>, BackendError> {
    let mut peers = listed(link).await?;
    peers.retain(|peer| !peer.features.is_empty());
    Ok(peers)
}

/// All that LND has a connection with, those without an `init` included, in order and once each.
pub(crate) async fn listed(link: &Link) -> Result<Vec<PeerView>, BackendError> {
    let mut client = link.lightning();
    let said = link
        .ask(
            "/lnrpc.Lightning/ListPeers",
            client.list_peers(ListPeersRequest {}),
        )
        .await?;
    let mut peers = BTreeMap::new();
    for peer in &said.peers {
        let node_id = node_id(&peer.pub_key)?;
        let features = features(&peer.features);
        peers.insert(node_id, PeerView { node_id, features });
    }
    Ok(peers.into_values().collect())
}

/// What LND knows of one channel's policies; `None` before it has an edge for it.
pub(crate) async fn edge(link: &Link, chan_id: u64) -> Result<Option<ChannelEdge>, BackendError> {
    let mut client = link.lightning();
    let request = ChanInfoRequest { chan_id };
    let said = link.wait(client.get_chan_info(request)).await;
    match said {
        Ok(edge) => Ok(Some(edge)),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) if status.message().contains("not found") => Ok(None),
        Err(status) => Err(link.error("/lnrpc.Lightning/GetChanInfo", &status)),
    }
}

async fn edges(link: &Link, open: &[Channel]) -> Result<BTreeMap<u64, ChannelEdge>, BackendError> {
    let mut edges = BTreeMap::new();
    for some in open.chunks(POLICIES_AT_A_TIME) {
        let mut asked = JoinSet::new();
        for channel in some {
            let (link, id) = (link.clone(), channel.chan_id);
            asked.spawn(async move { (id, edge(&link, id).await) });
        }
        while let Some(answer) = asked.join_next().await {
            let (id, found) = answer.map_err(|error| BackendError::Reply(error.to_string()))?;
            edges.extend(found?.map(|edge| (id, edge)));
        }
    }
    Ok(edges)
}

impl Reader {
    pub(crate) async fn read(&self, link: &Link) -> Result<LocalSnapshot, BackendError> {
        let (channels, on_chain) = money(link).await?;
        let said = info::ask(link).await?;
        let about = info::as_info(&said)?;
        let edges = edges(link, &channels.open).await?;
        let closed = self.closed(link, &channels.open).await?;
        let mut peer_of = closed.peers.clone();
        let mut rows = Vec::new();
        for channel in &channels.open {
            let edge = edges.get(&channel.chan_id);
            let row = open_channel_row(channel, edge, &about.node_id, about.height)?;
            peer_of.insert(channel.chan_id, row.peer);
            rows.push(row);
        }
        for one in &channels.opening {
            rows.extend(opening_row(one)?);
        }
        rows.sort_by_key(|row| row.channel_id);
        let peer_events = self.peer_events(&channels.open, about.height, &peer_of, &closed);
        let mut forwards = self.forwards.lock().await;
        forwards.follow(link).await?;
        Ok(LocalSnapshot {
            node_id: about.node_id,
            network: about.network,
            height: about.height,
            synced: about.synced,
            on_chain,
            feerate: feerate(link).await?,
            channels: rows,
            peers: peers(link).await?,
            forwards: forwards.totals(&peer_of),
            peer_events,
        })
    }

    async fn closed(&self, link: &Link, open: &[Channel]) -> Result<Closed, BackendError> {
        let beside: BTreeSet<u64> = open.iter().map(|channel| channel.chan_id).collect();
        {
            let known = held(&self.closed);
            if known.is_known && known.beside == beside {
                return Ok(known.clone());
            }
        }
        let mut client = link.lightning();
        let said = link
            .ask(
                "/lnrpc.Lightning/ClosedChannels",
                client.closed_channels(ClosedChannelsRequest {}),
            )
            .await?;
        let closed = Closed::of(&said.channels, beside);
        held(&self.closed).clone_from(&closed);
        Ok(closed)
    }

    fn peer_events(
        &self,
        open: &[Channel],
        height: BlockHeight,
        peer_of: &BTreeMap<u64, NodeId>,
        closed: &Closed,
    ) -> Vec<PeerEvents> {
        let mut htlcs = held(&self.htlcs);
        htlcs.at_height(height);
        let limit = |channel: &Channel| {
            let own = channel.local_constraints.as_ref();
            (channel.chan_id, own.map_or(0, |own| own.dust_limit_sat))
        };
        htlcs.set_dust_limits(open.iter().map(limit).collect());
        let mut events = BTreeMap::new();
        let present = open
            .iter()
            .filter_map(|channel| peer_of.get(&channel.chan_id));
        for peer in present.chain(closed.forced.keys()) {
            events.insert(*peer, PeerEvents::none(*peer));
        }
        for (channel, counts) in htlcs.channels() {
            let Some(peer) = peer_of.get(&channel) else {
                continue;
            };
            let row = events.entry(*peer).or_insert(PeerEvents::none(*peer));
            row.forwards += counts.forwards;
            row.failed += counts.failed;
            row.stuck_htlcs += counts.stuck;
            row.dust_htlcs += counts.dust;
        }
        for (peer, count) in &closed.forced {
            if let Some(row) = events.get_mut(peer) {
                row.force_closes = *count;
            }
        }
        events.into_values().collect()
    }
}

impl Closed {
    fn of(channels: &[ChannelCloseSummary], beside: BTreeSet<u64>) -> Self {
        let mut closed = Self {
            beside,
            is_known: true,
            ..Self::default()
        };
        for channel in channels {
            let Ok(peer) = node_id(&channel.remote_pubkey) else {
                continue;
            };
            closed.peers.insert(channel.chan_id, peer);
            let by_peer = [ClosureType::RemoteForceClose, ClosureType::BreachClose];
            if by_peer.contains(&channel.close_type()) {
                *closed.forced.entry(peer).or_default() += 1;
            }
        }
        closed
    }
}

fn open_channel_row(
    channel: &Channel,
    edge: Option<&ChannelEdge>,
    own: &NodeId,
    height: BlockHeight,
) -> Result<LocalChannel, BackendError> {
    let funding = outpoint(&channel.channel_point)?;
    let scid = scid(channel);
    let is_deep =
        |block: u32| height.get().saturating_add(1) >= block.saturating_add(ANNOUNCE_DEPTH);
    let (local_policy, remote_policy) = edge.map_or((None, None), |edge| policies(edge, own));
    let (spendable, receivable) = movable(channel);
    Ok(LocalChannel {
        channel_id: channel_id(&funding),
        scid,
        funding,
        peer: node_id(&channel.remote_pubkey)?,
        capacity: sat(channel.capacity),
        spendable,
        receivable,
        usable: channel.active,
        announced: !channel.private && scid.is_some_and(|scid| is_deep(scid.block())),
        opened_by_us: channel.initiator,
        local_policy,
        remote_policy,
        htlcs: u32::try_from(channel.pending_htlcs.len()).unwrap_or(u32::MAX),
    })
}

/// `None` for a channel whose funding nobody has signed yet: it has no place to speak of.
fn opening_row(one: &PendingOpenChannel) -> Result<Option<LocalChannel>, BackendError> {
    let Some(channel) = &one.channel else {
        return Ok(None);
    };
    let funding = outpoint(&channel.channel_point)?;
    Ok(Some(LocalChannel {
        channel_id: channel_id(&funding),
        scid: None,
        funding,
        peer: node_id(&channel.remote_node_pub)?,
        capacity: sat(channel.capacity),
        spendable: Msat::ZERO,
        receivable: Msat::ZERO,
        usable: false,
        announced: false,
        opened_by_us: channel.initiator() == Initiator::Local,
        local_policy: None,
        remote_policy: None,
        htlcs: 0,
    }))
}

/// What can be sent and received now, as careful as LND is itself: whoever pays for the commitment keeps
/// back what two HTLCs more would cost at twice the feerate.
fn movable(channel: &Channel) -> (Msat, Msat) {
    let weight = channel.commit_weight.saturating_add(2 * HTLC_WEIGHT);
    let doubled = weight.saturating_mul(channel.fee_per_kw).saturating_mul(2) / 1_000;
    // The balance of who pays has the fee taken off already.
    let buffer = doubled.saturating_sub(channel.commit_fee).max(0);
    let (ours, theirs) = match channel.initiator {
        true => (buffer, 0),
        false => (0, buffer),
    };
    let left = |balance: i64, constraints: &Option<_>, buffer: i64| {
        let reserve = constraints
            .as_ref()
            .map_or(0, |own: &crate::proto::lnrpc::ChannelConstraints| {
                own.chan_reserve_sat
            });
        sat(balance.saturating_sub(buffer))
            .saturating_sub(Sat::new(reserve))
            .to_msat_saturating()
    };
    (
        left(channel.local_balance, &channel.local_constraints, ours),
        left(channel.remote_balance, &channel.remote_constraints, theirs),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::lnrpc::ChannelConstraints;

    fn channel() -> Channel {
        let reserve = |chan_reserve_sat| {
            Some(ChannelConstraints {
                chan_reserve_sat,
                dust_limit_sat: 354,
            })
        };
        Channel {
            initiator: true,
            local_balance: 996_530,
            remote_balance: 0,
            commit_fee: 2_810,
            commit_weight: 772,
            fee_per_kw: 2_500,
            local_constraints: reserve(10_000),
            remote_constraints: reserve(10_000),
            ..Channel::default()
        }
    }

    #[test]
    fn what_can_move_leaves_reserve_and_fees() {
        // 2 * 2,500 sat/kw * (772 + 344) weight = 5,580 sat, of which 2,810 are off already.
        let (spendable, receivable) = movable(&channel());
        assert_eq!(spendable, Msat::new((996_530 - 2_770 - 10_000) * 1_000));
        assert_eq!(receivable, Msat::ZERO);
        let theirs = Channel {
            initiator: false,
            remote_balance: 500_000,
            ..channel()
        };
        let (spendable, receivable) = movable(&theirs);
        assert_eq!(spendable, Msat::new((996_530 - 10_000) * 1_000));
        assert_eq!(receivable, Msat::new((500_000 - 2_770 - 10_000) * 1_000));
    }

    #[test]
    fn closes_by_force_count_against_who_forced() {
        let id = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c";
        let close = |chan_id, close_type: ClosureType| ChannelCloseSummary {
            chan_id,
            remote_pubkey: id.into(),
            close_type: close_type.into(),
            ..Default::default()
        };
        let said = [
            close(1, ClosureType::CooperativeClose),
            close(2, ClosureType::LocalForceClose),
            close(3, ClosureType::RemoteForceClose),
            close(4, ClosureType::BreachClose),
        ];
        let closed = Closed::of(&said, BTreeSet::new());
        assert_eq!(closed.peers.len(), 4);
        assert_eq!(closed.forced.values().copied().collect::<Vec<_>>(), [2]);
    }
}
