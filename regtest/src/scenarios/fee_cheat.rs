//! A fellow that asks for more than was agreed.

use super::Stage;
use super::money::{Fees, asks, log};
use crate::failure::{Context, Outcome, ensure};
use crate::wait;
use crate::world::World;
use hive_core::Member;
use hive_policy::conduct::FlagKind;
use hive_types::limits::{FEE_CONFIRMATIONS, FEE_GRACE, OBSERVE_INTERVAL};
use hive_types::{Millis, Msat, Ppm, Sat};
use std::time::Instant;

/// The member that watches, and the fellow that cheats.
const WATCHER: usize = 0;
const CHEAT: usize = 1;

/// What the watcher asked before it joined.
const BEFORE: Fees = Fees(Msat::new(1_000), Ppm::new(200));

/// What the cheat asks.
const TOO_MUCH: Fees = Fees(Msat::ZERO, Ppm::new(500));

/// A fellow raises its fee by hand: suspected at once, blamed at the second confirmation after the grace, out
/// of the free corridor; forgiven when it is right again.
pub(super) fn t50_a_raised_fee_is_found(stage: &mut Stage) -> Outcome {
    let world = &mut stage.world;
    world.start(&stage.fleet.kinds(2))?;
    world.fund(WATCHER, Sat::new(10_000_000))?;
    let channel = world.open(WATCHER, CHEAT, Sat::new(2_000_000), Sat::new(1_000_000))?;
    let ends = [WATCHER, CHEAT];
    let set = |world: &World, end: usize, fees: Fees| {
        let Fees(base, rate) = fees;
        world.node(end).set_fees(channel, base, rate)?;
        asks(world, channel, end, fees, &ends)
    };
    set(world, WATCHER, BEFORE)?;
    // The cheat's agent leaves fees to its operator, who has agreed to ask nothing.
    set(world, CHEAT, Fees::NONE)?;
    world.agent(WATCHER, &[])?;
    world.agent(CHEAT, &[("fleet.manage_fees", "false")])?;
    world.found(WATCHER)?;
    world.join(WATCHER, CHEAT, "full")?;
    world.converged(&ends)?;
    asks(world, channel, WATCHER, Fees::NONE, &ends)?;
    ensure(fellow(world)?.flags.is_empty(), || {
        "blamed for nothing".into()
    })?;

    set(world, CHEAT, TOO_MUCH)?;
    let begun = Instant::now();
    let evidence = wait::until("the cheat is blamed", || {
        let seen = fellow(world)?;
        let blame = seen.flags.iter().find(|flag| flag.kind == FlagKind::Fees);
        blame
            .map(|flag| flag.evidence.clone())
            .during(format!("{seen:?}"))
    })?;
    let took = begun.elapsed();
    let names_it = evidence.contains(&channel.to_string()) && evidence.contains("500ppm");
    ensure(names_it, || format!("evidence: {evidence}"))?;
    let passed =
        Millis::new(u64::try_from(took.as_millis()).during("a time")? * u64::from(world.speed()));
    let grace = grace();
    ensure(passed >= grace, || {
        format!("blamed after {passed}, before the grace of {grace}")
    })?;
    println!(
        "FIGURE regtest_{}_fee_cheat_blamed {} s -",
        stage.fleet,
        passed.as_secs()
    );
    // No free corridor any more: the watcher asks what it asked before.
    asks(world, channel, WATCHER, BEFORE, &ends)?;

    set(world, CHEAT, Fees::NONE)?;
    wait::until("the fellow is forgiven", || {
        let seen = fellow(world)?;
        ensure(seen.flags.is_empty(), || format!("{seen:?}"))
    })?;
    asks(world, channel, WATCHER, Fees::NONE, &ends)?;
    let rows = log(world, WATCHER)?;
    ensure(rows.contains("unflag"), || format!("no unflag in {rows}"))
}

/// The least time from the first wrong look to a blame.
fn grace() -> Millis {
    let confirmations = OBSERVE_INTERVAL.get() * u64::from(FEE_CONFIRMATIONS - 1);
    Millis::new(FEE_GRACE.get() + confirmations)
}

/// The cheat as the watcher sees it.
fn fellow(world: &World) -> Outcome<Member> {
    let id = world.id(CHEAT)?;
    let members = world.members(WATCHER)?;
    let mut found = members.into_iter().filter(|member| member.node_id == id);
    found.next().during("the fellow")
}
