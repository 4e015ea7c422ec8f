//! HTLCs along a route: locked hop by hop, then settled or failed as a whole; and senders who try.

use super::deeds::End;
use super::{ChannelIx, ChannelState, Event, NodeError, NodeIx, World};
use hive_types::{ChannelPolicy, Digest, Msat, NodeId};
use std::collections::BTreeMap;
use thiserror::Error;

/// HTLCs that one side may have under way (BOLT 2 `max_accepted_htlcs`).
const MAX_HTLCS: u32 = 483;
/// Ways that a sender tries.
const ATTEMPTS: u32 = 6;
/// Ways that a sender looks at, those included that it cannot even begin.
const WAYS: u32 = 12;
/// What senders pay in fees at most: this part of the amount in millionths, and at least 5 sat.
const FEE_LIMIT_PPM: u64 = 10_000;
const FEE_LIMIT_MSAT: u64 = 5_000;
/// Milliseconds that each hop takes to pass an HTLC on and its settlement back.
pub(crate) const HOP_MS: u64 = 400;
/// Milliseconds of a block, for timeouts of HTLCs that are never passed on.
const BLOCK_MS: u64 = 600_000;
/// No amount is above all bitcoin there can be.
const MAX_MSAT: u64 = 2_100_000_000_000_000_000;

/// Why a node did not pass an HTLC on: BOLT 4 failure codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
#[repr(u16)]
pub enum FailureCode {
    /// The next channel cannot carry it now.
    #[error("temporary_channel_failure")]
    TemporaryChannelFailure = 0x1007,
    /// The next channel's direction is disabled.
    #[error("channel_disabled")]
    ChannelDisabled = 0x1014,
    /// Less than the next channel's `htlc_minimum_msat`.
    #[error("amount_below_minimum")]
    AmountBelowMinimum = 0x100b,
    /// Less than the forwarding node's fee.
    #[error("fee_insufficient")]
    FeeInsufficient = 0x100c,
    /// Less time than the forwarding node's `cltv_expiry_delta`.
    #[error("incorrect_cltv_expiry")]
    IncorrectCltvExpiry = 0x100d,
    /// No such channel, or its other end is offline.
    #[error("unknown_next_peer")]
    UnknownNextPeer = 0x400a,
    /// The final node does not know the hash, or expects another amount.
    #[error("incorrect_or_unknown_payment_details")]
    IncorrectOrUnknownPaymentDetails = 0x400f,
    /// The node itself had to give up: the HTLC timed out.
    #[error("permanent_channel_failure")]
    PermanentChannelFailure = 0x4008,
}

/// A payment that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// What the sender paid above the amount.
    pub fee: Msat,
    /// Channels that it crossed.
    pub hops: u32,
    /// Ways that were tried.
    pub attempts: u32,
}

/// Why a payment did not arrive. Nothing moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PayError {
    /// No such node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Sender and receiver are one, or the amount is nothing or more than there can be.
    #[error("a payment needs two nodes and an amount between 1 msat and all bitcoin")]
    Nonsense,
    /// The sender or the receiver is not running.
    #[error("node {0} is offline; try again later")]
    Offline(NodeId),
    /// The public network shows no affordable way that was not tried.
    #[error("no way is left after {0} attempts")]
    NoWay(u32),
    /// Enough was tried.
    #[error("gave up after {0} attempts")]
    Attempts(u32),
}

/// An HTLC over one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) channel: ChannelIx,
    /// The end that offers it.
    pub(crate) side: usize,
    pub(crate) amount: u64,
    /// Blocks until it expires.
    pub(crate) cltv: u32,
}

/// How a payment under way will end.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It is settled if the final node takes it.
    Settle,
    /// The hop that could not be crossed, and why.
    Fail(usize, FailureCode),
}

/// HTLCs under way.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) hops: Vec<Hop>,
    pub(crate) fate: Fate,
    /// The payer's node and the hash, when somebody waits for the end.
    pub(crate) payment: Option<(NodeIx, Digest)>,
}

/// All payments under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flights {
    all: BTreeMap<u64, Flight>,
    next: u64,
}

impl World {
    /// Pays as a usual wallet does: the cheapest way first, other ways when channels fail, up to six.
    /// The payment is over when this returns.
    ///
    /// # Errors
    /// [`PayError`]; nothing moved then.
    pub fn pay(&mut self, from: NodeId, to: NodeId, amount: Msat) -> Result<Paid, PayError> {
        let (from, to) = (self.ix(from)?, self.ix(to)?);
        let (hops, paid) = self.pay_by_ways(from, to, amount.get())?;
        self.settle(&hops);
        Ok(paid)
    }

