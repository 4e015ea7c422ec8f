//! What somebody tries against the fleet, and what came of it, measured on the chain, on the network
//! and in the stores.

mod approval;
mod ban;
mod crash;
mod leave;
mod same_target;
mod slander;
mod stranger;

pub(super) use approval::reused_approval;
pub(super) use ban::false_ban;
pub(super) use crash::crash;
pub(super) use leave::leave;
pub(super) use same_target::{pending, same_target};
pub(super) use slander::{SLANDERER, slander};
pub(super) use stranger::{flood, tickets};
