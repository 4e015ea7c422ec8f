//! After leaving: those that never heard of it are told, and what an older store forgot stays
//! unspent.

use crate::hive::{Hive, Stage};
use crate::io::Change;
use hive_proto::{Delta, Item, Message, keys};
use hive_types::limits::RELAY_HOPS;
use hive_types::{Millis, NodeId};

/// The store's name for the record of the last departure.
pub(crate) const META_DEPARTURE: &str = "departure";

/// A member that was restored spends nothing for as long as the longest of its spending windows.
const SPENDING_FORGOTTEN: Millis = Millis::from_days(1);

impl Hive {
    /// Keeps the departure that this member signed: when it left out of everybody's reach, the fleet
    /// has a seat for it that nobody else can end but by expelling it for good.
    pub(crate) fn keep_departure(&mut self, departure: Option<Vec<u8>>) {
        let bytes = departure.clone().unwrap_or_default();
        let key = META_DEPARTURE.to_owned();
        self.out.store(Change::Meta { key, bytes });
        self.departure = departure;
    }

    /// The departure that this member signed, if it did.
    pub(crate) fn own_departure(&self) -> Option<Vec<u8>> {
        let Stage::Member(member) = &self.stage else {
            return None;
        };
        let held = member.merged.get(&member.me(), &keys::departure())?;
        Some(held.record().bytes().to_vec())
    }

    /// Somebody takes this node for a fellow: it is shown that it left.
    pub(crate) fn tell_departure(&mut self, to: NodeId) {
        let Some(departure) = self.departure.clone() else {
            return self.bad_peer(to, "not a member".to_owned());
        };
        let delta = Delta {
            hops: RELAY_HOPS,
            items: vec![Item::Record(departure)],
            want: Vec::new(),
            more: false,
        };
        self.out.send(to, &Message::Delta(delta));
    }

    /// This agent runs on an older copy of its store. What it spent since may be forgotten, and no
    /// fellow knows it.
    pub(crate) fn pause_after_restore(&mut self) {
        self.gate.pause(self.now, SPENDING_FORGOTTEN);
        self.alert("this agent was started from an older copy of its store and may have forgotten what it spent: it spends nothing for a day, unless hive-pause 0 ends that".to_owned());
    }
}
