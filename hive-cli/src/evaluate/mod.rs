//! `hive evaluate`: what coordination is worth, measured on a graph, and the report of it.

mod figures;
mod options;
mod report;
mod terminal;

pub(crate) use options::Options;

use crate::failure::Failure;
use crate::graph_file::{self, Source};
use crate::measure;
use crate::progress::Progress;
use hive_evaluate::{Evaluation, NetworkView, Observer, run as experiment};
use hive_planner::graph::Graph;
use hive_planner::load::Loaded;
use report::Report;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

/// Everything that a run says, as JSON.
#[derive(Serialize)]
struct Outcome<'a> {
    version: &'static str,
    /// What to type to get the same.
    command: &'a str,
    /// The files of the graph; none when it was generated.
    sources: &'a [Source],
    #[serde(flatten)]
    evaluation: &'a Evaluation,
}

/// Runs the experiment and tells of it. The status is 0 when it ran, whatever it found.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let settings = options.settings()?;
    let (loaded, sources) = match options.graph.is_empty() {
        true => (bare(options.made_graph()), Vec::new()),
        false => {
            let file = graph_file::load(&options.graph)?;
            (file.loaded, file.sources)
        }
    };
    let network = NetworkView {
        graph: &loaded.graph,
        merchants: &loaded.merchants,
        ip16: &loaded.ip16,
    };
    let mut watcher = Watcher::new();
    let evaluation = experiment(network, &settings, &mut watcher);
    drop(watcher);
    let evaluation = evaluation.map_err(|error| Failure::Usage(error.to_string()))?;
    let command = options.command();
    let outcome = Outcome {
        version: env!("CARGO_PKG_VERSION"),
        command: &command,
        sources: &sources,
        evaluation: &evaluation,
    };
    let json = serde_json::to_string_pretty(&outcome);
    let json = json.map_err(|error| Failure::Internal(error.to_string()))?;
    if let Some(folder) = &options.report {
        let report = Report {
            evaluation: &evaluation,
            command: &command,
            version: env!("CARGO_PKG_VERSION"),
            sources: &sources,
            json: &json,
        };
        report.write(folder)?;
    }
    let text = match options.json {
        true => json,
        false => terminal::tell(&evaluation),
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

/// A graph about whose nodes nothing is known.
fn bare(graph: Graph) -> Loaded {
    Loaded {
        graph,
        self_loops: 0,
        merchants: BTreeSet::new(),
        ip16: BTreeMap::new(),
        aliases: BTreeMap::new(),
    }
}

/// The clock and the scale that the experiment borrows.
struct Watcher {
    started: Instant,
    progress: Progress,
}

impl Watcher {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            progress: Progress::new("evaluating"),
        }
    }
}

impl Observer for Watcher {
    fn progress(&mut self, done: u64, total: u64, what: &str) {
        self.progress.say(what);
        self.progress.set(done, total);
    }

    fn millis(&mut self) -> Option<u64> {
        u64::try_from(self.started.elapsed().as_millis()).ok()
    }

    fn peak_bytes(&mut self) -> Option<u64> {
        measure::peak_memory()
    }
}
