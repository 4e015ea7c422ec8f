//! What the node's wallet, transactions and channels tell of an open, by the inputs that were chosen for it.

use super::fund::{self, outpoint};
use crate::calls::{
    Listclosedchannels, Listfunds, Listpeerchannels, Listtransactions, Output, PeerChannel,
    Transaction,
};
use crate::hex;
use crate::rpc::{CallError, Rpc};
use crate::snapshot;
use bitcoin::hashes::Hash;
use hive_node::backend::Done;
use hive_types::{ChannelId, NodeId, OutPoint, Sat, Txid};

/// The open that is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought<'a> {
    /// To whom; `None` in what was stored before this was.
    pub(super) target: Option<NodeId>,
    /// What its funding spends.
    pub(super) inputs: &'a [OutPoint],
    /// The channels with the target that it is not.
    pub(super) channels_before: &'a [ChannelId],
}

impl Sought<'_> {
    fn is_with(&self, peer: Option<NodeId>) -> bool {
        self.target.is_none() || peer == self.target
    }

    /// Whether the channel may be the one.
    fn may_be(&self, channel: &PeerChannel) -> bool {
        let id = channel.channel_id;
        let is_new = id.is_none_or(|id| !self.channels_before.contains(&id));
        let is_ours = channel.opener.as_deref() != Some("remote");
        is_new && is_ours && self.is_with(Some(channel.peer_id))
    }
}

/// What the chosen inputs tell.
pub(super) enum Look {
    /// All unspent and bound by nothing: together they hold this.
    Free(Sat),
    /// The funding of a channel with the target spends them.
    Done(Done),
    /// All unspent, and at least one reserved: by an open under way, or by what is left of one.
    Bound,
    /// A confirmed transaction that funds no channel with the target spends one: this open can't happen any more.
    Gone,
    /// Anything else.
    Unknown(String),
}

pub(super) async fn look(rpc: &Rpc, sought: Sought<'_>) -> Result<Look, CallError> {
    let outputs = rpc.call(&Listfunds { spent: true }).await?.outputs;
    let chosen = sought.inputs.iter().map(|input| {
        let mut same = outputs.iter().filter(|output| outpoint(output) == *input);
        same.next()
    });
    let Some(chosen) = chosen.collect::<Option<Vec<&Output>>>() else {
        return Ok(Look::Unknown("the wallet does not know an input".into()));
    };
    let transactions = rpc.call(&Listtransactions {}).await?.transactions;
    let is_free = chosen.iter().all(|output| fund::is_free(output));
    let mut spenders = transactions
        .iter()
        .filter(|one| !is_free && spends(one, sought.inputs));
    let Some(spender) = spenders.next() else {
        return Ok(match chosen.iter().all(|one| one.status == "confirmed") {
            false => Look::Unknown("an input is being spent".into()),
            true if awaits_unseen_funding(rpc, sought, &transactions).await? => {
                Look::Unknown("a channel waits for a funding that the wallet does not show".into())
            }
            true if is_free => Look::Free(chosen.iter().map(|one| amount(one)).sum()),
            true => Look::Bound,
        });
    };
    if let Some((channel_id, funding)) = funded_by(rpc, sought, spender.hash).await? {
        return Ok(match own_fee(&outputs, &spender.rawtx) {
            Some(fee) => Look::Done(Done::Opened {
                channel_id,
                funding,
                fee,
            }),
            None => Look::Unknown("the funding transaction can't be read".into()),
        });
    }
    Ok(match spender.blockheight {
        0 => Look::Unknown("an input is being spent".into()),
        _ => Look::Gone,
    })
}

/// Whether a channel that may be the one waits for a funding that the wallet does not show: a node that died while it
/// published one, or that was told no, has the channel, and the transaction may be with the miners.
async fn awaits_unseen_funding(
    rpc: &Rpc,
    sought: Sought<'_>,
    transactions: &[Transaction],
) -> Result<bool, CallError> {
    let id = sought.target;
    let channels = rpc.call(&Listpeerchannels { id }).await?.channels;
    let is_seen = |txid| transactions.iter().any(|one| one.hash == txid);
    Ok(channels.iter().any(|channel| {
        // Without a transaction it is being talked about, and nothing is signed.
        let is_unseen = channel.funding_txid.is_some_and(|txid| !is_seen(txid));
        is_unseen && snapshot::awaits_funding(&channel.state) && sought.may_be(channel)
    }))
}

fn transaction(raw: &str) -> Option<bitcoin::Transaction> {
    bitcoin::consensus::deserialize(&hex::decode(raw)?).ok()
}

fn spends(one: &Transaction, inputs: &[OutPoint]) -> bool {
    let Some(transaction) = transaction(&one.rawtx) else {
        return false;
    };
    transaction
        .input
        .iter()
        .any(|input| inputs.contains(&previous(input)))
}

fn previous(input: &bitcoin::TxIn) -> OutPoint {
    OutPoint {
        txid: Txid::from_bytes(input.previous_output.txid.to_byte_array()),
        vout: input.previous_output.vout,
    }
}

/// The channel with the target that the transaction funds, open or closed since.
async fn funded_by(
    rpc: &Rpc,
    sought: Sought<'_>,
    txid: Txid,
) -> Result<Option<(ChannelId, OutPoint)>, CallError> {
    let id = sought.target;
    let channels = rpc.call(&Listpeerchannels { id }).await?.channels;
    let mut open = channels
        .iter()
        .filter(|one| one.funding_txid == Some(txid) && sought.is_with(Some(one.peer_id)));
    if let Some(channel) = open.next()
        && let (Some(id), Some(vout)) = (channel.channel_id, channel.funding_outnum)
    {
        return Ok(Some((id, OutPoint { txid, vout })));
    }
    let closed = rpc.call(&Listclosedchannels {}).await?.closedchannels;
    let mut closed = closed
        .iter()
        .filter(|one| one.funding_txid == txid && sought.is_with(one.peer_id));
    Ok(closed.next().map(|channel| {
        let vout = channel.funding_outnum;
        (channel.channel_id, OutPoint { txid, vout })
    }))
}

fn amount(output: &Output) -> Sat {
    output.amount_msat.to_sat_floor()
}

/// Inputs less outputs; `None` where the transaction is none, or spends more than these inputs.
pub(super) fn fee(inputs: Sat, raw: &str) -> Option<Sat> {
    inputs.checked_sub(paid(&transaction(raw)?))
}

/// The wallet's inputs less all outputs: with inputs of the peer's too, the least that it can have cost.
fn own_fee(outputs: &[Output], raw: &str) -> Option<Sat> {
    let transaction = transaction(raw)?;
    let spent: Vec<OutPoint> = transaction.input.iter().map(previous).collect();
    let own = outputs.iter().filter(|one| spent.contains(&outpoint(one)));
    let own: Sat = own.map(amount).sum();
    Some(own.saturating_sub(paid(&transaction)))
}

fn paid(transaction: &bitcoin::Transaction) -> Sat {
    let outputs = transaction.output.iter();
    outputs.map(|output| Sat::new(output.value.to_sat())).sum()
}
