//! Money that is reserved or spent, and proposals that wait: the gate's state, change by change.

use super::WriteError;
use super::meta;
use hive_policy::{Ended, GateChange, GateState};
use hive_types::limits::ENDED_PROPOSALS;
use rusqlite::{Connection, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Names of the gate's single values in `meta`.
const MODE: &str = "gate.mode";
const HALT: &str = "gate.halt";
const CLOCK: &str = "gate.clock";

/// Writes one change.
pub(super) fn write(tx: &Transaction<'_>, change: &GateChange) -> Result<(), WriteError> {
    match change {
        GateChange::Ledger(entry) => execute(
            tx,
            "INSERT INTO ledger (id, entry) VALUES (?, ?)
             ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, closed = 0",
            [entry.id.to_string(), meta::json(entry)?],
        ),
        GateChange::LedgerClosed(id) => execute(
            tx,
            "UPDATE ledger SET closed = 1 WHERE id = ?",
            [id.to_string()],
        ),
        GateChange::Pending(pending) => execute(
            tx,
            "INSERT INTO pending (id, entry) VALUES (?, ?)
             ON CONFLICT (id) DO UPDATE SET entry = excluded.entry",
            [pending.id.to_string(), meta::json(pending)?],
        ),
        GateChange::PendingGone(ended) => write_ended(tx, ended),
        GateChange::Mode(mode) => write_value(tx, MODE, mode),
        GateChange::Halt(halt) => write_value(tx, HALT, halt),
        GateChange::Clock(mark) => write_value(tx, CLOCK, mark),
    }
}

fn write_ended(tx: &Transaction<'_>, ended: &Ended) -> Result<(), WriteError> {
    execute(
        tx,
        "DELETE FROM pending WHERE id = ?",
        [ended.id.to_string()],
    )?;
    execute(
        tx,
        "INSERT INTO ended (entry) VALUES (?)",
        [meta::json(ended)?],
    )?;
    execute(
        tx,
        "DELETE FROM ended WHERE seq <= (SELECT max(seq) FROM ended) - ?",
        [ENDED_PROPOSALS],
    )
}

fn write_value(tx: &Transaction<'_>, key: &str, value: &impl Serialize) -> Result<(), WriteError> {
    meta::put(tx, key, meta::json(value)?.as_bytes())
}

fn execute(
    tx: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<(), WriteError> {
    tx.prepare_cached(sql)?.execute(params)?;
    Ok(())
}

/// Reads the gate's state.
pub(super) fn read(connection: &Connection) -> Result<GateState, WriteError> {
    Ok(GateState {
        mode: read_value(connection, MODE)?,
        halt: read_value(connection, HALT)?,
        clock: read_value(connection, CLOCK)?,
        ledger: read_rows(
            connection,
            "SELECT entry FROM ledger WHERE closed = 0 ORDER BY id",
        )?,
        pending: read_rows(connection, "SELECT entry FROM pending ORDER BY seq")?,
        ended: read_rows(connection, "SELECT entry FROM ended ORDER BY seq")?,
    })
}

fn read_value<T: DeserializeOwned + Default>(
    connection: &Connection,
    key: &str,
) -> Result<T, WriteError> {
    match meta::get(connection, key)? {
        Some(bytes) => serde_json::from_slice(&bytes)
            .map_err(|reason| WriteError::Value(format!("{key} does not read back: {reason}"))),
        None => Ok(T::default()),
    }
}

fn read_rows<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
) -> Result<Vec<T>, WriteError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        let value = serde_json::from_str(&text)
            .map_err(|reason| WriteError::Value(format!("{text} does not read back: {reason}")))?;
        values.push(value);
    }
    Ok(values)
}
