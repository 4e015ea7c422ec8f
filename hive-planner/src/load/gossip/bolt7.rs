//! Gossip messages as BOLT 7 defines them, after their two bytes of type. Signatures are the node's
//! business: it keeps only what it has checked.

use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, ShortChannelId};

/// `channel_announcement`.
pub(super) const CHANNEL_ANNOUNCEMENT: u16 = 256;

/// `node_announcement`.
pub(super) const NODE_ANNOUNCEMENT: u16 = 257;

/// `channel_update`.
pub(super) const CHANNEL_UPDATE: u16 = 258;

/// TLV of a `channel_update` in which LND tells its inbound fee: base and rate, four signed bytes each.
const INBOUND_FEE: u64 = 55_555;

/// Bytes of a signature.
const SIGNATURE: usize = 64;

/// Bytes of a chain's hash.
const CHAIN: usize = 32;

/// A channel and its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) scid: ShortChannelId,
    pub(super) ends: [NodeId; 2],
}

/// What a `channel_update` (BOLT 7) says of one direction of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelUpdate {
    /// The channel.
    pub scid: ShortChannelId,
    /// Which end speaks, 0 or 1: the first or the second in order of node ids.
    pub from: usize,
    /// What it asks for.
    pub policy: ChannelPolicy,
}

/// Reads a `channel_announcement`; `None` where it is none.
pub(super) fn channel_announcement(bytes: &[u8]) -> Option<Announced> {
    let mut rest = Bytes(bytes);
    rest.skip(4 * SIGNATURE)?;
    let features = rest.u16()?;
    rest.skip(features.into())?;
    rest.skip(CHAIN)?;
    let scid = ShortChannelId::from_u64(rest.u64()?);
    let ends = [rest.node()?, rest.node()?];
    Some(Announced { scid, ends })
}

/// Reads of a `node_announcement` whose it is and whether it names an address; `None` where it is none.
pub(super) fn node_announcement(bytes: &[u8]) -> Option<(NodeId, bool)> {
    let mut rest = Bytes(bytes);
    rest.skip(SIGNATURE)?;
    let features = rest.u16()?;
    rest.skip(features.into())?;
    rest.skip(4)?;
    let node = rest.node()?;
    rest.skip(3 + 32)?;
    Some((node, rest.u16()? > 0))
}

/// Reads a `channel_update` (BOLT 7), with its two bytes of type in front or, as some nodes send it, without;
/// `None` where it is none. Nobody's signature is checked.
pub fn channel_update(bytes: &[u8]) -> Option<ChannelUpdate> {
    let bare = bytes.strip_prefix(&CHANNEL_UPDATE.to_be_bytes());
    bare_update(bare.unwrap_or(bytes))
}

/// Reads a `channel_update` after its type.
pub(super) fn bare_update(bytes: &[u8]) -> Option<ChannelUpdate> {
    let mut rest = Bytes(bytes);
    rest.skip(SIGNATURE + CHAIN)?;
    let scid = ShortChannelId::from_u64(rest.u64()?);
    rest.skip(4)?;
    rest.skip(1)?;
    let flags = rest.take::<1>()?[0];
    let cltv_delta = rest.u16()?;
    let htlc_minimum = Msat::new(rest.u64()?);
    let base = Msat::new(rest.u32()?.into());
    let rate = Ppm::new(rest.u32()?);
    let htlc_maximum = Msat::new(rest.u64()?);
    let (inbound_base_msat, inbound_ppm) = inbound_fee(rest).unwrap_or_default();
    let policy = ChannelPolicy {
        base,
        rate,
        cltv_delta,
        htlc_minimum,
        htlc_maximum,
        disabled: flags & 2 != 0,
        inbound_base_msat,
        inbound_ppm,
    };
    let from = usize::from(flags & 1);
    Some(ChannelUpdate { scid, from, policy })
}

/// The inbound fee among what follows, where there is one.
fn inbound_fee(mut rest: Bytes<'_>) -> Option<(i32, i32)> {
    loop {
        let (kind, length) = (rest.big_size()?, rest.big_size()?);
        let length = usize::try_from(length).ok()?;
        if kind == INBOUND_FEE && length == 8 {
            let (base, rate) = (rest.take::<4>()?, rest.take::<4>()?);
            return Some((i32::from_be_bytes(base), i32::from_be_bytes(rate)));
        }
        rest.skip(length)?;
    }
}

/// Bytes that are taken from the front.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Bytes<'_> {
    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn node(&mut self) -> Option<NodeId> {
        NodeId::from_bytes(self.take()?).ok()
    }

    /// BOLT 1's `BigSize`.
    fn big_size(&mut self) -> Option<u64> {
        Some(match self.take::<1>()?[0] {
            0xfd => self.u16()?.into(),
            0xfe => self.u32()?.into(),
            0xff => self.u64()?,
            small => small.into(),
        })
    }
}
