//! What moves money or sets fees: prepared, executed, found again.

use super::EmbeddedBackend;
use super::backend::held;
use bitcoin::hashes::{Hash, sha256};
use hive_node::backend::{ActError, Done, Fault, NotDone, Prepared, Reconciled};
use hive_policy::Authorized;
use hive_proto::tagged_hash;
use hive_sim::world::{OpenError, OutPointState, PaymentState, SendRouteError, World};
use hive_types::{
    Action, ActionId, ChannelPolicy, Digest, FeeratePerKw, Millis, NodeId, OpenChannel, OutPoint,
    Probe, Rebalance, RouteHop, Sat, SetPolicy, ShortChannelId,
};

/// Weight of a funding transaction but for its inputs: frame, funding output, change.
const FUNDING_BASE_WEIGHT: u32 = 42 + 172 + 124;

/// Weight of a P2WPKH input with its witness.
const INPUT_WEIGHT: u32 = 272;

/// A payment that is not over by then counts as unknown, and is asked for later.
const PAYMENT_PATIENCE: Millis = Millis::from_secs(120);

impl EmbeddedBackend {
    pub(super) fn prepare_action(&self, permit: &Authorized) -> Result<Prepared, NotDone> {
        match permit.action() {
            Action::Open(open) => self.prepare_open(open, permit),
            Action::SetPolicy(set) => {
                let before = self.own_policy(set.channel)?;
                Ok(Prepared::Policy {
                    channel: set.channel,
                    policy: set.policy,
                    before,
                })
            }
            Action::Rebalance(_) | Action::Probe(_) => {
                // Nobody but the owner of a real node must know a preimage; here it only must be new.
                let id = permit.id();
                let parts: [&[u8]; 2] = [self.node.as_bytes(), id.as_bytes()];
                let preimage = tagged_hash("hive/embedded preimage", &parts).to_bytes();
                let hash = sha256::Hash::hash(&preimage).to_byte_array();
                Ok(Prepared::Payment {
                    preimage,
                    payment_hash: Digest::from_bytes(hash),
                })
            }
        }
    }

    /// The largest free outputs first: few inputs, small fee.
    fn prepare_open(&self, open: &OpenChannel, permit: &Authorized) -> Result<Prepared, NotDone> {
        let world = self.ground.world();
        let feerate = feerate(&world, open)?;
        let refused =
            |error: hive_sim::world::NodeError| NotDone::new(Fault::Agent, error.to_string());
        let mut free = world.utxos(self.node).map_err(refused)?;
        free.retain(|utxo| utxo.spendable);
        free.sort_by_key(|utxo| (std::cmp::Reverse(utxo.amount), utxo.outpoint));
        let (mut inputs, mut sum) = (Vec::new(), Sat::ZERO);
        for utxo in free {
            inputs.push(utxo.outpoint);
            sum = sum.saturating_add(utxo.amount);
            let count = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
            let weight = FUNDING_BASE_WEIGHT.saturating_add(count.saturating_mul(INPUT_WEIGHT));
            let fee = feerate.fee_for(weight);
            if fee.to_msat_saturating() > permit.cost() {
                let reason = format!("{count} inputs cost {fee}, more than is permitted");
                return Err(NotDone::new(Fault::Node, reason));
            }
            if sum >= open.capacity.saturating_add(fee) {
                let snapshot = world.snapshot(self.node).map_err(refused)?;
                let channels = snapshot.channels.iter();
                let with_target = channels.filter(|channel| channel.peer == open.target);
                return Ok(Prepared::Open {
                    target: Some(open.target),
                    begun: None,
                    inputs,
                    channels_before: with_target.map(|channel| channel.channel_id).collect(),
                });
            }
        }
        Err(NotDone::new(
            Fault::Node,
            format!("{sum} are free, too little for {}", open.capacity),
        ))
    }

