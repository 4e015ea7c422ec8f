//! Whole runs.

use crate::support::{founded, minutes};
use hive_policy::Mode;
use hive_sim::fleet::CrashPoint;
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

/// Set for a process that only prints what its runs came to.
const REPLAYED: &str = "HIVE_SIM_REPLAYED";

/// What runs with these seeds came to: all that was sent and done, where a member plans, opens and
/// crashes.
fn outcomes(seeds: &[u8]) -> Vec<String> {
    let outcome = |seed: &u8| {
        let mut fleet = founded(3, *seed, Mode::Autonomous);
        fleet.crash_at(1, CrashPoint::OpenSteps(3));
        fleet.run_for(minutes(16));
        let opened = fleet.totals().opens;
        assert!(opened > 0, "{seed}");
        format!("replayed {seed}: {opened} {}", fleet.trace_hash())
    };
    seeds.iter().map(outcome).collect()
}

/// The outcomes of another process with so many threads for plans.
fn elsewhere(seeds: &[u8], threads: u32) -> Vec<String> {
    let seeds: Vec<String> = seeds.iter().map(u8::to_string).collect();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("runs::a_seed_replays_alike_in_every_process_and_on_any_threads")
        .env(REPLAYED, seeds.join(","))
        .env("RAYON_NUM_THREADS", threads.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found = text
        .lines()
        .filter_map(|line| line.find("replayed ").map(|at| line[at..].to_owned()));
    found.collect()
}

#[test]
fn a_seed_replays_alike_in_every_process_and_on_any_threads() {
    if let Ok(seeds) = std::env::var(REPLAYED) {
        let seeds: Vec<u8> = seeds.split(',').map(|seed| seed.parse().unwrap()).collect();
        return outcomes(&seeds).iter().for_each(|line| println!("{line}"));
    }
    let here = outcomes(&[46, 48, 47]);
    for (seeds, threads) in [(&[47][..], 1), (&[47], 5), (&[48, 46], 2)] {
        let there = elsewhere(seeds, threads);
        assert_eq!(there.len(), seeds.len(), "{there:?}");
        assert!(
            there.iter().all(|line| here.contains(line)),
            "{there:?} of {here:?}"
        );
    }
}
