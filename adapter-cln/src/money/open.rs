//! Channels to open.

use super::fund::{self, Need};
use super::given::{self, Given};
use super::look::{Look, Sought, fee, look};
use super::{blame, not_read, unknown};
use crate::calls::{Connect, Listfunds, Listpeerchannels, Listpeers};
use crate::limits::FUND_TIMEOUT;
use crate::rpc::{CallError, Method, Rpc};
use crate::snapshot;
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
        begun: None,
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
    sought: Sought<'_>,
) -> Result<Done, ActError> {
    let state = look(rpc, sought).await;
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
        utxos: sought.inputs.iter().map(ToString::to_string).collect(),
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
            let error = failed(rpc, sought, error).await;
            if matches!(error, ActError::NotDone(_)) {
                given::forget(rpc, id).await;
            }
            Err(error)
        }
    }
}

/// The node says no: certain only once it has given the inputs back.
async fn failed(rpc: &Rpc, sought: Sought<'_>, error: CallError) -> ActError {
    if matches!(error, CallError::Unsent(_)) {
        return NotDone::new(Fault::Node, error.to_string()).into();
    }
    let is_refusal = matches!(error, CallError::Refused { .. });
    if !is_refusal || error.is_refusal(&[BROADCAST_FAILED]) {
        return unknown(error.to_string());
    }
    match look(rpc, sought).await {
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
    sought: Sought<'_>,
) -> Result<Reconciled, BackendError> {
    let became = match look(rpc, sought).await? {
        Look::Gone => Reconciled::NotDone,
        Look::Done(done) => Reconciled::Done(done),
        Look::Unknown(_) => Reconciled::Unknown,
        free_or_bound => unspent(rpc, id, sought.inputs, free_or_bound).await?,
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
