//! One program, several roles: its first argument says which, where it is not the runner's.

use crate::agent::SharedClock;
use crate::failure::{Context, Outcome};
use crate::{forwarding, node, process};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The agent beside LND, with the harness's clock.
pub(crate) const LND_AGENT: &str = "hive-lnd-agent";

/// The agent as Core Lightning's plugin, with the harness's clock.
pub(crate) const CLN_AGENT: &str = "hive-cln-agent";

/// The plugin that hands notifications to a backend within the harness.
pub(crate) const EVENTS: &str = "hive-events-plugin";

/// Plays the role that the first argument asks for, the program's name left out; none where it is the
/// runner's.
pub fn play(args: &[String]) -> Option<ExitCode> {
    let (role, rest) = args.split_first()?;
    match role.as_str() {
        process::GUARD => {
            let ended = process::guard(std::io::stdin().lock());
            Some(status(ended.during("the guard")))
        }
        node::CHAIN_PLUGIN => Some(status(node::chain_plugin())),
        forwarding::FORWARDING_PLUGIN => Some(status(forwarding::forwarding_plugin())),
        EVENTS => Some(adapter_cln::forward::run()),
        LND_AGENT => Some(with_clock(rest, |clock, rest| {
            adapter_lnd::run(rest, |boot| clock.at(boot))
        })),
        CLN_AGENT => Some(with_clock(rest, |clock, _| {
            let clock = Arc::new(move |boot| clock.at(boot));
            adapter_cln::run(environment(), clock)
        })),
        _ => None,
    }
}

fn status(ended: Outcome) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the clock from the first argument.
fn with_clock(args: &[String], agent: impl FnOnce(SharedClock, &[String]) -> ExitCode) -> ExitCode {
    let split = args.split_first();
    match split.and_then(|(clock, rest)| Some((clock.parse().ok()?, rest))) {
        Some((clock, rest)) => agent(clock, rest),
        None => {
            eprintln!("an agent of the harness needs its clock first, <speed>@<milliseconds>");
            ExitCode::FAILURE
        }
    }
}

fn environment() -> BTreeMap<String, String> {
    // What is no text can't be a setting.
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// A script that plays a role.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    /// The harness's own program.
    pub(crate) program: &'a Path,
    /// The role and what follows it; letters, digits and signs that mean nothing to a shell.
    pub(crate) role: &'a [&'a str],
    /// Variables for the role.
    pub(crate) environment: &'a BTreeMap<String, String>,
}

impl Script<'_> {
    /// Writes it into a file of this name. A link would not do: lightningd resolves links before it runs a
    /// plugin. The file `<path>.pid` tells the process id of the one that ran last.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn write(&self, path: &Path) -> Outcome {
        let mut text = String::from("#!/bin/sh\n");
        for (name, value) in self.environment {
            text.push_str(&format!("export {name}={}\n", quoted(value)));
        }
        // A file that may not grow any more is then an error to the program, not its end.
        text.push_str("trap '' XFSZ\n");
        let pid = quoted(&pid_file(path).display().to_string());
        text.push_str(&format!("echo $$ > {pid}\n"));
        let program = quoted(&self.program.display().to_string());
        text.push_str(&format!("exec {program} {} \"$@\"\n", self.role.join(" ")));
        fs::write(path, text).during(path.display())?;
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path, executable).during(path.display())
    }
}

/// Where a script tells its process id.
pub(crate) fn pid_file(script: &Path) -> PathBuf {
    let mut name = script.as_os_str().to_owned();
    name.push(".pid");
    name.into()
}

/// A word for the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn script_passes_role_environment_and_arguments_on() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("it's a place");
        fs::create_dir(&odd).unwrap();
        let program = odd.join("program");
        fs::write(&program, "#!/bin/sh\necho \"$@\" $ODD\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let script = Script {
            program: &program,
            role: &["some-role", "60@1"],
            environment: &[("ODD".to_owned(), "it's $HOME".to_owned())].into(),
        };
        let path = odd.join("script");
        script.write(&path).unwrap();
        let output = Command::new(&path).arg("two words").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "some-role 60@1 two words it's $HOME\n");
        let told = fs::read_to_string(pid_file(&path)).unwrap();
        assert!(told.trim().parse::<u32>().is_ok());
    }

    #[test]
    fn what_is_no_role_is_left_to_the_runner() {
        assert!(play(&[]).is_none());
        assert!(play(&["--list".into()]).is_none());
    }
}
