//! Structured logs: text or JSON, to the standard error stream or to a file.
//!
//! Never to the standard output: a Core Lightning plugin speaks JSON-RPC there, and `hive --json`
//! promises exactly one object.

use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Mutex;
use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// The text names no log format.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no log format; write text or json")]
pub struct ParseLogFormatError(String);

impl FromStr for LogFormat {
    type Err = ParseLogFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(ParseLogFormatError(text.into())),
        }
    }
}

/// What is logged, how, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// What is logged, in the words of `tracing_subscriber::EnvFilter`: `info`, `hive_node=debug`.
    pub filter: String,
    /// The file that lines are appended to; `None` for the standard error stream.
    pub file: Option<PathBuf>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".into(),
            file: None,
        }
    }
}

/// Logging could not be set up.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter does not parse.
    #[error("log filter {filter:?}: {reason}; write a level such as info, or target=level")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file can't be opened.
    #[error("log file {}: {reason}; choose a file in a folder that you may write to", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Another subscriber is installed in this process.
    #[error("logging is set up already in this process")]
    Twice,
}

/// Sets up logging for the whole process.
///
/// # Errors
/// [`LogError`] when the filter does not parse, the file can't be opened, or logging runs already.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let installed = match &config.file {
        None => {
            let subscriber = subscriber(config, std::io::stderr)?;
            tracing::subscriber::set_global_default(subscriber)
        }
        Some(path) => {
            let open = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path);
            let file = open.map_err(|reason| LogError::File {
                path: path.clone(),
                reason,
            })?;
            tracing::subscriber::set_global_default(subscriber(config, Mutex::new(file))?)
        }
    };
    installed.map_err(|_| LogError::Twice)
}

/// The subscriber that [`init`] installs, writing to `writer`.
///
/// # Errors
/// [`LogError::Filter`] when the filter does not parse.
pub fn subscriber<W>(
    config: &LogConfig,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&config.filter).map_err(|reason| LogError::Filter {
        filter: config.filter.clone(),
        reason: reason.to_string(),
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(writer)
        // Told on the standard error stream, which is as full as the file's disk where it goes there too: then
        // telling would end the agent.
        .log_internal_errors(false);
    Ok(match config.format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    fn logged(format: LogFormat) -> String {
        let mut file = tempfile::tempfile().unwrap();
        let config = LogConfig {
            format,
            ..LogConfig::default()
        };
        let subscriber = subscriber(&config, Mutex::new(file.try_clone().unwrap())).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(peer = "02ab", "connected");
            tracing::debug!("unseen");
        });
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn json_lines_are_objects() {
        let text = logged(LogFormat::Json);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["peer"], "02ab");
        assert_eq!(line["message"], "connected");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn text_lines_are_filtered() {
        let text = logged(LogFormat::Text);
        assert!(
            text.contains("connected") && text.contains("02ab"),
            "{text}"
        );
        assert!(!text.contains("unseen"), "{text}");
        assert!(!text.contains('\u{1b}'), "no colours in files: {text}");
    }

    #[test]
    fn a_bad_filter_or_file_says_what_to_do() {
        let config = LogConfig {
            filter: "hive_node=loud".into(),
            ..LogConfig::default()
        };
        let error = init(&config).unwrap_err().to_string();
        assert!(
            error.contains("hive_node=loud") && error.contains("info"),
            "{error}"
        );
        let config = LogConfig {
            file: Some("/dev/null/hive.log".into()),
            ..LogConfig::default()
        };
        let error = init(&config).unwrap_err().to_string();
        assert!(error.contains("/dev/null/hive.log"), "{error}");
        assert!("xml".parse::<LogFormat>().is_err());
    }
}
