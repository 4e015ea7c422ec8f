//! A member that lets payments end in it.

use super::fellows::{blamers, neighbours, other_blames, took};
use super::{Dweller, Findings, House, Street};
use crate::demo::report::Trials;
use crate::demo::setting::{self, Neighbourhood, Wishes, impossible};
use crate::demo::stage::Stage;
use crate::failure::Failure;
use hive_core::Reply;
use hive_node::control::CommandName as C;
use hive_policy::conduct::FlagKind;
use hive_sim::world::Behaviour;
use hive_types::{Millis, NodeId};
use serde_json::Value;

/// Who fails every forward as if it could not send, and says that it can.
const HOLE: usize = 1;

/// Whose own payments never leave it: it has nobody else to blame.
const LAME: usize = 3;

/// What takes longer is not found.
const BOUND: Millis = Millis::from_hours(8);

const NAMES: [&str; 4] = ["sven", "tess", "ulla", "vera"];

/// Four members; one is a black hole, one can't send its own payments.
pub(super) fn play(street: &Street<'_>) -> Result<Option<Findings>, Failure> {
    let Neighbourhood {
        world,
        graph,
        members,
        ..
    } = setting::neighbourhood("black hole", street.seed, NAMES.len(), 500)?;
    let dweller = |(place, node): (usize, NodeId)| Dweller {
        name: NAMES[place],
        node,
        wishes: Wishes::quiet(&graph),
    };
    let dwellers: Vec<Dweller> = members.into_iter().enumerate().map(dweller).collect();
    House::new(street, world, &dwellers)?.play(black_hole)
}

/// Own probes find the black hole, and only it; it is forgiven when it forwards again.
async fn black_hole(stage: &mut Stage, trials: &mut Trials) -> Result<(), Failure> {
    const NAME: &str = "black_hole";
    stage.gather().await?;
    let (hole, lame) = (stage.members[HOLE].name.clone(), &stage.members[LAME].name);
    let text = format!("-- {hole} lets payments end in it, and {lame} can't send its own");
    stage.story.tell(&text);
    let fails = Behaviour {
        fails_forwards: true,
        ..Behaviour::default()
    };
    let is_dead = Behaviour {
        dead_first_hop: true,
        ..Behaviour::default()
    };
    behave(stage, HOLE, fails)?;
    behave(stage, LAME, is_dead)?;
    let begun = stage.ground.now();
    let around = neighbours(stage, HOLE);
    let is_found = async || blamers(stage, HOLE, FlagKind::BlackHole).await == around;
    let found = stage.until(BOUND, is_found).await;
    let found_after = took(stage, begun);
    let rates = success_rates(stage, &around).await;
    let blames = other_blames(stage, HOLE).await;
    let text = format!("-- {hole} forwards again");
    stage.story.tell(&text);
    behave(stage, HOLE, Behaviour::default())?;
    let begun = stage.ground.now();
    let is_forgiven = async || blamers(stage, HOLE, FlagKind::BlackHole).await.is_empty();
    let forgiven = found && stage.until(BOUND, is_forgiven).await;
    let held = found && forgiven && blames.is_empty() && !around.contains(&LAME);
    let how = format!(
        "{hole} failed all forwards: {} of {} fellows beside it blame it after {found_after}, by probes of their own ({rates:?} of a million succeed, they expect); blamed for nothing: {blames:?}, though {lame} can't pay anybody; forgiven {} after it forwards again",
        if found { around.len() } else { 0 },
        around.len(),
        took(stage, begun),
    );
    trials.end(NAME, held, how);
    Ok(())
}

fn behave(stage: &Stage, place: usize, how: Behaviour) -> Result<(), Failure> {
    let node = stage.members[place].node;
    let set = stage.ground.world().set_behaviour(node, how);
    set.map_err(|error| impossible(&error))
}

/// What each of the members expects of the black hole's forwards, in millionths.
async fn success_rates(stage: &Stage, by: &[usize]) -> Vec<u32> {
    let hole = stage.members[HOLE].node;
    let mut rates = Vec::new();
    for place in by {
        let reply = stage.members[*place].ask(C::HiveMembers, Value::Null).await;
        if let Ok(Reply::Members(rows)) = reply {
            let row = rows.into_iter().find(|row| row.node_id == hole);
            rates.extend(
                row.and_then(|row| row.reputation)
                    .map(|known| known.mean_ppm),
            );
        }
    }
    rates
}
