//! Memory and output stay within bounds, whatever comes in.

use super::{Checker, Scene, Sight};
use hive_core::Output;
use hive_types::NodeId;
use hive_types::limits::{
    FELLOW_FRAMES_PER_MINUTE, FRAME_BYTES, MEMBERS, RECORD_BYTES_PER_AUTHOR, RECORDS_PER_AUTHOR,
};
use std::collections::BTreeMap;

/// Outputs of one input: a few for each member of a full fleet.
const OUTPUTS_PER_INPUT: usize = 8 * MEMBERS;
/// How often disks are measured, in milliseconds.
const MEASURE_MS: u64 = 600_000;
/// Milliseconds of a minute.
const MINUTE_MS: u64 = 60_000;

/// See the module.
#[derive(Default)]
pub struct Bounded {
    minutes: BTreeMap<(usize, NodeId), (u64, u32)>,
    next: u64,
}

impl Checker for Bounded {
    fn name(&self) -> &'static str {
        "memory and output bounded"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        match sight {
            Sight::Handled { agent, outputs } => {
                let frames = outputs
                    .iter()
                    .filter(|output| matches!(output, Output::Send { .. }));
                if outputs.len() > OUTPUTS_PER_INPUT {
                    found.push(format!(
                        "{} answers one input with {} outputs, {} of them frames",
                        scene.agent(*agent).node().short(),
                        outputs.len(),
                        frames.count()
                    ));
                }
            }
            Sight::Sent {
                agent, to, bytes, ..
            } if scene.agent(*agent).is_honest() => {
                if bytes.len() > FRAME_BYTES {
                    found.push(format!("a frame of {} bytes", bytes.len()));
                }
                if self.count(scene.at.get(), *agent, *to) == FELLOW_FRAMES_PER_MINUTE + 1 {
                    found.push(format!(
                        "{} sends {} more frames in a minute than it looks at",
                        scene.agent(*agent).node().short(),
                        to.short()
                    ));
                }
            }
            Sight::Settled if scene.at.get() >= self.next => {
                self.next = scene.at.get() + MEASURE_MS;
                measure(scene, found);
            }
            Sight::Quiet => measure(scene, found),
            _ => {}
        }
    }
}

impl Bounded {
    fn count(&mut self, at: u64, agent: usize, to: NodeId) -> u32 {
        let minute = at / MINUTE_MS;
        let entry = self.minutes.entry((agent, to)).or_insert((minute, 0));
        if entry.0 != minute {
            *entry = (minute, 0);
        }
        entry.1 += 1;
        entry.1
    }
}

fn measure(scene: &Scene<'_>, found: &mut Vec<String>) {
    for agent in scene.agents {
        let mut authors: BTreeMap<NodeId, (usize, usize)> = BTreeMap::new();
        for ((author, _), bytes) in &agent.disk().stored.records {
            let sum = authors.entry(*author).or_default();
            *sum = (sum.0 + 1, sum.1 + bytes.len());
        }
        for (author, (count, bytes)) in authors {
            if count > RECORDS_PER_AUTHOR || bytes > RECORD_BYTES_PER_AUTHOR {
                found.push(format!(
                    "{} stores {count} records of {}, {bytes} bytes",
                    agent.node().short(),
                    author.short()
                ));
            }
        }
    }
}
