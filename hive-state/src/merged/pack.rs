//! Filling one frame, to the byte.

use super::author::Held;
use super::proof::ForkProof;
use hive_proto::{Delta, DigestLine, Item, Manifest, codec};
use hive_types::limits::FRAME_BYTES;

/// Bytes of a frame's envelope: `HIVE`, version, kind.
const ENVELOPE: usize = 6;

/// Bytes of a delta beside its items and lines: hops, `more`, and two counts at their longest.
const DELTA: usize = 1 + 1 + 5 + 5;

/// Something that the other side lacks. Encoded only once it is known to fit.
pub(super) enum Offer<'a> {
    Epoch(&'a Manifest),
    Record(&'a Held),
    Proof(&'a ForkProof),
}

impl Offer<'_> {
    fn into_item(self) -> Item {
        match self {
            Self::Epoch(manifest) => Item::Epoch(Box::new(manifest.clone())),
            Self::Record(held) => Item::Record(held.record().bytes().to_vec()),
            Self::Proof(proof) => proof.to_item(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Record(held) => {
                let bytes = held.record().bytes().len();
                1 + varint(bytes) + bytes
            }
            Self::Epoch(manifest) => 1 + codec::encode(*manifest).len(),
            Self::Proof(proof) => codec::encode(&proof.to_item()).len(),
        }
    }
}

/// Bytes of a length in bincode's standard configuration.
const fn varint(value: usize) -> usize {
    match value {
        0..=250 => 1,
        251..=0xffff => 3,
        _ => 5,
    }
}

/// Fills one delta: the wants first, then one offer of each author in turn, so that no author
/// waits for another's backlog. An author whose next offer does not fit gets no later one in, for
/// its versions arrive in order.
pub(super) fn fill<'a, I>(want: Vec<DigestLine>, mut queues: Vec<I>) -> Delta
where
    I: Iterator<Item = Offer<'a>>,
{
    let mut left = FRAME_BYTES - ENVELOPE - DELTA;
    let all_wanted = want.len();
    let want: Vec<_> = want
        .into_iter()
        .take_while(|line| take(&mut left, codec::encode(line).len()))
        .collect();
    let mut more = want.len() < all_wanted;
    let mut items = Vec::new();
    while !queues.is_empty() {
        queues.retain_mut(|queue| match queue.next() {
            Some(offer) if take(&mut left, offer.size()) => {
                items.push(offer.into_item());
                true
            }
            Some(_) => {
                more = true;
                false
            }
            None => false,
        });
    }
    Delta {
        hops: 0,
        items,
        want,
        more,
    }
}

fn take(left: &mut usize, size: usize) -> bool {
    match left.checked_sub(size) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}
