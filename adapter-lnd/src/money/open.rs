//! Opening a channel with inputs that were chosen and written down before.

use super::coins::{Coin, choose, input_weight};
use super::{abandoned, blame, unknown};
use crate::LndBackend;
use crate::connect::{Link, is_lost};
use crate::convert::{channel_id, outpoint, sat, wallet_outpoint};
use crate::info;
use crate::proto::lnrpc::open_status_update::Update;
use crate::proto::lnrpc::{
    self, ClosedChannelsRequest, GetTransactionsRequest, OpenChannelRequest,
    PendingChannelsRequest, PendingUpdate, Transaction,
};
use crate::proto::walletrpc::{ListLeasesRequest, ListUnspentRequest, UtxoLease};
use crate::snapshot::{self, ACCOUNT, channels};
use hive_node::backend::{ActError, BackendError, Done, Fault, NotDone, Prepared, Reconciled};
use hive_types::{ActionId, FeeratePerKw, Msat, NodeId, OpenChannel, OutPoint, Sat, Txid};
use std::collections::BTreeSet;
use std::time::Duration;
use tonic::Status;

/// Satoshi per 1000 weight units in one satoshi per virtual byte.
const PER_VBYTE: u32 = 250;

/// The peers agree on a funding within seconds; LND itself gives up after ten minutes.
const PATIENCE: Duration = Duration::from_secs(660);

/// How often the wallet is asked for a transaction that was published a moment ago.
const FEE_LOOKS: usize = 20;

/// The span between two of these.
const FEE_LOOK: Duration = Duration::from_millis(250);

/// Blocks that are searched for it. It waits for one as a rule; a wallet has years of others.
const FEE_BLOCKS: u32 = 36;

/// The rate that the open pays, in whole sat/vbyte as LND takes it.
async fn rate(link: &Link, wanted: &OpenChannel) -> Result<u32, NotDone> {
    let (going, ceiling) = (
        snapshot::feerate(link).await.map_err(NotDone::from)?,
        wanted.feerate_ceiling,
    );
    let most = ceiling.get() / PER_VBYTE;
    if going > ceiling || most == 0 {
        let (going, ceiling) = (going.get(), ceiling.get());
        return Err(NotDone::new(
            Fault::Node,
            format!("the feerate is {going} sat per 1000 weight, permitted are {ceiling}"),
        ));
    }
    Ok(going.get().div_ceil(PER_VBYTE).min(most))
}

pub(super) async fn prepare(
    backend: &LndBackend,
    wanted: &OpenChannel,
    cost: Msat,
) -> Result<Prepared, NotDone> {
    let link = &backend.link;
    let rate = FeeratePerKw::from_sat_per_vbyte(rate(link, wanted).await?)
        .max(hive_types::limits::FEERATE_FLOOR);
    let free = free_coins(link).await.map_err(NotDone::from)?;
    let total: Sat = free.iter().map(|coin| coin.amount).sum();
    let choice = choose(free, wanted.capacity, rate);
    let choice = choice.map_err(|reason| NotDone::new(Fault::Node, reason.to_string()))?;
    if choice.fee.to_msat_saturating() > cost {
        let (count, fee) = (choice.coins.len(), choice.fee);
        return Err(NotDone::new(
            Fault::Node,
            format!("{count} inputs cost {fee}, more than is permitted"),
        ));
    }
    let reserve = snapshot::reserve(link, u32::from(wanted.announce)).await;
    let reserve = reserve.map_err(NotDone::from)?;
    let left = total.saturating_sub(wanted.capacity.saturating_add(choice.fee));
    if left < reserve {
        return Err(NotDone::new(
            Fault::Node,
            format!(
                "{left} would be left, and LND keeps {reserve} back for its anchor channels; send it some more"
            ),
        ));
    }
    let snapshot = channels(link).await.map_err(NotDone::from)?;
    Ok(Prepared::Open {
        target: Some(wanted.target),
        inputs: choice.coins.iter().map(|coin| coin.outpoint).collect(),
        channels_before: with_peer(&snapshot, &wanted.target).map_err(NotDone::from)?,
    })
}

fn with_peer(
    channels: &snapshot::Channels,
    peer: &NodeId,
) -> Result<Vec<hive_types::ChannelId>, BackendError> {
    let peer = peer.to_string();
    let open = channels.open.iter();
    let open = open.map(|one| (&one.remote_pubkey, &one.channel_point));
    let opening = channels
        .opening
        .iter()
        .filter_map(|one| one.channel.as_ref());
    let opening = opening.map(|one| (&one.remote_node_pub, &one.channel_point));
    let with_peer = open.chain(opening).filter(|(other, _)| **other == peer);
    with_peer
        .map(|(_, point)| Ok(channel_id(&outpoint(point)?)))
        .collect()
}

