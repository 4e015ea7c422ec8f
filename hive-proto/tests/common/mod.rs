//! A small fleet from fixed secrets, for tests and for the test vectors.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]
#![allow(
    clippy::unwrap_used,
    reason = "only tests and the vectors' generator use it"
)]

pub mod annotate;
pub mod arb;
pub mod door;
pub mod sample;
pub mod vectors;

use hive_proto::handshake::{Admissions, Applicant, Redemption};
use hive_proto::{Acceptance, Vote, VoteKind, VoteText};
use hive_proto::{
    Ballot, Certificate, Certification, Charter, Decision, DecisionBody, Epoch, FleetParameters,
    Manifest, MemberSecret, NodeSignature, Profile, SignedDecision, Slot, Ticket, TicketBody,
    VerifiedManifest, VerifyingKey,
};
use hive_types::{
    BootId, Capabilities, Digest, Elapsed, HiveId, Network, NodeId, Now, TicketId, Tier, UnixMillis,
};
use secp256k1::{PublicKey, SECP256K1, SecretKey};

/// 2027-01-15, before everything here expires.
pub const WALL: UnixMillis = UnixMillis::new(1_800_000_000_000);
/// When tickets and manifests expire.
pub const EXPIRES: UnixMillis = UnixMillis::new(1_900_000_000_000);

pub fn now(elapsed: u64) -> Now {
    Now {
        wall: WALL,
        elapsed: Elapsed::new(elapsed),
        boot: BootId::new(1),
    }
}

/// A node and its agent.
#[derive(Clone)]
pub struct Party {
    pub node_secret: SecretKey,
    pub node: NodeId,
    pub secret: MemberSecret,
}

impl Party {
    /// The node's secret is the byte 32 times, the member secret too but for its last byte, which
    /// is the byte XOR 0x80.
    pub fn new(byte: u8) -> Self {
        let node_secret = SecretKey::from_slice(&[byte; 32]).unwrap();
        let mut member = [byte; 32];
        member[31] ^= 0x80;
        let public = PublicKey::from_secret_key(SECP256K1, &node_secret);
        Self {
            node_secret,
            node: NodeId::from_bytes(public.serialize()).unwrap(),
            secret: MemberSecret::from_bytes(&member).unwrap(),
        }
    }

    pub fn certification(&self, hive: HiveId) -> Certification {
        Certification {
            hive,
            node: self.node,
            network: Network::Regtest,
            member_key: self.secret.public(),
            epoch: Epoch(1),
        }
    }

    pub fn manifest(&self, hive: HiveId) -> Manifest {
        let certification = self.certification(hive);
        let node_signature = NodeSignature::sign(&certification.text(), &self.node_secret);
        let mut profile = Profile::new("hive 0.1.0", EXPIRES);
        profile.capabilities = Capabilities::SPLICE.union(Capabilities::ANCHORS);
        profile.addresses = vec!["127.0.0.1:9735".into()];
        Manifest::sign(certification, node_signature, profile, &self.secret).unwrap()
    }

    pub fn verified(&self, hive: HiveId) -> VerifiedManifest {
        let manifest = self.manifest(hive);
        manifest.verify(&hive, Network::Regtest).unwrap()
    }

    pub fn applicant(&self, ticket: Ticket) -> Applicant {
        Applicant {
            manifest: self.manifest(ticket.body().hive),
            ticket,
            secret: self.secret.clone(),
        }
    }
}

/// A fleet of its founder alone.
pub struct Fleet {
    pub founder: Party,
    pub charter: Charter,
    pub hive: HiveId,
    pub redemption: Redemption,
    pub expelled: Vec<NodeId>,
    pub room: bool,
    pub expected: Vec<Digest>,
}

impl Fleet {
    pub fn new(founder: u8, nonce: u8) -> Self {
        let founder = Party::new(founder);
        let charter = Charter {
            network: Network::Regtest,
            founder: founder.node,
            nonce: [nonce; 32],
            parameters: FleetParameters::default(),
        };
        Self {
            founder,
            hive: charter.hive_id(),
            charter,
            redemption: Redemption::Open,
            expelled: Vec::new(),
            room: true,
            expected: Vec::new(),
        }
    }

    pub fn ticket_body(&self) -> TicketBody {
        TicketBody {
            hive: self.hive,
            network: Network::Regtest,
            issuer: self.founder.node,
            epoch: Epoch(1),
            id: TicketId::from_bytes([0x42; 16]),
            tier: Tier::Probationary,
            required: Capabilities::ANCHORS,
            expires: EXPIRES,
            guest: None,
            contacts: vec![(self.founder.node, "127.0.0.1:9735".into())],
        }
    }

    pub fn ticket(&self) -> Ticket {
        Ticket::sign(self.ticket_body(), &self.founder.secret).unwrap()
    }

    pub fn charter_certificate(&self) -> Certificate {
        let manifest = self.founder.verified(self.hive);
        Certificate::found(self.charter, &manifest, &self.founder.secret).unwrap()
    }

    /// Decision 1, accepted by the founder.
    pub fn decide(&self, body: DecisionBody) -> Certificate {
        let previous = self.charter_certificate().decision.decision.hash();
        let founder = &self.founder;
        let ballot = Ballot::new(1, &previous, &body.resource(), founder.node);
        let decision = Decision {
            slot: Slot(1),
            previous,
            author: founder.node,
            body,
        };
        let decision = SignedDecision::sign(decision, Epoch(1), &founder.secret, &self.hive);
        let mut certificate = Certificate {
            decision,
            ballot,
            acceptances: Vec::new(),
        };
        let accepted = certificate.accepted();
        let (node, secret) = (founder.node, &founder.secret);
        let acceptance = Acceptance::sign(&accepted, node, Epoch(1), secret, &self.hive);
        certificate.acceptances.push(acceptance);
        certificate
    }

    pub fn admit(&self, guest: &Party, ticket: Ticket) -> Certificate {
        self.decide(DecisionBody::Admit {
            ticket: Box::new(ticket),
            manifest: Box::new(guest.manifest(self.hive)),
        })
    }

    pub fn vote(&self, subject: NodeId) -> Vote {
        let text = VoteText {
            kind: VoteKind::Promote,
            subject,
            roster: Digest::from_bytes([0x33; 32]),
        };
        let founder = &self.founder;
        Vote::sign(text, founder.node, Epoch(1), &founder.secret, &self.hive)
    }
}

impl Admissions for Fleet {
    fn issuer_key(&self, issuer: &NodeId, epoch: Epoch) -> Option<VerifyingKey> {
        let known = *issuer == self.founder.node && epoch == Epoch(1);
        known.then(|| VerifyingKey::new(&self.founder.secret.public()).unwrap())
    }

    fn redemption(&self, _ticket: &TicketId) -> Redemption {
        self.redemption
    }

    fn is_expelled(&self, node: &NodeId) -> bool {
        self.expelled.contains(node)
    }

    fn has_room(&self) -> bool {
        self.room
    }

    fn expects(&self, ticket: &Digest) -> bool {
        self.expected.contains(ticket)
    }
}
