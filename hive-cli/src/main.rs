//! `hive`: the demo, what-ifs on a graph from a file, the experiment, the simulator, and the operator's commands.

mod columns;
mod demo;
mod embedded;
mod evaluate;
mod failure;
mod graph_file;
mod markup;
mod measure;
mod operator;
mod plan;
mod progress;
mod simulator;

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

const EXAMPLES: &str = "\
Examples:
  hive demo                               five members on a simulated network, in under a minute
  hive demo --graph graph.json --seed 7   the same on a network of yours (lncli describegraph)
  hive plan --graph graph.json --member 02ab... --channels 4 --capital 20000000
                                          where that node would open, on an exported graph
  hive evaluate --report out              what coordination is worth, measured, with a report
  hive sim --seeds 1..1000 --members 7    a thousand fleets with faults drawn from their seeds
  hive status                             ask the agent on this machine; also members, log, report
  hive invite tier=full hours=12          make a ticket; the newcomer runs: hive join hive1...
  hive pending                            what waits for you; then: hive approve <id>

Commands of the agent may be typed with or without hive-, but for hive-plan.
Exit status: 0 all is well, 1 refused or failed, 2 bad input or no agent.";

fn program() -> Command {
    Command::new("hive")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Independent Lightning nodes that act as one, and stay independent")
        .subcommand_required(true)
        .after_help(EXAMPLES)
        .subcommand(
            demo::Options::augment_args(Command::new("demo"))
                .about("show a fleet at work on a simulated Lightning network"),
        )
        .subcommand(
            simulator::Options::augment_args(Command::new("sim"))
                .about("run fleets with faults, one world per seed, and check them"),
        )
        .subcommand(
            plan::Options::augment_args(Command::new("plan"))
                .about("where nodes of yours would open channels, on a graph from a file"),
        )
        .subcommand(
            evaluate::Options::augment_args(Command::new("evaluate"))
                .about("measure what coordination is worth, on a graph from a file or a made one"),
        )
        .subcommands(operator::commands())
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
    let unread = |error: clap::Error| Failure::Usage(one_line(&error.to_string()));
    match matches.subcommand() {
        Some(("demo", matches)) => {
            demo::run(&demo::Options::from_arg_matches(matches).map_err(unread)?)
        }
        Some(("sim", matches)) => {
            simulator::run(&simulator::Options::from_arg_matches(matches).map_err(unread)?)
        }
        Some(("plan", matches)) => {
            plan::run(&plan::Options::from_arg_matches(matches).map_err(unread)?)
        }
        Some(("evaluate", matches)) => {
            evaluate::run(&evaluate::Options::from_arg_matches(matches).map_err(unread)?)
        }
        Some((name, matches)) => operator::run(name, matches),
        None => Err(Failure::Usage("name a command; see hive --help".into())),
    }
}

/// The parser's message without its paragraphs.
fn one_line(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or(text);
    let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_start_matches("error: ");
    format!("{text}; see hive --help")
}
