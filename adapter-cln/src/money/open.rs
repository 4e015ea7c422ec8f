//! Channels to open.

use super::fund::{self, Need, outpoint};
use super::given::{self, Given};
use super::{blame, not_read, unknown};
use crate::calls::{
    Connect, Listclosedchannels, Listfunds, Listpeerchannels, Listpeers, Listtransactions, Output,
    Transaction,
};
use crate::hex;
use crate::limits::FUND_TIMEOUT;
use crate::rpc::{CallError, Method, Rpc};
use crate::snapshot;
use bitcoin::hashes::Hash;
use hive_node::backend::{ActError, BackendError, Done, Fault, NotDone, Prepared, Reconciled};
use hive_policy::Authorized;
use hive_types::{
    ActionId, ChannelId, FeeratePerKw, Millis, NodeId, OpenChannel, OutPoint, Sat, Txid,
};
use serde::{Deserialize, Serialize};

/// `fundchannel` with chosen inputs. No pushed amount and no close address: the struct has no place for them.
#[derive(Debug, Serialize)]
struct FundchannelRequest {
    id: NodeId,
    amount: Sat,
    feerate: String,
    announce: bool,
    minconf: u32,
    utxos: Vec<String>,
}

impl Method for FundchannelRequest {
    const NAME: &'static str = "fundchannel";
    const PATIENCE: Millis = FUND_TIMEOUT;
    const WAITS: bool = true;
    type Reply = Funded;
}

#[derive(Debug, Deserialize)]
struct Funded {
    tx: String,
    txid: Txid,
    outnum: u32,
    channel_id: ChannelId,
}

/// Broadcasting failed: the transaction is signed, and whether the network has it is open.
const BROADCAST_FAILED: i32 = 303;

pub(super) async fn prepare(
    rpc: &Rpc,
    open: &OpenChannel,
    permit: &Authorized,
) -> Result<Prepared, NotDone> {
    let feerate = feerate(rpc, open).await?;
    let channels = rpc.call(&Listpeerchannels { id: None }).await;
    let channels = channels.map_err(not_read)?.channels;
    // The channel to come is an anchor channel as a rule, so the node keeps back from then on.
    let reserve = snapshot::emergency(rpc).await.map_err(not_read)?;
    let outputs = rpc.call(&Listfunds { spent: false }).await;
    let outputs = outputs.map_err(not_read)?.outputs;
    let need = Need {
        capacity: open.capacity,
        feerate,
        cost: permit.cost(),
        reserve,
    };
    let with_target = channels.iter().filter(|one| one.peer_id == open.target);
    Ok(Prepared::Open {
        target: Some(open.target),
        inputs: fund::choose(&outputs, &need)?,
        channels_before: with_target.filter_map(|one| one.channel_id).collect(),
    })
}

/// What the going rate is, where the permit allows it.
async fn feerate(rpc: &Rpc, open: &OpenChannel) -> Result<FeeratePerKw, NotDone> {
    let going = snapshot::feerate(rpc).await.map_err(not_read)?;
    let going = going.ok_or_else(|| {
        NotDone::new(
            Fault::Node,
            "the node has no feerate estimate; see what its Bitcoin backend says",
        )
    })?;
    let ceiling = open.feerate_ceiling;
    if going > ceiling {
        let (going, ceiling) = (going.get(), ceiling.get());
        return Err(NotDone::new(
            Fault::Node,
            format!("the feerate is {going} sat per 1000 weight units, permitted are {ceiling}"),
        ));
    }
    Ok(going)
}

