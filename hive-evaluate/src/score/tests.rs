use super::*;
use crate::placement::arrange;
use crate::testing::{drawn_network, id, link, network, open, payments, placed};
use hive_planner::demand::{Demand, draw};
use hive_planner::graph::{Graph, GraphUpdate};
use hive_types::{Ppm, ShortChannelId};

const SENDERS: [SenderModel; 3] = [SenderModel::FeeOnly, SenderModel::Lnd, SenderModel::Ldk];

/// 1 - 2 - 3, where 2 charges 500; 1 and 3 charge 40 usually.
fn dear_middle() -> Graph {
    network(&[(1, 2, 40, 500), (2, 3, 500, 40)])
}

#[test]
fn the_arm_earns_what_it_charges_where_it_is_cheaper() {
    let graph = dear_middle();
    let payments = payments(&graph, &[(1, 3), (3, 1), (1, 2)], 1_000_000);
    // The member charges 10 and stands beside the middle one.
    let with = arrange(&graph, &placed(1, &[open(0, 1), open(0, 3)]), true);
    let total = Questions::new(SenderModel::FeeOnly, &payments)
        .ask(&with)
        .total;
    assert_eq!((total.payments, total.reachable, total.passing), (3, 3, 2));
    assert_eq!(
        (total.volume_msat, total.passing_msat),
        (3_000_000, 2_000_000)
    );
    assert_eq!(total.earned_msat, [20]);
    // One msat decides.
    for (base, passing) in [(499, 2), (501, 0)] {
        let base = Msat::new(base);
        let opens = [open(0, 1), open(0, 3)].map(|open| crate::placement::Open { base, ..open });
        let with = arrange(&graph, &placed(1, &opens), true);
        let total = Questions::new(SenderModel::FeeOnly, &payments)
            .ask(&with)
            .total;
        assert_eq!(
            (total.passing, total.earned_msat),
            (passing, vec![passing * base.get()])
        );
    }
}

#[test]
fn fellows_pass_on_for_nothing_and_the_last_one_earns() {
    let graph = network(&[(1, 2, 40, 900), (2, 3, 900, 40)]);
    let payments = payments(&graph, &[(1, 3)], 1_000_000);
    let opens = [open(0, 1), link(0, 1), open(1, 3)];
    let with = arrange(&graph, &placed(2, &opens), true);
    let scored = Questions::new(SenderModel::FeeOnly, &payments).ask(&with);
    assert_eq!(scored.total.earned_msat, [0, 10]);
    assert_eq!(scored.total.passed, 0b11);
    // One house keeps 1 in 1; strangers pay each other.
    let with = arrange(&graph, &placed(2, &opens), false);
    let strangers = Questions::new(SenderModel::FeeOnly, &payments).ask(&with);
    assert_eq!(strangers.total.earned_msat, [10, 10]);
}

#[test]
fn chances_are_those_of_uniform_balances() {
    // 250,000 sat over channels of a million: three in four, but for the payer's own.
    let graph = network(&[(1, 2, 0, 0), (2, 3, 0, 0), (3, 4, 0, 0)]);
    let payments = payments(&graph, &[(1, 4)], 250_000_000);
    let with = arrange(&graph, &placed(1, &[]), true);
    let total = Questions::new(SenderModel::FeeOnly, &payments)
        .ask(&with)
        .total;
    assert!((total.chances - 0.75 * 0.75).abs() < 1e-12);
    assert_eq!(total.passing_chances, 0.0);
}

#[test]
fn fees_on_fees_and_inbound_fees_are_exact() {
    let mut graph = network(&[(1, 2, 0, 0), (2, 3, 0, 0), (3, 4, 0, 0)]);
    let mut set = |scid: u64, from: u16, base: u64, rate: u32, inbound: i32| {
        let mut policy = crate::testing::policy(base, rate);
        policy.inbound_base_msat = inbound;
        let scid = ShortChannelId::from_u64(scid);
        graph = graph.updated(&[GraphUpdate::Policy {
            scid,
            from: id(from),
            policy,
        }]);
    };
    set(2, 2, 7, 100_000, 0);
    set(3, 3, 11, 10_000, 0);
    // 3 takes 1,000 off what comes in over channel 2.
    set(2, 3, 0, 0, -1_000);
    let payments = payments(&graph, &[(1, 4)], 1_000_000);
    let with = arrange(&graph, &placed(0, &[]), true);
    let fees = |sender| {
        let questions = Questions::new(sender, &payments);
        let prices = Prices::new(&with.graph, sender, Msat::new(1_000_000), &BTreeSet::new());
        let at = |n: u16| with.graph.node_index(&id(n)).unwrap();
        let way = prices.to(at(4)).path(at(1)).unwrap();
        let third = questions.fee(&way[2], &way[1], 1_000_000);
        let second = questions.fee(&way[1], &way[0], 1_000_000 + third);
        (third, second)
    };
    assert_eq!(fees(SenderModel::FeeOnly), (10_011, 7 + 101_001));
    assert_eq!(fees(SenderModel::Lnd), (9_011, 7 + 100_901));
}

