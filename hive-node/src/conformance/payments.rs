//! Payments around the circle.

use super::money::own_channel;
use super::{Outcome, Suite, Wrong, action_id, ensure, found, permit, wrong};
use crate::backend::{Done, Prepared, ProbeFailure, ProbeFailureKind, Reconciled};
use hive_types::{Action, LocalSnapshot, Msat, NodeId, Probe, Rebalance, RouteHop, ShortChannelId};

const AMOUNT: Msat = Msat::new(50_000_000);

/// Blocks that the last hop leaves, more than any implementation asks of an invoice.
const FINAL_CLTV: u32 = 144;

/// One channel of a way, from its source's view.
pub(super) struct Leg {
    pub(super) channel: ShortChannelId,
    pub(super) to: NodeId,
    /// What its source asks for forwarding into it.
    pub(super) policy: hive_types::ChannelPolicy,
}

async fn circle(suite: &Suite<'_>) -> Outcome<Vec<Leg>> {
    let mut legs = Vec::new();
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let to = suite.all()[to].info().await?.node_id;
        let snapshot = suite.all()[from].snapshot().await?;
        let mine = own_channel(&snapshot, to)?;
        legs.push(Leg {
            channel: found(mine.scid, "place in the chain")?,
            to,
            policy: found(mine.local_policy, "policy")?,
        });
    }
    Ok(legs)
}

/// The route along the legs, built from its end: a forwarder takes the fee of its outgoing channel.
pub(super) fn route(legs: &[Leg], delivered: Msat) -> Outcome<Vec<RouteHop>> {
    let (mut amount, mut cltv_blocks) = (delivered, FINAL_CLTV);
    let mut hops = Vec::new();
    for (place, leg) in legs.iter().enumerate().rev() {
        hops.push(RouteHop {
            channel: leg.channel,
            to: leg.to,
            amount,
            cltv_blocks,
        });
        if place > 0 {
            let fee = found(leg.policy.fee(amount), "fee that fits")?;
            amount = amount.saturating_add(fee);
            cltv_blocks += u32::from(leg.policy.cltv_delta);
        }
    }
    hops.reverse();
    Ok(hops)
}

pub(super) fn total(snapshot: &LocalSnapshot) -> Msat {
    snapshot
        .channels
        .iter()
        .map(|channel| channel.spendable)
        .sum()
}

/// What is spendable in each channel.
pub(super) fn balances(snapshot: &LocalSnapshot) -> Vec<Msat> {
    let channels = snapshot.channels.iter();
    channels.map(|channel| channel.spendable).collect()
}

/// Whether the total is this one. A node that counts channels in whole satoshi rounds each of them.
pub(super) fn comes_to(now: &LocalSnapshot, expected: Msat) -> bool {
    let is_whole = |balance: &Msat| balance.get().is_multiple_of(1_000);
    let rounded = match balances(now).iter().all(is_whole) {
        true => 999 * now.channels.len() as u64,
        false => 0,
    };
    total(now).get().abs_diff(expected.get()) <= rounded
}

/// One payment around the circle. Who had nothing in the channel by which it comes back
/// keeps its reserve out of the first one: what is spendable adds up from then on.
async fn fill_the_reserve(suite: &Suite<'_>) -> Outcome {
    let (node, id) = (suite.subject(), action_id(19));
    let before = node.snapshot().await?;
    let hops = route(&circle(suite).await?, AMOUNT)?;
    let sent = found(hops.first(), "hop")?.amount;
    let fee = sent.saturating_sub(AMOUNT);
    let action = Action::Rebalance(Rebalance {
        amount: AMOUNT,
        fee,
        hops,
        beneficiary: None,
    });
    let permit = permit(&before, id, action, fee)?;
    let prepared = node.prepare(&permit).await;
    let prepared = prepared.map_err(|error| wrong("prepare", error))?;
    let done = node.execute(id, &permit, &prepared).await;
    done.map_err(|error| wrong("execute", error))?;
    suite
        .until("no HTLC is under way", async || {
            let now = node.snapshot().await?;
            let quiet = now.channels.iter().all(|channel| channel.htlcs == 0);
            Ok(quiet.then_some(()))
        })
        .await
}

