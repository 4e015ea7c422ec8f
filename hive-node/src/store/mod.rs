//! The store: one SQLite file in which everything stands that must survive a crash.
//!
//! Every change goes through [`Store::apply`], one transaction each, durable when it returns
//! (`synchronous=FULL`). After the first write that fails the store takes no more, for then the state
//! machine knows what the disk does not: the driver stops acting, and the next start reads what is
//! there.

mod audit;
mod error;
mod gate;
mod meta;
mod place;
mod prune;
mod read;
mod schema;
mod write;

pub use audit::{AuditChain, AuditLog, AuditRow};
pub use error::StoreError;
pub use place::STORE_FILE;

use crate::backend::Prepared;
use hive_core::{ChangeSet, MemberRow, Snapshot};
use hive_types::limits::{STORE_BYTES, STORE_JOURNAL_BYTES, STORE_PRUNE_CHANGES};
use hive_types::{ActionId, BootId};
use place::Place;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Another program that has the file open for writing is waited for this long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An open store, held against other agents.
#[derive(Debug)]
pub struct Store {
    place: Place,
    boot: BootId,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    failed: Option<StoreError>,
    /// Changes since what may go was looked for.
    unpruned: u64,
}

impl Store {
    /// Opens the store in `folder`, making both where they are missing, checks that it is whole, and
    /// counts a boot. The store grows to [`STORE_BYTES`] at most.
    ///
    /// # Errors
    /// [`StoreError`]; its text says what to do.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_bounded(folder, STORE_BYTES)
    }

    /// As [`Store::open`], with another bound: a write that needs more fails with
    /// [`StoreError::Full`]. A store that is larger already keeps its size.
    ///
    /// # Errors
    /// [`StoreError`]; its text says what to do.
    pub fn open_bounded(folder: &Path, bytes: u64) -> Result<Self, StoreError> {
        let place = Place::take(folder)?;
        let path = place.database.as_path();
        let sql = |error: rusqlite::Error| StoreError::from_sqlite(path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(sql)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(sql)?;
        check(&connection, path)?;
        schema::recognize(&connection, path)?;
        configure(&connection).map_err(sql)?;
        schema::migrate(&mut connection, path)?;
        prune::enable(&connection).map_err(sql)?;
        bound(&connection, bytes).map_err(sql)?;
        let boot = count_boot(&mut connection).map_err(sql)?;
        let inner = Mutex::new(Inner {
            connection,
            failed: None,
            unpruned: 0,
        });
        let store = Self { place, boot, inner };
        store.prune()?;
        Ok(store)
    }

    /// The run of the agent that this opening began.
    pub fn boot(&self) -> BootId {
        self.boot
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.place.database
    }

    /// The first write that failed, if one did.
    pub fn failure(&self) -> Option<StoreError> {
        self.inner().failed.clone()
    }

    /// Writes the changes in one transaction. They are durable when this returns `Ok`, and none is
    /// written when it returns an error.
    ///
    /// # Errors
    /// [`StoreError`]. After the first one every later call fails with [`StoreError::Stopped`].
    pub fn apply(&self, changes: &ChangeSet) -> Result<(), StoreError> {
        self.write(|tx| {
            let mut changes = changes.changes.iter();
            changes.try_for_each(|change| write::change(tx, self.boot, change))
        })?;
        let mut inner = self.inner();
        inner.unpruned += changes.changes.len() as u64;
        let is_due = inner.unpruned >= STORE_PRUNE_CHANGES;
        drop(inner);
        match is_due {
            true => self.prune(),
            false => Ok(()),
        }
    }

    /// Forgets what ended long ago and is over its bound, and gives the room back to the disk.
    fn prune(&self) -> Result<(), StoreError> {
        self.write(|tx| prune::rows(tx, self.boot))?;
        self.inner().unpruned = 0;
        self.read(|connection| Ok(prune::pages(connection)?))
    }

    /// Writes down what was prepared for an action, before it is executed.
    ///
    /// # Errors
    /// [`StoreError::Value`] when no such action is stored, and as [`Store::apply`].
    pub fn prepare(&self, id: ActionId, prepared: &Prepared) -> Result<(), StoreError> {
        self.write(|tx| {
            let sql = "UPDATE actions SET prepared = ? WHERE id = ?";
            match tx.execute(sql, [meta::json(prepared)?, id.to_string()])? {
                1 => Ok(()),
                _ => Err(RowError::Value(format!("action {id} is not stored"))),
            }
        })
    }

    /// Everything that a restarted state machine is given.
    ///
    /// # Errors
    /// [`StoreError`] when the file can't be read, or a value does not read back.
    pub fn load(&self) -> Result<Snapshot, StoreError> {
        self.read(read::snapshot)
    }

    /// Actions whose end is not known, oldest first, with what was prepared for each. One without was
    /// never begun.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub fn unfinished(&self) -> Result<Vec<(ActionId, Option<Prepared>)>, StoreError> {
        self.read(read::unfinished)
    }

    /// The members, in order of node ids.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        self.read(read::members)
    }

    /// The newest `limit` rows of the audit log, oldest first.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub fn audit(&self, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.read(|connection| Ok(audit::newest(connection, limit, None)?))
    }

    /// The same, of one action only where one is named, with what the hashes of the whole log say.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub fn audit_log(&self, limit: u32, action: Option<ActionId>) -> Result<AuditLog, StoreError> {
        self.read(|connection| {
            Ok(AuditLog {
                rows: audit::newest(connection, limit, action)?,
                chain: audit::verify(connection)?,
            })
        })
    }

    /// Checks the hashes of the whole audit log: the count of its rows.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] naming the first row that was changed, and as [`Store::load`].
    pub fn verify_audit(&self) -> Result<u64, StoreError> {
        let chain = self.read(|connection| Ok(audit::verify(connection)?))?;
        match chain.broken_at {
            None => Ok(chain.rows),
            Some(seq) => Err(StoreError::Damaged {
                path: self.path().into(),
                reason: format!("row {seq} of the audit log was changed"),
            }),
        }
    }

    /// Runs `work` in one transaction, durable when this returns `Ok`.
    fn write(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), RowError>,
    ) -> Result<(), StoreError> {
        let mut inner = self.inner();
        if let Some(first) = &inner.failed {
            return Err(StoreError::Stopped(Box::new(first.clone())));
        }
        let written = in_transaction(&mut inner.connection, work);
        written.map_err(|error| {
            let error = error.into_store_error(self.path());
            inner.failed = Some(error.clone());
            error
        })
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, RowError>,
    ) -> Result<T, StoreError> {
        work(&self.inner().connection).map_err(|error| error.into_store_error(self.path()))
    }

    /// A transaction that a panic cut short is rolled back, so the connection is whole.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why rows could not be written or read.
