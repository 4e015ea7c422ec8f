//! How fast whole fleets are simulated, checkers on, as lines `FIGURE name value unit target`.
#![allow(missing_docs)]

use hive_sim::{SimConfig, simulate};
use std::time::Instant;

/// Seeds of one run: enough that a costly one does not decide the figure.
const SEEDS: u64 = 10;

fn main() {
    for faults in [true, false] {
        let begun = Instant::now();
        let mut hours = 0.0;
        let mut broken = 0;
        for seed in 1..=SEEDS {
            let config = SimConfig {
                faults,
                ..SimConfig::new(seed)
            };
            let report = simulate(&config, None);
            hours += report.totals.millis as f64 / 3_600_000.0;
            broken += usize::from(!report.passed);
        }
        let rate = hours / begun.elapsed().as_secs_f64();
        let name = if faults {
            "with_faults"
        } else {
            "without_faults"
        };
        println!("FIGURE sim_hours_per_second_7_members_{name} {rate:.2} h/s -");
        if broken > 0 {
            println!("{broken} of {SEEDS} seeds broke a rule: `hive sim` tells which");
        }
    }
}
