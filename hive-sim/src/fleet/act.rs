//! Money, written ahead: prepare, write down what was prepared, execute; and what became of it.

use super::Fleet;
use super::agent::{Defect, Prepared};
use super::drive::{NODE_MS, Step};
use crate::checkers::{Effect, Sight};
use crate::world::{OutPointState, PaymentState, SendRouteError, hash_of};
use hive_core::{ActionResult, Done, Fault, Input, PlanRequest};
use hive_policy::Authorized;
use hive_types::limits::FUNDING_WEIGHT_MIN;
use hive_types::{
    Action, ActionId, ChannelPolicy, Digest, FeeratePerKw, Msat, NodeId, OpenChannel, OutPoint,
    Probe, Rebalance, RouteHop, Sat, SetPolicy,
};

/// Weight of a funding with one input, to choose inputs by.
const FUNDING_WEIGHT: u32 = 610;
/// Weight that each further input adds.
const INPUT_WEIGHT: u32 = 272;
/// Milliseconds until a node is asked again about something that it did not know.
const PURSUE_MS: u64 = 30_000;

/// Something that an agent's driver does later.
pub(super) enum Task {
    /// Read the node.
    Observe,
    /// Read the node, and again after the usual time.
    Look,
    /// Read the graph.
    ReadGraph,
    /// Have the node sign.
    Sign(String),
    /// Dial.
    Dial(NodeId),
    /// Make a plan.
    Plan(Box<PlanRequest>),
    /// Prepare an action.
    Act { id: ActionId, permit: Authorized },
    /// Execute it.
    Execute { id: ActionId, permit: Authorized },
    /// Tell how it ended.
    Tell { id: ActionId, result: ActionResult },
    /// Ask the node again.
    Pursue { id: ActionId },
}

impl Fleet {
    pub(super) fn perform_task(&mut self, agent: usize, task: Task) {
        let node = self.agents[agent].node;
        match task {
            Task::Observe => self.observe_now(agent),
            Task::Look => self.look(agent),
            Task::ReadGraph => self.read_graph(agent),
            Task::Sign(text) => {
                let signature = self.world.sign_message(node, &text);
                let signature = signature.map_err(|error| error.to_string());
                let signature = signature.as_deref().map_err(String::as_str);
                let text = text.as_str();
                self.input(agent, Input::NodeSigned { text, signature });
            }
            // Who cannot be reached is dialled again in a later round.
            Task::Dial(to) => drop(self.world.connect(node, to)),
            Task::Plan(request) => self.input(agent, Input::Planned(request.perform())),
            Task::Act { id, permit } => self.prepare(agent, id, permit),
            Task::Execute { id, permit } => self.execute(agent, id, &permit),
            Task::Tell { id, result } => self.tell(agent, id, result),
            Task::Pursue { id } => self.pursue(agent, id),
        }
    }

    /// Chooses what makes the action repeatable without harm, and writes it down.
    fn prepare(&mut self, agent: usize, id: ActionId, permit: Authorized) {
        let is_open = matches!(permit.action(), Action::Open(_));
        if is_open && self.agents[agent].opening.is_some() {
            return self.later(agent, NODE_MS, Task::Act { id, permit });
        }
        match self.choose(agent, id, &permit) {
            Ok(prepared) => {
                if self.stops(agent, Step::Prepared) {
                    return;
                }
                let this = &mut self.agents[agent];
                this.opening = is_open.then_some(id).or(this.opening);
                this.disk.prepared.insert(id, prepared);
                if !self.step(agent, Step::Prepared) {
                    self.later(agent, NODE_MS, Task::Execute { id, permit });
                }
            }
            Err(reason) => self.tell(agent, id, not_done(Fault::Node, &reason)),
        }
    }

    fn choose(&self, agent: usize, id: ActionId, permit: &Authorized) -> Result<Prepared, String> {
        let node = self.agents[agent].node;
        match permit.action() {
            Action::Open(open) => {
                let (inputs, _) = self.choose_inputs(agent, open, permit.cost())?;
                Ok(Prepared::Open { inputs })
            }
            Action::Rebalance(_) | Action::Probe(_) => {
                let life = self.agents[agent].life.to_le_bytes();
                let preimage = hash_of("preimage", &[&self.seed, id.as_bytes(), &life]);
                let hash = payment_hash(&preimage);
                Ok(Prepared::Payment { preimage, hash })
            }
            Action::SetPolicy(set) => Ok(Prepared::Policy {
                before: self.policy_of(node, set),
            }),
        }
    }

    fn feerate(&self, open: &OpenChannel) -> FeeratePerKw {
        self.world.feerate().min(open.feerate_ceiling)
    }

