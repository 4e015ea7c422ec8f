//! Which crate may depend on which.
//!
//! The arrows are those of `docs/architecture.md`. Dev-dependencies may be wider, as tests of a lower crate may drive a
//! higher one, but no pure crate sees the runtime or the program, not even in its tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::breach::Breach;
use crate::manifest::{Dependency, Use};
use crate::tree::{Crate, Tree};

/// A crate and the workspace crates that it may depend on; what those may, it may too.
const ARROWS: &[(&str, &[&str])] = &[
    ("hive-types", &[]),
    ("hive-proto", &["hive-types"]),
    ("hive-state", &["hive-proto"]),
    ("hive-planner", &["hive-types"]),
    ("hive-policy", &["hive-types"]),
    ("hive-core", &["hive-state", "hive-planner", "hive-policy"]),
    ("hive-node", &["hive-core"]),
    ("hive-sim", &["hive-core"]),
    ("hive-evaluate", &["hive-planner"]),
    ("hive-cli", &["hive-node", "hive-sim", "hive-evaluate"]),
    ("adapter-cln", &["hive-node"]),
    ("adapter-lnd", &["hive-node"]),
    ("regtest", &["adapter-cln", "adapter-lnd"]),
    ("examples", &["hive-node", "hive-sim"]),
    ("hive-fuzz", &["hive-sim"]),
    ("tidy", &[]),
];

/// Everything that a crate may depend on, lower crates first; `None` for one that is not in the drawing.
fn allowed(name: &str) -> Option<Vec<&'static str>> {
    let (_, direct) = ARROWS.iter().find(|(known, _)| *known == name)?;
    let mut all = Vec::new();
    for &below in *direct {
        let further = allowed(below).unwrap_or_default();
        for one in further.into_iter().chain([below]) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    Some(all)
}

/// Crates without clock, randomness, IO or async.
pub(crate) const PURE: &[&str] = &[
    "hive-types",
    "hive-proto",
    "hive-state",
    "hive-planner",
    "hive-policy",
    "hive-core",
    "hive-sim",
    "hive-evaluate",
];

/// Never below a pure crate, not even in its tests.
const ABOVE_PURE: &[&str] = &[
    "hive-node",
    "hive-cli",
    "adapter-cln",
    "adapter-lnd",
    "regtest",
    "tokio",
];

/// Runtimes and databases: never anywhere in the tree of normal dependencies of a pure crate.
const HEAVY: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "rusqlite",
    "libsqlite3-sys",
];

/// Checks the manifests and the lock file.
pub(crate) fn check(tree: &Tree, found: &mut Vec<Breach>) {
    let members: BTreeSet<&str> = tree.crates.iter().map(Crate::name).collect();
    for one in &tree.crates {
        let Some(allowed) = allowed(one.name()) else {
            let what = format!(
                "`{}` is not in the drawing; add it to ARROWS in tidy/src/arrows.rs and to docs/architecture.md",
                one.name()
            );
            found.push(Breach::new(&one.manifest_path(), 1, what));
            continue;
        };
        for dependency in &one.manifest.dependencies {
            if let Some(what) = judge(one, dependency, &allowed, &members) {
                found.push(Breach::new(&one.manifest_path(), dependency.line, what));
            }
        }
        if PURE.contains(&one.name()) {
            look_below(tree, one, found);
        }
    }
}

fn judge(
    one: &Crate,
    dependency: &Dependency,
    allowed: &[&str],
    members: &BTreeSet<&str>,
) -> Option<String> {
    let (name, package) = (one.name(), dependency.package.as_str());
    if package == "bincode" && name != "hive-proto" {
        return Some(format!(
            "`{name}` must not depend on bincode; go through hive-proto's codec"
        ));
    }
    let pure = PURE.contains(&name);
    match dependency.usage {
        Use::Normal if members.contains(package) && !allowed.contains(&package) => {
            let may = if allowed.is_empty() {
                "no crate of this workspace".to_owned()
            } else {
                allowed.join(", ")
            };
            Some(format!(
                "`{name}` must not depend on `{package}`, only on {may}; move what it needs to a lower crate"
            ))
        }
        Use::Dev if pure && ABOVE_PURE.contains(&package) => Some(format!(
            "tests of the pure crate `{name}` must not depend on `{package}`; test it from above"
        )),
        _ => None,
    }
}

