//! Payments along a given route: circular ones and probes; and the invoices that they pay.

use super::payment::{Fate, Flight, HOP_MS, Hop};
use super::{FailureCode, NodeError, NodeEvent, NodeIx, World};
use bitcoin::hashes::{Hash, sha256};
use hive_types::{Digest, Msat, NodeId, RouteHop};
use std::collections::BTreeMap;
use thiserror::Error;

/// A route has at most so many hops (BOLT 4 onions hold about that many).
const MAX_HOPS: usize = 20;

/// Where an invoice is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceState {
    /// Waits for its payment.
    Open,
    /// Paid.
    Settled,
    /// Withdrawn.
    Cancelled,
}

/// What a node will settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// What releases the payment.
    pub preimage: [u8; 32],
    /// The least that must arrive; twice that is the most (BOLT 4).
    pub amount: Msat,
    /// Where it is in its life.
    pub state: InvoiceState,
}

/// Why an invoice cannot be made or withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvoiceError {
    /// No such node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node has one for this hash.
    #[error("an invoice for this hash exists; use it")]
    Exists,
    /// The node has none for this hash.
    #[error("no invoice has this hash")]
    Unknown,
    /// Too late.
    #[error("the invoice is paid; it cannot be withdrawn")]
    Settled,
}

/// Where and why a payment along a route failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteFailure {
    /// The hop that could not be crossed; the number of hops when the final node refused.
    pub hop: usize,
    /// The node that says so.
    pub node: NodeId,
    /// Why.
    pub code: FailureCode,
}

/// A payment along a route, as its payer's node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// Under way.
    InFlight,
    /// It arrived.
    Succeeded {
        /// What the final node released.
        preimage: [u8; 32],
        /// What forwarders took.
        fee: Msat,
    },
    /// It did not arrive; nothing moved.
    Failed(RouteFailure),
}

/// Why a payment was not sent. Nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendRouteError {
    /// No such node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node is not running.
    #[error("the node is offline; start it")]
    Offline,
    /// No hops, or more than an onion holds.
    #[error("a route has 1 to 20 hops, this one has {0}")]
    Length(usize),
    /// The node knows the hash.
    #[error("a payment with this hash is under way or has arrived; read its state")]
    Known,
    /// The first channel is not the node's, or cannot carry the amount now.
    #[error("the first hop cannot be sent: {0}; choose another own channel or a smaller amount")]
    FirstHop(FailureCode),
}

/// Invoices and payments of all nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payments {
    invoices: BTreeMap<(NodeIx, Digest), Invoice>,
    states: BTreeMap<(NodeIx, Digest), PaymentState>,
}

impl World {
    /// Makes an invoice with the payer's own preimage, as circular payments need it. The hash is the
    /// SHA-256 of the preimage.
    ///
    /// # Errors
    /// [`InvoiceError::Exists`], or an unknown node.
    pub fn create_invoice(
        &mut self,
        node: NodeId,
        preimage: [u8; 32],
        amount: Msat,
    ) -> Result<Digest, InvoiceError> {
        let ix = self.ix(node)?;
        let hash = Digest::from_bytes(sha256::Hash::hash(&preimage).to_byte_array());
        if self.payments.invoices.contains_key(&(ix, hash)) {
            return Err(InvoiceError::Exists);
        }
        let state = InvoiceState::Open;
        let invoice = Invoice {
            preimage,
            amount,
            state,
        };
        self.payments.invoices.insert((ix, hash), invoice);
        Ok(hash)
    }

    /// Withdraws an invoice: no payment of it can succeed afterwards.
    ///
    /// # Errors
    /// [`InvoiceError::Settled`] when it is paid, [`InvoiceError::Unknown`] when there is
    /// none.
    pub fn cancel_invoice(&mut self, node: NodeId, hash: Digest) -> Result<(), InvoiceError> {
        let key = (self.ix(node)?, hash);
        let invoice = self.payments.invoices.get_mut(&key);
        let invoice = invoice.ok_or(InvoiceError::Unknown)?;
        if invoice.state == InvoiceState::Settled {
            return Err(InvoiceError::Settled);
        }
        invoice.state = InvoiceState::Cancelled;
        Ok(())
    }

