//! Plans for any seats: the same on any number of threads, within bounds, ended by whoever watches.
#![allow(clippy::unwrap_used)]

mod common;

use common::{graph_of, node, policy};
use hive_planner::demand::SplitMix;
use hive_planner::graph::{Graph, GraphUpdate};
use hive_planner::routes::SenderModel;
use hive_planner::{
    AmountModel, DemandModel, Destination, FleetPlan, Grid, PlanNote, PlannerConfig, Problem, Seat,
    plan_fleet, unwatched,
};
use hive_types::{Msat, NodeId, Ppm, Sat};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// Sixty nodes with fees of their own and channels by chance, some of them large hubs.
fn network(seed: u64) -> Graph {
    let mut chance = SplitMix::new(seed);
    let mut channels = Vec::new();
    for n in 1..60u32 {
        for _ in 0..3 {
            let peer = chance.below(u64::from(n)) * chance.below(u64::from(n)) / u64::from(n);
            let capacity = 20_000_000 + chance.below(200_000_000);
            channels.push((channels.len() as u64, n, peer as u32, capacity));
        }
    }
    let graph = graph_of(&channels, &policy(0, 100, 40));
    let fees: Vec<GraphUpdate> = graph
        .edges()
        .map(|edge| GraphUpdate::Policy {
            scid: edge.scid,
            from: graph.node_id(edge.from),
            policy: policy(chance.below(3_000), chance.below(2_500) as u32, 40),
        })
        .collect();
    graph.updated(&fees)
}

fn config() -> PlannerConfig {
    PlannerConfig {
        demand: DemandModel::Uniform,
        amounts: AmountModel::Mixed,
        payments: 1_000,
        payees: 50,
        turnover: Ppm::new(u32::MAX),
        hold_out: true,
        // A few new attempts at most.
        work_limit: 400_000,
        ..PlannerConfig::default()
    }
}

fn problem(members: u32, slots: u32) -> Problem {
    let capital = Sat::new(10_000_000 * u64::from(slots));
    let seat = |n| Seat::new(node(1_000 + n), slots, capital);
    Problem {
        seats: (0..members).map(seat).collect(),
        open_cost: Sat::new(500),
        ..Problem::default()
    }
}

fn targets(plan: &FleetPlan) -> Vec<(usize, NodeId)> {
    let outside = plan.channels.iter().filter_map(|channel| match channel.to {
        Destination::Outside(id) => Some((channel.seat, id)),
        Destination::Fellow(_) => None,
    });
    outside.collect()
}

#[test]
fn plans_are_equal_on_any_number_of_threads() {
    let graph = network(5);
    let rates = Grid::new(&[50, 300].map(Ppm::new)).unwrap();
    let mut problem = problem(3, 4);
    problem.links = true;
    for sender in [SenderModel::Lnd, SenderModel::Ldk, SenderModel::FeeOnly] {
        let config = PlannerConfig {
            sender,
            rates,
            kicks: 2,
            ..config()
        };
        let plans = [1, 2, 4].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap()
                .install(|| plan_fleet(&graph, &problem, &config, &unwatched))
        });
        assert!(plans[0].channels.len() > 4, "{:?}", plans[0].notes);
        assert_eq!(plans[0], plans[1]);
        assert_eq!(plans[0], plans[2]);
        let json = serde_json::to_string(&plans[0]).unwrap();
        assert_eq!(serde_json::from_str::<FleetPlan>(&json).unwrap(), plans[0]);
    }
}

#[test]
fn a_fleet_beats_the_same_members_that_plan_alone() {
    let graph = network(7);
    let (mut together, mut alone) = (0, 0);
    for seed in 0..4 {
        let config = PlannerConfig { seed, ..config() };
        let fleet = plan_fleet(&graph, &problem(3, 4), &config, &unwatched);
        together += fleet.held_out.unwrap().revenue.get();
        let single = plan_fleet(&graph, &problem(1, 4), &config, &unwatched);
        alone += single.held_out.unwrap().revenue.get();
        assert!(fleet.revenue_after > single.revenue_after);
    }
    assert!(together > alone, "{together} {alone}");
}

/// What is hoped for on the sample is more than what comes on payments that the plan has not seen.
#[test]
fn the_held_out_score_is_the_sober_one() {
    let graph = network(9);
    let few = PlannerConfig {
        payments: 200,
        payees: 40,
        ..config()
    };
    let (mut hoped, mut held) = (0, 0);
    for seed in 0..8 {
        let plan = plan_fleet(
            &graph,
            &problem(2, 3),
            &PlannerConfig { seed, ..few },
            &unwatched,
        );
        let score = plan.held_out.unwrap();
        assert!(score.share_low <= score.share && score.share <= score.share_high);
        assert!(score.revenue_low <= score.revenue && score.revenue <= score.revenue_high);
        hoped += plan.share_after.get();
        held += score.share.get();
    }
    assert!(held > 0 && held < hoped, "{held} {hoped}");
}

#[test]
fn strictly_unique_targets_are_nobodys_twice() {
    let graph = network(11);
    let plan = |strictly_unique| {
        let config = PlannerConfig {
            strictly_unique,
            ..config()
        };
        targets(&plan_fleet(&graph, &problem(3, 4), &config, &unwatched))
    };
    let distinct = |targets: &[(usize, NodeId)]| {
        targets
            .iter()
            .map(|(_, id)| *id)
            .collect::<BTreeSet<_>>()
            .len()
    };
    let (free, unique) = (plan(false), plan(true));
    assert!(
        distinct(&free) < free.len(),
        "members share hubs where that pays"
    );
    assert_eq!(distinct(&unique), unique.len());
}