#[derive(Debug)]
enum RowError {
    Sqlite(rusqlite::Error),
    Value(String),
}

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl RowError {
    fn into_store_error(self, path: &Path) -> StoreError {
        match self {
            Self::Sqlite(error) => StoreError::from_sqlite(path, &error),
            Self::Value(what) => StoreError::Value {
                path: path.into(),
                what,
            },
        }
    }
}

fn in_transaction(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<(), RowError>,
) -> Result<(), RowError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work(&transaction)?;
    Ok(transaction.commit()?)
}

/// Whether the file is whole. A new, empty file is.
fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: rusqlite::Result<String> =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    let reason = match found {
        Ok(found) if found == "ok" => return Ok(()),
        Ok(found) => found,
        Err(error) => match StoreError::from_sqlite(path, &error) {
            StoreError::Value { what, .. } => what,
            error => return Err(error),
        },
    };
    Err(StoreError::Damaged {
        path: path.into(),
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // Before the file has its first page; later only a rewrite changes it.
    connection.pragma_update(None, "auto_vacuum", prune::INCREMENTAL)?;
    let _: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On macOS a plain fsync leaves data in the disk's cache; elsewhere this changes nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    let set = |row: &rusqlite::Row<'_>| row.get::<_, u64>(0);
    connection.pragma_update_and_check(None, "journal_size_limit", STORE_JOURNAL_BYTES, set)?;
    // A damaged or forged schema runs no functions.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

fn bound(connection: &Connection, bytes: u64) -> rusqlite::Result<()> {
    let page: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = (bytes / page.max(1)).clamp(1, u32::MAX.into());
    let set = |row: &rusqlite::Row<'_>| row.get::<_, u64>(0);
    connection.pragma_update_and_check(None, "max_page_count", pages, set)?;
    Ok(())
}

fn count_boot(connection: &mut Connection) -> rusqlite::Result<BootId> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let boot: u64 = transaction.query_row(
        "INSERT INTO boots (one, count) VALUES (1, 1)
         ON CONFLICT (one) DO UPDATE SET count = count + 1 RETURNING count",
        [],
        |row| row.get(0),
    )?;
    transaction.commit()?;
    Ok(BootId::new(boot))
}

#[cfg(test)]
mod tests;
