//! Seals: BIP 340 signatures by a member key, over BIP 340 tagged hashes that name fleet and purpose.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use hive_types::{Digest, HiveId, MemberKey, NodeId, Signature};
use secp256k1::{Keypair, Message as SecpMessage, SECP256K1, SecretKey, XOnlyPublicKey, schnorr};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::record::Epoch;

/// What a seal is for. A signature made for one purpose means nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealDomain {
    /// A record of the replicated state.
    Record,
    /// A statement of the decision protocol.
    Statement,
    /// A decision by its author.
    Decision,
    /// A vote on a member.
    Vote,
    /// A ticket.
    Ticket,
    /// The part of a manifest that the node key does not sign.
    Manifest,
    /// The candidate's signature in the handshake.
    Attest,
    /// The member's signature in the handshake.
    Welcome,
}

impl SealDomain {
    /// The tag of BIP 340's tagged hash.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Record => "hive/record",
            Self::Statement => "hive/statement",
            Self::Decision => "hive/decision",
            Self::Vote => "hive/vote",
            Self::Ticket => "hive/ticket",
            Self::Manifest => "hive/manifest",
            Self::Attest => "hive/attest",
            Self::Welcome => "hive/welcome",
        }
    }
}

/// The signature does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The member key is no point of the curve.
    #[error("the member key is not a valid public key")]
    Key,
    /// The signature is not the key's over these bytes.
    #[error("the signature does not match")]
    Signature,
}

/// BIP 340's tagged hash over the parts, one after the other.
pub fn tagged_hash(tag: &str, parts: &[&[u8]]) -> Digest {
    let tag_hash = sha256::Hash::hash(tag.as_bytes());
    let mut engine = sha256::Hash::engine();
    engine.input(tag_hash.as_byte_array());
    engine.input(tag_hash.as_byte_array());
    parts.iter().for_each(|part| engine.input(part));
    Digest::from_bytes(sha256::Hash::from_engine(engine).to_byte_array())
}

fn seal_hash(domain: SealDomain, hive: &HiveId, bytes: &[u8]) -> SecpMessage {
    let digest = tagged_hash(domain.tag(), &[hive.as_bytes(), bytes]);
    SecpMessage::from_digest(digest.to_bytes())
}

/// The secret half of a member key. Held by the node's agent; never leaves it.
#[derive(Clone)]
pub struct MemberSecret(Keypair);

impl MemberSecret {
    /// From 32 random bytes; `None` for the few that are no key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let secret = SecretKey::from_slice(bytes).ok()?;
        Some(Self(Keypair::from_secret_key(SECP256K1, &secret)))
    }

    /// The bytes, for the agent's own store.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.secret_bytes()
    }

    /// The public half.
    pub fn public(&self) -> MemberKey {
        MemberKey::from_bytes(self.0.x_only_public_key().0.serialize())
    }

    /// Signs `bytes` for one purpose in one fleet. The same bytes give the same signature, so that a
    /// run can be replayed; BIP 340 allows the auxiliary randomness to be absent.
    pub fn seal(&self, domain: SealDomain, hive: &HiveId, bytes: &[u8]) -> Signature {
        let message = seal_hash(domain, hive, bytes);
        let signature = SECP256K1.sign_schnorr_no_aux_rand(&message, &self.0);
        Signature::from_bytes(signature.serialize())
    }
}

impl core::fmt::Debug for MemberSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "MemberSecret(of {})", self.public())
    }
}

/// A member key that was checked to be a point, ready to verify with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifyingKey(XOnlyPublicKey);

impl VerifyingKey {
    /// Checks that the key is a point of the curve.
    ///
    /// # Errors
    /// [`SealError::Key`] when it is not.
    pub fn new(key: &MemberKey) -> Result<Self, SealError> {
        XOnlyPublicKey::from_slice(key.as_bytes())
            .map(Self)
            .map_err(|_| SealError::Key)
    }

    /// The key as it travels.
    pub fn member_key(&self) -> MemberKey {
        MemberKey::from_bytes(self.0.serialize())
    }

    /// Checks a seal.
    ///
    /// # Errors
    /// [`SealError::Signature`] when it is not this key's, over these bytes, for this purpose, in
    /// this fleet.
    pub fn verify(
        &self,
        domain: SealDomain,
        hive: &HiveId,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), SealError> {
        let message = seal_hash(domain, hive, bytes);
        let signature = schnorr::Signature::from_slice(signature.as_bytes())
            .map_err(|_| SealError::Signature)?;
        SECP256K1
            .verify_schnorr(&signature, &message, &self.0)
            .map_err(|_| SealError::Signature)
    }
}

/// Bytes with their author's seal. The author and epoch are signed with the body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sealed {
    /// Who signed.
    pub author: NodeId,
    /// Under which of its member keys.
    pub epoch: Epoch,
    /// What was signed, encoded.
    #[serde(with = "crate::codec::bytes")]
    pub body: Vec<u8>,
    /// The seal over author, epoch and body.
    pub signature: Signature,
}

impl Sealed {
    /// Seals `body`.
    pub fn new(
        secret: &MemberSecret,
        domain: SealDomain,
        hive: &HiveId,
        author: NodeId,
        epoch: Epoch,
        body: Vec<u8>,
    ) -> Self {
        let signature = secret.seal(domain, hive, &Self::signed_bytes(&author, epoch, &body));
        Self {
            author,
            epoch,
            body,
            signature,
        }
    }

    /// Checks the seal against the author's key of that epoch.
    ///
    /// # Errors
    /// [`SealError::Signature`] when it does not match.
    pub fn verify(
        &self,
        domain: SealDomain,
        hive: &HiveId,
        key: &VerifyingKey,
    ) -> Result<(), SealError> {
        let bytes = Self::signed_bytes(&self.author, self.epoch, &self.body);
        key.verify(domain, hive, &bytes, &self.signature)
    }

    /// What the seal covers.
    pub fn signed_bytes(author: &NodeId, epoch: Epoch, body: &[u8]) -> Vec<u8> {
        let mut bytes = crate::codec::encode(&(author, epoch));
        bytes.extend_from_slice(body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t13_a_seal_counts_in_its_own_fleet_and_for_its_own_purpose_only() {
        let secret = MemberSecret::from_bytes(&[7; 32]).unwrap();
        let key = VerifyingKey::new(&secret.public()).unwrap();
        let (here, there) = (HiveId::from_bytes([1; 32]), HiveId::from_bytes([2; 32]));
        let seal = secret.seal(SealDomain::Vote, &here, b"text");
        assert_eq!(key.verify(SealDomain::Vote, &here, b"text", &seal), Ok(()));
        let refused = Err(SealError::Signature);
        assert_eq!(
            key.verify(SealDomain::Vote, &there, b"text", &seal),
            refused
        );
        assert_eq!(
            key.verify(SealDomain::Ticket, &here, b"text", &seal),
            refused
        );
        assert_eq!(key.verify(SealDomain::Vote, &here, b"texT", &seal), refused);
    }
}
