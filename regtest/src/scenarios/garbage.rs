//! A stranger sends what looks like ours and is not.

use super::Stage;
use crate::failure::{Context, Outcome, ensure};
use crate::wait;
use crate::world::World;
use hive_types::limits::MESSAGE_TYPE;
use std::fs;

/// The members, and one without an agent.
const MEMBERS: [usize; 2] = [0, 1];
const STRANGER: usize = 2;

/// How many small messages come at once, and how large the large ones are.
const MANY: usize = 300;
const LARGE: usize = 65_000;
const LARGE_MANY: usize = 10;

/// What an agent may take more of than before, in KiB: far less than what was sent and kept would be.
const MORE_MEMORY: u64 = 16 * 1_024;

/// A stranger's messages of our type, large, malformed and many: told as a bad peer's, and nothing else comes
/// of them. Both agents and both nodes go on, and members still hear each other.
pub(super) fn t07_garbage_does_nothing(stage: &mut Stage) -> Outcome {
    let world = &mut stage.world;
    world.start(&stage.fleet.kinds(3))?;
    world.fleet(&MEMBERS, &[])?;
    for member in MEMBERS {
        world.connect(STRANGER, member)?;
    }
    let before = world.status(0)?;
    for member in MEMBERS {
        flood(world, member)?;
    }
    let after = world.status(0)?;
    ensure(
        (after.head, after.members) == (before.head, before.members),
        || format!("{before:?} became {after:?}"),
    )?;
    let stranger = world.id(STRANGER)?;
    for member in MEMBERS {
        let members = world.members(member)?;
        let untouched = members.len() == 2
            && members
                .iter()
                .all(|row| row.node_id != stranger && row.flags.is_empty());
        ensure(untouched, || format!("{members:?}"))?;
    }
    world.hears(0, &[1])?;
    world.converged(&MEMBERS)?;
    world.stop()
}

/// Sends everything, waits until the agent has told of it, and sees that it is the same process, not larger.
fn flood(world: &World, member: usize) -> Outcome {
    let agent = world.agent_at(member);
    let process = agent.process().during("the agent's process")?;
    let node = world.node(member).process();
    let memory = agent.memory_kib().during("its memory")?;
    let to = world.id(member)?;
    let sender = world.node(STRANGER);
    let mut noise = Noise(1 + member as u64);
    let shapes: [Vec<u8>; 4] = [
        Vec::new(),
        b"HIVE".to_vec(),
        [b"HIVE\x01\x01".as_slice(), &noise.bytes(100)].concat(),
        [
            b"HIVE\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".as_slice(),
            &noise.bytes(10),
        ]
        .concat(),
    ];
    for shape in &shapes {
        sender.send_message(to, MESSAGE_TYPE, shape)?;
    }
    for _ in 0..MANY {
        sender.send_message(to, MESSAGE_TYPE, &noise.bytes(64))?;
    }
    for _ in 0..LARGE_MANY {
        let large = [b"HIVE\x01".as_slice(), &noise.bytes(LARGE)].concat();
        sender.send_message(to, MESSAGE_TYPE, &large)?;
    }
    let stranger = world.id(STRANGER)?.to_string();
    wait::until(format!("{} tells of a bad peer", agent.name()), || {
        let log = fs::read_to_string(agent.log()).during("its log")?;
        let mut lines = log.lines();
        let told = lines.any(|line| line.contains("bad_peer") && line.contains(&stranger));
        ensure(told, || agent.tail(3))
    })?;
    world.status(member)?;
    ensure(agent.process() == Some(process), || {
        format!("{} has ended", agent.name())
    })?;
    ensure(world.node(member).process() == node, || {
        "another node process".into()
    })?;
    let now = agent.memory_kib().during("its memory")?;
    ensure(now < memory + MORE_MEMORY, || {
        format!("{memory} KiB became {now} KiB")
    })
}

/// Bytes that differ in each call and are the same in each run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut next = || {
            // Xorshift, Marsaglia 2003.
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_be_bytes()[0]
        };
        (0..count).map(|_| next()).collect()
    }
}
