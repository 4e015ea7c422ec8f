//! The audit log: append-only rows, each of which carries a hash over itself and the row before.
//!
//! Triggers keep programs from changing rows by mistake; the hashes show when somebody did so on
//! purpose. Whoever holds the file can still write a new chain from some row on: the log is evidence
//! for the operator, not against one.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use hive_core::AuditEntry;
use hive_types::{ActionId, BootId, Digest, UnixMillis};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

/// What a row's hash is before it is known.
const UNKNOWN: Digest = Digest::from_bytes([0; 32]);

const COLUMNS: &str = "SELECT seq, boot, wall_ms, subject, action, text, hash FROM audit";

/// What the log says of a cut.
const CUT: &str = "prune";

/// The audit log, or a part of it, and whether all of it fits together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLog {
    /// The rows that were asked for, oldest first.
    pub rows: Vec<AuditRow>,
    /// What the hashes of the whole log say.
    pub chain: AuditChain,
}

/// What the hashes of the whole log say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChain {
    /// Rows that fit together, from the first one on.
    pub rows: u64,
    /// The position of the first row that is kept; older ones were cut off, and row `from - 1` had the
    /// hash that the chain goes on from.
    pub from: u64,
    /// The first row that was changed, or that stands where another is missing.
    pub broken_at: Option<u64>,
}

/// One row of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Position, from 1.
    pub seq: u64,
    /// The run of the agent.
    pub boot: BootId,
    /// What happened, and why.
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// The hash over this row and the one before.
    pub hash: Digest,
}

impl AuditRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let action: Option<String> = row.get(4)?;
        let action = action.map(|text| text.parse::<ActionId>()).transpose();
        let action = action.map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(4, Type::Text, Box::new(error))
        })?;
        Ok(Self {
            seq: row.get(0)?,
            boot: BootId::new(row.get(1)?),
            entry: AuditEntry {
                wall: UnixMillis::new(row.get(2)?),
                subject: row.get(3)?,
                action,
                text: row.get(5)?,
            },
            hash: Digest::from_bytes(row.get(6)?),
        })
    }

    /// The hash that belongs here after `before`. Texts are preceded by their length and an absent
    /// action by a zero byte, so no two rows hash the same bytes.
    fn expected(&self, before: Digest) -> Digest {
        let mut engine = sha256::Hash::engine();
        engine.input(before.as_bytes());
        engine.input(&self.seq.to_be_bytes());
        engine.input(&self.boot.get().to_be_bytes());
        engine.input(&self.entry.wall.get().to_be_bytes());
        for text in [&self.entry.subject, &self.entry.text] {
            engine.input(&(text.len() as u64).to_be_bytes());
            engine.input(text.as_bytes());
        }
        match &self.entry.action {
            None => engine.input(&[0]),
            Some(action) => {
                engine.input(&[1]);
                engine.input(action.as_bytes());
            }
        }
        Digest::from_bytes(sha256::Hash::from_engine(engine).to_byte_array())
    }
}

/// Adds one row.
pub(super) fn append(
    tx: &Transaction<'_>,
    boot: BootId,
    entry: &AuditEntry,
) -> rusqlite::Result<()> {
    let newest = tx
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], place)
        .optional()?;
    let (seq, before) = match newest {
        Some(newest) => newest,
        None => anchor(tx)?,
    };
    let mut row = AuditRow {
        seq: seq + 1,
        boot,
        entry: entry.clone(),
        hash: UNKNOWN,
    };
    row.hash = row.expected(before);
    tx.prepare_cached(
        "INSERT INTO audit (seq, boot, wall_ms, subject, action, text, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row.seq,
        row.boot.get(),
        row.entry.wall.get(),
        row.entry.subject,
        row.entry.action.map(|action| action.to_string()),
        row.entry.text,
        row.hash.as_bytes()
    ])?;
    Ok(())
}

/// Where the log begins: the place and hash of the row before its first.
fn anchor(connection: &Connection) -> rusqlite::Result<(u64, Digest)> {
    let mut statement = connection.prepare_cached("SELECT seq, hash FROM audit_anchor")?;
    statement.query_row([], place)
}

fn place(row: &Row<'_>) -> rusqlite::Result<(u64, Digest)> {
    Ok((row.get(0)?, Digest::from_bytes(row.get(1)?)))
}

/// Cuts off the oldest rows when there are more than `keep + slack`, down to `keep`, and says so in a
/// row of its own. What is left is verified from the hash of the last row that was cut.
pub(super) fn cut(
    tx: &Transaction<'_>,
    boot: BootId,
    keep: u64,
    slack: u64,
) -> rusqlite::Result<()> {
    let (first, _) = anchor(tx)?;
    let newest: Option<(u64, u64)> = tx
        .prepare_cached("SELECT seq, wall_ms FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((newest, wall)) = newest.filter(|(seq, _)| seq - first > keep + slack) else {
        return Ok(());
    };
    let (last, hash) = tx
        .prepare_cached("SELECT seq, hash FROM audit WHERE seq = ?")?
        .query_row([newest - keep], place)?;
    tx.execute(
        "UPDATE audit_anchor SET seq = ?, hash = ?",
        params![last, hash.as_bytes()],
    )?;
    tx.execute("DELETE FROM audit WHERE seq <= ?", [last])?;
    let entry = AuditEntry {
        wall: UnixMillis::new(wall),
        subject: CUT.to_owned(),
        action: None,
        text: format!("rows up to {last} were cut off; the chain goes on from {hash}"),
    };
    append(tx, boot, &entry)
}

/// The newest `limit` rows, oldest first; of one action only where one is named.
pub(super) fn newest(
    connection: &Connection,
    limit: u32,
    action: Option<ActionId>,
) -> rusqlite::Result<Vec<AuditRow>> {
    let action = action.map(|action| action.to_string());
    let mut statement = connection.prepare(&format!(
        "{COLUMNS} WHERE ?1 IS NULL OR action = ?1 ORDER BY seq DESC LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![action, limit], AuditRow::read)?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    rows.reverse();
    Ok(rows)
}

/// Walks the whole chain.
pub(super) fn verify(connection: &Connection) -> rusqlite::Result<AuditChain> {
    let mut statement = connection.prepare(&format!("{COLUMNS} ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    let (mut last, mut before) = anchor(connection)?;
    let mut chain = AuditChain {
        rows: 0,
        from: last + 1,
        broken_at: None,
    };
    while let Some(row) = rows.next()? {
        let row = AuditRow::read(row)?;
        last += 1;
        if row.seq != last || row.expected(before) != row.hash {
            chain.broken_at = Some(row.seq);
            return Ok(chain);
        }
        before = row.hash;
        chain.rows += 1;
    }
    Ok(chain)
}
