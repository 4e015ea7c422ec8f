//! What goes wrong in a run, drawn from its seed.

use crate::fleet::{CrashPoint, Lie};
use crate::world::{LinkFaults, Rng};
use std::collections::BTreeSet;

/// Milliseconds of a minute.
pub(crate) const MINUTE: u64 = 60_000;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// One thing that goes wrong, or is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What all links between nodes do to messages from now on.
    Links(LinkFaults),
    /// Nothing passes between these members and the others.
    Partition(BTreeSet<usize>),
    /// Everything passes between all again.
    Heal,
    /// Nothing passes from the first to the second; back it does.
    OneWay(usize, usize),
    /// An agent crashes at the next moment of this kind.
    Crash(usize, CrashPoint),
    /// A node goes down with its agent, for so many milliseconds.
    NodeDown(usize, u64),
    /// A copy of a member's disk is put aside.
    Backup(usize),
    /// A member's disk is replaced by the copy.
    Restore(usize),
    /// A copy of a member's disk runs as a second agent.
    Clone(usize),
    /// A wall clock is off by so many milliseconds from now on.
    Step(usize, i64),
    /// A node's tip lags by so many blocks.
    Lag(usize, u32),
    /// The newest blocks are replaced.
    Reorg(u32),
    /// A member is told to leave; its operator brings it back later.
    Leave(usize),
    /// A member lies from now on.
    Lie(usize, Lie),
    /// A stranger sends so many frames of garbage to a member at once.
    Flood(usize, u32),
    /// A stranger tries to join with a ticket that it signed itself.
    ForgedTicket,
}

/// Faults in order of their moments, in milliseconds from the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// Moment and fault.
    pub faults: Vec<(u64, Fault)>,
}

impl FaultPlan {
    /// Draws what goes wrong among `members` between two moments. Fewer than a third lie or run
    /// twice.
    pub fn draw(seed: &[u8; 32], members: usize, from: u64, until: u64) -> Self {
        let mut draw = Draw {
            rng: Rng::new(seed, "faults"),
            members,
            span: (from, until.max(from + 1)),
            faults: Vec::new(),
        };
        draw.links();
        draw.partitions();
        draw.crashes();
        draw.memory();
        draw.clocks();
        draw.chain();
        draw.governance();
        draw.strangers();
        let mut faults = draw.faults;
        faults.sort_by_key(|(at, _)| *at);
        Self { faults }
    }
}

struct Draw {
    rng: Rng,
    members: usize,
    span: (u64, u64),
    faults: Vec<(u64, Fault)>,
}

impl Draw {
    fn at(&mut self) -> u64 {
        self.rng.between(self.span.0, self.span.1 - 1)
    }

    fn member(&mut self) -> usize {
        self.rng.below(self.members as u64) as usize
    }

    fn put(&mut self, at: u64, fault: Fault) {
        self.faults.push((at.min(self.span.1), fault));
    }

    /// Links are bad from the very beginning.
    fn links(&mut self) {
        let faults = LinkFaults {
            loss_ppm: self.rng.below(250_000) as u32,
            duplicate_ppm: self.rng.below(100_000) as u32,
            reorder_ppm: self.rng.below(150_000) as u32,
            reorder_ms: self.rng.below(4_000),
            delay_ms: self.rng.below(300),
        };
        let mild = LinkFaults {
            loss_ppm: faults.loss_ppm / 8,
            ..faults
        };
        self.put(0, Fault::Links(mild));
        self.put(self.span.0, Fault::Links(faults));
    }

    fn partitions(&mut self) {
        for _ in 0..self.rng.below(4) {
            let begin = self.at();
            let members = self.members as u64;
            let mask = self.rng.between(1, (1u64 << members.min(32)) - 2);
            let side = (0..self.members).filter(|member| mask >> member & 1 == 1);
            self.put(begin, Fault::Partition(side.collect()));
            let lasts = self.rng.between(MINUTE / 2, 25 * MINUTE);
            self.put(begin + lasts, Fault::Heal);
        }
        for _ in 0..self.rng.below(3) {
            let (begin, one) = (self.at(), self.member());
            let other = (one + 1 + self.rng.below(self.members as u64 - 1) as usize) % self.members;
            self.put(begin, Fault::OneWay(one, other));
            let lasts = self.rng.between(MINUTE, 15 * MINUTE);
            self.put(begin + lasts, Fault::Heal);
        }
    }