pub(super) async fn execute(
    rpc: &Rpc,
    id: ActionId,
    open: &OpenChannel,
    permit: &Authorized,
    inputs: &[OutPoint],
) -> Result<Done, ActError> {
    let state = look(rpc, inputs).await;
    let amounts = match state.map_err(|error| unknown(error.to_string()))? {
        Look::Free(amounts) => amounts,
        Look::Done(done) => return Ok(done),
        Look::Gone => {
            let reason = "another transaction spent the chosen inputs";
            return Err(NotDone::new(Fault::Node, reason).into());
        }
        Look::Bound => return Err(unknown("an input is reserved")),
        Look::Unknown(reason) => return Err(unknown(reason)),
    };
    let feerate = feerate(rpc, open).await?;
    reach(rpc, open.target).await?;
    let request = FundchannelRequest {
        id: open.target,
        amount: open.capacity,
        feerate: format!("{}perkw", feerate.get()),
        announce: open.announce,
        minconf: 1,
        utxos: inputs.iter().map(ToString::to_string).collect(),
    };
    given::note(rpc, id).await.map_err(not_read)?;
    match rpc.call(&request).await {
        Ok(funded) => {
            let fee = fee(amounts, &funded.tx).unwrap_or_else(|| permit.cost().to_sat_ceil());
            given::forget(rpc, id).await;
            Ok(Done::Opened {
                channel_id: funded.channel_id,
                funding: OutPoint {
                    txid: funded.txid,
                    vout: funded.outnum,
                },
                fee,
            })
        }
        Err(error) => {
            let error = failed(rpc, inputs, error).await;
            if matches!(error, ActError::NotDone(_)) {
                given::forget(rpc, id).await;
            }
            Err(error)
        }
    }
}

/// The node says no: certain only once it has given the inputs back.
async fn failed(rpc: &Rpc, inputs: &[OutPoint], error: CallError) -> ActError {
    if matches!(error, CallError::Unsent(_)) {
        return NotDone::new(Fault::Node, error.to_string()).into();
    }
    let is_refusal = matches!(error, CallError::Refused { .. });
    if !is_refusal || error.is_refusal(&[BROADCAST_FAILED]) {
        return unknown(error.to_string());
    }
    match look(rpc, inputs).await {
        Ok(Look::Free(_)) => NotDone::new(blame::of_open(&error), error.to_string()).into(),
        _ => unknown(error.to_string()),
    }
}

/// A link to the target before money is bound.
async fn reach(rpc: &Rpc, target: NodeId) -> Result<(), NotDone> {
    let id = Some(target);
    let peers = rpc.call(&Listpeers { id }).await.map_err(not_read)?.peers;
    if peers.iter().any(|peer| peer.id == target && peer.connected) {
        return Ok(());
    }
    let (id, host, port) = (target, None, None);
    let linked = rpc.call(&Connect { id, host, port }).await;
    linked.map(drop).map_err(|error| {
        let reason = format!("{target} can't be reached: {error}");
        NotDone::new(blame::of_open(&error), reason)
    })
}

pub(super) async fn reconcile(
    rpc: &Rpc,
    id: ActionId,
    inputs: &[OutPoint],
) -> Result<Reconciled, BackendError> {
    let became = match look(rpc, inputs).await? {
        Look::Gone => Reconciled::NotDone,
        Look::Done(done) => Reconciled::Done(done),
        Look::Unknown(_) => Reconciled::Unknown,
        free_or_bound => unspent(rpc, id, inputs, free_or_bound).await?,
    };
    if became != Reconciled::Unknown {
        given::forget(rpc, id).await;
    }
    Ok(became)
}

/// What an open became whose inputs are unspent: that depends on which run of the node was given it.
async fn unspent(
    rpc: &Rpc,
    id: ActionId,
    inputs: &[OutPoint],
    look: Look,
) -> Result<Reconciled, BackendError> {
    let is_bound = matches!(look, Look::Bound);
    if awaits_unseen_funding(rpc).await? {
        return Ok(Reconciled::Unknown);
    }
    Ok(match given::to(rpc, id).await? {
        Given::Now if is_bound => Reconciled::Unknown,
        // Before it binds them it connects, which may take its time.
        Given::Now => match given::withhold(rpc, inputs).await? {
            true => Reconciled::NotDone,
            false => Reconciled::Unknown,
        },
        Given::Earlier => {
            if is_bound {
                given::release(rpc, inputs).await;
            }
            Reconciled::NotDone
        }
        // Nobody bound them, or somebody else did.
        Given::Never => Reconciled::NotDone,
    })
}

/// What the chosen inputs tell.
enum Look {
    /// All unspent and bound by nothing: together they hold this.
    Free(Sat),
    /// A channel's funding spends them.
    Done(Done),
    /// All unspent, and at least one reserved: by an open under way, or by what is left of one.
    Bound,
    /// A confirmed transaction that funds no channel spends one: this open can't happen any more.
    Gone,
    /// Anything else.
    Unknown(String),
}

