//! Nodes that forward badly: HTLCs that they hold, fail, shorten or overcharge. LND's interceptor and a plugin
//! with Core Lightning's `htlc_accepted` hook do the same.

mod cln;
mod lnd;
mod websocket;

pub(crate) use cln::{NAME as FORWARDING_PLUGIN, run as forwarding_plugin};
pub(crate) use lnd::Interceptor;

use crate::failure::{Context, Outcome};
use crate::roles::Script;
use crate::world::World;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// How a node treats HTLCs that it should pass on. Those that end in it are left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// As it should.
    Honest,
    /// Keeps them until it forwards otherwise.
    Hold,
    /// Fails them with `temporary_channel_failure`, as a black hole does.
    Fail,
    /// Passes on this much less than it was told, in msat.
    Short(u64),
    /// Demands this rate in millionths, whatever its own updates say. Core Lightning's answer names it; LND's
    /// comes with its own update.
    Demand(u32),
}

impl Forwarding {
    fn word(self) -> String {
        match self {
            Self::Honest => "honest".into(),
            Self::Hold => "hold".into(),
            Self::Fail => "fail".into(),
            Self::Short(msat) => format!("short {msat}"),
            Self::Demand(ppm) => format!("demand {ppm}"),
        }
    }
}

impl FromStr for Forwarding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, number) = text.trim().split_once(' ').unwrap_or((text.trim(), "0"));
        let unknown = || format!("no way to forward: {text:?}");
        match word {
            "honest" => Ok(Self::Honest),
            "hold" => Ok(Self::Hold),
            "fail" => Ok(Self::Fail),
            "short" => number.parse().map(Self::Short).map_err(|_| unknown()),
            "demand" => number.parse().map(Self::Demand).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

/// Between two looks at what is wished.
const LOOK: Duration = Duration::from_millis(50);

/// The file in a node's folder that says how it forwards.
const FILE: &str = "forwarding";

/// Reads what is wished; as before while it can't be read.
fn wished(file: &Path, before: Forwarding) -> Forwarding {
    let text = fs::read_to_string(file).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(before)
}

/// Notes that an HTLC was not treated as it should be, so that a test can tell that it was this.
fn note(file: &Path, how: Forwarding) {
    let noted = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(notes(file));
    // A note that is missing fails the test that looks for it.
    let _ = noted.and_then(|mut noted| writeln!(noted, "{}", how.word()));
}

fn notes(file: &Path) -> PathBuf {
    file.with_extension("notes")
}

impl World {
    /// HTLCs that a node treated in this way so far.
    pub fn treated(&self, place: usize, how: Forwarding) -> usize {
        let notes = notes(&self.node(place).folder().join(FILE));
        let text = fs::read_to_string(notes).unwrap_or_default();
        let word = how.word();
        text.lines().filter(|line| **line == word).count()
    }

    /// Makes a node forward in this way from now on, also what it holds.
    ///
    /// # Errors
    /// When the node takes no interceptor.
    pub fn forwards(&mut self, place: usize, how: Forwarding) -> Outcome {
        let node = self.node(place);
        let file = node.folder().join(FILE);
        let is_new = !file.exists();
        // Whole at once: the reader may look at any moment.
        let fresh = node.folder().join("forwarding.new");
        fs::write(&fresh, how.word()).during(fresh.display())?;
        fs::rename(&fresh, &file).during(file.display())?;
        if !is_new {
            return Ok(());
        }
        match (node.as_lnd(), node.as_cln()) {
            (Some(lnd), _) => {
                let interceptor = Interceptor::start(lnd, file)?;
                self.interceptors.push(interceptor);
                Ok(())
            }
            (None, _) => self.forwarding_plugin(place, &file),
        }
    }

    fn forwarding_plugin(&self, place: usize, file: &Path) -> Outcome {
        let node = self.node(place);
        let plugin: PathBuf = node.folder().join(FORWARDING_PLUGIN);
        let environment = BTreeMap::from([(cln::FILE.to_owned(), file.display().to_string())]);
        let script = Script {
            program: &self.tools().own,
            role: &[FORWARDING_PLUGIN],
            environment: &environment,
        };
        script.write(&plugin)?;
        let params = json!({"subcommand": "start", "plugin": plugin.display().to_string()});
        node.request("plugin", &params).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_survive_their_words() {
        let ways = [
            Forwarding::Honest,
            Forwarding::Hold,
            Forwarding::Fail,
            Forwarding::Short(1_000),
            Forwarding::Demand(500),
        ];
        for way in ways {
            assert_eq!(way.word().parse(), Ok(way));
        }
        assert!("steal".parse::<Forwarding>().is_err());
    }
}