    /// Outputs that pay for the channel and its fee, the largest first.
    pub(super) fn choose_inputs(
        &self,
        agent: usize,
        open: &OpenChannel,
        cost: Msat,
    ) -> Result<(Vec<OutPoint>, Sat), String> {
        let node = self.agents[agent].node;
        let utxos = self.world.utxos(node).map_err(|error| error.to_string())?;
        let mut free: Vec<_> = utxos.into_iter().filter(|utxo| utxo.spendable).collect();
        free.sort_by_key(|utxo| (std::cmp::Reverse(utxo.amount), utxo.outpoint));
        let feerate = self.feerate(open);
        let (mut inputs, mut sum) = (Vec::new(), Sat::ZERO);
        for utxo in free {
            inputs.push(utxo.outpoint);
            sum = sum.saturating_add(utxo.amount);
            let weight = FUNDING_WEIGHT + INPUT_WEIGHT * (inputs.len() as u32 - 1);
            let fee = feerate.fee_for(weight);
            if fee.to_msat_saturating() > cost {
                return Err(format!("the funding would cost {fee}, permitted is {cost}"));
            }
            if sum >= open.capacity.saturating_add(fee) {
                return Ok((inputs, fee));
            }
        }
        Err("too few confirmed funds".to_owned())
    }

    fn policy_of(&self, node: NodeId, set: &SetPolicy) -> Option<ChannelPolicy> {
        let channel = self.world.channel(self.world.channel_at(set.channel)?)?;
        let side = channel.nodes.iter().position(|end| *end == node)?;
        channel.policies.get(side).copied()
    }

    fn execute(&mut self, agent: usize, id: ActionId, permit: &Authorized) {
        if self.agents[agent].defect == Some(Defect::NeverActs)
            || self.agents[agent].lie.is_some_and(super::Lie::never_acts)
        {
            return;
        }
        let Some(prepared) = self.agents[agent].disk.prepared.get(&id).cloned() else {
            return;
        };
        if self.stops(agent, Step::Executed) {
            return;
        }
        let result = match (permit.action(), &prepared) {
            (Action::Open(open), Prepared::Open { inputs }) => {
                match self.begin_below(agent, permit) {
                    Ok(()) => Some(self.open(agent, id, open, inputs, permit.cost())),
                    Err(reason) => Some(not_done(Fault::Node, &reason)),
                }
            }
            (Action::Rebalance(moved), Prepared::Payment { preimage, hash }) => {
                self.rebalance(agent, id, moved, *preimage, *hash)
            }
            (Action::Probe(probe), Prepared::Payment { hash, .. }) => {
                self.probe(agent, id, probe, *hash)
            }
            (Action::SetPolicy(set), Prepared::Policy { before }) => {
                Some(self.set_policy(agent, id, set, *before))
            }
            _ => Some(not_done(Fault::Agent, "prepared for something else")),
        };
        if self.step(agent, Step::Executed) {
            return;
        }
        if let Some(result) = result {
            self.later(agent, NODE_MS, Task::Tell { id, result });
        }
    }

    /// The lock's age is looked at just before the call, as drivers do.
    fn begin_below(&self, agent: usize, permit: &Authorized) -> Result<(), String> {
        let local = self.world.snapshot(self.agents[agent].node);
        let local = local.map_err(|error| error.to_string())?;
        let is_early = permit
            .start_below()
            .is_none_or(|below| local.height < below);
        match local.synced && is_early {
            true => Ok(()),
            false => Err("the lock grew too old, or the node fell behind".to_owned()),
        }
    }

    pub(super) fn open(
        &mut self,
        agent: usize,
        id: ActionId,
        open: &OpenChannel,
        inputs: &[OutPoint],
        cost: Msat,
    ) -> ActionResult {
        let node = self.agents[agent].node;
        let times = match self.agents[agent].defect {
            Some(Defect::OpensTwice) => 2,
            _ => 1,
        };
        let mut feerate = self.feerate(open);
        if self.agents[agent].defect == Some(Defect::Overpays) {
            let most = cost.to_sat_floor().get() * 8 * 1000 / u64::from(FUNDING_WEIGHT_MIN);
            feerate = FeeratePerKw::new(u32::try_from(most).unwrap_or(u32::MAX));
        }
        let target = match self.agents[agent].defect {
            Some(Defect::OpensTo(target)) => target,
            _ => open.target,
        };
        let mut result = not_done(Fault::Agent, "never tried");
        for time in 0..times {
            let again = self.choose_inputs(agent, open, Msat::new(u64::MAX));
            let inputs = match again {
                Ok((again, _)) if time > 0 => again,
                _ => inputs.to_vec(),
            };
            let opened =
                self.world
                    .open_channel(node, target, open.capacity, &inputs, feerate, true);
            result = match opened {
                Ok((_, funding)) => {
                    self.totals.opens += 1;
                    self.note(|| {
                        format!(
                            "m{agent} funds a channel to {} by {funding}",
                            target.short()
                        )
                    });
                    self.see(&Sight::Executed {
                        agent,
                        id,
                        effect: Effect::Funded(funding),
                    });
                    self.opened(funding)
                }
                Err(error) => not_done(error.fault(), &error.to_string()),
            };
        }
        result
    }

