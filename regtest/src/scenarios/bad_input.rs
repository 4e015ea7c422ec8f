//! What operators get wrong, and nodes that are not ready: a message that says what to do, and an exit or
//! patience.

use super::{Fleet, Stage};
use crate::failure::{Context, Failure, Outcome, ensure};
use crate::wait;
use crate::world::World;
use hive_node::control::CommandName;
use hive_policy::Mode;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The exit status that says that starting again does not help before something is changed.
const BAD_INPUT: i32 = 2;

/// Beside LND: no node, a macaroon of nobody, one that allows too little, a misspelt limit, stores of another node
/// and of another network, a new certificate. Beside Core Lightning: a misspelt limit, the stores, a missing file.
/// The node goes on in each case, and once the fault is gone the agent works.
pub(super) fn slips_are_told(stage: &mut Stage) -> Outcome {
    let fleet = stage.fleet;
    let world = &mut stage.world;
    world.start(&fleet.kinds(2))?;
    for place in [0, 1] {
        world.agent(place, &[])?;
        world.stop_agent(place)?;
        match world.node(place).as_lnd().is_some() {
            true => beside_lnd(world, place)?,
            false => beside_cln(world, place)?,
        }
        ensure(world.node_mut(place).is_running(), || {
            "the node is gone".into()
        })?;
    }
    for place in [0, 1] {
        world.start_agent(place)?;
    }
    world.found(0)?;
    world.join(0, 1, "full")?;
    if fleet != Fleet::Cln {
        new_certificate(world)?;
    }
    world.stop()
}

fn beside_lnd(world: &mut World, place: usize) -> Outcome {
    let macaroon = world.agent_at(place).folder().join("hive.macaroon");
    let good = fs::read(&macaroon).during(macaroon.display())?;
    // Bytes that are no macaroon, then one whose signature is not this LND's.
    let mut foreign = good.clone();
    let last = foreign.last_mut().during("a macaroon")?;
    *last ^= 1;
    for (bytes, words) in [(b"nonsense".as_slice(), "macaroon"), (&foreign, "macaroon")] {
        fs::write(&macaroon, bytes).during(macaroon.display())?;
        exits(world, place, words)?;
    }
    narrow_macaroon(world, place, &macaroon)?;
    fs::write(&macaroon, &good).during(macaroon.display())?;
    world.set(place, "limits.budget_per_day", "lots")?;
    exits(world, place, "BUDGET_PER_DAY")?;
    world.set(place, "limits.budget_per_day", "10000sat")?;
    let own = world.agent_at(place).folder().display().to_string();
    let stranger = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    world.set(
        place,
        "data_dir",
        &store_of(world, place, stranger, "regtest")?,
    )?;
    exits(world, place, "belongs to node")?;
    let id = world.id(place)?.to_string();
    world.set(place, "data_dir", &store_of(world, place, &id, "signet")?)?;
    exits(world, place, "was written on signet")?;
    world.set(place, "data_dir", &own)?;
    waits_for_node(world, place)
}

/// No node: the agent waits for it, and serves once it is there.
fn waits_for_node(world: &mut World, place: usize) -> Outcome {
    world.node_mut(place).stop()?;
    let before = world.lines_with(place, "waiting for the node")?;
    world.launch_agent(place)?;
    wait::until("the agent says that it waits for its node", || {
        let now = world.lines_with(place, "waiting for the node")?;
        ensure(now > before, || world.agent_at(place).tail(3))
    })?;
    world.node_mut(place).start()?;
    world.agent_answers(place)?;
    world.stop_agent(place)
}

/// LND makes a new certificate when it finds none: the agent reads it and goes on.
fn new_certificate(world: &mut World) -> Outcome {
    let lnd = world.node(0).as_lnd().during("an LND at the first place")?;
    let certificate = lnd.certificate();
    let key = certificate.with_extension("key");
    let old = fs::read(&certificate).during(certificate.display())?;
    world.node_mut(0).stop()?;
    for file in [&certificate, &key] {
        fs::remove_file(file).during(file.display())?;
    }
    world.node_mut(0).start()?;
    let new = fs::read(&certificate).during(certificate.display())?;
    ensure(new != old, || "LND kept its certificate".into())?;
    wait::until("the agent is back at its node and linked", || {
        let (one, other) = (world.status(0)?, world.status(1)?);
        let is_well = one.connected == 1 && other.connected == 1 && one.synced;
        ensure(is_well, || format!("{one:?}; {other:?}"))
    })?;
    let before = world.status(1)?.state;
    world.call(0, CommandName::HiveRotateKey, &Value::Null)?;
    wait::until("what its node signs now reaches the fellow", || {
        let status = world.status(1)?;
        ensure(status.state != before, || format!("{status:?}"))
    })?;
    world.converged(&[0, 1])
}

