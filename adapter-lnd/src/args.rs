//! The command line.

use crate::connect::MACAROON_FILE;
use crate::permissions::Capability;
use hive_node::config::Config;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use thiserror::Error;

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Run the agent, with these settings.
    Run(BTreeMap<String, String>),
    /// Print the line that bakes the macaroon.
    Macaroon {
        is_autonomous: bool,
        further: BTreeSet<Capability>,
        flags: BTreeMap<String, String>,
    },
    /// Print the help.
    Help,
    /// Print the version.
    Version,
}

/// The command line is not understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum UsageError {
    #[error("{0} is no command; the only one is macaroon, see adapter-lnd --help")]
    Command(String),
    #[error("{0} needs a value")]
    Value(String),
    #[error("{0} is given twice")]
    Twice(String),
    #[error("--mode {0}: advisor or autonomous is expected")]
    Mode(String),
    #[error("--allow {0}: open, rebalance or probe is expected, several separated by commas")]
    Allow(String),
}

/// Arguments without the program's name.
pub(crate) fn parse(args: &[String]) -> Result<Wanted, UsageError> {
    let asks = |names: [&str; 2]| args.iter().any(|arg| names.contains(&arg.as_str()));
    if asks(["--help", "-h"]) {
        return Ok(Wanted::Help);
    }
    if asks(["--version", "-V"]) {
        return Ok(Wanted::Version);
    }
    match args.split_first() {
        Some((command, rest)) if command == "macaroon" => macaroon(rest),
        _ => Ok(Wanted::Run(flags(args)?)),
    }
}

fn flags(args: &[String]) -> Result<BTreeMap<String, String>, UsageError> {
    let mut flags = BTreeMap::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if !arg.starts_with("--") {
            return Err(UsageError::Command(arg.clone()));
        }
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => {
                let value = rest.next().ok_or_else(|| UsageError::Value(arg.clone()))?;
                (arg.clone(), value.clone())
            }
        };
        if flags.insert(name.clone(), value).is_some() {
            return Err(UsageError::Twice(name));
        }
    }
    // The configuration's reader knows its own names by their words alone.
    let bare = |(name, value): (String, String)| (name.trim_start_matches('-').to_owned(), value);
    Ok(flags.into_iter().map(bare).collect())
}

fn macaroon(args: &[String]) -> Result<Wanted, UsageError> {
    let mut flags = flags(args)?;
    let is_autonomous = match flags.remove("mode").as_deref() {
        None | Some("advisor") => false,
        Some("autonomous") => true,
        Some(other) => return Err(UsageError::Mode(other.to_owned())),
    };
    let allow = flags.remove("allow").unwrap_or_default();
    let mut further = BTreeSet::new();
    for word in allow
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        let known = Capability::find(word);
        further.insert(known.ok_or_else(|| UsageError::Allow(word.to_owned()))?);
    }
    Ok(Wanted::Macaroon {
        is_autonomous,
        further,
        flags,
    })
}

/// All that there is to say.
pub(crate) fn help() -> String {
    let mut text = format!(
        "The Hive's agent beside LND: joins this node to a fleet.\n\n\
         Usage:\n\
         \x20 adapter-lnd [--SETTING VALUE]...\n\
         \x20 adapter-lnd macaroon [--mode advisor|autonomous] [--allow open,rebalance,probe] [--data-dir PATH]\n\
         \x20 adapter-lnd --help | --version\n\n\
         The first runs the agent until it is told to stop by SIGTERM or SIGINT. It waits for an LND that is not there, locked\n\
         or starting. Commands are given by the program `hive`: `hive status`, `hive --help`.\n\n\
         The second prints the `lncli bakemacaroon` line with the least permissions. Without --mode it is for an advisor, which\n\
         can spend nothing; --allow adds one permission to spend, so that what you approve can be carried out.\n\n\
         Settings come from hive.toml in the data folder (~/.hive unless --data-dir names another), from the environment and from\n\
         flags; a flag counts before the environment, the environment before the file. The macaroon is {MACAROON_FILE} there.\n\n\
         Settings, as flags; in hive.toml and in the environment they are written as `lnd.host` and HIVE_LND_HOST:\n\
         \x20 --config\n\
         \x20     the configuration file, where it is not hive.toml in the data folder\n"
    );
    for key in Config::keys() {
        // A text takes whatever is written to it.
        let _ = writeln!(text, "  {}\n      {}", key.flag(), key.about);
    }
    text.push_str(
        "\nExit status: 0 when told to stop, 1 when something failed on the way, 2 when the configuration, a certificate or the\n\
         macaroon must be changed first.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn flags_come_in_both_forms() {
        let wanted = parse(&words("--lnd-host a:1 --data-dir=/d")).unwrap();
        let expected = [("data-dir", "/d"), ("lnd-host", "a:1")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(wanted, Wanted::Run(expected.into()));
        assert_eq!(parse(&words("macaroon --help")), Ok(Wanted::Help));
        assert_eq!(parse(&words("-V")), Ok(Wanted::Version));
    }

    #[test]
    fn slips_are_told() {
        let wrong = [
            ("start", "no command"),
            ("--lnd-host", "needs a value"),
            ("--mode a --mode b", "twice"),
            ("macaroon --mode oracle", "advisor or autonomous"),
            ("macaroon --allow close", "open, rebalance or probe"),
        ];
        for (text, expected) in wrong {
            let error = parse(&words(text)).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_help_has_every_setting() {
        let text = help();
        for key in Config::keys() {
            assert!(text.contains(&key.flag()), "{}", key.name);
        }
        assert!(text.contains("--lnd-macaroon"));
    }

    #[test]
    fn macaroons_for_more() {
        let wanted = parse(&words("macaroon --mode advisor --allow open,probe")).unwrap();
        let further = [Capability::Open, Capability::Probe].into();
        let expected = Wanted::Macaroon {
            is_autonomous: false,
            further,
            flags: BTreeMap::new(),
        };
        assert_eq!(wanted, expected);
    }
}
