//! Nodes that are there and can't be worked with yet: the agent says what they wait for, waits, and works once
//! they do.

use super::{Fleet, Stage};
use crate::failure::{Context, Outcome, ensure};
use crate::node::{Kind, Lnd};
use crate::wait;
use crate::world::World;
use std::fs;
use std::time::Duration;

const NODE: usize = 0;

/// LND's certificate lasts this long where it is to expire, in seconds.
const CERTIFICATE_LASTS: u64 = 2;

/// What an LND without its chain has instead: a light client without peers.
const NO_CHAIN: &str = "--bitcoin.node=neutrino";

fn lnd(world: &World) -> Outcome<&Lnd> {
    world.node(NODE).as_lnd().during("an LND")
}

/// LND starts with its wallet locked: the agent that runs says so in `hive-status`, one that starts says so in
/// its log, and both work once it is unlocked.
pub(super) fn a_locked_wallet_is_waited_for(stage: &mut Stage) -> Outcome {
    let world = &mut stage.world;
    world.add(Kind::Lnd)?;
    let node = world.node_mut(NODE);
    let wallet = node.as_lnd_mut().during("an LND")?;
    wallet.set_password("correct horse");
    node.launch()?;
    lnd(world)?.create_wallet()?;
    world.node_mut(NODE).ready()?;
    world.agent(NODE, &[])?;
    world.found(NODE)?;
    world.node_mut(NODE).stop()?;
    world.node_mut(NODE).launch()?;
    lnd(world)?.reaches("LOCKED")?;
    world.alerted(NODE, "its wallet is locked; unlock it with `lncli unlock`")?;
    world.stop_agent(NODE)?;
    waits(world, "unlock it with `lncli unlock`")?;
    lnd(world)?.unlock()?;
    world.node_mut(NODE).ready()?;
    works(world, "wallet is locked")
}

/// A node that lags behind its chain: the agent says so, does what does not need the chain, and all once the
/// node has caught up.
pub(super) fn a_syncing_node_is_waited_for(stage: &mut Stage) -> Outcome {
    const NOT_SYNCED: &str = "the node is not synced";
    let fleet = stage.fleet;
    let world = &mut stage.world;
    world.start(&fleet.kinds(1))?;
    world.agent(NODE, &[])?;
    world.found(NODE)?;
    world.node_mut(NODE).stop()?;
    falls_behind(world, fleet)?;
    world.agent_answers(NODE)?;
    world.alerted(NODE, NOT_SYNCED)?;
    world.stop_agent(NODE)?;
    waits(world, "the node has not caught up with the chain")?;
    world.agent_answers(NODE)?;
    world.alerted(NODE, NOT_SYNCED)?;
    // What needs no chain works.
    let ticket = world.invite(NODE, None, "full")?;
    ensure(ticket.starts_with("hive1"), || ticket)?;
    catches_up(world, fleet)?;
    works(world, NOT_SYNCED)
}

/// The node starts and its chain is not where others are.
fn falls_behind(world: &mut World, fleet: Fleet) -> Outcome {
    let node = world.node_mut(NODE);
    if fleet == Fleet::Lnd {
        node.set_options(vec![NO_CHAIN.into()]);
        node.launch()?;
        return lnd(world)?.reaches("RPC_ACTIVE");
    }
    let behind = node.as_cln().during("a Core Lightning node")?;
    behind.set_behind(true)?;
    node.start()
}

fn catches_up(world: &mut World, fleet: Fleet) -> Outcome {
    let node = world.node_mut(NODE);
    if fleet == Fleet::Lnd {
        node.stop()?;
        node.set_options(Vec::new());
        return node.start();
    }
    // The same process: it looks again and again.
    let behind = node.as_cln().during("a Core Lightning node")?;
    behind.set_behind(false)
}

/// LND goes on with a certificate whose time is over: so does the agent, and says what to do. What it says helps.
pub(super) fn an_expired_certificate_is_told(stage: &mut Stage) -> Outcome {
    const EXPIRED: &str = "LND's certificate has expired";
    let world = &mut stage.world;
    world.start(&[Kind::Lnd])?;
    world.agent(NODE, &[])?;
    world.found(NODE)?;
    world.relieved(NODE, EXPIRED)?;
    let certificate = lnd(world)?.certificate();
    world.node_mut(NODE).stop()?;
    for file in [&certificate, &certificate.with_extension("key")] {
        fs::remove_file(file).during(file.display())?;
    }
    let brief = format!("--tlscertduration={CERTIFICATE_LASTS}s");
    world.node_mut(NODE).set_options(vec![brief]);
    // LND's own REST interface trusts its certificate no more: nothing is asked of it meanwhile.
    world.node_mut(NODE).launch()?;
    wait::until("the certificate's time is over", || {
        let made = fs::metadata(&certificate)?.modified()?;
        let age = made.elapsed().unwrap_or_default();
        let is_over = age > Duration::from_secs(CERTIFICATE_LASTS + 1);
        is_over.then_some(()).ok_or_else(|| {
            let seconds = age.as_secs();
            std::io::Error::other(format!("it is {seconds} s old"))
        })
    })?;
    world.stop_agent(NODE)?;
    world.start_agent(NODE)?;
    world.alerted(NODE, EXPIRED)?;
    world.alerted(NODE, "Restart LND")?;
    let old = fs::read(&certificate).during(certificate.display())?;
    world.node_mut(NODE).stop()?;
    world.node_mut(NODE).set_options(Vec::new());
    world.node_mut(NODE).start()?;
    let new = fs::read(&certificate).during(certificate.display())?;
    ensure(new != old, || "LND kept its certificate".into())?;
    works(world, EXPIRED)
}

/// An agent that starts says what it waits for, and does not end.
fn waits(world: &mut World, words: &str) -> Outcome {
    let before = world.lines_with(NODE, words)?;
    world.launch_agent(NODE)?;
    wait::until(format!("the agent waits, and says {words:?}"), || {
        let now = world.lines_with(NODE, words)?;
        ensure(now > before, || world.agent_at(NODE).tail(3))
    })
}

/// The fault is gone: the agent reads its node, and does not complain.
fn works(world: &mut World, complaint: &str) -> Outcome {
    world.synced()?;
    world.agent_answers(NODE)?;
    world.relieved(NODE, complaint)?;
    wait::until("the agent works", || {
        let status = world.status(NODE)?;
        let is_well = status.synced && status.stage == "member";
        ensure(is_well, || format!("{status:?}"))
    })?;
    world.relieved(NODE, "can't be read now")?;
    world.stop()
}
