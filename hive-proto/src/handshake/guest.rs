//! A candidate that has proved who it is.

use crate::decision::{Certificate, Slot};
use crate::handshake::Transcript;
use crate::manifest::VerifiedManifest;
use crate::message::Welcome;
use crate::seal::{MemberSecret, SealDomain, tagged_hash};
use crate::ticket::Ticket;
use hive_types::limits::PROBE_BYTES;
use hive_types::{Capabilities, NodeId, Signature};

/// A candidate whose ticket, manifest and seal were checked. It is no member: only the fleet's
/// decision makes it one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    pub(crate) ticket: Ticket,
    pub(crate) manifest: VerifiedManifest,
    pub(crate) confirmed: Capabilities,
    pub(crate) transcript: Transcript,
    pub(crate) attest: Signature,
}

impl Guest {
    /// Its node, as BOLT 8 and its manifest say.
    pub const fn node_id(&self) -> NodeId {
        self.manifest.node_id()
    }

    /// What it was invited with.
    pub const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Its manifest.
    pub const fn manifest(&self) -> &VerifiedManifest {
        &self.manifest
    }

    /// What its manifest claims and the live connection confirms. Nothing else may be relied on.
    pub const fn confirmed(&self) -> Capabilities {
        self.confirmed
    }

    /// The last message, once the fleet has decided: the proof of it, sealed with everything that
    /// was said.
    pub fn welcome(
        &self,
        charter: Certificate,
        admission: Certificate,
        head: Slot,
        secret: &MemberSecret,
    ) -> Welcome {
        let transcript = self
            .transcript
            .welcome(&self.attest, &charter, &admission, head);
        let hive = &self.ticket.body().hive;
        Welcome {
            charter,
            admission,
            head,
            signature: secret.seal(SealDomain::Welcome, hive, transcript.as_bytes()),
        }
    }
}

/// The random bytes of an admission probe, all of them from its seed, so that waiting for the echo
/// takes no memory.
pub(crate) fn probe_bytes(seed: &[u8; 32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PROBE_BYTES + 32);
    let mut block = 0u32;
    while bytes.len() < PROBE_BYTES {
        let digest = tagged_hash("hive/probe", &[seed, &block.to_be_bytes()]);
        bytes.extend_from_slice(digest.as_bytes());
        block += 1;
    }
    bytes.truncate(PROBE_BYTES);
    bytes
}
