//! The decisions as the members' stores hold them, read by somebody who trusts none of them.

use hive_node::store::{Store, StoreError};
use hive_proto::{Certificate, DecisionBody, codec};
use hive_sim::world::Funding;
use hive_state::decided::Chain;
use hive_types::limits::LOCK_START_BLOCKS;
use hive_types::{ActionId, BlockHeight, NodeId};
use std::collections::BTreeMap;

/// Certificates by number, collected while members still hold them.
#[derive(Default)]
pub(crate) struct Chronicle {
    certificates: BTreeMap<u64, Certificate>,
    contradictions: Vec<String>,
}

/// A lock that was decided.
struct Granted {
    holder: NodeId,
    target: NodeId,
    height: BlockHeight,
    used: bool,
}

impl Chronicle {
    /// Reads what one member holds. Two different decisions with one number are noted.
    pub(crate) fn read(&mut self, name: &str, store: &Store) -> Result<(), StoreError> {
        for bytes in store.load()?.decisions {
            let Ok(certificate) = codec::decode::<Certificate>(&bytes) else {
                let text = format!("{name} stores a decision that can't be read");
                self.contradictions.push(text);
                continue;
            };
            let slot = certificate.decision.decision.slot.0;
            let hash = certificate.decision.decision.hash();
            let known = self.certificates.entry(slot).or_insert(certificate);
            if known.decision.decision.hash() != hash {
                let text = format!("{name} stores another decision {slot} than others");
                self.contradictions.push(text);
            }
        }
        Ok(())
    }

    /// What does not hold in the chain itself: contradictions, gaps, certificates that prove nothing.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = self.contradictions.clone();
        let mut certificates = self.certificates.values();
        let founded = certificates.next().map(|first| Chain::new(first.clone()));
        let mut chain = match founded {
            Some(Ok(chain)) => chain,
            Some(Err(error)) => {
                faults.push(format!("decision 0 does not hold: {error}"));
                return faults;
            }
            None => {
                faults.push("no member stores a decision".to_owned());
                return faults;
            }
        };
        for certificate in certificates {
            let slot = certificate.decision.decision.slot.0;
            if let Err(error) = chain.append(certificate.clone()) {
                faults.push(format!("decision {slot} does not hold: {error}"));
                return faults;
            }
        }
        faults
    }

    fn bodies(&self) -> impl Iterator<Item = (NodeId, &DecisionBody)> {
        let decisions = self.certificates.values();
        decisions.map(|certificate| {
            let decision = &certificate.decision.decision;
            (decision.author, &decision.body)
        })
    }

    /// Nodes that were admitted, the founder first, each as often as it was.
    pub(crate) fn admitted(&self) -> Vec<NodeId> {
        let admitted = self.bodies().filter_map(|(author, body)| match body {
            DecisionBody::Charter { .. } => Some(author),
            DecisionBody::Admit { manifest, .. } => Some(*manifest.node_id()),
            _ => None,
        });
        admitted.collect()
    }

    /// How often a ticket was redeemed.
    pub(crate) fn redemptions(&self, id: &hive_types::TicketId) -> usize {
        let redeems = |body: &DecisionBody| match body {
            DecisionBody::Admit { ticket, .. } => ticket.body().id == *id,
            _ => false,
        };
        self.bodies().filter(|(_, body)| redeems(body)).count()
    }

    /// Nodes that departed.
    pub(crate) fn departed(&self) -> Vec<NodeId> {
        let departed = self.bodies().filter_map(|(_, body)| match body {
            DecisionBody::Depart { node, .. } => Some(*node),
            _ => None,
        });
        departed.collect()
    }

    /// Nodes that were expelled.
    pub(crate) fn expelled(&self) -> Vec<NodeId> {
        let expelled = self.bodies().filter_map(|(_, body)| match body {
            DecisionBody::Expel { node, .. } => Some(*node),
            _ => None,
        });
        expelled.collect()
    }

    /// Locks on a target: holder and action.
    pub(crate) fn locks_on(&self, target: &NodeId) -> Vec<(NodeId, ActionId)> {
        let locks = self.bodies().filter_map(|(author, body)| match body {
            DecisionBody::Lock {
                target: locked,
                action,
                ..
            } if locked == target => Some((author, *action)),
            _ => None,
        });
        locks.collect()
    }

    /// The newest decision's number.
    pub(crate) fn head(&self) -> u64 {
        self.certificates.keys().next_back().copied().unwrap_or(0)
    }

    /// Fundings without a right to them. Each takes a lock of its opener on its target that none took
    /// before, and began below that lock's height plus six.
    pub(crate) fn unfounded(&self, fundings: &[Funding]) -> Vec<String> {
        let mut locks: Vec<Granted> = self
            .bodies()
            .filter_map(|(holder, body)| match body {
                DecisionBody::Lock { target, height, .. } => Some(Granted {
                    holder,
                    target: *target,
                    height: *height,
                    used: false,
                }),
                _ => None,
            })
            .collect();
        let mut unfounded = Vec::new();
        for funding in fundings {
            let right = locks.iter_mut().find(|lock| {
                !lock.used
                    && lock.holder == funding.opener
                    && lock.target == funding.target
                    && funding.opener_height < lock.height.plus(LOCK_START_BLOCKS)
            });
            match right {
                Some(lock) => lock.used = true,
                None => unfounded.push(format!(
                    "{} funded a channel to {} at block {} without a lock of its own",
                    funding.opener.short(),
                    funding.target.short(),
                    funding.height
                )),
            }
        }
        unfounded
    }
}
