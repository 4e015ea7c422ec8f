//! The program, from its arguments to its exit status.

use crate::LndBackend;
use crate::args::{self, UsageError, Wanted};
use crate::connect::{MACAROON_FILE, Source, SourceError};
use crate::notify::Notify;
use crate::permissions::{for_mode, text};
use hive_node::clock::Clock;
use hive_node::config::{Config, ConfigError};
use hive_node::driver::stop_signal;
use hive_node::{Agent, AgentError};
use hive_types::BootId;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use thiserror::Error;

/// Something failed on the way; starting again may help.
const FAILED: u8 = 1;

/// Starting again does not help before something is changed.
const BAD_INPUT: u8 = 2;

/// What ends the program early: one line that says what and what to do.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the log can't be written: {0}; name another log.file")]
    Log(String),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error("the system refuses: {0}; free some memory or processes and try again")]
    System(#[from] io::Error),
}

impl Failure {
    const fn status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::Source(_) | Self::Log(_) => BAD_INPUT,
            // A node that could come by itself is waited for: what is told here stays.
            Self::Agent(
                AgentError::Backend(_)
                | AgentError::OtherNode { .. }
                | AgentError::OtherNetwork { .. }
                | AgentError::Control(_)
                | AgentError::Proxy(_),
            ) => BAD_INPUT,
            Self::Agent(_) | Self::System(_) => FAILED,
        }
    }
}

/// Runs the agent beside LND, or what else the arguments ask for. `args` has no program name; `clock` makes
/// the clock of a boot.
///
/// The status is 0 when it was told to stop, 1 when something failed on the way, 2 when starting again does
/// not help before something is changed.
pub fn run(args: &[String], clock: impl FnOnce(BootId) -> Arc<dyn Clock>) -> ExitCode {
    match dispatch(args, clock) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("adapter-lnd: {failure}");
            ExitCode::from(failure.status())
        }
    }
}

fn dispatch(args: &[String], clock: impl FnOnce(BootId) -> Arc<dyn Clock>) -> Result<(), Failure> {
    match args::parse(args)? {
        Wanted::Help => print(&args::help()),
        Wanted::Version => print(&format!("adapter-lnd {}\n", env!("CARGO_PKG_VERSION"))),
        Wanted::Macaroon {
            is_autonomous,
            further,
            flags,
        } => {
            let (config, _) = load(&flags)?;
            let file = config.data_dir.join(MACAROON_FILE);
            print(&text(&for_mode(is_autonomous, &further), &file))
        }
        Wanted::Run(flags) => {
            let (config, home) = load(&flags)?;
            hive_node::log::init(&config.log).map_err(|error| Failure::Log(error.to_string()))?;
            let to_file = config.log.file.is_some();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            let ended = runtime.block_on(serve(&config, &home, clock));
            if let (Err(failure), true) = (&ended, to_file) {
                // The standard error stream has it in any case.
                tracing::error!("{failure}");
            }
            ended
        }
    }
}

/// The configuration, and the operator's home folder.
fn load(flags: &BTreeMap<String, String>) -> Result<(Config, PathBuf), ConfigError> {
    let home = std::env::var_os("HOME").map_or_else(PathBuf::new, PathBuf::from);
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::load(&home.join(".hive"), &environment.collect(), flags)?;
    Ok((config, home))
}

async fn serve(
    config: &Config,
    home: &Path,
    clock: impl FnOnce(BootId) -> Arc<dyn Clock>,
) -> Result<(), Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let notify = Notify::new(
        variable("NOTIFY_SOCKET").as_deref(),
        variable("WATCHDOG_USEC").as_deref(),
    );
    let mut stop = pin!(stop_signal()?);
    let backend = Arc::new(LndBackend::new(Source::from_config(config, home)?)?);
    notify.status("Waiting for LND.");
    let agent = tokio::select! {
        () = &mut stop => return Ok(()),
        () = notify.keep_alive() => return Ok(()),
        agent = Agent::start(config, backend, clock) => agent?,
    };
    notify.ready();
    let ended = tokio::select! {
        ended = agent.run(async { stop.await; notify.stopping(); }) => ended,
        () = notify.keep_alive() => Ok(()),
    };
    Ok(ended?)
}

