use super::*;
use crate::placement::arrange;
use crate::testing::{drawn_network, id, link, network, open, placed, policy};
use hive_planner::demand::SplitMix;
use hive_planner::routes::SenderModel;
use hive_types::Msat;

/// Bellman-Ford without the failed arcs: another way to the same costs.
fn exact(net: &Net, weights: &Weights, wish: Wish<'_>, knows: impl Fn(Lane) -> bool) -> u32 {
    let mut costs = vec![FAR; net.nodes()];
    costs[wish.payer as usize] = 0;
    for _ in 0..net.nodes() {
        for node in 0..net.nodes() as u32 {
            let so_far = costs[node as usize];
            if so_far == FAR {
                continue;
            }
            for arc in &weights.rows[net.row(node)] {
                let own = node == wish.payer;
                let closed = arc.cost == FAR || wish.failed.contains(&arc.lane);
                if closed || (own && !knows(arc.lane)) {
                    continue;
                }
                let cost = so_far + if own { arc.own } else { arc.cost };
                let best = &mut costs[arc.to as usize];
                *best = cost.min(*best);
            }
        }
    }
    costs[wish.payee as usize]
}

#[test]
fn ways_around_failures_are_the_cheapest_there_are() {
    let mut found = 0;
    for seed in 0..12 {
        let graph = drawn_network(40, 60, seed);
        let opens = [open(0, 1), open(0, 9), open(1, 4), open(1, 30), link(0, 1)];
        let net = Net::new(&arrange(&graph, &placed(2, &opens), true));
        let mut chance = SplitMix::new(seed);
        let mut scratch = Scratch::new(net.nodes());
        for sender in [SenderModel::FeeOnly, SenderModel::Lnd, SenderModel::Ldk] {
            let weights = net.weigh(sender, Msat::new(500_000_000));
            for _ in 0..20 {
                let (payer, payee) = (chance.below(40) as u32, chance.below(40) as u32);
                if payer == payee {
                    continue;
                }
                let to_payee = net.costs_to(payee, &weights);
                let failed: Vec<Lane> = (0..chance.below(30))
                    .map(|_| chance.below(net.to.len() as u64) as Lane)
                    .collect();
                let wish = Wish {
                    payer,
                    payee,
                    to_payee: &to_payee,
                    failed: &failed,
                };
                let knows = |lane: Lane| lane % 7 != 3;
                let mut way = Vec::new();
                let there = cheapest(&net, &weights, wish, knows, &mut scratch, &mut way);
                let expected = exact(&net, &weights, wish, knows);
                assert_eq!(there, expected != FAR);
                if there {
                    found += 1;
                    assert_eq!(cost_of(&net, &way, wish), expected);
                }
            }
        }
    }
    assert!(found > 300, "{found}");
}

/// What a way costs; checks that it is one.
fn cost_of(net: &Net, way: &[Weight], wish: Wish<'_>) -> u32 {
    let mut at = wish.payer;
    let mut cost = 0;
    for (place, step) in way.iter().enumerate() {
        assert_eq!(
            (net.from(step.arc), net.to[step.arc as usize]),
            (at, step.to)
        );
        assert!(net.arcs(step.lane).contains(&step.arc) && !wish.failed.contains(&step.lane));
        cost += if place == 0 { step.own } else { step.cost };
        at = step.to;
    }
    assert_eq!(at, wish.payee);
    cost
}

/// Two channels from 1 to 2: LND pays the dearer one's price, others the cheaper one's.
#[test]
fn parallel_channels_are_one_lane() {
    let graph = network(&[(1, 2, 30, 0), (1, 2, 70, 0), (2, 3, 0, 0), (4, 1, 0, 0)]);
    let net = Net::new(&arrange(&graph, &placed(0, &[]), true));
    for (sender, arc, fee) in [(SenderModel::FeeOnly, 0, 30), (SenderModel::Lnd, 2, 70)] {
        let weights = net.weigh(sender, Msat::new(1_000_000));
        let lane = weights.rows[net.row(0)]
            .iter()
            .find(|weight| weight.to == 1)
            .unwrap();
        assert_eq!((lane.arc, net.arcs(lane.lane)), (arc, &[0, 2][..]));
        assert_eq!(net.fee(sender, 7, lane.arc, 1_000_000), fee);
    }
}

#[test]
fn inbound_discounts_count_for_lnd_and_never_below_nothing() {
    let scid = hive_types::ShortChannelId::from_u64(1);
    let set = |inbound_base_msat| {
        let policy = hive_types::ChannelPolicy {
            inbound_base_msat,
            ..policy(7, 0)
        };
        let update = hive_planner::graph::GraphUpdate::Policy {
            scid,
            from: id(2),
            policy,
        };
        let graph = network(&[(1, 2, 30, 7), (2, 3, 50, 0)]).updated(&[update]);
        Net::new(&arrange(&graph, &placed(0, &[]), true))
    };
    for (inbound, taken, own) in [(-20, 30, 0), (-90, 0, 0), (15, 65, 15)] {
        let net = set(inbound);
        assert_eq!(net.fee(SenderModel::Lnd, 0, 2, 1_000), taken);
        assert_eq!(net.fee(SenderModel::Ldk, 0, 2, 1_000), 50);
        let weights = net.weigh(SenderModel::Lnd, Msat::new(1_000_000));
        let plain = set(0).weigh(SenderModel::Lnd, Msat::new(1_000_000));
        let (with, without) = (&weights.rows[net.row(0)][0], &plain.rows[net.row(0)][0]);
        assert_eq!(
            i64::from(with.cost),
            i64::from(without.cost) + i64::from(inbound.max(-30))
        );
        assert_eq!((with.own, without.own), (own, 0));
    }
}
