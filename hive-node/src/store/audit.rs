//! The audit log: append-only rows, each of which carries a hash over itself and the row before.
//!
//! Triggers keep programs from changing rows by mistake; the hashes show when somebody did so on
//! purpose. Whoever holds the file can still write a new chain from some row on: the log is evidence
//! for the operator, not against one.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use hive_types::{Digest, Now};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

/// The hash before the first row.
const START: [u8; 32] = [0; 32];

/// One row of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Position, from 1.
    pub seq: u64,
    /// The wall clock in milliseconds since 1970.
    pub at_ms: u64,
    /// The run of the agent.
    pub boot: u64,
    /// What happened, as JSON.
    pub entry: String,
    /// The hash over this row and the one before.
    pub hash: Digest,
}

impl AuditRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            at_ms: row.get(1)?,
            boot: row.get(2)?,
            entry: row.get(3)?,
            hash: Digest::from_bytes(row.get(4)?),
        })
    }

    /// The hash that belongs here after `before`. The numbers have fixed sizes and the entry comes
    /// last, so no two rows hash the same bytes.
    fn expected(&self, before: &[u8; 32]) -> [u8; 32] {
        let mut engine = sha256::Hash::engine();
        engine.input(before);
        engine.input(&self.seq.to_be_bytes());
        engine.input(&self.at_ms.to_be_bytes());
        engine.input(&self.boot.to_be_bytes());
        engine.input(self.entry.as_bytes());
        sha256::Hash::from_engine(engine).to_byte_array()
    }
}

/// Adds one row.
pub(crate) fn append(tx: &Transaction<'_>, now: Now, entry: &str) -> rusqlite::Result<()> {
    let newest: Option<(u64, [u8; 32])> = tx
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (seq, before) = newest.map_or((0, START), |(seq, hash)| (seq, hash));
    let mut row = AuditRow {
        seq: seq + 1,
        at_ms: now.wall.get(),
        boot: now.boot.get(),
        entry: entry.into(),
        hash: Digest::from_bytes(START),
    };
    row.hash = Digest::from_bytes(row.expected(&before));
    tx.prepare_cached("INSERT INTO audit (seq, at_ms, boot, entry, hash) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![
            row.seq,
            row.at_ms,
            row.boot,
            row.entry,
            row.hash.as_bytes()
        ])?;
    Ok(())
}

/// The newest `limit` rows, oldest first.
pub(crate) fn newest(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<AuditRow>> {
    let mut statement = connection
        .prepare("SELECT seq, at_ms, boot, entry, hash FROM audit ORDER BY seq DESC LIMIT ?")?;
    let rows = statement.query_map([limit], AuditRow::read)?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    rows.reverse();
    Ok(rows)
}

/// Walks the whole chain: the count of rows, or the first row that does not fit.
pub(crate) fn verify(connection: &Connection) -> rusqlite::Result<Result<u64, u64>> {
    let mut statement =
        connection.prepare("SELECT seq, at_ms, boot, entry, hash FROM audit ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let (mut before, mut count) = (START, 0u64);
    while let Some(row) = rows.next()? {
        let row = AuditRow::read(row)?;
        count += 1;
        if row.seq != count || row.expected(&before) != *row.hash.as_bytes() {
            return Ok(Err(row.seq));
        }
        before = *row.hash.as_bytes();
    }
    Ok(Ok(count))
}
