//! Blocks, outpoints, feerates and networks.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A height in the chain of blocks.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BlockHeight(u32);

impl BlockHeight {
    /// Wraps a height.
    pub const fn new(height: u32) -> Self {
        Self(height)
    }

    /// The height.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The height `blocks` later, held at the largest one.
    pub const fn plus(self, blocks: u32) -> Self {
        Self(self.0.saturating_add(blocks))
    }
}

impl fmt::Display for BlockHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A transaction's feerate in satoshi per 1000 weight units, as LND and BOLT 2 count it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct FeeratePerKw(u32);

impl FeeratePerKw {
    /// Wraps satoshi per 1000 weight units.
    pub const fn new(sat_per_kw: u32) -> Self {
        Self(sat_per_kw)
    }

    /// From satoshi per virtual byte (four weight units), held at the largest value.
    pub const fn from_sat_per_vbyte(sat: u32) -> Self {
        Self(sat.saturating_mul(250))
    }

    /// Satoshi per 1000 weight units.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// What a transaction of `weight` units costs, rounded up.
    pub const fn fee_for(self, weight: u32) -> crate::Sat {
        crate::Sat::new((self.0 as u64 * weight as u64).div_ceil(1000))
    }
}

/// A transaction id. Text shows the bytes reversed, as explorers and `bitcoind` do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Txid([u8; 32]);

impl Txid {
    /// From the bytes in hash order.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes in hash order.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn reversed(mut bytes: [u8; 32]) -> [u8; 32] {
        bytes.reverse();
        bytes
    }
}

impl fmt::Display for Txid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::bytes::write_hex(f, &Self::reversed(self.0))
    }
}

impl fmt::Debug for Txid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Txid({self})")
    }
}

impl FromStr for Txid {
    type Err = crate::ParseHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::bytes::parse_hex(text).map(|bytes| Self(Self::reversed(bytes)))
    }
}

impl Serialize for Txid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = if serializer.is_human_readable() {
            Self::reversed(self.0)
        } else {
            self.0
        };
        crate::bytes::serde_bytes::serialize(&bytes, serializer)
    }
}

impl<'de> Deserialize<'de> for Txid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let human = deserializer.is_human_readable();
        let bytes = crate::bytes::serde_bytes::deserialize(deserializer)?;
        Ok(Self(if human { Self::reversed(bytes) } else { bytes }))
    }
}

/// An output of a transaction; a channel's funding, or an input that an open was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutPoint {
    /// The transaction.
    pub txid: Txid,
    /// The output's index.
    pub vout: u32,
}

impl fmt::Display for OutPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.txid, self.vout)
    }
}

/// The text is not `txid:vout`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not an outpoint; write it as <64 hex digits>:<index>")]
pub struct ParseOutPointError(String);

impl FromStr for OutPoint {
    type Err = ParseOutPointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (txid, vout) = text.split_once(':')?;
            Some(Self {
                txid: txid.parse().ok()?,
                vout: vout.parse().ok()?,
            })
        };
        parse().ok_or_else(|| ParseOutPointError(text.into()))
    }
}

/// The chain that a node is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Bitcoin's main network.
    Bitcoin,
    /// Testnet 3.
    Testnet,
    /// Testnet 4.
    Testnet4,
    /// Signet.
    Signet,
    /// A private regression-test chain, also the embedded world.
    Regtest,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bitcoin => "bitcoin",
            Self::Testnet => "testnet",
            Self::Testnet4 => "testnet4",
            Self::Signet => "signet",
            Self::Regtest => "regtest",
        })
    }
}

/// The text names no network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no network; write bitcoin, testnet, testnet4, signet or regtest")]
pub struct ParseNetworkError(String);

impl FromStr for Network {
    type Err = ParseNetworkError;

    /// LND says `mainnet` where Core Lightning says `bitcoin`; both are taken.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "bitcoin" | "mainnet" => Self::Bitcoin,
            "testnet" => Self::Testnet,
            "testnet4" => Self::Testnet4,
            "signet" => Self::Signet,
            "regtest" => Self::Regtest,
            _ => return Err(ParseNetworkError(text.into())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn txids_show_reversed() {
        let text = "dc2e7f352fe9b7ce0aa4d921e7e935689dd5be55206ae3e62d5f5a6fe9327db0";
        let txid: Txid = text.parse().unwrap();
        assert_eq!(txid.as_bytes()[0], 0xb0);
        assert_eq!(txid.to_string(), text);
        let outpoint: OutPoint = format!("{text}:1").parse().unwrap();
        assert_eq!(outpoint.to_string(), format!("{text}:1"));
        assert_eq!(serde_json::to_string(&txid).unwrap(), format!("{text:?}"));
        assert!("nonsense:1".parse::<OutPoint>().is_err());
    }

    #[test]
    fn feerate_rounds_up() {
        assert_eq!(FeeratePerKw::new(253).fee_for(1001), crate::Sat::new(254));
        assert_eq!(FeeratePerKw::from_sat_per_vbyte(4), FeeratePerKw::new(1000));
    }
}