    /// An invoice of a node.
    pub fn invoice(&self, node: NodeId, hash: Digest) -> Option<Invoice> {
        let ix = self.ix(node).ok()?;
        self.payments.invoices.get(&(ix, hash)).copied()
    }

    /// The state of a payment that a node was given with [`World::send_route`]; `None` when it knows
    /// nothing of the hash.
    pub fn payment(&self, node: NodeId, hash: Digest) -> Option<PaymentState> {
        let ix = self.ix(node).ok()?;
        self.payments.states.get(&(ix, hash)).copied()
    }

    /// All payments that a node was given with [`World::send_route`], by hash.
    ///
    /// # Errors
    /// An unknown node.
    pub fn payments(
        &self,
        node: NodeId,
    ) -> Result<impl Iterator<Item = (Digest, PaymentState)>, NodeError> {
        let ix = self.ix(node)?;
        let all = self.payments.states.iter();
        let own = all.filter(move |((payer, _), _)| *payer == ix);
        Ok(own.map(|((_, hash), state)| (*hash, *state)))
    }

    /// Sends a payment along a route. Its end comes as [`NodeEvent::PaymentResult`]; a hash that no
    /// invoice has makes it a probe, which fails at the final node at the latest. A hash whose payment
    /// failed can be sent again.
    ///
    /// # Errors
    /// [`SendRouteError`]; nothing happened then.
    pub fn send_route(
        &mut self,
        node: NodeId,
        hash: Digest,
        route: &[RouteHop],
    ) -> Result<(), SendRouteError> {
        let payer = self.ix(node)?;
        if !self.nodes[payer].online {
            return Err(SendRouteError::Offline);
        }
        if route.is_empty() || route.len() > MAX_HOPS {
            return Err(SendRouteError::Length(route.len()));
        }
        let known = self.payments.states.get(&(payer, hash));
        if known.is_some_and(|state| !matches!(state, PaymentState::Failed(_))) {
            return Err(SendRouteError::Known);
        }
        let (mut hops, broken) = self.resolve_route(payer, route);
        let dead = self.nodes[payer].behaviour.dead_first_hop;
        let failed = match dead {
            true => Some((0, FailureCode::TemporaryChannelFailure)),
            false => {
                let crossed = self.cross(&hops);
                crossed.err().or(broken.map(|code| (hops.len(), code)))
            }
        };
        if let Some((0, code)) = failed.filter(|_| !dead) {
            return Err(SendRouteError::FirstHop(code));
        }
        let locked = failed.map_or(hops.len(), |(place, _)| place);
        hops.truncate(locked);
        self.payments
            .states
            .insert((payer, hash), PaymentState::InFlight);
        let mut wait = HOP_MS * locked as u64;
        let fate = match failed {
            Some((place, code)) => Fate::Fail(place, code),
            None => Fate::Settle,
        };
        let mut flight = Flight {
            hops,
            fate,
            payment: Some((payer, hash)),
        };
        if let Some(place) = self.holder(&flight) {
            // The HTLC never leaves the holder: what it would have locked further on stays free.
            self.unlock(&flight.hops[place + 1..]);
            flight.hops.truncate(place + 1);
            wait = Self::hold_ms(&flight.hops[place]);
            let code = FailureCode::PermanentChannelFailure;
            flight.fate = Fate::Fail(place + 1, code);
        }
        self.note("route", &[payer as u64, route.len() as u64]);
        self.fly(flight, wait);
        Ok(())
    }