/// Confirmed outputs that nothing holds. LND's list leaves out what it has locked itself.
async fn free_coins(link: &Link) -> Result<Vec<Coin>, BackendError> {
    let leased = leased(link).await?;
    let mut coins = Vec::new();
    for utxo in unspent(link, 1).await? {
        let outpoint = utxo_outpoint(&utxo)?;
        if !leased.contains(&outpoint) {
            coins.push(Coin {
                outpoint,
                amount: sat(utxo.amount_sat),
                weight: input_weight(utxo.address_type()),
            });
        }
    }
    Ok(coins)
}

async fn unspent(link: &Link, min_confs: i32) -> Result<Vec<lnrpc::Utxo>, BackendError> {
    let request = ListUnspentRequest {
        min_confs,
        max_confs: i32::MAX,
        account: ACCOUNT.into(),
    };
    let mut client = link.wallet();
    let call = "/walletrpc.WalletKit/ListUnspent";
    let said = link.ask(call, client.list_unspent(request)).await?;
    Ok(said.utxos)
}

fn utxo_outpoint(utxo: &lnrpc::Utxo) -> Result<OutPoint, BackendError> {
    let said = utxo.outpoint.as_ref();
    wallet_outpoint(said.ok_or_else(|| crate::convert::unclear("an output", "without a place"))?)
}

/// What LND holds back for somebody, and for whom.
async fn leases(link: &Link) -> Result<Vec<(OutPoint, UtxoLease)>, BackendError> {
    let mut client = link.wallet();
    let call = "/walletrpc.WalletKit/ListLeases";
    let said = link
        .ask(call, client.list_leases(ListLeasesRequest {}))
        .await?;
    let placed = said.locked_utxos.into_iter().filter_map(|lease| {
        let place = lease.outpoint.as_ref().map(wallet_outpoint)?;
        Some(place.map(|place| (place, lease)))
    });
    placed.collect()
}

async fn leased(link: &Link) -> Result<BTreeSet<OutPoint>, BackendError> {
    let leases = leases(link).await?;
    Ok(leases.into_iter().map(|(place, _)| place).collect())
}

pub(super) async fn execute(
    backend: &LndBackend,
    id: ActionId,
    wanted: &OpenChannel,
    cost: Msat,
    inputs: &[OutPoint],
    prepared: &Prepared,
) -> Result<Done, ActError> {
    let link = &backend.link;
    match backend.reconcile_action(id, prepared).await {
        Ok(Reconciled::NotDone) => {}
        Ok(Reconciled::Done(done)) => return Ok(done),
        Ok(Reconciled::Unknown) => return Err(unknown("an earlier attempt holds the inputs")),
        Err(reason) => return Err(unknown(reason.to_string())),
    }
    let sat_per_vbyte = rate(link, wanted).await?;
    within_cost(link, inputs, sat_per_vbyte, cost).await?;
    if let Err(reason) = backend.dial(wanted.target, &[]).await {
        return Err(NotDone::from(reason).into());
    }
    let request = OpenChannelRequest {
        sat_per_vbyte: sat_per_vbyte.into(),
        node_pubkey: wanted.target.as_bytes().to_vec(),
        local_funding_amount: i64::try_from(wanted.capacity.get()).unwrap_or(i64::MAX),
        private: !wanted.announce,
        min_confs: 1,
        memo: id.to_string(),
        outpoints: inputs.iter().map(as_outpoint).collect(),
    };
    // A task of its own: whether somebody still waits for the answer makes no difference to the open.
    let opening = tokio::spawn(open(link.clone(), request));
    let ended = match tokio::time::timeout(PATIENCE, opening).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => return Err(unknown(error.to_string())),
        Err(_) => return Err(unknown("LND and the peer are still at it")),
    };
    match ended {
        Ok(pending) => opened(link, &pending).await,
        Err(status) if is_lost(&status) => Err(unknown(status.message())),
        // What LND says it did not do is checked all the same.
        Err(status) => match backend.reconcile_action(id, prepared).await {
            Ok(Reconciled::NotDone) => {
                Err(NotDone::new(blame::of_open(status.message()), status.message()).into())
            }
            Ok(Reconciled::Done(done)) => Ok(done),
            Ok(Reconciled::Unknown) => Err(unknown(status.message())),
            Err(reason) => Err(unknown(reason.to_string())),
        },
    }
}

