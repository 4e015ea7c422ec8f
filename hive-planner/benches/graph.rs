//! Times and sizes on the whole mainnet graph, as lines `FIGURE name value unit target`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::export::{describegraph, listchannels};
use common::fleet::{constraint, fleet, local};
use common::real_tables;
use hive_planner::graph::{Graph, NodeIndex};
use hive_planner::load::{load_csv, load_describegraph, load_listchannels};
use hive_planner::routes::{Digraph, Prices, SenderModel};
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

fn loads(tables: &[Vec<u8>; 2]) -> Graph {
    let [nodes, channels] = tables;
    let load = || load_csv(&nodes[..], &channels[..]).unwrap().graph;
    figure("planner_graph_load", millis(median(5, load)), "ms");
    let graph = load();
    let json = describegraph(&graph);
    let load = || load_describegraph(json.as_bytes()).unwrap().graph;
    figure(
        "planner_graph_load_describegraph",
        millis(median(5, load)),
        "ms",
    );
    let [channels, nodes] = listchannels(&graph);
    let load = || {
        load_listchannels(channels.as_bytes(), nodes.as_bytes())
            .unwrap()
            .graph
    };
    figure(
        "planner_graph_load_listchannels",
        millis(median(5, load)),
        "ms",
    );
    let megabytes = graph.resident_bytes() as f64 / 1e6;
    figure("planner_graph_resident", format!("{megabytes:.2}"), "MB");
    let update = || graph.updated(&[]);
    figure("planner_graph_update", millis(median(5, update)), "ms");
    graph
}

/// One search on one thread, and searches from all nodes on all threads, for each sender.
fn searches(graph: &Graph) {
    let roots: Vec<NodeIndex> = graph.nodes().map(|(node, _)| node).collect();
    for sender in [SenderModel::Lnd, SenderModel::Ldk, SenderModel::FeeOnly] {
        let name = format!("{sender:?}").to_lowercase();
        let weigh = || Prices::new(graph, sender, Msat::new(60_000_000), &BTreeSet::new());
        figure(
            &format!("planner_prices_{name}"),
            millis(median(5, weigh)),
            "ms",
        );
        let prices = weigh();
        let mut searcher = prices.searcher();
        // Nodes without a way in cost nothing and would make the mean look better than it is.
        let mut reached = roots.clone();
        reached.retain(|root| searcher.to(*root).settled() > 1_000);
        let some = reached.iter().step_by(67);
        let times = some
            .clone()
            .map(|root| median(5, || searcher.to(*root).settled()));
        let mean = times.sum::<Duration>() / some.count() as u32;
        figure(&format!("planner_search_{name}"), millis(mean), "ms");
        let all = || prices.each_root(&roots, |_, found| found.settled());
        let seconds = median(3, all).as_secs_f64();
        let threads = rayon::current_num_threads();
        figure(
            &format!("planner_search_all_{name}"),
            format!("{seconds:.2}"),
            &format!("s_on_{threads}_threads"),
        );
    }
    let channels = Digraph::of_channels(graph);
    let seconds = median(1, || channels.betweenness()).as_secs_f64();
    figure(
        "planner_betweenness_of_channels",
        format!("{seconds:.2}"),
        "s",
    );
}

fn main() {
    let Some(tables) = real_tables("ln-2025-10-26") else {
        return;
    };
    let graph = loads(&tables);
    searches(&graph);

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
