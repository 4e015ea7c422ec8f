//! Programs that run beside a scenario, and the certainty that none outlives it.
//!
//! Each runs in a process group of its own, which is killed when its [`Service`] is dropped, also by a
//! panic. Should the harness itself be killed, a [`Guard`] does it: a process that does nothing but read
//! from a pipe which groups there are, and kills them when the pipe ends.

use crate::failure::{Context, Outcome, wrong};
use crate::wait;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getrlimit, kill_process, kill_process_group, prlimit,
    test_kill_process_group,
};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The role in which the harness's own program is the guard.
pub const GUARD: &str = "hive-regtest-guard";

/// How long a program may take to leave when asked to. LND closes its databases meanwhile.
const LEAVING: Duration = Duration::from_secs(60);

/// How long the system may take to bury what was killed.
const BURIAL: Duration = Duration::from_secs(10);

/// What kills the programs when the harness can't any more.
#[derive(Debug)]
pub struct Guard {
    pipe: Mutex<ChildStdin>,
    _child: Child,
}

impl Guard {
    /// Starts one. `program` is the harness's own program file.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn start(program: &Path) -> Outcome<Arc<Self>> {
        let mut child = Command::new(program)
            .arg(GUARD)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .during("starting the guard")?;
        let pipe = child.stdin.take().during("the guard's pipe")?;
        let pipe = Mutex::new(pipe);
        Ok(Arc::new(Self {
            pipe,
            _child: child,
        }))
    }

    fn tell(&self, sign: char, group: Pid) -> io::Result<()> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(pipe, "{sign}{}", group.as_raw_pid())
    }
}

/// The guard's life: reads groups until the pipe ends, then kills those that are left.
///
/// # Errors
/// When the pipe breaks; what is left is killed all the same.
pub fn guard(input: impl BufRead) -> io::Result<()> {
    let mut groups = BTreeSet::new();
    let mut broken = Ok(());
    for line in input.lines() {
        match line {
            Ok(line) => note(&mut groups, &line),
            Err(error) => {
                broken = Err(error);
                break;
            }
        }
    }
    for group in groups.into_iter().filter_map(Pid::from_raw) {
        // Gone already: nothing to do.
        let _ = kill_process_group(group, Signal::KILL);
    }
    broken
}

fn note(groups: &mut BTreeSet<i32>, line: &str) {
    let (sign, number) = line.split_at_checked(1).unwrap_or_default();
    match (sign, number.parse()) {
        ("+", Ok(group)) => drop(groups.insert(group)),
        ("-", Ok(group)) => drop(groups.remove(&group)),
        _ => {}
    }
}

/// A running program.
#[derive(Debug)]
pub struct Service {
    name: String,
    log: PathBuf,
    child: Child,
    group: Pid,
    guard: Arc<Guard>,
}

