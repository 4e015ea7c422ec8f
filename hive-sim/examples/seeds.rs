//! Runs seeds and prints what they came to: `seeds FROM TO [MEMBERS] [ADVERSARIES] [KIND] [trace]`.

use hive_sim::fleet::Adversary;
use hive_sim::{SimConfig, simulate};
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |place: usize, or: u64| {
        let text = args.get(place);
        text.and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let (from, to, members) = (number(1, 1), number(2, 10), number(3, 7));
    let adversaries = number(4, 0) as usize;
    let kinds = Adversary::ALL.into_iter();
    let named: Vec<Adversary> = kinds
        .filter(|kind| args.iter().any(|arg| arg == kind.name()))
        .collect();
    let traced = args.iter().any(|arg| arg == "trace");
    let mut failed = Vec::new();
    let begin = Instant::now();
    for seed in from..=to {
        let config = SimConfig {
            members: members as usize,
            adversaries,
            kinds: match named.is_empty() {
                true => Adversary::ALL.to_vec(),
                false => named.clone(),
            },
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
        for adversary in &report.adversaries {
            let minutes = |ms: Option<u64>| ms.map(|ms| ms / 60_000);
            let (began, after) = (adversary.began_ms, adversary.found_after_ms);
            println!(
                "  {}: began {:?} found after {:?} min, undecided {}",
                adversary.kind,
                minutes(began),
                minutes(after),
                adversary.undecided
            );
        }
        println!("  false flags {}", report.false_flags);
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
