//! Single values by name.

use super::RowError;
use super::read::rows;
use super::write::execute;
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

/// Writes a value, in place of the one of this name. No bytes: forgets it.
pub(super) fn put(tx: &Transaction<'_>, key: &str, bytes: &[u8]) -> Result<(), RowError> {
    if bytes.is_empty() {
        return execute(tx, "DELETE FROM meta WHERE key = ?", [key]);
    }
    execute(
        tx,
        "INSERT INTO meta (key, bytes) VALUES (?, ?)
         ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes",
        params![key, bytes],
    )
}

/// Every value, in order of names.
pub(super) fn all(connection: &Connection) -> Result<Vec<(String, Vec<u8>)>, RowError> {
    let sql = "SELECT key, bytes FROM meta ORDER BY key";
    rows(connection, sql, |row| Ok((row.get(0)?, row.get(1)?)))
}

/// A value as text that operators can read.
pub(super) fn json(value: &impl Serialize) -> Result<String, RowError> {
    serde_json::to_string(value)
        .map_err(|reason| RowError::Value(format!("a value has no JSON form: {reason}")))
}
