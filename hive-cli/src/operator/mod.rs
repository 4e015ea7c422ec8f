//! The operator's commands against a running agent, over its local socket.

mod table;

use crate::failure::{BAD_INPUT, Failure};
use clap::{Arg, ArgAction, ArgMatches, Command};
use hive_node::config::Config;
use hive_node::control::{COMMANDS, Client, ClientError, CommandName, CommandSpec, Request};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// The prefix of every command's name, which need not be typed.
const PREFIX: &str = "hive-";

/// Commands that need their full name: `hive plan` is about a graph file, not about a running agent.
const FULL_NAME_ONLY: [CommandName; 1] = [CommandName::HivePlan];

/// The command line of every command of the table.
pub(crate) fn commands() -> impl Iterator<Item = Command> {
    COMMANDS.iter().map(command)
}

fn command(spec: &'static CommandSpec) -> Command {
    let params = spec.params.iter().map(|param| {
        let needed = if param.required { "" } else { " (optional)" };
        format!(
            "  {}=<{}>  {}{needed}",
            param.name,
            kind(param),
            param.about
        )
    });
    let params: Vec<String> = params.collect();
    let mut command = Command::new(spec.text)
        .about(spec.about)
        .override_usage(format!(
            "hive {} [--socket PATH] [--json]",
            spec.name.usage()
        ))
        .arg(
            Arg::new("params")
                .value_name("PARAMETER")
                .help("Parameters, by name or in this order")
                .action(ArgAction::Append)
                .num_args(0..),
        )
        .args(common());
    if !params.is_empty() {
        command = command.after_help(format!("Parameters:\n{}", params.join("\n")));
    }
    let short = spec.text.strip_prefix(PREFIX).unwrap_or(spec.text);
    if !FULL_NAME_ONLY.contains(&spec.name) {
        command = command.alias(short);
    }
    if spec.name == CommandName::HiveApprove {
        command = command.alias("revenue-hive-approve");
    }
    command
}

fn kind(param: &hive_node::control::ParamSpec) -> String {
    let kind = param.kind.to_string();
    kind.trim_matches(['<', '>']).to_owned()
}

fn common() -> [Arg; 4] {
    let path = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("PATH").help(help)
    };
    [
        path("socket", "The agent's control socket"),
        path("data-dir", "The agent's data folder"),
        path("config", "The agent's configuration file"),
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Print the agent's answer as JSON"),
    ]
}

/// Runs a command of the table and prints what the agent answers. The status is 1 when it refuses.
pub(crate) fn run(name: &str, matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let command = CommandName::find(name)
        .ok_or_else(|| Failure::Usage(format!("there is no command {name}; see hive --help")))?;
    let given = matches.get_many::<String>("params");
    let given: Vec<&String> = given.into_iter().flatten().collect();
    let params = params(command.spec(), &given)?;
    // Checked here already: a slip is told also while no agent runs.
    Request::new(command, &params)
        .map_err(|reason| Failure::Usage(format!("{reason}; usage: hive {}", command.usage())))?;
    let socket = socket(matches)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async {
        let mut client = Client::connect(&socket).await?;
        client.call(command, &params).await
    });
    let value = match answer {
        Ok(value) => value,
        Err(ClientError::Refused(error)) => {
            eprintln!("hive: {error}");
            return Ok(ExitCode::FAILURE);
        }
        Err(error @ ClientError::NotRunning { .. }) => {
            return Err(Failure::Agent(error.to_string()));
        }
        Err(error @ ClientError::Broken(_)) => {
            eprintln!("hive: {error}");
            return Ok(ExitCode::from(BAD_INPUT));
        }
    };
    let text = match matches.get_flag("json") {
        true => serde_json::to_string_pretty(&value)
            .map_err(|error| Failure::Internal(error.to_string()))?,
        false => table::render(command, &value),
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

/// `name=value` for each, or values in the table's order.
fn params(spec: &'static CommandSpec, given: &[&String]) -> Result<Value, Failure> {
    let mut params = Map::new();
    let mut places = spec.params.iter();
    for text in given {
        let named = text.split_once('=').and_then(|(name, value)| {
            let known = spec.params.iter().find(|param| param.name == name)?;
            Some((known, value))
        });
        let (param, value) = match named {
            Some(named) => named,
            None => {
                let next = places.find(|param| !params.contains_key(param.name));
                let next = next.ok_or_else(|| {
                    Failure::Usage(format!(
                        "{text:?} is one parameter too many; usage: hive {}",
                        spec.name.usage()
                    ))
                })?;
                (next, text.as_str())
            }
        };
        params.insert(param.name.to_owned(), Value::String(value.to_owned()));
    }
    Ok(Value::Object(params))
}

/// The socket that is named, else the one of the configuration, as the agent itself would read it.
fn socket(matches: &ArgMatches) -> Result<PathBuf, Failure> {
    if let Some(socket) = matches.get_one::<String>("socket") {
        return Ok(socket.into());
    }
    let home = std::env::var_os("HOME").map_or_else(PathBuf::new, PathBuf::from);
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment: BTreeMap<String, String> = environment.collect();
    let flags = ["data-dir", "config"].into_iter().filter_map(|name| {
        let value = matches.get_one::<String>(name)?;
        Some((name.to_owned(), value.clone()))
    });
    let config = Config::load(&home.join(".hive"), &environment, &flags.collect())?;
    Ok(config.control_socket)
}
