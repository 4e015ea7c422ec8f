//! `hive sim`: one world with faults per seed, and what independent checkers found.

use crate::failure::Failure;
use hive_sim::{SimConfig, SimReport, simulate};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// More seeds than anybody runs at once; more is a slip of the keyboard.
const SEEDS_MAX: u64 = 10_000_000;

/// What the user asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The seeds to run: A..B, both ends counted, or one number
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: RangeInclusive<u64>,
    /// Members of each fleet
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=50))]
    members: u32,
    /// Simulated hours of each run
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    hours: u32,
    /// Members that turn bad, drawn from the seed: fewer than a third of all
    #[arg(long, default_value_t = 0, value_name = "N")]
    adversaries: u32,
    /// Leave faults out
    #[arg(long)]
    calm: bool,
    /// Print what happens, line by line; for one seed
    #[arg(long)]
    trace: bool,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| {
        let parsed = text.parse::<u64>();
        parsed.map_err(|_| format!("{text:?} is no whole number; write A..B or one number"))
    };
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (number(first)?, number(last.trim_start_matches('='))?),
        None => (number(text)?, number(text)?),
    };
    match last.checked_sub(first) {
        None => Err(format!(
            "{first} is above {last}; write the smaller one first"
        )),
        Some(span) if span >= SEEDS_MAX => Err(format!("at most {SEEDS_MAX} seeds at once")),
        Some(_) => Ok(first..=last),
    }
}

/// Sums over all runs.
#[derive(Debug, Default, Serialize)]
struct Summary {
    seeds: u64,
    first: u64,
    last: u64,
    members: u32,
    hours: u32,
    passed: u64,
    /// Adversaries in each fleet, as asked for.
    #[serde(skip)]
    asked_adversaries: u32,
    /// Seeds that failed.
    failed: Vec<u64>,
    messages_sent: u64,
    messages_lost: u64,
    messages_duplicated: u64,
    messages_reordered: u64,
    partitions: u64,
    one_way_blocks: u64,
    crashes: u64,
    torn_writes: u64,
    restored_backups: u64,
    cloned_agents: u64,
    stepped_clocks: u64,
    lagging_tips: u64,
    reorgs: u64,
    leaves: u64,
    decisions: u64,
    opens: u64,
    pushes: u64,
    largest_frame_bytes: u64,
    simulated_hours: f64,
    wall_seconds: f64,
    /// By what adversaries did: how many, how many of them were found, and after how many seconds.
    adversaries: BTreeMap<String, Found>,
    /// Times that an honest member blamed an honest one.
    false_flags: u64,
    /// What was broken, by seed.
    violations: BTreeMap<u64, Vec<String>>,
    /// Hash over everything that happened, when one seed was run.
    trace_hash: Option<String>,
}

/// How adversaries of one kind fared.
#[derive(Debug, Default, Serialize)]
struct Found {
    runs: u64,
    found: u64,
    /// Those that nobody had to know of when the run ended.
    undecided: u64,
    median_seconds: u64,
    worst_seconds: u64,
    #[serde(skip)]
    seconds: Vec<u64>,
}

impl Found {
    fn add(&mut self, found_after_ms: Option<u64>, undecided: bool) {
        self.runs += 1;
        self.undecided += u64::from(undecided);
        if let Some(millis) = found_after_ms {
            self.found += 1;
            self.seconds.push(millis / 1_000);
            self.seconds.sort_unstable();
        }
        self.median_seconds = self
            .seconds
            .get(self.seconds.len() / 2)
            .copied()
            .unwrap_or(0);
        self.worst_seconds = self.seconds.last().copied().unwrap_or(0);
    }
}

