//! To whom an adversary's misdeeds show, by the simulated chain and network alone.

use super::scene::Stage;
use crate::fleet::{Adversary, Cheat, Fleet, Lie};
use crate::world::{ChannelInfo, RESERVE_DIVISOR};
use hive_proto::{Record, Version};
use hive_types::limits::HTLC_MAXIMUM_LEAST;
use hive_types::{NodeId, Tier};
use std::collections::{BTreeMap, BTreeSet};

/// What shows of one of them.
#[derive(Clone, Copy)]
pub(super) struct Misdeed {
    pub(super) member: usize,
    pub(super) kind: Adversary,
    pub(super) lie: Option<Lie>,
}

impl Misdeed {
    /// Whether what it does shows to anybody. A fork shows once it is in honest hands.
    pub(super) fn shows(self, stage: &Stage) -> bool {
        let node = stage.fleet.node(self.member);
        let is_there = self.kind != Adversary::Equivocator || holds_two(&stage.fleet, node);
        is_there && !self.shown_to(stage).is_empty()
    }

    /// The honest full members to whom it shows now.
    pub(super) fn shown_to(self, stage: &Stage) -> BTreeSet<usize> {
        let fleet = &stage.fleet;
        let node = fleet.node(self.member);
        let shows_to = |other: NodeId| match self.kind.shows_in_channels() {
            true => fleet
                .world()
                .channels()
                .any(|channel| self.shows_in(&channel, [node, other])),
            false => fleet.world().is_connected(node, other),
        };
        (0..stage.members)
            .filter(|member| fleet.agents()[*member].is_honest())
            .filter(|member| tier_of(fleet, *member) == Some(Tier::Full))
            .filter(|member| shows_to(fleet.node(*member)))
            .collect()
    }

    /// Whether a channel of these two shows to the second what the first one does. To claim all of a channel
    /// is no lie where the other end holds next to nothing, and a small limit is no fault where little
    /// could be sent; whatever else a cheat asks is wrong on every channel.
    fn shows_in(self, channel: &ChannelInfo, [rogue, other]: [NodeId; 2]) -> bool {
        let side = |node| channel.nodes.iter().position(|end| *end == node);
        let (Some(own), Some(others), Some(_)) = (side(rogue), side(other), channel.scid) else {
            return false;
        };
        let whole = channel.capacity.to_msat_saturating().get();
        match (self.kind, self.lie) {
            (Adversary::CapacityLiar, _) => channel.balances[others].get() > whole / 5,
            (_, Some(Lie::Cheats(Cheat::HtlcMaximum))) => {
                let least = HTLC_MAXIMUM_LEAST
                    .to_msat_saturating()
                    .get()
                    .min(whole / 10);
                // Nobody can send the reserve; twice of it covers the fee of the commitment as well.
                channel.balances[own].get() > 2 * (least + whole / RESERVE_DIVISOR)
            }
            _ => true,
        }
    }
}

pub(super) fn tier_of(fleet: &Fleet, member: usize) -> Option<Tier> {
    let hive = fleet.agents()[member].disk().hive()?;
    let newest = fleet.chain().newest(&hive)?;
    let seat = newest.after.members().get(&fleet.node(member))?;
    Some(seat.tier)
}

/// Whether two honest members hold two contents that this node signed under one version. Until then it has
/// deceived nobody: its own machine may have met what it signed, and stopped.
fn holds_two(fleet: &Fleet, node: NodeId) -> bool {
    let honest = fleet.agents().iter().filter(|agent| agent.is_honest());
    let mut known: BTreeMap<(&[u8], Version), &[u8]> = BTreeMap::new();
    for agent in honest {
        let records = agent.disk().stored.records.iter();
        for ((_, key), bytes) in records.filter(|((author, _), _)| *author == node) {
            let Ok(record) = Record::parse(bytes.clone()) else {
                continue;
            };
            let place = (key.as_slice(), record.fields().version);
            if known
                .insert(place, bytes)
                .is_some_and(|other| other != bytes)
            {
                return true;
            }
        }
    }
    false
}
