//! Money: sats are conserved, and no budget is exceeded.

use super::{Checker, Effect, Scene, Sight};
use crate::fleet::Agent;
use crate::world::PaymentState;
use hive_types::{Digest, Millis, Msat, NodeId, Sat};
use std::collections::BTreeMap;

/// How often the whole world is counted, in milliseconds.
const COUNT_MS: u64 = 600_000;

/// Every sat is somewhere.
#[derive(Default)]
pub struct SatsConserved {
    next: u64,
}

impl Checker for SatsConserved {
    fn name(&self) -> &'static str {
        "sats are conserved"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        let is_due = match sight {
            Sight::Settled => scene.at.get() >= self.next,
            Sight::Quiet => true,
            _ => false,
        };
        if is_due {
            self.next = scene.at.get() + COUNT_MS;
            found.extend(scene.world.check_conservation().err());
        }
    }
}

/// What a node spent at a moment.
#[derive(Clone, Copy, Debug)]
struct Spent {
    at: u64,
    fees: Msat,
    capital: Sat,
    opens: u32,
}

/// Fees, capital and channels in any 24 hours stay within the operator's limits, by the chain and the
/// network. An agent that was started under a clock that ran ahead is left out: it takes the time that
/// it was down for what the clock says.
#[derive(Default)]
pub struct BudgetsKept {
    spent: BTreeMap<NodeId, Vec<Spent>>,
    sent: Vec<(usize, Digest)>,
}

impl Checker for BudgetsKept {
    fn name(&self) -> &'static str {
        "no budget exceeded"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        match sight {
            Sight::Executed {
                agent,
                effect: Effect::Funded(outpoint),
                ..
            } => {
                let mut fundings = scene.world.fundings().iter().rev();
                let funding = fundings.find(|funding| funding.outpoint == *outpoint);
                let fee = scene
                    .world
                    .chain()
                    .tx(&outpoint.txid)
                    .map(|record| record.tx.fee);
                let spent = Spent {
                    at: scene.at.get(),
                    fees: fee.unwrap_or_default().to_msat_saturating(),
                    capital: funding.map(|funding| funding.capacity).unwrap_or_default(),
                    opens: 1,
                };
                found.extend(self.spend(scene.agent(*agent), spent));
            }
            Sight::Executed {
                agent,
                effect: Effect::Sent(hash),
                ..
            } => self.sent.push((*agent, *hash)),
            Sight::Settled if !self.sent.is_empty() => {
                for (agent, hash) in std::mem::take(&mut self.sent) {
                    found.extend(self.payment(scene, agent, hash));
                }
            }
            _ => {}
        }
    }
}

impl BudgetsKept {
    fn payment(&mut self, scene: &Scene<'_>, agent: usize, hash: Digest) -> Option<String> {
        let node = scene.agent(agent).node();
        match scene.world.payment(node, hash) {
            Some(PaymentState::InFlight) => {
                self.sent.push((agent, hash));
                None
            }
            Some(PaymentState::Succeeded { fee, .. }) => {
                let spent = Spent {
                    at: scene.at.get(),
                    fees: fee,
                    capital: Sat::ZERO,
                    opens: 0,
                };
                self.spend(scene.agent(agent), spent)
            }
            _ => None,
        }
    }

    fn spend(&mut self, agent: &Agent, spent: Spent) -> Option<String> {
        let of_node = self.spent.entry(agent.node()).or_default();
        of_node.push(spent);
        let since = spent.at.saturating_sub(Millis::from_days(1).get());
        let day = || of_node.iter().filter(|spent| spent.at > since);
        let fees: Msat = day().map(|spent| spent.fees).sum();
        let capital: Sat = day().map(|spent| spent.capital).sum();
        let opens: u32 = day().map(|spent| spent.opens).sum();
        let limits = &agent.config().limits;
        if agent.record().slept {
            return None;
        }
        let over = fees > limits.budget_per_day.to_msat_saturating()
            || capital > limits.capital_per_day
            || opens > limits.opens_per_day;
        over.then(|| {
            format!(
                "{} spent {fees} of fees and {capital} of capital in {opens} opens within a day",
                agent.node().short()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Chronicle;
    use crate::world::{NodeSpec, World, WorldConfig};

    #[test]
    fn a_lost_sat_is_found() {
        let mut world = World::new(WorldConfig::default());
        let node = world
            .add_node(NodeSpec::agent(Sat::new(1_000_000)))
            .unwrap();
        let look = |world: &World| {
            let mut found = Vec::new();
            let chain = Chronicle::default();
            let scene = Scene {
                at: world.now(),
                world,
                agents: &[],
                chain: &chain,
            };
            SatsConserved::default().see(&scene, &Sight::Quiet, &mut found);
            found
        };
        assert!(look(&world).is_empty());
        let place = world.utxos(node).unwrap()[0].outpoint;
        world.lose(&place);
        assert_eq!(look(&world).len(), 1);
    }
}
