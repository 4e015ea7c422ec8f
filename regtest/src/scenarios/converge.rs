//! Five members agree, whoever was away meanwhile.

use super::Stage;
use crate::failure::{Context, Outcome, ensure, wrong};
use crate::node::{Kind, Open};
use crate::process::cpu_seconds;
use crate::wait;
use crate::world::World;
use hive_core::{LockRow, Reply};
use hive_node::control::CommandName;
use hive_types::{NodeId, Sat, Tier};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The members; the last one is away for a while.
const MEMBERS: [usize; 5] = [0, 1, 2, 3, 4];
const AWAY: usize = 4;

/// Over how long an idle agent is watched, and how many commands it is given to see how fast it answers.
const IDLE: Duration = Duration::from_secs(10);
const COMMANDS: u32 = 200;

/// Five members come to the same roster, decisions and locks; one whose agent was down has the same after.
/// Two of them have nothing but a private channel: no graph holds them, and they sign all the same.
pub(super) fn t08_t14_five_members_agree(stage: &mut Stage) -> Outcome {
    let fleet = stage.fleet;
    let world = &mut stage.world;
    world.start(&fleet.kinds(MEMBERS.len()))?;
    private_channel(world)?;
    let begun = Instant::now();
    world.fleet(&MEMBERS, &[])?;
    let seconds = begun.elapsed().as_secs_f32();
    println!("FIGURE regtest_{fleet}_five_agents_to_agreement {seconds:.1} s -");
    agreed(world)?;
    world.stop_agent(AWAY)?;
    let missed = news(world)?;
    let begun = Instant::now();
    world.start_agent(AWAY)?;
    wait::until("the absent member has what was decided", || {
        let status = world.status(AWAY)?;
        ensure(status.head >= missed, || format!("{status:?}"))
    })?;
    agreed(world)?;
    let seconds = begun.elapsed().as_secs_f32();
    println!("FIGURE regtest_{fleet}_absent_agent_to_agreement {seconds:.1} s -");
    figures(world)?;
    world.stop()
}

/// The founder's only channel is private, with the member beside it.
fn private_channel(world: &World) -> Outcome {
    world.fund(0, Sat::new(5_000_000))?;
    world.connect(0, 1)?;
    let open = Open {
        peer: world.id(1)?,
        capacity: Sat::new(1_000_000),
        push: Sat::new(300_000),
        announce: false,
    };
    let funding = world.node(0).open(&open)?;
    world.confirm(&funding)?;
    world.usable(0, 1, &funding)?;
    world.usable(1, 0, &funding)?;
    for place in [2, 3] {
        for signer in [0, 1] {
            let id = world.id(signer)?;
            ensure(!in_graph(world, place, id)?, || {
                format!("{id} stands in the graph of node {place}")
            })?;
        }
    }
    Ok(())
}

fn in_graph(world: &World, place: usize, id: NodeId) -> Outcome<bool> {
    let node = world.node(place);
    match node.kind() {
        // LND answers with an error for a node that it does not know.
        Kind::Lnd => Ok(node
            .request(&format!("/v1/graph/node/{id}"), &Value::Null)
            .is_ok()),
        Kind::Cln => {
            let answer = node.request("listnodes", &json!({"id": id.to_string()}))?;
            let nodes = answer.get("nodes").and_then(Value::as_array);
            Ok(!nodes.during("nodes")?.is_empty())
        }
    }
}

/// What is decided and told while one is away: new epochs of two members. Gives the number of the
/// newest decision.
fn news(world: &World) -> Outcome<u64> {
    world.hears(1, &[0, 2, 3])?;
    world.hears(2, &[0, 1, 3])?;
    world.converged(&[0, 1, 2, 3])?;
    Ok(world.status(0)?.head)
}

/// One state, one roster, one list of locks.
fn agreed(world: &World) -> Outcome {
    world.converged(&MEMBERS)?;
    wait::until("all members show the same", || {
        let first = seen(world, 0)?;
        let (roster, _) = &first;
        let all_full = roster.values().all(|tier| *tier == Tier::Full);
        ensure(roster.len() == MEMBERS.len() && all_full, || {
            format!("{roster:?}")
        })?;
        for place in MEMBERS {
            let other = seen(world, place)?;
            ensure(other == first, || format!("{first:?} and {other:?}"))?;
        }
        Ok::<_, crate::failure::Failure>(())
    })
}

fn seen(world: &World, place: usize) -> Outcome<(BTreeMap<NodeId, Tier>, Vec<LockRow>)> {
    let members = world.members(place)?;
    let honest = members
        .iter()
        .all(|row| !row.equivocated && row.flags.is_empty());
    ensure(honest, || format!("somebody is blamed: {members:?}"))?;
    let roster = members.iter().map(|row| (row.node_id, row.tier)).collect();
    match world.ask(place, CommandName::HiveLocks, &Value::Null)? {
        Reply::Locks(locks) => Ok((roster, locks)),
        other => wrong(format!("hive-locks gave {other:?}")),
    }
}

/// What an agent costs beside its node, and how fast it answers.
fn figures(world: &World) -> Outcome {
    let mut kinds = BTreeMap::new();
    for place in MEMBERS {
        kinds.entry(world.node(place).kind()).or_insert(place);
    }
    for (kind, place) in kinds {
        let process = world
            .agent_at(place)
            .process()
            .during("the agent's process")?;
        let memory = world.agent_at(place).memory_kib().during("its memory")?;
        println!(
            "FIGURE regtest_{kind}_agent_memory {} MiB 80",
            memory / 1_024
        );
        let before = cpu_seconds(process).during("its processor time")?;
        let begun = Instant::now();
        wait::until("an idle agent was watched", || {
            ensure(begun.elapsed() >= IDLE, || "not yet".into())
        })?;
        let used = cpu_seconds(process).during("its processor time")? - before;
        // With a clock that runs this much faster: a real agent has as much less to do.
        let speed = world.speed();
        let share = used / begun.elapsed().as_secs_f64() * 100.0;
        println!("FIGURE regtest_{kind}_agent_idle_cpu_at_{speed}_times_the_clock {share:.2} % -");
        let begun = Instant::now();
        for _ in 0..COMMANDS {
            world.status(place)?;
        }
        let rate = f64::from(COMMANDS) / begun.elapsed().as_secs_f64();
        println!("FIGURE regtest_{kind}_agent_commands {rate:.0} /s -");
    }
    Ok(())
}
