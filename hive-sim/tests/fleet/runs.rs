//! Whole runs.

use hive_sim::{SimConfig, simulate};

/// Seeds that once broke a rule, and a few more.
const SEEDS: [u64; 16] = [
    1, 5, 6, 16, 23, 29, 33, 41, 42, 52, 91, 95, 275, 585, 838, 930,
];

#[test]
fn seeds_break_no_rule() {
    for seed in SEEDS {
        let report = simulate(&SimConfig::new(seed), None);
        assert!(report.passed, "seed {seed}: {:#?}", report.violations);
    }
}

#[test]
fn one_seed_replays_one_run() {
    let config = SimConfig {
        minutes: 40,
        ..SimConfig::new(7)
    };
    let lines = || {
        let mut lines = Vec::new();
        let mut keep = |line: &str| lines.push(line.to_owned());
        let report = simulate(&config, Some(&mut keep));
        (report, lines)
    };
    let (first, second) = (lines(), lines());
    assert!(first.1.len() > 100);
    assert_eq!(first, second);
    // Whether somebody reads along changes nothing.
    assert_eq!(first.0, simulate(&config, None));
    let other = SimConfig { seed: 8, ..config };
    assert_ne!(first.0.trace_hash, simulate(&other, None).trace_hash);
}

#[test]
fn without_faults_members_open_and_push() {
    let config = SimConfig {
        faults: false,
        ..SimConfig::new(3)
    };
    let report = simulate(&config, None);
    assert!(report.passed, "{:#?}", report.violations);
    assert!(report.totals.fleet.opens > 0, "{:?}", report.totals);
    assert!(report.totals.fleet.policies > 0, "{:?}", report.totals);
    assert_eq!((report.totals.lost, report.totals.fleet.crashes), (0, 0));
}
