//! From rows to what the state machine starts with.

use super::{RowError, gate, meta};
use crate::backend::Prepared;
use hive_core::{MemberRow, Snapshot, StoredAction};
use hive_types::limits::RECENT_ACTIONS;
use hive_types::{ActionId, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// Everything that a restarted agent is given.
pub(super) fn snapshot(connection: &Connection) -> Result<Snapshot, RowError> {
    let acceptor = connection
        .query_row("SELECT bytes FROM acceptor", [], |row| row.get(0))
        .optional()?;
    Ok(Snapshot {
        meta: meta::all(connection)?,
        decisions: rows(
            connection,
            "SELECT bytes FROM decisions ORDER BY slot",
            |row| Ok(row.get(0)?),
        )?,
        acceptor,
        authors: rows(
            connection,
            "SELECT author, bytes FROM authors ORDER BY author",
            |row| Ok((parsed(row, 0)?, row.get(1)?)),
        )?,
        records: rows(
            connection,
            "SELECT bytes FROM records ORDER BY author, key",
            |row| Ok(row.get(0)?),
        )?,
        actions: actions(connection)?,
        gate: gate::read(connection)?,
        saved_fees: rows(
            connection,
            "SELECT channel, policy FROM saved_fees ORDER BY channel",
            |row| Ok((parsed(row, 0)?, from_json(row, 1)?)),
        )?,
    })
}

/// What is not done with, and what ended lately, oldest first.
fn actions(connection: &Connection) -> Result<Vec<StoredAction>, RowError> {
    let sql = format!(
        "SELECT id, kind, state, proposal, result, wall_ms FROM actions
         WHERE state IN ('intended', 'acting') OR id IN (SELECT id FROM actions
         WHERE state NOT IN ('intended', 'acting') ORDER BY wall_ms DESC, id LIMIT {RECENT_ACTIONS})
         ORDER BY wall_ms, id"
    );
    rows(connection, &sql, |row| {
        let result: Option<String> = row.get(4)?;
        Ok(StoredAction {
            id: parsed(row, 0)?,
            kind: from_word(row, 1)?,
            state: from_word(row, 2)?,
            proposal: from_json(row, 3)?,
            result: result.map(|_| from_json(row, 4)).transpose()?,
            wall: UnixMillis::new(row.get(5)?),
        })
    })
}

/// Actions whose end is not known, with what was prepared for each.
pub(super) fn unfinished(
    connection: &Connection,
) -> Result<Vec<(ActionId, Option<Prepared>)>, RowError> {
    let sql = "SELECT id, prepared FROM actions WHERE state = 'acting' ORDER BY wall_ms, id";
    rows(connection, sql, |row| {
        let prepared: Option<String> = row.get(1)?;
        let prepared = prepared.map(|_| from_json(row, 1)).transpose()?;
        Ok((parsed(row, 0)?, prepared))
    })
}

/// The members, in order of node ids.
pub(super) fn members(connection: &Connection) -> Result<Vec<MemberRow>, RowError> {
    let sql = "SELECT node_id, tier, epoch, member_key, admitted_at, software, addresses,
               capabilities FROM fleet_nodes ORDER BY node_id";
    rows(connection, sql, |row| {
        Ok(MemberRow {
            node_id: parsed(row, 0)?,
            tier: from_word(row, 1)?,
            epoch: row.get(2)?,
            member_key: row.get(3)?,
            admitted_at: row.get(4)?,
            software: row.get(5)?,
            addresses: from_json(row, 6)?,
            capabilities: from_json(row, 7)?,
        })
    })
}

/// Reads all rows of a query.
pub(super) fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl Fn(&Row<'_>) -> Result<T, RowError>,
) -> Result<Vec<T>, RowError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        values.push(read(row)?);
    }
    Ok(values)
}

fn parsed<T: FromStr>(row: &Row<'_>, column: usize) -> Result<T, RowError> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| unreadable(row, column, &text))
}

/// The value of a JSON column.
pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, RowError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| unreadable(row, column, &text))
}

fn from_word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, RowError> {
    let text: String = row.get(column)?;
    let read = serde_json::from_value(text.clone().into());
    read.map_err(|_| unreadable(row, column, &text))
}

fn unreadable(row: &Row<'_>, column: usize, text: &str) -> RowError {
    let name = row.as_ref().column_name(column).unwrap_or("?");
    RowError::Value(format!("{name} {text:?} does not read back"))
}
