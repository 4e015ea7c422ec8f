//! Single values by name.

use super::WriteError;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;

/// Writes a value, in place of the one of this name.
pub(super) fn put(tx: &Transaction<'_>, key: &str, bytes: &[u8]) -> Result<(), WriteError> {
    tx.prepare_cached(
        "INSERT INTO meta (key, bytes) VALUES (?, ?)
         ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes",
    )?
    .execute(params![key, bytes])?;
    Ok(())
}

/// The value of this name.
pub(super) fn get(connection: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM meta WHERE key = ?")?;
    statement.query_row([key], |row| row.get(0)).optional()
}

/// A value as text that operators can read.
pub(super) fn json(value: &impl Serialize) -> Result<String, WriteError> {
    serde_json::to_string(value)
        .map_err(|reason| WriteError::Value(format!("a value has no JSON form: {reason}")))
}
