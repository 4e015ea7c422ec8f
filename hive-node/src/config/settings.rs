//! Settings by name, from a file, the environment and flags.

use crate::nearest::nearest;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;
use toml::Value;

/// The prefix of the environment's names.
const PREFIX: &str = "HIVE_";

/// The name under which flags and environment give the file itself.
pub(crate) const CONFIG_FILE: &str = "config";

/// A setting that can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name in the file, with a dot after its table: `limits.per_day_sat`.
    pub name: &'static str,
    /// What it sets, in one line.
    pub about: &'static str,
}

impl Key {
    /// Its name in the environment: `HIVE_LIMITS_PER_DAY_SAT`.
    pub fn env(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_uppercase())
    }

    /// Its name as a flag: `--limits-per-day-sat`.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace(['.', '_'], "-"))
    }
}

/// The configuration is not usable. One line that says where and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: {reason}; name a readable file with --config", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is not TOML.
    #[error("{} line {line}: {reason}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// A name that no setting has.
    #[error("{origin} is no setting; {hint}")]
    Unknown {
        /// Where it stands and how it is written there.
        origin: String,
        /// The nearest name, or where all stand.
        hint: String,
    },
    /// A value that the setting can't take.
    #[error("{origin} = {value:?}: {reason}")]
    Value {
        /// Where it stands and how it is written there.
        origin: String,
        /// What was given.
        value: String,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

/// The given settings; where several places give one, the flag counts, then the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, Given>,
}

#[derive(Clone, Debug)]
struct Given {
    value: String,
    origin: String,
}

impl Settings {
    /// Adds what the file gives.
    pub(crate) fn add_file(
        &mut self,
        keys: &'static [Key],
        path: &Path,
        text: &str,
    ) -> Result<(), ConfigError> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or(text);
            ConfigError::Toml {
                path: path.into(),
                line: before.matches('\n').count() + 1,
                reason: error.message().replace('\n', ", "),
            }
        })?;
        let mut flat = Vec::new();
        flatten("", table, &mut flat);
        for (name, value) in flat {
            let origin = format!("{}: {name}", path.display());
            let key = find(keys, &origin, &name, |key| key.name.into())?;
            let value = plain(value).ok_or_else(|| ConfigError::Value {
                origin: origin.clone(),
                value: "table or date".into(),
                reason: "a number, a text, true, false or a list of texts is expected".into(),
            })?;
            self.values.insert(key.name, Given { value, origin });
        }
        Ok(())
    }

    /// Adds the variables whose name starts with `HIVE_`.
    pub(crate) fn add_env(
        &mut self,
        keys: &'static [Key],
        variables: &BTreeMap<String, String>,
    ) -> Result<(), ConfigError> {
        let ours = variables.iter().filter(|(name, _)| {
            name.strip_prefix(PREFIX)
                .is_some_and(|rest| !rest.eq_ignore_ascii_case(CONFIG_FILE))
        });
        for (name, value) in ours {
            let key = find(keys, name, name, Key::env)?;
            self.add(key, name.clone(), value);
        }
        Ok(())
    }

    /// Adds flags by name: with or without dashes in front, dots, dashes and underscores alike.
    pub(crate) fn add_flags(
        &mut self,
        keys: &'static [Key],
        flags: &BTreeMap<String, String>,
    ) -> Result<(), ConfigError> {
        for (name, value) in flags {
            let name = name.trim_start_matches('-').replace(['.', '_'], "-");
            if name == CONFIG_FILE {
                continue;
            }
            let flag = format!("--{name}");
            let key = find(keys, &flag, &flag, Key::flag)?;
            self.add(key, flag, value);
        }
        Ok(())
    }

    fn add(&mut self, key: &'static Key, origin: String, value: &str) {
        let value = value.to_owned();
        self.values.insert(key.name, Given { value, origin });
    }

    /// The value of a setting, where it was given.
    pub(crate) fn get<T>(&self, name: &'static str) -> Result<Option<T>, ConfigError>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.read(name, |text| text.parse().map_err(|e: T::Err| e.to_string()))
    }

    /// As [`Settings::read`], for a value that an error must not show.
    pub(crate) fn secretive<T>(
        &self,
        name: &'static str,
        reader: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        self.read(name, reader).map_err(|error| match error {
            ConfigError::Value { origin, reason, .. } => ConfigError::Value {
                origin,
                value: UNSHOWN.into(),
                reason,
            },
            error => error,
        })
    }

    /// As [`Settings::get`], with a reader of its own.
    pub(crate) fn read<T>(
        &self,
        name: &'static str,
        reader: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(given) = self.values.get(name) else {
            return Ok(None);
        };
        let value = reader(given.value.trim());
        value.map(Some).map_err(|reason| ConfigError::Value {
            origin: given.origin.clone(),
            value: given.value.clone(),
            reason,
        })
    }
}