/// A circular payment arrives, costs exactly its route's fee, and repeating it costs nothing more.
pub(super) async fn circular_payments_cost_their_fee_once(suite: &Suite<'_>) -> Outcome {
    fill_the_reserve(suite).await?;
    let (node, id) = (suite.subject(), action_id(20));
    let before = node.snapshot().await?;
    let hops = route(&circle(suite).await?, AMOUNT)?;
    let sent = found(hops.first(), "hop")?.amount;
    let fee = sent.saturating_sub(AMOUNT);
    ensure(!fee.is_zero(), || {
        "the circle is free, so this proves nothing".into()
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
    ensure(matches!(prepared, Prepared::Payment { .. }), || {
        format!("prepared as {prepared:?}")
    })?;
    let became = node.reconcile(id, &prepared).await?;
    ensure(became == Reconciled::NotDone, || {
        format!("before it began it was {became:?}")
    })?;
    let done = node.execute(id, &permit, &prepared).await;
    let done = done.map_err(|error| wrong("execute", error))?;
    ensure(done == Done::Paid { fee }, || {
        format!("ended as {done:?}, the fee is {fee}")
    })?;
    let expected = total(&before).saturating_sub(fee);
    let settled = async || {
        let now = node.snapshot().await?;
        let quiet = now.channels.iter().all(|channel| channel.htlcs == 0);
        Ok((quiet && comes_to(&now, expected)).then(|| balances(&now)))
    };
    let after = suite
        .until("the total is less by the fee alone", settled)
        .await?;
    // Again with the same preimage: whatever it answers, nothing moves.
    let _ = node.execute(id, &permit, &prepared).await;
    for _ in 0..10 {
        suite.fixture.pass().await;
    }
    let again = suite.until("no HTLC is under way", settled).await?;
    ensure(again == after, || {
        format!("the repetition made {again:?} of {after:?}")
    })?;
    let became = node.reconcile(id, &prepared).await?;
    let expected = Reconciled::Done(Done::Paid { fee });
    ensure(became == expected, || format!("it became {became:?}"))
}

/// A probe with an unknown hash reaches the end of its route, and one that is too large fails on the
/// way. Neither costs anything.
pub(super) async fn probes_cost_nothing(suite: &Suite<'_>) -> Outcome {
    let node = suite.subject();
    let before = node.snapshot().await?;
    let mut legs = circle(suite).await?;
    legs.pop();
    // More than the second channel ever held.
    let too_much = Msat::new(995_000_000);
    for (number, amount, should_arrive) in [(30, AMOUNT, true), (31, too_much, false)] {
        let hops = route(&legs, amount)?;
        let id = action_id(number);
        let action = Action::Probe(Probe { amount, hops });
        let permit = permit(&before, id, action, Msat::ZERO)?;
        let prepared = node.prepare(&permit).await;
        let prepared = prepared.map_err(|error| wrong("prepare", error))?;
        let done = node.execute(id, &permit, &prepared).await;
        match done {
            Ok(Done::Probed {
                arrived: true,
                failure: None,
            }) if should_arrive => {}
            Ok(Done::Probed {
                arrived: false,
                failure: Some(failure),
            }) if !should_arrive => blames_the_second(&legs, &failure)?,
            // A node may see by itself that its own channel can't carry so much.
            Err(crate::backend::ActError::NotDone(_)) if !should_arrive => {}
            other => return Err(Wrong(format!("a probe of {amount} ended as {other:?}"))),
        }
    }
    suite
        .until("the total is what it was", async || {
            let now = node.snapshot().await?;
            let quiet = now.channels.iter().all(|channel| channel.htlcs == 0);
            Ok((quiet && balances(&now) == balances(&before)).then_some(()))
        })
        .await
}

/// The failure names the node that could not forward, its channel and the reason.
fn blames_the_second(legs: &[Leg], failure: &ProbeFailure) -> Outcome {
    let [first, second] = legs else {
        return Err(Wrong("the probe's route has two channels".into()));
    };
    let is_named = failure.at == Some(first.to)
        && failure
            .channel
            .is_none_or(|channel| channel == second.channel)
        && failure.kind == ProbeFailureKind::TemporaryChannel;
    ensure(is_named, || format!("the probe failed as {failure:?}"))
}