/// Walks what is compiled into a pure crate, through the manifests of the workspace and through the lock file.
fn look_below(tree: &Tree, one: &Crate, found: &mut Vec<Breach>) {
    let lock: BTreeMap<&str, Vec<&str>> = tree.lock.iter().fold(
        BTreeMap::new(),
        |mut map: BTreeMap<&str, Vec<&str>>, (name, below)| {
            map.entry(name)
                .or_default()
                .extend(below.iter().map(String::as_str));
            map
        },
    );
    let normal = |name: &str| -> Vec<&str> {
        match tree.crates.iter().find(|c| c.name() == name) {
            Some(member) => {
                let own = member
                    .manifest
                    .dependencies
                    .iter()
                    .filter(|d| d.usage == Use::Normal);
                own.map(|d| d.package.as_str()).collect()
            }
            None => lock.get(name).cloned().unwrap_or_default(),
        }
    };
    for first in one
        .manifest
        .dependencies
        .iter()
        .filter(|d| d.usage == Use::Normal)
    {
        let mut seen = BTreeSet::new();
        let mut open = vec![vec![first.package.as_str()]];
        while let Some(way) = open.pop() {
            let Some(&last) = way.last() else { continue };
            if HEAVY.contains(&last) {
                let what = format!(
                    "`{}` has `{last}` below it, by {}; drop it",
                    one.name(),
                    way.join(" > ")
                );
                found.push(Breach::new(&one.manifest_path(), first.line, what));
                break;
            }
            for next in normal(last) {
                if seen.insert(next) {
                    open.push(way.iter().copied().chain([next]).collect());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plant::{accepted, breaches, caught};

    fn manifest(name: &str, rest: &str) -> String {
        format!("[package]\nname = \"{name}\"\n{rest}")
    }

    #[test]
    fn an_arrow_against_the_drawing_is_caught() {
        let text = manifest(
            "hive-planner",
            "[dependencies]\nhive-types.workspace = true\nhive-proto.workspace = true\n",
        );
        caught(
            &[("hive-planner/Cargo.toml", &text)],
            "hive-planner/Cargo.toml:5",
            "must not depend on `hive-proto`",
        );
    }

    #[test]
    fn an_arrow_under_another_name_or_for_one_platform_is_caught() {
        let text = manifest(
            "hive-types",
            "[dependencies]\nwire = { package = \"hive-proto\", path = \"../hive-proto\" }\n",
        );
        caught(
            &[("hive-types/Cargo.toml", &text)],
            "hive-types/Cargo.toml:4",
            "`hive-proto`",
        );
        let text = manifest(
            "hive-types",
            "[target.'cfg(unix)'.dependencies]\nhive-proto = \"0.1\"\n",
        );
        caught(
            &[("hive-types/Cargo.toml", &text)],
            "hive-types/Cargo.toml:4",
            "`hive-proto`",
        );
        let text = manifest(
            "hive-types",
            "[build-dependencies.hive-proto]\npath = \"../hive-proto\"\n",
        );
        caught(
            &[("hive-types/Cargo.toml", &text)],
            "hive-types/Cargo.toml:3",
            "`hive-proto`",
        );
    }

    #[test]
    fn tests_may_look_up_but_not_at_the_runtime() {
        let text = manifest(
            "hive-types",
            "[dev-dependencies]\nhive-proto.workspace = true\n",
        );
        accepted(&[("hive-types/Cargo.toml", &text)]);
        let text = manifest(
            "hive-types",
            "[dev-dependencies]\nhive-node.workspace = true\n",
        );
        caught(
            &[("hive-types/Cargo.toml", &text)],
            "hive-types/Cargo.toml:4",
            "must not depend on `hive-node`",
        );
        let text = manifest("hive-sim", "[dev-dependencies]\ntokio = \"1\"\n");
        caught(
            &[("hive-sim/Cargo.toml", &text)],
            "hive-sim/Cargo.toml:4",
            "must not depend on `tokio`",
        );
    }

    #[test]
    fn a_runtime_deep_below_a_pure_crate_is_caught() {
        let text = manifest("hive-proto", "[dependencies]\nleft = \"1\"\n");
        let lock = "[[package]]\nname = \"left\"\ndependencies = [\"right 1.0.0\"]\n\
                    [[package]]\nname = \"right\"\ndependencies = [\"tokio\"]\n[[package]]\nname = \"tokio\"\n";
        caught(
            &[("hive-proto/Cargo.toml", &text), ("Cargo.lock", lock)],
            "hive-proto/Cargo.toml:4",
            "left > right > tokio",
        );
    }

    #[test]
    fn a_runtime_is_welcome_below_the_node() {
        let text = manifest(
            "hive-node",
            "[dependencies]\nhive-types.workspace = true\ntokio = \"1\"\n",
        );
        accepted(&[
            ("hive-node/Cargo.toml", &text),
            ("Cargo.lock", "[[package]]\nname = \"tokio\"\n"),
        ]);
    }

    #[test]
    fn bincode_below_another_crate_than_proto_is_caught() {
        let text = manifest("hive-node", "[dependencies]\nbincode = \"=2.0.1\"\n");
        caught(
            &[("hive-node/Cargo.toml", &text)],
            "hive-node/Cargo.toml:4",
            "must not depend on bincode",
        );
    }

    #[test]
    fn a_crate_that_the_drawing_does_not_know_is_caught() {
        let root = "[workspace]\nmembers = [\"hive-extra\"]\n";
        let found = breaches(&[
            ("Cargo.toml", root),
            (
                "hive-extra/Cargo.toml",
                "[package]\nname = \"hive-extra\"\n",
            ),
            ("hive-extra/src/lib.rs", "//! Extra.\n"),
        ]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            found[0]
                .to_string()
                .starts_with("hive-extra/Cargo.toml:1: `hive-extra` is not in the drawing")
        );
    }
}
