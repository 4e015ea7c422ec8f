//! One hash over everything that was said, in the order in which it was said.

use crate::codec;
use crate::decision::{Certificate, Slot};
use crate::manifest::Manifest;
use crate::message::{Challenge, Hello};
use crate::seal::tagged_hash;
use crate::ticket::Ticket;
use hive_types::{Digest, NodeId, Signature};

const TAG: &str = "hive/transcript";

/// What both sides sign. It begins with both node ids as BOLT 8 knows them, so a message that is
/// passed on to a third node is worth nothing there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transcript(Digest);

impl Transcript {
    /// Up to ATTEST, without its signature: candidate, member, HELLO, CHALLENGE, ticket, manifest.
    pub fn attest(
        (candidate, member): (&NodeId, &NodeId),
        hello: &Hello,
        challenge: &Challenge,
        ticket: &Ticket,
        manifest: &Manifest,
    ) -> Self {
        let parts = codec::encode(&(candidate, member, hello, challenge, ticket, manifest));
        Self(tagged_hash(TAG, &[&parts]))
    }

    /// Up to WELCOME, without its signature: the transcript so far, the signature of ATTEST,
    /// charter, admission and head.
    pub fn welcome(
        &self,
        attest: &Signature,
        charter: &Certificate,
        admission: &Certificate,
        head: Slot,
    ) -> Self {
        let parts = codec::encode(&(self.0, attest, charter, admission, head));
        Self(tagged_hash(TAG, &[&parts]))
    }

    /// The bytes that are sealed.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}
