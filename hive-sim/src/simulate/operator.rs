//! Operators: they found, invite, join, vouch, and bring back who left.

use super::SimConfig;
use super::scene::Stage;
use hive_core::{Command, Reply, Status};
use hive_proto::Ticket;
use hive_types::{Capabilities, Millis, Tier};

/// How often an operator looks at its agent, in milliseconds.
const LOOK: u64 = 60_000;
/// How often an operator votes anew for who is not full yet, in milliseconds.
const VOTE: u64 = 180_000;

/// All operators of a run.
pub(super) struct Operators {
    members: usize,
    next_look: Vec<u64>,
    next_vote: Vec<u64>,
}

impl Operators {
    pub(super) fn new(config: &SimConfig) -> Self {
        let members = config.members;
        // One after the other, so that the first can invite the next.
        let next_look = (0..members).map(|member| 1_000 + 30_000 * member as u64);
        Self {
            members,
            next_look: next_look.collect(),
            next_vote: vec![0; members],
        }
    }

    pub(super) fn tend(&mut self, stage: &mut Stage) {
        let now = stage.elapsed();
        for member in 0..self.members {
            if now >= self.next_look[member] && stage.fleet.agents()[member].is_up() {
                self.next_look[member] = now + LOOK;
                self.look(stage, member, now);
            }
        }
    }

    fn look(&mut self, stage: &mut Stage, member: usize, now: u64) {
        let status = stage.fleet.status(member);
        match status.stage.as_str() {
            "alone" if member == 0 && stage.fleet.chain().all().next().is_none() => {
                let _ = stage.fleet.command(0, Command::Init);
            }
            "alone" => self.join(stage, member),
            "member" if now >= self.next_vote[member] => {
                self.next_vote[member] = now + VOTE;
                vouch(stage, member, &status);
            }
            // It met its copy. Once that is stopped, a restart is in order.
            "halted" if !stage.has_copy(member) && !stage.fleet.agents()[member].lies() => {
                stage.fleet.crash(member);
                stage.fleet.boot(member);
            }
            _ => {}
        }
    }

    fn join(&self, stage: &mut Stage, member: usize) {
        let first = stage.rng.below(self.members as u64) as usize;
        let others = (0..self.members).map(|step| (first + step) % self.members);
        for by in others.filter(|by| *by != member) {
            if let Some(ticket) = invite(stage, by) {
                let _ = stage.fleet.command(member, Command::Join { ticket });
                return;
            }
        }
    }
}

fn invite(stage: &mut Stage, by: usize) -> Option<Ticket> {
    let invite = Command::Invite {
        tier: Tier::Full,
        guest: None,
        lifetime: Millis::from_days(3),
        required: Capabilities::NONE,
    };
    match stage.fleet.command(by, invite) {
        Ok(Reply::Ticket(text)) => text.parse().ok(),
        _ => None,
    }
}

fn vouch(stage: &mut Stage, member: usize, status: &Status) {
    if status.tier != Some(Tier::Full) {
        return;
    }
    let Ok(Reply::Members(rows)) = stage.fleet.command(member, Command::Members) else {
        return;
    };
    let waiting = rows
        .into_iter()
        .filter(|row| row.tier == Tier::Probationary);
    for row in waiting {
        let node = row.node_id;
        let _ = stage.fleet.command(member, Command::Vouch { node });
    }
}