    fn opened(&self, funding: OutPoint) -> ActionResult {
        let mut fundings = self.world.fundings().iter().rev();
        let found = fundings.find(|known| known.outpoint == funding);
        let tx = self.world.chain().tx(&funding.txid);
        match (found, tx) {
            (Some(found), Some(record)) => ActionResult::Done(Done::Opened {
                channel_id: found.channel,
                funding,
                fee: record.tx.fee,
            }),
            _ => not_done(Fault::Node, "the funding is gone from chain and mempool"),
        }
    }

    pub(super) fn rebalance(
        &mut self,
        agent: usize,
        id: ActionId,
        moved: &Rebalance,
        preimage: [u8; 32],
        hash: Digest,
    ) -> Option<ActionResult> {
        let node = self.agents[agent].node;
        let made = self.world.create_invoice(node, preimage, moved.amount);
        if let Err(error) = made {
            return Some(not_done(Fault::Node, &error.to_string()));
        }
        match self.step(agent, Step::Invoiced) {
            true => None,
            false => self.send_route(agent, id, hash, &moved.hops),
        }
    }

    fn probe(
        &mut self,
        agent: usize,
        id: ActionId,
        probe: &Probe,
        hash: Digest,
    ) -> Option<ActionResult> {
        self.send_route(agent, id, hash, &probe.hops)
    }

    /// Sends along a route; how it ended comes later, unless it did not begin.
    fn send_route(
        &mut self,
        agent: usize,
        id: ActionId,
        hash: Digest,
        hops: &[RouteHop],
    ) -> Option<ActionResult> {
        let node = self.agents[agent].node;
        match self.world.send_route(node, hash, hops) {
            Ok(()) => {
                let effect = Effect::Sent(hash);
                self.see(&Sight::Executed { agent, id, effect });
                None
            }
            Err(SendRouteError::Known) => None,
            Err(error) => {
                // An invoice that is left open could still be paid.
                let _ = self.world.cancel_invoice(node, hash);
                Some(not_done(Fault::Node, &error.to_string()))
            }
        }
    }

    fn set_policy(
        &mut self,
        agent: usize,
        id: ActionId,
        set: &SetPolicy,
        before: Option<ChannelPolicy>,
    ) -> ActionResult {
        let node = self.agents[agent].node;
        let Some(channel) = self.world.channel_at(set.channel) else {
            return not_done(Fault::Agent, "no such channel");
        };
        match self.world.set_policy(node, channel, set.policy) {
            Ok(()) => {
                self.totals.policies += 1;
                let effect = Effect::Policy(channel, set.policy);
                self.see(&Sight::Executed { agent, id, effect });
                ActionResult::Done(Done::Set { before })
            }
            Err(error) => not_done(Fault::Node, &error.to_string()),
        }
    }

    pub(super) fn tell(&mut self, agent: usize, id: ActionId, result: ActionResult) {
        let this = &mut self.agents[agent];
        if this.opening == Some(id) {
            this.opening = None;
        }
        let result = match this.defect {
            Some(Defect::DeniesEnds) => not_done(Fault::Agent, "the driver says so"),
            _ => result,
        };
        match &result {
            ActionResult::NotDone { reason, .. } => {
                self.totals.not_done += 1;
                self.note(|| format!("m{agent} action {id} did not happen: {reason}"));
            }
            ActionResult::Done(Done::Paid { .. }) => self.totals.pushes += 1,
            ActionResult::Done(_) | ActionResult::Unknown { .. } => {}
        }
        self.see(&Sight::Ended {
            agent,
            id,
            result: &result,
        });
        self.input(agent, Input::Completed { id, result });
        self.step(agent, Step::Told);
    }