async fn look(rpc: &Rpc, inputs: &[OutPoint]) -> Result<Look, CallError> {
    let outputs = rpc.call(&Listfunds { spent: true }).await?.outputs;
    let chosen = inputs.iter().map(|input| {
        let mut same = outputs.iter().filter(|output| outpoint(output) == *input);
        same.next()
    });
    let Some(chosen) = chosen.collect::<Option<Vec<&Output>>>() else {
        return Ok(Look::Unknown("the wallet does not know an input".into()));
    };
    let amounts = chosen
        .iter()
        .map(|output| output.amount_msat.to_sat_floor());
    let amounts: Sat = amounts.sum();
    if chosen.iter().all(|output| fund::is_free(output)) {
        return Ok(Look::Free(amounts));
    }
    let transactions = rpc.call(&Listtransactions {}).await?.transactions;
    let mut spenders = transactions.iter().filter(|one| spends(one, inputs));
    let Some(spender) = spenders.next() else {
        let is_unspent = chosen.iter().all(|output| output.status == "confirmed");
        return Ok(match is_unspent {
            true => Look::Bound,
            false => Look::Unknown("an input is being spent".into()),
        });
    };
    if let Some((channel_id, funding)) = funded_by(rpc, spender.hash).await? {
        return Ok(match fee(amounts, &spender.rawtx) {
            Some(fee) => Look::Done(Done::Opened {
                channel_id,
                funding,
                fee,
            }),
            None => Look::Unknown("the funding transaction has other inputs too".into()),
        });
    }
    Ok(match spender.blockheight {
        0 => Look::Unknown("an input is being spent".into()),
        _ => Look::Gone,
    })
}

/// Whether a channel of ours waits for a funding that the wallet does not show: a node that died while it published one
/// has the channel, and the transaction may be with the miners.
async fn awaits_unseen_funding(rpc: &Rpc) -> Result<bool, CallError> {
    let channels = rpc.call(&Listpeerchannels { id: None }).await?.channels;
    let transactions = rpc.call(&Listtransactions {}).await?.transactions;
    let is_seen = |txid| transactions.iter().any(|one| Some(one.hash) == txid);
    Ok(channels.iter().any(|channel| {
        let is_ours = channel.opener.as_deref() != Some("remote");
        is_ours && snapshot::awaits_funding(&channel.state) && !is_seen(channel.funding_txid)
    }))
}

fn transaction(raw: &str) -> Option<bitcoin::Transaction> {
    bitcoin::consensus::deserialize(&hex::decode(raw)?).ok()
}

fn spends(one: &Transaction, inputs: &[OutPoint]) -> bool {
    let Some(transaction) = transaction(&one.rawtx) else {
        return false;
    };
    transaction.input.iter().any(|input| {
        let previous = OutPoint {
            txid: Txid::from_bytes(input.previous_output.txid.to_byte_array()),
            vout: input.previous_output.vout,
        };
        inputs.contains(&previous)
    })
}

/// The channel that the transaction funds, open or closed since.
async fn funded_by(rpc: &Rpc, txid: Txid) -> Result<Option<(ChannelId, OutPoint)>, CallError> {
    let channels = rpc.call(&Listpeerchannels { id: None }).await?.channels;
    let mut open = channels.iter().filter(|one| one.funding_txid == Some(txid));
    if let Some(channel) = open.next()
        && let (Some(id), Some(vout)) = (channel.channel_id, channel.funding_outnum)
    {
        return Ok(Some((id, OutPoint { txid, vout })));
    }
    let closed = rpc.call(&Listclosedchannels {}).await?.closedchannels;
    let mut closed = closed.iter().filter(|one| one.funding_txid == txid);
    Ok(closed.next().map(|channel| {
        let vout = channel.funding_outnum;
        (channel.channel_id, OutPoint { txid, vout })
    }))
}

/// Inputs less outputs; `None` where the transaction is none, or spends more than these inputs.
fn fee(inputs: Sat, raw: &str) -> Option<Sat> {
    let transaction = transaction(raw)?;
    let outputs = transaction
        .output
        .iter()
        .map(|output| output.value.to_sat());
    inputs.checked_sub(outputs.map(Sat::new).sum())
}