    pub(super) async fn execute_action(
        &self,
        id: ActionId,
        permit: &Authorized,
        prepared: &Prepared,
    ) -> Result<Done, ActError> {
        let ended = match (permit.action(), prepared) {
            (Action::Open(open), Prepared::Open { inputs, .. }) => {
                let fuse = held(&self.fuse).take();
                if let Some(fuse) = fuse {
                    // An error means that nobody wants to hear.
                    let _ = fuse.send(id);
                    return std::future::pending().await;
                }
                self.open(open, inputs)
            }
            (Action::Rebalance(moved), Prepared::Payment { preimage, .. }) => {
                self.rebalance(moved, *preimage).await
            }
            (Action::Probe(probe), Prepared::Payment { payment_hash, .. }) => {
                self.probe(probe, *payment_hash).await
            }
            (Action::SetPolicy(set), Prepared::Policy { before, .. }) => self.set(set, *before),
            _ => Err(NotDone::new(Fault::Agent, "prepared for another kind of action").into()),
        };
        self.ground.ring();
        ended
    }

    fn open(&self, open: &OpenChannel, inputs: &[OutPoint]) -> Result<Done, ActError> {
        let mut world = self.ground.world();
        let feerate = feerate(&world, open)?;
        let (target, capacity) = (open.target, open.capacity);
        let opened =
            world.open_channel(self.node, target, capacity, inputs, feerate, open.announce);
        match opened {
            Ok((channel_id, funding)) => Ok(Done::Opened {
                channel_id,
                funding,
                fee: fee_of(&world, &funding),
            }),
            // An earlier execution may have done it.
            Err(error @ OpenError::InputSpent(..)) => Err(ActError::Unknown {
                reason: error.to_string(),
            }),
            Err(error) => Err(NotDone::new(error.fault(), error.to_string()).into()),
        }
    }

    async fn rebalance(&self, moved: &Rebalance, preimage: [u8; 32]) -> Result<Done, ActError> {
        let hash = Digest::from_bytes(sha256::Hash::hash(&preimage).to_byte_array());
        if self.ground.world().invoice(self.node, hash).is_none() {
            let made = self
                .ground
                .world()
                .create_invoice(self.node, preimage, moved.amount);
            made.map_err(|error| NotDone::new(Fault::Agent, error.to_string()))?;
        }
        if let Err(error) = self.send_route(hash, &moved.hops) {
            // Settled by an earlier execution: then it stays.
            let _ = self.ground.world().cancel_invoice(self.node, hash);
            return Err(error);
        }
        match self.payment_end(hash).await {
            Some(PaymentState::Succeeded { fee, .. }) => Ok(Done::Paid { fee }),
            Some(PaymentState::Failed(failure)) => {
                let _ = self.ground.world().cancel_invoice(self.node, hash);
                let reason = format!("hop {} failed: {}", failure.hop, failure.code);
                Err(NotDone::new(Fault::Peer, reason).into())
            }
            _ => Err(ActError::Unknown {
                reason: "the payment is still under way".into(),
            }),
        }
    }

    async fn probe(&self, probe: &Probe, hash: Digest) -> Result<Done, ActError> {
        self.send_route(hash, &probe.hops)?;
        match self.payment_end(hash).await {
            Some(PaymentState::Failed(failure)) => {
                Ok(self.ground.world().probed(&probe.hops, failure))
            }
            _ => Err(ActError::Unknown {
                reason: "the probe is still under way".into(),
            }),
        }
    }

    fn send_route(&self, hash: Digest, hops: &[RouteHop]) -> Result<(), ActError> {
        let sent = self.ground.world().send_route(self.node, hash, hops);
        sent.map_err(|error| match error {
            SendRouteError::Known => ActError::Unknown {
                reason: error.to_string(),
            },
            SendRouteError::FirstHop(_) | SendRouteError::Offline => {
                NotDone::new(Fault::Node, error.to_string()).into()
            }
            SendRouteError::Node(_) | SendRouteError::Length(_) => {
                NotDone::new(Fault::Agent, error.to_string()).into()
            }
        })
    }

