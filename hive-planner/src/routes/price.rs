//! A route to the millisatoshi, computed backwards from what arrives (BOLT 4, BOLT 7).

use hive_types::limits::FINAL_CLTV_DELTA;
use hive_types::{ChannelPolicy, Msat, NodeId, RouteHop, Sat, ShortChannelId};

/// One channel of a route that is to be priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteStep {
    /// The channel.
    pub scid: ShortChannelId,
    /// The node at its far end.
    pub to: NodeId,
    /// The channel's capacity; no HTLC is larger.
    pub capacity: Sat,
    /// What the near end asks for; `None` where the payer itself is the near end, or a fellow that
    /// forwards for nothing.
    pub policy: Option<ChannelPolicy>,
    /// The far end's inbound fee for this channel: base in msat, rate in millionths.
    pub inbound: (i32, i32),
}

/// A route with everything that an onion needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedRoute {
    /// The hops in order.
    pub hops: Vec<RouteHop>,
    /// All that forwarders take.
    pub fee: Msat,
}

/// Prices the route that delivers `amount` over these steps; `None` when a step cannot carry what
/// would cross it, or nothing is left to compute with.
///
/// A forwarder's fee is its outgoing policy on the amount that it sends on, plus its inbound fee on
/// that amount and fee together, and never below zero.
pub fn price_route(steps: &[RouteStep], amount: Msat) -> Option<PricedRoute> {
    let mut hops = Vec::with_capacity(steps.len());
    let (mut crossing, mut cltv_blocks) = (amount, FINAL_CLTV_DELTA);
    let mut later: Option<&RouteStep> = None;
    for step in steps.iter().rev() {
        if let Some(next) = later {
            crossing = crossing.checked_add(forwarding_fee(next, step.inbound, crossing)?)?;
            let delta = next.policy.map_or(0, |policy| policy.cltv_delta);
            cltv_blocks = cltv_blocks.checked_add(u32::from(delta))?;
        }
        carries(step, crossing).then_some(())?;
        hops.push(RouteHop {
            channel: step.scid,
            to: step.to,
            amount: crossing,
            cltv_blocks,
        });
        later = Some(step);
    }
    hops.reverse();
    let fee = hops.first()?.amount.checked_sub(amount)?;
    Some(PricedRoute { hops, fee })
}

fn carries(step: &RouteStep, amount: Msat) -> bool {
    let fits = |policy: &ChannelPolicy| !policy.disabled && policy.admits(amount);
    amount <= step.capacity.to_msat_saturating() && step.policy.as_ref().is_none_or(fits)
}

fn forwarding_fee(next: &RouteStep, inbound: (i32, i32), sent: Msat) -> Option<Msat> {
    let outgoing = match &next.policy {
        Some(policy) => policy.fee(sent)?,
        None => Msat::ZERO,
    };
    let taken = i128::from(sent.checked_add(outgoing)?.get());
    let inbound = i128::from(inbound.0) + taken * i128::from(inbound.1) / 1_000_000;
    let total = (i128::from(outgoing.get()) + inbound).max(0);
    u64::try_from(total).ok().map(Msat::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::Ppm;

    fn step(number: u64, policy: Option<(u64, u32, u16)>, inbound: (i32, i32)) -> RouteStep {
        let mut id = [2u8; 33];
        id[32] = number as u8;
        RouteStep {
            scid: ShortChannelId::from_u64(number),
            to: NodeId::from_bytes(id).unwrap(),
            capacity: Sat::new(10_000_000),
            policy: policy.map(|(base, rate, cltv_delta)| ChannelPolicy {
                base: Msat::new(base),
                rate: Ppm::new(rate),
                cltv_delta,
                htlc_minimum: Msat::new(1),
                htlc_maximum: Msat::new(5_000_000_000),
                disabled: false,
                inbound_base_msat: 0,
                inbound_ppm: 0,
            }),
            inbound,
        }
    }

    fn amounts(route: &PricedRoute) -> Vec<(u64, u32)> {
        let hops = route.hops.iter();
        hops.map(|hop| (hop.amount.get(), hop.cltv_blocks))
            .collect()
    }

    /// A -> B -> C -> D as BOLT 7 "Recommendations for Routing" computes: B charges 200 msat and
    /// 2000 ppm with delta 20, C 300 msat and 3000 ppm with delta 30.
    #[test]
    fn later_fees_and_deltas_add_up_backwards() {
        let steps = [
            step(1, None, (0, 0)),
            step(2, Some((200, 2_000, 20)), (0, 0)),
            step(3, Some((300, 3_000, 30)), (0, 0)),
        ];
        let route = price_route(&steps, Msat::new(4_999_999)).unwrap();
        let last = 4_999_999;
        let middle = last + 300 + last * 3_000 / 1_000_000;
        let first = middle + 200 + middle * 2_000 / 1_000_000;
        assert_eq!(middle, 5_015_298);
        assert_eq!(first, 5_025_528);
        let base = FINAL_CLTV_DELTA;
        assert_eq!(
            amounts(&route),
            [(first, base + 50), (middle, base + 30), (last, base)]
        );
        assert_eq!(route.fee, Msat::new(first - last));
    }

    #[test]
    fn inbound_discounts_never_make_a_fee_negative() {
        let price = |inbound| {
            let steps = [
                step(1, None, inbound),
                step(2, Some((1_000, 0, 40)), (0, 0)),
            ];
            price_route(&steps, Msat::new(1_000_000)).unwrap().fee
        };
        assert_eq!(price((0, 0)), Msat::new(1_000));
        assert_eq!(price((-400, 0)), Msat::new(600));
        assert_eq!(price((0, -500)), Msat::new(500));
        assert_eq!(price((-5_000, -5_000)), Msat::ZERO);
        assert_eq!(price((7, 0)), Msat::new(1_007));
    }

    #[test]
    fn refuses_what_a_step_cannot_carry() {
        let price = |steps: &[RouteStep], amount| price_route(steps, Msat::new(amount));
        let free = [step(1, None, (0, 0)), step(2, None, (0, 0))];
        assert_eq!(price(&free, 10_000_000_000).unwrap().fee, Msat::ZERO);
        assert_eq!(price(&free, 10_000_000_001), None);
        let limited = [step(1, None, (0, 0)), step(2, Some((0, 0, 1)), (0, 0))];
        assert!(price(&limited, 5_000_000_000).is_some());
        assert_eq!(price(&limited, 5_000_000_001), None);
        assert_eq!(price(&limited, 0), None);
        assert_eq!(price(&[], 5), None);
        let absurd = [
            step(1, None, (i32::MAX, i32::MAX)),
            step(2, Some((u64::from(u32::MAX), u32::MAX, u16::MAX)), (0, 0)),
        ];
        assert_eq!(price(&absurd, 5_000_000_000), None);
    }
}
