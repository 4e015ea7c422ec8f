//! Every source file is declared by a module.
//!
//! The compiler does not miss a file that no `mod` names: its code and its tests are silently dead.

use std::collections::BTreeMap;

use crate::breach::Breach;
use crate::source::{Source, only_in_tests};
use crate::tree::{Crate, Tree};

/// The files that a module reaches, each with whether it is compiled for tests only.
pub(crate) type Reached = BTreeMap<String, bool>;

/// Reports files under `src/` that no module reaches, fuzz targets that the manifest does not name, and `mod` lines
/// without a file.
pub(crate) fn check(tree: &Tree, found: &mut Vec<Breach>) -> Reached {
    let mut reached = Reached::new();
    for one in &tree.crates {
        for root in roots(one) {
            Walk {
                one,
                reached: &mut reached,
                found,
            }
            .follow(&root, true, false);
        }
        let needs_declaring = |s: &&Source| matches!(s.folder(&one.dir), "src" | "fuzz_targets");
        for source in one.sources.iter().filter(needs_declaring) {
            if !reached.contains_key(&source.path) {
                let what = "nothing declares this file, so it is never compiled; add its `mod` line (or `[[bin]]`) or delete it";
                found.push(Breach::new(&source.path, 1, what));
            }
        }
    }
    reached
}

/// The files at which cargo begins: by convention, or named by the manifest.
fn roots(one: &Crate) -> Vec<String> {
    let src = format!("{}/src", one.dir);
    let conventional = |source: &&Source| {
        let Some(rest) = source.path.strip_prefix(&src) else {
            return false;
        };
        let parts: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
        matches!(
            parts[..],
            ["lib.rs" | "main.rs"] | ["bin", _] | ["bin", _, "main.rs"]
        )
    };
    let mut roots: Vec<String> = one
        .sources
        .iter()
        .filter(conventional)
        .map(|source| source.path.clone())
        .collect();
    roots.extend(
        one.manifest
            .roots
            .iter()
            .map(|path| normal(&format!("{}/{path}", one.dir))),
    );
    roots
}

struct Walk<'a> {
    one: &'a Crate,
    reached: &'a mut Reached,
    found: &'a mut Vec<Breach>,
}

impl Walk<'_> {
    /// Goes through the modules of a file. A root and a `mod.rs` own their folder, any other file the folder of its name.
    fn follow(&mut self, path: &str, is_root: bool, tests: bool) {
        // A file reached both ways counts as one that is compiled outside tests.
        if self
            .reached
            .get(path)
            .is_some_and(|before| tests || !*before)
        {
            return;
        }
        self.reached.insert(path.to_owned(), tests);
        let Some(source) = self.one.sources.iter().find(|source| source.path == path) else {
            return;
        };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let owns_folder = is_root || name == "mod.rs";
        let home = match owns_folder {
            true => folder.to_owned(),
            false => format!("{folder}/{}", name.trim_end_matches(".rs")),
        };
        let tests = tests || only_in_tests(&source.file.attrs);
        let place = Place {
            file: path,
            folder,
            home,
            inline: false,
        };
        self.items(&source.file.items, &place, tests);
    }

    fn items(&mut self, items: &[syn::Item], place: &Place<'_>, tests: bool) {
        for item in items {
            let syn::Item::Mod(module) = item else {
                continue;
            };
            let tests = tests || only_in_tests(&module.attrs);
            let name = module.ident.to_string().trim_start_matches("r#").to_owned();
            match &module.content {
                Some((_, inner)) => {
                    let home = format!("{}/{name}", place.home);
                    self.items(
                        inner,
                        &Place {
                            home,
                            inline: true,
                            ..*place
                        },
                        tests,
                    );
                }
                None => self.declared(module, &name, place, tests),
            }
        }
    }

    fn declared(&mut self, module: &syn::ItemMod, name: &str, place: &Place<'_>, tests: bool) {
        let candidates = match path_attribute(&module.attrs) {
            Some(path) => {
                let base = if place.inline {
                    place.home.as_str()
                } else {
                    place.folder
                };
                vec![normal(&format!("{base}/{path}"))]
            }
            None => vec![
                format!("{}/{name}.rs", place.home),
                format!("{}/{name}/mod.rs", place.home),
            ],
        };
        let exists = |path: &&String| self.one.sources.iter().any(|source| source.path == **path);
        match candidates.iter().find(exists).cloned() {
            Some(path) => self.follow(&path, path_attribute(&module.attrs).is_some(), tests),
            None => {
                let line = module.ident.span().start().line;
                let what = format!(
                    "`mod {name};` has no readable file at {}",
                    candidates.join(" or ")
                );
                self.found.push(Breach::new(place.file, line, what));
            }
        }
    }
}