/// What searching only affected payees gives is what searching all gives.
#[test]
fn losing_a_member_is_the_same_by_the_short_way() {
    for seed in 0..6 {
        let graph = drawn_network(40, 60, seed);
        let demand = Demand {
            seed,
            payments: 400,
            payees: 30,
            ..Demand::default()
        };
        let nobody = BTreeSet::new();
        let payments = draw(&graph, &nobody, &BTreeSet::new(), &demand).unwrap();
        let mut opens = Vec::new();
        for (place, to) in [0, 1, 2, 9, 17, 25, 33, 38].into_iter().enumerate() {
            opens.push(open(place % 3, to));
        }
        opens.extend([link(0, 1), link(1, 2)]);
        for open in &mut opens {
            (open.capacity, open.rate) = (hive_types::Sat::new(50_000_000), Ppm::new(20));
        }
        let with = arrange(&graph, &placed(3, &opens), true);
        for sender in SENDERS {
            let questions = Questions::new(sender, &payments);
            let before = questions.ask(&with);
            assert!(before.total.passing > 0, "{seed} {sender:?}");
            for member in 0..3 {
                let short = questions.without_member(&with, &before, member).total;
                let gone = BTreeSet::from([with.members[member].unwrap()]);
                let long = questions.without(&with, &gone).total;
                let exact = |sums: &Sums| {
                    (
                        sums.payments,
                        sums.reachable,
                        sums.passing,
                        sums.earned_msat.clone(),
                    )
                };
                assert_eq!(exact(&short), exact(&long), "{seed} {sender:?} {member}");
                assert_eq!(short.earned_msat[member], 0);
            }
        }
    }
}

#[test]
fn payments_of_failed_nodes_are_lost() {
    let graph = dear_middle();
    let payments = payments(&graph, &[(1, 3), (3, 1), (1, 2)], 1_000_000);
    let with = arrange(&graph, &placed(1, &[open(0, 1), open(0, 3)]), true);
    let questions = Questions::new(SenderModel::FeeOnly, &payments);
    let gone = BTreeSet::from([with.graph.node_index(&id(3)).unwrap()]);
    let total = questions.without(&with, &gone).total;
    assert_eq!((total.payments, total.reachable, total.passing), (3, 1, 0));
}

/// The planner's search and the one of the moving balances are different programs.
#[test]
fn two_searches_agree_on_what_ways_cost() {
    use crate::dynamics::cost_of_cheapest;
    let mut ways = 0;
    for seed in 0..6 {
        let graph = drawn_network(40, 60, seed);
        let with = arrange(
            &graph,
            &placed(2, &[open(0, 1), open(0, 9), open(1, 4), link(0, 1)]),
            true,
        );
        let demand = Demand {
            seed,
            payments: 200,
            payees: 20,
            ..Demand::default()
        };
        let payments = draw(&graph, &BTreeSet::new(), &BTreeSet::new(), &demand).unwrap();
        for sender in SENDERS {
            let found = cost_of_cheapest(&with, sender, &payments);
            for (payment, cost) in payments.iter().zip(found) {
                let prices = Prices::new(&with.graph, sender, payment.amount, &BTreeSet::new());
                let payer = with.moved[payment.payer.get()];
                let expected = prices.to(with.moved[payment.payee.get()]).payer_cost(payer);
                assert_eq!(cost, expected, "{seed} {sender:?} {payment:?}");
                ways += usize::from(cost.is_some());
            }
        }
    }
    assert!(ways > 1_000, "{ways}");
}
