//! What scenarios about money share: what is asked of operators' agents, and what nodes show of fees and
//! balances.

use crate::failure::{Context, Failure, Outcome, ensure, wrong};
use crate::wait;
use crate::world::World;
use hive_core::{ProposalRow, Reply, Report};
use hive_node::control::CommandName;
use hive_types::{Action, ActionId, Msat, NodeId, Ppm, ShortChannelId};
use serde_json::{Value, json};

/// Base fee and rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fees(pub(super) Msat, pub(super) Ppm);

impl Fees {
    /// What fellows ask of each other.
    pub(super) const NONE: Self = Self(Msat::ZERO, Ppm::ZERO);
}

/// Waits until these nodes' graphs show what `end` asks on a channel.
pub(super) fn asks(
    world: &World,
    channel: ShortChannelId,
    end: usize,
    fees: Fees,
    seen_by: &[usize],
) -> Outcome {
    let from = world.id(end)?;
    for &place in seen_by {
        let node = world.node(place);
        let what = format!("{} sees that node {end} asks {fees:?}", node.name());
        wait::until(what, || {
            let seen = node.policy(channel, from)?;
            let is_it = seen.is_some_and(|seen| Fees(seen.base, seen.rate) == fees);
            ensure(is_it, || format!("{seen:?}"))
        })?;
    }
    Ok(())
}

/// Proposals that wait for the operator.
pub(super) fn pending(world: &World, place: usize) -> Outcome<Vec<ProposalRow>> {
    match world.ask(place, CommandName::HivePending, &Value::Null)? {
        Reply::Proposals(rows) => Ok(rows),
        other => wrong(format!("hive-pending gave {other:?}")),
    }
}

/// Waits until a proposal waits for the operator that `wanted` picks, and gives its id and what it would do.
pub(super) fn proposed<T>(
    world: &World,
    place: usize,
    what: &str,
    wanted: impl Fn(&Action) -> Option<T>,
) -> Outcome<(ActionId, T)> {
    let waited = wait::until(format!("member {place} proposes {what}"), || {
        let rows = pending(world, place)?;
        let mut found = rows
            .iter()
            .filter_map(|row| Some((row.id?, wanted(&row.proposal.action)?)));
        let shown = || format!("pending: {rows:?}");
        found.next().ok_or_else(|| Failure::Wrong(shown()))
    });
    waited.map_err(|failure| {
        // Planning is work: asked only where its notes may say why there is no proposal.
        let plan = world.call(place, CommandName::HivePlan, &Value::Null);
        Failure::Wrong(format!("{failure}; its plan: {plan:?}"))
    })
}

/// A target that an open is to.
pub(super) fn open_to(target: NodeId) -> impl Fn(&Action) -> Option<hive_types::OpenChannel> {
    move |action| match action {
        Action::Open(open) if open.target == target => Some(*open),
        _ => None,
    }
}

/// The operator's yes.
pub(super) fn approve(world: &World, place: usize, id: ActionId, dry_run: bool) -> Outcome<String> {
    let params = json!({"id": id.to_string(), "dry_run": dry_run});
    match world.ask(place, CommandName::HiveApprove, &params)? {
        Reply::Done(line) => Ok(line),
        other => wrong(format!("hive-approve gave {other:?}")),
    }
}

/// The bill.
pub(super) fn report(world: &World, place: usize) -> Outcome<Report> {
    match world.ask(place, CommandName::HiveReport, &Value::Null)? {
        Reply::Report(report) => Ok(report),
        other => wrong(format!("hive-report gave {other:?}")),
    }
}

/// The audit log's rows about one action or all, as text, with the chain's verdict.
pub(super) fn log(world: &World, place: usize) -> Outcome<String> {
    let answer = world.call(place, CommandName::HiveLog, &json!({"limit": 1_000}))?;
    Ok(answer.to_string())
}

/// What a node has in all its channels.
pub(super) fn in_channels(world: &World, place: usize) -> Outcome<Msat> {
    let channels = world.node(place).channels()?;
    Ok(channels.iter().map(|channel| channel.local).sum())
}

/// What a node has in one channel.
pub(super) fn in_channel(world: &World, place: usize, scid: ShortChannelId) -> Outcome<Msat> {
    let channels = world.node(place).channels()?;
    let mut found = channels.iter().filter(|own| own.scid == Some(scid));
    let found = found
        .next()
        .during(format!("channel {scid} of node {place}"))?;
    Ok(found.local)
}
