//! The queue of a search: a radix heap (Ahuja, Mehlhorn, Orlin and Tarjan, 1990), for keys that never
//! fall below the last one taken.

/// Bits of a digit. Larger digits move an entry less often and spread it over more memory.
const DIGIT_BITS: u32 = 6;
const DIGITS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

/// Smallest key first; which of equal keys comes first depends on the calls alone.
///
/// An entry lies on the level of the highest digit in which its key differs from the last one taken,
/// in the bucket of that digit. So the first bucket of the lowest level holds the smallest keys.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    last: u64,
    /// A bit for each level that holds something.
    levels: u32,
    /// For each level, a bit for each bucket that holds something.
    filled: [u64; LEVELS],
    buckets: Vec<Vec<Entry>>,
    /// The bucket that is being spread, kept for its room.
    spreading: Vec<Entry>,
}

type Entry = (u64, u32);

impl Default for Queue {
    fn default() -> Self {
        Self {
            last: 0,
            levels: 0,
            filled: [0; LEVELS],
            buckets: vec![Vec::new(); LEVELS * DIGITS],
            spreading: Vec::new(),
        }
    }
}

impl Queue {
    pub(super) fn clear(&mut self) {
        while let Some((level, digit)) = self.first() {
            self.buckets[level * DIGITS + digit].clear();
            self.mark_empty(level, digit);
        }
        self.last = 0;
    }

    /// Takes a key that is not below the last one taken.
    pub(super) fn push(&mut self, key: u64, place: u32) {
        let top_bit = u64::BITS - 1 - (key ^ self.last | 1).leading_zeros();
        let level = top_bit / DIGIT_BITS;
        let digit = (key >> (level * DIGIT_BITS)) as usize % DIGITS;
        self.levels |= 1 << level;
        self.filled[level as usize] |= 1 << digit;
        self.buckets[level as usize * DIGITS + digit].push((key, place));
    }

    /// The smallest key of those that `keys` still holds for their places.
    pub(super) fn pop(&mut self, keys: &[u64]) -> Option<Entry> {
        let holds = |(key, place): &Entry| keys[*place as usize] == *key;
        loop {
            let (level, digit) = self.first()?;
            let bucket = &mut self.buckets[level * DIGITS + digit];
            if level == 0 || bucket.len() == 1 {
                let entry = bucket.pop();
                if bucket.is_empty() {
                    self.mark_empty(level, digit);
                }
                if let Some(entry) = entry.filter(holds) {
                    self.last = entry.0;
                    return Some(entry);
                }
            } else {
                std::mem::swap(&mut self.spreading, bucket);
                self.mark_empty(level, digit);
                self.spread(holds);
            }
        }
    }

    /// Spreads a bucket over lower levels, all of which are empty.
    fn spread(&mut self, holds: impl Fn(&Entry) -> bool) {
        let mut spreading = std::mem::take(&mut self.spreading);
        spreading.retain(holds);
        if let Some(least) = spreading.iter().map(|(key, _)| *key).min() {
            self.last = least;
            for (key, place) in spreading.drain(..) {
                self.push(key, place);
            }
        }
        self.spreading = spreading;
    }

    /// The first bucket that holds something, by level and digit.
    fn first(&self) -> Option<(usize, usize)> {
        let level = self.levels.trailing_zeros() as usize;
        let filled = self.filled.get(level)?;
        Some((level, filled.trailing_zeros() as usize))
    }

    fn mark_empty(&mut self, level: usize, digit: usize) {
        self.filled[level] &= !(1 << digit);
        if self.filled[level] == 0 {
            self.levels &= !(1 << level);
        }
    }
}
