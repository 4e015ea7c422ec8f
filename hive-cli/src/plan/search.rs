//! Asks the planner, with an eye on the clock.

use super::options::Request;
use super::outcome::Outcome;
use crate::graph_file::GraphFile;
use crate::measure;
use crate::progress::Progress;
use hive_planner::{Progress as Done, plan_fleet};
use std::time::Instant;

/// Plans, until the deadline at most.
pub(super) fn search(request: &Request, file: &GraphFile) -> Outcome {
    let started = Instant::now();
    let progress = Progress::new("planning");
    let in_time = || {
        request
            .deadline
            .is_none_or(|deadline| started.elapsed() < deadline)
    };
    let watch = |step: Done| {
        progress.set(step.done, step.of);
        in_time()
    };
    let plan = plan_fleet(
        &file.loaded.graph,
        &request.problem,
        &request.config,
        &watch,
    );
    drop(progress);
    Outcome {
        wall_seconds: (started.elapsed().as_secs_f64() * 100.0).round() / 100.0,
        peak_memory_bytes: measure::peak_memory(),
        ..Outcome::of(request, file, plan)
    }
}
