//! From changes to rows.

use super::{RowError, audit, gate, meta};
use hive_core::{Change, MemberRow, StoredAction};
use hive_types::BootId;
use rusqlite::{Params, Transaction, params};
use serde::Serialize;

/// Writes one change.
pub(super) fn change(tx: &Transaction<'_>, boot: BootId, change: &Change) -> Result<(), RowError> {
    match change {
        Change::Member(row) => member(tx, row),
        Change::ForgetMember(node) => {
            let sql = "DELETE FROM fleet_nodes WHERE node_id = ?";
            execute(tx, sql, [node.to_string()])
        }
        Change::Record { author, key, bytes } => execute(
            tx,
            "INSERT INTO records (author, key, bytes) VALUES (?, ?, ?)
             ON CONFLICT (author, key) DO UPDATE SET bytes = excluded.bytes",
            params![author.to_string(), key, bytes],
        ),
        Change::DropRecord { author, key } => {
            let sql = "DELETE FROM records WHERE author = ? AND key = ?";
            execute(tx, sql, params![author.to_string(), key])
        }
        Change::DropRecords { author } => {
            let sql = "DELETE FROM records WHERE author = ?";
            execute(tx, sql, [author.to_string()])
        }
        Change::Author { author, bytes } => execute(
            tx,
            "INSERT INTO authors (author, bytes) VALUES (?, ?)
             ON CONFLICT (author) DO UPDATE SET bytes = excluded.bytes",
            params![author.to_string(), bytes],
        ),
        Change::Decision { .. } | Change::DropDecisionsBelow { .. } | Change::Acceptor { .. } => {
            decision(tx, change)
        }
        Change::Action(stored) => action(tx, stored),
        Change::ForgetAction(id) => {
            let sql = "DELETE FROM actions WHERE id = ?";
            execute(tx, sql, [id.to_string()])
        }
        Change::Gate(change) => gate::write(tx, change),
        Change::SavedFee { channel, policy } => execute(
            tx,
            "INSERT INTO saved_fees (channel, policy) VALUES (?, ?)
             ON CONFLICT (channel) DO UPDATE SET policy = excluded.policy",
            [channel.to_string(), meta::json(policy)?],
        ),
        Change::ForgetFee { channel } => {
            let sql = "DELETE FROM saved_fees WHERE channel = ?";
            execute(tx, sql, [channel.to_string()])
        }
        Change::Audit(entry) => Ok(audit::append(tx, boot, entry)?),
        Change::Meta { key, bytes } => meta::put(tx, key, bytes),
        Change::ForgetFleet => forget_fleet(tx),
    }
}

fn decision(tx: &Transaction<'_>, change: &Change) -> Result<(), RowError> {
    match change {
        Change::Decision { slot, bytes } => execute(
            tx,
            "INSERT INTO decisions (slot, bytes) VALUES (?, ?)
             ON CONFLICT (slot) DO UPDATE SET bytes = excluded.bytes",
            params![slot, bytes],
        ),
        Change::DropDecisionsBelow { slot } => {
            execute(tx, "DELETE FROM decisions WHERE slot < ?", [slot])
        }
        Change::Acceptor { bytes } => execute(
            tx,
            "INSERT INTO acceptor (one, bytes) VALUES (1, ?)
             ON CONFLICT (one) DO UPDATE SET bytes = excluded.bytes",
            [bytes],
        ),
        _ => Ok(()),
    }
}

fn member(tx: &Transaction<'_>, row: &MemberRow) -> Result<(), RowError> {
    execute(
        tx,
        "INSERT OR REPLACE INTO fleet_nodes (node_id, tier, epoch, member_key, admitted_at,
         software, addresses, capabilities) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            row.node_id.to_string(),
            word(&row.tier)?,
            row.epoch,
            row.member_key,
            row.admitted_at,
            row.software,
            meta::json(&row.addresses)?,
            meta::json(&row.capabilities)?,
        ],
    )
}

/// Keeps `prepared`: it is written once, between permit and execution.
fn action(tx: &Transaction<'_>, stored: &StoredAction) -> Result<(), RowError> {
    let result = stored.result.as_ref().map(meta::json).transpose()?;
    execute(
        tx,
        "INSERT INTO actions (id, kind, state, proposal, result, wall_ms)
         VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, state = excluded.state,
         proposal = excluded.proposal, result = excluded.result, wall_ms = excluded.wall_ms",
        params![
            stored.id.to_string(),
            stored.kind.as_str(),
            word(&stored.state)?,
            meta::json(&stored.proposal)?,
            result,
            stored.wall.get(),
        ],
    )
}

fn forget_fleet(tx: &Transaction<'_>) -> Result<(), RowError> {
    let sql = "DELETE FROM records; DELETE FROM authors; DELETE FROM decisions;
               DELETE FROM acceptor; DELETE FROM fleet_nodes;";
    Ok(tx.execute_batch(sql)?)
}

/// An enum's name without JSON's quotes.
fn word(value: &impl Serialize) -> Result<String, RowError> {
    Ok(meta::json(value)?.trim_matches('"').to_owned())
}

pub(super) fn execute(
    tx: &Transaction<'_>,
    sql: &str,
    params: impl Params,
) -> Result<(), RowError> {
    tx.prepare_cached(sql)?.execute(params)?;
    Ok(())
}
