//! What is merged, on its way: reconciliation, fresh records and their relay, and the store's copy.

use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::io::{Change, Output};
use hive_proto::{
    ChainRequest, Delta, DigestLine, Item, Listing, Message, Record, RecordError, RecordKind,
    Version, clamp_hops, codec,
};
use hive_state::merged::{Change as MergedChange, Draft, Merge, Refused};
use hive_types::limits::{GOSSIP_FANOUT, GOSSIP_INTERVAL, RELAY_FANOUT, RELAY_HOPS};
use hive_types::{Millis, NodeId};
use serde::{Deserialize, Serialize};

/// What the store keeps of an author beside its records.
#[derive(Serialize, Deserialize)]
pub(crate) enum StoredAuthor {
    /// A member: the manifest of its epoch, proofs against it, what this replica remembers of it.
    Here {
        epoch: Item,
        proofs: Vec<Item>,
        memory: hive_state::merged::Memory,
    },
    /// It left; its highest version outlives its records.
    Gone(Version),
}

impl Hive {
    /// Members that meet tell each other what they have.
    pub(crate) fn fellow_connected(&mut self, peer: NodeId) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        if member.hears(&peer) {
            self.send_digest(peer);
        }
    }

    fn send_digest(&mut self, to: NodeId) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        self.out
            .send(to, &Message::Digest(member.merged.digest_for(&to)));
        let (from, wall) = (member.head().next(), self.now.wall);
        self.out
            .send(to, &Message::ChainRequest(ChainRequest { from, wall }));
    }

    /// A round: one random fellow. What was lost on the way is found again here.
    pub(crate) fn tend_gossip(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if self.now.elapsed < member.next_gossip {
            return;
        }
        // Rounds of different members drift apart, so that they do not meet in bursts.
        let jitter = self.chance.below(GOSSIP_INTERVAL.get() / 4);
        member.next_gossip = self
            .now
            .elapsed
            .plus(Millis::new(GOSSIP_INTERVAL.get() + jitter));
        for fellow in self.gossip_partners() {
            self.send_digest(fellow);
        }
        self.dial();
    }

    /// One random fellow; and a full member where that is none. What is for full members only travels
    /// between them and from its author to them, and few of them among many on trial would seldom meet.
    fn gossip_partners(&mut self) -> Vec<NodeId> {
        let fellows = self.connected_fellows(None);
        let mut partners = self.chance.choose(&fellows, 1);
        let Stage::Member(member) = &self.stage else {
            return partners;
        };
        let is_full = |node: &&NodeId| member.merged.reads_all(node);
        if !partners.iter().any(|node| member.merged.reads_all(node)) {
            let full: Vec<NodeId> = fellows.iter().filter(is_full).copied().collect();
            partners.extend(self.chance.choose(&full, 1));
        }
        partners
    }

    /// Dials one fellow that is not connected. Both ends of a pair do, each in its own rounds.
    fn dial(&mut self) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let away: Vec<NodeId> = member
            .fellows()
            .filter(|node| !self.peers.is_connected(node))
            .collect();
        if let Some(to) = self.chance.choose(&away, 1).pop() {
            let manifest = member.merged.manifest(&to);
            let addresses = manifest.map(|manifest| manifest.profile().addresses.clone());
            self.out.push(Output::Connect {
                to,
                addresses: addresses.unwrap_or_default(),
            });
        }
    }

    pub(crate) fn digest(&mut self, from: NodeId, lines: &[DigestLine]) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let answer = member.merged.answer_for(&from, lines);
        let is_abreast = member.merged.is_abreast_of(&from, lines);
        if !answer.delta.items.is_empty() || !answer.delta.want.is_empty() {
            self.out.send(from, &Message::Delta(answer.delta));
        }
        for listing in answer.listings {
            self.out.send(from, &Message::Listing(listing));
        }
        if is_abreast {
            self.fellow_returned(from);
        }
    }

    pub(crate) fn listing(&mut self, from: NodeId, listing: &Listing) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let answer = member.merged.on_listing_for(&from, listing);
        if let Some(delta) = answer.delta {
            self.out.send(from, &Message::Delta(delta));
        }
        if let Some(listing) = answer.listing {
            self.out.send(from, &Message::Listing(listing));
        }
    }

    pub(crate) fn delta(&mut self, from: NodeId, delta: Delta) {
        let hops = clamp_hops(delta.hops);
        let mut fresh = Vec::new();
        let forgeries = self.misconduct.forgeries();
        for item in delta.items {
            let Some(news) = self.merge(from, item) else {
                return;
            };
            fresh.extend(news);
            // An answer would bring the same again, and that another answer, as fast as the link goes.
            if self.misconduct.was_forged(forgeries) {
                break;
            }
        }
        self.store_merged();
        if hops > 0 {
            self.spread(fresh, hops - 1, Some(from));
        }
        if self.misconduct.was_forged(forgeries) {
            return;
        }
        let Stage::Member(member) = &self.stage else {
            return;
        };
        if let Some(answer) = member.merged.answer_want_for(&from, &delta.want) {
            self.out.send(from, &Message::Delta(answer));
        }
        if delta.more {
            self.send_digest(from);
        }
    }

    /// Merges one item. `None` when this member stopped over it; the item itself when it is news.
    fn merge(&mut self, from: NodeId, item: Item) -> Option<Option<Item>> {
        let Stage::Member(member) = &mut self.stage else {
            return None;
        };
        let merged = member.merged.merge(item.clone(), self.now);
        let is_news = merged.is_news();
        match merged {
            Merge::OwnNewer { version } => self.own_newer(from, version),
            Merge::Equivocation { author, version } => {
                if author == self.config.node_id {
                    self.own_newer(from, version);
                }
                self.out.audit(
                    self.now.wall,
                    "equivocation",
                    None,
                    format!("{author} at {version}"),
                );
                self.out.emit(Event::Equivocation { author });
            }
            // Records of somebody whose admission or new epoch is not known here yet: the chain and
            // the next round bring both.
            Merge::Refused(Refused::Stranger(_) | Refused::EpochUnknown(_)) => {}
            Merge::Refused(Refused::Record(RecordError::Seal(_))) => self.forged_item(from, &item),
            Merge::Refused(reason) => self.bad_peer(from, reason.to_string()),
            Merge::New | Merge::Replaced | Merge::Old | Merge::Duplicate | Merge::Opened { .. } => {
            }
        }
        let Stage::Member(member) = &mut self.stage else {
            return None;
        };
        member.stirred |= is_news;
        self.banned.stirred |= is_news && is_word(&item);
        Some(is_news.then_some(item))
    }

    /// A record whose seal fails under the key that the chain seats in its epoch. In an epoch that is
    /// not seated two keys may be about, and an honest fellow may have verified it by the other.
    fn forged_item(&mut self, from: NodeId, item: &Item) {
        self.misconduct.note_forgery();
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let Item::Record(bytes) = item else {
            return self.bad_peer(from, "a proof whose signatures fail".to_owned());
        };
        let Ok(record) = Record::parse(bytes.clone()) else {
            return;
        };
        let author = record.fields().author;
        let seat = member.folded().member(&author);
        let is_seated = seat.is_some_and(|seat| seat.epoch == record.fields().version.epoch);
        match is_seated {
            true => self.forged(from, author),
            false => self.bad_peer(from, "a record whose seal fails".to_owned()),
        }
    }

    /// Signs and keeps a record of this member, and tells a few fellows, who tell others. `None` while
    /// it must not write, and while the decision that admitted it has not arrived.
    pub(crate) fn write(&mut self, draft: Draft) -> Option<Version> {
        let record = self.keep(draft)?;
        let item = Item::Record(record.bytes().to_vec());
        self.spread(vec![item], RELAY_HOPS, None);
        Some(record.fields().version)
    }

    /// The same for what is everybody's business at once: it goes to every connected fellow.
    pub(crate) fn write_to_all(&mut self, draft: Draft) -> Option<Version> {
        let record = self.keep(draft)?;
        let item = Item::Record(record.bytes().to_vec());
        let fellows = self.connected_fellows(None);
        self.send_items(&[item], RELAY_HOPS, &fellows);
        Some(record.fields().version)
    }

    /// Signs the departure, also while this member must write nothing else, and tells every connected
    /// fellow. `None` where the member key is not the one that the fleet knows.
    pub(crate) fn write_departure(&mut self, draft: Draft) -> Option<Version> {
        let Stage::Member(member) = &mut self.stage else {
            return None;
        };
        let secret = member.identity.secret.clone();
        let record = member.merged.write_last(draft, &secret, self.now).ok()?;
        self.store_merged();
        let item = Item::Record(record.bytes().to_vec());
        let fellows = self.connected_fellows(None);
        self.send_items(&[item], RELAY_HOPS, &fellows);
        Some(record.fields().version)
    }

    fn keep(&mut self, draft: Draft) -> Option<Record> {
        let Stage::Member(member) = &mut self.stage else {
            return None;
        };
        member.tier()?;
        let secret = member.identity.secret.clone();
        match member.merged.write(draft, &secret, self.now) {
            Ok(record) => {
                self.store_merged();
                Some(record)
            }
            Err(error) => {
                self.alert(format!("a record was not written: {error}"));
                None
            }
        }
    }

    /// Sends each fellow what it may read of these items.
    fn send_items(&mut self, items: &[Item], hops: u8, to: &[NodeId]) {
        for fellow in to {
            let items = self.readable(items, fellow);
            if !items.is_empty() {
                let message = Message::Delta(Delta {
                    hops,
                    items,
                    want: Vec::new(),
                    more: false,
                });
                self.out.send(*fellow, &message);
            }
        }
    }

    /// What a fellow may read: balances and observations are for full members only.
    fn readable(&self, items: &[Item], fellow: &NodeId) -> Vec<Item> {
        let Stage::Member(member) = &self.stage else {
            return Vec::new();
        };
        let may_read = |item: &&Item| match item {
            Item::Record(bytes) => Record::parse(bytes.clone()).is_ok_and(|record| {
                let fields = record.fields();
                fields.kind.is_for_all() || member.merged.may_read(fellow, &fields.author)
            }),
            Item::Epoch(_) | Item::Proof { .. } => true,
        };
        items.iter().filter(may_read).cloned().collect()
    }

    /// Hands fresh items to a few fellows, who hand them on.
    pub(crate) fn spread(&mut self, items: Vec<Item>, hops: u8, except: Option<NodeId>) {
        if items.is_empty() {
            return;
        }
        let mut fellows = self.connected_fellows(except);
        fellows.retain(|fellow| !self.readable(&items, fellow).is_empty());
        // Who wrote tells a few; who hears it tells fewer, or copies would grow with the fleet.
        let fanout = if except.is_none() {
            GOSSIP_FANOUT
        } else {
            RELAY_FANOUT
        };
        let chosen = self.chance.choose(&fellows, fanout);
        self.send_items(&items, hops, &chosen);
    }

    /// Hands what changed in the replica to the store.
    pub(crate) fn store_merged(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        for change in member.merged.take_changes() {
            match change {
                MergedChange::Put {
                    author,
                    key,
                    item: Item::Record(bytes),
                } => {
                    self.out.store(Change::Record { author, key, bytes });
                }
                MergedChange::Put { .. } => {}
                MergedChange::Remove { author, key } => {
                    self.out.store(Change::DropRecord { author, key });
                }
                MergedChange::Forget { author, newest } => {
                    self.out.store(Change::DropRecords { author });
                    let bytes = codec::encode(&StoredAuthor::Gone(newest));
                    self.out.store(Change::Author { author, bytes });
                }
                MergedChange::Open {
                    author,
                    item,
                    memory,
                } => {
                    let proofs = member
                        .merged
                        .proofs(&author)
                        .map(|proof| proof.to_item())
                        .collect();
                    let bytes = codec::encode(&StoredAuthor::Here {
                        epoch: item,
                        proofs,
                        memory,
                    });
                    self.out.store(Change::DropRecords { author });
                    self.out.store(Change::Author { author, bytes });
                }
                MergedChange::Proofs {
                    author,
                    items,
                    memory,
                } => {
                    let Some(manifest) = member.merged.manifest(&author) else {
                        continue;
                    };
                    let epoch = Item::Epoch(Box::new(manifest.manifest().clone()));
                    let bytes = codec::encode(&StoredAuthor::Here {
                        epoch,
                        proofs: items,
                        memory,
                    });
                    self.out.store(Change::Author { author, bytes });
                }
            }
        }
    }
}

/// Whether an item says something of outside peers.
fn is_word(item: &Item) -> bool {
    let Item::Record(bytes) = item else {
        return false;
    };
    let kind = Record::parse(bytes.clone()).map(|record| record.fields().kind);
    kind.is_ok_and(|kind| kind == RecordKind::BAN || kind == RecordKind::OBSERVATION)
}
