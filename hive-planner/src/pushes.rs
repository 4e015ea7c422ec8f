//! Pushing liquidity to where it runs low before it runs dry.
//!
//! A push is never a gift: it leaves its payer by one channel and comes back by another, so every
//! member's total stays what it was, less fees. The cheap circle is A -> X -> B -> A. X is an outside
//! peer of both, B the fellow whose channel with X runs low, A the payer with a surplus towards X. The
//! HTLC crosses the low channel towards B and fills B's side; B passes it on to A for nothing. Only X
//! charges, and a plain payment from A to B over their own channel would not do: it would move A's
//! money to B and fill nothing towards X. Where A has no such channel, the circle goes through more
//! members or one more outside hop.
//!
//! Which circles are best together is a minimum-cost circulation ([`crate::circulation`]) over the
//! channels of all members and some between outsiders. What a member's side is worth falls with what is
//! there, measured by how soon it is forwarded; a forwarder costs what it asks for. The optimum
//! is cut into simple circles, each priced to the msat for the member that it is cheapest for; what is
//! left is planned for one payer after the other. Each member proposes what it pays for.

mod channel;
mod circle;
mod explain;
mod model;
mod rebalance;
mod scene;
mod turns;
mod worth;

pub use channel::{ChannelState, Side};
pub use rebalance::{Move, RebalanceRequest, Scope, rebalance};

use crate::config::PlannerConfig;
use crate::graph::Graph;
use circle::Payment;
use explain::propose;
use hive_types::{
    FleetView, LocalSnapshot, Msat, Ppm, Proposal, Sat, ShortChannelId, Tier, limits,
};
use model::Model;
use rebalance::planned;
use scene::Scene;
use std::collections::BTreeSet;
use turns::is_our_turn;

/// Proposes pushes that this member pays for, to fellows whose channels run low and to its own, the one
/// that is dry soonest first.
///
/// Full members push to full members. Where several could fill a channel they take turns by block
/// height, so that they do not all fill it. No push takes a member's channel below the low water
/// mark. Each balance is used once in a plan, and no two proposals leave and come back by the same two
/// channels: what they would move comes with the next plan.
pub fn plan_pushes(
    graph: &Graph,
    fleet: &FleetView,
    local: &LocalSnapshot,
    config: &PlannerConfig,
) -> Vec<Proposal> {
    let own = fleet.members.iter();
    let own = own.filter(|m| Some(m.node_id) == fleet.me && m.node_id == local.node_id);
    if !own.into_iter().any(|me| me.tier == Tier::Full) {
        return Vec::new();
    }
    let scene = Scene::new(graph, fleet, local, config);
    let request = RebalanceRequest {
        channels: &scene.channels,
        members: &scene.members,
        scope: Scope::Fleet,
        budget: Msat::new(u64::MAX),
        config,
    };
    let before = Model::new(&request, &scene.members);
    let (payments, model) = planned(&request, &scene.members);
    let mut ours: Vec<Payment> = payments
        .into_iter()
        .filter(|payment| payment.payer == local.node_id)
        .filter(|payment| is_our_turn(&before, payment, local))
        .collect();
    ours.sort_by_key(|payment| explain::urgency(&model, payment));
    let mut taken: BTreeSet<[Option<ShortChannelId>; 2]> = BTreeSet::new();
    ours.retain(|payment| {
        let hops = &payment.route.hops;
        let ends = [hops.first(), hops.last()];
        taken.insert(ends.map(|hop| hop.map(|hop| hop.channel)))
    });
    ours.iter()
        .map(|payment| propose(&model, payment))
        .take(limits::PENDING_PROPOSALS)
        .collect()
}

fn share_of(capacity: Sat, share: Ppm) -> Msat {
    let share = share.min(Ppm::ONE);
    share
        .fee_on(capacity.to_msat_saturating())
        .unwrap_or_default()
}
