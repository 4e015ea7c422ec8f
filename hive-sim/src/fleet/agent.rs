//! One agent: a machine, its disk, its clock, and what its driver remembers between two inputs.

use super::lie::Lie;
use super::path::Path;
use hive_core::{Config, Hive, Stored};
use hive_policy::conduct::Flags;
use hive_policy::{LimitSettings, Limits};
use hive_proto::{Manifest, MemberSecret, codec};
use hive_types::{ActionId, ChannelPolicy, Digest, HiveId, NodeId, OutPoint, Sat};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The store's name for a member's keys.
const META_IDENTITY: &str = "identity";

/// The store's name for what fellows are blamed for.
const META_FLAGS: &str = "flags";

/// Opens in a day that a squatter permits itself: more than it gets locks.
const SQUATTER_OPENS: u32 = 100;
/// What it says that it puts into channels in a day.
const SQUATTER_CAPITAL: Sat = Sat::new(1_000_000_000);

/// What was chosen ahead for an action, durable before it is executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// Any repetition spends one of these inputs, so the chain itself forbids a second channel.
    Open {
        /// The outputs that the funding spends.
        inputs: Vec<OutPoint>,
    },
    /// A payment to oneself, or a probe.
    Payment {
        /// What releases it.
        preimage: [u8; 32],
        /// Its name on every node that it crosses.
        hash: Digest,
    },
    /// A change of policy.
    Policy {
        /// What was set before.
        before: Option<ChannelPolicy>,
    },
}

/// What survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// What the machine stored.
    pub stored: Stored,
    /// What the driver chose for actions.
    pub prepared: BTreeMap<ActionId, Prepared>,
    /// Starts so far.
    pub boots: u64,
}

impl Disk {
    /// The keys of this member in its present epoch, if it is in a fleet.
    pub fn identity(&self) -> Option<(MemberSecret, Manifest)> {
        let bytes = self.stored.meta.get(META_IDENTITY)?;
        let (secret, manifest): ([u8; 32], Manifest) = codec::decode(bytes).ok()?;
        Some((MemberSecret::from_bytes(&secret)?, manifest))
    }

    /// The manifest of this member in its present epoch.
    pub fn manifest(&self) -> Option<Manifest> {
        let bytes = self.stored.meta.get(META_IDENTITY)?;
        let (_, manifest): ([u8; 32], Manifest) = codec::decode(bytes).ok()?;
        Some(manifest)
    }

    /// The fleet that this member is in, if it is in one.
    pub fn hive(&self) -> Option<HiveId> {
        Some(self.manifest()?.certification().hive)
    }

    /// What its fellows are blamed for.
    pub fn flags(&self) -> Flags {
        let bytes = self.stored.meta.get(META_FLAGS);
        let flags = bytes.and_then(|bytes| codec::decode(bytes).ok());
        flags.unwrap_or_default()
    }

    /// The newest decision that is stored.
    pub fn head(&self) -> Option<u64> {
        self.stored
            .decisions
            .last_key_value()
            .map(|(slot, _)| *slot)
    }
}

/// Where a crash strikes. Everything that the driver does is a step: each output, what it writes when
/// it prepares an action, the execution, and the notice that it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// In the midst of the next write: the whole transaction and everything after it is lost.
    TornWrite,
    /// Right after the next write.
    AfterWrite,
    /// After so many more steps.
    Steps(u32),
    /// So many steps after the write that makes an open `acting`; 0 tears that very write.
    OpenSteps(u32),
    /// Between preparing an action and executing it.
    BeforeExecution,
    /// Between the execution of an action and the word of it.
    AfterExecution,
    /// Before or after a step on the path of an action that is followed, see [`super::Fleet::follow`].
    OnPath {
        /// Which step, counted from 0.
        step: usize,
        /// Before it: a write is torn, a call to the node never made.
        is_before: bool,
    },
}

