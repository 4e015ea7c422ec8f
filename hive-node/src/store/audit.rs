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

/// The hash before the first row.
const START: Digest = Digest::from_bytes([0; 32]);

const COLUMNS: &str = "SELECT seq, boot, wall_ms, subject, action, text, hash FROM audit";

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
    let newest: Option<(u64, [u8; 32])> = tx
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (seq, before) = newest.map_or((0, START), |(seq, hash)| (seq, Digest::from_bytes(hash)));
    let mut row = AuditRow {
        seq: seq + 1,
        boot,
        entry: entry.clone(),
        hash: START,
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

/// The newest `limit` rows, oldest first.
pub(super) fn newest(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<AuditRow>> {
    let mut statement = connection.prepare(&format!("{COLUMNS} ORDER BY seq DESC LIMIT ?"))?;
    let rows = statement.query_map([limit], AuditRow::read)?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    rows.reverse();
    Ok(rows)
}

/// Walks the whole chain: the count of rows, or the first row that does not fit.
pub(super) fn verify(connection: &Connection) -> rusqlite::Result<Result<u64, u64>> {
    let mut statement = connection.prepare(&format!("{COLUMNS} ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    let (mut before, mut count) = (START, 0u64);
    while let Some(row) = rows.next()? {
        let row = AuditRow::read(row)?;
        count += 1;
        if row.seq != count || row.expected(before) != row.hash {
            return Ok(Err(row.seq));
        }
        before = row.hash;
    }
    Ok(Ok(count))
}
