//! Identities: nodes, channels, fleets, keys, actions.

use crate::bytes::{ParseHexError, byte_id, byte_id_text, parse_hex, serde_bytes};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A Lightning node's identity: its compressed secp256k1 public key (BOLT 1).
///
/// The first byte is 2 or 3. Whether the rest is a point of the curve shows when a signature is
/// checked against it; nothing trusts an id before that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 33]);

/// The bytes or the text are no node id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseNodeIdError {
    /// Not 66 hex digits.
    #[error("a node id has 66 hex digits: {0}")]
    Hex(#[from] ParseHexError),
    /// A compressed key starts with 02 or 03.
    #[error("a node id starts with 02 or 03, this one with {0:02x}")]
    Prefix(u8),
}

impl NodeId {
    /// Length in bytes.
    pub const SIZE: usize = 33;

    /// Checks the prefix and wraps the bytes.
    ///
    /// # Errors
    /// [`ParseNodeIdError::Prefix`] when the first byte is neither 2 nor 3.
    pub const fn from_bytes(bytes: [u8; 33]) -> Result<Self, ParseNodeIdError> {
        match bytes[0] {
            2 | 3 => Ok(Self(bytes)),
            prefix => Err(ParseNodeIdError::Prefix(prefix)),
        }
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 33] {
        &self.0
    }

    /// The first eight hex digits, for people.
    pub fn short(&self) -> String {
        self.0[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

byte_id_text!(NodeId);

impl FromStr for NodeId {
    type Err = ParseNodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_bytes(parse_hex(text)?)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_bytes(serde_bytes::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

byte_id! {
    /// A fleet: the hash of its charter.
    HiveId, 32
}
byte_id! {
    /// The key that a member's agent signs records with: an x-only public key (BIP 340).
    MemberKey, 32
}
byte_id! {
    /// A SHA-256 hash of something named by the context.
    Digest, 32
}
byte_id! {
    /// A BIP 340 signature.
    Signature, 64
}
byte_id! {
    /// A channel (BOLT 2 `channel_id`).
    ChannelId, 32
}
byte_id! {
    /// A ticket's random number; one redemption each.
    TicketId, 16
}
byte_id! {
    /// One action of one member, from intention to settlement.
    ActionId, 16
}
byte_id! {
    /// A number used once: what it was sent with is answered under it, once.
    Nonce, 32
}

/// A channel's place in the chain: block, transaction, output (BOLT 7 `short_channel_id`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortChannelId(u64);

/// The text is not `BLOCKxTXxOUT`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a short channel id; write it as 800000x1x0")]
pub struct ParseShortChannelIdError(String);

impl ShortChannelId {
    /// From the number that travels: block in the upper 24 bits, transaction in 24, output in 16.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// From its parts; `None` where block or transaction takes more than 24 bits.
    pub const fn new(block: u32, transaction: u32, output: u16) -> Option<Self> {
        if block >> 24 != 0 || transaction >> 24 != 0 {
            return None;
        }
        Some(Self(
            (block as u64) << 40 | (transaction as u64) << 16 | output as u64,
        ))
    }

    /// The number that travels.
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// Height of the funding's block.
    pub const fn block(self) -> u32 {
        (self.0 >> 40) as u32
    }

    /// Index of the funding within its block.
    pub const fn transaction(self) -> u32 {
        (self.0 >> 16) as u32 & 0xff_ffff
    }

    /// Index of the funding's output.
    pub const fn output(self) -> u16 {
        self.0 as u16
    }
}

impl fmt::Display for ShortChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}x{}x{}",
            self.block(),
            self.transaction(),
            self.output()
        )
    }
}

impl fmt::Debug for ShortChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortChannelId({self})")
    }
}

impl FromStr for ShortChannelId {
    type Err = ParseShortChannelIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('x');
            let mut number = || {
                let part = parts.next()?;
                part.bytes()
                    .all(|byte| byte.is_ascii_digit())
                    .then(|| part.parse().ok())
                    .flatten()
            };
            let (block, transaction, output): (u32, u32, u32) = (number()?, number()?, number()?);
            parts.next().is_none().then_some(())?;
            Self::new(block, transaction, output.try_into().ok()?)
        };
        parse().ok_or_else(|| ParseShortChannelIdError(text.into()))
    }
}

impl Serialize for ShortChannelId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ShortChannelId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            return text.parse().map_err(serde::de::Error::custom);
        }
        u64::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACINQ: &str = "03864ef025fde8fb587d989186ce6a4a186895ee44a926bfc370e2c366597a3f8f";

    #[test]
    fn node_ids_read_as_the_field_writes_them() {
        let id: NodeId = ACINQ.parse().unwrap();
        assert_eq!(id.to_string(), ACINQ);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("{ACINQ:?}"));
        assert_eq!(
            serde_json::from_str::<NodeId>(&format!("{ACINQ:?}")).unwrap(),
            id
        );
        assert_eq!(
            ACINQ.replacen("03", "04", 1).parse::<NodeId>(),
            Err(ParseNodeIdError::Prefix(4))
        );
        assert!(ACINQ[2..].parse::<NodeId>().is_err());
        assert!(format!("{}zz", &ACINQ[2..]).parse::<NodeId>().is_err());
    }

    #[test]
    fn short_channel_ids_read_as_the_field_writes_them() {
        let scid: ShortChannelId = "800000x1x0".parse().unwrap();
        assert_eq!(
            (scid.block(), scid.transaction(), scid.output()),
            (800_000, 1, 0)
        );
        assert_eq!(scid.to_u64(), 879_609_302_220_865_536);
        assert_eq!(scid.to_string(), "800000x1x0");
        for text in [
            "",
            "1x2",
            "1x2x3x4",
            "16777216x0x0",
            "1x2x65536",
            "+1x2x3",
            "1x2x-3",
            "1xx3",
        ] {
            assert!(text.parse::<ShortChannelId>().is_err(), "{text:?}");
        }
    }
}