    /// Locks HTLCs along the first way that works.
    pub(crate) fn pay_by_ways(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        amount: u64,
    ) -> Result<(Vec<Hop>, Paid), PayError> {
        if from == to || amount == 0 || amount > MAX_MSAT {
            return Err(PayError::Nonsense);
        }
        for node in [from, to] {
            if !self.nodes[node].online {
                return Err(PayError::Offline(self.nodes[node].id));
            }
        }
        let limit = amount + (amount / 1_000_000 * FEE_LIMIT_PPM).max(FEE_LIMIT_MSAT);
        let mut without: Vec<u32> = Vec::new();
        let mut attempts = 0;
        for _ in 0..WAYS {
            let channels = &self.channels;
            // A sender knows its own balances.
            let first =
                |edge: u32| channels[edge as usize / 2].spendable(edge as usize % 2) >= amount;
            let way = self.router.route(from, to, amount, &without, first);
            let way = way.ok_or(PayError::NoWay(attempts))?;
            let hops = self.hops_of(&way, amount);
            let total = hops.first().map_or(u64::MAX, |hop| hop.amount);
            if total > limit {
                // The dearest hop goes; a wallet would look for another way as well.
                let dearest = hops.windows(2).enumerate();
                let dearest = dearest.max_by_key(|(_, pair)| pair[0].amount - pair[1].amount);
                let Some((place, _)) = dearest else {
                    return Err(PayError::NoWay(attempts));
                };
                without.push(way[place + 1]);
                continue;
            }
            attempts += 1;
            match self.cross(&hops) {
                Ok(()) => {
                    let paid = Paid {
                        fee: Msat::new(total - amount),
                        hops: hops.len() as u32,
                        attempts,
                    };
                    return Ok((hops, paid));
                }
                Err((place, _)) => {
                    self.unlock(&hops[..place]);
                    self.count_deeds(&hops[..place], End::Failed);
                    without.push(way[place.min(way.len() - 1)]);
                }
            }
            if attempts == ATTEMPTS {
                break;
            }
        }
        Err(PayError::Attempts(attempts))
    }

    /// Amounts and timelocks of a way, by what each end announces.
    pub(crate) fn hops_of(&self, way: &[u32], amount: u64) -> Vec<Hop> {
        let (mut carried, mut cltv) = (amount, 40);
        let mut hops = Vec::with_capacity(way.len());
        for edge in way.iter().rev() {
            let (channel, side) = (*edge as usize / 2, *edge as usize % 2);
            hops.push(Hop {
                channel,
                side,
                amount: carried,
                cltv,
            });
            let policy = &self.channels[channel].policy[side];
            let fee = policy
                .fee(Msat::new(carried))
                .unwrap_or(Msat::new(MAX_MSAT));
            carried = carried.saturating_add(fee.get());
            cltv += u32::from(policy.cltv_delta);
        }
        hops.reverse();
        hops
    }

