//! The workspace as it lies on disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::breach::Breach;
use crate::manifest::{Manifest, lock_edges};
use crate::source::Source;

/// Why the tree can't be checked at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// A file that must be there can't be read.
    #[error("{path} can't be read ({source}); run this in a whole checkout")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A TOML file does not parse.
    #[error("{path} is not TOML: {words}; put it right first")]
    Toml { path: String, words: String },
}

/// One crate of the tree.
pub(crate) struct Crate {
    /// The folder, relative to the root.
    pub(crate) dir: String,
    pub(crate) manifest: Manifest,
    pub(crate) sources: Vec<Source>,
}

impl Crate {
    pub(crate) fn name(&self) -> &str {
        &self.manifest.name
    }

    pub(crate) fn manifest_path(&self) -> String {
        format!("{}/Cargo.toml", self.dir)
    }
}

/// The whole tree, read once.
pub(crate) struct Tree {
    /// Members of the workspace, and `fuzz`, which has a workspace of its own.
    pub(crate) crates: Vec<Crate>,
    /// `Cargo.lock` as (package, what it depends on).
    pub(crate) lock: Vec<(String, Vec<String>)>,
    /// Markdown pages: path and text.
    pub(crate) pages: Vec<(String, String)>,
    /// Every file and folder, relative to the root.
    pub(crate) files: BTreeSet<String>,
    /// Files that are not Rust: nothing else can be said about them.
    pub(crate) unparsed: Vec<Breach>,
}

impl Tree {
    /// Reads the workspace whose root `Cargo.toml` stands in `root`.
    ///
    /// # Errors
    /// [`Unreadable`] when a manifest, the lock file or a folder can't be read.
    pub(crate) fn read(root: &Path) -> Result<Self, Unreadable> {
        let top: Table = parse_toml(&root.join("Cargo.toml"), "Cargo.toml")?;
        let workspace = top
            .get("workspace")
            .and_then(Value::as_table)
            .cloned()
            .unwrap_or_default();
        let shared = workspace
            .get("dependencies")
            .and_then(Value::as_table)
            .cloned()
            .unwrap_or_default();
        let mut dirs: Vec<String> = workspace
            .get("members")
            .and_then(Value::as_array)
            .map(|list| {
                list.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default();
        if root.join("fuzz/Cargo.toml").exists() {
            dirs.push("fuzz".to_owned());
        }
        let mut files = BTreeSet::new();
        list(root, root, &mut files)?;
        let mut pages = Vec::new();
        for page in files.iter().filter(|path| path.ends_with(".md")) {
            pages.push((page.clone(), read_text(&root.join(page))?));
        }
        let mut tree = Self {
            pages,
            files,
            crates: Vec::new(),
            lock: Vec::new(),
            unparsed: Vec::new(),
        };
        for dir in dirs {
            tree.read_crate(root, dir, &shared)?;
        }
        let lock = root.join("Cargo.lock");
        if lock.exists() {
            let text = read_text(&lock)?;
            tree.lock = lock_edges(&text).map_err(|words| Unreadable::Toml {
                path: "Cargo.lock".to_owned(),
                words,
            })?;
        }
        Ok(tree)
    }

    fn read_crate(&mut self, root: &Path, dir: String, shared: &Table) -> Result<(), Unreadable> {
        let path = root.join(&dir).join("Cargo.toml");
        let manifest =
            Manifest::parse(&read_text(&path)?, shared).map_err(|words| Unreadable::Toml {
                path: format!("{dir}/Cargo.toml"),
                words,
            })?;
        let below = format!("{dir}/");
        let is_source = |path: &&String| path.starts_with(&below) && path.ends_with(".rs");
        let names: Vec<String> = self.files.iter().filter(is_source).cloned().collect();
        let mut sources = Vec::new();
        for name in names {
            let file = root.join(&name);
            match Source::parse(name.clone(), read_text(&file)?) {
                Ok(source) => sources.push(source),
                Err((line, words)) => self.unparsed.push(Breach::new(
                    &name,
                    line,
                    format!("does not parse ({words}); nothing else in it was checked"),
                )),
            }
        }
        self.crates.push(Crate {
            dir,
            manifest,
            sources,
        });
        Ok(())
    }

    /// Every source file with its crate.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&Crate, &Source)> {
        self.crates
            .iter()
            .flat_map(|one| one.sources.iter().map(move |source| (one, source)))
    }
}

fn parse_toml(path: &Path, name: &str) -> Result<Table, Unreadable> {
    read_text(path)?
        .parse()
        .map_err(|error: toml::de::Error| Unreadable::Toml {
            path: name.to_owned(),
            words: error.message().to_owned(),
        })
}

fn read_text(path: &Path) -> Result<String, Unreadable> {
    fs::read_to_string(path).map_err(|source| Unreadable::File {
        path: path.to_owned(),
        source,
    })
}

/// Everything in the tree but what is built and what is hidden.
fn list(root: &Path, dir: &Path, out: &mut BTreeSet<String>) -> Result<(), Unreadable> {
    let unreadable = |source| Unreadable::File {
        path: dir.to_owned(),
        source,
    };
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        if name == "target" || name == ".git" {
            continue;
        }
        let relative = path.strip_prefix(root).unwrap_or(&path);
        out.insert(relative.to_string_lossy().replace('\\', "/"));
        if path.is_dir() {
            list(root, &path, out)?;
        }
    }
    Ok(())
}