    /// The hops as channels and sides, up to one that does not exist.
    fn resolve_route(&self, payer: NodeIx, route: &[RouteHop]) -> (Vec<Hop>, Option<FailureCode>) {
        let mut at = payer;
        let mut hops: Vec<Hop> = Vec::with_capacity(route.len());
        for step in route {
            let found = self.channel_by_scid.get(&step.channel).copied();
            let channel = found.filter(|ix| {
                let nodes = self.channels[*ix].nodes;
                let far = nodes[1 - self.channels[*ix].side(at)];
                nodes.contains(&at) && self.nodes[far].id == step.to
            });
            let Some(mut channel) = channel else {
                return (hops, Some(FailureCode::UnknownNextPeer));
            };
            if let Some(before) = hops.last() {
                channel = self.chosen_channel(at, before, channel);
            }
            let side = self.channels[channel].side(at);
            let is_last = hops.len() + 1 == route.len();
            let kept = match is_last && !hops.is_empty() {
                true => self.nodes[at].behaviour.short_pays.get(),
                false => 0,
            };
            hops.push(Hop {
                channel,
                side,
                amount: step.amount.get().saturating_sub(kept),
                cltv: step.cltv_blocks,
            });
            at = self.channels[channel].nodes[1 - side];
        }
        (hops, None)
    }

    /// A node may use another of its channels to the next node (BOLT 4, non-strict forwarding); one
    /// that misbehaves so takes the channel by which the HTLC came.
    fn chosen_channel(&self, at: NodeIx, before: &Hop, asked: usize) -> usize {
        let same_ends = self.channels[before.channel].nodes == self.channels[asked].nodes;
        if same_ends && self.nodes[at].behaviour.returns_over_arrival {
            return before.channel;
        }
        asked
    }

    /// What the final node does with what arrived. Decided when it settles and not before: an invoice
    /// can be withdrawn until then, and is paid once.
    pub(crate) fn receive(&mut self, flight: &Flight) -> bool {
        let (Some((_, hash)), Some(last)) = (flight.payment, flight.hops.last()) else {
            return true;
        };
        let receiver = self.channels[last.channel].nodes[1 - last.side];
        let invoice = self.payments.invoices.get_mut(&(receiver, hash));
        let Some(invoice) = invoice.filter(|invoice| invoice.state == InvoiceState::Open) else {
            return false;
        };
        let least = invoice.amount.get();
        let enough = (least..=least.saturating_mul(2)).contains(&last.amount);
        if enough {
            invoice.state = InvoiceState::Settled;
        }
        enough
    }

    /// The first hop whose far end keeps HTLCs to itself. The payer is not asked.
    fn holder(&self, flight: &Flight) -> Option<usize> {
        flight.hops.iter().position(|hop| {
            let receiver = self.channels[hop.channel].nodes[1 - hop.side];
            self.nodes[receiver].behaviour.holds_htlcs
        })
    }

    /// Tells the payer how its payment ended.
    pub(crate) fn payment_over(&mut self, flight: Flight) {
        let Some((payer, hash)) = flight.payment else {
            return;
        };
        let ends = flight.hops.first().zip(flight.hops.last());
        let sent = ends.map_or(0, |(first, last)| first.amount - last.amount);
        let last = flight.hops.last();
        let final_node = last.map_or(payer, |hop| self.channels[hop.channel].nodes[1 - hop.side]);
        let state = match flight.fate {
            Fate::Settle => PaymentState::Succeeded {
                preimage: self
                    .payments
                    .invoices
                    .get(&(final_node, hash))
                    .map_or([0; 32], |invoice| invoice.preimage),
                fee: Msat::new(sent),
            },
            Fate::Fail(hop, code) => {
                let before = hop.checked_sub(1).and_then(|place| flight.hops.get(place));
                let reporter =
                    before.map_or(payer, |hop| self.channels[hop.channel].nodes[1 - hop.side]);
                PaymentState::Failed(RouteFailure {
                    hop,
                    node: self.nodes[reporter].id,
                    code,
                })
            }
        };
        self.payments.states.insert((payer, hash), state);
        self.tell(payer, NodeEvent::PaymentResult { hash, state });
    }
}
