//! Searches beside a plain one that follows the senders' rules word by word.

use super::{Prices, SenderModel};
use crate::graph::{Edge, EdgeIndex, Graph, GraphBuilder, NodeIndex};
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const SENDERS: [SenderModel; 3] = [SenderModel::FeeOnly, SenderModel::Lnd, SenderModel::Ldk];

fn node(n: u8) -> NodeId {
    let mut bytes = [0u8; 33];
    (bytes[0], bytes[32]) = (2, n);
    NodeId::from_bytes(bytes).unwrap()
}

fn policy(base: u64) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::new(base),
        rate: Ppm::ZERO,
        cltv_delta: 40,
        htlc_minimum: Msat::new(10),
        htlc_maximum: Msat::new(1_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

type Channel = (u8, u8, u64, [Option<ChannelPolicy>; 2]);

fn build(nodes: u8, channels: &[Channel]) -> Graph {
    let mut builder = GraphBuilder::new();
    (0..nodes).for_each(|n| builder.add_node(node(n)));
    for (number, (a, b, capacity, policies)) in channels.iter().enumerate() {
        let scid = ShortChannelId::from_u64(number as u64);
        let ends = [node(*a), node(*b)];
        builder
            .add_channel(scid, ends, Sat::new(*capacity))
            .unwrap();
        for (end, policy) in ends.into_iter().zip(policies) {
            let set = policy.map(|policy| builder.set_policy(scid, end, &policy));
            set.unwrap_or(Ok(())).unwrap();
        }
    }
    builder.build()
}

/// 1-2-3 charges 5, 1-4-3 charges 7, 1-3 directly only up to 100 msat.
fn square() -> Graph {
    let tight = ChannelPolicy {
        htlc_maximum: Msat::new(100),
        ..policy(50)
    };
    let both = |base| [Some(policy(base)); 2];
    build(
        6,
        &[
            (1, 2, 1_000, both(9)),
            (2, 3, 1_000, both(5)),
            (1, 4, 1_000, both(9)),
            (4, 3, 1_000, both(7)),
            (1, 3, 1_000, [Some(tight), None]),
        ],
    )
}

fn at(graph: &Graph, n: u8) -> NodeIndex {
    graph.node_index(&node(n)).unwrap()
}

#[test]
fn payers_and_forwarders_pay_as_they_should() {
    let graph = square();
    let amount = Msat::new(1_000);
    let prices = Prices::new(&graph, SenderModel::FeeOnly, amount, &BTreeSet::new());
    let (one, three) = (at(&graph, 1), at(&graph, 3));
    let to = prices.to(three);
    assert_eq!(to.cost(one), Some(14));
    assert_eq!((to.payer_cost(one), to.payer_hops(one)), (Some(5), Some(2)));
    assert_eq!(
        (to.payer_cost(three), to.payer_hops(three)),
        (Some(0), Some(0))
    );
    assert_eq!(
        (to.cost(at(&graph, 5)), to.payer_cost(at(&graph, 5))),
        (None, None)
    );
    assert_eq!((to.next(three), to.payer_next(three)), (None, None));
    assert_eq!(to.settled(), 4);
    assert_eq!(to.path(three).map(|path| path.len()), Some(0));
}

#[test]
fn misfits_and_excluded_nodes_are_passed_over() {
    let graph = square();
    let cost = |amount, without: &[u8]| {
        let without = without.iter().map(|n| at(&graph, *n)).collect();
        let prices = Prices::new(&graph, SenderModel::FeeOnly, Msat::new(amount), &without);
        let found = prices.to(at(&graph, 3));
        let hops = found.path(at(&graph, 1)).map(|edges| edges.len());
        found.payer_cost(at(&graph, 1)).zip(hops)
    };
    assert_eq!(cost(100, &[]), Some((0, 1)));
    assert_eq!(cost(101, &[]), Some((5, 2)));
    assert_eq!(cost(101, &[2]), Some((7, 2)));
    assert_eq!(cost(101, &[2, 4]), None);
    assert_eq!(cost(9, &[]), None);
    assert_eq!(cost(1_000_000, &[]), Some((5, 2)));
    assert_eq!(cost(1_000_001, &[]), None);
    assert_eq!(cost(101, &[3]), None);
}

/// 1-2-3: node 2 takes 1,000 outwards, and has an inbound fee on the channel from 1.
fn with_inbound(inbound: i32) -> Graph {
    let towards_one = ChannelPolicy {
        inbound_base_msat: inbound,
        ..policy(0)
    };
    build(
        4,
        &[
            (1, 2, 1_000, [Some(policy(300)), Some(towards_one)]),
            (2, 3, 1_000, [Some(policy(1_000)); 2]),
            (0, 1, 1_000, [Some(policy(7)); 2]),
        ],
    )
}

#[test]
fn lnd_senders_apply_inbound_fees_with_their_floors() {
    let costs = |sender: SenderModel, inbound| {
        let graph = with_inbound(inbound);
        let prices = Prices::new(&graph, sender, Msat::new(1_000), &BTreeSet::new());
        let to = prices.to(at(&graph, 3));
        let cost = |n| to.payer_cost(at(&graph, n)).unwrap();
        (cost(0), cost(1))
    };
    // Attempts of 100,001 for each hop.
    let lnd = |inbound| {
        let (far, near) = costs(SenderModel::Lnd, inbound);
        (far - 3 * 100_001, near - 2 * 100_001)
    };
    assert_eq!(lnd(0), (1_300, 1_000));
    // A discount lowers what the node before takes, and never goes below nothing; a payer that is
    // the node before takes nothing that could be lowered.
    assert_eq!(lnd(-200), (1_100, 1_000));
    assert_eq!(lnd(-5_000), (1_000, 1_000));
    assert_eq!(lnd(50), (1_350, 1_050));
    // Nobody else reads them.
    assert_eq!(costs(SenderModel::FeeOnly, -200), (1_300, 1_000));
    assert_eq!(costs(SenderModel::FeeOnly, 50), (1_300, 1_000));
}

#[test]
fn the_payee_asks_for_no_inbound_fee() {
    let graph = with_inbound(50);
    let prices = Prices::new(&graph, SenderModel::Lnd, Msat::new(1_000), &BTreeSet::new());
    let to = prices.to(at(&graph, 2));
    assert_eq!(to.payer_cost(at(&graph, 1)), Some(100_001));
    assert_eq!(to.payer_cost(at(&graph, 0)), Some(2 * 100_001 + 300));
}

#[test]
fn of_parallel_channels_lnd_takes_the_dearest_and_others_the_cheapest() {
    let graph = build(
        4,
        &[
            (1, 2, 1_000, [Some(policy(300)); 2]),
            (1, 2, 1_000, [Some(policy(20)); 2]),
            (0, 1, 1_000, [Some(policy(0)); 2]),
        ],
    );
    for (sender, cost, number) in [
        (SenderModel::Lnd, 2 * 100_001 + 300, 0),
        (SenderModel::FeeOnly, 20, 1),
    ] {
        let prices = Prices::new(&graph, sender, Msat::new(1_000), &BTreeSet::new());
        let to = prices.to(at(&graph, 2));
        assert_eq!(to.payer_cost(at(&graph, 0)), Some(cost));
        let last = to.path(at(&graph, 0)).unwrap().pop().unwrap();
        assert_eq!(last.scid, ShortChannelId::from_u64(number));
    }
}

/// What a plain search finds: cost, hops and edge on by node, as forwarder and as payer.
#[derive(Debug, Default, PartialEq)]
struct Found {
    forwarders: BTreeMap<NodeIndex, (u64, u32)>,
    payers: BTreeMap<NodeIndex, (u64, u32)>,
}

struct Plain<'g> {
    graph: &'g Graph,
    sender: SenderModel,
    amount: Msat,
}

