//! `hive plan`: an operator's what-if on a graph that their own node exported. It asks no node, tells
//! nobody and opens nothing.

mod options;
mod outcome;
mod picture;
mod search;
mod words;

pub(crate) use options::{Options, amount, fees, sender};

use crate::failure::Failure;
use crate::graph_file;
use options::Request;
use outcome::Outcome;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Plans, tells and draws. The status is 0 also when nothing is worth opening: that is an answer.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    // What is wrong with the flags is told before a large file is read.
    Request::of(options, BTreeSet::new())?;
    let file = graph_file::load(&options.graph)?;
    let request = Request::of(options, file.loaded.merchants.clone())?;
    if file.loaded.graph.channel_count() == 0 {
        return Err(Failure::Graph {
            path: options.graph.first().cloned().unwrap_or_default(),
            reason: "it holds no channel, so nobody pays anybody; export the graph of a node that has caught up".into(),
        });
    }
    let outcome = search::search(&request, &file);
    if let Some(path) = &options.picture {
        draw(path, &outcome, &file)?;
    }
    print(options, &outcome)?;
    Ok(ExitCode::SUCCESS)
}

fn draw(path: &Path, outcome: &Outcome, file: &graph_file::GraphFile) -> Result<(), Failure> {
    let scene = outcome.scene(&file.loaded);
    let drawn = std::fs::write(path, picture::draw(&scene));
    drawn.map_err(|reason| Failure::unwritable(path, reason))
}

fn print(options: &Options, outcome: &Outcome) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let text = match options.json {
        true => serde_json::to_string_pretty(outcome)
            .map_err(|error| Failure::Internal(error.to_string()))?,
        false => words::tell(outcome),
    };
    writeln!(out, "{text}")?;
    Ok(())
}
