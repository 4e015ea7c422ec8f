//! What a store has to write so that the replica can be built again.

use super::proof::Memory;
use super::{Merge, Merged};
use hive_proto::{Item, Version};
use hive_types::{NodeId, Now};

/// One write of the store. In order, and as one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The author left: all that is stored of it goes, but for its newest version.
    Forget {
        /// Who.
        author: NodeId,
        /// Its newest version.
        newest: Version,
    },
    /// An epoch is open: the author's stored records go. The item is [`Item::Epoch`].
    Open {
        /// Whose.
        author: NodeId,
        /// The manifest.
        item: Item,
        /// What this replica remembers of the author.
        memory: Memory,
    },
    /// The record under a key. The item is [`Item::Record`].
    Put {
        /// Whose.
        author: NodeId,
        /// Under which key.
        key: Vec<u8>,
        /// The record.
        item: Item,
    },
    /// Nothing is under the key any more.
    Remove {
        /// Whose.
        author: NodeId,
        /// Which key.
        key: Vec<u8>,
    },
    /// All proofs against an author, in place of the stored ones.
    Proofs {
        /// Against whom.
        author: NodeId,
        /// Each one [`Item::Proof`].
        items: Vec<Item>,
        /// What this replica remembers of the author.
        memory: Memory,
    },
}

/// What changed since the last call. Its order is the order of writes; its size is bounded by the
/// replica's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dirty {
    Author(NodeId),
    Epoch(NodeId),
    Record(NodeId, Vec<u8>),
    Proofs(NodeId),
}

impl Merged {
    /// Builds the replica again from what was stored, after [`Merged::set_authors`]. Everything is
    /// checked as if it came from others, so a damaged store can't put words into a member's mouth.
    /// Arrivals are dated `now`: waits begin again in full. How many items did not count.
    pub fn restore(
        &mut self,
        items: impl IntoIterator<Item = Item>,
        memories: &[Memory],
        now: Now,
    ) -> usize {
        let refused = |merge: &Merge| matches!(merge, Merge::Refused(_));
        let merged = items.into_iter().map(|item| self.merge(item, now));
        let count = merged.filter(refused).count();
        memories.iter().for_each(|memory| self.recall(memory));
        self.dirty.clear();
        count
    }

    /// What changed since the last call, to be made durable before anything is sent that shows it.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let dirty = core::mem::take(&mut self.dirty);
        dirty
            .into_iter()
            .filter_map(|dirty| self.change(dirty))
            .collect()
    }

    fn change(&self, dirty: Dirty) -> Option<Change> {
        Some(match dirty {
            Dirty::Author(author) => {
                let newest = *self.departed.get(&author)?;
                Change::Forget { author, newest }
            }
            Dirty::Epoch(author) => {
                let manifest = Box::new(self.authors.get(&author)?.manifest.manifest().clone());
                let memory = self.memory(&author)?;
                Change::Open {
                    author,
                    item: Item::Epoch(manifest),
                    memory,
                }
            }
            Dirty::Record(author, key) => match self.get(&author, &key) {
                Some(held) => {
                    let item = Item::Record(held.record().bytes().to_vec());
                    Change::Put { author, key, item }
                }
                None => Change::Remove { author, key },
            },
            Dirty::Proofs(author) => {
                let memory = self.memory(&author)?;
                let items = self
                    .proofs(&author)
                    .map(super::ForkProof::to_item)
                    .collect();
                Change::Proofs {
                    author,
                    items,
                    memory,
                }
            }
        })
    }

    fn memory(&self, author: &NodeId) -> Option<Memory> {
        self.authors.get(author).map(|known| known.memory(*author))
    }
}
