//! Lightning's `signmessage`: a recoverable ECDSA signature by the node key over a text, the same on
//! LND, Core Lightning and LDK.
//!
//! `zbase32(31 + recovery id ‖ compact signature)` over
//! `SHA256(SHA256("Lightning Signed Message:" ‖ text))`. Checking is local: the key is recovered from
//! the signature and compared, so a node that is in no public graph verifies as well.

use bitcoin::hashes::{Hash, HashEngine, sha256d};
use core::fmt;
use data_encoding::{Encoding, Specification};
use hive_types::NodeId;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message as SecpMessage, SECP256K1, SecretKey};
use serde::de::Error as _;
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::LazyLock;
use thiserror::Error;

/// Phil Zimmermann's base 32, least surprising to read aloud.
static ZBASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("ybndrfg8ejkmcpqxot1uwisza345h769");
    specification
        .encoding()
        .expect("32 distinct symbols are a base 32")
});

/// What the signature's header byte counts from: compact signatures of compressed keys.
const HEADER: u8 = 31;

/// A signature by a node key, as `signmessage` returns it. Not yet checked against anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeSignature([u8; 65]);

/// The text is no signature, or not that node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NodeSignatureError {
    /// Not 104 characters of zbase32.
    #[error("not a zbase32 signature of 104 characters, as signmessage returns it")]
    Encoding,
    /// No key can be recovered from it.
    #[error("no key can be recovered from the signature")]
    Recovery,
    /// Another node's, or over another text.
    #[error("the signature is not {0}'s over this text")]
    OtherKey(NodeId),
}

impl NodeSignature {
    /// Reads what `signmessage` returned: LND's `signature`, Core Lightning's `zbase`.
    ///
    /// # Errors
    /// [`NodeSignatureError::Encoding`] for anything but 65 bytes in zbase32.
    pub fn parse(zbase: &str) -> Result<Self, NodeSignatureError> {
        let bytes = ZBASE32
            .decode(zbase.as_bytes())
            .map_err(|_| NodeSignatureError::Encoding)?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| NodeSignatureError::Encoding)
    }

    /// Signs as a node does. For tests and for simulated nodes: real node keys stay in their nodes.
    pub fn sign(text: &str, secret: &SecretKey) -> Self {
        let signature = SECP256K1.sign_ecdsa_recoverable(&digest(text), secret);
        let (id, compact) = signature.serialize_compact();
        let mut bytes = [0; 65];
        bytes[0] = HEADER + id.to_i32() as u8;
        bytes[1..].copy_from_slice(&compact);
        Self(bytes)
    }

    /// The node whose signature over `text` this is.
    ///
    /// # Errors
    /// [`NodeSignatureError::Recovery`] when it is nobody's.
    pub fn recover(&self, text: &str) -> Result<NodeId, NodeSignatureError> {
        let recovered = || {
            let id = RecoveryId::from_i32(i32::from(self.0[0].checked_sub(HEADER)?)).ok()?;
            let signature = RecoverableSignature::from_compact(&self.0[1..], id).ok()?;
            let key = SECP256K1.recover_ecdsa(&digest(text), &signature).ok()?;
            NodeId::from_bytes(key.serialize()).ok()
        };
        recovered().ok_or(NodeSignatureError::Recovery)
    }

    /// Checks that this is `node`'s signature over `text`.
    ///
    /// # Errors
    /// [`NodeSignatureError`] when it is not.
    pub fn verify(&self, text: &str, node: &NodeId) -> Result<(), NodeSignatureError> {
        match self.recover(text)? {
            recovered if recovered == *node => Ok(()),
            _ => Err(NodeSignatureError::OtherKey(*node)),
        }
    }

    /// Header byte and compact signature.
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }
}

fn digest(text: &str) -> SecpMessage {
    let mut engine = sha256d::Hash::engine();
    engine.input(b"Lightning Signed Message:");
    engine.input(text.as_bytes());
    SecpMessage::from_digest(sha256d::Hash::from_engine(engine).to_byte_array())
}

impl fmt::Display for NodeSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ZBASE32.encode(&self.0))
    }
}

impl fmt::Debug for NodeSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeSignature({self})")
    }
}

impl Serialize for NodeSignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        let mut tuple = serializer.serialize_tuple(65)?;
        self.0
            .iter()
            .try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for NodeSignature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            return Self::parse(&text).map_err(D::Error::custom);
        }
        let (header, left, right) = <(u8, [u8; 32], [u8; 32])>::deserialize(deserializer)?;
        let mut bytes = [header; 65];
        bytes[1..33].copy_from_slice(&left);
        bytes[33..].copy_from_slice(&right);
        Ok(Self(bytes))
    }
}
