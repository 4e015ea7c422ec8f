use super::*;
use crate::NetworkView;
use crate::testing::drawn_network;
use hive_planner::PlannerConfig;
use hive_planner::demand::{AmountModel, DemandModel, draw};
use hive_planner::graph::Graph;
use hive_planner::routes::SenderModel;
use hive_types::{NodeId, Sat};
use std::collections::{BTreeMap, BTreeSet};

/// Small enough for a test, and with so few payments to plan on that plans fit them too well.
fn settings() -> Settings {
    Settings {
        members: 3,
        channels: 3,
        capital: Sat::new(30_000_000),
        held_out: 3_000,
        payees: 60,
        planner: PlannerConfig {
            payments: 60,
            payees: 30,
            candidates: 40,
            ..PlannerConfig::default()
        },
        ..Settings::default()
    }
}

fn with_brief<T>(
    graph: &Graph,
    settings: &Settings,
    seed: u64,
    work: impl FnOnce(&Brief<'_>) -> T,
) -> T {
    let (merchants, ip16) = (BTreeSet::<NodeId>::new(), BTreeMap::new());
    let network = NetworkView {
        graph,
        merchants: &merchants,
        ip16: &ip16,
    };
    work(&Brief {
        network,
        settings,
        sender: SenderModel::Lnd,
        demand: DemandModel::Uniform,
        amounts: AmountModel::default(),
        seed,
    })
}

#[test]
fn a_plan_is_never_scored_on_its_own_sample() {
    let graph = drawn_network(60, 120, 4);
    with_brief(&graph, &settings(), 7, |brief| {
        let scores = Scores::new(&graph, &[]);
        let placed = place(brief, Arm::Fleet, &scores).unwrap();
        let [sample] = &placed.samples[..] else {
            panic!("one sample for one plan")
        };
        let fresh = held_out(brief).unwrap();
        assert_eq!(check_fresh(&fresh, placed.samples.iter(), 7), Ok(()));
        // The defect: the plan's own demand in place of held-out payments.
        let payments = sample.len();
        let refused = Err(EvaluateError::Leak { seed: 7, payments });
        assert_eq!(check_fresh(sample, placed.samples.iter(), 7), refused);
        assert!(unseen(sample, sample).is_empty());
        let unseen = unseen(&fresh, sample);
        assert!(!unseen.is_empty() && unseen.len() < fresh.len());
        assert!(
            unseen
                .iter()
                .all(|one| sample.iter().all(|other| !one.same_ends(other)))
        );
    });
}

/// A plan looks better on its own sample; were it scored there, the two would be equal.
#[test]
fn held_out_scores_are_below_those_of_the_own_sample() {
    let (mut own, mut apart) = (0.0, 0.0);
    let graph = drawn_network(60, 120, 4);
    for seed in 0..8 {
        with_brief(&graph, &settings(), seed, |brief| {
            let placed = place(brief, Arm::Fleet, &Scores::new(&graph, &[])).unwrap();
            let with = arrange(&graph, &placed.placement, true);
            let share = |payments: &[Payment]| {
                Questions::new(brief.sender, payments)
                    .ask(&with)
                    .total
                    .share()
            };
            own += share(&placed.samples[0]);
            apart += share(&held_out(brief).unwrap());
        });
    }
    assert!(
        apart > 0.0 && own > 1.1 * apart,
        "own {own}, held out {apart}"
    );
}

/// Planned arms leave a channel out where it would add nothing to their sample.
#[test]
fn no_arm_uses_more_than_its_channels_and_capital() {
    let graph = drawn_network(80, 160, 2);
    let settings = settings();
    let scores = Scores::new(&graph, &Arm::ALL);
    for arm in Arm::ALL {
        with_brief(&graph, &settings, 3, |brief| {
            let placement = place(brief, arm, &scores).unwrap().placement;
            assert_eq!(placement.check(arm, 3, &settings), Ok(()), "{arm}");
            let opens = placement.opens.len();
            assert!(
                if arm.is_planned() {
                    (1..=9).contains(&opens)
                } else {
                    opens == 9
                },
                "{arm}"
            );
            assert!(
                placement.capital() <= Sat::new(10_000_000 * opens as u64),
                "{arm}"
            );
            let mut pairs: Vec<_> = placement
                .opens
                .iter()
                .map(|open| (open.member, open.to))
                .collect();
            pairs.sort_unstable();
            pairs.dedup();
            assert_eq!(pairs.len(), opens, "{arm} opens twice to one target");
        });
    }
}

#[test]
fn the_own_sample_of_a_plan_is_the_one_that_it_says() {
    let graph = drawn_network(60, 120, 4);
    with_brief(&graph, &settings(), 5, |brief| {
        let placed = place(brief, Arm::Uncoordinated, &Scores::new(&graph, &[])).unwrap();
        assert_eq!(placed.samples.len(), 3);
        assert_ne!(placed.samples[0], placed.samples[1]);
        let config = PlannerConfig {
            seed: 5,
            demand: brief.demand,
            amounts: brief.amounts,
            ..brief.settings.planner
        };
        let drawn = draw(
            &graph,
            &BTreeSet::new(),
            &BTreeSet::new(),
            &config.demand_sample(),
        );
        assert_eq!(placed.samples[0], drawn.unwrap());
    });
}

#[test]
fn concentration_is_that_of_parts() {
    assert_eq!(concentration(&[0, 0]), None);
    assert_eq!(concentration(&[5]), Some((1.0, 1.0)));
    let (largest, herfindahl) = concentration(&[1, 3, 0]).unwrap();
    assert!((largest - 0.75).abs() < 1e-12 && (herfindahl - 0.625).abs() < 1e-12);
}

#[test]
fn thinning_keeps_whole_payees() {
    let graph = drawn_network(60, 120, 4);
    with_brief(&graph, &settings(), 5, |brief| {
        let all = held_out(brief).unwrap();
        let few = thin(&all, 10);
        let payees: BTreeSet<_> = few.iter().map(|payment| payment.payee).collect();
        assert_eq!(payees.len(), 10);
        let kept = all
            .iter()
            .filter(|payment| payees.contains(&payment.payee))
            .count();
        assert_eq!(few.len(), kept);
        assert_eq!(thin(&all, 1_000), all);
    });
}
