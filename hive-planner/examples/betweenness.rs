//! The simple digraph of the public network and its betweenness, for `bench/oracles/betweenness.py`.
//!
//! Takes the number of threads, then requests on standard input, and answers one line to each: `nodes`
//! (how many), `arcs` (from, to, weight, and so on), `run` (seconds) and `values` (of the last run).
#![allow(clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::real_graph;
use hive_planner::routes::{Digraph, SenderModel};
use hive_types::Msat;
use std::io::BufRead;
use std::time::Instant;

fn main() {
    let threads = std::env::args().nth(1).and_then(|word| word.parse().ok());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    let pool = pool.build().unwrap();
    let Some(loaded) = real_graph("ln-2025-10-26") else {
        return;
    };
    let digraph = Digraph::weighed(&loaded.graph, SenderModel::Lnd, Msat::new(60_000_000));
    let mut values = Vec::new();
    for request in std::io::stdin().lock().lines() {
        let answer: Vec<String> = match request.unwrap().as_str() {
            "nodes" => vec![loaded.graph.node_count().to_string()],
            "arcs" => {
                let arcs = digraph.arcs();
                let words =
                    arcs.map(|(from, to, weight)| format!("{} {} {weight}", from.get(), to.get()));
                words.collect()
            }
            "run" => {
                let start = Instant::now();
                values = pool.install(|| digraph.betweenness());
                vec![start.elapsed().as_secs_f64().to_string()]
            }
            "values" => values.iter().map(f64::to_string).collect(),
            other => vec![format!("unknown request {other}")],
        };
        println!("{}", answer.join(" "));
    }
}
