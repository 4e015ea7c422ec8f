//! What happened in a fleet, in numbers.

use serde::{Deserialize, Serialize};

/// Counts over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetTotals {
    /// Frames that members handed to links.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The largest of them.
    pub largest: u64,
    /// Agents that crashed.
    pub crashes: u64,
    /// Of those, in the midst of a write.
    pub torn_writes: u64,
    /// Agents started from an older copy of their disk.
    pub restores: u64,
    /// Disks that were copied and run twice.
    pub clones: u64,
    /// Full partitions.
    pub partitions: u64,
    /// Ways that were blocked in one direction.
    pub one_way_blocks: u64,
    /// Wall clocks that were stepped.
    pub clock_steps: u64,
    /// Tips that were held back.
    pub lags: u64,
    /// Reorganizations of the chain.
    pub reorgs: u64,
    /// Members that were told to leave.
    pub leaves: u64,
    /// Channels that members opened.
    pub opens: u64,
    /// Self-payments that came back.
    pub pushes: u64,
    /// Policies that were set.
    pub policies: u64,
    /// Actions that were found undone or failed.
    pub not_done: u64,
    /// Actions reconciled after a start.
    pub reconciled: u64,
}
