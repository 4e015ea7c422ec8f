//! Core Lightning's file of gossip, `gossip_store`.
//!
//! The node appends to it while it is read, marks records as deleted in place, and writes a new file when
//! it starts. So what is not complete yet ends the reading without being an error, and a file that says
//! that it has ended must be opened again.

mod bolt7;

pub use bolt7::{ChannelUpdate, channel_update};

use crate::graph::{Graph, GraphBuilder};
use bolt7::{Bytes, CHANNEL_ANNOUNCEMENT, CHANNEL_UPDATE, NODE_ANNOUNCEMENT};
use hive_types::{NodeId, Sat, ShortChannelId};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Result};

/// Part of the first byte that changes with what old readers can't read.
const MAJOR_MASK: u8 = 0xe0;

/// Flags of a record.
const DELETED: u16 = 0x8000;
const COMPLETED: u16 = 0x2000;
const DYING: u16 = 0x0800;

/// First minor version whose records say when they are complete.
const COMPLETED_SINCE: u8 = 15;

/// Records that only this file has.
const CHANNEL_AMOUNT: u16 = 4101;
const DELETE_CHANNEL: u16 = 4103;
const ENDED: u16 = 4105;

/// How the reading of one file ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GossipStore {
    /// At its end, or at the first record that is not whole.
    Whole {
        /// The graph.
        graph: Graph,
        /// Records that do not fit what came before them, or that nothing is made of.
        skipped: usize,
    },
    /// The node has begun another file under the same name.
    Replaced,
    /// It holds more channels than were asked for.
    TooLarge,
    /// It is of a version that is not known, or no such file at all.
    Unknown(u8),
}

/// Reads one file of at most `most_channels` channels. `from` should be buffered: records are small.
///
/// # Errors
/// Those of `from`.
pub fn load_gossip_store(mut from: impl Read, most_channels: usize) -> Result<GossipStore> {
    let Some([version]) = exactly::<1>(&mut from)? else {
        return Ok(GossipStore::Unknown(0));
    };
    if version & MAJOR_MASK != 0 {
        return Ok(GossipStore::Unknown(version));
    }
    let mut draft = Draft::default();
    let mut body = Vec::new();
    while let Some(header) = header(&mut from)? {
        body.resize(header.length.into(), 0);
        if !fill(&mut from, &mut body)? {
            break;
        }
        if header.flags & DELETED != 0 {
            continue;
        }
        let is_complete = header.flags & COMPLETED != 0 || version < COMPLETED_SINCE;
        if !is_complete || crc32c(header.timestamp, &body) != header.crc {
            break;
        }
        if draft.add(&header, &body) == Some(Added::End) {
            return Ok(GossipStore::Replaced);
        }
        if draft.ends.len() > most_channels {
            return Ok(GossipStore::TooLarge);
        }
    }
    Ok(draft.build())
}

struct Header {
    flags: u16,
    length: u16,
    crc: u32,
    timestamp: u32,
}

fn header(from: &mut impl Read) -> Result<Option<Header>> {
    let bytes = exactly::<12>(from)?;
    Ok(bytes.and_then(|bytes| {
        let mut rest = Bytes(&bytes);
        Some(Header {
            flags: rest.u16()?,
            length: rest.u16()?,
            crc: rest.u32()?,
            timestamp: rest.u32()?,
        })
    }))
}

/// So many bytes; `None` at the end of the file, also in the middle of them.
fn exactly<const N: usize>(from: &mut impl Read) -> Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    Ok(fill(from, &mut bytes)?.then_some(bytes))
}

fn fill(from: &mut impl Read, bytes: &mut [u8]) -> Result<bool> {
    match from.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(reason) if reason.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(reason) => Err(reason),
    }
}

/// What a record was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    Part,
    End,
}

/// The graph so far.
#[derive(Default)]
struct Draft {
    builder: GraphBuilder,
    ends: BTreeMap<ShortChannelId, [NodeId; 2]>,
    /// Nodes that tell where they are.
    addressed: BTreeSet<NodeId>,
    /// Announced, its amount to come with the next record.
    awaited: Option<bolt7::Announced>,
    skipped: usize,
}

