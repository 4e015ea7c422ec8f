//! A member's side of the handshake: nothing is remembered before a valid ATTEST, and what costs a
//! signature check comes after what costs a hash.

use crate::handshake::cookie::{CookieFault, Cookies};
use crate::handshake::guest::probe_bytes;
use crate::handshake::limit::Window;
use crate::handshake::{Guest, PeerLimit, Transcript};
use crate::manifest::{ManifestError, VerifiedManifest};
use crate::message::{Attest, Challenge, Hello, Refusal};
use crate::record::Epoch;
use crate::seal::{SealDomain, SealError, VerifyingKey};
use crate::ticket::TicketError;
use hive_types::limits::{
    ATTESTS_PER_MINUTE, ATTESTS_PER_PEER_MINUTE, HANDSHAKE_TIMEOUT, PROBES_PENDING,
};
use hive_types::{Capabilities, Digest, Elapsed, NodeId, Now, TicketId};
use std::collections::BTreeMap;
use thiserror::Error;

/// A candidate as the transport knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The node id that BOLT 8 authenticated.
    pub node: NodeId,
    /// What its `init` message offered on this connection ([`Capabilities::from_features`]).
    pub features: Capabilities,
}

/// What became of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redemption {
    /// Nobody redeemed it.
    Open,
    /// Redeemed by a node that is a member now.
    By(NodeId),
    /// Redeemed by a node that is no member any more: returning takes a new ticket.
    Spent,
}

/// What the door asks the fleet's state.
pub trait Admissions {
    /// The member key of a full member in an epoch that is still its own.
    fn issuer_key(&self, issuer: &NodeId, epoch: Epoch) -> Option<VerifyingKey>;

    /// What became of the ticket.
    fn redemption(&self, ticket: &TicketId) -> Redemption;

    /// Whether the node was put out for good.
    fn is_expelled(&self, node: &NodeId) -> bool;

    /// Whether the fleet takes one more member.
    fn has_room(&self) -> bool;

    /// Whether this member itself wrote the ticket with this hash, and waits for its guest. Such
    /// guests don't compete with strangers for signature checks, so a flood can't keep them out.
    fn expects(&self, _ticket: &Digest) -> bool {
        false
    }
}

/// What follows from a valid ATTEST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send these bytes as PROBE; [`Door::on_echo`] takes the answer.
    Probe(Vec<u8>),
    /// The ticket is already this node's: send it WELCOME again.
    Repeat(Box<Guest>),
}

/// An ATTEST does not count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AttestError {
    /// The cookie was not made in this boot for this peer and this HELLO.
    #[error("the cookie is not from here")]
    Cookie,
    /// The cookie is older than a minute.
    #[error("the cookie is too old")]
    CookieOld,
    /// The ticket is not the one whose hash HELLO showed.
    #[error("the ticket is not the one of HELLO")]
    NotHellosTicket,
    /// This peer sent more of them than it may in a minute.
    #[error("too many attempts of this peer")]
    TooOften,
    /// Made for another fleet or network, or for another node.
    #[error("the ticket is not for this node in this hive")]
    TicketForeign,
    /// Its issuer is no full member, or has another key now.
    #[error("the ticket's issuer has no such key among the full members")]
    Issuer,
    /// Not the issuer's signature.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// The manifest does not count.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is another node's than the one that sent it.
    #[error("the manifest is not of the node that sent it")]
    ManifestOfAnother,
    /// The candidate's seal is not over this conversation.
    #[error("transcript: {0}")]
    Transcript(SealError),
    /// Refused for a reason that the candidate is told as it is.
    #[error("{0}")]
    Refused(Refusal),
}

impl AttestError {
    /// What to answer; `None` where an answer would only serve somebody who floods.
    pub const fn answer(&self) -> Option<Refusal> {
        match self {
            Self::Cookie | Self::CookieOld | Self::NotHellosTicket | Self::TooOften => None,
            Self::TicketForeign | Self::Issuer | Self::Ticket(_) => Some(Refusal::Ticket),
            Self::Manifest(_) | Self::ManifestOfAnother | Self::Transcript(_) => {
                Some(Refusal::Manifest)
            }
            Self::Refused(refusal) => Some(*refusal),
        }
    }
}

struct Probing {
    guest: Guest,
    seed: [u8; 32],
    deadline: Elapsed,
}

