//! The programs of the nodes: btcd and LND built by the Go toolchain from `go.mod`, Core Lightning as it
//! is found on this machine.

use crate::failure::{Context, Failure, Outcome, wrong};
use bitcoin::hashes::{Hash, sha256};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// LND's release build tags: without them it lacks the RPCs of its sub-servers.
const TAGS: &str = "autopilotrpc signrpc walletrpc chainrpc invoicesrpc watchtowerrpc neutrinorpc \
                    monitoring peersrpc kvdb_postgres kvdb_etcd kvdb_sqlite";

/// The variable that names the folder of built programs.
pub(crate) const CACHE: &str = "HIVE_REGTEST_CACHE";

const MODULE: &str = include_str!("../go.mod");
const SUMS: &str = include_str!("../go.sum");

/// What is built, as `go.mod` names its tools.
const PACKAGES: [&str; 3] = [
    "github.com/btcsuite/btcd",
    "github.com/lightningnetwork/lnd/cmd/lnd",
    "github.com/lightningnetwork/lnd/cmd/lncli",
];

/// Where the programs lie.
#[derive(Clone, Debug)]
pub struct Tools {
    /// btcd.
    pub btcd: PathBuf,
    /// LND.
    pub lnd: PathBuf,
    /// LND's command line.
    pub lncli: PathBuf,
    /// Core Lightning, where there is one.
    pub lightningd: Option<PathBuf>,
    /// The harness's own program, which is also the small programs around the nodes.
    pub own: PathBuf,
}

impl Tools {
    /// Finds the programs, and builds first what is not built yet.
    ///
    /// # Errors
    /// When the Go toolchain is missing or the build fails.
    pub fn find() -> Outcome<Self> {
        let cache = cache()?;
        let folder = cache.join(fingerprint());
        if !folder.is_dir() {
            build(&cache, &folder)?;
        }
        Ok(Self {
            btcd: folder.join("btcd"),
            lnd: folder.join("lnd"),
            lncli: folder.join("lncli"),
            lightningd: lightningd()?,
            own: env::current_exe().during("the harness's own program")?,
        })
    }

    /// One line for each node: what it is and its version.
    pub fn versions(&self) -> Vec<String> {
        let mut lines = vec![
            format!("btcd {}", version(&self.btcd)),
            format!("LND {}", version(&self.lnd)),
        ];
        lines.push(match &self.lightningd {
            Some(path) => format!("Core Lightning {}", version(path)),
            None => {
                "Core Lightning: not here; put lightningd on PATH or name it in LIGHTNINGD".into()
            }
        });
        lines
    }
}

/// What a program says to `--version`.
fn version(program: &Path) -> String {
    match Command::new(program).arg("--version").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) => format!("{}: {error}", program.display()),
    }
}

/// The folder of built programs: another for each set of sources and tags.
fn fingerprint() -> String {
    let all = [MODULE, SUMS, TAGS].concat();
    let digest = sha256::Hash::hash(all.as_bytes()).to_string();
    digest.chars().take(16).collect()
}

fn cache() -> Outcome<PathBuf> {
    if let Some(named) = env::var_os(CACHE) {
        return Ok(named.into());
    }
    let base = match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => Path::new(&home).join(".cache"),
        (None, None) => {
            return wrong("no HOME: name a folder for built nodes in HIVE_REGTEST_CACHE");
        }
    };
    Ok(base.join("hive-regtest"))
}

/// Builds into a folder beside, then renames: what has the right name is whole.
fn build(cache: &Path, folder: &Path) -> Outcome {
    eprintln!("building btcd and LND, once: this takes some minutes");
    fs::create_dir_all(cache).during(cache.display())?;
    let growing = tempfile::tempdir_in(cache).during(cache.display())?;
    let status = Command::new("go")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "-trimpath", "-buildvcs=false", "-tags", TAGS, "-o"])
        .arg(growing.path())
        .args(PACKAGES)
        // A program of pure Go runs on any machine that shares the cache; LND's releases are built so.
        .env("CGO_ENABLED", "0")
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return wrong(format!("go build ended with {status}; see above")),
        Err(error) => {
            let words = format!("go: {error}; install the Go toolchain (1.25 or newer, go.dev/dl)");
            return Err(Failure::Wrong(words));
        }
    }
    let whole = growing.keep();
    match fs::rename(&whole, folder) {
        // Another run was faster: its programs are the same.
        Err(_) if folder.is_dir() => fs::remove_dir_all(&whole).during(whole.display()),
        renamed => renamed.during(folder.display()),
    }
}

/// The one that LIGHTNINGD names, else the first on PATH.
fn lightningd() -> Outcome<Option<PathBuf>> {
    if let Some(named) = env::var_os("LIGHTNINGD").filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return match named.is_file() {
            // It finds its subdaemons by its own place.
            true => Ok(Some(named.canonicalize().during(named.display())?)),
            false => wrong(format!("LIGHTNINGD={}: no such file", named.display())),
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates = env::split_paths(&path).map(|folder| folder.join("lightningd"));
    Ok(candidates.find(|candidate| candidate.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_of_the_module_is_built() {
        for package in PACKAGES {
            assert!(MODULE.contains(&format!("\t{package}\n")), "{package}");
        }
        assert_eq!(fingerprint().len(), 16);
    }
}
