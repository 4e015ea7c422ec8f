//! What this member tells of its plans: what it could open, and what it is about to open. Others plan
//! around an intent until it ends; it reserves nothing by force, locks do.

use crate::hive::{Hive, Stage};
use hive_proto::{RecordBody, keys};
use hive_state::merged::Draft;
use hive_types::{Action, Constraint, Intent, NodeId, Proposal};

/// An announced open ends by itself after half a day, or is announced again.
const INTENT_BLOCKS: u32 = 72;

impl Hive {
    /// Tells fellows of an open that this member is about to make, so that they plan around it.
    pub(crate) fn announce_intent(&mut self, proposal: &Proposal) {
        let Action::Open(open) = proposal.action else {
            return;
        };
        let intent = Intent {
            target: open.target,
            capacity: open.capacity,
            value_per_day: proposal.value_per_day,
            until: self.height().plus(INTENT_BLOCKS),
        };
        self.write_intent(&intent);
    }

    /// Takes an announced open back: an intent that has ended already replaces it.
    pub(crate) fn retract_intent(&mut self, target: &NodeId) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let key = keys::intent(target);
        let Some(held) = member.merged.get(&member.me(), &key) else {
            return;
        };
        let Ok(intent) = Intent::decode(&held.record().fields().body) else {
            return;
        };
        let height = self.height();
        if intent.until > height {
            self.write_intent(&Intent {
                until: height,
                ..intent
            });
        }
    }

    fn write_intent(&mut self, intent: &Intent) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        if member.merged.may_write() {
            self.write(Draft::new(keys::intent(&intent.target), intent, 0));
        }
    }

    /// Tells fellows what this member could open, when that changed by more than a tenth.
    pub(crate) fn announce_constraint(&mut self) {
        let new = self.own_constraint();
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let told = member.merged.get(&member.me(), &keys::constraint());
        let told = told.and_then(|held| Constraint::decode(&held.record().fields().body).ok());
        let is_news = told.is_none_or(|told| differs(&told, &new));
        if is_news && member.merged.may_write() && new.channel_min <= new.channel_max {
            self.write(Draft::new(keys::constraint(), &new, 0));
        }
    }
}

fn differs(told: &Constraint, new: &Constraint) -> bool {
    let apart = told.capital.get().abs_diff(new.capital.get());
    let same_shape = (told.slots, told.channel_min, told.channel_max)
        == (new.slots, new.channel_min, new.channel_max);
    !same_shape || apart > told.capital.get() / 10
}
