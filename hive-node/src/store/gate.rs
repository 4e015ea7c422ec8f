//! Money that is reserved or spent, and proposals that wait: the gate's state, change by change.

use super::RowError;
use super::meta;
use super::read::{from_json, rows};
use super::write::execute;
use hive_policy::{Ended, GateChange, GateState};
use hive_types::limits::ENDED_PROPOSALS;
use rusqlite::{Connection, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Names of the gate's single values.
const MODE: &str = "mode";
const HALT: &str = "halt";
const CLOCK: &str = "clock";

/// Writes one change.
pub(super) fn write(tx: &Transaction<'_>, change: &GateChange) -> Result<(), RowError> {
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

fn write_ended(tx: &Transaction<'_>, ended: &Ended) -> Result<(), RowError> {
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

fn write_value(tx: &Transaction<'_>, name: &str, value: &impl Serialize) -> Result<(), RowError> {
    execute(
        tx,
        "INSERT INTO gate (name, value) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [name, &meta::json(value)?],
    )
}

/// Reads the gate's state.
pub(super) fn read(connection: &Connection) -> Result<GateState, RowError> {
    Ok(GateState {
        mode: read_value(connection, MODE)?,
        halt: read_value(connection, HALT)?,
        clock: read_value(connection, CLOCK)?,
        ledger: entries(
            connection,
            "SELECT entry FROM ledger WHERE closed = 0 ORDER BY id",
        )?,
        pending: entries(connection, "SELECT entry FROM pending ORDER BY seq")?,
        ended: entries(connection, "SELECT entry FROM ended ORDER BY seq")?,
    })
}

fn read_value<T: DeserializeOwned + Default>(
    connection: &Connection,
    name: &str,
) -> Result<T, RowError> {
    let mut statement = connection.prepare("SELECT value FROM gate WHERE name = ?")?;
    let mut rows = statement.query([name])?;
    match rows.next()? {
        Some(row) => from_json(row, 0),
        None => Ok(T::default()),
    }
}

fn entries<T: DeserializeOwned>(connection: &Connection, sql: &str) -> Result<Vec<T>, RowError> {
    rows(connection, sql, |row| from_json(row, 0))
}