/// Runs the seeds. The status is 1 when one failed.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let count = options.seeds.end() - options.seeds.start() + 1;
    if options.trace && count > 1 {
        return Err(Failure::Usage(
            "--trace tells of one seed; name it with --seeds N".into(),
        ));
    }
    let members = usize::try_from(options.members).unwrap_or(usize::MAX);
    let most = SimConfig::adversaries_max(members);
    if usize::try_from(options.adversaries).is_ok_and(|count| count > most) {
        return Err(Failure::Usage(format!(
            "{} adversaries among {members} members decide with or against the others; at most {most}",
            options.adversaries
        )));
    }
    let started = Instant::now();
    let mut summary = Summary {
        seeds: count,
        first: *options.seeds.start(),
        last: *options.seeds.end(),
        members: options.members,
        hours: options.hours,
        asked_adversaries: options.adversaries,
        ..Summary::default()
    };
    for (seed, report) in run_all(options) {
        summary.add(seed, report);
    }
    summary.failed.sort_unstable();
    summary.wall_seconds = (started.elapsed().as_secs_f64() * 100.0).round() / 100.0;
    summary.simulated_hours = (summary.simulated_hours * 100.0).round() / 100.0;
    print(options, &summary)?;
    Ok(ExitCode::from(u8::from(!summary.failed.is_empty())))
}

fn config(options: &Options, seed: u64) -> SimConfig {
    SimConfig {
        members: usize::try_from(options.members).unwrap_or(usize::MAX),
        minutes: u64::from(options.hours) * 60,
        faults: !options.calm,
        adversaries: usize::try_from(options.adversaries).unwrap_or(usize::MAX),
        ..SimConfig::new(seed)
    }
}

/// As many threads as there are cores; each run is one thread's own.
fn run_all(options: &Options) -> Vec<(u64, Result<SimReport, String>)> {
    let (first, last) = options.seeds.clone().into_inner();
    let (next, done) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = usize::try_from(last - first + 1).map_or(cores, |seeds| seeds.min(cores));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > last {
                return;
            }
            let report = run_one(options, seed);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((seed, report));
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(seed, _)| *seed);
    done
}

/// A run that breaks down is a failed run, and the others go on.
fn run_one(options: &Options, seed: u64) -> Result<SimReport, String> {
    let config = config(options, seed);
    let run = || match (options.trace, options.json) {
        (false, _) => simulate(&config, None),
        // A reader that went away wants no more lines.
        (true, false) => simulate(
            &config,
            Some(&mut |line| drop(writeln!(std::io::stdout(), "{line}"))),
        ),
        (true, true) => simulate(&config, Some(&mut |line| eprintln!("{line}"))),
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| "the run broke down".to_owned())
}

impl Summary {
    fn add(&mut self, seed: u64, report: Result<SimReport, String>) {
        let report = match report {
            Ok(report) => report,
            Err(reason) => {
                self.failed.push(seed);
                self.violations.insert(seed, vec![reason]);
                return;
            }
        };
        if report.passed {
            self.passed += 1;
        } else {
            self.failed.push(seed);
            let violations = report.violations.iter().map(ToString::to_string);
            self.violations.insert(seed, violations.collect());
        }
        if self.seeds == 1 {
            self.trace_hash = Some(report.trace_hash);
        }
        self.false_flags += report.false_flags;
        for adversary in report.adversaries {
            // One that never became a full member had no time to misbehave.
            if adversary.began_ms.is_some() || adversary.undecided {
                let found = self.adversaries.entry(adversary.kind).or_default();
                found.add(adversary.found_after_ms, adversary.undecided);
            }
        }
        let (totals, fleet) = (report.totals, report.totals.fleet);
        self.messages_sent += totals.sent;
        self.messages_lost += totals.lost;
        self.messages_duplicated += totals.duplicated;
        self.messages_reordered += totals.reordered;
        self.decisions += totals.decisions;
        self.simulated_hours += totals.millis as f64 / 3_600_000.0;
        self.partitions += fleet.partitions;
        self.one_way_blocks += fleet.one_way_blocks;
        self.crashes += fleet.crashes;
        self.torn_writes += fleet.torn_writes;
        self.restored_backups += fleet.restores;
        self.cloned_agents += fleet.clones;
        self.stepped_clocks += fleet.clock_steps;
        self.lagging_tips += fleet.lags;
        self.reorgs += fleet.reorgs;
        self.leaves += fleet.leaves;
        self.opens += fleet.opens;
        self.pushes += fleet.pushes;
        self.largest_frame_bytes = self.largest_frame_bytes.max(fleet.largest);
    }

