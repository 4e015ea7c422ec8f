//! What of the gate outlives a crash.

use super::{
    Mode,
    clock::ClockMark,
    ledger::LedgerEntry,
    queue::{Ended, Pending, note_ended},
};
use hive_types::{ActionId, UnixMillis};
use serde::{Deserialize, Serialize};

/// Whether the operator stopped the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// A pause ends at this gate time.
    pub paused_until: Option<UnixMillis>,
    /// The kill switch.
    pub stopped: bool,
}

/// One durable change. All changes of a call are stored before its effects go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateChange {
    /// An action was reserved, settled or released; replaces the entry of the same id.
    Ledger(LedgerEntry),
    /// No window counts this entry any more. A store may keep it for reports; a restored gate does
    /// not need it.
    LedgerClosed(ActionId),
    /// A proposal waits, or was approved; replaces the one of the same id.
    Pending(Pending),
    /// A proposal waits no more.
    PendingGone(Ended),
    /// The operator changed the mode.
    Mode(Mode),
    /// The operator paused, resumed, stopped or released; or a pause ended.
    Halt(Halt),
    /// Time passed.
    Clock(ClockMark),
}

/// Everything that [`crate::Gate::restore`] needs, besides the operator's limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateState {
    /// The mode.
    pub mode: Mode,
    /// Pause and kill switch.
    pub halt: Halt,
    /// The clock.
    pub clock: ClockMark,
    /// Entries that still count, in order of ids.
    pub ledger: Vec<LedgerEntry>,
    /// Proposals that wait, in the order in which they were put.
    pub pending: Vec<Pending>,
    /// The last proposals that ended, oldest first.
    pub ended: Vec<Ended>,
}

impl GateState {
    /// Applies a stored change. All changes in order, from the default, give the gate's state.
    pub fn apply(&mut self, change: GateChange) {
        match change {
            GateChange::Ledger(entry) => {
                match self.ledger.binary_search_by_key(&entry.id, |old| old.id) {
                    Ok(place) => self.ledger[place] = entry,
                    Err(place) => self.ledger.insert(place, entry),
                }
            }
            GateChange::LedgerClosed(id) => self.ledger.retain(|entry| entry.id != id),
            GateChange::Pending(pending) => {
                match self.pending.iter_mut().find(|old| old.id == pending.id) {
                    Some(old) => *old = pending,
                    None => self.pending.push(pending),
                }
            }
            GateChange::PendingGone(ended) => {
                self.pending.retain(|pending| pending.id != ended.id);
                note_ended(&mut self.ended, ended);
            }
            GateChange::Mode(mode) => self.mode = mode,
            GateChange::Halt(halt) => self.halt = halt,
            GateChange::Clock(mark) => self.clock = mark,
        }
    }
}
