//! The tables, and how an older store becomes this release's.
//!
//! Ids are text, so that an operator who opens the file can read it. Bodies are bytes exactly as they
//! were signed or as the state machine encoded them.

use super::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// `HIVE` in ASCII: tells the store from another program's database (SQLite `application_id`).
const APPLICATION_ID: i32 = 0x4849_5645;

/// Step n brings a store of version n to version n + 1. Steps are only ever added.
const MIGRATIONS: [&str; 2] = [include_str!("v1.sql"), include_str!("v2.sql")];

/// The version that this release writes.
pub(crate) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Refuses another program's database and a newer release's store, before anything is changed.
pub(crate) fn recognize(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    recognize_by(connection, path, VERSION).map(drop)
}

/// Brings the store to [`VERSION`], each step in one transaction.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    migrate_by(connection, path, &MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let sql = |error: rusqlite::Error| StoreError::from_sqlite(path, &error);
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let found = recognize_by(connection, path, known)?;
    for (step, next) in steps.iter().zip(1u32..).skip(found as usize) {
        let behavior = TransactionBehavior::Immediate;
        let transaction = connection
            .transaction_with_behavior(behavior)
            .map_err(sql)?;
        transaction.execute_batch(step).map_err(sql)?;
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(sql)?;
        transaction
            .pragma_update(None, "user_version", next)
            .map_err(sql)?;
        transaction.commit().map_err(sql)?;
    }
    Ok(())
}

/// The version of the file, 0 for an empty one.
fn recognize_by(connection: &Connection, path: &Path, known: u32) -> Result<u32, StoreError> {
    let sql = |error: rusqlite::Error| StoreError::from_sqlite(path, &error);
    let found = version(connection).map_err(sql)?;
    if !is_ours(connection, found).map_err(sql)? {
        return Err(StoreError::Foreign { path: path.into() });
    }
    if found > known {
        return Err(StoreError::Newer {
            path: path.into(),
            found,
            known,
        });
    }
    Ok(found)
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// A store bears our mark; a new file is empty.
fn is_ours(connection: &Connection, version: u32) -> rusqlite::Result<bool> {
    let mark: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(mark == APPLICATION_ID || (mark == 0 && version == 0 && tables == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: &str = "hive.db";

    fn migrated(connection: &mut Connection, steps: &[&str]) -> Result<(), StoreError> {
        migrate_by(connection, Path::new(NOWHERE), steps)
    }

    #[test]
    fn steps_run_once_and_forward_only() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);";
        let second = "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7;";
        migrated(&mut connection, &[first]).unwrap();
        migrated(&mut connection, &[first]).unwrap();
        migrated(&mut connection, &[first, second]).unwrap();
        let row: (u32, u32) = connection
            .query_row("SELECT x, y FROM a", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(row, (1, 7));
        let newer = StoreError::Newer {
            path: NOWHERE.into(),
            found: 2,
            known: 1,
        };
        assert_eq!(migrated(&mut connection, &[first]), Err(newer));
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = "CREATE TABLE b (x INTEGER) STRICT; CREATE TABLE b (x INTEGER) STRICT;";
        assert!(migrated(&mut connection, &[broken]).is_err());
        assert_eq!(version(&connection).unwrap(), 0);
        migrated(&mut connection, &["CREATE TABLE b (x INTEGER) STRICT;"]).unwrap();
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
        let foreign = StoreError::Foreign {
            path: NOWHERE.into(),
        };
        assert_eq!(migrate(&mut connection, Path::new(NOWHERE)), Err(foreign));
    }
}
