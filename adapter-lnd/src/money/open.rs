//! Opening a channel with inputs that were chosen and written down before.

use super::became::{Begun, Hold, Look, look};
use super::coins::{Coin, choose, input_weight};
use super::{blame, unknown};
use crate::LndBackend;
use crate::connect::{Link, held, is_lost};
use crate::convert::{channel_id, outpoint, sat, wallet_outpoint};
use crate::proto::lnrpc::open_status_update::Update;
use crate::proto::lnrpc::{
    self, GetTransactionsRequest, OpenChannelRequest, PendingUpdate, Transaction,
};
use crate::proto::walletrpc::{ListLeasesRequest, ListUnspentRequest, UtxoLease};
use crate::snapshot::{self, ACCOUNT, channels};
use crate::{dial, info};
use hive_node::backend::{ActError, BackendError, Done, Fault, NotDone, Prepared, Reconciled};
use hive_node::clock::wall;
use hive_types::{FeeratePerKw, Msat, NodeId, OpenChannel, OutPoint, Sat, Txid};
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
        begun: Some(wall()),
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

pub(super) async fn unspent(link: &Link, min_confs: i32) -> Result<Vec<lnrpc::Utxo>, BackendError> {
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

pub(super) fn utxo_outpoint(utxo: &lnrpc::Utxo) -> Result<OutPoint, BackendError> {
    let said = utxo.outpoint.as_ref();
    wallet_outpoint(said.ok_or_else(|| crate::convert::unclear("an output", "without a place"))?)
}

/// What LND holds back for somebody, and for whom.
pub(super) async fn leases(link: &Link) -> Result<Vec<(OutPoint, UtxoLease)>, BackendError> {
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
    wanted: &OpenChannel,
    cost: Msat,
    begun: Begun<'_>,
) -> Result<Done, ActError> {
    let link = &backend.link;
    // Nothing is freed here. Who holds an input of an open that LND was not yet asked for is somebody else, whatever
    // the id of the lease.
    let was_asked = held(&backend.opens).contains(&begun.id);
    match look(link, &begun).await {
        Ok(Look::Nothing(Hold::Free)) => {}
        Ok(Look::Known(Reconciled::Done(done))) => return Ok(done),
        Ok(Look::Nothing(_)) if !was_asked => {
            let reason = "somebody else took an input since it was chosen";
            return Err(NotDone::new(Fault::Node, reason).into());
        }
        Ok(Look::Known(Reconciled::NotDone)) => {
            let reason = "somebody else spent an input since it was chosen";
            return Err(NotDone::new(Fault::Node, reason).into());
        }
        Ok(_) => return Err(unknown("an earlier attempt holds the inputs")),
        Err(reason) => return Err(unknown(reason.to_string())),
    }
    let sat_per_vbyte = rate(link, wanted).await?;
    within_cost(link, begun.inputs, sat_per_vbyte, cost).await?;
    if let Err(reason) = dial::to_stranger(link, wanted.target).await {
        return Err(NotDone::from(reason).into());
    }
    let request = OpenChannelRequest {
        sat_per_vbyte: sat_per_vbyte.into(),
        node_pubkey: wanted.target.as_bytes().to_vec(),
        local_funding_amount: i64::try_from(wanted.capacity.get()).unwrap_or(i64::MAX),
        private: !wanted.announce,
        min_confs: 1,
        memo: begun.id.to_string(),
        outpoints: begun.inputs.iter().map(as_outpoint).collect(),
    };
    held(&backend.opens).insert(begun.id);
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
        Err(status) => match look(link, &begun).await.map(Reconciled::from) {
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

pub(super) fn done(funding: OutPoint, transaction: &Transaction) -> Done {
    Done::Opened {
        channel_id: channel_id(&funding),
        funding,
        fee: sat(transaction.total_fees),
    }
}

pub(super) fn find<'a>(known: &'a [Transaction], funding: &OutPoint) -> Option<&'a Transaction> {
    let txid = funding.txid.to_string();
    known.iter().find(|transaction| transaction.tx_hash == txid)
}

/// Those of the blocks from this height on, and the unconfirmed ones.
pub(super) async fn transactions(link: &Link, from: u32) -> Result<Vec<Transaction>, BackendError> {
    let request = GetTransactionsRequest {
        start_height: i32::try_from(from).unwrap_or(i32::MAX),
        end_height: -1,
    };
    let mut client = link.lightning();
    let call = "/lnrpc.Lightning/GetTransactions";
    let said = link.ask(call, client.get_transactions(request)).await?;
    Ok(said.transactions)
}

#[cfg(test)]
mod tests {
    use super::*;
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