    fn lines(&self) -> Vec<String> {
        let numbers: Vec<String> = self.failed.iter().map(ToString::to_string).collect();
        let failed = match self.failed.is_empty() {
            true => String::new(),
            false => format!(": {}", numbers.join(", ")),
        };
        let mut lines = vec![
            format!(
                "seeds {}, passed {}, failed {}{failed}",
                self.seeds,
                self.passed,
                self.failed.len()
            ),
            format!(
                "messages {}, lost {}, duplicated {}, reordered {}",
                self.messages_sent,
                self.messages_lost,
                self.messages_duplicated,
                self.messages_reordered
            ),
            format!(
                "partitions {}, one-way blocks {}, crashes {}, torn writes {}, restored backups {}, cloned agents {}",
                self.partitions,
                self.one_way_blocks,
                self.crashes,
                self.torn_writes,
                self.restored_backups,
                self.cloned_agents
            ),
            format!(
                "stepped clocks {}, lagging tips {}, reorgs {}, leaves {}",
                self.stepped_clocks, self.lagging_tips, self.reorgs, self.leaves
            ),
            format!(
                "decisions {}, opens {}, pushes {}, largest frame {} bytes",
                self.decisions, self.opens, self.pushes, self.largest_frame_bytes
            ),
        ];
        for (seed, violations) in &self.violations {
            lines.extend(violations.iter().map(|text| format!("seed {seed}: {text}")));
            let adversaries = match self.asked_adversaries {
                0 => String::new(),
                count => format!(" --adversaries {count}"),
            };
            lines.push(format!(
                "seed {seed} again: hive sim --seeds {seed} --members {} --hours {}{adversaries} --trace",
                self.members, self.hours
            ));
        }
        lines.extend(self.figures());
        lines
    }

    /// What adversaries came to, as lines `FIGURE name value unit target`.
    fn figures(&self) -> Vec<String> {
        if self.asked_adversaries == 0 {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for (kind, found) in &self.adversaries {
            let name = format!("FIGURE sim_{kind}");
            lines.push(format!("{name}_runs {} count -", found.runs));
            lines.push(format!(
                "{name}_missed {} count 0",
                found.runs - found.found - found.undecided
            ));
            lines.push(format!("{name}_undecided {} count -", found.undecided));
            lines.push(format!("{name}_found_median {} s -", found.median_seconds));
            lines.push(format!("{name}_found_worst {} s -", found.worst_seconds));
        }
        lines.push(format!(
            "FIGURE sim_false_flags {} count 0",
            self.false_flags
        ));
        lines
    }
}

fn print(options: &Options, summary: &Summary) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    if options.json {
        let json = serde_json::to_string_pretty(summary);
        let json = json.map_err(|error| Failure::Internal(error.to_string()))?;
        writeln!(out, "{json}")?;
        return Ok(());
    }
    summary
        .lines()
        .iter()
        .try_for_each(|line| writeln!(out, "{line}"))?;
    if let Some(hash) = &summary.trace_hash {
        writeln!(out, "trace {hash}")?;
    }
    // Not on the standard output: that is the same each time.
    eprintln!(
        "{} simulated hours in {} s",
        summary.simulated_hours, summary.wall_seconds
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_find_is_told_by_median_and_worst() {
        let mut found = Found::default();
        for millis in [Some(9_000), None, Some(1_000), Some(5_000)] {
            found.add(millis, false);
        }
        found.add(None, true);
        assert_eq!((found.runs, found.found, found.undecided), (5, 3, 1));
        assert_eq!((found.median_seconds, found.worst_seconds), (5, 9));
    }

    #[test]
    fn a_third_of_the_members_are_too_many_adversaries() {
        let options = |members, adversaries| Options {
            seeds: 1..=1,
            members,
            hours: 1,
            adversaries,
            calm: true,
            trace: false,
            json: true,
        };
        for (members, adversaries, most) in [(3, 1, "at most 0"), (7, 3, "at most 2")] {
            let Err(Failure::Usage(text)) = run(&options(members, adversaries)) else {
                panic!("{adversaries} of {members} were let in");
            };
            assert!(text.ends_with(most), "{text}");
        }
    }

    #[test]
    fn both_ends_of_a_range_count() {
        assert_eq!(seeds("1..1000"), Ok(1..=1000));
        assert_eq!(seeds("1..=3"), Ok(1..=3));
        assert_eq!(seeds("7"), Ok(7..=7));
        for wrong in [
            "",
            "a..b",
            "3..1",
            "1..",
            "-1..2",
            "0..18446744073709551615",
        ] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
