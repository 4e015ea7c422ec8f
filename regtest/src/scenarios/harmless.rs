//! An agent that is killed, stopped, flooded or out of disk takes nothing from its node.

use super::Stage;
use crate::failure::{Context, Failure, Outcome, ensure};
use crate::process::{children, fill_disk, signal};
use crate::wait;
use crate::world::World;
use hive_node::control::CommandName;
use hive_types::limits::MESSAGE_TYPE;
use hive_types::{Msat, Sat};
use rustix::process::Signal;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

/// The members, with a channel between them, and one without an agent.
const MEMBERS: [usize; 2] = [0, 1];
const STRANGER: usize = 2;

/// Messages of a flood, each nearly as large as one may be: more than any queue of the agent holds.
const FLOOD: u32 = 250;
const LARGE: usize = 65_000;

/// How often an agent is stopped and started in a row.
const ROUNDS: usize = 4;

/// The agent is killed; is stopped like a debugged program while a stranger floods it; is flooded while it runs;
/// can write no byte more; is stopped and started in a row; loses its node. Each time the node answers, payments
/// pass in both directions, and at the end no process of the agent's is left.
pub(super) fn t07_t64_nodes_take_no_harm(stage: &mut Stage) -> Outcome {
    let world = &mut stage.world;
    world.start(&stage.fleet.kinds(3))?;
    world.fund(0, Sat::new(2_000_000))?;
    world.open(0, 1, Sat::new(1_000_000), Sat::new(500_000))?;
    world.fleet(&MEMBERS, &[])?;
    for member in MEMBERS {
        world.connect(STRANGER, member)?;
    }
    for member in MEMBERS {
        let node = world.node(member).process();
        killed(world, member)?;
        stopped(world, member)?;
        flooded(world, member)?;
        out_of_disk(world, member)?;
        in_a_row(world, member)?;
        ensure(world.node(member).process() == node, || {
            "another node process".into()
        })?;
        without_a_node(world, member)?;
    }
    world.converged(&MEMBERS)?;
    world.hears(0, &[1])?;
    world.stop()
}

/// Both nodes answer, and payments pass in both directions.
fn well(world: &World, after: &str) -> Outcome {
    for (from, to) in [(0, 1), (1, 0)] {
        world.node(from).info()?;
        let paid = world.pay(from, to, Msat::new(1_000_000));
        paid.map_err(|failure| Failure::Wrong(format!("{after}: {failure}")))?;
    }
    Ok(())
}

fn agent(world: &World, member: usize) -> Outcome<u32> {
    world
        .agent_at(member)
        .process()
        .during("the agent's process")
}

fn killed(world: &mut World, member: usize) -> Outcome {
    world.kill_agent(member)?;
    well(world, "the agent was killed")?;
    world.start_agent(member)
}

/// What the node tells piles up while nobody reads: it waits for nobody.
fn stopped(world: &World, member: usize) -> Outcome {
    let process = agent(world, member)?;
    signal(process, Signal::STOP)?;
    let through = flood(world, member, FLOOD, || well(world, "the agent is stopped"));
    signal(process, Signal::CONT)?;
    through?;
    world.status(member)?;
    well(world, "the agent goes on")
}

fn flooded(world: &World, member: usize) -> Outcome {
    let process = agent(world, member)?;
    flood(world, member, FLOOD, || {
        well(world, "the agent is flooded")?;
        world.status(member).map(drop)
    })?;
    ensure(agent(world, member)? == process, || {
        "the flood ended the agent".into()
    })
}

/// Does something while the stranger sends so many messages of our type, and gives what came of it once all are
/// sent.
fn flood(world: &World, member: usize, count: u32, during: impl FnOnce() -> Outcome) -> Outcome {
    let to = world.id(member)?;
    let sender = world.node(STRANGER);
    let body = [b"HIVE\x01".as_slice(), &vec![0x5a; LARGE]].concat();
    let (sent, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            // Not before the deed is done, and not before all are sent.
            while sent.load(Ordering::SeqCst) < count || !is_over.load(Ordering::SeqCst) {
                sender.send_message(to, MESSAGE_TYPE, &body)?;
                sent.fetch_add(1, Ordering::SeqCst);
            }
            Ok::<_, Failure>(())
        });
        let begun = wait::until("the flood has begun", || {
            let sent = sent.load(Ordering::SeqCst);
            ensure(sent > count / 10 || sending.is_finished(), || {
                format!("{sent} messages")
            })
        });
        let through = begun.and_then(|()| during());
        is_over.store(true, Ordering::SeqCst);
        let sent = sending.join();
        sent.unwrap_or_else(|_| Err(Failure::Wrong("the sender panicked".into())))?;
        through
    })
}

/// Whatever is to be written fails: the agent does nothing any more, says why, and works again once there is
/// place and it was started anew.
fn out_of_disk(world: &mut World, member: usize) -> Outcome {
    let process = agent(world, member)?;
    fill_disk(process, true)?;
    let name = CommandName::HiveRotateKey;
    wait::until("the agent says that it can't write", || {
        match world.call(member, name, &Value::Null) {
            Ok(answer) => Err(answer.to_string()),
            Err(failure) if failure.to_string().contains("nothing is spent") => Ok(()),
            Err(failure) => Err(failure.to_string()),
        }
    })?;
    well(world, "the agent's disk is full")?;
    fill_disk(process, false)?;
    world.stop_agent(member)?;
    world.start_agent(member)
}

/// Stopped and started again and again, it is there once and leaves nothing.
fn in_a_row(world: &mut World, member: usize) -> Outcome {
    world.stop_agent(member)?;
    let without = beside(world, member)?;
    for _ in 0..ROUNDS {
        world.start_agent(member)?;
        let process = agent(world, member)?;
        world.stop_agent(member)?;
        let now = beside(world, member)?;
        ensure(now.len() == without.len(), || {
            format!("{process} was stopped, and of {without:?} became {now:?}")
        })?;
    }
    well(world, "the agent was stopped and started in a row")?;
    world.start_agent(member)
}

/// The programs that the node runs.
fn beside(world: &World, member: usize) -> Outcome<Vec<String>> {
    children(world.node(member).process().during("the node's process")?)
}

/// The node alone is killed: a plugin finds its pipes closed and leaves, an agent beside LND waits. Either is there
/// again with the node.
fn without_a_node(world: &mut World, member: usize) -> Outcome {
    let is_plugin = world.node(member).as_cln().is_some();
    let process = world.node(member).process().during("the node's process")?;
    signal(process, Signal::KILL)?;
    if is_plugin {
        wait::until("the plugin leaves after its node", || {
            let left = world.agent_at(member).process();
            ensure(left.is_none(), || format!("process {left:?} runs"))
        })?;
    }
    // What else the node had started goes too.
    world.node_mut(member).kill();
    world.node_mut(member).start()?;
    world.agent_answers(member)?;
    let other = 1 - member;
    wait::until("the channel is there again", || {
        let channels = world.node(member).channels()?;
        let peer = world.id(other)?;
        let mut with = channels.iter().filter(|channel| channel.peer == peer);
        ensure(with.any(|channel| channel.usable), || {
            format!("{channels:?}")
        })
    })?;
    world.connect(STRANGER, member)?;
    wait::until("the members are linked", || {
        let status = world.status(other)?;
        ensure(status.connected == 1, || format!("{status:?}"))
    })?;
    well(world, "the node was killed")
}
