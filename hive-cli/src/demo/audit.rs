//! The checks at the end: from the world's chain and network, the stores, and members' replies.

use super::chronicle::Chronicle;
use super::member::Member;
use super::report::Report;
use super::script::Show;
use super::stage::Stage;
use super::trials::SLANDERER;
use hive_core::{ActionResult, Done, Event, Reply};
use hive_node::control::CommandName;
use hive_sim::world::{ChannelState, Funding, World};
use hive_types::{Action, Msat, NodeId, OutPoint, Sat};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the chain says that members opened.
pub(crate) struct Opens {
    pub(crate) fundings: Vec<Funding>,
    pub(crate) by_member: BTreeMap<String, usize>,
    pub(crate) targets: usize,
    pub(crate) capital: Sat,
}

pub(crate) fn opens(world: &World, members: &[Member]) -> Opens {
    let is_members = |node: &NodeId| members.iter().any(|member| member.node == *node);
    let fundings = world.fundings().iter();
    let fundings: Vec<Funding> = fundings
        .filter(|funding| is_members(&funding.opener))
        .cloned()
        .collect();
    let count = |member: &Member| {
        let own = fundings.iter().filter(|one| one.opener == member.node);
        (member.name.clone(), own.count())
    };
    let targets: BTreeSet<NodeId> = fundings.iter().map(|one| one.target).collect();
    Opens {
        by_member: members.iter().map(count).collect(),
        targets: targets.len(),
        capital: fundings.iter().map(|one| one.capacity).sum(),
        fundings,
    }
}

/// Pushes that came back: how many, what they moved, what they cost. From the stores, each checked
/// against the payer's fees in the world.
pub(crate) fn pushes(members: &[Member]) -> (usize, Msat, Msat) {
    let (mut count, mut moved, mut fees) = (0, Msat::ZERO, Msat::ZERO);
    for store in members.iter().filter_map(Member::store) {
        let actions = store.load().map(|read| read.actions).unwrap_or_default();
        for action in actions {
            let (Action::Rebalance(push), Some(ActionResult::Done(Done::Paid { fee }))) =
                (action.action(), &action.result)
            else {
                continue;
            };
            if push.beneficiary.is_some() {
                count += 1;
                moved = moved.saturating_add(push.amount);
                fees = fees.saturating_add(*fee);
            }
        }
    }
    (count, moved, fees)
}

/// Targets that one member wanted and did not get because another had it or got it.
pub(crate) fn contended(show: &Show, chronicle: &Chronicle) -> usize {
    let heard = show.stage.story.heard();
    let lost = heard.iter().filter_map(|heard| match &heard.event {
        Event::LockLost { target, .. } => Some((&heard.who, *target)),
        _ => None,
    });
    let contended = lost.filter(|(who, target)| {
        let locks = chronicle.locks_on(target);
        locks
            .iter()
            .any(|(holder, _)| show.stage.story.name(holder) != **who)
    });
    let targets: BTreeSet<NodeId> = contended.map(|(_, target)| target).collect();
    targets.len()
}

/// Every rule that was broken.
pub(crate) async fn violations(show: &Show, chronicle: &Chronicle, opens: &Opens) -> Vec<String> {
    let mut found = chronicle.faults();
    found.extend(chronicle.unfounded(&opens.fundings));
    found.extend(of_stage(&show.stage));
    let liar = show.stage.members[SLANDERER].node;
    for member in &show.stage.members {
        found.extend(reply_faults(member, &liar).await);
    }
    found
}

/// What the world and the stores say of the money on any stage.
pub(crate) fn of_stage(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    let fundings = {
        let world = stage.ground.world();
        let fundings = opens(&world, &stage.members).fundings;
        found.extend(world.check_conservation().err());
        found.extend(closed_channels(&world, &stage.members));
        for member in &stage.members {
            found.extend(overspent(&world, member, &fundings));
        }
        fundings
    };
    for member in &stage.members {
        found.extend(store_faults(member, &fundings));
    }
    found
}

/// Nobody ever closes a channel of a member.
fn closed_channels(world: &World, members: &[Member]) -> Vec<String> {
    let is_members = |nodes: &[NodeId; 2]| {
        let mut members = members.iter();
        members.any(|member| nodes.contains(&member.node))
    };
    let over = [ChannelState::Closing, ChannelState::Closed];
    world
        .channels()
        .filter(|channel| is_members(&channel.nodes) && over.contains(&channel.state))
        .map(|channel| format!("channel {} was closed", channel.funding))
        .collect()
}

/// The chain against the limits: the run is shorter than the day that they count by, or the newest day
/// is what counts.
fn overspent(world: &World, member: &Member, fundings: &[Funding]) -> Vec<String> {
    let limits = member.limits();
    let day = hive_types::Millis::from_days(1).get();
    let mut found = Vec::new();
    let own: Vec<&Funding> = fundings
        .iter()
        .filter(|one| one.opener == member.node)
        .collect();
    for last in &own {
        let since = last.at.get().saturating_sub(day);
        let within = own
            .iter()
            .filter(|one| one.at.get() > since && one.at <= last.at);
        let (mut count, mut capital, mut fees) = (0, Sat::ZERO, Sat::ZERO);
        for one in within {
            count += 1;
            capital = capital.saturating_add(one.capacity);
            let record = world.chain().tx(&one.outpoint.txid);
            fees = fees.saturating_add(record.map_or(Sat::ZERO, |record| record.tx.fee));
        }
        let is_over = count > limits.opens_per_day
            || capital > limits.capital_per_day
            || fees > limits.budget_per_day;
        if is_over {
            found.push(format!(
                "{} opened {count} channels with {capital} for {fees} in a day, over its limits",
                member.name
            ));
        }
    }
    let snapshot = world.snapshot(member.node);
    let left = snapshot.map(|snapshot| {
        let money = snapshot.on_chain;
        money.confirmed.saturating_add(money.unconfirmed)
    });
    if left.is_ok_and(|left| left < limits.on_chain_reserve) {
        found.push(format!("{} fell under its on-chain reserve", member.name));
    }
    found
}

