use super::*;
use crate::testing::{drawn_network, network};
use crate::{Arm, Dynamics, Failure, Metric, Rebalancing, Setting};
use hive_planner::routes::SenderModel;
use hive_planner::{AmountModel, DemandModel, PlannerConfig};
use hive_types::{Ppm, Sat};

fn settings() -> Settings {
    Settings {
        senders: vec![SenderModel::Lnd, SenderModel::Ldk],
        demands: vec![DemandModel::Uniform],
        amounts: vec![AmountModel::Mixed],
        seeds: 2,
        members: 3,
        channels: 3,
        capital: Sat::new(60_000_000),
        fee_rate: Ppm::new(50),
        held_out: 800,
        payees: 40,
        dynamics: Some(Dynamics {
            days: 2,
            payments_per_day: 400,
            payees: 20,
            ..Dynamics::default()
        }),
        planner: PlannerConfig {
            payments: 400,
            payees: 40,
            candidates: 40,
            ..PlannerConfig::default()
        },
        ..Settings::default()
    }
}

/// Runs with members of the first half of ids in one /16 and merchants at every tenth.
fn run_on(graph: &Graph, settings: &Settings) -> Result<Evaluation, EvaluateError> {
    let ids = || graph.nodes().map(|(_, id)| id);
    let merchants = ids().step_by(10).collect();
    let ip16 = ids()
        .take(graph.node_count() / 2)
        .map(|id| (id, [10, 1]))
        .collect();
    let network = NetworkView {
        graph,
        merchants: &merchants,
        ip16: &ip16,
    };
    run(network, settings, &mut ())
}

#[test]
fn results_do_not_depend_on_threads() {
    let graph = drawn_network(60, 120, 4);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let mut found = pool.install(|| run_on(&graph, &settings())).unwrap();
        assert_eq!(found.resources.threads, Some(threads as u32));
        found.resources = Resources::default();
        found
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(4));
    let mut other = settings();
    other.first_seed = 9;
    assert_ne!(one.cells, run_on(&graph, &other).unwrap().cells);
}

#[test]
fn every_arm_has_every_figure() {
    let graph = drawn_network(60, 120, 4);
    let found = run_on(&graph, &settings()).unwrap();
    assert_eq!(found.cells.len(), 2);
    assert_eq!(
        (
            found.graph.nodes,
            found.graph.merchants,
            found.graph.nodes_with_ip16
        ),
        (60, 6, 30)
    );
    for cell in &found.cells {
        assert_eq!(
            (cell.amount.as_str(), cell.demand.as_str(), &cell.seeds[..]),
            ("mixed", "uniform", &[1, 2][..])
        );
        for result in &cell.arms {
            assert_eq!(result.plans.len(), 2);
            assert!(
                result
                    .plans
                    .iter()
                    .all(|plan| (1..=9).contains(&plan.opens) && plan.capital_sat <= 180_000_000)
            );
            let share = result.metric(Metric::PaymentShare).unwrap();
            assert!(
                share
                    .per_seed
                    .iter()
                    .flatten()
                    .all(|share| (0.0..=1.0).contains(share))
            );
            // Opens and revenue make net revenue, whatever they are.
            let mean = |metric| {
                result
                    .metric(metric)
                    .and_then(|found| found.summary.mean)
                    .unwrap()
            };
            let net = mean(Metric::Revenue) - mean(Metric::OpenCost);
            assert!((mean(Metric::NetRevenue) - net).abs() < 1e-6);
            assert_eq!(result.failures.len(), 5, "{}", result.arm);
            let together = result.arm.is_one_house() && result.arm != Arm::Whale;
            assert_eq!(result.dynamics.len(), if together { 6 } else { 4 });
            assert!(result.dynamics.iter().all(|run| run.days.len() == 2));
        }
        let whale = cell
            .arms
            .iter()
            .find(|result| result.arm == Arm::Whale)
            .unwrap();
        let alone = |failure| {
            whale
                .failures
                .iter()
                .find(|f| f.failure == failure)
                .unwrap()
        };
        assert_eq!(alone(Failure::WorstMember).revenue_kept.mean, Some(0.0));
        let ratio = |setting| {
            let mut ratios = cell.ratios.iter();
            ratios.find(|ratio| {
                let arms = (ratio.numerator, ratio.denominator);
                (arms, ratio.metric, ratio.setting)
                    == ((Arm::Fleet, Arm::Whale), Metric::Revenue, setting)
            })
        };
        let fixed = ratio(Setting::Static).unwrap();
        let revenue = |arm| {
            let result = cell.arms.iter().find(|result| result.arm == arm);
            result
                .and_then(|result| result.metric(Metric::Revenue))
                .unwrap()
                .per_seed
                .clone()
        };
        let by_hand = crate::statistics::ratios(&revenue(Arm::Fleet), &revenue(Arm::Whale));
        assert_eq!(fixed.per_seed, by_hand);
        let together = Setting::Dynamic {
            balances: crate::Balances::Bimodal,
            rebalancing: Rebalancing::Fleet,
        };
        assert!(
            ratio(together).is_some(),
            "a whale stands for itself where others join"
        );
    }
}

