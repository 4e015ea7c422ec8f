//! `hive`: the demo, the simulator, and the operator's commands.

mod demo;
mod embedded;
mod failure;
mod graph_file;

use clap::{Args, Command, FromArgMatches};
use failure::{BAD_INPUT, Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(status) => status,
        Err(failure) => {
            eprintln!("hive: {}", failure.line());
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn program() -> Command {
    Command::new("hive")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Independent Lightning nodes that act as one")
        .subcommand_required(true)
        .subcommand(demo::Options::augment_args(
            Command::new("demo").about("Show a fleet at work on a simulated Lightning network"),
        ))
}

fn run() -> Result<ExitCode, Failure> {
    let matches = match program().try_get_matches() {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => {
            print!("{error}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(Failure::Usage(one_line(&error.to_string()))),
    };
    match matches.subcommand() {
        Some(("demo", matches)) => {
            let options = demo::Options::from_arg_matches(matches);
            let options = options.map_err(|error| Failure::Usage(error.to_string()))?;
            demo::run(&options)
        }
        _ => Err(Failure::Usage("no such command; see hive --help".into())),
    }
}

/// The parser's message without its paragraphs.
fn one_line(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or(text);
    let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_start_matches("error: ");
    format!("{text}; see hive --help")
}