/// The feerate may have risen since the inputs were chosen.
async fn within_cost(
    link: &Link,
    inputs: &[OutPoint],
    sat_per_vbyte: u32,
    cost: Msat,
) -> Result<(), NotDone> {
    let free = free_coins(link).await.map_err(NotDone::from)?;
    let rate =
        FeeratePerKw::from_sat_per_vbyte(sat_per_vbyte).max(hive_types::limits::FEERATE_FLOOR);
    let chosen: Vec<Coin> = free
        .into_iter()
        .filter(|coin| inputs.contains(&coin.outpoint))
        .collect();
    let fee = super::coins::fee(&chosen, rate);
    match fee.to_msat_saturating() <= cost {
        true => Ok(()),
        false => Err(NotDone::new(
            Fault::Node,
            format!("the open would cost {fee} now, more than is permitted"),
        )),
    }
}

/// Until the funding is published. The rest of the stream, until the channel is usable, is of no interest.
async fn open(link: Link, request: OpenChannelRequest) -> Result<PendingUpdate, Status> {
    let mut client = link.lightning();
    let mut updates = client.open_channel(request).await?.into_inner();
    while let Some(update) = updates.message().await? {
        if let Some(Update::ChanPending(pending)) = update.update {
            return Ok(pending);
        }
    }
    Err(Status::unavailable("LND ended the stream early"))
}

pub(super) fn as_outpoint(from: &OutPoint) -> lnrpc::OutPoint {
    lnrpc::OutPoint {
        // LND reads the text alone here.
        txid_bytes: Vec::new(),
        txid_str: from.txid.to_string(),
        output_index: from.vout,
    }
}

async fn opened(link: &Link, pending: &PendingUpdate) -> Result<Done, ActError> {
    let txid: Result<[u8; 32], _> = pending.txid.as_slice().try_into();
    let txid = txid.map_err(|_| unknown("LND names no funding transaction"))?;
    let funding = OutPoint {
        txid: Txid::from_bytes(txid),
        vout: pending.output_index,
    };
    let tip = info::ask(link).await;
    let tip = tip.map_err(|reason| unknown(reason.to_string()))?;
    let from = tip.block_height.saturating_sub(FEE_BLOCKS);
    for _ in 0..FEE_LOOKS {
        let known = transactions(link, from).await;
        let known = known.map_err(|reason| unknown(reason.to_string()))?;
        if let Some(found) = find(&known, &funding) {
            return Ok(done(funding, found));
        }
        tokio::time::sleep(FEE_LOOK).await;
    }
    Err(unknown("the funding is not in LND's wallet yet"))
}

fn done(funding: OutPoint, transaction: &Transaction) -> Done {
    Done::Opened {
        channel_id: channel_id(&funding),
        funding,
        fee: sat(transaction.total_fees),
    }
}

fn find<'a>(known: &'a [Transaction], funding: &OutPoint) -> Option<&'a Transaction> {
    let txid = funding.txid.to_string();
    known.iter().find(|transaction| transaction.tx_hash == txid)
}

/// Those of the blocks from this height on, and the unconfirmed ones.
async fn transactions(link: &Link, from: u32) -> Result<Vec<Transaction>, BackendError> {
    let request = GetTransactionsRequest {
        start_height: i32::try_from(from).unwrap_or(i32::MAX),
        end_height: -1,
    };
    let mut client = link.lightning();
    let call = "/lnrpc.Lightning/GetTransactions";
    let said = link.ask(call, client.get_transactions(request)).await?;
    Ok(said.transactions)
}

/// What became of an open. One that died with LND, or with the link to its target, left its inputs leased: they are
/// freed once it is certain that nothing comes of it.
pub(super) async fn reconcile(
    link: &Link,
    id: ActionId,
    target: Option<NodeId>,
    inputs: &[OutPoint],
) -> Result<Reconciled, BackendError> {
    let seen = look(link, id, inputs).await?;
    let (Look::Held, Some(target)) = (&seen, target) else {
        return Ok(seen.into());
    };
    if !abandoned::is_over(link, target).await? {
        return Ok(Reconciled::Unknown);
    }
    // Once more: what it came to before it was over is seen by now.
    let seen = look(link, id, inputs).await?;
    if matches!(seen, Look::Held) && abandoned::release(link, &leases(link).await?, inputs).await {
        return look(link, id, inputs).await.map(Reconciled::from);
    }
    Ok(seen.into())
}

/// What inputs, channels and transactions tell of an open.
enum Look {
    Known(Reconciled),
    /// Nothing came of it so far, and an input is not free.
    Held,
}

impl From<Look> for Reconciled {
    fn from(look: Look) -> Self {
        match look {
            Look::Known(known) => known,
            Look::Held => Self::Unknown,
        }
    }
}