impl Plain<'_> {
    fn usable(&self, edge: &Edge) -> Option<ChannelPolicy> {
        let policy = edge.usable()?;
        let fits = policy.htlc_minimum <= self.amount && self.amount <= policy.htlc_maximum;
        (fits && self.amount <= edge.capacity.to_msat_saturating()).then_some(*policy)
    }

    /// Fee, everything else, and inbound fee of the hop between two nodes, and which edge stands for it.
    fn hop(&self, from: NodeIndex, to: NodeIndex) -> Option<(u64, u64, i64, EdgeIndex)> {
        let parallel = self.graph.between(from, to).filter_map(|edge| {
            let policy = self.usable(&edge)?;
            let fee = policy.fee(self.amount)?.get();
            let rest = self.sender.charge(&policy, self.amount) - fee;
            let rest = rest + self.sender.hop(self.amount, edge.capacity)?;
            let inbound = self.sender.inbound(edge.inbound, self.amount);
            Some((fee, rest, inbound, edge.index))
        });
        let parallel: Vec<_> = parallel.collect();
        if self.sender != SenderModel::Lnd {
            return parallel
                .into_iter()
                .min_by_key(|(fee, rest, _, edge)| (fee + rest, *edge));
        }
        let rest = parallel.iter().map(|hop| hop.1).max()?;
        let dearest = parallel
            .into_iter()
            .min_by_key(|(fee, _, inbound, edge)| (-(*fee as i64 + inbound), *edge));
        dearest.map(|hop| (hop.0, rest, hop.2, hop.3))
    }

    /// Settles whichever node has the least (cost, hops) until none is left, over all pairs of nodes.
    fn search(&self, root: NodeIndex) -> Found {
        let mut open = BTreeMap::from([(root, (0u64, 0u32, None::<(EdgeIndex, u64)>))]);
        let mut found = Found::default();
        found.payers.insert(root, (0, 0));
        while let Some((at, (cost, hops, on))) = open
            .iter()
            .filter(|(node, _)| !found.forwarders.contains_key(node))
            .min_by_key(|(_, found)| (found.0, found.1))
            .map(|(node, found)| (*node, *found))
        {
            found.forwarders.insert(at, (cost, hops));
            for (before, _) in self.graph.nodes() {
                let Some((fee, rest, inbound, edge)) = self.hop(before, at) else {
                    continue;
                };
                let inbound = on.map_or(0, |(_, onward)| inbound.max(-(onward as i64)));
                let fees = (fee as i64 + inbound).max(0) as u64;
                let way = (cost + fees + rest, hops + 1, Some((edge, fee)));
                let better = |old: &(u64, u32, Option<(EdgeIndex, u64)>)| {
                    (way.0, way.1, way.2.map(|on| on.0)) < (old.0, old.1, old.2.map(|on| on.0))
                };
                if !found.forwarders.contains_key(&before) && open.get(&before).is_none_or(better) {
                    open.insert(before, way);
                }
                let first = self.sender.first_hop(self.amount);
                let payer = (cost + inbound.max(0) as u64 + first, hops + 1);
                let best = found.payers.entry(before).or_insert(payer);
                *best = (*best).min(payer);
            }
        }
        found
    }
}