/// Where a `mod` line stands.
#[derive(Clone)]
struct Place<'a> {
    file: &'a str,
    /// The folder of the file: `#[path]` counts from here.
    folder: &'a str,
    /// The folder in which the modules of this place lie.
    home: String,
    /// Inside `mod x { … }`: then `#[path]` counts from `home`.
    inline: bool,
}

fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes
        .iter()
        .find(|a| a.path().is_ident("path"))
        .and_then(|attribute| {
            let syn::Meta::NameValue(pair) = &attribute.meta else {
                return None;
            };
            let syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) = &pair.value
            else {
                return None;
            };
            Some(text.value())
        })
}

/// Takes `.` and `..` out of a path.
pub(crate) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use crate::plant::{accepted, caught};

    #[test]
    fn a_file_that_no_module_declares_is_caught() {
        caught(
            &[("hive-node/src/lost.rs", "//! Lost.\n")],
            "hive-node/src/lost.rs:1",
            "nothing declares",
        );
    }

    #[test]
    fn a_file_named_only_in_a_comment_is_caught() {
        let files = [
            ("hive-node/src/lib.rs", "//! Node.\n// mod lost;\n"),
            ("hive-node/src/lost.rs", "//! Lost.\n"),
        ];
        caught(&files, "hive-node/src/lost.rs:1", "nothing declares");
    }

    #[test]
    fn a_file_below_a_lost_file_is_lost_too() {
        let files = [
            ("hive-node/src/a/mod.rs", "//! A.\nmod b;\n"),
            ("hive-node/src/a/b.rs", "//! B.\n"),
        ];
        let found = crate::plant::breaches(&files);
        assert_eq!(found.len(), 2, "{found:#?}");
    }

    #[test]
    fn a_fuzz_target_that_the_manifest_does_not_name_is_caught() {
        let files = [("fuzz/fuzz_targets/parse_lost.rs", "fn main() {}\n")];
        caught(
            &files,
            "fuzz/fuzz_targets/parse_lost.rs:1",
            "nothing declares",
        );
    }

    #[test]
    fn every_way_to_declare_a_file_is_followed() {
        accepted(&[
            (
                "hive-node/src/lib.rs",
                "//! Node.\nmod a;\nmod b;\nmod c { mod d; }\n#[path = \"far/e.rs\"] mod e;\n",
            ),
            ("hive-node/src/a.rs", "//! A.\nmod inner;\n"),
            ("hive-node/src/a/inner.rs", "//! Inner.\n"),
            ("hive-node/src/b/mod.rs", "//! B.\nmod inner;\n"),
            ("hive-node/src/b/inner.rs", "//! Inner.\n"),
            ("hive-node/src/c/d.rs", "//! D.\n"),
            ("hive-node/src/far/e.rs", "//! E.\nmod near;\n"),
            ("hive-node/src/far/near.rs", "//! Near.\n"),
            (
                "hive-node/src/bin/tool.rs",
                "//! A program.\nfn main() {}\n",
            ),
            ("hive-node/tests/any.rs", "//! A test.\n"),
        ]);
    }

    #[test]
    fn a_mod_line_without_a_file_is_caught() {
        caught(
            &[("hive-node/src/lib.rs", "//! Node.\nmod gone;\n")],
            "hive-node/src/lib.rs:2",
            "no readable file",
        );
    }
}
