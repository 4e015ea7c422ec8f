//! What a plan is made for: seats that may open, and what is closed to them.

use hive_types::{NodeId, Ppm, Sat};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that [`plan_fleet`](super::plan_fleet) needs to know beside the graph and the settings.
///
/// A fleet is several seats; a single large node is one seat with many slots; members that do not
/// know of each other are planned one at a time, each alone in its problem and with its own seed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// Who may open. Plans name seats by their places here.
    pub seats: Vec<Seat>,
    /// Targets that nobody opens to. Seats themselves are never targets of the outside kind.
    pub closed: BTreeSet<NodeId>,
    /// Targets that were at the share cap in the last plan; they stay closed until they fall below the
    /// lower mark.
    pub capped: BTreeSet<NodeId>,
    /// What one open costs on the chain. A channel that does not earn it back in time is left out.
    pub open_cost: Sat,
    /// Whether seats may open to one another.
    pub links: bool,
    /// By what a target's worth is multiplied after what fellows have observed; one million is
    /// neither good nor bad, and stands for every target that is not here.
    pub evidence: BTreeMap<NodeId, Ppm>,
    /// Nodes that are marked as merchants; only the merchant demand asks for them.
    pub merchants: BTreeSet<NodeId>,
    /// Opens that were announced: they give way only to what is better by a margin.
    pub kept: BTreeSet<(usize, NodeId)>,
}

/// One that may open channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Its node. A new node need not be in the graph.
    pub id: NodeId,
    /// Channels that it opens at most.
    pub slots: u32,
    /// What they may hold together.
    pub capital: Sat,
    /// Its smallest channel; smaller than nodes accept counts as what they accept.
    pub channel_min: Sat,
    /// Its largest channel.
    pub channel_max: Sat,
    /// Channels that the graph does not show.
    pub unseen: Vec<UnseenChannel>,
}

/// A channel of a seat that the graph does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnseenChannel {
    /// The other end.
    pub peer: NodeId,
    /// Both ends' money together.
    pub capacity: Sat,
    /// Whether it is about to be opened: then it counts for the fleet's share of the peer, and takes a
    /// slot and capital of the seat.
    pub coming: bool,
}

impl Seat {
    /// A seat whose channels may have any size from that which nodes accept to all of its capital.
    pub fn new(id: NodeId, slots: u32, capital: Sat) -> Self {
        Self {
            id,
            slots,
            capital,
            channel_min: Sat::ZERO,
            channel_max: capital,
            unseen: Vec::new(),
        }
    }
}

/// How far a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units of work that are done.
    pub done: u64,
    /// How many there will be, as far as is known now; rarely exact.
    pub of: u64,
}

/// Is told of progress now and then, and answers whether to go on. Whoever answers no by a clock gets
/// a plan that nobody else gets, and one that is marked as cut.
pub type Watch<'a> = &'a (dyn Fn(Progress) -> bool + Sync);

/// Lets every plan go on to its end.
pub fn unwatched(_: Progress) -> bool {
    true
}
