//! Times and sizes on the whole mainnet graph, as lines `FIGURE name value unit target`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::fleet::{constraint, fleet, local};
use common::real_tables;
use hive_planner::load::load_csv;
use hive_planner::routes::{Prices, SenderModel};
use hive_planner::{History, PlannerConfig, plan_opens};
use hive_types::Msat;
use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The median of several runs: single ones on a shared machine say little.
fn median<T>(runs: usize, mut run: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[runs / 2]
}

fn figure(name: &str, value: impl std::fmt::Display, unit: &str) {
    println!("FIGURE {name} {value} {unit} -");
}

fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1000.0)
}

fn main() {
    let Some([nodes, channels]) = real_tables("ln-2025-10-26") else {
        return;
    };
    let load = || load_csv(&nodes[..], &channels[..]).unwrap().graph;
    figure("planner_graph_load", millis(median(5, load)), "ms");
    let graph = load();
    let megabytes = graph.resident_bytes() as f64 / 1e6;
    figure("planner_graph_resident", format!("{megabytes:.2}"), "MB");
    figure(
        "planner_graph_update",
        millis(median(5, || graph.updated(&[]))),
        "ms",
    );

    let amount = Msat::new(60_000_000);
    let prices = Prices::new(&graph, SenderModel::Lnd, amount, &BTreeSet::new());
    let sources: Vec<_> = graph.nodes().map(|(node, _)| node).step_by(640).collect();
    let mut searcher = prices.searcher();
    let search = median(5, || {
        for source in &sources {
            black_box(searcher.to(*source).settled());
        }
    });
    figure(
        "planner_dijkstra",
        millis(search / sources.len() as u32),
        "ms",
    );

    let members: Vec<u32> = (1..=5).collect();
    let fleet = fleet(&members, constraint(8, 80_000_000));
    for candidates in [200, 1_000] {
        let config = PlannerConfig {
            candidates,
            work_limit: u64::MAX,
            ..PlannerConfig::default()
        };
        let run = || plan_opens(&graph, &fleet, &local(1), &History::default(), &config);
        let time = format!("{:.2}", median(3, run).as_secs_f64());
        figure(
            &format!("planner_plan_5x8_{candidates}_candidates"),
            time,
            "s",
        );
        let plan = run();
        figure(
            &format!("planner_plan_5x8_{candidates}_work"),
            plan.work.settled,
            "nodes",
        );
        let openers: BTreeSet<_> = plan.expected.iter().map(|open| open.member).collect();
        assert_eq!(openers.len(), members.len(), "{:?}", plan.notes);
        let opens = format!("planner_plan_5x8_{candidates}_opens");
        figure(&opens, plan.expected.len(), "channels");
    }
}
