//! The folder of the store: who may read it, and that only one agent uses it.

use super::StoreError;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The database's name within the data folder.
pub const STORE_FILE: &str = "hive.db";

const LOCK_FILE: &str = "hive.lock";

/// The data folder, held against other agents for as long as this lives.
///
/// The kernel releases the lock when the process ends, however it ends; the file stays.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) database: PathBuf,
    _lock: File,
}

impl Place {
    /// Makes the folder (mode 0700) and an empty database file (mode 0600) where there are none, and
    /// takes the lock.
    pub(crate) fn take(folder: &Path) -> Result<Self, StoreError> {
        let failed = |reason: std::io::Error| StoreError::Folder {
            path: folder.into(),
            reason: reason.to_string(),
        };
        if !folder.is_dir() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(folder).map_err(failed)?;
        }
        let lock = lock(folder)?;
        let database = folder.join(STORE_FILE);
        // SQLite gives its -wal and -shm files the mode of the database.
        private(&database).map_err(failed)?;
        Ok(Self {
            database,
            _lock: lock,
        })
    }
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK_FILE);
    let failed = |reason: std::io::Error| StoreError::Folder {
        path: folder.into(),
        reason: reason.to_string(),
    };
    let mut file = private(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(reason)) => return Err(failed(reason)),
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            // The number only helps to find the other; without it the error says the same.
            let _ = file.take(20).read_to_string(&mut process);
            let process = process.trim().to_owned();
            return Err(StoreError::InUse { path, process });
        }
    }
    let note = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    note(&mut file).map_err(failed)?;
    Ok(file)
}

/// Opens or makes a file that only this user may read.
fn private(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}
