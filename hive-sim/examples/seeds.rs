//! Runs seeds and prints what they came to: `seeds FROM TO [MEMBERS] [trace]`.

use hive_sim::{SimConfig, simulate};
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |place: usize, or: u64| {
        let text = args.get(place);
        text.and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let (from, to, members) = (number(1, 1), number(2, 10), number(3, 7));
    let traced = args.iter().any(|arg| arg == "trace");
    let mut failed = Vec::new();
    let begin = Instant::now();
    for seed in from..=to {
        let config = SimConfig {
            members: members as usize,
            ..SimConfig::new(seed)
        };
        let start = Instant::now();
        let mut print = |line: &str| println!("{line}");
        let report = simulate(
            &config,
            traced.then_some(&mut print as &mut dyn FnMut(&str)),
        );
        let (took, totals) = (start.elapsed(), report.totals);
        println!("{seed} {} {took:?} {totals:?}", report.passed);
        for violation in &report.violations {
            println!("  {violation}");
        }
        if !report.passed {
            failed.push(seed);
        }
    }
    println!(
        "{} failed: {failed:?} in {:?}",
        failed.len(),
        begin.elapsed()
    );
}