/// Each funding stands in its opener's store as an action that was permitted and is done; the audit
/// log is whole.
fn store_faults(member: &Member, fundings: &[Funding]) -> Vec<String> {
    let Some(store) = member.store() else {
        return vec![format!("{} does not run", member.name)];
    };
    let mut found = Vec::new();
    if let Err(error) = store.verify_audit() {
        found.push(format!("{}: {error}", member.name));
    }
    let read = match store.load() {
        Ok(read) => read,
        Err(error) => return vec![format!("{}: {error}", member.name)],
    };
    let opened: BTreeSet<OutPoint> = read
        .actions
        .iter()
        .filter_map(|action| match &action.result {
            Some(ActionResult::Done(Done::Opened { funding, .. })) => Some(*funding),
            _ => None,
        })
        .collect();
    let own = fundings.iter().filter(|one| one.opener == member.node);
    for funding in own.filter(|one| !opened.contains(&one.outpoint)) {
        let (name, outpoint) = (&member.name, funding.outpoint);
        found.push(format!("{name} funded {outpoint} and does not know of it"));
    }
    found
}

/// No honest member is held to be a liar or blamed for anything.
async fn reply_faults(member: &Member, liar: &NodeId) -> Vec<String> {
    let reply = member.ask(CommandName::HiveMembers, Value::Null).await;
    let Ok(Reply::Members(rows)) = reply else {
        // In no fleet any more.
        return Vec::new();
    };
    let mut found = Vec::new();
    for row in rows.iter().filter(|row| row.node_id != *liar) {
        let (who, whom) = (&member.name, row.node_id.short());
        if row.equivocated {
            found.push(format!("{who} holds {whom} to have forked"));
        }
        let flags = row.flags.iter();
        found.extend(flags.map(|flag| format!("{who} blames {whom}: {}", flag.evidence)));
    }
    found
}

/// Puts all figures together.
pub(crate) async fn report(show: &Show, chronicle: &Chronicle) -> Report {
    let (opens, payments, earned) = {
        let world = show.stage.ground.world();
        let earned = show.stage.members.iter().map(|member| {
            let fees = world.fees_earned(member.node);
            fees.unwrap_or_default()
        });
        let earned: Msat = earned.sum();
        (
            opens(&world, &show.stage.members),
            show.payments(&world),
            earned,
        )
    };
    let violations = violations(show, chronicle, &opens).await;
    let meters: Vec<_> = show
        .stage
        .members
        .iter()
        .map(|member| member.backend.meter())
        .collect();
    let hours = show.stage.story.elapsed().get() as f64 / 3_600_000.0;
    let bytes: u64 = meters.iter().map(|meter| meter.bytes).sum();
    let (pushes, pushed_msat, push_fees_msat) = pushes(&show.stage.members);
    let admitted: BTreeSet<NodeId> = chronicle.admitted().into_iter().collect();
    let is_in = |nodes: &dyn Fn(&NodeId) -> bool| {
        let members = show.stage.members.iter();
        members.filter(|member| nodes(&member.node)).count()
    };
    let departed = chronicle.departed();
    Report {
        seed: show.stage.seed,
        members: show.stage.members.len(),
        nodes: show.size.0,
        channels: show.size.1,
        simulated_hours: (hours * 100.0).round() / 100.0,
        wall_seconds: (show.started.elapsed().as_secs_f64() * 100.0).round() / 100.0,
        joined: is_in(&|node| admitted.contains(node)),
        left: is_in(&|node| departed.contains(node)),
        converged: show.agreed.is_some(),
        state: show.agreed.clone().unwrap_or_default(),
        decisions: chronicle.head(),
        channels_opened: opens.fundings.len(),
        duplicate_opens: chronicle.unfounded(&opens.fundings).len(),
        distinct_targets: opens.targets,
        contended_locks: contended(show, chronicle),
        opens_by_member: opens.by_member,
        capital_opened_sat: opens.capital,
        pushes,
        pushed_msat,
        push_fees_msat,
        fees_earned_msat: earned,
        payments,
        frames: meters.iter().map(|meter| meter.frames).sum(),
        largest_frame_bytes: meters.iter().map(|meter| meter.largest).max().unwrap_or(0),
        bytes_per_member_hour: bytes_per_hour(bytes, show.stage.members.len(), hours),
        violations,
        trials: show.trials.outcomes(),
        trial_details: show.trials.details(),
    }
}

fn bytes_per_hour(bytes: u64, members: usize, hours: f64) -> u64 {
    (bytes as f64 / members.max(1) as f64 / hours.max(0.01)).round() as u64
}