#[test]
fn steps_are_told_in_order_and_come_to_an_end() {
    struct Told(Vec<(u64, u64)>, u64);
    impl Observer for Told {
        fn progress(&mut self, done: u64, total: u64, _: &str) {
            self.0.push((done, total));
        }
        fn millis(&mut self) -> Option<u64> {
            self.1 += 1;
            Some(self.1)
        }
        fn peak_bytes(&mut self) -> Option<u64> {
            Some(77)
        }
    }
    let graph = drawn_network(30, 60, 4);
    let (merchants, ip16) = (BTreeSet::new(), BTreeMap::new());
    let network = NetworkView {
        graph: &graph,
        merchants: &merchants,
        ip16: &ip16,
    };
    let mut told = Told(Vec::new(), 0);
    let found = run(network, &settings(), &mut told).unwrap();
    let steps: Vec<u64> = told.0.iter().map(|(done, _)| *done).collect();
    assert_eq!(steps, (0..told.0[0].1).collect::<Vec<u64>>());
    assert_eq!(found.resources.peak_bytes, Some(77));
    assert!(found.cells[0].arms[0].plans[0].millis.is_some());
    // Without a known /16 none fails.
    assert_eq!(found.cells[0].arms[0].failures.len(), 4);
}

#[test]
fn nothing_to_run_is_said_with_what_to_do() {
    let graph = drawn_network(30, 60, 4);
    let refused = |change: fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        run_on(&graph, &settings).unwrap_err().to_string()
    };
    assert!(refused(|s| s.arms.clear()).contains("name at least one"));
    assert!(refused(|s| s.seeds = 0).contains("from 1"));
    assert!(refused(|s| s.members = 51).contains("to 50"));
    assert!(refused(|s| s.capital = Sat::new(59_999)).contains("raise the capital"));
    assert!(refused(|s| s.payees = 801).contains("payees"));
    for graph in [Graph::default(), network(&[(1, 2, 0, 0)])] {
        let merchants = BTreeSet::new();
        let ip16 = BTreeMap::new();
        let network = NetworkView {
            graph: &graph,
            merchants: &merchants,
            ip16: &ip16,
        };
        let mut settings = settings();
        settings.demands = vec![DemandModel::Merchant];
        let error = run(network, &settings, &mut ()).unwrap_err();
        assert!(matches!(error, EvaluateError::NoDemand { .. }), "{error}");
    }
}

#[test]
fn a_tiny_network_gives_a_result_or_a_reason() {
    for channels in [
        vec![(1, 2, 0, 0)],
        vec![(1, 2, 5, 5), (2, 3, 5, 5)],
        vec![(1, 2, 0, 0), (3, 4, 0, 0)],
    ] {
        let graph = network(&channels);
        let found = run_on(&graph, &settings());
        assert!(
            found.is_ok() || matches!(found, Err(EvaluateError::NoDemand { .. })),
            "{found:?}"
        );
    }
    assert!(matches!(
        run_on(&Graph::default(), &settings()),
        Err(EvaluateError::NoDemand { .. })
    ));
}