/// A member's side, for all candidates.
pub struct Door {
    manifest: VerifiedManifest,
    cookies: Cookies,
    peers: PeerLimit,
    expected: Window,
    others: Window,
    probing: BTreeMap<NodeId, Probing>,
    signature_checks: u64,
}

impl Door {
    /// Opens the door of the member with this manifest. `boot_secret` is 32 random bytes, new in
    /// each boot.
    pub fn new(manifest: VerifiedManifest, boot_secret: [u8; 32]) -> Self {
        Self {
            manifest,
            cookies: Cookies::new(boot_secret),
            peers: PeerLimit::new(ATTESTS_PER_PEER_MINUTE),
            expected: Window::default(),
            others: Window::default(),
            probing: BTreeMap::new(),
            signature_checks: 0,
        }
    }

    /// Shows another manifest from now on. Candidates between HELLO and ATTEST begin again.
    pub fn set_manifest(&mut self, manifest: VerifiedManifest) {
        self.manifest = manifest;
    }

    /// Answers HELLO. Costs one hash and no memory.
    pub fn on_hello(&self, now: Elapsed, from: &NodeId, hello: &Hello) -> Challenge {
        Challenge {
            cookie: self.cookies.make(now, from, hello),
            manifest: self.manifest.manifest().clone(),
        }
    }

    /// Checks ATTEST: first what costs a hash or a look-up, then the rate limits, then the
    /// signatures. `seed` is 32 random bytes for the probe.
    ///
    /// # Errors
    /// [`AttestError`]; its [`AttestError::answer`] is what to send, if anything.
    pub fn on_attest(
        &mut self,
        now: Now,
        from: &Visitor,
        attest: Attest,
        seed: [u8; 32],
        fleet: &dyn Admissions,
    ) -> Result<Verdict, AttestError> {
        self.check_cookie(now.elapsed, from, &attest)?;
        self.check_addressees(from, &attest)?;
        let redeemed = check_admission(now, from, &attest, fleet)?;
        let body = attest.ticket.body();
        let issuer = fleet.issuer_key(&body.issuer, body.epoch);
        // Once redeemed, the ticket is part of the chain, whatever became of its issuer since.
        if !redeemed && issuer.is_none() {
            return Err(AttestError::Issuer);
        }
        let confirmed = attest
            .manifest
            .profile()
            .capabilities
            .intersection(from.features);
        if !redeemed && !confirmed.contains(body.required) {
            return Err(AttestError::Refused(Refusal::Capabilities));
        }
        self.check_rates(now.elapsed, from, fleet.expects(&attest.hello.ticket))?;
        let guest = self.check_signatures(from, attest, issuer, confirmed)?;
        if redeemed {
            return Ok(Verdict::Repeat(Box::new(guest)));
        }
        self.probe(now.elapsed, guest, seed).map(Verdict::Probe)
    }

    fn check_cookie(
        &self,
        now: Elapsed,
        from: &Visitor,
        attest: &Attest,
    ) -> Result<(), AttestError> {
        let Attest { hello, cookie, .. } = attest;
        match self.cookies.check(now, &from.node, hello, cookie) {
            Ok(()) if attest.ticket.hash() == hello.ticket => Ok(()),
            Ok(()) => Err(AttestError::NotHellosTicket),
            Err(CookieFault::Foreign) => Err(AttestError::Cookie),
            Err(CookieFault::Old) => Err(AttestError::CookieOld),
        }
    }

    fn check_addressees(&self, from: &Visitor, attest: &Attest) -> Result<(), AttestError> {
        let own = self.manifest.manifest().certification();
        let ticket = attest.ticket.body();
        let for_us = (ticket.hive, ticket.network) == (own.hive, own.network);
        if !for_us || ticket.guest.is_some_and(|guest| guest != from.node) {
            return Err(AttestError::TicketForeign);
        }
        if *attest.manifest.node_id() != from.node || from.node == own.node {
            return Err(AttestError::ManifestOfAnother);
        }
        Ok(())
    }

    fn check_rates(
        &mut self,
        now: Elapsed,
        from: &Visitor,
        expected: bool,
    ) -> Result<(), AttestError> {
        if !self.peers.take(now, &from.node) {
            return Err(AttestError::TooOften);
        }
        let all = if expected {
            &mut self.expected
        } else {
            &mut self.others
        };
        if !all.take(now, ATTESTS_PER_MINUTE) {
            return Err(AttestError::Refused(Refusal::Busy));
        }
        Ok(())
    }