fn any_policy() -> impl Strategy<Value = Option<ChannelPolicy>> {
    let fees = (0..4u64, 0..3u32, 0..3u16);
    let inbound = prop_oneof![4 => Just(0), 2 => -3_000..0i32, 1 => 0..3_000i32];
    let known = proptest::bool::weighted(0.9);
    (fees, inbound, known, 0..3u32).prop_map(|((base, rate, delta), inbound, known, limits)| {
        known.then(|| ChannelPolicy {
            rate: Ppm::new(rate * 700),
            cltv_delta: delta * 30_000,
            htlc_minimum: Msat::new(u64::from(limits == 1) * 600_000),
            disabled: limits == 2 && base == 0,
            inbound_base_msat: inbound,
            ..policy(base * 1_000)
        })
    })
}

fn any_graph(nodes: u8) -> impl Strategy<Value = Graph> {
    let channel = (
        0..nodes,
        0..nodes,
        300..4_000u64,
        [any_policy(), any_policy()],
    );
    vec(channel, 0..36).prop_map(move |channels| build(nodes, &channels))
}

proptest! {
    /// Few fee levels make many ties, which fewer hops and then earlier edges must decide.
    #[test]
    fn searches_agree_with_a_plain_one(graph in any_graph(9), amount in 500_000..700_000u64) {
        let amount = Msat::new(amount);
        let roots: Vec<NodeIndex> = graph.nodes().map(|(node, _)| node).collect();
        for sender in SENDERS {
            let prices = Prices::new(&graph, sender, amount, &BTreeSet::new());
            let plain = Plain { graph: &graph, sender, amount };
            let found = prices.each_root(&roots, |root, distances| {
                assert_eq!(distances.root(), root);
                let mut found = Found::default();
                for node in &roots {
                    if let (Some(cost), Some(payer)) = (distances.cost(*node), distances.payer_cost(*node)) {
                        let path = distances.path(*node).unwrap();
                        assert_eq!(path.len() as u32, distances.payer_hops(*node).unwrap());
                        assert!(path.windows(2).all(|pair| pair[0].to == pair[1].from));
                        found.payers.insert(*node, (payer, distances.payer_hops(*node).unwrap()));
                        found.forwarders.insert(*node, (cost, 0));
                    }
                }
                let mut hops = BTreeMap::from([(root, 0)]);
                for step in distances.steps() {
                    hops.insert(step.node, hops[&step.next] + 1);
                }
                for (node, hops) in hops {
                    found.forwarders.get_mut(&node).unwrap().1 = hops;
                }
                found
            });
            for (root, found) in roots.iter().zip(found) {
                prop_assert_eq!(found, plain.search(*root), "{:?} {:?}", sender, root);
            }
        }
    }
}
