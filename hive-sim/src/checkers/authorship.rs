//! Who may say what: an author never reuses or lowers a version, relays change nothing, nobody but
//! the author writes its records, and no honest author is flagged.

use super::{Checker, Scene, Sight};
use crate::fleet::Agent;
use hive_core::Change;
use hive_proto::{Epoch, Item, Message, Record, Version, codec};
use hive_state::merged::Memory;
use hive_types::{Digest, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Own versions only grow: what an author writes is above all that it wrote before in that epoch.
#[derive(Default)]
pub struct OwnVersionGrows {
    newest: BTreeMap<NodeId, (Version, Digest)>,
    known: BTreeSet<(NodeId, Version, Digest)>,
}

impl Checker for OwnVersionGrows {
    fn name(&self) -> &'static str {
        "own version never goes back"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        let Sight::Persisted { agent, changes, .. } = sight else {
            return;
        };
        let agent = scene.agent(*agent);
        // A restored backup may repeat a version before it learns of it; it closes that fork by a new
        // epoch, which the checker of flags sees to.
        if !agent.is_honest() || agent.record().restored {
            return;
        }
        for change in &changes.changes {
            if let Change::Record { author, bytes, .. } = change
                && *author == agent.node()
            {
                found.extend(self.written(agent, bytes));
            }
        }
    }
}

impl OwnVersionGrows {
    fn written(&mut self, agent: &Agent, bytes: &[u8]) -> Option<String> {
        let record = Record::parse(bytes.to_vec()).ok()?;
        let (node, version, hash) = (agent.node(), record.fields().version, record.hash());
        if !self.known.insert((node, version, hash)) {
            return None;
        }
        let newest = self.newest.insert(node, (version, hash))?;
        (newest.0 >= version).then(|| {
            format!(
                "{} wrote a new record at {version} after one at {}",
                node.short(),
                newest.0
            )
        })
    }
}

/// Every copy of a record is, byte for byte, one that its author made; the same for statements.
#[derive(Default)]
pub struct RelayedUnchanged {
    made: BTreeSet<(NodeId, Digest)>,
    said: BTreeSet<(NodeId, Digest)>,
}

impl Checker for RelayedUnchanged {
    fn name(&self) -> &'static str {
        "relayed bytes identical"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        match sight {
            Sight::Persisted { agent, changes, .. } => {
                let agent = scene.agent(*agent);
                for change in &changes.changes {
                    if let Change::Record { author, bytes, .. } = change {
                        self.stored(scene, agent, author, bytes, found);
                    }
                }
            }
            Sight::Sent {
                agent,
                message: Some(message),
                ..
            } => {
                self.sent(scene, scene.agent(*agent), message, found);
            }
            _ => {}
        }
    }
}

impl RelayedUnchanged {
    /// What an author has on its disk it made; what others have of an honest author, it made before.
    fn stored(
        &mut self,
        scene: &Scene<'_>,
        agent: &Agent,
        author: &NodeId,
        bytes: &[u8],
        found: &mut Vec<String>,
    ) {
        let entry = (*author, digest(bytes));
        if *author == agent.node() {
            self.made.insert(entry);
        } else if agent.is_honest() && scene.is_honest(author) && !self.made.contains(&entry) {
            let (who, whose) = (agent.node().short(), author.short());
            found.push(format!("{who} stored a record that {whose} never made"));
        }
    }

    fn sent(
        &mut self,
        scene: &Scene<'_>,
        agent: &Agent,
        message: &Message,
        found: &mut Vec<String>,
    ) {
        match message {
            Message::Delta(delta) => {
                for item in &delta.items {
                    if let Item::Record(bytes) = item {
                        self.passed_on(scene, agent, bytes, found);
                    }
                }
            }
            Message::Routed(routed) => {
                let statement = &routed.statement;
                let entry = (statement.author, digest(&codec::encode(statement)));
                if statement.author == agent.node() {
                    self.said.insert(entry);
                } else if agent.is_honest()
                    && scene.is_honest(&statement.author)
                    && !self.said.contains(&entry)
                {
                    let (who, whose) = (agent.node().short(), statement.author.short());
                    found.push(format!(
                        "{who} passed on a statement that {whose} never sent"
                    ));
                }
            }
            _ => {}
        }
    }

    fn passed_on(&self, scene: &Scene<'_>, agent: &Agent, bytes: &[u8], found: &mut Vec<String>) {
        if !agent.is_honest() {
            return;
        }
        let Ok(record) = Record::parse(bytes.to_vec()) else {
            return found.push(format!(
                "{} sent a record that is none",
                agent.node().short()
            ));
        };
        let author = record.fields().author;
        let known = self.made.contains(&(author, digest(bytes)));
        if scene.is_honest(&author) && author != agent.node() && !known {
            let (who, whose) = (agent.node().short(), author.short());
            found.push(format!("{who} passed on bytes that {whose} never made"));
        }
    }
}

fn digest(bytes: &[u8]) -> Digest {
    hive_proto::tagged_hash("hive-sim/bytes", &[bytes])
}

/// How an author lies on the disk beside its records.
#[derive(Serialize, Deserialize)]
pub(super) enum StoredAuthor {
    Here {
        epoch: Item,
        proofs: Vec<Item>,
        memory: Memory,
    },
    Gone(Version),
}

/// Nobody keeps a proof of equivocation against an author that was never restored and never copied;
/// of one that was restored, only of epochs that its seat has left behind.
#[derive(Default)]
pub struct HonestNotFlagged;

impl Checker for HonestNotFlagged {
    fn name(&self) -> &'static str {
        "no honest author flagged"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        if !matches!(sight, Sight::Persisted { .. } | Sight::Quiet) {
            return;
        }
        match sight {
            Sight::Persisted { agent, changes, .. } if scene.agent(*agent).is_honest() => {
                for change in &changes.changes {
                    if let Change::Author { author, bytes } = change {
                        found.extend(accused(scene, author, bytes, false));
                    }
                }
            }
            Sight::Quiet => {
                for (_, agent) in scene.honest() {
                    for (author, bytes) in &agent.disk().stored.authors {
                        found.extend(accused(scene, author, bytes, true));
                    }
                }
            }
            _ => {}
        }
    }
}

fn accused(scene: &Scene<'_>, author: &NodeId, bytes: &[u8], is_quiet: bool) -> Option<String> {
    let Ok(StoredAuthor::Here { epoch, proofs, .. }) = codec::decode(bytes) else {
        return None;
    };
    if proofs.is_empty() || !scene.is_honest(author) {
        return None;
    }
    let mut agents = scene.agents.iter().filter(|agent| agent.node() == *author);
    let was_restored = agents.any(|agent| agent.record().restored);
    let open = |item: &Item| match (item, &epoch) {
        (Item::Proof { manifest, .. }, Item::Epoch(newest)) => {
            manifest.certification().epoch >= newest.certification().epoch
        }
        _ => false,
    };
    let epochs: BTreeSet<Epoch> = proofs
        .iter()
        .filter(|proof| open(proof))
        .filter_map(|proof| match proof {
            Item::Proof { manifest, .. } => Some(manifest.certification().epoch),
            _ => None,
        })
        .collect();
    match (was_restored, is_quiet, epochs.is_empty()) {
        (false, _, _) => Some(format!(
            "there is a proof against {}, which is honest",
            author.short()
        )),
        (true, true, false) => Some(format!(
            "{} was restored and did not close its fork",
            author.short()
        )),
        _ => None,
    }
}
