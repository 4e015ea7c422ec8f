//! The queue of a search: a heap of four children, which is shallower than one of two.

const CHILDREN: usize = 4;

/// Smallest key first, of equal keys the smallest place.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    heap: Vec<(u64, u32)>,
}

impl Queue {
    pub(super) fn clear(&mut self) {
        self.heap.clear();
    }

    pub(super) fn push(&mut self, key: u64, place: u32) {
        let mut at = self.heap.len();
        self.heap.push((key, place));
        while at > 0 {
            let parent = (at - 1) / CHILDREN;
            if self.heap[parent] <= (key, place) {
                break;
            }
            self.heap[at] = self.heap[parent];
            at = parent;
        }
        self.heap[at] = (key, place);
    }

    pub(super) fn pop(&mut self) -> Option<(u64, u32)> {
        let last = self.heap.pop()?;
        let Some(first) = self.heap.first().copied() else {
            return Some(last);
        };
        let mut at = 0;
        loop {
            let children = CHILDREN * at + 1;
            let end = (children + CHILDREN).min(self.heap.len());
            let Some(least) = (children..end).min_by_key(|child| self.heap[*child]) else {
                break;
            };
            if last <= self.heap[least] {
                break;
            }
            self.heap[at] = self.heap[least];
            at = least;
        }
        self.heap[at] = last;
        Some(first)
    }
}