    fn crashes(&mut self) {
        for _ in 0..self.rng.between(1, 8) {
            let (at, member) = (self.at(), self.member());
            let steps = self.rng.between(1, 12) as u32;
            let point = match self.rng.below(7) {
                0 | 1 => CrashPoint::TornWrite,
                2 => CrashPoint::AfterWrite,
                3 => CrashPoint::Steps(steps),
                4 => CrashPoint::OpenSteps(steps - 1),
                5 => CrashPoint::BeforeExecution,
                _ => CrashPoint::AfterExecution,
            };
            self.put(at, Fault::Crash(member, point));
        }
        if self.rng.chance(500_000) {
            let (at, member) = (self.at(), self.member());
            let lasts = self.rng.between(MINUTE / 4, 20 * MINUTE);
            self.put(at, Fault::NodeDown(member, lasts));
        }
    }

    /// Old disks, copied disks and liars: three different members.
    fn memory(&mut self) {
        let first = self.member();
        let next = |by: usize| (first + by) % self.members;
        let (restored, cloned, liar) = (first, next(1), next(2));
        if self.rng.chance(500_000) {
            let begin = self.at();
            let lasts = self.rng.between(MINUTE, 40 * MINUTE);
            self.put(begin, Fault::Backup(restored));
            self.put(begin + lasts, Fault::Restore(restored));
        }
        // Fewer than a third of the full members lie.
        let mut liars = (self.members - 1) / 3;
        if liars > 0 && self.rng.chance(300_000) {
            liars -= 1;
            let at = self.at();
            self.put(at, Fault::Clone(cloned));
        }
        if liars > 0 && self.rng.chance(500_000) {
            let at = self.at();
            let lies = [
                Lie::Equivocates,
                Lie::Forges,
                Lie::Garbage,
                Lie::Replays,
                Lie::Squats,
                Lie::Mute,
            ];
            let lie = lies[self.rng.below(lies.len() as u64) as usize];
            self.put(at, Fault::Lie(liar, lie));
        }
    }

    fn clocks(&mut self) {
        for _ in 0..self.rng.below(4) {
            let (at, member) = (self.at(), self.member());
            let steps = [6 * MINUTE as i64, -(6 * MINUTE as i64), DAY, -DAY, 0];
            let step = steps[self.rng.below(5) as usize];
            self.put(at, Fault::Step(member, step));
        }
    }

    fn chain(&mut self) {
        for _ in 0..self.rng.below(3) {
            let (at, member) = (self.at(), self.member());
            let blocks = self.rng.between(1, 9) as u32;
            self.put(at, Fault::Lag(member, blocks));
            let lasts = self.rng.between(MINUTE, 40 * MINUTE);
            self.put(at + lasts, Fault::Lag(member, 0));
        }
        for _ in 0..self.rng.below(3) {
            let (at, depth) = (self.at(), self.rng.between(1, 3) as u32);
            self.put(at, Fault::Reorg(depth));
        }
    }

    fn governance(&mut self) {
        if self.members > 3 && self.rng.chance(400_000) {
            let (at, member) = (self.at(), self.member());
            self.put(at, Fault::Leave(member));
        }
    }

    fn strangers(&mut self) {
        if self.rng.chance(300_000) {
            let (at, member) = (self.at(), self.member());
            let frames = self.rng.between(50, 400) as u32;
            self.put(at, Fault::Flood(member, frames));
        }
        if self.rng.chance(300_000) {
            let at = self.at();
            self.put(at, Fault::ForgedTicket);
        }
    }
}
