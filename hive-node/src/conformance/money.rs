//! Channels and policies: each action once, and what became of it.

use super::{LEAST_CHANNEL, Outcome, Suite, Wrong, action_id, ensure, permit, wrong};
use crate::backend::{ActError, Done, Fault, LightningBackend, Prepared, Reconciled};
use hive_types::limits::FUNDING_WEIGHT_MIN;
use hive_types::{
    Action, ActionId, ChannelPolicy, FeeratePerKw, LocalChannel, LocalSnapshot, Msat, NodeId,
    OpenChannel, Ppm, Sat, SetPolicy,
};

const CAPACITY: Sat = Sat::new(1_000_000);

/// Blocks that make a channel usable and announced.
pub(super) const CONFIRMATIONS: u32 = 10;

pub(super) fn open(local: &LocalSnapshot, target: NodeId) -> (Action, Msat) {
    open_of(local, target, CAPACITY)
}

fn open_of(local: &LocalSnapshot, target: NodeId, capacity: Sat) -> (Action, Msat) {
    // Room above the estimate: it may rise between reading and opening.
    let feerate_ceiling = FeeratePerKw::new(local.feerate.get().max(253).saturating_mul(4));
    let action = Action::Open(OpenChannel {
        target,
        capacity,
        feerate_ceiling,
        announce: true,
    });
    let most = feerate_ceiling.fee_for(4 * FUNDING_WEIGHT_MIN);
    (action, most.to_msat_saturating())
}

/// Prepared, never executed: the node says so, and nothing is there.
pub(super) async fn what_was_never_executed_is_not_done(suite: &Suite<'_>) -> Outcome {
    let (node, id) = (suite.subject(), action_id(100));
    let before = node.snapshot().await?;
    let target = suite.all()[1].info().await?.node_id;
    let (action, cost) = open(&before, target);
    let permit = permit(&before, id, action, cost)?;
    let prepared = node.prepare(&permit).await;
    let prepared = prepared.map_err(|error| wrong("prepare", error))?;
    let Prepared::Open { inputs, .. } = &prepared else {
        return Err(Wrong(format!("an open was prepared as {prepared:?}")));
    };
    ensure(!inputs.is_empty(), || "no inputs were chosen".into())?;
    let became = node.reconcile(id, &prepared).await?;
    ensure(became == Reconciled::NotDone, || {
        format!("it became {became:?}")
    })?;
    let after = node.snapshot().await?;
    ensure(after.on_chain == before.on_chain, || "money moved".into())?;
    ensure(after.channels.is_empty(), || "a channel is there".into())
}

/// An open that comes to nothing says whose fault it was: the peer's where it refuses or is away, the own
/// node's where its feerate is above what is permitted. All coins are as free afterwards as before.
pub(super) async fn faults_are_told_apart(suite: &Suite<'_>) -> Outcome {
    let node = suite.subject();
    let before = node.snapshot().await?;
    let target = suite.all()[1].info().await?.node_id;
    let small = Sat::new(LEAST_CHANNEL.get() / 2);
    let refused = open_of(&before, target, small);
    let away = open_of(&before, nobody()?, small);
    // Permitted while the feerate was lower.
    let mut earlier = before.clone();
    earlier.feerate = FeeratePerKw::new(before.feerate.get() / 2);
    let (mut too_dear, cost) = open_of(&earlier, target, CAPACITY);
    if let Action::Open(open) = &mut too_dear {
        open.feerate_ceiling = earlier.feerate;
    }
    let cases = [
        (refused, Fault::Peer),
        (away, Fault::PeerAway),
        ((too_dear, cost), Fault::Node),
    ];
    for (number, ((action, cost), expected)) in (101u8..).zip(cases) {
        let id = action_id(number);
        let permit = permit(&earlier, id, action, cost)?;
        let ended = match node.prepare(&permit).await {
            Ok(prepared) => node.execute(id, &permit, &prepared).await,
            Err(reason) => Err(reason.into()),
        };
        let is_told = matches!(&ended, Err(ActError::NotDone(reason)) if reason.fault == expected);
        ensure(is_told, || format!("not {expected:?}: {ended:?}"))?;
    }
    let after = node.snapshot().await?;
    let is_as_before = after.on_chain == before.on_chain && after.channels.is_empty();
    ensure(is_as_before, || format!("{after:?}"))
}

/// A key that no node of the world has.
fn nobody() -> Outcome<NodeId> {
    // The generator point of secp256k1, whose secret key is one.
    let point = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    point.parse().map_err(|error| wrong("a key", error))
}

/// A circle of channels. Each opens once, however often it is executed with the same inputs.
pub(super) async fn channels_open_once(suite: &Suite<'_>) -> Outcome {
    for (number, (from, to)) in (1u8..).zip([(0, 1), (1, 2), (2, 0)]) {
        let (node, target) = (suite.all()[from], suite.all()[to].info().await?.node_id);
        open_once(suite, node, target, action_id(number)).await?;
    }
    suite.fixture.mine(CONFIRMATIONS).await;
    suite.synced().await?;
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let (node, target) = (suite.all()[from], suite.all()[to].info().await?.node_id);
        suite
            .until("the channel is usable and announced", async || {
                let snapshot = node.snapshot().await?;
                let mine = own_channel(&snapshot, target)?;
                let is_ready = mine.usable && mine.announced && mine.scid.is_some();
                Ok((is_ready && mine.local_policy.is_some()).then_some(()))
            })
            .await?;
    }
    Ok(())
}

