//! The bytes of heartbeats. Every number is minimal LEB128, so each value has one encoding.
//!
//! - **Channel ids**: their count; then for each, in ascending order, the block's difference to the
//!   one before, and the transaction's index and the output together: `4 × transaction + output`,
//!   and from output 3 on `4 × transaction + 3` and then `output - 3`. Most fundings are among the
//!   first outputs of the first 4,096 transactions of their block, so most ids take four bytes.
//! - **Full**: ids, one byte of share for each, then unannounced channels.
//! - **Unannounced channels**: their count; peer (33 bytes), capacity in sat, share for each.
//! - **Change**: the counter of the full heartbeat; one byte of flags (1 whole shares, 2 removed,
//!   4 added, 8 unannounced); the shares, as pairs (count; then index difference and share) or whole
//!   (count; one byte each); removed indexes (count; differences); added ids and their shares;
//!   unannounced channels. Indexes count the channels of the full heartbeat; the first difference
//!   counts from 0, each next one from the index after the one before.

use super::{Heartbeat, HeartbeatChange, HeartbeatError, Share, ShareChanges, Unannounced};
use crate::body::{BodyError, RecordBody};
use crate::leb128;
use crate::record::{Counter, RecordKind};
use hive_types::limits::{HEARTBEAT_CHANNELS, HEARTBEAT_UNANNOUNCED, RECORD_BODY_BYTES};
use hive_types::{NodeId, Sat, ShortChannelId};
use std::collections::BTreeMap;

use HeartbeatError::{Malformed, Order, TooLarge};

const WHOLE: u8 = 1;
const REMOVED: u8 = 2;
const ADDED: u8 = 4;
const UNANNOUNCED: u8 = 8;

/// Outputs below this take no byte of their own.
const SHORT_OUTPUTS: u64 = 3;

impl Heartbeat {
    pub(super) fn fits_a_body(&self) -> bool {
        self.encode().len() <= RECORD_BODY_BYTES
    }
}

impl RecordBody for Heartbeat {
    const KIND: RecordKind = RecordKind::HEARTBEAT_FULL;

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.announced.len() * 5 + 8);
        write_channels(&mut out, &self.announced);
        write_unannounced(&mut out, &self.unannounced);
        out
    }

    fn decode(body: &[u8]) -> Result<Self, BodyError> {
        let mut reader = Reader(body);
        let announced = reader.channels()?;
        let unannounced = reader.unannounced()?;
        reader.end()?;
        Ok(Self {
            announced,
            unannounced,
        })
    }
}

impl RecordBody for HeartbeatChange {
    const KIND: RecordKind = RecordKind::HEARTBEAT_CHANGE;

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        leb128::write(&mut out, self.base.0);
        let flag = |on: bool, flag: u8| if on { flag } else { 0 };
        out.push(
            flag(matches!(self.shares, ShareChanges::Whole(_)), WHOLE)
                | flag(!self.removed.is_empty(), REMOVED)
                | flag(!self.added.is_empty(), ADDED)
                | flag(self.unannounced.is_some(), UNANNOUNCED),
        );
        match &self.shares {
            ShareChanges::Whole(shares) => write_shares(&mut out, shares),
            ShareChanges::Pairs(pairs) => write_pairs(&mut out, pairs),
        }
        if !self.removed.is_empty() {
            leb128::write(&mut out, self.removed.len() as u64);
            let mut next = 0;
            self.removed
                .iter()
                .for_each(|index| write_index(&mut out, *index, &mut next));
        }
        if !self.added.is_empty() {
            write_channels(&mut out, &self.added);
        }
        if let Some(unannounced) = &self.unannounced {
            write_unannounced(&mut out, unannounced);
        }
        out
    }

    fn decode(body: &[u8]) -> Result<Self, BodyError> {
        let mut reader = Reader(body);
        let base = Counter(reader.number()?);
        let flags = reader.byte()?;
        if flags >= UNANNOUNCED * 2 {
            return Err(Malformed.into());
        }
        let has = |flag: u8| flags & flag != 0;
        let shares = if has(WHOLE) {
            reader.whole_shares()?
        } else {
            reader.pairs()?
        };
        let removed = if has(REMOVED) {
            reader.removed()?
        } else {
            Vec::new()
        };
        let added = if has(ADDED) {
            reader.channels()?
        } else {
            BTreeMap::new()
        };
        let unannounced = has(UNANNOUNCED).then(|| reader.unannounced()).transpose()?;
        reader.end()?;
        let empty = (has(REMOVED) && removed.is_empty()) || (has(ADDED) && added.is_empty());
        if empty {
            return Err(Malformed.into());
        }
        Ok(Self {
            base,
            shares,
            removed,
            added,
            unannounced,
        })
    }
}

fn write_channels(out: &mut Vec<u8>, channels: &BTreeMap<ShortChannelId, Share>) {
    leb128::write(out, channels.len() as u64);
    let mut before = 0;
    for scid in channels.keys() {
        leb128::write(out, u64::from(scid.block() - before));
        before = scid.block();
        let (place, output) = (u64::from(scid.transaction()) << 2, u64::from(scid.output()));
        leb128::write(out, place | output.min(SHORT_OUTPUTS));
        if output >= SHORT_OUTPUTS {
            leb128::write(out, output - SHORT_OUTPUTS);
        }
    }
    out.extend(channels.values().map(|share| share.steps()));
}

