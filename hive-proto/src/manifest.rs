//! The manifest: which member key speaks for a node, and what the node is.
//!
//! The node key signs once per epoch, a readable text over the fleet, the network, the member key and
//! the epoch. The member key seals the whole, so addresses can change without asking the node again.

use crate::codec;
use crate::frame::PROTOCOL_VERSION;
use crate::lnsign::{NodeSignature, NodeSignatureError};
use crate::record::Epoch;
use crate::seal::{MemberSecret, SealDomain, SealError, VerifyingKey, tagged_hash};
use hive_types::limits::{ADDRESS_CHARS, ADDRESSES, SOFTWARE_CHARS};
use hive_types::{Capabilities, HiveId, MemberKey, Network, NodeId, Signature, UnixMillis};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the node key certifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Certification {
    /// The fleet.
    pub hive: HiveId,
    /// The node.
    pub node: NodeId,
    /// The chain that the node is on.
    pub network: Network,
    /// The key that speaks for it.
    pub member_key: MemberKey,
    /// From this epoch on, until the next one.
    pub epoch: Epoch,
}

impl Certification {
    /// The text that the node signs: `hive manifest v1 <hex digest>`.
    pub fn text(&self) -> String {
        let digest = tagged_hash("hive/certification", &[&codec::encode(self)]);
        format!("hive manifest v1 {digest}")
    }
}

/// What a manifest says beyond its certification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Oldest and newest protocol version that the agent speaks.
    pub versions: (u8, u8),
    /// Name and version of the agent, at most 64 characters.
    pub software: String,
    /// What the node claims to be capable of. Claims are not believed until confirmed.
    pub capabilities: Capabilities,
    /// Where it can be reached: `host:port`, at most eight.
    pub addresses: Vec<String>,
    /// From then on the manifest is stale; the member is not gone.
    pub expires: UnixMillis,
}

impl Profile {
    /// A profile of this build, with nothing claimed and nowhere to reach it.
    pub fn new(software: &str, expires: UnixMillis) -> Self {
        Self {
            versions: (PROTOCOL_VERSION, PROTOCOL_VERSION),
            software: software.to_owned(),
            capabilities: Capabilities::NONE,
            addresses: Vec::new(),
            expires,
        }
    }

    fn check(&self) -> Result<(), ManifestError> {
        let fits = self.software.chars().count() <= SOFTWARE_CHARS
            && self.addresses.len() <= ADDRESSES
            && self
                .addresses
                .iter()
                .all(|address| address.chars().count() <= ADDRESS_CHARS);
        if !fits {
            return Err(ManifestError::TooLong);
        }
        if self.versions.0 > self.versions.1 {
            return Err(ManifestError::Versions);
        }
        Ok(())
    }
}

/// A manifest as it travels. Only [`Manifest::verify`] makes it count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    certification: Certification,
    node_signature: NodeSignature,
    profile: Profile,
    seal: Signature,
}

/// A manifest whose two signatures were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedManifest {
    manifest: Manifest,
    key: VerifyingKey,
}

/// The manifest does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// Made for another fleet.
    #[error("the manifest is for another hive")]
    OtherHive,
    /// The node is on another chain.
    #[error("the manifest is for {0}")]
    OtherNetwork(Network),
    /// The node did not certify the member key.
    #[error("certification: {0}")]
    Node(#[from] NodeSignatureError),
    /// The member key did not seal it.
    #[error("seal: {0}")]
    Seal(#[from] SealError),
    /// Software name, addresses or their number pass their limits.
    #[error("software name or addresses are longer than allowed")]
    TooLong,
    /// The oldest version is above the newest.
    #[error("the oldest protocol version is above the newest")]
    Versions,
}

impl Manifest {
    /// Joins the node's signature over [`Certification::text`] and the profile, and seals them.
    ///
    /// # Errors
    /// [`ManifestError`] when the profile passes its limits or the signature is not the node's.
    pub fn sign(
        certification: Certification,
        node_signature: NodeSignature,
        profile: Profile,
        secret: &MemberSecret,
    ) -> Result<Self, ManifestError> {
        profile.check()?;
        node_signature.verify(&certification.text(), &certification.node)?;
        let bytes = codec::encode(&(certification, node_signature, &profile));
        let seal = secret.seal(SealDomain::Manifest, &certification.hive, &bytes);
        Ok(Self {
            certification,
            node_signature,
            profile,
            seal,
        })
    }

    /// Checks both signatures: one recovery and one BIP 340 verification.
    ///
    /// # Errors
    /// [`ManifestError`] that says which part failed.
    pub fn verify(
        self,
        hive: &HiveId,
        network: Network,
    ) -> Result<VerifiedManifest, ManifestError> {
        let Certification {
            node, member_key, ..
        } = self.certification;
        if self.certification.hive != *hive {
            return Err(ManifestError::OtherHive);
        }
        if self.certification.network != network {
            return Err(ManifestError::OtherNetwork(self.certification.network));
        }
        self.profile.check()?;
        self.node_signature
            .verify(&self.certification.text(), &node)?;
        let key = VerifyingKey::new(&member_key)?;
        let bytes = codec::encode(&(self.certification, self.node_signature, &self.profile));
        key.verify(SealDomain::Manifest, hive, &bytes, &self.seal)?;
        Ok(VerifiedManifest {
            manifest: self,
            key,
        })
    }

    /// The node that it claims to be of.
    pub const fn node_id(&self) -> &NodeId {
        &self.certification.node
    }

    /// What the node key certifies, unchecked.
    pub const fn certification(&self) -> &Certification {
        &self.certification
    }

    /// What it claims beyond that, unchecked.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }
}

impl VerifiedManifest {
    /// The manifest.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The node.
    pub const fn node_id(&self) -> NodeId {
        self.manifest.certification.node
    }

    /// Its epoch.
    pub const fn epoch(&self) -> Epoch {
        self.manifest.certification.epoch
    }

    /// The key that speaks for it.
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// What it claims.
    pub const fn profile(&self) -> &Profile {
        &self.manifest.profile
    }

    /// Whether it was to be renewed by `now`.
    pub fn is_stale(&self, now: UnixMillis) -> bool {
        now >= self.manifest.profile.expires
    }

    /// Gives the manifest back.
    pub fn into_manifest(self) -> Manifest {
        self.manifest
    }
}
