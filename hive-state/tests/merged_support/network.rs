//! Links that carry whole frames, lose some, and count all.

use super::Chance;
use hive_proto::{Delta, DigestLine, Item, Listing, Message};
use hive_state::merged::{Merge, Merged};
use hive_types::Now;

/// What went over the wire between replicas, in whole frames.
#[derive(Default, Debug, Clone)]
pub struct Traffic {
    pub frames: usize,
    pub bytes: usize,
    pub largest: usize,
    pub duplicates: usize,
    pub listings: usize,
}

/// Which messages arrive.
pub struct Link<'a> {
    pub chance: &'a mut Chance,
    pub loss: u64,
    pub traffic: &'a mut Traffic,
    /// Whether a fellow may send what does not count here, as between two copies of one author.
    pub lenient: bool,
}

impl Link<'_> {
    /// The message as the other side reads it from its frame; `None` where it was lost.
    fn carry(&mut self, message: Message) -> Option<Message> {
        let frame = message.to_frame().expect("frames fit");
        self.traffic.frames += 1;
        self.traffic.bytes += frame.len();
        self.traffic.largest = self.traffic.largest.max(frame.len());
        if self.chance.percent(self.loss) {
            return None;
        }
        Some(Message::from_frame(&frame).expect("frames are read as written"))
    }

    fn digest(&mut self, lines: Vec<DigestLine>) -> Option<Vec<DigestLine>> {
        match self.carry(Message::Digest(lines))? {
            Message::Digest(lines) => Some(lines),
            _ => unreachable!(),
        }
    }

    fn delta(&mut self, delta: Delta) -> Option<Delta> {
        match self.carry(Message::Delta(delta))? {
            Message::Delta(delta) => Some(delta),
            _ => unreachable!(),
        }
    }

    fn listing(&mut self, listing: Listing) -> Option<Listing> {
        self.traffic.listings += 1;
        match self.carry(Message::Listing(listing))? {
            Message::Listing(listing) => Some(listing),
            _ => unreachable!(),
        }
    }

    fn apply(&mut self, to: &mut Merged, items: Vec<Item>, now: Now) {
        for item in items {
            match to.merge(item, now) {
                Merge::Duplicate => self.traffic.duplicates += 1,
                Merge::Refused(reason) if !self.lenient => {
                    panic!("an honest fellow's item was refused: {reason}")
                }
                _ => {}
            }
        }
    }

    /// One round: `a` asks `b`. Whether the answer said that there is more.
    pub fn round(&mut self, a: &mut Merged, b: &mut Merged, now: Now) -> bool {
        let Some(lines) = self.digest(a.digest()) else {
            return false;
        };
        let answer = b.answer(&lines);
        let mut more = false;
        if let Some(delta) = self.delta(answer.delta) {
            more = delta.more;
            self.apply(a, delta.items, now);
            if let Some(back) = a.answer_want(&delta.want)
                && let Some(back) = self.delta(back)
            {
                self.apply(b, back.items, now);
            }
        }
        for listing in answer.listings {
            self.listings(a, b, listing, now);
        }
        more
    }

    fn listings(&mut self, a: &mut Merged, b: &mut Merged, listing: Listing, now: Now) {
        let Some(listing) = self.listing(listing) else {
            return;
        };
        let answer = a.on_listing(&listing);
        if let Some(delta) = answer.delta.and_then(|delta| self.delta(delta)) {
            self.apply(b, delta.items, now);
        }
        let Some(listing) = answer.listing.and_then(|listing| self.listing(listing)) else {
            return;
        };
        if let Some(delta) = b
            .on_listing(&listing)
            .delta
            .and_then(|delta| self.delta(delta))
        {
            self.apply(a, delta.items, now);
        }
    }
}
