//! Times of plans on the whole mainnet graph, as lines `FIGURE name value unit target`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{node, real_graph};
use hive_planner::load::Loaded;
use hive_planner::{
    AmountModel, FleetPlan, Grid, PlannerConfig, Problem, Seat, plan_fleet, unwatched,
};
use hive_types::{Ppm, Sat};
use std::time::{Duration, Instant};

fn problem(loaded: &Loaded, members: u32, slots: u32) -> Problem {
    let capital = Sat::new(10_000_000 * u64::from(slots));
    let seat = |n| Seat::new(node(900_000 + n), slots, capital);
    Problem {
        seats: (0..members).map(seat).collect(),
        open_cost: Sat::new(900),
        merchants: loaded.merchants.clone(),
        ..Problem::default()
    }
}

fn config(candidates: u32) -> PlannerConfig {
    PlannerConfig {
        candidates,
        work_limit: u64::MAX,
        ..PlannerConfig::default()
    }
}

fn timed(loaded: &Loaded, problem: &Problem, config: &PlannerConfig) -> (FleetPlan, Times) {
    let (start, cores) = (Instant::now(), core_time());
    let plan = plan_fleet(&loaded.graph, problem, config, &unwatched);
    let wall = start.elapsed();
    let cores = cores.zip(core_time()).map(|(before, after)| after - before);
    (plan, Times { wall, cores })
}

/// Of the wall clock, and of both cores together: on a busy machine only the second says much.
#[derive(Clone, Copy)]
struct Times {
    wall: Duration,
    cores: Option<Duration>,
}

impl Times {
    fn beyond(self, other: Self) -> Self {
        let cores = self.cores.zip(other.cores);
        Self {
            wall: self.wall.saturating_sub(other.wall),
            cores: cores.map(|(one, two)| one.saturating_sub(two)),
        }
    }
}

/// What this process used of all cores so far; clock ticks are hundredths of a second on Linux.
fn core_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields = stat.rsplit_once(')')?.1;
    let user: u64 = fields.split_whitespace().nth(11)?.parse().ok()?;
    Some(Duration::from_millis(10 * user))
}

fn figure(name: &str, times: Times, target: &str) {
    println!("FIGURE {name} {:.2} s {target}", times.wall.as_secs_f64());
    if let Some(cores) = times.cores {
        println!("FIGURE {name}_core_time {:.2} s -", cores.as_secs_f64());
    }
}

fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// A setting to try.
type Change<'a> = &'a dyn Fn(&mut PlannerConfig);

fn describe(plan: &FleetPlan) {
    let held_out = plan
        .held_out
        .map(|held| (held.share, held.share_low, held.share_high));
    println!(
        "  {} channels, {} in the sample, held out {held_out:?}, {} a day, work {}",
        plan.channels.len(),
        plan.share_after,
        plan.revenue_after,
        plan.work.settled,
    );
}

fn main() {
    let Some(loaded) = real_graph("ln-2025-10-26") else {
        return;
    };
    let five = problem(&loaded, 5, 8);
    let (plan, first) = timed(&loaded, &five, &config(1_000));
    figure("plan_5x8_1000_candidates", first, "20");
    if let Some(peak) = peak_megabytes() {
        println!("FIGURE plan_5x8_1000_candidates_peak {peak:.0} MB 400");
    }
    describe(&plan);
    if std::env::args().any(|arg| arg == "--quick") {
        return;
    }
    let with = |change: Change<'_>| {
        let mut config = config(1_000);
        change(&mut config);
        timed(&loaded, &five, &config)
    };
    let rates = Grid::new(&[50, 100, 250].map(Ppm::new)).unwrap();
    let sizes = Grid::new(&[5_000_000, 10_000_000, 20_000_000].map(Sat::new)).unwrap();
    let grid: [(&str, Change<'_>); 5] = [
        ("held_out", &|config| config.hold_out = true),
        ("two_more_rates", &|config| config.rates = rates),
        ("three_sizes", &|config| config.sizes = sizes),
        ("four_amounts", &|config| {
            config.amounts = AmountModel::LogNormal
        }),
        ("one_kick", &|config| config.kicks = 1),
    ];
    for (name, change) in grid {
        let (plan, time) = with(change);
        figure(
            &format!("plan_5x8_more_for_{name}"),
            time.beyond(first),
            "-",
        );
        describe(&plan);
    }
    let (plan, time) = timed(&loaded, &problem(&loaded, 10, 20), &config(1_000));
    figure("plan_10x20_1000_candidates", time, "-");
    describe(&plan);
    for candidates in [250, 500, 3_000] {
        let (plan, time) = timed(&loaded, &five, &config(candidates));
        figure(&format!("plan_5x8_{candidates}_candidates"), time, "-");
        describe(&plan);
    }
}
