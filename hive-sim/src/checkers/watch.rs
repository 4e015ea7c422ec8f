//! What checkers are shown, and where they put what they find.

use super::chronicle::Chronicle;
use crate::fleet::Agent;
use crate::world::World;
use hive_core::{ActionResult, ChangeSet, Output};
use hive_policy::Authorized;
use hive_proto::Message;
use hive_types::{
    ActionId, ChannelId, ChannelPolicy, Digest, HiveId, NodeId, OutPoint, UnixMillis,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which checker found it.
    pub checker: String,
    /// When, on the world's clock.
    pub at_ms: u64,
    /// What.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.checker, self.at_ms, self.text)
    }
}

/// The stage: the world, and the agents with their disks.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The moment.
    pub at: UnixMillis,
    /// Chain and network.
    pub world: &'a World,
    /// The agents.
    pub agents: &'a [Agent],
    /// The fleet's chain, verified link by link from what reached a disk.
    pub chain: &'a Chronicle,
}

impl<'a> Scene<'a> {
    /// An agent.
    pub fn agent(&self, agent: usize) -> &'a Agent {
        &self.agents[agent]
    }

    /// Whether everything that runs on a node is honest. Nodes without an agent are not.
    pub fn is_honest(&self, node: &NodeId) -> bool {
        let mut on_it = self
            .agents
            .iter()
            .filter(|agent| agent.node() == *node)
            .peekable();
        on_it.peek().is_some() && on_it.all(Agent::is_honest)
    }

    /// The honest agents that run.
    pub fn honest(&self) -> impl Iterator<Item = (usize, &'a Agent)> {
        let agents = self.agents.iter().enumerate();
        agents.filter(|(_, agent)| agent.is_up() && agent.is_honest())
    }
}

/// What the driver of an agent did to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Published a funding.
    Funded(OutPoint),
    /// Sent a payment with this hash.
    Sent(Digest),
    /// Set a policy.
    Policy(ChannelId, ChannelPolicy),
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Sight<'a> {
    /// An agent has started; nothing was done yet.
    Booted {
        /// Which.
        agent: usize,
    },
    /// An agent has stopped at once.
    Crashed {
        /// Which.
        agent: usize,
    },
    /// An agent's disk was replaced by an older copy.
    Restored {
        /// Which.
        agent: usize,
    },
    /// A machine answered one input; nothing of it was done yet.
    Handled {
        /// Whose.
        agent: usize,
        /// What it wants done.
        outputs: &'a [Output],
    },
    /// A write is durable.
    Persisted {
        /// Whose.
        agent: usize,
        /// What.
        changes: &'a ChangeSet,
        /// The fleet that it forgets, if any: the decision that ends a membership comes in the write
        /// that forgets its fleet, and the disk no longer says which that was.
        left: Option<HiveId>,
    },
    /// A frame is handed to a link.
    Sent {
        /// By whom.
        agent: usize,
        /// For whom.
        to: NodeId,
        /// The frame.
        bytes: &'a [u8],
        /// What it says, if it can be read.
        message: Option<&'a Message>,
    },
    /// A machine permitted an action.
    Permitted {
        /// Whose.
        agent: usize,
        /// The permit.
        permit: &'a Authorized,
    },
    /// The driver did something to the world.
    Executed {
        /// Whose.
        agent: usize,
        /// For which action.
        id: ActionId,
        /// What.
        effect: Effect,
    },
    /// The driver tells how an action ended.
    Ended {
        /// Whose.
        agent: usize,
        /// Which action.
        id: ActionId,
        /// How.
        result: &'a ActionResult,
    },
    /// Everything that was due at this moment is done.
    Settled,
    /// Faults have stopped long ago.
    Quiet,
}

/// A rule. It is shown everything that happens and says what breaks it.
pub trait Checker: Send {
    /// Its name, as violations bear it.
    fn name(&self) -> &'static str;

    /// Looks at something that happened; puts a sentence for each breach into `found`.
    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>);
}

/// Violations that are kept; one defect breaks a rule again and again.
const KEPT: usize = 100;

/// All checkers of a run and what they found.
#[derive(Default)]
pub struct Watch {
    checkers: Vec<Box<dyn Checker>>,
    chain: Chronicle,
    violations: Vec<Violation>,
}

impl Watch {
    pub(crate) fn add(&mut self, checker: Box<dyn Checker>) {
        self.checkers.push(checker);
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Why the fleet has not converged yet; nothing when it has.
    pub(crate) fn unconverged(
        &self,
        at: UnixMillis,
        world: &World,
        agents: &[Agent],
    ) -> Vec<String> {
        super::unconverged(&Scene {
            at,
            world,
            agents,
            chain: &self.chain,
        })
    }

    pub(crate) const fn chain(&self) -> &Chronicle {
        &self.chain
    }

    pub(crate) fn see(
        &mut self,
        at: UnixMillis,
        world: &World,
        agents: &[Agent],
        sight: &Sight<'_>,
    ) {
        if self.checkers.is_empty() {
            return;
        }
        if let Sight::Persisted {
            agent,
            changes,
            left,
        } = sight
        {
            let found = self.chain.learn(at, &agents[*agent], *left, changes);
            found
                .into_iter()
                .for_each(|text| self.keep(at, "one decision in each slot", text));
        }
        let message = match sight {
            Sight::Sent { bytes, .. } => Message::from_frame(bytes).ok(),
            _ => None,
        };
        let sight = match *sight {
            Sight::Sent {
                agent, to, bytes, ..
            } => Sight::Sent {
                agent,
                to,
                bytes,
                message: message.as_ref(),
            },
            other => other,
        };
        for place in 0..self.checkers.len() {
            let mut found = Vec::new();
            let scene = Scene {
                at,
                world,
                agents,
                chain: &self.chain,
            };
            let checker = &mut self.checkers[place];
            checker.see(&scene, &sight, &mut found);
            let name = checker.name();
            found.into_iter().for_each(|text| self.keep(at, name, text));
        }
    }

    fn keep(&mut self, at: UnixMillis, checker: &str, text: String) {
        if self.violations.len() < KEPT {
            self.violations.push(Violation {
                checker: checker.to_owned(),
                at_ms: at.get(),
                text,
            });
        }
    }
}