#[test]
fn sizes_and_rates_come_from_the_grids() {
    let graph = network(13);
    let config = PlannerConfig {
        rates: Grid::new(&[20, 1_000].map(Ppm::new)).unwrap(),
        sizes: Grid::new(&[4_000_000, 9_000_000, 14_000_000].map(Sat::new)).unwrap(),
        turnover: Ppm::new(100),
        ..config()
    };
    let plan = plan_fleet(&graph, &problem(2, 4), &config, &unwatched);
    let mut spent: BTreeMap<usize, u64> = BTreeMap::new();
    for channel in &plan.channels {
        assert!([4_000_000, 9_000_000, 14_000_000].contains(&channel.capacity.get()));
        assert!([20, 100, 1_000].contains(&channel.rate.get()));
        *spent.entry(channel.seat).or_default() += channel.capacity.get();
    }
    assert!(
        spent.values().all(|spent| *spent <= 40_000_000),
        "{spent:?}"
    );
    let sizes: BTreeSet<u64> = plan.channels.iter().map(|c| c.capacity.get()).collect();
    assert!(sizes.len() > 1, "money goes where it turns over");
    let rates: BTreeSet<Ppm> = plan.channels.iter().map(|c| c.rate).collect();
    assert!(
        rates.contains(&Ppm::new(1_000)),
        "what is scarce is dear: {rates:?}"
    );
}

/// A channel that can't turn its money over earns no more than it carries.
#[test]
fn what_a_channel_carries_bounds_what_it_earns() {
    let graph = network(15);
    let revenue = |turnover| {
        let config = PlannerConfig {
            turnover: Ppm::new(turnover),
            ..config()
        };
        plan_fleet(&graph, &problem(2, 4), &config, &unwatched).revenue_after
    };
    let (dry, slow, fast) = (revenue(0), revenue(1_000), revenue(u32::MAX));
    // What comes back in equal measure still flows over channels that have nothing to spare.
    assert!(dry < slow && slow < fast, "{dry} {slow} {fast}");
}

#[test]
fn whoever_watches_sees_progress_and_can_end_it() {
    let graph = network(17);
    let calls = AtomicU64::new(0);
    let count = |progress: hive_planner::Progress| {
        assert!(progress.done <= progress.of);
        calls.fetch_add(1, Ordering::Relaxed);
        true
    };
    let whole = plan_fleet(&graph, &problem(2, 4), &config(), &count);
    let all = calls.into_inner();
    assert!(all > 10 && !whole.work.cut, "{all}");
    for last in [0, 3, all / 2] {
        let left = AtomicU64::new(last);
        let until =
            |_| left.fetch_sub(1, Ordering::Relaxed) > 0 && left.load(Ordering::Relaxed) < all;
        let cut = plan_fleet(&graph, &problem(2, 4), &config(), &until);
        assert!(cut.work.cut && cut.notes.contains(&PlanNote::WorkLimit));
        assert!(cut.channels.len() <= whole.channels.len());
    }
}

#[test]
fn merchants_that_nobody_knows_are_replaced_by_capacity_and_told() {
    let graph = network(19);
    let config = PlannerConfig {
        demand: DemandModel::Merchant,
        ..config()
    };
    let mut problem = problem(2, 3);
    let plan = plan_fleet(&graph, &problem, &config, &unwatched);
    assert!(plan.notes.contains(&PlanNote::NoMerchants) && !plan.channels.is_empty());
    problem.merchants = (0..9).map(node).collect();
    let plan = plan_fleet(&graph, &problem, &config, &unwatched);
    assert_eq!(plan.notes, []);
}

#[test]
fn plans_for_nobody_on_nothing_are_empty_with_a_reason() {
    let nothing = graph_of(&[], &policy(0, 0, 40));
    let lonely = graph_of(&[(1, 1, 2, 5_000_000)], &policy(0, 0, 40));
    let small = network(1);
    for graph in [&nothing, &lonely, &small] {
        for problem in [problem(0, 0), problem(2, 0), problem(50, 3)] {
            let plan = plan_fleet(graph, &problem, &config(), &unwatched);
            let able = problem.seats.iter().any(|seat| seat.slots > 0);
            let quiet = problem.seats.is_empty();
            assert!(able || plan.channels.is_empty());
            assert!(quiet || !plan.channels.is_empty() || !plan.notes.is_empty());
        }
    }
    let mut poor = problem(1, 4);
    poor.seats[0].capital = Sat::new(19_999);
    let plan = plan_fleet(&small, &poor, &config(), &unwatched);
    assert!(matches!(
        plan.notes[..],
        [PlanNote::TooLittleCapital { .. }]
    ));
}

#[test]
fn explanations_say_what_made_the_choice() {
    let graph = network(23);
    let config = PlannerConfig {
        rates: Grid::new(&[50, 300].map(Ppm::new)).unwrap(),
        ..config()
    };
    let plan = plan_fleet(&graph, &problem(2, 4), &config, &unwatched);
    let names: BTreeSet<&str> = plan
        .channels
        .iter()
        .flat_map(|channel| channel.explanation.facts.iter().map(|fact| fact.0.as_str()))
        .collect();
    for name in [
        "share of demand won",
        "marginal revenue per day",
        "days to earn it back",
        "share of the target's public capacity before",
        "share of the target's public capacity after",
        "assumed fleet fee",
        "runner-up",
        "at another rate",
    ] {
        assert!(names.contains(name), "{name}");
    }
    for channel in &plan.channels {
        assert!(channel.explanation.summary.contains("worth"));
        assert!(channel.value_per_day > Msat::ZERO);
    }
    assert!(
        plan.channels
            .is_sorted_by_key(|channel| std::cmp::Reverse(channel.value_per_day))
    );
}
