//! A payment to oneself over a chosen channel, priced to the millisatoshi.

use crate::graph::{Edge, Graph, NodeIndex};
use crate::routes::{PricedRoute, RouteStep, price_route};
use hive_types::{ChannelPolicy, Msat, NodeId, Sat, ShortChannelId};

/// A channel of the payer, with what may be moved over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnChannel {
    /// Its place in the chain.
    pub scid: ShortChannelId,
    /// The other end.
    pub peer: NodeId,
    /// Its capacity.
    pub capacity: Sat,
    /// The most that may leave by it.
    pub spendable: Msat,
    /// The most that may come back by it.
    pub receivable: Msat,
    /// What the peer asks for towards the payer, and on what it receives from it; `None` if unknown.
    pub peer_policy: Option<ChannelPolicy>,
}

/// Which circle is asked for: out by some own channel, over `refill` towards `beneficiary`, back by
/// an own channel with it.
#[derive(Clone, Copy, Debug)]
pub struct CircleRequest<'a> {
    /// Who pays and is paid.
    pub payer: NodeId,
    /// The payer's channels.
    pub channels: &'a [OwnChannel],
    /// The channel to fill on the beneficiary's side.
    pub refill: ShortChannelId,
    /// The node whose side is filled.
    pub beneficiary: NodeId,
    /// What arrives back.
    pub amount: Msat,
    /// Forwarders between the payer and the beneficiary: 1 for the peer at the refilled channel alone,
    /// 2 for one more before it. More are not searched.
    pub outside_hops: u8,
    /// What the beneficiary is taken to ask for towards the payer where its update is not known.
    pub unknown_policy: ChannelPolicy,
}

/// A circle that can be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// The hops with amounts and timelocks.
    pub route: PricedRoute,
    /// Edges on the way whose balances nobody in the fleet knows.
    pub unknown: Vec<Edge>,
}

/// The cheapest circle of those asked for; of equal fees the shorter one, then the one with the
/// smaller short channel ids. `None` when none can carry the amount.
pub fn circular_route(graph: &Graph, request: &CircleRequest<'_>) -> Option<Circle> {
    let beneficiary = graph.node_index(&request.beneficiary)?;
    let filled = graph.channel(request.refill)?;
    let peer = filled.nodes.into_iter().find(|end| *end != beneficiary)?;
    let refill = graph.edge(request.refill, peer)?;
    let peer_id = graph.node_id(peer);
    (refill.to == beneficiary && peer_id != request.payer).then_some(())?;
    let mut circles = Vec::new();
    for back in returns(request) {
        for out in leaves(request, &peer_id) {
            circles.extend(price(graph, request, out, &[], &refill, back));
        }
        if request.outside_hops < 2 {
            continue;
        }
        for before in edges_into(graph, peer) {
            let via = graph.node_id(before.from);
            let simple = via != request.payer && via != request.beneficiary;
            for out in leaves(request, &via).filter(|_| simple) {
                circles.extend(price(graph, request, out, &[before], &refill, back));
            }
        }
    }
    let scids = |circle: &Circle| -> Vec<ShortChannelId> {
        circle.route.hops.iter().map(|hop| hop.channel).collect()
    };
    circles
        .into_iter()
        .min_by_key(|circle| (circle.route.fee, circle.route.hops.len(), scids(circle)))
}

fn leaves<'a>(
    request: &CircleRequest<'a>,
    peer: &NodeId,
) -> impl Iterator<Item = &'a OwnChannel> + use<'a> {
    let (peer, amount) = (*peer, request.amount);
    let channels = request.channels.iter();
    channels.filter(move |channel| channel.peer == peer && channel.spendable >= amount)
}

fn returns<'a>(request: &CircleRequest<'a>) -> impl Iterator<Item = &'a OwnChannel> + use<'a> {
    let (beneficiary, amount) = (request.beneficiary, request.amount);
    let channels = request.channels.iter();
    channels.filter(move |channel| channel.peer == beneficiary && channel.receivable >= amount)
}

fn edges_into(graph: &Graph, node: NodeIndex) -> impl Iterator<Item = Edge> + '_ {
    let leaving = graph.channels_of(node);
    leaving.filter_map(move |edge| graph.edge(edge.scid, edge.to))
}

fn price(
    graph: &Graph,
    request: &CircleRequest<'_>,
    out: &OwnChannel,
    before: &[Edge],
    refill: &Edge,
    back: &OwnChannel,
) -> Option<Circle> {
    let on_receipt = out.peer_policy.map_or((0, 0), |policy| {
        (policy.inbound_base_msat, policy.inbound_ppm)
    });
    let mut steps = vec![RouteStep {
        scid: out.scid,
        to: out.peer,
        capacity: out.capacity,
        policy: None,
        inbound: on_receipt,
    }];
    for edge in before.iter().chain([refill]) {
        steps.push(RouteStep {
            scid: edge.scid,
            to: graph.node_id(edge.to),
            capacity: edge.capacity,
            policy: Some(*edge.usable()?),
            inbound: edge.inbound,
        });
    }
    steps.push(RouteStep {
        scid: back.scid,
        to: request.payer,
        capacity: back.capacity,
        policy: Some(back.peer_policy.unwrap_or(request.unknown_policy)),
        inbound: (0, 0),
    });
    let route = price_route(&steps, request.amount)?;
    let first = route.hops.first()?;
    (first.amount <= out.spendable).then(|| Circle {
        route,
        unknown: before.to_vec(),
    })
}
