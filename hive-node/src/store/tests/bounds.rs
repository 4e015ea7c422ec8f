//! The audit log and what keeps a store small.

use super::*;

#[test]
fn the_audit_log_only_grows_and_shows_changes() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store
        .apply(&set([audit("a"), audit("b"), audit("c")]))
        .unwrap();
    assert_eq!(store.verify_audit(), Ok(3));
    let newest: Vec<u64> = store.audit(2).unwrap().iter().map(|row| row.seq).collect();
    assert_eq!(newest, [2, 3]);
    let inner = store.inner();
    for sql in ["DELETE FROM audit", "UPDATE audit SET text = 'x'"] {
        let error = inner.connection.execute(sql, []).unwrap_err();
        assert!(error.to_string().contains("only grows"), "{error}");
    }
    inner
        .connection
        .execute_batch(
            "DROP TRIGGER audit_keeps_content; UPDATE audit SET text = 'x' WHERE seq = 2",
        )
        .unwrap();
    drop(inner);
    let error = store.verify_audit().unwrap_err();
    assert!(error.to_string().contains("row 2"), "{error}");
}

#[test]
fn t65_the_audit_log_is_cut_at_its_bound_and_still_proves_itself() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let cut = || store.write(|tx| Ok(audit::cut(tx, store.boot(), 10, 5)?));
    let rows = (1..=15).map(|number| audit(&number.to_string()));
    store.apply(&set(rows)).unwrap();
    cut().unwrap();
    assert_eq!(
        store.verify_audit(),
        Ok(15),
        "within the slack nothing goes"
    );
    store.apply(&set([audit("16")])).unwrap();
    cut().unwrap();
    let log = store.audit_log(100, None).unwrap();
    let whole = AuditChain {
        rows: 11,
        from: 7,
        broken_at: None,
    };
    assert_eq!(log.chain, whole);
    let texts: Vec<&str> = log.rows.iter().map(|row| row.entry.text.as_str()).collect();
    assert_eq!(texts[..2], ["7", "8"]);
    let last = log.rows.last().unwrap();
    assert_eq!((last.seq, last.entry.subject.as_str()), (17, "prune"));
    assert!(
        last.entry.text.starts_with("rows up to 6 were cut off"),
        "{}",
        last.entry.text
    );
    // Cutting by hand, moving the anchor to where no row is, or back, is refused.
    let tampered = [
        "DELETE FROM audit WHERE seq = 7",
        "UPDATE audit_anchor SET seq = 9",
        "UPDATE audit_anchor SET seq = 3",
        "DELETE FROM audit_anchor",
    ];
    for sql in tampered {
        let refused = store.inner().connection.execute(sql, []);
        assert!(refused.is_err(), "{sql}");
    }
    // With the triggers out of the way the hashes tell.
    let inner = store.inner();
    let sql = "DROP TRIGGER audit_keeps_rows; DELETE FROM audit WHERE seq = 7";
    inner.connection.execute_batch(sql).unwrap();
    drop(inner);
    let chain = store.audit_log(1, None).unwrap().chain;
    assert_eq!((chain.rows, chain.broken_at), (0, Some(8)));
    assert!(store.verify_audit().is_err());
}

#[test]
fn the_log_of_one_action() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let other = Change::Audit(AuditEntry {
        wall: UnixMillis::new(6),
        subject: "settle".into(),
        action: Some(id(2)),
        text: "other".into(),
    });
    store.apply(&set([audit("a"), other, audit("b")])).unwrap();
    let texts = |action| -> Vec<String> {
        let rows = store.audit_log(10, action).unwrap().rows;
        rows.into_iter().map(|row| row.entry.text).collect()
    };
    assert_eq!(texts(Some(id(1))), ["a", "b"]);
    assert_eq!(texts(Some(id(2))), ["other"]);
    assert_eq!(texts(Some(id(3))), Vec::<String>::new());
    assert_eq!(
        store.audit_log(1, Some(id(1))).unwrap().rows[0].entry.text,
        "b"
    );
}

#[test]
fn t65_room_that_is_free_goes_back_to_the_disk() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let big = (0..100u8).map(|key| record(&[key], &[key; 20_000]));
    store.apply(&set(big)).unwrap();
    let pages = || -> u64 {
        let inner = store.inner();
        let pages = inner
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0));
        pages.unwrap()
    };
    let before = pages();
    store
        .apply(&set([Change::DropRecords { author: node(1) }]))
        .unwrap();
    store.prune().unwrap();
    assert!(pages() * 4 < before, "{} of {before}", pages());
}

#[test]
fn a_store_of_the_first_version_goes_on() {
    let folder = folder();
    let path = folder.path().join(STORE_FILE);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../v1.sql")).unwrap();
    old.pragma_update(None, "application_id", 0x4849_5645)
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    let store = Store::open(folder.path()).unwrap();
    store.apply(&set([audit("a")])).unwrap();
    assert_eq!(store.verify_audit(), Ok(1));
    let inner = store.inner();
    let mode = inner
        .connection
        .pragma_query_value(None, "auto_vacuum", |row| row.get::<_, u32>(0));
    assert_eq!(mode, Ok(prune::INCREMENTAL));
}
