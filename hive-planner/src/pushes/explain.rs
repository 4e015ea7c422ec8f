//! A payment as a proposal, with the numbers that made it.

use super::channel::{ChannelState, Side, Way};
use super::circle::Payment;
use super::model::Model;
use hive_types::{Action, Explanation, Msat, NodeId, Ppm, Proposal, Rebalance, ShortChannelId};

/// What a push moved is taken to be forwarded once within this time, where no drain is known.
const TURNOVER_DAYS: u64 = 7;

/// Sureness that a circle goes through when both balances that matter are known, one by its owner's
/// word.
const TOLD_SIDES: Ppm = Ppm::new(900_000);

/// What is filled: the channel, the member's side of it and the other end.
struct Filled<'a> {
    channel: &'a ChannelState,
    side: &'a Side,
    peer: NodeId,
    /// What the side can send before and after.
    before: Msat,
    after: Msat,
    /// What crosses the channel.
    amount: Msat,
}

impl<'a> Filled<'a> {
    fn of(model: &Model<'a>, payment: &Payment) -> Self {
        let channel = model.channel(payment.fills);
        let (peer, side) = channel.ends(payment.fills);
        let mut hops = payment.ways.iter().zip(&payment.route.hops);
        let hop = hops.find(|(way, _)| **way == payment.fills);
        let amount = hop.map_or(Msat::ZERO, |(_, hop)| hop.amount);
        Self {
            channel,
            side,
            peer: peer.node,
            before: payment.filled_from,
            after: payment.filled_from.saturating_add(amount),
            amount,
        }
    }

    fn share(&self, there: Msat) -> Ppm {
        Ppm::of(
            there.get(),
            self.channel.capacity.to_msat_saturating().get(),
        )
    }

    /// What drains it in a day, where it drains.
    fn drain(&self) -> Option<u64> {
        let drain = u64::try_from(self.side.drain_msat_per_day?).ok()?;
        (drain > 0).then_some(drain)
    }

    fn hours(&self, there: Msat) -> Option<u64> {
        let hours = u128::from(there.get()) * 24 / u128::from(self.drain()?);
        u64::try_from(hours).ok()
    }

    /// What the owner earns when it forwards the amount once.
    fn earned(&self, model: &Model<'_>) -> Msat {
        let config = model.request.config;
        let fee = match self.side.policy {
            Some(policy) => policy.fee(self.amount),
            None => config
                .assumed_rate
                .fee_on(self.amount)
                .and_then(|fee| fee.checked_add(config.assumed_base)),
        };
        fee.unwrap_or_default()
    }

    /// What of that falls on a day.
    fn earned_per_day(&self, earned: Msat) -> Msat {
        let by_drain = self.drain().map(|drain| {
            let moved = u128::from(self.amount.get()).max(1);
            let part = u128::from(earned.get()) * u128::from(drain) / moved;
            Msat::new(u64::try_from(part).unwrap_or(u64::MAX)).min(earned)
        });
        by_drain.unwrap_or(Msat::new(earned.get() / TURNOVER_DAYS))
    }
}

/// Hours until the filled side is dry, where that is known; then how full it is, and its place.
pub(super) fn urgency(model: &Model<'_>, payment: &Payment) -> (u64, Ppm, ShortChannelId) {
    let filled = Filled::of(model, payment);
    let before = filled.before;
    (
        filled.hours(before).unwrap_or(u64::MAX),
        filled.share(before),
        filled.channel.scid,
    )
}

pub(super) fn propose(model: &Model<'_>, payment: &Payment) -> Proposal {
    let filled = Filled::of(model, payment);
    let hops = payment.route.hops.clone();
    let amount = hops.last().map_or(Msat::ZERO, |hop| hop.amount);
    let earned = filled.earned(model);
    let owner = filled.side.node;
    Proposal {
        action: Action::Rebalance(Rebalance {
            amount,
            fee: payment.route.fee,
            hops,
            beneficiary: (owner != payment.payer).then_some(owner),
        }),
        cost: payment.route.fee,
        value_per_day: filled.earned_per_day(earned),
        confidence: confidence(model, payment),
        explanation: explain(model, payment, &filled, amount, earned),
    }
}

