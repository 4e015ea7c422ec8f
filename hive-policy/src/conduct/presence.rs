//! Uptime that all members reckon alike: from what each of them attests, by slots of the chain.
//!
//! Each member notes, for every slot of [`PRESENCE_SLOT_BLOCKS`] blocks, which fellows it had a fresh
//! heartbeat of, and publishes that. A member was up in a slot when at least half of those who watched
//! it say so. That is a function of published records alone, so that equal records give equal uptime
//! at every observer, whenever it joined or was restarted (case T55).

use hive_types::limits::{PRESENCE_MIN, PRESENCE_SLOT_BLOCKS, PRESENCE_SLOTS};
use hive_types::{BlockHeight, NodeId, Ppm};
use std::collections::{BTreeMap, BTreeSet};

/// One bit for each slot, the newest first.
pub type Slots = [u8; PRESENCE_SLOTS / 8];

/// What one member attests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attested {
    /// The slot of the newest bit.
    pub slot: u32,
    /// Slots in which the member looked.
    pub watched: Slots,
    /// For each fellow: the slot from which on it was watched, and the slots in which it was seen.
    pub seen: BTreeMap<NodeId, (u32, Slots)>,
}

/// How much of its time a member was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uptime {
    /// Slots in which it was up, of those that somebody watched.
    pub share: Ppm,
    /// Slots that somebody watched.
    pub slots: u32,
}

/// The slot of a height.
pub const fn slot_of(height: BlockHeight) -> u32 {
    height.get() / PRESENCE_SLOT_BLOCKS
}

impl Attested {
    /// Notes who is fresh in a slot. Returns whether a new slot has begun: then it is time to publish.
    /// A slot before the newest one, after a reorganisation, counts as the newest one.
    pub fn note(&mut self, slot: u32, fellows: &[(NodeId, bool)]) -> bool {
        let passed = slot.saturating_sub(self.slot);
        let begins = passed > 0;
        self.slot = self.slot.max(slot);
        shift(&mut self.watched, passed);
        let present: BTreeSet<NodeId> = fellows.iter().map(|(node, _)| *node).collect();
        self.seen.retain(|node, _| present.contains(node));
        let newest = self.slot;
        for (node, is_fresh) in fellows {
            let (_, slots) = self.seen.entry(*node).or_insert((newest, Slots::default()));
            shift(slots, passed);
            if *is_fresh {
                mark(slots);
            }
        }
        // One that hears nobody may be the one that is cut off.
        if fellows.iter().any(|(_, is_fresh)| *is_fresh) {
            mark(&mut self.watched);
        }
        begins
    }

    /// Whether it looked at a member in a slot, and then whether it saw it.
    fn says(&self, node: &NodeId, slot: u32) -> Option<bool> {
        let (since, slots) = self.seen.get(node)?;
        let age = self.slot.checked_sub(slot)?;
        (slot >= *since && bit(&self.watched, age)).then(|| bit(slots, age))
    }
}

/// A member's uptime in the last week by what others attest; `None` before enough was seen. The running
/// slot does not count. A slot that only a minority has reached does not either: nobody moves the
/// window alone.
pub fn uptime<'a>(
    node: &NodeId,
    attested: impl IntoIterator<Item = (&'a NodeId, &'a Attested)>,
) -> Option<Uptime> {
    let others = attested.into_iter().filter(|(author, _)| *author != node);
    let others: Vec<&Attested> = others.map(|(_, attested)| attested).collect();
    let mut reached: Vec<u32> = others.iter().map(|attested| attested.slot).collect();
    reached.sort_unstable();
    let newest = *reached.get(reached.len().checked_sub(1)? / 2)?;
    let oldest = newest.saturating_sub(PRESENCE_SLOTS as u32 - 1);
    let (mut up, mut slots) = (0, 0);
    for slot in oldest..newest {
        let says: Vec<bool> = others.iter().filter_map(|a| a.says(node, slot)).collect();
        let seen = says.iter().filter(|seen| **seen).count();
        slots += u32::from(!says.is_empty());
        up += u32::from(!says.is_empty() && 2 * seen >= says.len());
    }
    (slots >= PRESENCE_MIN).then(|| Uptime {
        share: Ppm::of(up.into(), slots.into()),
        slots,
    })
}

fn mark(slots: &mut Slots) {
    if let Some(newest) = slots.first_mut() {
        *newest |= 1;
    }
}

fn bit(slots: &Slots, age: u32) -> bool {
    let byte = slots.get((age / 8) as usize);
    byte.is_some_and(|byte| byte >> (age % 8) & 1 == 1)
}

/// Makes everything older by so many slots.
fn shift(slots: &mut Slots, by: u32) {
    let before = *slots;
    for (place, byte) in slots.iter_mut().enumerate() {
        *byte = (0..8u32).fold(0, |byte, offset| {
            let age = place as u32 * 8 + offset;
            let was = age.checked_sub(by).is_some_and(|age| bit(&before, age));
            byte | u8::from(was) << offset
        });
    }
}
