//! Samples of payments: drawn by their model, the same each time, and apart from one another.
#![allow(clippy::unwrap_used)]

mod common;

use common::{graph_of, node, policy, real_graph};
use hive_planner::demand::{
    AmountModel, Demand, DemandError, DemandModel, Payment, draw, draw_apart,
};
use hive_planner::graph::{Graph, NodeIndex};
use std::collections::{BTreeMap, BTreeSet};

/// A hub that holds half of all capacity, and spokes.
fn star(spokes: u32) -> Graph {
    let channels: Vec<_> = (1..=spokes)
        .map(|n| (u64::from(n), 0, n, 1_000_000))
        .collect();
    graph_of(&channels, &policy(0, 10, 40))
}

fn demand(model: DemandModel) -> Demand {
    Demand {
        model,
        payments: 4_000,
        payees: 400,
        seed: 11,
        ..Demand::default()
    }
}

fn nobody() -> BTreeSet<NodeIndex> {
    BTreeSet::new()
}

fn share(payments: &[Payment], counts: impl Fn(&Payment) -> bool) -> f64 {
    payments.iter().filter(|payment| counts(payment)).count() as f64 / payments.len() as f64
}

#[test]
fn models_draw_as_they_say() {
    let graph = star(40);
    let hub = graph.node_index(&node(0)).unwrap();
    let shops = BTreeSet::from([node(7), node(8), node(1_000)]);
    let drawn = |model| draw(&graph, &nobody(), &shops, &demand(model)).unwrap();
    let near = |value: f64, expected: f64| assert!((value - expected).abs() < 0.06, "{value}");
    let uniform = drawn(DemandModel::Uniform);
    assert_eq!(uniform.len(), 4_000);
    near(share(&uniform, |p| p.payee == hub), 1.0 / 41.0);
    let capacity = drawn(DemandModel::Capacity);
    near(share(&capacity, |p| p.payee == hub), 0.5);
    // Half of the payers of the others by capacity, of whom the hub is half, half alike.
    let others: Vec<Payment> = capacity.into_iter().filter(|p| p.payee != hub).collect();
    near(share(&others, |p| p.payer == hub), 0.26);
    let merchant = drawn(DemandModel::Merchant);
    let is_shop = |p: &Payment| shops.contains(&graph.node_id(p.payee));
    near(share(&merchant, is_shop), 0.81);
}

#[test]
fn payees_are_bounded_and_nobody_pays_itself() {
    let graph = star(40);
    let without = BTreeSet::from([graph.node_index(&node(3)).unwrap()]);
    let few = Demand {
        payees: 5,
        amounts: AmountModel::LogNormal,
        ..demand(DemandModel::Uniform)
    };
    let drawn = draw(&graph, &without, &BTreeSet::new(), &few).unwrap();
    assert_eq!(
        drawn,
        draw(&graph, &without, &BTreeSet::new(), &few).unwrap()
    );
    assert!(drawn.is_sorted());
    let mut payees: BTreeMap<_, usize> = BTreeMap::new();
    for payment in &drawn {
        *payees.entry((payment.payee, payment.amount)).or_default() += 1;
        assert_ne!(payment.payer, payment.payee);
        assert!(!without.contains(&payment.payer) && !without.contains(&payment.payee));
    }
    assert!(payees.len() <= 5);
    let other = Demand { seed: 12, ..few };
    assert_ne!(
        drawn,
        draw(&graph, &without, &BTreeSet::new(), &other).unwrap()
    );
}

#[test]
fn a_scoring_sample_shares_no_pair_with_the_planning_one() {
    let graph = star(40);
    let demand = Demand {
        payments: 300,
        payees: 30,
        ..demand(DemandModel::Uniform)
    };
    let planned = draw(&graph, &nobody(), &BTreeSet::new(), &demand).unwrap();
    let scored = draw_apart(&graph, &nobody(), &BTreeSet::new(), &demand, &planned).unwrap();
    assert!(scored.len() > 290, "{}", scored.len());
    let apart = |p: &Payment| planned.iter().all(|other| !other.same_ends(p));
    assert!(scored.iter().all(apart));
    // Where every pair is taken, nothing is left to draw.
    let all: Vec<Payment> = graph
        .nodes()
        .flat_map(|(payer, _)| graph.nodes().map(move |(payee, _)| (payer, payee)))
        .map(|(payer, payee)| Payment {
            amount: planned[0].amount,
            payee,
            payer,
        })
        .collect();
    let none = draw_apart(&graph, &nobody(), &BTreeSet::new(), &demand, &all).unwrap();
    assert_eq!(none, []);
}

#[test]
fn merchants_must_be_known() {
    let graph = star(5);
    let strangers = BTreeSet::from([node(77)]);
    for known in [BTreeSet::new(), strangers] {
        let drawn = draw(&graph, &nobody(), &known, &demand(DemandModel::Merchant));
        assert_eq!(drawn, Err(DemandError::NoMerchants));
    }
}

#[test]
fn the_real_network_has_payers_and_payees_for_twenty_thousand_payments() {
    let Some(loaded) = real_graph("ln-2025-10-26") else {
        return;
    };
    for model in [
        DemandModel::Uniform,
        DemandModel::Capacity,
        DemandModel::Merchant,
    ] {
        let demand = Demand {
            model,
            ..Demand::default()
        };
        let drawn = draw(&loaded.graph, &nobody(), &loaded.merchants, &demand).unwrap();
        let payers: BTreeSet<_> = drawn.iter().map(|payment| payment.payer).collect();
        let payees: BTreeSet<_> = drawn.iter().map(|payment| payment.payee).collect();
        println!(
            "{model}: {} payments, {} payers, {} payees",
            drawn.len(),
            payers.len(),
            payees.len()
        );
        assert_eq!(drawn.len(), 20_000);
        assert!(payers.len() > 4_000 && payees.len() > 200);
    }
}
