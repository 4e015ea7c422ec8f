//! A member that lets others forward for it and forwards nothing for them.

use super::fellows::{blamers, other_blames, took};
use super::outsiders::pay_along;
use super::{Dweller, Findings, House, Street};
use crate::demo::report::Trials;
use crate::demo::setting::{self, Neighbourhood, Wishes};
use crate::demo::stage::Stage;
use crate::failure::Failure;
use hive_core::Reply;
use hive_node::control::CommandName as C;
use hive_policy::conduct::FlagKind;
use hive_types::{Millis, Msat, NodeId};
use serde_json::Value;

/// Who forwards: it sends on what outsiders pay to the leech, for nothing.
const GIVER: usize = 0;

/// Who takes: it is paid through the giver, and brings it nothing to forward.
const LEECH: usize = 1;

/// An honest fellow of the giver's, with traffic both ways.
const FAIR: usize = 2;

/// One payment.
const PAYMENT: Msat = Msat::new(200_000_000);

/// Payments in a day to the leech: under half of the corridor's capacity, so that no drain is alarmed.
const PAYMENTS_PER_DAY: u64 = 8;

/// Whole days that traffic is counted over before anybody is blamed.
const DAYS: u64 = 3;

/// What takes longer after them is not found.
const BOUND: Millis = Millis::from_hours(4);

const NAMES: [&str; 3] = ["walt", "xena", "zoe"];

/// Three members; one of them only takes.
pub(super) fn play(street: &Street<'_>) -> Result<Option<Findings>, Failure> {
    let Neighbourhood {
        world,
        graph,
        members,
        peers,
    } = setting::neighbourhood("leech", street.seed, NAMES.len(), 500)?;
    let dweller = |(place, node): (usize, NodeId)| Dweller {
        name: NAMES[place],
        node,
        wishes: Wishes::quiet(&graph),
    };
    let dwellers: Vec<Dweller> = members.iter().copied().enumerate().map(dweller).collect();
    let outside = (peers[0], peers[1]);
    House::new(street, world, &dwellers)?
        .play(async |stage, trials| leech(stage, trials, outside).await)
}

/// What people pay in a day: to the leech through the giver, back and forth between the giver's peers
/// and its fair fellow; and the leech buys from the giver, which no forwarding is.
async fn a_day(stage: &Stage, (one, other): (NodeId, NodeId), day: u64) -> Result<(), Failure> {
    let [giver, leech, fair] = [GIVER, LEECH, FAIR].map(|place| stage.members[place].node);
    let pace = Millis::new(Millis::from_days(1).get() / PAYMENTS_PER_DAY);
    for number in 0..PAYMENTS_PER_DAY {
        let number = day * PAYMENTS_PER_DAY + number;
        pay_along(stage, &[one, giver, leech], PAYMENT, number)?;
        pay_along(stage, &[leech, giver], PAYMENT, number)?;
        pay_along(stage, &[one, giver, fair], PAYMENT, number)?;
        pay_along(stage, &[fair, giver, other], PAYMENT, number)?;
        // People outside pay each other, so that nobody's channels with them run dry.
        pay_along(stage, &[giver, one], PAYMENT, 2 * number)?;
        pay_along(stage, &[giver, one], PAYMENT, 2 * number + 1)?;
        pay_along(stage, &[other, giver], PAYMENT, number)?;
        stage.ground.ring();
        stage.pause(pace).await;
    }
    Ok(())
}

/// The leech is found once there is enough to count, and nobody else is; nobody is put out for it.
async fn leech(
    stage: &mut Stage,
    trials: &mut Trials,
    outside: (NodeId, NodeId),
) -> Result<(), Failure> {
    const NAME: &str = "leech";
    stage.gather().await?;
    let name = stage.members[LEECH].name.clone();
    stage
        .story
        .tell(&format!("-- {name} takes, and never gives"));
    let begun = stage.ground.now();
    let mut early = 0;
    for day in 0..DAYS {
        early += blamers(stage, LEECH, FlagKind::Leech).await.len();
        a_day(stage, outside, day).await?;
    }
    let is_found = async || blamers(stage, LEECH, FlagKind::Leech).await == [GIVER];
    let found = stage.until(BOUND, is_found).await;
    let found_after = took(stage, begun);
    let (given, taken) = volumes(stage).await;
    let blames = other_blames(stage, LEECH).await;
    let members = stage.members[GIVER]
        .status()
        .await
        .map_or(0, |status| status.members);
    let held = found && blames.is_empty() && members == stage.members.len() && early == 0;
    let how = format!(
        "{} forwarded {given} to {name}, which brought it {taken}: blamed {} within {found_after}; a fellow with traffic both ways is not: {blames:?}; {members} members stay",
        stage.members[GIVER].name,
        if found { "as a leech" } else { "for nothing" },
    );
    trials.end(NAME, held, how);
    Ok(())
}

/// What the giver counted: forwarded for the leech, and by it.
async fn volumes(stage: &Stage) -> (Msat, Msat) {
    let reply = stage.members[GIVER]
        .ask(C::HiveContribution, Value::Null)
        .await;
    let leech = stage.members[LEECH].node;
    let Ok(Reply::Contribution(rows)) = reply else {
        return (Msat::ZERO, Msat::ZERO);
    };
    let row = rows.into_iter().find(|row| row.node_id == leech);
    row.map_or((Msat::ZERO, Msat::ZERO), |row| {
        (row.forwarded_for, row.forwarded_by)
    })
}