    /// Locks hop after hop. On failure those before the named one stay locked.
    pub(crate) fn cross(&mut self, hops: &[Hop]) -> Result<(), (usize, FailureCode)> {
        for (place, hop) in hops.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|before| hops.get(before));
            self.check_hop(before, hop).map_err(|code| (place, code))?;
            let channel = &mut self.channels[hop.channel];
            channel.balance[hop.side] -= hop.amount;
            channel.in_flight[hop.side] += hop.amount;
            channel.htlcs += 1;
        }
        Ok(())
    }

    fn check_hop(&self, before: Option<&Hop>, hop: &Hop) -> Result<(), FailureCode> {
        let channel = &self.channels[hop.channel];
        let (own, peer) = (channel.nodes[hop.side], channel.nodes[1 - hop.side]);
        if channel.state != ChannelState::Normal || !self.nodes[own].online {
            return Err(FailureCode::UnknownNextPeer);
        }
        if !self.nodes[peer].online {
            return Err(FailureCode::TemporaryChannelFailure);
        }
        let policy = &channel.demanded[hop.side].unwrap_or(channel.policy[hop.side]);
        if let Some(before) = before {
            if self.nodes[own].behaviour.fails_forwards {
                return Err(FailureCode::TemporaryChannelFailure);
            }
            self.check_forward(before, hop, policy)?;
        }
        if hop.amount < policy.htlc_minimum.get() {
            return Err(FailureCode::AmountBelowMinimum);
        }
        let fits = hop.amount <= policy.htlc_maximum.get()
            && hop.amount <= channel.spendable(hop.side)
            && channel.htlcs < MAX_HTLCS;
        if !fits {
            return Err(FailureCode::TemporaryChannelFailure);
        }
        Ok(())
    }

    /// What the forwarding node asks for: its outgoing fee, and its inbound fee on the channel by
    /// which the HTLC came; together never below zero.
    fn check_forward(
        &self,
        before: &Hop,
        hop: &Hop,
        policy: &ChannelPolicy,
    ) -> Result<(), FailureCode> {
        if policy.disabled {
            return Err(FailureCode::ChannelDisabled);
        }
        let arrival = &self.channels[before.channel];
        let side = 1 - before.side;
        let inbound = &arrival.demanded[side].unwrap_or(arrival.policy[side]);
        let needed = forward_fee(policy, inbound, hop.amount);
        let needed = needed.ok_or(FailureCode::FeeInsufficient)?;
        if before.amount < hop.amount.saturating_add(needed) {
            return Err(FailureCode::FeeInsufficient);
        }
        if before.cltv < hop.cltv.saturating_add(u32::from(policy.cltv_delta)) {
            return Err(FailureCode::IncorrectCltvExpiry);
        }
        Ok(())
    }

    /// The money moves on, and forwarders have earned.
    pub(crate) fn settle(&mut self, hops: &[Hop]) {
        for hop in hops {
            let channel = &mut self.channels[hop.channel];
            channel.in_flight[hop.side] -= hop.amount;
            channel.balance[1 - hop.side] += hop.amount;
            channel.htlcs -= 1;
        }
        for pair in hops.windows(2) {
            self.earn(&pair[0], &pair[1]);
        }
        self.count_deeds(hops, End::Settled);
        self.tell_hops(hops);
        let last = hops.last();
        let numbers = last.map_or([0; 3], |hop| {
            [hop.channel as u64, hop.side as u64, hop.amount]
        });
        self.note("settled", &numbers);
    }

    fn earn(&mut self, before: &Hop, after: &Hop) {
        let own = self.channels[after.channel].nodes[after.side];
        let from = self.channels[before.channel].nodes[before.side];
        let to = self.channels[after.channel].nodes[1 - after.side];
        let fee = before.amount - after.amount;
        let node = &mut self.nodes[own];
        node.fees += fee;
        if let Some(agent) = node.agent.as_mut() {
            let (count, volume, fees) = agent.forwards.entry((from, to)).or_default();
            *count += 1;
            *volume += after.amount;
            *fees += fee;
        }
    }

    /// The money goes back.
    pub(crate) fn unlock(&mut self, hops: &[Hop]) {
        for hop in hops {
            let channel = &mut self.channels[hop.channel];
            channel.in_flight[hop.side] -= hop.amount;
            channel.balance[hop.side] += hop.amount;
            channel.htlcs -= 1;
        }
    }

    pub(crate) fn tell_hops(&mut self, hops: &[Hop]) {
        for hop in hops {
            self.tell_channel(hop.channel);
        }
    }

    /// Lets locked HTLCs wait for their end.
    pub(crate) fn fly(&mut self, flight: Flight, after_ms: u64) {
        self.tell_hops(&flight.hops);
        self.flights.next += 1;
        let number = self.flights.next;
        self.flights.all.insert(number, flight);
        self.schedule(self.now + after_ms, Event::Resolve { flight: number });
    }

    /// How long HTLCs stay that a node neither passes on nor fails.
    pub(crate) fn hold_ms(hop: &Hop) -> u64 {
        u64::from(hop.cltv) * BLOCK_MS
    }

    pub(crate) fn resolve(&mut self, number: u64) {
        // It may have ended before, with its channel.
        let Some(mut flight) = self.flights.all.remove(&number) else {
            return;
        };
        if matches!(flight.fate, Fate::Settle) && !self.receive(&flight) {
            let code = FailureCode::IncorrectOrUnknownPaymentDetails;
            flight.fate = Fate::Fail(flight.hops.len(), code);
        }
        match flight.fate {
            Fate::Settle => self.settle(&flight.hops),
            Fate::Fail(place, code) => {
                self.unlock(&flight.hops);
                let end = if code == FailureCode::PermanentChannelFailure {
                    End::TimedOut
                } else {
                    End::Failed
                };
                self.count_deeds(&flight.hops, end);
                self.tell_hops(&flight.hops);
                self.note("failed", &[place as u64, code as u64]);
            }
        }
        self.payment_over(flight);
    }

    /// Fails every payment whose HTLC is in a channel that can't carry it any more.
    pub(crate) fn drop_htlcs(&mut self, ix: ChannelIx) {
        if self.channels[ix].htlcs == 0 {
            return;
        }
        let at = |flight: &Flight| flight.hops.iter().position(|hop| hop.channel == ix);
        let flights = self.flights.all.iter();
        let hit: Vec<_> = flights
            .filter_map(|(number, flight)| at(flight).map(|place| (*number, place)))
            .collect();
        for (number, place) in hit {
            if let Some(flight) = self.flights.all.get_mut(&number) {
                flight.fate = Fate::Fail(place, FailureCode::PermanentChannelFailure);
            }
            self.resolve(number);
        }
    }
}

/// Outgoing fee plus the inbound fee on what arrives, as LND reckons it; never below zero.
fn forward_fee(policy: &ChannelPolicy, inbound: &ChannelPolicy, amount: u64) -> Option<u64> {
    let outgoing = i128::from(policy.fee(Msat::new(amount))?.get());
    let arriving = i128::from(amount) + outgoing;
    let discount = i128::from(inbound.inbound_base_msat)
        + arriving * i128::from(inbound.inbound_ppm) / 1_000_000;
    u64::try_from((outgoing + discount).max(0)).ok()
}
