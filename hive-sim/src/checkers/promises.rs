//! No promise forgotten: what an acceptor says on the wire never goes back, over restarts too.

use super::{Checker, Scene, Sight};
use hive_proto::{Ballot, Epoch, Message, Slot, Statement, codec, tagged_hash};
use hive_types::{Digest, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// What an acceptor, a node in one epoch, said of one slot.
#[derive(Default)]
struct Said {
    promised: Option<Ballot>,
    accepted: BTreeMap<Ballot, Digest>,
}

/// See the module.
#[derive(Default)]
pub struct PromisesKept {
    /// Statements as they were sent: a repeated one says nothing new.
    seen: BTreeSet<Digest>,
    said: BTreeMap<(NodeId, Epoch, Slot, Digest), Said>,
}

impl Checker for PromisesKept {
    fn name(&self) -> &'static str {
        "no promise forgotten"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        let Sight::Sent {
            agent,
            message: Some(Message::Routed(routed)),
            ..
        } = sight
        else {
            return;
        };
        let agent = scene.agent(*agent);
        let sealed = &routed.statement;
        if sealed.author != agent.node() || !agent.is_honest() {
            return;
        }
        let hash = tagged_hash("hive-sim/statement", &[&codec::encode(sealed)]);
        if !self.seen.insert(hash) {
            return;
        }
        let Ok(statement) = codec::decode::<Statement>(&sealed.body) else {
            return found.push(format!(
                "{} sent a statement that is none",
                agent.node().short()
            ));
        };
        let hive = agent
            .disk()
            .manifest()
            .map(|manifest| manifest.certification().hive);
        let hive = hive.map_or(Digest::from_bytes([0; 32]), |hive| {
            Digest::from_bytes(hive.to_bytes())
        });
        let key = (sealed.author, sealed.epoch, statement.slot(), hive);
        let said = self.said.entry(key).or_default();
        if let Err(what) = said.hear(&statement) {
            let (who, slot) = (agent.node().short(), statement.slot().0);
            found.push(format!("{who} in slot {slot}: {what}"));
        }
    }
}

impl Said {
    fn hear(&mut self, statement: &Statement) -> Result<(), &'static str> {
        match statement {
            Statement::Promise {
                ballot, accepted, ..
            } => {
                let shown = accepted.as_ref().map(|(at, _)| *at);
                let newest = self.accepted.keys().next_back().copied();
                if newest.filter(|at| at < ballot) > shown {
                    return Err("a promise hides what it accepted before");
                }
                self.at_least(*ballot)
            }
            Statement::Accepted {
                ballot, decision, ..
            } => {
                let before = self.accepted.insert(*ballot, *decision);
                if before.is_some_and(|before| before != *decision) {
                    return Err("it accepted two decisions in one ballot");
                }
                self.at_least(*ballot)
            }
            _ => Ok(()),
        }
    }

    fn at_least(&mut self, ballot: Ballot) -> Result<(), &'static str> {
        if self.promised.is_some_and(|promised| promised > ballot) {
            return Err("it answers a ballot below its promise");
        }
        self.promised = Some(ballot);
        Ok(())
    }
}