/// What stands in place of a value that may hold a secret.
const UNSHOWN: &str = "(not shown)";

fn find(
    keys: &'static [Key],
    origin: &str,
    name: &str,
    spell: impl Fn(&Key) -> String,
) -> Result<&'static Key, ConfigError> {
    if let Some(key) = keys.iter().find(|key| spell(key) == name) {
        return Ok(key);
    }
    let names: Vec<String> = keys.iter().map(spell).collect();
    let hint = match nearest(name, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("known are {}", names.join(", ")),
    };
    let origin = origin.to_owned();
    Err(ConfigError::Unknown { origin, hint })
}

fn flatten(prefix: &str, table: toml::Table, flat: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let name = match prefix {
            "" => name,
            prefix => format!("{prefix}.{name}"),
        };
        match value {
            Value::Table(table) => flatten(&name, table, flat),
            value => flat.push((name, value)),
        }
    }
}

/// A value as flags and environment would write it.
fn plain(value: Value) -> Option<String> {
    Some(match value {
        Value::String(text) => text,
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.into_iter().map(plain).collect();
            items?.join(",")
        }
        Value::Datetime(_) | Value::Table(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[Key] = &[
        Key {
            name: "data_dir",
            about: "folder",
        },
        Key {
            name: "limits.per_day_sat",
            about: "limit",
        },
    ];

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn file(text: &str) -> Result<Settings, ConfigError> {
        let mut settings = Settings::default();
        settings.add_file(KEYS, Path::new("hive.toml"), text)?;
        Ok(settings)
    }

    #[test]
    fn flags_beat_environment_beats_file() {
        let mut settings = file("data_dir = '/a'\n[limits]\nper_day_sat = 1").unwrap();
        let number = |settings: &Settings| settings.get::<u64>("limits.per_day_sat").unwrap();
        assert_eq!(number(&settings), Some(1));
        let env = map(&[
            ("HIVE_LIMITS_PER_DAY_SAT", "2"),
            ("HOME", "/"),
            ("HIVE_CONFIG", "x"),
        ]);
        settings.add_env(KEYS, &env).unwrap();
        assert_eq!(number(&settings), Some(2));
        let flags = map(&[("limits-per-day-sat", "3"), ("config", "x")]);
        settings.add_flags(KEYS, &flags).unwrap();
        assert_eq!(number(&settings), Some(3));
        assert_eq!(
            settings.get::<String>("data_dir").unwrap(),
            Some("/a".into())
        );
    }

    #[test]
    fn unknown_names_are_errors_that_name_the_nearest() {
        let error = file("[limits]\nper_dya_sat = 1").unwrap_err().to_string();
        assert_eq!(
            error,
            "hive.toml: limits.per_dya_sat is no setting; did you mean limits.per_day_sat?"
        );
        let mut settings = Settings::default();
        let env = settings.add_env(KEYS, &map(&[("HIVE_DATADIR", "/")]));
        let expected = "HIVE_DATADIR is no setting; did you mean HIVE_DATA_DIR?";
        assert_eq!(env.unwrap_err().to_string(), expected);
        let flags = settings.add_flags(KEYS, &map(&[("zzz", "1")]));
        let expected = "--zzz is no setting; known are --data-dir, --limits-per-day-sat";
        assert_eq!(flags.unwrap_err().to_string(), expected);
    }

    #[test]
    fn errors_are_one_line_and_say_where() {
        let error = file("data_dir = '/a'\nlimits = [").unwrap_err().to_string();
        assert!(error.starts_with("hive.toml line 2: "), "{error}");
        assert!(!error.contains('\n'), "{error}");
        let settings = file("[limits]\nper_day_sat = -5").unwrap();
        let error = settings.get::<u64>("limits.per_day_sat").unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("hive.toml: limits.per_day_sat = \"-5\": "),
            "{error}"
        );
        let error = file("data_dir = 2020-01-01").unwrap_err().to_string();
        assert!(error.contains("is expected"), "{error}");
    }
}
