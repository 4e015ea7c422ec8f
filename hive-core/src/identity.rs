//! Who this member is in its fleet, and how that is stored.

use hive_proto::{Certification, Epoch, Manifest, MemberSecret, codec};
use hive_types::{HiveId, NodeId};
use serde::{Deserialize, Serialize};

/// The store's name for the identity.
pub(crate) const META_IDENTITY: &str = "identity";

/// A member's keys and manifest in one epoch.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) secret: MemberSecret,
    pub(crate) manifest: Manifest,
}

/// How it stands in the store.
#[derive(Serialize, Deserialize)]
struct Stored {
    secret: [u8; 32],
    manifest: Manifest,
}

impl Identity {
    pub(crate) fn certification(&self) -> &Certification {
        self.manifest.certification()
    }

    pub(crate) fn hive(&self) -> HiveId {
        self.certification().hive
    }

    pub(crate) fn node(&self) -> NodeId {
        self.certification().node
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.certification().epoch
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        codec::encode(&Stored {
            secret: self.secret.to_bytes(),
            manifest: self.manifest.clone(),
        })
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let stored: Stored = codec::decode(bytes).ok()?;
        let secret = MemberSecret::from_bytes(&stored.secret)?;
        Some(Self {
            secret,
            manifest: stored.manifest,
        })
    }
}
