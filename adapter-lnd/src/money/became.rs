//! What became of an open: by its channel, by what spends its inputs, and by who holds them.

use super::abandoned::{self, OWN_LEASE};
use super::open::{done, find, leases, transactions, unspent, utxo_outpoint};
use crate::connect::Link;
use crate::convert::outpoint;
use crate::proto::lnrpc::{ClosedChannelsRequest, PendingChannelsRequest};
use crate::snapshot::channels;
use hive_node::backend::{BackendError, Reconciled};
use hive_types::{ActionId, NodeId, OutPoint, UnixMillis};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// LND goes on with an open whose agent was killed just after it asked for it: by then it holds the inputs.
const SECOND_LOOK: Duration = Duration::from_secs(3);

/// What was written down of an open before it began.
#[derive(Clone, Copy)]
pub(super) struct Begun<'a> {
    pub(super) id: ActionId,
    pub(super) target: Option<NodeId>,
    pub(super) at: Option<UnixMillis>,
    pub(super) inputs: &'a [OutPoint],
}

/// What became of an open. One that died with LND, or with the link to its target, left its inputs leased: they are
/// freed once it is certain that nothing comes of it.
pub(super) async fn reconcile(link: &Link, open: &Begun<'_>) -> Result<Reconciled, BackendError> {
    let mut seen = look(link, open).await?;
    if matches!(seen, Look::Nothing(Hold::Free | Hold::Others)) {
        tokio::time::sleep(SECOND_LOOK).await;
        seen = look(link, open).await?;
    }
    let (Look::Nothing(Hold::Leased), Some(target)) = (&seen, open.target) else {
        return Ok(seen.into());
    };
    if !abandoned::is_over(link, target).await? {
        return Ok(Reconciled::Unknown);
    }
    // Once more: what it came to before it was over is seen by now.
    let seen = look(link, open).await?;
    if !matches!(seen, Look::Nothing(Hold::Leased)) {
        return Ok(seen.into());
    }
    abandoned::release(link, &leases(link).await?, open).await;
    Ok(Reconciled::NotDone)
}

/// What inputs, channels and transactions tell of an open.
pub(super) enum Look {
    Known(Reconciled),
    /// Nothing came of it so far.
    Nothing(Hold),
}

/// Who holds the inputs: of several, what comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// Nobody.
    Free,
    /// Somebody other than LND, under an id of his own. This open does not.
    Others,
    /// LND, for this open, another one, a sweep or a PSBT: it has one id for them all.
    Leased,
    /// Nothing tells.
    Hidden,
}

impl From<Look> for Reconciled {
    fn from(look: Look) -> Self {
        match look {
            Look::Known(known) => known,
            Look::Nothing(Hold::Free | Hold::Others) => Self::NotDone,
            Look::Nothing(Hold::Leased | Hold::Hidden) => Self::Unknown,
        }
    }
}

/// The channel that bears the action's id, or a closed one with the target whose funding spends the inputs: done. Any
/// other confirmed transaction spends one, the funding of somebody else's channel too: it can't be done any more. Otherwise, who holds them.
pub(super) async fn look(link: &Link, open: &Begun<'_>) -> Result<Look, BackendError> {
    // In this order: an open that comes between two of these is seen by a later one.
    let hold = hold(link, open.inputs).await?;
    let known = transactions(link, 0).await?;
    let channels = fundings(link).await?;
    let spending = known.iter().find(|transaction| {
        let mut spent = transaction.previous_outpoints.iter();
        spent.any(|place| {
            let mut inputs = open.inputs.iter();
            inputs.any(|input| input.to_string() == place.outpoint)
        })
    });
    let memo = Some(open.id.to_string());
    let mine = channels.iter().find(|channel| channel.memo == memo);
    let closed = spending.and_then(|transaction| {
        let peer = open.target.map(|target| target.to_string());
        let mut closed = channels.iter().filter(|channel| channel.memo.is_none());
        closed.find(|channel| {
            channel.funding.txid.to_string() == transaction.tx_hash
                && peer.as_ref().is_none_or(|peer| *peer == channel.peer)
        })
    });
    if let Some(channel) = mine.or(closed) {
        // Without its transaction it is a channel all the same, whose cost is told later.
        let found = find(&known, &channel.funding);
        return Ok(Look::Known(
            found.map_or(Reconciled::Unknown, |transaction| {
                Reconciled::Done(done(channel.funding, transaction))
            }),
        ));
    }
    Ok(match spending {
        Some(other) if other.num_confirmations > 0 => Look::Known(Reconciled::NotDone),
        Some(_) => Look::Known(Reconciled::Unknown),
        None => Look::Nothing(hold),
    })
}

/// Unconfirmed outputs are outputs too: after a reorganization an input may be one.
async fn hold(link: &Link, inputs: &[OutPoint]) -> Result<Hold, BackendError> {
    let leases: BTreeMap<_, _> = leases(link).await?.into_iter().collect();
    let mut there = BTreeSet::new();
    for utxo in unspent(link, 0).await? {
        there.insert(utxo_outpoint(&utxo)?);
    }
    let of = |input: &OutPoint| match leases.get(input) {
        Some(lease) if lease.id == OWN_LEASE => Hold::Leased,
        Some(_) => Hold::Others,
        None if there.contains(input) => Hold::Free,
        None => Hold::Hidden,
    };
    Ok(inputs.iter().map(of).max().unwrap_or(Hold::Free))
}

struct Funding {
    funding: OutPoint,
    peer: String,
    /// The id of the action that opened it, or what its operator wrote there; LND keeps none of closed ones.
    memo: Option<String>,
}

/// Of all channels: opening, open, closing and closed.
async fn fundings(link: &Link) -> Result<Vec<Funding>, BackendError> {
    let mut client = link.lightning();
    let call = "/lnrpc.Lightning/PendingChannels";
    let pending = link
        .ask(call, client.pending_channels(PendingChannelsRequest {}))
        .await?;
    let closing = pending.waiting_close_channels.into_iter();
    let closing = closing.map(|one| one.channel);
    let forced = pending.pending_force_closing_channels.into_iter();
    let pending = closing.chain(forced.map(|one| one.channel)).flatten();
    let now = channels(link).await?;
    let opening = now.opening.into_iter().filter_map(|one| one.channel);
    let pending = pending
        .chain(opening)
        .map(|one| (one.channel_point, one.remote_node_pub, Some(one.memo)));
    let open = now.open.into_iter();
    let open = open.map(|one| (one.channel_point, one.remote_pubkey, Some(one.memo)));
    let call = "/lnrpc.Lightning/ClosedChannels";
    let closed = link
        .ask(call, client.closed_channels(ClosedChannelsRequest {}))
        .await?;
    let closed = closed.channels.into_iter();
    let closed = closed.map(|one| (one.channel_point, one.remote_pubkey, None));
    pending
        .chain(open)
        .chain(closed)
        .map(|(point, peer, memo)| {
            let funding = outpoint(&point)?;
            Ok(Funding {
                funding,
                peer,
                memo,
            })
        })
        .collect()
}
