//! The fleet's channels, there or planned, as payments see them.

use super::sample::{CLASSES, FAR, Sample, Ways, plus};
use super::scene::{Attachment, Policies};
use crate::config::PlannerConfig;
use hive_types::{ChannelPolicy, Msat, Ppm, Sat};

/// LND's default `timelockdelta`, and the most common one in the public graph.
const ASSUMED_CLTV_DELTA: u16 = 80;

/// Log2 of one in factors.
pub(super) const FACTOR_BITS: u32 = 16;
/// A factor that changes nothing.
pub(super) const FULL: u32 = 1 << FACTOR_BITS;

/// What a channel adds to a payment of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    /// What senders count for the hop to the member, beside what the peer charges.
    pub(super) enter: u32,
    /// What the peer counts for the same hop when it pays itself.
    pub(super) first: u32,
    /// What they count for the hop from the member, its charge included.
    pub(super) leave: u32,
    /// What the member takes for forwarding into the channel, in msat.
    pub(super) fee: u64,
    /// How surely the channel carries the payment and what its peer is worth, in 65,536ths.
    pub(super) factor: u32,
    /// The peer's real charge towards the member; `None`: what it usually charges.
    pub(super) charge: Option<u32>,
}

/// One channel between a member and an outside node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) member: usize,
    /// The outside node, by its place among the ways.
    pub(super) way: usize,
    pub(super) terms: [Terms; CLASSES],
    /// What it carries one way in a day, in the sample's measure of volume.
    pub(super) limit: u64,
}

impl Line {
    /// Calls `visit` with each payer's place and the cost of arriving over this channel.
    pub(super) fn arrivals(
        &self,
        sample: &Sample<'_>,
        ways: &Ways,
        mut visit: impl FnMut(usize, u32),
    ) {
        for (payer, (end, arrive)) in sample.payers.iter().zip(&ways.arrive).enumerate() {
            let terms = &self.terms[end.class];
            let usual = ways.charges[end.class];
            let cost = match terms.charge {
                Some(charge) if charge >= FAR => FAR,
                _ if ways.own[end.class] == payer as u32 => terms.first,
                Some(charge) => plus(plus(arrive.saturating_sub(usual), charge), terms.enter),
                None => plus(*arrive, terms.enter),
            };
            visit(payer, cost);
        }
    }
}

/// Makes [`Line`]s under one set of assumptions.
pub(super) struct Maker<'a> {
    pub(super) sample: &'a Sample<'a>,
    pub(super) config: &'a PlannerConfig,
}

impl Maker<'_> {
    /// A channel that would be opened. `worth` is what observations multiply the node's worth by.
    pub(super) fn planned(
        &self,
        member: usize,
        way: usize,
        capacity: Sat,
        rate: Ppm,
        worth: Ppm,
    ) -> Line {
        let policy = assumed(self.config.assumed_base, rate);
        let terms = self.terms(capacity, worth, Some(&policy), |_| None);
        Line {
            member,
            way,
            terms,
            limit: self.limit(capacity),
        }
    }

    /// A channel that is there, by the policies that both ends have announced, or one that is coming.
    pub(super) fn existing(&self, attachment: &Attachment, way: usize, worth: Ppm) -> Line {
        let capacity = attachment.capacity;
        let terms = match attachment.policies {
            Policies::Assumed => {
                let policy = assumed(self.config.assumed_base, self.config.assumed_rate);
                self.terms(capacity, worth, Some(&policy), |_| None)
            }
            Policies::Public { inbound, outbound } => {
                self.terms(capacity, worth, outbound.as_ref(), |class| {
                    let class = &self.sample.classes[class];
                    let inbound = inbound.filter(|policy| class.passes(policy));
                    Some(inbound.map_or(FAR, |policy| class.charge(&policy)))
                })
            }
        };
        Line {
            member: attachment.seat,
            way,
            terms,
            limit: self.limit(capacity),
        }
    }

    fn terms(
        &self,
        capacity: Sat,
        worth: Ppm,
        outbound: Option<&ChannelPolicy>,
        charge: impl Fn(usize) -> Option<u32>,
    ) -> [Terms; CLASSES] {
        let mut terms = [Terms::default(); CLASSES];
        for (number, (class, terms)) in self.sample.classes.iter().zip(&mut terms).enumerate() {
            let hop = class.hop(capacity);
            let outbound = outbound.filter(|policy| class.passes(policy));
            *terms = Terms {
                enter: hop,
                first: if hop < FAR { class.first_hop() } else { FAR },
                leave: outbound.map_or(FAR, |policy| plus(hop, class.charge(policy))),
                fee: outbound.map_or(0, |policy| fee(policy, class.amount)),
                factor: factor(liquidity(class.amount, capacity), worth),
                charge: charge(number),
            };
        }
        terms
    }

    /// Volume is counted in sat times [`FULL`] over the sample, which stands for a day's payments.
    fn limit(&self, capacity: Sat) -> u64 {
        let day = u128::from(capacity.get()) * u128::from(self.config.turnover.get()) / 1_000_000;
        let sample = day * self.sample.payments as u128 * u128::from(FULL);
        let limit = sample.checked_div(u128::from(self.config.payments_per_day));
        u64::try_from(limit.unwrap_or(u128::MAX)).unwrap_or(u64::MAX)
    }

    /// What a link inside the fleet counts for: a hop, and no fee.
    pub(super) fn link(&self, capacity: Sat) -> [u32; CLASSES] {
        let free = assumed(Msat::ZERO, Ppm::ZERO);
        self.link_by(capacity, &free)
    }

    /// The same by the policy that the link has.
    pub(super) fn link_by(&self, capacity: Sat, policy: &ChannelPolicy) -> [u32; CLASSES] {
        let mut costs = [FAR; CLASSES];
        for (class, cost) in self.sample.classes.iter().zip(&mut costs) {
            if class.passes(policy) {
                *cost = plus(class.hop(capacity), class.charge(policy));
            }
        }
        costs
    }
}

/// Never more than any way costs: what is dearer wins nothing.
fn fee(policy: &ChannelPolicy, amount: Msat) -> u64 {
    let dearest = u64::from(FAR) << 4;
    policy.fee(amount).map_or(dearest, Msat::get).min(dearest)
}

/// The policy that the plan assumes for fleet channels towards the outside.
fn assumed(base: Msat, rate: Ppm) -> ChannelPolicy {
    ChannelPolicy {
        base,
        rate,
        cltv_delta: ASSUMED_CLTV_DELTA,
        htlc_minimum: Msat::ZERO,
        htlc_maximum: Msat::new(u64::MAX),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

/// How surely a channel of this capacity can carry the amount, balances being equally likely anywhere
/// in it (Pickhardt and others, "Security and Privacy of Lightning Network Payments with Uncertain
/// Channel Balances", 2021).
fn liquidity(amount: Msat, capacity: Sat) -> Ppm {
    let capacity = capacity.to_msat_saturating().get();
    Ppm::of(capacity.saturating_sub(amount.get()), capacity)
}

fn factor(liquidity: Ppm, worth: Ppm) -> u32 {
    let product = u64::from(liquidity.get()) * u64::from(worth.get()) / 1_000_000;
    (product.min(2_000_000) * u64::from(FULL) / 1_000_000) as u32
}
