//! How fast circulations are solved, as lines `FIGURE name value unit target`. Distances from another
//! solver's optimum come from `bench/oracles/circulation.py`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::instance::{SIZES, instance};
use hive_planner::circulation::{WORK_LIMIT, solve};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The median of several runs: single ones on a shared machine say little.
fn median<T>(runs: usize, mut run: impl FnMut(usize) -> T) -> Duration {
    let mut times: Vec<Duration> = (0..runs)
        .map(|number| {
            let start = Instant::now();
            black_box(run(number));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[runs / 2]
}

fn main() {
    for (nodes, channels) in SIZES {
        let networks: Vec<_> = (0..15)
            .map(|seed| instance(nodes, channels, seed))
            .collect();
        let time = median(networks.len(), |number| {
            solve(&networks[number], WORK_LIMIT)
        });
        let target = if nodes == 150 { "13" } else { "-" };
        let name = format!("planner_circulation_{nodes}_{channels}");
        let millis = time.as_secs_f64() * 1000.0;
        println!("FIGURE {name} {millis:.3} ms {target}");
        let flow = solve(&networks[0], WORK_LIMIT).unwrap();
        assert!(flow.optimal);
        println!("FIGURE {name}_pivots {} pivots -", flow.work.pivots);
        println!("FIGURE {name}_steps {} steps -", flow.work.steps);
    }
}
