//! A fleet of replicas for the tests of what is merged: members with keys, and a network that loses,
//! repeats and reorders.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic
)]

mod fleet;
mod network;

pub use fleet::*;
pub use network::*;

use hive_proto::{
    Certification, Epoch, Item, Manifest, MemberSecret, NodeSignature, Profile, Record,
    RecordFields, RecordKind, VerifiedManifest, Version,
};
use hive_state::merged::{Draft, Merge, Merged};
use hive_types::{BootId, Elapsed, HiveId, Network, NodeId, Now, UnixMillis};
use secp256k1::{PublicKey, SECP256K1, SecretKey};

pub const HIVE: HiveId = HiveId::from_bytes([0xee; 32]);

/// SplitMix64: chance from a seed.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

pub fn at(millis: u64) -> Now {
    Now {
        wall: UnixMillis::new(1_760_000_000_000 + millis),
        elapsed: Elapsed::new(millis),
        boot: BootId::new(1),
    }
}

/// A member: its node key, and a member key for each epoch.
#[derive(Clone)]
pub struct Member {
    pub index: usize,
    pub node: SecretKey,
    pub id: NodeId,
}

impl Member {
    pub fn new(index: usize) -> Self {
        let mut bytes = [0x11; 32];
        bytes[..8].copy_from_slice(&(index as u64 + 1).to_be_bytes());
        let node = SecretKey::from_slice(&bytes).unwrap();
        let id = NodeId::from_bytes(PublicKey::from_secret_key(SECP256K1, &node).serialize());
        Self {
            index,
            node,
            id: id.unwrap(),
        }
    }

    pub fn secret(&self, epoch: u64) -> MemberSecret {
        self.secret_of(epoch, 0)
    }

    /// A copied agent has another key for the same epoch: `copy` tells them apart.
    pub fn secret_of(&self, epoch: u64, copy: u8) -> MemberSecret {
        let mut bytes = [0x22 + copy; 32];
        bytes[..8].copy_from_slice(&(self.index as u64 + 1).to_be_bytes());
        bytes[8..16].copy_from_slice(&epoch.to_be_bytes());
        MemberSecret::from_bytes(&bytes).unwrap()
    }

    pub fn manifest_in(&self, hive: HiveId, epoch: u64, copy: u8) -> Manifest {
        let secret = self.secret_of(epoch, copy);
        let certification = Certification {
            hive,
            node: self.id,
            network: Network::Regtest,
            member_key: secret.public(),
            epoch: Epoch(epoch),
        };
        let signature = NodeSignature::sign(&certification.text(), &self.node);
        let profile = Profile::new("test/1", UnixMillis::new(u64::MAX));
        Manifest::sign(certification, signature, profile, &secret).unwrap()
    }

    pub fn manifest(&self, epoch: u64) -> Manifest {
        self.manifest_in(HIVE, epoch, 0)
    }

    pub fn seat(&self, epoch: u64) -> VerifiedManifest {
        self.manifest(epoch)
            .verify(&HIVE, Network::Regtest)
            .unwrap()
    }

    pub fn opening(&self, epoch: u64) -> Item {
        Item::Epoch(Box::new(self.manifest(epoch)))
    }

    pub fn record_in(
        &self,
        hive: &HiveId,
        epoch: u64,
        counter: u64,
        key: &[u8],
        body: &[u8],
    ) -> Record {
        let fields = RecordFields {
            author: self.id,
            version: Version {
                epoch: Epoch(epoch),
                counter: hive_proto::Counter(counter),
            },
            key: key.to_vec(),
            kind: RecordKind(99),
            schema: 1,
            expiry_secs: 0,
            body: body.to_vec(),
        };
        Record::sign(fields, &self.secret(epoch), hive).unwrap()
    }

    pub fn record(&self, epoch: u64, counter: u64, key: &[u8], body: &[u8]) -> Record {
        self.record_in(&HIVE, epoch, counter, key, body)
    }
}

pub fn item(record: &Record) -> Item {
    Item::Record(record.bytes().to_vec())
}

pub fn draft(key: &[u8], body: &[u8]) -> Draft {
    Draft {
        key: key.to_vec(),
        kind: RecordKind(99),
        schema: 1,
        expiry_secs: 0,
        body: body.to_vec(),
    }
}

pub fn members(count: usize) -> Vec<Member> {
    (0..count).map(Member::new).collect()
}

/// A replica that knows the whole roster at epoch 1 and may write.
pub fn replica(me: &Member, roster: &[Member]) -> Merged {
    let seats: Vec<_> = roster.iter().map(|member| member.seat(1)).collect();
    replica_with(me, &seats)
}

pub fn replica_with(me: &Member, seats: &[VerifiedManifest]) -> Merged {
    let mut merged = Merged::new(HIVE, Network::Regtest, me.id);
    merged.set_authors(seats.iter().cloned(), at(0).wall);
    merged.set_may_write(true);
    merged
}

pub fn replicas(roster: &[Member]) -> Vec<Merged> {
    let seats: Vec<_> = roster.iter().map(|member| member.seat(1)).collect();
    roster.iter().map(|me| replica_with(me, &seats)).collect()
}

pub fn merge_all(merged: &mut Merged, items: impl IntoIterator<Item = Item>) -> Vec<Merge> {
    items
        .into_iter()
        .map(|item| merged.merge(item, at(0)))
        .collect()
}

/// Items of everything that a replica keeps, as an empty fellow would get them in the end.
pub fn dump(merged: &Merged) -> Vec<Item> {
    let mut items = Vec::new();
    for id in merged.authors() {
        let manifest = merged.manifest(&id).unwrap().manifest().clone();
        items.push(Item::Epoch(Box::new(manifest)));
        items.extend(merged.live(&id).map(|held| item(held.record())));
        items.extend(merged.proofs(&id).map(|proof| proof.to_item()));
    }
    items
}

/// Two of the replicas, to be changed together.
pub fn pair(replicas: &mut [Merged], a: usize, b: usize) -> (&mut Merged, &mut Merged) {
    let [a, b] = replicas.get_disjoint_mut([a, b]).unwrap();
    (a, b)
}

pub fn agree(replicas: &[Merged]) -> bool {
    replicas
        .windows(2)
        .all(|pair| pair[0].digest() == pair[1].digest())
}