async fn open_once(
    suite: &Suite<'_>,
    node: &dyn LightningBackend,
    target: NodeId,
    id: ActionId,
) -> Outcome {
    let before = node.snapshot().await?;
    let (action, cost) = open(&before, target);
    let permit = permit(&before, id, action, cost)?;
    let prepared = node.prepare(&permit).await;
    let prepared = prepared.map_err(|error| wrong("prepare", error))?;
    let done = node.execute(id, &permit, &prepared).await;
    let done = done.map_err(|error| wrong("execute", error))?;
    let Done::Opened {
        channel_id,
        funding,
        fee,
    } = done
    else {
        return Err(Wrong(format!("an open ended as {done:?}")));
    };
    ensure(fee.to_msat_saturating() <= permit.cost(), || {
        format!("it cost {fee}, permitted were {}", permit.cost())
    })?;
    // Again with the same inputs: the chain itself forbids a second channel.
    match node.execute(id, &permit, &prepared).await {
        Err(ActError::NotDone(_) | ActError::Unknown { .. }) => {}
        Ok(Done::Opened { funding: again, .. }) if again == funding => {}
        again => return Err(Wrong(format!("the repetition ended as {again:?}"))),
    }
    suite
        .until("the node knows that it opened", async || {
            match node.reconcile(id, &prepared).await? {
                Reconciled::Unknown => Ok(None),
                Reconciled::Done(Done::Opened { funding: known, .. }) if known == funding => {
                    Ok(Some(()))
                }
                other => Err(Wrong(format!("the open became {other:?}"))),
            }
        })
        .await?;
    let after = node.snapshot().await?;
    let mine = own_channel(&after, target)?;
    ensure(
        mine.funding == funding && mine.channel_id == channel_id,
        || format!("the channel is {} of {}", mine.channel_id, mine.funding),
    )?;
    ensure(mine.capacity == CAPACITY && mine.opened_by_us, || {
        format!("the channel has {}", mine.capacity)
    })
}

/// The one channel that the node opened to the target.
pub(super) fn own_channel(snapshot: &LocalSnapshot, target: NodeId) -> Outcome<&LocalChannel> {
    let mut mine = snapshot
        .channels
        .iter()
        .filter(|channel| channel.peer == target && channel.opened_by_us);
    match (mine.next(), mine.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Wrong(format!("no channel to {target}"))),
        (Some(_), Some(_)) => Err(Wrong(format!("two channels to {target}"))),
    }
}

/// What is set reads back, at both ends; what was before is told.
pub(super) async fn policies_read_back(suite: &Suite<'_>) -> Outcome {
    let [node, peer, _] = suite.all();
    let (own, target) = (node.info().await?.node_id, peer.info().await?.node_id);
    let before = node.snapshot().await?;
    let channel = own_channel(&before, target)?.clone();
    let (Some(scid), Some(old)) = (channel.scid, channel.local_policy) else {
        return Err(Wrong("the channel has no place or no policy".into()));
    };
    let mut policy = old;
    policy.base = Msat::new(17);
    policy.rate = Ppm::new(433);
    let id = action_id(10);
    let action = Action::SetPolicy(SetPolicy {
        channel: scid,
        policy,
    });
    let permit = permit(&before, id, action, Msat::ZERO)?;
    let prepared = node.prepare(&permit).await;
    let prepared = prepared.map_err(|error| wrong("prepare", error))?;
    let expected = Prepared::Policy {
        channel: scid,
        policy,
        before: Some(old),
    };
    ensure(prepared == expected, || format!("prepared as {prepared:?}"))?;
    let became = node.reconcile(id, &prepared).await?;
    ensure(became == Reconciled::NotDone, || {
        format!("before it was set it was {became:?}")
    })?;
    let done = node.execute(id, &permit, &prepared).await;
    let done = done.map_err(|error| wrong("execute", error))?;
    let expected = Done::Set { before: Some(old) };
    ensure(done == expected, || format!("ended as {done:?}"))?;
    suite
        .until("the node knows that it set the policy", async || {
            let became = node.reconcile(id, &prepared).await?;
            Ok((became == Reconciled::Done(done.clone())).then_some(()))
        })
        .await?;
    for (reader, other) in [(node, target), (peer, own)] {
        suite
            .until("the policy reads back", async || {
                let snapshot = reader.snapshot().await?;
                let mut channels = snapshot.channels.iter();
                let same = channels.find(|seen| seen.funding == channel.funding);
                let read = same.and_then(|seen| match other == target {
                    true => seen.local_policy,
                    false => seen.remote_policy,
                });
                Ok((read == Some(policy)).then_some(()))
            })
            .await?;
    }
    Ok(())
}

/// The graph shows the circle to everybody, with the policy that was set.
pub(super) async fn graph_shows_channels(suite: &Suite<'_>) -> Outcome {
    let mut expected = Vec::new();
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let target = suite.all()[to].info().await?.node_id;
        let snapshot = suite.all()[from].snapshot().await?;
        let mine = own_channel(&snapshot, target)?;
        expected.push((snapshot.node_id, mine.scid, mine.local_policy));
    }
    for node in suite.all() {
        suite
            .until(
                "the graph has the channels and their policies",
                async || {
                    let graph = node.graph().await?;
                    let shows = |(from, scid, policy): &(NodeId, _, Option<ChannelPolicy>)| {
                        let edge = graph.edge((*scid)?, graph.node_index(from)?)?;
                        let (seen, set) = (edge.policy?, (*policy)?);
                        let fees = |policy: ChannelPolicy| (policy.base, policy.rate);
                        Some(fees(seen) == fees(set) && seen.cltv_delta == set.cltv_delta)
                    };
                    Ok(expected
                        .iter()
                        .all(|row| shows(row) == Some(true))
                        .then_some(()))
                },
            )
            .await?;
    }
    Ok(())
}
