//! What can go wrong with the store, and what the operator does about it.

use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The store can't be opened, read or written. After one of these nothing is spent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The folder can't be made or written.
    #[error("data folder {}: {reason}; make it a folder that this user may write to, or name another with data_dir", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another agent holds the store.
    #[error("{} is in use by another agent (process {process}); stop that one first, or give this one a data_dir of its own", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
        /// The other's process id as it wrote it down.
        process: String,
    },
    /// The file is not a store, or not whole.
    #[error("{} is damaged ({reason}); nothing is spent: move it aside with its -wal file and restore a backup, or start empty and join again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the check found.
        reason: String,
    },
    /// The file is a database of another program.
    #[error("{} is a database of another program; name another data_dir", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer release wrote the store.
    #[error("{} has version {found}, written by a newer release than this one, which knows {known}; install the newer release", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The store's version.
        found: u32,
        /// The newest version that this release knows.
        known: u32,
    },
    /// The disk is full, or the store has reached its bound.
    #[error("no room for {}; nothing is spent: free some space, or raise store_max_mb, and start the agent again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The disk or the file can only be read.
    #[error("{} can only be read; nothing is spent: make disk and file writable and start the agent again", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Another program holds the file for longer than the agent waits.
    #[error("{} is held by another program; close what has it open for writing and start the agent again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The disk failed to read or write.
    #[error("{}: the disk failed ({reason}); nothing is spent: check the disk, then start the agent again", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A value that the store holds does not read back, or one does not fit into it.
    #[error("{}: {what}; nothing is spent: restore a backup, and report this with the release in use", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Which value, and what is wrong with it.
        what: String,
    },
    /// The thread that did the work ended early.
    #[error(
        "the store's work was cut short ({0}); nothing is spent: report this, and start the agent again"
    )]
    Interrupted(
        /// What is known.
        String,
    ),
    /// An earlier write failed. What is on disk is whole, but older than what the agent knew.
    #[error("the store took no more since this: {0}")]
    Stopped(
        /// The first error.
        Box<StoreError>,
    ),
}

impl StoreError {
    /// A short name for logs and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "store_folder",
            Self::InUse { .. } => "store_in_use",
            Self::Damaged { .. } => "store_damaged",
            Self::Foreign { .. } => "store_foreign",
            Self::Newer { .. } => "store_newer",
            Self::Full { .. } => "store_full",
            Self::ReadOnly { .. } => "store_read_only",
            Self::Busy { .. } => "store_busy",
            Self::Disk { .. } => "store_disk",
            Self::Value { .. } => "store_value",
            Self::Interrupted(_) => "store_interrupted",
            Self::Stopped(first) => first.code(),
        }
    }

    /// What SQLite's error means for the operator.
    pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, reason }
            }
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Disk { path, reason },
            _ => Self::Value { path, what: reason },
        }
    }
}
