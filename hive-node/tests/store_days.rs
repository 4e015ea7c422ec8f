//! Half a year of a member's life in one store.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/days.rs"]
mod days;

use days::{Member, Rates, bytes};
use hive_node::store::Store;
use hive_types::limits::{AUDIT_ROWS, AUDIT_ROWS_SLACK, RECENT_ACTIONS};

/// What five members at their limits may make of a store: a twelfth of its default bound.
const BOUND: u64 = 84 << 20;

/// Every limit is exhausted in each hour for 180 days: the store reaches its size and keeps it.
#[test]
fn t65_the_store_of_180_days_stays_under_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut member = Member::new(Rates::worst(5));
    member.live(&store, 120, 24);
    drop(store);
    let before = bytes(folder.path());
    let store = Store::open(folder.path()).unwrap();
    member.live(&store, 60, 24);
    drop(store);
    let after = bytes(folder.path());
    assert!(after < BOUND, "{after} bytes");
    assert!(after < before + before / 20, "{after} bytes after {before}");

    let store = Store::open(folder.path()).unwrap();
    let log = store.audit_log(1, None).unwrap();
    assert_eq!(log.chain.broken_at, None);
    assert!(log.chain.from > 1, "it was cut");
    assert!((AUDIT_ROWS..=AUDIT_ROWS + AUDIT_ROWS_SLACK).contains(&log.chain.rows));
    assert_eq!(store.load().unwrap().actions.len(), RECENT_ACTIONS);
    assert_eq!(store.unfinished().unwrap(), []);
}
