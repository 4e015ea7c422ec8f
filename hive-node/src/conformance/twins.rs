//! Two channels with one peer: BOLT 4 lets it forward over either, whatever the onion names.

use super::money::{CONFIRMATIONS, open, own_channel};
use super::payments::{Leg, balances, comes_to, route, total};
use super::{Outcome, Suite, Wrong, action_id, ensure, found, permit, wrong};
use crate::backend::{ActError, Done, Prepared, Reconciled};
use hive_types::{Action, LocalChannel, LocalSnapshot, Msat, NodeId, OutPoint, Rebalance};

/// Less than the peer has in the first channel: it could send it back there.
const AMOUNT: Msat = Msat::new(20_000_000);

/// A move out over one of two channels with a peer and back over the other, in which the peer has nothing: it
/// can only send the HTLC back over the channel by which it came, or fail it. Either way it is tried once, it
/// ends, and costs one fee at most.
pub(super) async fn t58_a_return_over_the_same_channel_costs_one_fee_at_most(
    suite: &Suite<'_>,
) -> Outcome {
    let (node, id) = (suite.subject(), action_id(40));
    let legs = twins(suite).await?;
    let before = node.snapshot().await?;
    let hops = route(&legs, AMOUNT)?;
    let sent = found(hops.first(), "hop")?.amount;
    let fee = sent.saturating_sub(AMOUNT);
    ensure(!fee.is_zero(), || {
        "the way is free, so this proves nothing".into()
    })?;
    let action = Action::Rebalance(Rebalance {
        amount: AMOUNT,
        fee,
        hops,
        beneficiary: None,
    });
    let permit = permit(&before, id, action, fee)?;
    let prepared = node.prepare(&permit).await;
    let prepared = prepared.map_err(|error| wrong("prepare", error))?;
    let (cost, became) = match node.execute(id, &permit, &prepared).await {
        Ok(Done::Paid { fee: paid }) if paid == fee => (fee, Reconciled::Done(Done::Paid { fee })),
        Err(ActError::NotDone(_)) => (Msat::ZERO, Reconciled::NotDone),
        other => return Err(Wrong(format!("it ended as {other:?}, the fee is {fee}"))),
    };
    let expected = total(&before).saturating_sub(cost);
    let settled = async || {
        let now = node.snapshot().await?;
        let quiet = now.channels.iter().all(|channel| channel.htlcs == 0);
        Ok((quiet && comes_to(&now, expected)).then_some(now))
    };
    let after = suite
        .until("the total is less by one fee at most", settled)
        .await?;
    // The same preimage again: no second HTLC, no second fee.
    let _ = node.execute(id, &permit, &prepared).await;
    for _ in 0..10 {
        suite.fixture.pass().await;
    }
    let again = suite.until("no HTLC is under way", settled).await?;
    ensure(balances(&again) == balances(&after), || {
        format!("the repetition made {again:?} of {after:?}")
    })?;
    stays(suite, &prepared, became).await
}

/// What the node says became of it.
async fn stays(suite: &Suite<'_>, prepared: &Prepared, expected: Reconciled) -> Outcome {
    let became = suite.subject().reconcile(action_id(40), prepared).await?;
    ensure(became == expected, || format!("it became {became:?}"))
}

/// Opens a second channel to the first peer; the way out over the first one and back over the second.
async fn twins(suite: &Suite<'_>) -> Outcome<Vec<Leg>> {
    let [node, peer, _] = suite.all();
    let (own, target) = (node.info().await?.node_id, peer.info().await?.node_id);
    let before = node.snapshot().await?;
    let first = own_channel(&before, target)?.clone();
    let funding = open_another(suite, &before, target).await?;
    suite.fixture.mine(CONFIRMATIONS).await;
    suite.synced().await?;
    let second = suite
        .until("both ends can use the second channel", async || {
            let (near, far) = (node.snapshot().await?, peer.snapshot().await?);
            let ready = with_funding(&near, funding).filter(|channel| channel.usable);
            let is_known = with_funding(&far, funding)
                .is_some_and(|channel| channel.usable && channel.local_policy.is_some());
            Ok(ready.filter(|_| is_known).cloned())
        })
        .await?;
    let far = peer.snapshot().await?;
    let back = found(with_funding(&far, funding), "second channel of the peer's")?;
    ensure(back.spendable < AMOUNT, || {
        format!("the peer could send {} back over it", back.spendable)
    })?;
    let place = "place in the chain";
    Ok(vec![
        Leg {
            channel: found(first.scid, place)?,
            to: target,
            policy: found(first.local_policy, "policy")?,
        },
        Leg {
            channel: found(second.scid, place)?,
            to: own,
            policy: found(back.local_policy, "policy of the peer's")?,
        },
    ])
}

async fn open_another(
    suite: &Suite<'_>,
    before: &LocalSnapshot,
    target: NodeId,
) -> Outcome<OutPoint> {
    let (node, id) = (suite.subject(), action_id(41));
    let (action, cost) = open(before, target);
    let permit = permit(before, id, action, cost)?;
    let prepared = node.prepare(&permit).await;
    let prepared = prepared.map_err(|error| wrong("prepare", error))?;
    let done = node.execute(id, &permit, &prepared).await;
    match done.map_err(|error| wrong("execute", error))? {
        Done::Opened { funding, .. } => Ok(funding),
        other => Err(Wrong(format!("an open ended as {other:?}"))),
    }
}

fn with_funding(snapshot: &LocalSnapshot, funding: OutPoint) -> Option<&LocalChannel> {
    let mut channels = snapshot.channels.iter();
    channels.find(|channel| channel.funding == funding)
}