fn write_shares(out: &mut Vec<u8>, shares: &[Share]) {
    leb128::write(out, shares.len() as u64);
    out.extend(shares.iter().map(|share| share.steps()));
}

pub(super) fn write_pairs(out: &mut Vec<u8>, pairs: &[(usize, Share)]) {
    leb128::write(out, pairs.len() as u64);
    let mut next = 0;
    for (index, share) in pairs {
        write_index(out, *index, &mut next);
        out.push(share.steps());
    }
}

fn write_index(out: &mut Vec<u8>, index: usize, next: &mut usize) {
    leb128::write(out, (index - *next) as u64);
    *next = index + 1;
}

fn write_unannounced(out: &mut Vec<u8>, channels: &[Unannounced]) {
    leb128::write(out, channels.len() as u64);
    for channel in channels {
        out.extend_from_slice(channel.peer.as_bytes());
        leb128::write(out, channel.capacity.get());
        out.push(channel.share.steps());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Result<u64, HeartbeatError> {
        leb128::read(&mut self.0).ok_or(Malformed)
    }

    fn byte(&mut self) -> Result<u8, HeartbeatError> {
        let (byte, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*byte)
    }

    /// A count of things that take at least `least` bytes each, so that a lie allocates nothing.
    fn count(&mut self, max: usize, least: usize) -> Result<usize, HeartbeatError> {
        let count = usize::try_from(self.number()?).map_err(|_| TooLarge)?;
        match count {
            count if count > max => Err(TooLarge),
            count if count.saturating_mul(least) > self.0.len() => Err(Malformed),
            count => Ok(count),
        }
    }

    fn shares(&mut self, count: usize) -> Result<Vec<Share>, HeartbeatError> {
        let (shares, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(shares
            .iter()
            .map(|steps| Share::from_steps(*steps))
            .collect())
    }

    fn channels(&mut self) -> Result<BTreeMap<ShortChannelId, Share>, HeartbeatError> {
        let count = self.count(HEARTBEAT_CHANNELS, 3)?;
        let mut ids: Vec<ShortChannelId> = Vec::with_capacity(count);
        for _ in 0..count {
            let scid = self.scid(ids.last().map_or(0, |before| before.block()))?;
            if ids.last().is_some_and(|before| *before >= scid) {
                return Err(Order);
            }
            ids.push(scid);
        }
        Ok(ids.into_iter().zip(self.shares(count)?).collect())
    }

    fn scid(&mut self, before: u32) -> Result<ShortChannelId, HeartbeatError> {
        let block = self
            .number()?
            .checked_add(u64::from(before))
            .ok_or(Malformed)?;
        let place = self.number()?;
        let output = match place & SHORT_OUTPUTS {
            SHORT_OUTPUTS => self.number()?.checked_add(SHORT_OUTPUTS).ok_or(Malformed)?,
            output => output,
        };
        let parts = || {
            let (block, index) = (u32::try_from(block).ok()?, u32::try_from(place >> 2).ok()?);
            ShortChannelId::new(block, index, u16::try_from(output).ok()?)
        };
        parts().ok_or(Malformed)
    }

    fn whole_shares(&mut self) -> Result<ShareChanges, HeartbeatError> {
        let count = self.count(HEARTBEAT_CHANNELS, 1)?;
        self.shares(count).map(ShareChanges::Whole)
    }

    fn pairs(&mut self) -> Result<ShareChanges, HeartbeatError> {
        let count = self.count(HEARTBEAT_CHANNELS, 2)?;
        let mut next = 0;
        let pair = |_| Ok((self.index(&mut next)?, Share::from_steps(self.byte()?)));
        (0..count)
            .map(pair)
            .collect::<Result<_, _>>()
            .map(ShareChanges::Pairs)
    }

    fn removed(&mut self) -> Result<Vec<usize>, HeartbeatError> {
        let count = self.count(HEARTBEAT_CHANNELS, 1)?;
        let mut next = 0;
        (0..count).map(|_| self.index(&mut next)).collect()
    }

    fn index(&mut self, next: &mut usize) -> Result<usize, HeartbeatError> {
        let gap = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        let index = next
            .checked_add(gap)
            .filter(|index| *index < HEARTBEAT_CHANNELS);
        let index = index.ok_or(Malformed)?;
        *next = index + 1;
        Ok(index)
    }

    fn unannounced(&mut self) -> Result<Vec<Unannounced>, HeartbeatError> {
        let count = self.count(HEARTBEAT_UNANNOUNCED, NodeId::SIZE + 2)?;
        let channels: Vec<_> = (0..count)
            .map(|_| self.one_unannounced())
            .collect::<Result<_, _>>()?;
        if channels.is_sorted() {
            Ok(channels)
        } else {
            Err(Order)
        }
    }

    fn one_unannounced(&mut self) -> Result<Unannounced, HeartbeatError> {
        let (peer, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        let peer = NodeId::from_bytes(*peer).map_err(|_| Malformed)?;
        self.0 = rest;
        let capacity = Sat::new(self.number()?);
        Ok(Unannounced {
            peer,
            capacity,
            share: Share::from_steps(self.byte()?),
        })
    }

    fn end(&self) -> Result<(), HeartbeatError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}
