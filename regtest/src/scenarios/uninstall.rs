//! What is left of the hive on a node that is done with it: nothing.

use super::Stage;
use crate::failure::{Context, Failure, Outcome, ensure};
use crate::node::{ChannelSeen, Kind, PolicySeen};
use crate::wait;
use crate::world::World;
use hive_node::control::CommandName;
use hive_types::{Msat, Ppm, Sat, ShortChannelId};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const MEMBERS: [usize; 3] = [0, 1, 2];

/// The founder has a channel with each of the others; this one's agent is gone for long.
const GONE: usize = 2;

/// What a node is, as far as an agent could change it.
#[derive(Debug, PartialEq)]
struct Traces {
    channels: Vec<(ShortChannelId, ChannelSeen)>,
    policies: Vec<PolicySeen>,
    files: BTreeSet<PathBuf>,
}

/// A member whose agent is off for long is stale to its fellows and blamed for nothing; one command restores
/// its fees though it is alone. Leaving restores the others', the last member's too; and with the agents gone
/// each node is what it was.
pub(super) fn t62_t63_nothing_is_left(stage: &mut Stage) -> Outcome {
    let world = &mut stage.world;
    world.start(&stage.fleet.kinds(3))?;
    world.fund_in(0, &[Sat::new(3_000_000), Sat::new(3_000_000)])?;
    let mut channels = Vec::new();
    for (other, rate) in [(1, 111), (GONE, 222)] {
        let channel = world.open(0, other, Sat::new(1_000_000), Sat::new(400_000))?;
        for end in [0, other] {
            let node = world.node(end);
            node.set_fees(channel, Msat::new(700), Ppm::new(rate))?;
        }
        channels.push((channel, other, Ppm::new(rate)));
    }
    for &(channel, other, rate) in &channels {
        for end in [0, other] {
            asks(world, channel, end, rate)?;
        }
    }
    let before = MEMBERS.map(|place| traces(world, place, &channels));
    world.fleet(&MEMBERS, &[])?;
    for &(channel, other, _) in &channels {
        asks(world, channel, 0, Ppm::ZERO)?;
        asks(world, channel, other, Ppm::ZERO)?;
    }
    gone_for_long(world, &channels)?;
    for place in [1, GONE, 0] {
        world.call(place, CommandName::HiveLeave, &Value::Null)?;
        world.stage(place, "alone")?;
    }
    for &(channel, other, rate) in &channels {
        asks(world, channel, 0, rate)?;
        asks(world, channel, other, rate)?;
    }
    for (place, before) in MEMBERS.into_iter().zip(before) {
        world.stop_agent(place)?;
        let before = before?;
        let node = world.node(place);
        wait::until(format!("{} is as it was", node.name()), || {
            let after = traces(world, place, &channels)?;
            ensure(after == before, || format!("{before:?} became {after:?}"))
        })?;
        forgotten(world, place)?;
    }
    world.stop()
}

/// T63.
fn gone_for_long(world: &mut World, channels: &[(ShortChannelId, usize, Ppm)]) -> Outcome {
    let gone = world.id(GONE)?;
    world.stop_agent(GONE)?;
    wait::until("fellows see the absent agent as stale", || {
        for place in [0, 1] {
            let members = world.members(place)?;
            let row = members.iter().find(|row| row.node_id == gone);
            let row = row.during("the absent member")?;
            ensure(row.flags.is_empty() && !row.equivocated, || {
                format!("blamed: {row:?}")
            })?;
            ensure(!row.fresh, || format!("{row:?}"))?;
        }
        Ok::<_, Failure>(())
    })?;
    // Alone: nobody of the fleet answers.
    for place in [0, 1] {
        world.stop_agent(place)?;
    }
    world.start_agent(GONE)?;
    world.call(GONE, CommandName::HiveRestoreFees, &Value::Null)?;
    for &(channel, other, rate) in channels {
        if other == GONE {
            asks(world, channel, GONE, rate)?;
        }
    }
    for place in [0, 1] {
        world.start_agent(place)?;
    }
    world.converged(&MEMBERS)
}

/// Waits until both ends of a channel see what one of them asks.
fn asks(world: &World, channel: ShortChannelId, end: usize, rate: Ppm) -> Outcome {
    let from = world.id(end)?;
    let base = if rate == Ppm::ZERO {
        Msat::ZERO
    } else {
        Msat::new(700)
    };
    for place in [0, end] {
        let node = world.node(place);
        wait::until(
            format!("{} sees {rate} asked on {channel}", node.name()),
            || {
                let seen = node.policy(channel, from)?;
                let is_it = seen.is_some_and(|seen| (seen.base, seen.rate) == (base, rate));
                ensure(is_it, || format!("{seen:?}"))
            },
        )?;
    }
    Ok(())
}

fn traces(
    world: &World,
    place: usize,
    channels: &[(ShortChannelId, usize, Ppm)],
) -> Outcome<Traces> {
    let node = world.node(place);
    let own = node.channels()?;
    let mut own: Vec<(ShortChannelId, ChannelSeen)> = own
        .into_iter()
        .filter_map(|channel| Some((channel.scid?, channel)))
        .collect();
    own.sort_by_key(|(scid, _)| *scid);
    let mut policies = Vec::new();
    for (scid, _) in &own {
        let known = channels.iter().any(|(channel, _, _)| channel == scid);
        ensure(known, || format!("a channel that nobody opened: {own:?}"))?;
        policies.push(node.policy(*scid, world.id(place)?)?.during("a policy")?);
    }
    let mut files = BTreeSet::new();
    list(node.folder(), &mut files)?;
    Ok(Traces {
        channels: own,
        policies,
        files,
    })
}

/// Every file that is neither the agent's own, in its folder, nor the harness's.
fn list(folder: &Path, files: &mut BTreeSet<PathBuf>) -> Outcome {
    for entry in fs::read_dir(folder).during(folder.display())? {
        let path = entry.during(folder.display())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_agents = name == "hive" && path.is_dir();
        let is_harness = name.starts_with("hive-agent") || name == "agent.log";
        // A node's database may have a journal now and none then.
        let is_journal = ["-journal", "-wal", "-shm"]
            .iter()
            .any(|end| name.ends_with(end));
        match path.is_dir() {
            _ if is_agents || is_harness || is_journal => {}
            true => list(&path, files)?,
            false => drop(files.insert(path)),
        }
    }
    Ok(())
}

/// A node without the plugin has none of its commands.
fn forgotten(world: &World, place: usize) -> Outcome {
    let node = world.node(place);
    if node.kind() == Kind::Cln {
        let help = node.request("help", &json!({}))?.to_string();
        ensure(!help.contains("hive-"), || {
            "its commands are still there".into()
        })?;
        let options = node.request("listconfigs", &json!({}))?.to_string();
        ensure(!options.contains("hive-budget"), || {
            "its options are still there".into()
        })?;
    }
    ensure(world.agent_at(place).process().is_none(), || {
        "its process runs".into()
    })
}
