use super::*;
use crate::placement::arrange;
use crate::testing::{drawn_network, link, open, placed};
use hive_planner::demand::SplitMix;
use hive_planner::routes::SenderModel;
use hive_types::Msat;

/// Bellman-Ford without the failed arcs: another way to the same costs.
fn exact(net: &Net, weights: &Weights, wish: Wish<'_>, knows: impl Fn(Arc) -> bool) -> u32 {
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
                let closed = arc.cost == FAR || wish.failed.contains(&arc.arc);
                if closed || (own && !knows(arc.arc)) {
                    continue;
                }
                let cost = so_far + if own { 0 } else { arc.cost };
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
                let failed: Vec<Arc> = (0..chance.below(30))
                    .map(|_| chance.below(net.to.len() as u64) as Arc)
                    .collect();
                let wish = Wish {
                    payer,
                    payee,
                    to_payee: &to_payee,
                    failed: &failed,
                };
                let knows = |arc: Arc| arc % 7 != 3;
                let mut way = Vec::new();
                let there = cheapest(&net, &weights, wish, knows, &mut scratch, &mut way);
                let expected = exact(&net, &weights, wish, knows);
                assert_eq!(there, expected != FAR);
                if there {
                    found += 1;
                    assert_eq!(
                        cost_of(&net, &weights, &way, payer, payee, &failed),
                        expected
                    );
                }
            }
        }
    }
    assert!(found > 300, "{found}");
}

/// What a way costs; checks that it is one.
fn cost_of(
    net: &Net,
    weights: &Weights,
    way: &[Arc],
    payer: u32,
    payee: u32,
    failed: &[Arc],
) -> u32 {
    let mut at = payer;
    let mut cost = 0;
    for (place, arc) in way.iter().enumerate() {
        assert_eq!(net.from(*arc), at);
        assert!(!failed.contains(arc));
        let row = &weights.rows[net.row(at)];
        let weight = row.iter().find(|weight| weight.arc == *arc).unwrap();
        cost += if place == 0 { 0 } else { weight.cost };
        at = net.to[*arc as usize];
    }
    assert_eq!(at, payee);
    cost
}