    pub(super) fn payment_ended(&mut self, agent: usize, hash: Digest, _: PaymentState) {
        let mut prepared = self.agents[agent].disk.prepared.iter();
        let is_it = |entry: &(&ActionId, &Prepared)| matches!(entry.1, Prepared::Payment { hash: known, .. } if *known == hash);
        if let Some((id, _)) = prepared.find(is_it) {
            self.pursue(agent, *id);
        }
    }

    fn pursue(&mut self, agent: usize, id: ActionId) {
        let stored = &self.agents[agent].disk.stored;
        if !stored.unfinished().any(|action| action.id == id) {
            return;
        }
        match self.what_became(agent, id) {
            ActionResult::Unknown { .. } => self.later(agent, PURSUE_MS, Task::Pursue { id }),
            known => self.tell(agent, id, known),
        }
    }

    /// Asks the node about every action that may have begun, before anything else.
    pub(super) fn reconcile(&mut self, agent: usize) {
        let unfinished = self.agents[agent].disk.stored.unfinished();
        let ids: Vec<ActionId> = unfinished.map(|action| action.id).collect();
        for id in ids {
            self.totals.reconciled += 1;
            let anew = self.begin_anew(agent, id);
            let result = anew.unwrap_or_else(|| self.what_became(agent, id));
            if matches!(result, ActionResult::Unknown { .. }) {
                self.later(agent, PURSUE_MS, Task::Pursue { id });
            }
            self.note(|| format!("m{agent} reconciles {id}: {result:?}"));
            self.tell(agent, id, result);
            if self.agents[agent].hive.is_none() {
                return;
            }
        }
    }

    /// What the node knows of an action.
    fn what_became(&mut self, agent: usize, id: ActionId) -> ActionResult {
        let this = &self.agents[agent];
        let action = this.disk.stored.actions.get(&id);
        let Some(action) = action.map(|stored| stored.action().clone()) else {
            return not_done(Fault::Agent, "no such action");
        };
        match (action, this.disk.prepared.get(&id).cloned()) {
            (_, None) => not_done(Fault::Agent, "the agent stopped before it began"),
            (Action::SetPolicy(set), Some(Prepared::Policy { before })) => {
                match self.policy_of(this.node, &set) == Some(set.policy) {
                    true => ActionResult::Done(Done::Set { before }),
                    false => not_done(Fault::Node, "the policy is as it was"),
                }
            }
            (_, Some(Prepared::Open { inputs })) => self.what_became_of_open(&inputs),
            (action, Some(Prepared::Payment { hash, .. })) => {
                self.what_became_of_payment(agent, &action, hash)
            }
            _ => not_done(Fault::Agent, "prepared for something else"),
        }
    }

    fn what_became_of_open(&self, inputs: &[OutPoint]) -> ActionResult {
        let spent = inputs
            .iter()
            .find_map(|input| match self.world.chain().outpoint(input) {
                OutPointState::Spent(by) => Some(by),
                _ => None,
            });
        match spent {
            Some(txid) => self.opened(OutPoint { txid, vout: 0 }),
            None => not_done(Fault::Node, "all inputs are unspent and free"),
        }
    }

    fn what_became_of_payment(
        &mut self,
        agent: usize,
        action: &Action,
        hash: Digest,
    ) -> ActionResult {
        let node = self.agents[agent].node;
        let hops = match action {
            Action::Rebalance(moved) => &moved.hops,
            Action::Probe(probe) => &probe.hops,
            _ => return not_done(Fault::Agent, "no payment"),
        };
        match (self.world.payment(node, hash), action) {
            (Some(PaymentState::InFlight), _) => ActionResult::Unknown {
                reason: "the HTLC is under way".to_owned(),
            },
            (Some(PaymentState::Succeeded { fee, .. }), _) => {
                ActionResult::Done(Done::Paid { fee })
            }
            (Some(PaymentState::Failed(failure)), Action::Probe(_)) => {
                ActionResult::Done(self.world.probed(hops, failure))
            }
            (known, _) => {
                // From here on it can't settle any more.
                let _ = self.world.cancel_invoice(node, hash);
                match known {
                    Some(PaymentState::Failed(failure)) => not_done(
                        Fault::Peer,
                        &format!("failed at hop {}: {}", failure.hop, failure.code),
                    ),
                    _ => not_done(Fault::Node, "the node never sent it"),
                }
            }
        }
    }
}

pub(super) fn payment_hash(preimage: &[u8; 32]) -> Digest {
    use bitcoin::hashes::{Hash, sha256};
    Digest::from_bytes(sha256::Hash::hash(preimage).to_byte_array())
}

fn not_done(fault: Fault, reason: &str) -> ActionResult {
    ActionResult::NotDone {
        reason: reason.to_owned(),
        fault: Some(fault),
    }
}