    /// How a payment ended; what it is now when that takes too long.
    async fn payment_end(&self, hash: Digest) -> Option<PaymentState> {
        let mut bell = self.ground.listen(self.node);
        let until = self.ground.now().plus(PAYMENT_PATIENCE);
        loop {
            let state = self.ground.world().payment(self.node, hash);
            if state != Some(PaymentState::InFlight) || self.ground.now() >= until {
                return state;
            }
            tokio::select! {
                _ = bell.changed() => {}
                () = self.ground.time().sleep_until(until) => {}
            }
        }
    }

    fn set(&self, set: &SetPolicy, before: Option<ChannelPolicy>) -> Result<Done, ActError> {
        let mut world = self.ground.world();
        let channel = world.channel_at(set.channel);
        let unknown = || NotDone::new(Fault::Agent, format!("there is no channel {}", set.channel));
        let changed = world.set_policy(self.node, channel.ok_or_else(unknown)?, set.policy);
        changed.map_err(|error| NotDone::new(Fault::Agent, error.to_string()))?;
        Ok(Done::Set { before })
    }

    fn own_policy(&self, scid: ShortChannelId) -> Result<Option<ChannelPolicy>, NotDone> {
        let snapshot = self.ground.world().snapshot(self.node);
        let snapshot = snapshot.map_err(|error| NotDone::new(Fault::Agent, error.to_string()))?;
        let mut channels = snapshot.channels.iter();
        match channels.find(|channel| channel.scid == Some(scid)) {
            Some(channel) => Ok(channel.local_policy),
            None => Err(NotDone::new(
                Fault::Agent,
                format!("there is no channel {scid}"),
            )),
        }
    }

    pub(super) fn reconcile_action(&self, prepared: &Prepared) -> Reconciled {
        match prepared {
            Prepared::Open { inputs, .. } => reconcile_open(&self.ground.world(), inputs),
            Prepared::Payment { payment_hash, .. } => {
                reconcile_payment(&mut self.ground.world(), self.node, *payment_hash)
            }
            Prepared::Policy {
                channel,
                policy,
                before,
            } => match self.own_policy(*channel) {
                Ok(now) if now == Some(*policy) => Reconciled::Done(Done::Set { before: *before }),
                _ => Reconciled::NotDone,
            },
        }
    }
}

/// What the going rate is, where the permit allows it.
fn feerate(world: &World, open: &OpenChannel) -> Result<FeeratePerKw, NotDone> {
    let (going, ceiling) = (world.feerate(), open.feerate_ceiling);
    if going > ceiling {
        let reason = format!("the feerate is {going:?}, permitted are {ceiling:?}");
        return Err(NotDone::new(Fault::Node, reason));
    }
    Ok(going)
}

fn fee_of(world: &World, funding: &OutPoint) -> Sat {
    let record = world.chain().tx(&funding.txid);
    record.map_or(Sat::ZERO, |record| record.tx.fee)
}

/// The chain says what became of an open: a channel's funding spends its inputs, or nothing does.
fn reconcile_open(world: &World, inputs: &[OutPoint]) -> Reconciled {
    for input in inputs {
        let txid = match world.chain().outpoint(input) {
            OutPointState::Unspent(_) => continue,
            OutPointState::Unknown => return Reconciled::Unknown,
            OutPointState::Spent(txid) => txid,
        };
        let funding = OutPoint { txid, vout: 0 };
        let channel = world.channels().find(|channel| channel.funding == funding);
        // Spent by something else: this open can't happen any more.
        return channel.map_or(Reconciled::NotDone, |channel| {
            Reconciled::Done(Done::Opened {
                channel_id: channel.id,
                funding,
                fee: fee_of(world, &funding),
            })
        });
    }
    Reconciled::NotDone
}

/// What the node knows of the hash; its invoice goes before the payment counts as not done.
fn reconcile_payment(world: &mut World, node: NodeId, hash: Digest) -> Reconciled {
    match world.payment(node, hash) {
        Some(PaymentState::InFlight) => Reconciled::Unknown,
        Some(PaymentState::Succeeded { fee, .. }) => Reconciled::Done(Done::Paid { fee }),
        Some(PaymentState::Failed(_)) | None => {
            // None to cancel is as good.
            let _ = world.cancel_invoice(node, hash);
            Reconciled::NotDone
        }
    }
}