/// A reader that has seen enough is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(reason) if reason.kind() != io::ErrorKind::BrokenPipe => Err(reason.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = include_str!("../adapter-lnd.service");

    /// The values of a key, one for each line that sets it.
    fn values(key: &str) -> Vec<&'static str> {
        let lines = UNIT.lines().filter_map(|line| line.split_once('='));
        lines
            .filter(|(name, _)| *name == key)
            .map(|(_, value)| value)
            .collect()
    }

    /// What the unit says fits the program and its documentation.
    #[test]
    fn the_unit_says_what_the_program_does() {
        for (key, expected) in [
            ("Type", "notify"),
            ("NotifyAccess", "main"),
            ("Restart", "on-failure"),
            ("StateDirectoryMode", "0700"),
            ("User", "hive"),
            (
                "ExecStart",
                "/usr/local/bin/adapter-lnd --data-dir /var/lib/hive",
            ),
        ] {
            assert_eq!(values(key), [expected], "{key}");
        }
        // Its arguments are the program's.
        let [start] = values("ExecStart")[..] else {
            panic!("{UNIT}");
        };
        let arguments: Vec<String> = start.split(' ').skip(1).map(str::to_owned).collect();
        assert!(matches!(args::parse(&arguments), Ok(Wanted::Run(_))));
        // It is not started again where only a person can help, and otherwise is.
        let ends: Vec<u8> = values("RestartPreventExitStatus")
            .iter()
            .map(|value| value.parse().unwrap())
            .collect();
        let wrong = Failure::from(args::parse(&["no-command".to_owned()]).unwrap_err());
        let failed = Failure::from(io::Error::other("no memory"));
        assert!(ends.contains(&wrong.status()) && !ends.contains(&failed.status()));
        assert_eq!(ends, [BAD_INPUT]);
    }

    /// What the program lets in fits what the unit lets it have: it says what is too large instead of being killed.
    #[test]
    fn the_largest_replies_fit_the_memory_of_the_unit() {
        let mebibytes = |key: &str| -> usize {
            let [value] = values(key)[..] else {
                panic!("{key}");
            };
            value.strip_suffix('M').unwrap().parse().unwrap()
        };
        let steady = 80 << 20;
        // Measured: the reply, what is decoded of it, what is built, and the graph before it.
        let graph = 6 * crate::graph::GRAPH_BYTES + steady;
        assert!(mebibytes("MemoryHigh") << 20 >= graph);
        let another = 2 * crate::connect::REPLY_BYTES;
        assert!(mebibytes("MemoryMax") << 20 >= graph + another);
    }

    #[test]
    fn the_unit_confines_the_program() {
        for key in [
            "NoNewPrivileges",
            "PrivateTmp",
            "PrivateDevices",
            "PrivateUsers",
            "ProtectClock",
            "ProtectControlGroups",
            "ProtectKernelLogs",
            "ProtectKernelModules",
            "ProtectKernelTunables",
            "LockPersonality",
            "MemoryDenyWriteExecute",
            "RestrictNamespaces",
            "RestrictRealtime",
            "RestrictSUIDSGID",
        ] {
            assert_eq!(values(key), ["true"], "{key}");
        }
        assert_eq!(values("CapabilityBoundingSet"), [""]);
        assert_eq!(values("ProtectSystem"), ["strict"]);
        assert_eq!(values("UMask"), ["0077"]);
        assert_eq!(
            values("RestrictAddressFamilies"),
            ["AF_INET AF_INET6 AF_UNIX"]
        );
        assert_eq!(
            values("SystemCallFilter"),
            ["@system-service", "~@privileged @resources"]
        );
    }
}