    fn check_signatures(
        &mut self,
        from: &Visitor,
        attest: Attest,
        issuer: Option<VerifyingKey>,
        confirmed: Capabilities,
    ) -> Result<Guest, AttestError> {
        let own = *self.manifest.manifest().certification();
        if let Some(issuer) = issuer {
            self.signature_checks += 1;
            attest.ticket.verify(&issuer)?;
        }
        let challenge = Challenge {
            cookie: attest.cookie,
            manifest: self.manifest.manifest().clone(),
        };
        let transcript = Transcript::attest(
            (&from.node, &own.node),
            &attest.hello,
            &challenge,
            &attest.ticket,
            &attest.manifest,
        );
        self.signature_checks += 2;
        let manifest = attest.manifest.verify(&own.hive, own.network)?;
        self.signature_checks += 1;
        let (key, bytes) = (manifest.key(), transcript.as_bytes());
        key.verify(SealDomain::Attest, &own.hive, bytes, &attest.signature)
            .map_err(AttestError::Transcript)?;
        Ok(Guest {
            ticket: attest.ticket,
            manifest,
            confirmed,
            transcript,
            attest: attest.signature,
        })
    }

    fn probe(
        &mut self,
        now: Elapsed,
        guest: Guest,
        seed: [u8; 32],
    ) -> Result<Vec<u8>, AttestError> {
        let node = guest.node_id();
        if self.probing.len() >= PROBES_PENDING && !self.probing.contains_key(&node) {
            return Err(AttestError::Refused(Refusal::Busy));
        }
        let deadline = now.plus(HANDSHAKE_TIMEOUT);
        let probing = Probing {
            guest,
            seed,
            deadline,
        };
        self.probing.insert(node, probing);
        Ok(probe_bytes(&seed))
    }

    /// Takes the echo of a probe. `None` when none is awaited from this node.
    ///
    /// # Errors
    /// [`Refusal::Probe`] when it is another one or comes too late: the candidate is told so.
    pub fn on_echo(
        &mut self,
        now: Elapsed,
        from: &NodeId,
        echo: &[u8],
    ) -> Option<Result<Guest, Refusal>> {
        let probing = self.probing.remove(from)?;
        if now <= probing.deadline && echo == probe_bytes(&probing.seed) {
            return Some(Ok(probing.guest));
        }
        Some(Err(Refusal::Probe))
    }

    /// Forgets the candidates whose echo did not come in time, and says who is to be told
    /// [`Refusal::Probe`].
    pub fn expire(&mut self, now: Elapsed) -> Vec<NodeId> {
        let late = |probing: &Probing| probing.deadline < now;
        let nodes = self.probing.iter().filter(|(_, probing)| late(probing));
        let nodes: Vec<_> = nodes.map(|(node, _)| *node).collect();
        self.probing.retain(|_, probing| !late(probing));
        nodes
    }

    /// When [`Door::expire`] may have something to do; [`Elapsed::NEVER`] if nothing is awaited.
    pub fn deadline(&self) -> Elapsed {
        let deadlines = self.probing.values().map(|probing| probing.deadline);
        deadlines.min().unwrap_or(Elapsed::NEVER)
    }

    /// Signature checks since boot: what strangers could make this member pay for.
    pub const fn signature_checks(&self) -> u64 {
        self.signature_checks
    }
}

/// Whether the ticket is already this candidate's own, or an error when it admits nobody.
fn check_admission(
    now: Now,
    from: &Visitor,
    attest: &Attest,
    fleet: &dyn Admissions,
) -> Result<bool, AttestError> {
    let ticket = attest.ticket.body();
    if fleet.is_expelled(&from.node) {
        return Err(AttestError::Refused(Refusal::Expelled));
    }
    match fleet.redemption(&ticket.id) {
        Redemption::By(node) if node == from.node => return Ok(true),
        Redemption::By(_) | Redemption::Spent => {
            return Err(AttestError::Refused(Refusal::TicketUsed));
        }
        Redemption::Open => {}
    }
    if now.wall >= ticket.expires {
        return Err(AttestError::Refused(Refusal::TicketExpired));
    }
    if !fleet.has_room() {
        return Err(AttestError::Refused(Refusal::Full));
    }
    Ok(false)
}