/// The channel that bears the action's id, or the one whose funding spends the inputs: done. All inputs
/// free: not done. A confirmed transaction of another kind spends one: it can't be done any more.
async fn look(link: &Link, id: ActionId, inputs: &[OutPoint]) -> Result<Look, BackendError> {
    // In this order: an open that comes between two of these is seen by a later one.
    let free: BTreeSet<OutPoint> = free_ones(link).await?;
    let known = transactions(link, 0).await?;
    let channels = fundings(link).await?;
    let spends = |transaction: &&Transaction| {
        let mut spent = transaction.previous_outpoints.iter();
        spent.any(|place| {
            inputs
                .iter()
                .any(|input| input.to_string() == place.outpoint)
        })
    };
    let mine = channels
        .iter()
        .find(|channel| channel.memo == id.to_string());
    let spending = known.iter().find(spends);
    let of_spending = spending.and_then(|transaction| {
        let mut ours = channels.iter();
        ours.find(|channel| channel.funding.txid.to_string() == transaction.tx_hash)
    });
    if let Some(channel) = mine.or(of_spending) {
        // Without its transaction it is a channel all the same, whose cost is told later.
        let found = find(&known, &channel.funding);
        return Ok(Look::Known(
            found.map_or(Reconciled::Unknown, |transaction| {
                Reconciled::Done(done(channel.funding, transaction))
            }),
        ));
    }
    if let Some(other) = spending {
        return Ok(Look::Known(match other.num_confirmations > 0 {
            true => Reconciled::NotDone,
            false => Reconciled::Unknown,
        }));
    }
    Ok(match inputs.iter().all(|input| free.contains(input)) {
        true => Look::Known(Reconciled::NotDone),
        false => Look::Held,
    })
}

/// Outputs that nothing holds, unconfirmed ones included: after a reorganization an input may be one.
async fn free_ones(link: &Link) -> Result<BTreeSet<OutPoint>, BackendError> {
    let leased = leased(link).await?;
    let mut free = BTreeSet::new();
    for utxo in unspent(link, 0).await? {
        free.insert(utxo_outpoint(&utxo)?);
    }
    Ok(free.difference(&leased).copied().collect())
}

struct Funding {
    funding: OutPoint,
    memo: String,
}

/// Of all channels: opening, open, closing and closed.
async fn fundings(link: &Link) -> Result<Vec<Funding>, BackendError> {
    let mut client = link.lightning();
    let call = "/lnrpc.Lightning/PendingChannels";
    let pending = link
        .ask(call, client.pending_channels(PendingChannelsRequest {}))
        .await?;
    let closing = pending
        .waiting_close_channels
        .into_iter()
        .map(|one| one.channel);
    let forced = pending.pending_force_closing_channels.into_iter();
    let pending = closing.chain(forced.map(|one| one.channel)).flatten();
    let now = channels(link).await?;
    let opening = now.opening.into_iter().filter_map(|one| one.channel);
    let pending = pending
        .chain(opening)
        .map(|one| (one.channel_point, one.memo));
    let open = now
        .open
        .into_iter()
        .map(|one| (one.channel_point, one.memo));
    let call = "/lnrpc.Lightning/ClosedChannels";
    let closed = link
        .ask(call, client.closed_channels(ClosedChannelsRequest {}))
        .await?;
    let closed = closed.channels.into_iter();
    let closed = closed.map(|one| (one.channel_point, String::new()));
    pending
        .chain(open)
        .chain(closed)
        .map(|(point, memo)| {
            let funding = outpoint(&point)?;
            Ok(Funding { funding, memo })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::held;
    use crate::fake::Stand;

    fn transaction(number: u8, num_confirmations: i32) -> Transaction {
        Transaction {
            tx_hash: Txid::from_bytes([number; 32]).to_string(),
            num_confirmations,
            total_fees: 321,
            previous_outpoints: Vec::new(),
        }
    }

    /// What a channel cost is looked for among the newest transactions, not in a wallet's whole history.
    #[tokio::test]
    async fn the_cost_of_an_open_is_read_from_few_transactions() {
        let stand = Stand::new().await;
        held(&stand.fake.script).transactions = vec![transaction(1, 90); 500];
        let pending = PendingUpdate {
            txid: vec![7; 32],
            output_index: 1,
        };
        let link = stand.link();
        let opened = tokio::spawn(async move { opened(&link, &pending).await });
        while stand.fake.asked("GetTransactions") < 3 {
            tokio::task::yield_now().await;
        }
        let funding = transaction(7, 0);
        held(&stand.fake.script).transactions.push(funding);
        let done = opened.await.unwrap().unwrap();
        assert!(
            matches!(done, Done::Opened { fee, .. } if fee == Sat::new(321)),
            "{done:?}"
        );
        assert_eq!(held(&stand.fake.script).transactions_told, 1);
    }
}