/// How likely all balances on the way are what they are taken for.
fn confidence(model: &Model<'_>, payment: &Payment) -> Ppm {
    let mut sure = TOLD_SIDES;
    for (way, hop) in outside(model, payment).zip(&payment.route.hops) {
        let Some(way) = way else { continue };
        let capacity = model.channel(way).capacity.to_msat_saturating();
        let likely = Ppm::of(capacity.saturating_sub(hop.amount).get(), capacity.get());
        let both = u64::from(sure.get()) * u64::from(likely.get()) / 1_000_000;
        sure = Ppm::new(u32::try_from(both).unwrap_or(0));
    }
    sure
}

/// The directions whose balances nobody in the fleet knows, in their places.
fn outside<'p>(
    model: &'p Model<'_>,
    payment: &'p Payment,
) -> impl Iterator<Item = Option<Way>> + use<'p> {
    payment.ways.iter().map(move |way| {
        let (near, far) = model.channel(*way).ends(*way);
        let unknown = !model.is_member(&near.node) && !model.is_member(&far.node);
        unknown.then_some(*way)
    })
}

fn explain(
    model: &Model<'_>,
    payment: &Payment,
    filled: &Filled<'_>,
    amount: Msat,
    earned: Msat,
) -> Explanation {
    let (config, fee) = (model.request.config, payment.route.fee);
    let whose = match filled.side.node == payment.payer {
        true => "our channel".to_owned(),
        false => format!("the channel of {}", filled.side.node.short()),
    };
    let low = match filled.hours(filled.before) {
        Some(hours) => format!("is dry in {hours} hours"),
        None => format!("can send {} of its capacity", filled.share(filled.before)),
    };
    let summary = format!(
        "Push {amount} in a circle: {whose} with {} {low}. It costs {fee}.",
        filled.peer.short(),
    );
    let rate_cap = config.push_fee_rate.fee_on(amount).unwrap_or_default();
    let mut facts = vec![
        fact("channel that runs low", filled.channel.scid),
        fact("share it can send before", filled.share(filled.before)),
        fact("share it can send after", filled.share(filled.after)),
    ];
    facts.extend(drain_facts(filled));
    facts.extend([
        fact("low water mark", config.low_water),
        fact("fee", fee),
        fact("fee of the amount", Ppm::of(fee.get(), amount.get())),
        fact("fee cap of the amount", config.push_fee_rate),
        fact("fee cap", rate_cap.min(config.push_fee_max)),
        fact("earned when the amount is forwarded once", earned),
        fact("worth to the fleet, sooner counting more", worth(payment)),
        fact("payer", payment.payer),
        fact("forwarders", payment.ways.len() - 1),
        fact(
            "balances on the way that nobody told",
            outside(model, payment).flatten().count(),
        ),
    ]);
    facts.extend(source_facts(model, payment));
    Explanation { summary, facts }
}

fn worth(payment: &Payment) -> Msat {
    Msat::new(u64::try_from(payment.gain / 1_000_000_000).unwrap_or(0))
}

fn drain_facts(filled: &Filled<'_>) -> Vec<(String, String)> {
    let Some(drain) = filled.side.drain_msat_per_day else {
        return vec![fact("drain", "not known")];
    };
    let mut facts = vec![fact("drain", format!("{drain}msat/day"))];
    let hours = (filled.hours(filled.before), filled.hours(filled.after));
    if let (Some(before), Some(after)) = hours {
        facts.push(fact("hours to dry before", before));
        facts.push(fact("hours to dry after", after));
    }
    facts
}

/// The payer's own channel that the push leaves by, when it is not the one that is filled.
fn source_facts(model: &Model<'_>, payment: &Payment) -> Vec<(String, String)> {
    let Some((way, hop)) = payment.ways.first().zip(payment.route.hops.first()) else {
        return Vec::new();
    };
    let whole = model.channel(*way).capacity.to_msat_saturating().get();
    let left = payment.paid_from.saturating_sub(hop.amount);
    vec![
        fact("own channel that pays", hop.channel),
        fact("share that it can send after", Ppm::of(left.get(), whole)),
    ]
}

fn fact(name: &str, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}
