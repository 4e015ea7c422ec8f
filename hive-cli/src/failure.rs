//! What ends the program early: one line that says what and what to do.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// Exit status when the input or the surroundings are at fault.
pub(crate) const BAD_INPUT: u8 = 2;

/// The program can't do what it was asked to.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Flags or parameters.
    #[error("{0}")]
    Usage(String),
    /// A file can't be read.
    #[error("{}: {reason}; name a file or folder that can be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A folder or file can't be written.
    #[error("{}: {reason}; name a place that you may write to", path.display())]
    Unwritable {
        /// The place.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The graph is no graph.
    #[error("{}: {reason}", path.display())]
    Graph {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] hive_node::store::StoreError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] hive_node::config::ConfigError),
    /// No answer from the agent.
    #[error("{0}")]
    Agent(String),
    /// The machine gives no threads, signals or output.
    #[error("the system refuses: {0}; free some memory or processes and try again")]
    System(#[from] std::io::Error),
    /// Something that was thought impossible.
    #[error("{0}; report this with the command and its seed")]
    Internal(String),
}

impl Failure {
    pub(crate) fn unreadable(path: &Path, reason: std::io::Error) -> Self {
        let path = path.to_path_buf();
        Self::Unreadable { path, reason }
    }

    pub(crate) fn unwritable(path: &Path, reason: std::io::Error) -> Self {
        let path = path.to_path_buf();
        Self::Unwritable { path, reason }
    }

    /// The text on one line, whatever a library put into it.
    pub(crate) fn line(&self) -> String {
        let text = self.to_string();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
