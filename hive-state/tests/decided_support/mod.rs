//! Members, papers and a small deterministic network for the tests of what is decided.
#![allow(dead_code, unreachable_pub)]

pub mod net;

use hive_proto::{
    Certification, Charter, Counter, Decision, DecisionBody, Epoch, FleetParameters, Manifest,
    MemberSecret, NodeSignature, Profile, Record, RecordFields, RecordKind, Ticket, TicketBody,
    UnlockReason, Version, Vote, VoteKind, VoteText,
};
use hive_state::decided::{Decider, Folded, Identity, Judge, Standing, TargetFacts, judge_lock};
use hive_types::{
    ActionId, BlockHeight, Capabilities, HiveId, Network, NodeId, TicketId, Tier, UnixMillis,
};
use secp256k1::{SECP256K1, SecretKey};

/// A node with the keys that the tests sign with.
#[derive(Clone)]
pub struct Person {
    pub node: NodeId,
    node_key: SecretKey,
    number: u8,
}

/// The n-th node of every test.
pub fn person(number: u8) -> Person {
    let mut bytes = [7; 32];
    bytes[31] = number;
    let node_key = SecretKey::from_slice(&bytes).unwrap();
    let node = NodeId::from_bytes(node_key.public_key(SECP256K1).serialize()).unwrap();
    Person {
        node,
        node_key,
        number,
    }
}

impl Person {
    pub fn secret(&self, epoch: u64) -> MemberSecret {
        let mut bytes = [9; 32];
        bytes[30] = epoch as u8;
        bytes[31] = self.number;
        MemberSecret::from_bytes(&bytes).unwrap()
    }

    pub fn identity(&self, epoch: u64) -> Identity {
        Identity {
            node: self.node,
            epoch: Epoch(epoch),
            secret: self.secret(epoch),
        }
    }

    pub fn manifest(&self, hive: HiveId, epoch: u64) -> Manifest {
        self.manifest_with(hive, epoch, self.secret(epoch))
    }

    pub fn manifest_with(&self, hive: HiveId, epoch: u64, secret: MemberSecret) -> Manifest {
        let certification = Certification {
            hive,
            node: self.node,
            network: Network::Regtest,
            member_key: secret.public(),
            epoch: Epoch(epoch),
        };
        let signature = NodeSignature::sign(&certification.text(), &self.node_key);
        let profile = Profile::new("test", UnixMillis::new(u64::MAX));
        Manifest::sign(certification, signature, profile, &secret).unwrap()
    }

    pub fn ticket(&self, hive: HiveId, id: u8, tier: Tier, guest: Option<NodeId>) -> Ticket {
        self.ticket_of(1, hive, id, tier, guest)
    }

    pub fn ticket_of(
        &self,
        epoch: u64,
        hive: HiveId,
        id: u8,
        tier: Tier,
        guest: Option<NodeId>,
    ) -> Ticket {
        let body = TicketBody {
            hive,
            network: Network::Regtest,
            issuer: self.node,
            epoch: Epoch(epoch),
            id: TicketId::from_bytes([id; 16]),
            tier,
            required: Capabilities::NONE,
            expires: UnixMillis::new(u64::MAX),
            guest,
            contacts: Vec::new(),
        };
        Ticket::sign(body, &self.secret(epoch)).unwrap()
    }

    pub fn vote(&self, kind: VoteKind, subject: NodeId, folded: &Folded) -> Vote {
        let text = VoteText {
            kind,
            subject,
            roster: folded.roster_hash(),
        };
        Vote::sign(text, self.node, Epoch(1), &self.secret(1), folded.hive())
    }

    pub fn departure(&self, hive: HiveId, epoch: u64) -> Vec<u8> {
        let fields = RecordFields {
            author: self.node,
            version: Version {
                epoch: Epoch(epoch),
                counter: Counter(9),
            },
            key: b"departure".to_vec(),
            kind: RecordKind::DEPARTURE,
            schema: 1,
            expiry_secs: 0,
            body: Vec::new(),
        };
        let record = Record::sign(fields, &self.secret(epoch), &hive).unwrap();
        record.bytes().to_vec()
    }

    pub fn depart(&self, hive: HiveId) -> DecisionBody {
        DecisionBody::Depart {
            node: self.node,
            departure: self.departure(hive, 1),
        }
    }
}

pub fn charter(founder: &Person, members_max: u16) -> Charter {
    Charter {
        network: Network::Regtest,
        founder: founder.node,
        nonce: [3; 32],
        parameters: FleetParameters {
            members_max,
            ..FleetParameters::default()
        },
    }
}

pub fn found(founder: &Person, members_max: u16) -> Decider {
    let charter = charter(founder, members_max);
    let manifest = founder.manifest(charter.hive_id(), 1);
    let (decider, _) = Decider::found(charter, manifest, founder.secret(1), 1).unwrap();
    decider
}

pub fn admit(ticket: Ticket, guest: &Person, hive: HiveId, epoch: u64) -> DecisionBody {
    DecisionBody::Admit {
        ticket: Box::new(ticket),
        manifest: Box::new(guest.manifest(hive, epoch)),
    }
}

pub fn lock(target: NodeId, action: u8, height: u32) -> DecisionBody {
    DecisionBody::Lock {
        target,
        action: ActionId::from_bytes([action; 16]),
        height: BlockHeight::new(height),
    }
}

/// An acceptor that looks at locks only, with its own tip.
#[derive(Clone, Copy, Debug)]
pub struct Tip {
    pub height: u32,
    pub channel_seen: bool,
}

impl Tip {
    pub fn at(height: u32) -> Self {
        let channel_seen = false;
        Self {
            height,
            channel_seen,
        }
    }
}

impl Judge for Tip {
    fn judge(&self, folded: &Folded, decision: &Decision, _: Standing) -> Result<(), String> {
        let DecisionBody::Lock { target, height, .. } = &decision.body else {
            return Ok(());
        };
        let facts = TargetFacts {
            tip: BlockHeight::new(self.height),
            funding_published: false,
            channel_seen: self.channel_seen,
        };
        judge_lock(folded, target, *height, facts).map_err(|refused| refused.to_string())
    }
}

pub fn unlock(target: NodeId, action: u8) -> DecisionBody {
    DecisionBody::Unlock {
        target,
        action: ActionId::from_bytes([action; 16]),
        reason: UnlockReason::Abandoned,
    }
}

/// splitmix64: enough chance for a test, and the same every time.
#[derive(Clone, Copy, Debug)]
pub struct Chance(pub u64);

impl Chance {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