fn beside_cln(world: &mut World, place: usize) -> Outcome {
    world.set(place, "limits.budget_per_day", "lots")?;
    disabled(world, place, "BUDGET_PER_DAY")?;
    world.set(place, "limits.budget_per_day", "10000sat")?;
    let own = world.agent_at(place).folder().display().to_string();
    let missing = world.agent_at(place).folder().join("missing.toml");
    world.set(place, "config", &missing.display().to_string())?;
    disabled(world, place, "name a readable file with hive-config")?;
    world.unset(place, "config")?;
    let stranger = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    world.set(
        place,
        "data_dir",
        &store_of(world, place, stranger, "regtest")?,
    )?;
    answers_with(world, place, "belongs to node")?;
    let id = world.id(place)?.to_string();
    world.set(place, "data_dir", &store_of(world, place, &id, "signet")?)?;
    answers_with(world, place, "was written on signet")?;
    world.set(place, "data_dir", &own)
}

/// A store that an agent beside this node on this network wrote.
fn store_of(world: &World, place: usize, node: &str, network: &str) -> Outcome<String> {
    let own = world.agent_at(place).folder();
    let other = own.with_file_name(format!("hive-of-{network}"));
    fs::create_dir_all(&other).during(other.display())?;
    let store = hive_node::store::Store::open(&other).during(other.display())?;
    let meta = [("agent.node", node), ("agent.network", network)];
    let changes = meta.map(|(key, text)| hive_core::Change::Meta {
        key: key.into(),
        bytes: text.into(),
    });
    let changes = changes.into();
    let changes = hive_core::ChangeSet { changes };
    store.apply(&changes).during(other.display())?;
    Ok(other.display().to_string())
}

/// An advisor's macaroon under an agent that may spend: what it refuses is switched off, and told; the rest works.
fn narrow_macaroon(world: &mut World, place: usize, macaroon: &Path) -> Outcome {
    let permissions = world.permissions("advisor")?;
    let lnd = world.node(place).as_lnd().during("an LND")?;
    lnd.bake(&permissions, macaroon)?;
    world.start_agent(place)?;
    world.call(place, CommandName::HiveMode, &json!({"mode": "autonomous"}))?;
    for (name, what) in [
        ("open", "open channels"),
        ("rebalance", "move balance"),
        ("probe", "send test payments"),
    ] {
        let off = format!("switched off: the macaroon does not let the agent {what}");
        let advice = format!("adapter-lnd macaroon --allow {name}");
        wait::until(format!("the agent says that it can't {what}"), || {
            let lines = (
                world.lines_with(place, &off)?,
                world.lines_with(place, &advice)?,
            );
            ensure(lines.0 >= 1 && lines.1 >= 1, || {
                world.agent_at(place).tail(8)
            })
        })?;
    }
    wait::until("the agent works with the rest", || {
        let status = world.status(place)?;
        let is_well = status.mode == Mode::Autonomous && status.synced;
        ensure(is_well, || format!("{status:?}"))
    })?;
    world.call(place, CommandName::HiveMode, &json!({"mode": "advisor"}))?;
    world.stop_agent(place)
}

/// The agent leaves by itself with the status for bad input, and says what is wrong, once.
fn exits(world: &mut World, place: usize, words: &str) -> Outcome {
    // What went wrong on the way is a warning; what ends the program is none.
    let is_last = |line: &str| line.contains(words) && !line.contains(" WARN ");
    let told = |world: &World| world.lines(place, is_last);
    let before = told(world)?;
    world.launch_agent(place)?;
    let status = world.agent_ends(place)?;
    ensure(status == Some(BAD_INPUT), || {
        format!("status {status:?}: {}", world.agent_at(place).tail(5))
    })?;
    let now = told(world)?;
    ensure(now == before + 1, || {
        let said = world.agent_at(place).tail(5);
        format!("{words:?} is not told once: {said}")
    })
}

/// lightningd refuses the plugin with its reason, and goes on.
fn disabled(world: &mut World, place: usize, words: &str) -> Outcome {
    match world.launch_agent(place) {
        Ok(()) => Err(Failure::Wrong(format!("it runs, in spite of {words}"))),
        Err(failure) => {
            let said = failure.to_string();
            ensure(said.contains(words), || said)?;
            world.node(place).info().map(drop)
        }
    }
}

/// The plugin stays, and its commands say what is wrong.
fn answers_with(world: &mut World, place: usize, words: &str) -> Outcome {
    world.launch_agent(place)?;
    wait::until(format!("hive-status says {words:?}"), || {
        match world.node(place).request("hive-status", &json!({})) {
            Ok(answer) => Err(Failure::Wrong(answer.to_string())),
            Err(failure) => ensure(failure.to_string().contains(words), || failure.to_string()),
        }
    })?;
    world.stop_agent(place)
}
