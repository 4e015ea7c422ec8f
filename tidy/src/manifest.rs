//! What a rule needs of a `Cargo.toml`.

use toml::{Table, Value};

/// For what a dependency is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// In the crate itself or in its build script.
    Normal,
    /// In tests, benches and examples only.
    Dev,
}

/// One line of a dependency table.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    /// The package, also where the manifest gives it another name.
    pub(crate) package: String,
    pub(crate) usage: Use,
    pub(crate) line: usize,
}

/// A parsed `Cargo.toml`.
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// Files that the manifest itself names as the root of a target, relative to the crate.
    pub(crate) roots: Vec<String>,
}

impl Manifest {
    /// Reads a crate's manifest; `shared` is the root's `[workspace.dependencies]`.
    ///
    /// # Errors
    /// The parser's words when the text is not TOML.
    pub(crate) fn parse(text: &str, shared: &Table) -> Result<Self, String> {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| error.message().to_owned())?;
        let name = table
            .get("package")
            .and_then(|p| p.get("name"))
            .and_then(Value::as_str)
            .unwrap_or("");
        let mut dependencies = Vec::new();
        gather(&table, "", text, shared, &mut dependencies);
        if let Some(targets) = table.get("target").and_then(Value::as_table) {
            for (platform, tables) in targets {
                if let Some(tables) = tables.as_table() {
                    gather(tables, platform, text, shared, &mut dependencies);
                }
            }
        }
        Ok(Self {
            name: name.to_owned(),
            dependencies,
            roots: roots(&table),
        })
    }
}

fn gather(tables: &Table, platform: &str, text: &str, shared: &Table, out: &mut Vec<Dependency>) {
    let kinds = [
        ("dependencies", Use::Normal),
        ("build-dependencies", Use::Normal),
        ("dev-dependencies", Use::Dev),
    ];
    for (section, usage) in kinds {
        let Some(entries) = tables.get(section).and_then(Value::as_table) else {
            continue;
        };
        for (key, value) in entries {
            let renamed = value
                .get("package")
                .or_else(|| shared.get(key).and_then(|v| v.get("package")));
            let package = renamed.and_then(Value::as_str).unwrap_or(key).to_owned();
            let line = line_of(text, platform, section, key);
            out.push(Dependency {
                package,
                usage,
                line,
            });
        }
    }
}

/// The line of a key in a section, from 1; the line of the section, or 1, when the key stands in an unusual form.
fn line_of(text: &str, platform: &str, section: &str, key: &str) -> usize {
    let mut best = 1;
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            let header = line.trim_matches(|c| c == '[' || c == ']');
            inside = header == section
                || (header.ends_with(&format!(".{section}")) && header.contains(platform));
            let own_table = header.ends_with(&format!("{section}.{key}"));
            if own_table {
                return index + 1;
            }
            if inside {
                best = index + 1;
            }
        } else if inside
            && line
                .strip_prefix(key)
                .is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
        {
            return index + 1;
        }
    }
    best
}

fn roots(table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    let path = |target: &Value| {
        target
            .get("path")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    found.extend(table.get("lib").and_then(path));
    for kind in ["bin", "example", "test", "bench"] {
        let targets = table.get(kind).and_then(Value::as_array);
        found.extend(targets.into_iter().flatten().filter_map(path));
    }
    found
}

/// The packages of a `Cargo.lock` with what each depends on, by name; versions of one name are taken together.
pub(crate) fn lock_edges(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| error.message().to_owned())?;
    let packages = table
        .get("package")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let name = |package: &Value| {
        package
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let below = |package: &Value| {
        let list = package
            .get("dependencies")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        list.iter()
            .filter_map(Value::as_str)
            .filter_map(|d| d.split(' ').next())
            .map(str::to_owned)
            .collect()
    };
    Ok(packages
        .iter()
        .map(|package| (name(package), below(package)))
        .collect())
}
