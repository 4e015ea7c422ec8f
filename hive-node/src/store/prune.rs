//! What keeps a store small over the years: what ended long ago goes, and free pages go back to the
//! disk.
//!
//! Records, decisions and waiting proposals are bounded by the state machine, which drops what is
//! superseded. What only ever grows is cut here: ended actions, closed ledger entries, the audit log.

use super::{RowError, audit};
use hive_types::BootId;
use hive_types::limits::{AUDIT_ROWS, AUDIT_ROWS_SLACK, STORED_ACTIONS};
use rusqlite::{Connection, Transaction};

/// Free pages go back to the disk when they are more than this part of the file: below it the next
/// rows need them again.
const FREE_PART: u64 = 4;

/// Cuts what is over its bound.
pub(super) fn rows(tx: &Transaction<'_>, boot: BootId) -> Result<(), RowError> {
    let kept = STORED_ACTIONS as u64;
    // `prepared` goes with its action; what is under way stays whatever its age.
    tx.prepare_cached(
        "DELETE FROM actions WHERE rowid IN (
             SELECT rowid FROM actions WHERE state IN ('done', 'not_done')
             ORDER BY wall_ms DESC, id LIMIT -1 OFFSET ?)",
    )?
    .execute([kept])?;
    tx.prepare_cached(
        "DELETE FROM ledger WHERE rowid IN (
             SELECT rowid FROM ledger WHERE closed = 1 ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
    )?
    .execute([kept])?;
    Ok(audit::cut(tx, boot, AUDIT_ROWS, AUDIT_ROWS_SLACK)?)
}

/// Gives free pages back where they are many.
pub(super) fn pages(connection: &Connection) -> rusqlite::Result<()> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let (free, all) = (number("freelist_count")?, number("page_count")?);
    if free * FREE_PART <= all {
        return Ok(());
    }
    // One page for each step.
    let mut statement = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut steps = statement.query([])?;
    while steps.next()?.is_some() {}
    Ok(())
}

/// Lets an older store shrink, too. SQLite rewrites the file for that, once.
pub(super) fn enable(connection: &Connection) -> rusqlite::Result<()> {
    let mode: u32 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    match mode {
        INCREMENTAL => Ok(()),
        _ => {
            connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
            connection.execute_batch("VACUUM")
        }
    }
}

/// SQLite's number for `auto_vacuum = INCREMENTAL`.
pub(super) const INCREMENTAL: u32 = 2;