/// A defect in the driver, to show that a checker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Nothing is written to the disk.
    NothingStored,
    /// Promises and acceptances are not written.
    AcceptorNotStored,
    /// Rows of the table of members are not written.
    MembersNotStored,
    /// Own records are written under the version before theirs.
    VersionsLowered,
    /// Promises are sent without what was accepted before.
    AcceptancesHidden,
    /// One bit of each relayed record is flipped.
    RelayFlipped,
    /// Every open is done twice.
    OpensTwice,
    /// Every open goes to this node instead.
    OpensTo(NodeId),
    /// What was prepared is forgotten by a restart: whatever has no end yet is begun anew.
    BeginsAnew,
    /// Opens pay many times what the permit allows.
    Overpays,
    /// Actions are never executed.
    NeverActs,
    /// Each frame is sent this many times.
    Stutters(u32),
    /// The word that an action ended says that it did not happen.
    DeniesEnds,
    /// With each write, an open to this node is announced anew.
    Announces(NodeId),
}

/// What may be said of an agent's honesty. Checkers hold honest ones to more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// It lies on the wire.
    pub liar: bool,
    /// Its disk was copied and run twice.
    pub cloned: bool,
    /// It was once started from an older copy of its disk.
    pub restored: bool,
    /// Its operator told it to leave.
    pub leaves: bool,
    /// It was started under a wall clock that had been set forward while it was down, which no agent
    /// can tell from a stop of that length.
    pub slept: bool,
}

/// One agent.
pub struct Agent {
    pub(super) node: NodeId,
    pub(super) config: Config,
    pub(super) hive: Option<Hive>,
    pub(super) disk: Disk,
    /// Milliseconds that its wall clock is off, and was at its last start.
    pub(super) skew: i64,
    pub(super) skew_before: i64,
    pub(super) booted_at: u64,
    /// Counts starts of all agents: what was begun in another life is dropped.
    pub(super) life: u64,
    pub(super) peers: BTreeSet<NodeId>,
    pub(super) observing: bool,
    pub(super) observed_at: Option<u64>,
    pub(super) graph: Option<u64>,
    pub(super) opening: Option<ActionId>,
    pub(super) armed: Option<CrashPoint>,
    pub(super) counting: bool,
    pub(super) path: Option<Path>,
    pub(super) ticked_at: Option<u64>,
    pub(super) remembered: VecDeque<Vec<u8>>,
    pub(super) record: Record,
    pub(super) lie: Option<Lie>,
    pub(super) defect: Option<Defect>,
}

impl Agent {
    pub(super) fn new(node: NodeId, config: Config) -> Self {
        Self {
            node,
            config,
            hive: None,
            disk: Disk::default(),
            skew: 0,
            skew_before: 0,
            booted_at: 0,
            life: 0,
            peers: BTreeSet::new(),
            observing: false,
            observed_at: None,
            graph: None,
            opening: None,
            armed: None,
            counting: false,
            path: None,
            ticked_at: None,
            remembered: VecDeque::new(),
            record: Record::default(),
            lie: None,
            defect: None,
        }
    }

    /// The node that it runs on.
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Its settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The settings that its machine runs with: who takes locks and opens nothing has no use for limits
    /// on what it opens, which would end its squatting after two locks or none.
    pub(super) fn config_in_force(&self) -> Config {
        let mut config = self.config.clone();
        if self.lie == Some(Lie::Squats) {
            let boundless = LimitSettings {
                opens_per_day: SQUATTER_OPENS,
                capital_per_day: SQUATTER_CAPITAL,
                ..config.limits.clone().into_settings()
            };
            config.limits = Limits::new(boundless).expect("larger totals contradict nothing");
        }
        config
    }

    /// What is durable.
    pub const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Whether it runs.
    pub const fn is_up(&self) -> bool {
        self.hive.is_some()
    }

    /// Its honesty.
    pub const fn record(&self) -> Record {
        self.record
    }

    /// Whether it lies now.
    pub const fn lies(&self) -> bool {
        self.lie.is_some()
    }

    /// Whether it is held to every rule: it neither lies nor runs twice.
    pub const fn is_honest(&self) -> bool {
        !self.record.liar && !self.record.cloned
    }
}
