//! Runs scenarios one after the other and tells what became of each.

use crate::failure::{Context, Failure, Outcome};
use crate::scenarios::{Fleet, SCENARIOS, Scenario, Stage};
use crate::tools::Tools;
use crate::world::World;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

/// How many lines of each log a failure shows.
const LOG_LINES: usize = 25;

/// What is to be run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Scenarios by name, or parts of names; all where there is none.
    pub names: Vec<String>,
    /// Only with this fleet.
    pub only: Option<Fleet>,
    /// Only say what there is.
    pub list: bool,
    /// Keep the folders of scenarios that passed too.
    pub keep: bool,
}

impl Wish {
    /// Reads the command line, the program's name left out.
    ///
    /// # Errors
    /// The usage, for what it does not know.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut wish = Self::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--list" => wish.list = true,
                "--keep" => wish.keep = true,
                "--only" => {
                    let only = args.next().unwrap_or_default();
                    let mut fleets = Fleet::ALL.iter().copied();
                    let found = fleets.find(|fleet| fleet.to_string() == only);
                    wish.only = Some(found.ok_or_else(usage)?);
                }
                name if !name.starts_with('-') && is_known(name) => wish.names.push(arg),
                _ => return Err(usage()),
            }
        }
        Ok(wish)
    }

    fn wants(&self, scenario: &Scenario, fleet: Fleet) -> bool {
        let is_named = self
            .names
            .iter()
            .any(|name| scenario.name.contains(name.as_str()));
        let is_fleet = self.only.is_none_or(|only| only == fleet);
        (is_named || self.names.is_empty()) && is_fleet
    }
}

fn is_known(name: &str) -> bool {
    SCENARIOS
        .iter()
        .any(|scenario| scenario.name.contains(name))
}

fn usage() -> String {
    "usage: regtest [NAME...] [--only lnd|cln|mixed] [--list] [--keep]\n\
     NAME is a scenario or a part of one's name; --list shows them."
        .into()
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Scenarios that passed.
    pub passed: usize,
    /// Scenarios that failed.
    pub failed: usize,
    /// Scenarios that could not run here.
    pub skipped: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.skipped {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

/// Runs what is wished for. Nothing is run to only list it.
///
/// # Errors
/// When the nodes' programs can't be built.
pub fn run(wish: &Wish) -> Outcome<Tally> {
    if wish.list {
        list(wish);
        return Ok(Tally::default());
    }
    let tools = Tools::find()?;
    for line in tools.versions() {
        println!("{line}");
    }
    let mut tally = Tally::default();
    for (scenario, fleet) in chosen(wish) {
        let name = format!("{}/{fleet}", scenario.name);
        let start = Instant::now();
        let outcome = match fleet.needs_cln() && tools.lightningd.is_none() {
            true => Err(Failure::Skipped("there is no lightningd".into())),
            false => one(&tools, scenario, fleet, wish.keep),
        };
        let seconds = start.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => {
                tally.passed += 1;
                println!("PASS {name} ({seconds:.0} s)");
            }
            Err(Failure::Skipped(reason)) => {
                tally.skipped += 1;
                println!("SKIP {name}: {reason}");
            }
            Err(Failure::Wrong(reason)) => {
                tally.failed += 1;
                println!("FAIL {name} ({seconds:.0} s): {reason}");
            }
        }
    }
    println!("{tally}");
    Ok(tally)
}

fn chosen(wish: &Wish) -> impl Iterator<Item = (&'static Scenario, Fleet)> {
    let all = SCENARIOS.iter().flat_map(|scenario| {
        let fleets = scenario.fleets.iter();
        fleets.map(move |&fleet| (scenario, fleet))
    });
    all.filter(|(scenario, fleet)| wish.wants(scenario, *fleet))
}

fn list(wish: &Wish) {
    for (scenario, fleet) in chosen(wish) {
        let cases = scenario.cases.join(" ");
        println!("{}/{fleet}  {}  {cases}", scenario.name, scenario.about);
    }
}

/// One scenario in a folder of its own. The logs of one that failed are kept.
fn one(tools: &Tools, scenario: &Scenario, fleet: Fleet, keep: bool) -> Outcome {
    // Short: the path of a Unix socket has at most 107 bytes.
    let mut folder = tempfile::Builder::new()
        .prefix("hive-")
        .tempdir()
        .during("a temporary folder")?;
    let outcome = play(tools, scenario, fleet, folder.path());
    let failed = matches!(outcome, Err(Failure::Wrong(_)));
    if keep || failed {
        folder.disable_cleanup(true);
        println!("kept {}", folder.path().display());
    }
    outcome
}

fn play(tools: &Tools, scenario: &Scenario, fleet: Fleet, folder: &Path) -> Outcome {
    let world = World::new(tools, folder)?;
    let mut stage = Stage { world, fleet };
    let played = catch_unwind(AssertUnwindSafe(|| (scenario.run)(&mut stage)));
    let outcome = played.unwrap_or_else(|panic| Err(Failure::Wrong(words(&*panic))));
    if let Err(Failure::Wrong(_)) = &outcome {
        println!("{}", stage.world.tails(LOG_LINES));
    }
    outcome
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without words"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Wish, String> {
        Wish::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn command_line_is_understood() {
        let wish = parse("nodes --only cln --keep").unwrap();
        assert_eq!(wish.names, ["nodes"]);
        assert!(wish.keep && !wish.list);
        let names: Vec<String> = chosen(&wish).map(|(_, fleet)| fleet.to_string()).collect();
        assert_eq!(names, ["cln"]);
        assert_eq!(chosen(&parse("").unwrap()).count(), {
            let fleets = SCENARIOS.iter().map(|scenario| scenario.fleets.len());
            fleets.sum::<usize>()
        });
    }

    #[test]
    fn slips_get_the_usage() {
        for line in [
            "--onyl lnd",
            "--only",
            "--only ldk",
            "no_such_scenario",
            "-k",
        ] {
            assert!(parse(line).unwrap_err().starts_with("usage"), "{line}");
        }
    }

    #[test]
    fn tally_names_what_was_skipped() {
        let mut tally = Tally {
            passed: 3,
            failed: 1,
            skipped: 0,
        };
        assert_eq!(tally.to_string(), "3 passed, 1 failed");
        tally.skipped = 2;
        assert_eq!(tally.to_string(), "3 passed, 1 failed, 2 skipped");
    }
}