impl Service {
    /// Starts a program in a group of its own; what it prints is appended to `log`.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn start(
        guard: &Arc<Guard>,
        name: &str,
        command: &mut Command,
        log: &Path,
    ) -> Outcome<Self> {
        let out = OpenOptions::new().create(true).append(true).open(log);
        let out = out.during(log.display())?;
        let err: File = out.try_clone().during(log.display())?;
        for name in crate::OWN_VARIABLES {
            command.env_remove(name);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .during(format!("starting {name}"))?;
        let service = Self {
            name: name.into(),
            log: log.into(),
            group: Pid::from_child(&child),
            child,
            guard: guard.clone(),
        };
        service.guard.tell('+', service.group).during("the guard")?;
        Ok(service)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Fails when the program has ended, with the end of its log.
    ///
    /// # Errors
    /// When it does not run any more.
    pub fn alive(&mut self) -> Outcome {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => wrong(format!("{} ended: {status}\n{}", self.name, self.tail(15))),
            Err(error) => wrong(format!("{}: {error}", self.name)),
        }
    }

    /// Sends a signal to the program alone.
    ///
    /// # Errors
    /// When it does not run any more.
    pub fn signal(&self, signal: Signal) -> Outcome {
        kill_process(self.group, signal).during(format!("signal to {}", self.name))
    }

    /// Waits until it ends by itself, and gives its exit status, if it was no signal that ended it.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn wait(&mut self) -> Outcome<Option<i32>> {
        let child = &mut self.child;
        let status = wait::within(LEAVING, format!("{} leaves", self.name), || {
            match child.try_wait() {
                Ok(Some(status)) => Ok(status),
                Ok(None) => Err("it runs".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        })?;
        Ok(status.code())
    }

    /// Asks it to leave (SIGTERM) and waits until it has left, with all that it started.
    ///
    /// # Errors
    /// When it had to be killed.
    pub fn stop(mut self) -> Outcome {
        let _ = self.signal(Signal::TERM);
        self.left()
    }

    /// Waits until it has left by itself, with all that it started.
    ///
    /// # Errors
    /// When it had to be killed.
    pub fn left(&mut self) -> Outcome {
        self.wait()?;
        self.clean()
    }

    /// Kills it with all that it started (SIGKILL).
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
        // What fails here fails because nothing is left.
        let _ = self.clean();
        let _ = self.guard.tell('-', self.group);
    }

    /// Waits until nothing of its group is left.
    fn clean(&self) -> Outcome {
        let group = self.group;
        wait::within(BURIAL, format!("nothing is left of {}", self.name), || {
            match test_kill_process_group(group) {
                Err(_) => Ok(()),
                Ok(()) => Err("a process of its group runs"),
            }
        })
    }

    /// The last lines of its log.
    pub fn tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// Resident memory in KiB, from the system's books.
    pub fn memory_kib(&self) -> Option<u64> {
        memory_kib(self.id())
    }

    /// Processor time used so far, in seconds.
    pub fn cpu_seconds(&self) -> Option<f64> {
        cpu_seconds(self.id())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}

/// Resident memory of a process in KiB; none where the system does not tell.
pub fn memory_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Processor time that a process has used, in seconds; none where the system does not tell.
pub fn cpu_seconds(process: u32) -> Option<f64> {
    // Linux counts in hundredths on every platform that it has left.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold spaces; user and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Option<Vec<f64>> = ticks.map(|field| field.parse().ok()).collect();
    Some(ticks?.iter().sum::<f64>() / TICKS_PER_SECOND)
}

/// Sends a signal to one process.
///
/// # Errors
/// When there is none.
pub fn signal(process: u32, signal: Signal) -> Outcome {
    kill_process(pid(process)?, signal).during(format!("signal to process {process}"))
}

/// Lets a process write no byte more to any file, as on a full disk, or again as much as the harness may.
///
/// # Errors
/// When there is no such process, or the system refuses.
pub fn fill_disk(process: u32, is_full: bool) -> Outcome {
    let own = getrlimit(Resource::Fsize);
    let current = if is_full { Some(0) } else { own.current };
    let limit = Rlimit { current, ..own };
    prlimit(Some(pid(process)?), Resource::Fsize, limit)
        .map(drop)
        .during(format!("the file limit of process {process}"))
}

fn pid(process: u32) -> Outcome<Pid> {
    let raw = i32::try_from(process).ok();
    raw.and_then(Pid::from_raw).during("a process id")
}

/// What a process has started and not buried, each with its command line.
///
/// # Errors
/// When the system does not tell.
pub fn children(process: u32) -> Outcome<Vec<String>> {
    let tasks = format!("/proc/{process}/task");
    let mut children = Vec::new();
    for task in fs::read_dir(&tasks).during(&tasks)? {
        // A thread may end meanwhile, and a child too.
        let Ok(task) = task else { continue };
        let listed = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in listed.split_whitespace() {
            let line = fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap_or_default();
            children.push(format!("{child} {}", line.replace('\0', " ")));
        }
    }
    Ok(children)
}

/// The last lines of a file.
pub fn tail(path: &Path, lines: usize) -> String {
    let Ok(bytes) = fs::read(path) else {
        return format!("{}: no log", path.display());
    };
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    let from = all.len().saturating_sub(lines);
    all.get(from..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guard_kills_what_is_left_when_its_pipe_ends() {
        let start = || {
            let mut command = Command::new("sleep");
            let child = command.arg("600").process_group(0).spawn();
            child.unwrap()
        };
        let (mut kept, mut dropped) = (start(), start());
        let (left, gone) = (kept.id(), dropped.id());
        let told = format!("+{left}\n+{gone}\n-{gone}\nnonsense\n\n");
        guard(told.as_bytes()).unwrap();
        assert_eq!(kept.wait().unwrap().code(), None);
        assert!(dropped.try_wait().unwrap().is_none());
        dropped.kill().unwrap();
        dropped.wait().unwrap();
    }

    #[test]
    fn system_tells_memory_and_time() {
        let own = std::process::id();
        assert!(memory_kib(own).unwrap() > 100);
        assert!(cpu_seconds(own).unwrap() >= 0.0);
        assert_eq!(memory_kib(u32::MAX), None);
    }

    #[test]
    fn tail_is_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(tail(&path, 2), "two\nthree");
        assert_eq!(tail(&path, 9), "one\ntwo\nthree");
    }
}
