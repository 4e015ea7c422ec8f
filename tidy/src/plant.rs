//! Small trees in which the tests plant their defects.

use std::fs;

use crate::breach::Breach;
use crate::tree::Tree;

/// A workspace of `hive-types`, `hive-proto`, `hive-planner`, `hive-sim`, `hive-node` and `hive-fuzz` without a breach, with the given
/// files written over it or added.
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let folder = tempfile::tempdir().unwrap();
    let members = [
        "hive-types",
        "hive-proto",
        "hive-planner",
        "hive-sim",
        "hive-node",
    ];
    let mut all: Vec<(String, String)> = vec![
        (
            "Cargo.toml".into(),
            format!("[workspace]\nmembers = {members:?}\n[workspace.dependencies]\n"),
        ),
        ("Cargo.lock".into(), "version = 4\n".into()),
        (
            "fuzz/Cargo.toml".into(),
            "[package]\nname = \"hive-fuzz\"\n[[bin]]\npath = \"fuzz_targets/read_frame.rs\"\n"
                .into(),
        ),
        (
            "fuzz/fuzz_targets/read_frame.rs".into(),
            "//! One.\nfn main() {}\n".into(),
        ),
        (
            "hive-types/src/limits.rs".into(),
            "/// Why.\npub const MOST: u8 = 1;\n".into(),
        ),
        (
            "hive-proto/src/codec.rs".into(),
            "//! Codec.\nuse bincode::config;\n".into(),
        ),
    ];
    for member in members {
        let below = if member == "hive-types" {
            ""
        } else {
            "hive-types = { path = \"../hive-types\" }\n"
        };
        all.push((
            format!("{member}/Cargo.toml"),
            format!("[package]\nname = \"{member}\"\n\n[dependencies]\n{below}"),
        ));
        let declared = match member {
            "hive-types" => "//! Types.\npub mod limits;\n",
            "hive-proto" => "//! Proto.\nmod codec;\n",
            _ => "//! A crate.\n",
        };
        all.push((format!("{member}/src/lib.rs"), declared.into()));
    }
    all.extend(
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned())),
    );
    for (path, text) in all {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Tree::read(folder.path()).unwrap()
}

/// What the whole check says of such a tree.
pub(crate) fn breaches(files: &[(&str, &str)]) -> Vec<Breach> {
    crate::check(&tree(files))
}

/// Asserts that the planted files cause exactly one breach, at `place` (`file:line`), whose words contain `what`.
pub(crate) fn caught(files: &[(&str, &str)], place: &str, what: &str) {
    let found = breaches(files);
    assert_eq!(found.len(), 1, "{found:#?}");
    let line = found[0].to_string();
    assert!(line.starts_with(&format!("{place}: ")), "{line}");
    assert!(line.contains(what), "{line}");
}

/// Asserts that the planted files cause no breach.
pub(crate) fn accepted(files: &[(&str, &str)]) {
    assert_eq!(breaches(files), Vec::new());
}

#[test]
fn a_tree_without_a_defect_has_no_breach() {
    accepted(&[]);
}

#[test]
fn a_file_that_is_not_rust_is_reported() {
    caught(
        &[("hive-node/src/lib.rs", "//! Node.\nfn {\n")],
        "hive-node/src/lib.rs:2",
        "does not parse",
    );
}