impl Draft {
    /// Adds one record; `None` where it makes no sense here.
    fn add(&mut self, header: &Header, record: &[u8]) -> Option<Added> {
        let added = self.place(header, record);
        if added.is_none() {
            self.skipped += 1;
        }
        added
    }

    fn place(&mut self, header: &Header, record: &[u8]) -> Option<Added> {
        let mut rest = Bytes(record);
        let kind = rest.u16()?;
        let awaited = self.awaited.take();
        match kind {
            // Closed on chain and kept for a few blocks: nothing is planned over it.
            CHANNEL_ANNOUNCEMENT if header.flags & DYING != 0 => {}
            CHANNEL_ANNOUNCEMENT => {
                self.awaited = Some(bolt7::channel_announcement(rest.0)?);
            }
            CHANNEL_AMOUNT => {
                if let Some(announced) = awaited {
                    self.channel(announced, Sat::new(rest.u64()?))?;
                }
            }
            CHANNEL_UPDATE => {
                let updated = bolt7::bare_update(rest.0)?;
                // One for a channel that is dying, or that is not ours to see.
                if let Some(ends) = self.ends.get(&updated.scid) {
                    let from = *ends.get(updated.from)?;
                    let builder = &mut self.builder;
                    builder
                        .set_policy(updated.scid, from, &updated.policy)
                        .ok()?;
                }
            }
            NODE_ANNOUNCEMENT => {
                let (node, is_addressed) = bolt7::node_announcement(rest.0)?;
                match is_addressed {
                    true => self.addressed.insert(node),
                    false => self.addressed.remove(&node),
                };
            }
            DELETE_CHANNEL => {
                let scid = ShortChannelId::from_u64(rest.u64()?);
                self.builder.remove_channel(scid);
                self.ends.remove(&scid);
            }
            ENDED => return Some(Added::End),
            _ => {}
        }
        Some(Added::Part)
    }

    fn channel(&mut self, announced: bolt7::Announced, capacity: Sat) -> Option<()> {
        let bolt7::Announced { scid, ends } = announced;
        for end in ends {
            self.builder.add_node(end);
        }
        self.builder.add_channel(scid, ends, capacity).ok()?;
        self.ends.insert(scid, ends);
        Some(())
    }

    fn build(mut self) -> GossipStore {
        let silent: Vec<NodeId> = self
            .builder
            .nodes()
            .filter(|node| !self.addressed.contains(node))
            .collect();
        for node in silent {
            self.builder.set_addressless(node);
        }
        GossipStore::Whole {
            graph: self.builder.build(),
            skipped: self.skipped,
        }
    }
}

/// The same file with the right checksum in each record, for readers that are fed with chance.
pub(crate) fn with_checksums(file: &[u8]) -> Vec<u8> {
    let mut mended = file.to_vec();
    let mut rest = mended.get_mut(1..).unwrap_or_default();
    while let Some((header, after)) = std::mem::take(&mut rest).split_first_chunk_mut::<12>() {
        let [_, _, high, low, c0, c1, c2, c3, t0, t1, t2, t3] = header;
        let length = u16::from_be_bytes([*high, *low]).into();
        let Some((body, next)) = after.split_at_mut_checked(length) else {
            break;
        };
        let timestamp = u32::from_be_bytes([*t0, *t1, *t2, *t3]);
        [*c0, *c1, *c2, *c3] = crc32c(timestamp, body).to_be_bytes();
        rest = next;
    }
    mended
}

/// The checksum of a record: CRC-32C (Castagnoli), begun with the record's timestamp.
fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let place = usize::from(crc.to_le_bytes()[0] ^ byte);
        crc >> 8 ^ CRC_TABLE.get(place).copied().unwrap_or_default()
    };
    !bytes.iter().fold(!start, step)
}

const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte: usize = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            let is_odd = crc & 1 == 1;
            crc = crc >> 1 ^ if is_odd { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
pub(crate) mod tests;
