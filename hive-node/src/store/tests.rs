use super::*;
use hive_core::{ActionResult, ActionState, AuditEntry, Change, Done, StoredAction};
use hive_policy::{
    ClockMark, Ended, Ending, EntryState, GateChange, GateState, Halt, LedgerEntry, Mode, Pending,
    Subject,
};
use hive_types::limits::{ENDED_PROPOSALS, RECENT_ACTIONS};
use hive_types::{
    Action, ActionKind, ChannelId, ChannelPolicy, Explanation, FeeratePerKw, Msat, NodeId,
    OpenChannel, OutPoint, Ppm, Proposal, Sat, Tier, Txid, UnixMillis,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

mod bounds;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn node(number: u8) -> NodeId {
    let mut bytes = [number; 33];
    bytes[0] = 2;
    NodeId::from_bytes(bytes).unwrap()
}

fn id(number: u8) -> ActionId {
    ActionId::from_bytes([number; 16])
}

fn set(changes: impl IntoIterator<Item = Change>) -> ChangeSet {
    let changes = changes.into_iter().collect();
    ChangeSet { changes }
}

fn meta(key: &str, bytes: &[u8]) -> Change {
    Change::Meta {
        key: key.into(),
        bytes: bytes.into(),
    }
}

fn record(key: &[u8], bytes: &[u8]) -> Change {
    Change::Record {
        author: node(1),
        key: key.into(),
        bytes: bytes.into(),
    }
}

fn audit(text: &str) -> Change {
    Change::Audit(AuditEntry {
        wall: UnixMillis::new(5),
        subject: "permit".into(),
        action: Some(id(1)),
        text: text.into(),
    })
}

fn proposal() -> Proposal {
    Proposal {
        action: Action::Open(OpenChannel {
            target: node(9),
            capacity: Sat::new(1_000_000),
            feerate_ceiling: FeeratePerKw::new(1_000),
            announce: true,
        }),
        cost: Msat::new(500_000),
        value_per_day: Msat::new(7),
        confidence: Ppm::new(900_000),
        explanation: Explanation {
            summary: "It pays.".into(),
            facts: vec![("demand".into(), "7 msat/day".into())],
        },
    }
}

fn action(number: u8, state: ActionState, wall: u64) -> StoredAction {
    let result = matches!(state, ActionState::Done).then_some(ActionResult::Done(Done::Opened {
        channel_id: ChannelId::from_bytes([3; 32]),
        funding: OutPoint {
            txid: "dc2e7f352fe9b7ce0aa4d921e7e935689dd5be55206ae3e62d5f5a6fe9327db0"
                .parse::<Txid>()
                .unwrap(),
            vout: 1,
        },
        fee: Sat::new(300),
    }));
    StoredAction {
        id: id(number),
        kind: ActionKind::Open,
        state,
        proposal: proposal(),
        result,
        wall: UnixMillis::new(wall),
    }
}

fn policy() -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::new(1_000),
        rate: Ppm::new(100),
        cltv_delta: 40,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(900_000_000),
        disabled: false,
        inbound_base_msat: -5,
        inbound_ppm: 0,
    }
}

fn member() -> MemberRow {
    MemberRow {
        node_id: node(2),
        tier: Tier::Probationary,
        epoch: 4,
        member_key: "ab".repeat(32),
        admitted_at: 7,
        software: "hive 0.1".into(),
        addresses: vec!["127.0.0.1:9735".into()],
        capabilities: vec!["splice".into()],
    }
}

#[test]
fn everything_that_is_written_is_read_after_a_restart() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let saved = Change::SavedFee {
        channel: ChannelId::from_bytes([4; 32]),
        policy: policy(),
    };
    let decision = |slot, byte| Change::Decision {
        slot,
        bytes: vec![byte],
    };
    let written = set([
        Change::Member(member()),
        record(b"a", &[1, 2]),
        record(b"b", &[3]),
        record(b"a", &[4]),
        Change::Author {
            author: node(1),
            bytes: vec![9],
        },
        decision(0, 10),
        decision(1, 11),
        decision(2, 12),
        Change::DropDecisionsBelow { slot: 1 },
        Change::Acceptor { bytes: vec![1] },
        Change::Acceptor { bytes: vec![2] },
        Change::Action(action(1, ActionState::Acting, 1)),
        Change::Action(action(2, ActionState::Acting, 2)),
        Change::Action(action(2, ActionState::Done, 3)),
        saved.clone(),
        meta("identity", b"secret"),
        meta("gone", b"x"),
        meta("gone", b""),
        audit("because"),
    ]);
    store.apply(&written).unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    let snapshot = store.load().unwrap();
    assert_eq!(snapshot.meta, [("identity".into(), b"secret".to_vec())]);
    assert_eq!(snapshot.decisions, [vec![11], vec![12]]);
    assert_eq!(snapshot.acceptor, Some(vec![2]));
    assert_eq!(snapshot.authors, [(node(1), vec![9])]);
    assert_eq!(snapshot.records, [vec![4], vec![3]]);
    let actions = [
        action(1, ActionState::Acting, 1),
        action(2, ActionState::Done, 3),
    ];
    assert_eq!(snapshot.actions, actions);
    let fees = [(ChannelId::from_bytes([4; 32]), policy())];
    assert_eq!(snapshot.saved_fees, fees);
    assert_eq!(store.members().unwrap(), [member()]);
    assert_eq!(store.unfinished().unwrap(), [(id(1), None)]);
    assert_eq!(store.boot(), BootId::new(2));

    store.apply(&set([Change::ForgetFleet])).unwrap();
    let snapshot = store.load().unwrap();
    assert!(snapshot.decisions.is_empty() && snapshot.records.is_empty());
    assert!(snapshot.acceptor.is_none() && snapshot.authors.is_empty());
    assert!(store.members().unwrap().is_empty());
    assert_eq!(snapshot.actions, actions, "money is never forgotten");
    assert_eq!(snapshot.saved_fees, fees);
    assert_eq!(store.audit(10).unwrap().len(), 1);
}

#[test]
fn what_was_dropped_is_gone() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let channel = ChannelId::from_bytes([4; 32]);
    let author = node(1);
    let written = set([
        Change::Member(member()),
        record(b"a", &[1]),
        Change::SavedFee {
            channel,
            policy: policy(),
        },
        Change::ForgetMember(node(2)),
        Change::DropRecord {
            author,
            key: b"a".into(),
        },
        Change::ForgetFee { channel },
    ]);
    store.apply(&written).unwrap();
    let snapshot = store.load().unwrap();
    assert!(snapshot.records.is_empty() && snapshot.saved_fees.is_empty());
    assert!(store.members().unwrap().is_empty());
}

#[test]
fn what_was_prepared_stays_with_its_action() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let prepared = Prepared::Open {
        target: None,
        begun: None,
        inputs: vec![],
        channels_before: vec![ChannelId::from_bytes([1; 32])],
    };
    store
        .apply(&set([Change::Action(action(1, ActionState::Acting, 1))]))
        .unwrap();
    store.prepare(id(1), &prepared).unwrap();
    store
        .apply(&set([Change::Action(action(1, ActionState::Acting, 2))]))
        .unwrap();
    assert_eq!(
        store.unfinished().unwrap(),
        [(id(1), Some(prepared.clone()))]
    );
    let unknown = store.prepare(id(2), &prepared);
    assert!(
        matches!(unknown, Err(StoreError::Value { .. })),
        "{unknown:?}"
    );
}

#[test]
fn old_ended_actions_are_left_out_and_open_ones_never() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let many = RECENT_ACTIONS as u64 + 20;
    let ended = (10..many).map(|wall| {
        let mut ended = action(0, ActionState::NotDone, wall);
        let mut bytes = [0xee; 16];
        bytes[..8].copy_from_slice(&wall.to_be_bytes());
        ended.id = ActionId::from_bytes(bytes);
        Change::Action(ended)
    });
    let open = Change::Action(action(1, ActionState::Acting, 1));
    store.apply(&set(ended.chain([open]))).unwrap();
    let actions = store.load().unwrap().actions;
    assert_eq!(actions.len(), RECENT_ACTIONS + 1);
    assert_eq!(actions[0].id, id(1));
    assert_eq!(actions[RECENT_ACTIONS].wall, UnixMillis::new(many - 1));
}

/// Changes of every kind, some of which replace others.
fn gate_changes() -> Vec<GateChange> {
    let entry = |number: u8, state| LedgerEntry {
        id: id(number),
        kind: ActionKind::Open,
        subject: Subject::Open(node(number)),
        reserved: Msat::new(1_000),
        capital: Sat::new(5),
        in_flight: Msat::ZERO,
        at: UnixMillis::new(number.into()),
        wall: UnixMillis::new(number.into()),
        state,
    };
    let settled = EntryState::Settled {
        spent: Msat::new(900),
        at: UnixMillis::new(9),
    };
    let pending = |number: u8, approved| Pending {
        id: id(number),
        proposal: proposal(),
        asked: UnixMillis::new(1),
        approved,
    };
    let mut changes = vec![
        GateChange::Mode(Mode::Autonomous),
        GateChange::Ledger(entry(3, EntryState::Reserved)),
        GateChange::Ledger(entry(1, EntryState::Reserved)),
        GateChange::Ledger(entry(3, settled)),
        GateChange::Ledger(entry(2, EntryState::Released)),
        GateChange::LedgerClosed(id(2)),
        GateChange::Pending(pending(9, None)),
        GateChange::Pending(pending(8, None)),
        GateChange::Pending(pending(7, None)),
        GateChange::Pending(pending(9, Some(UnixMillis::new(4)))),
        GateChange::Halt(Halt {
            paused_until: Some(UnixMillis::new(77)),
            stopped: true,
        }),
        GateChange::Clock(ClockMark {
            gate: UnixMillis::new(3),
            wall: UnixMillis::new(4),
            unsure: true,
        }),
    ];
    changes.extend((0..=ENDED_PROPOSALS).map(|number| {
        let number = u8::try_from(number).unwrap();
        GateChange::PendingGone(Ended {
            id: id(number),
            ending: Ending::Expired,
        })
    }));
    changes
}

#[test]
fn the_gate_is_restored_as_its_changes_say() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.load().unwrap().gate, GateState::default());
    let mut expected = GateState::default();
    for change in gate_changes() {
        expected.apply(change.clone());
        store.apply(&set([Change::Gate(change)])).unwrap();
        assert_eq!(store.load().unwrap().gate, expected);
    }
}

#[test]
fn files_are_the_operators_alone() {
    let parent = folder();
    let folder = parent.path().join("hive");
    let store = Store::open(&folder).unwrap();
    store.apply(&set([meta("a", b"1")])).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut files = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert!(files >= 3, "database, write-ahead log and lock");
    drop(store);
    fs::set_permissions(folder.join(STORE_FILE), fs::Permissions::from_mode(0o644)).unwrap();
    let _store = Store::open(&folder).unwrap();
    assert_eq!(mode(&folder.join(STORE_FILE)), 0o600);
}

#[test]
fn two_agents_never_share_a_store() {
    let folder = folder();
    let first = Store::open(folder.path()).unwrap();
    let second = Store::open(folder.path()).unwrap_err();
    let process = std::process::id().to_string();
    assert!(second.to_string().contains(&process), "{second}");
    assert_eq!(second.code(), "store_in_use");
    drop(first);
    assert_eq!(Store::open(folder.path()).unwrap().boot(), BootId::new(2));
}

#[test]
fn t64_a_write_that_fails_changes_nothing_and_stops_the_store() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let unfit = MemberRow {
        epoch: u64::MAX,
        ..member()
    };
    let error = store.apply(&set([
        meta("a", b"1"),
        Change::Member(unfit),
        meta("b", b"2"),
    ]));
    let error = error.unwrap_err();
    assert_eq!(error.code(), "store_value");
    let again = store.apply(&set([meta("c", b"3")]));
    assert_eq!(again, Err(StoreError::Stopped(Box::new(error.clone()))));
    assert_eq!(store.failure(), Some(error));
    assert!(store.load().unwrap().meta.is_empty());
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    store.apply(&set([meta("c", b"3")])).unwrap();
}

#[test]
fn t64_a_full_disk_is_said_and_loses_nothing() {
    let folder = folder();
    let store = Store::open_bounded(folder.path(), 300_000).unwrap();
    store.apply(&set([meta("before", b"1")])).unwrap();
    let big = store.apply(&set([meta("half", b"1"), meta("big", &[7; 400_000])]));
    let error = big.unwrap_err();
    assert_eq!(error.code(), "store_full");
    assert!(error.to_string().contains("free some space"), "{error}");
    assert!(store.apply(&set([meta("small", b"1")])).is_err());
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(
        store.load().unwrap().meta,
        [("before".into(), b"1".to_vec())]
    );
}

#[test]
fn t64_a_read_only_disk_is_said() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let inner = store.inner();
    // What SQLite answers when the file or its disk turned read-only, for any user.
    inner
        .connection
        .pragma_update(None, "query_only", true)
        .unwrap();
    drop(inner);
    let error = store.apply(&set([meta("a", b"1")])).unwrap_err();
    assert_eq!(error.code(), "store_read_only");
    assert!(error.to_string().contains("nothing is spent"), "{error}");
    assert!(store.load().is_ok(), "it can still be read");
}

#[test]
fn t64_an_unusable_folder_is_said() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = Store::open(&file.join("hive")).unwrap_err();
    assert_eq!(error.code(), "store_folder");
    assert!(error.to_string().contains("data_dir"), "{error}");
}

#[test]
fn t64_a_damaged_store_is_refused() {
    let folder = folder();
    let path = folder.path().join(STORE_FILE);
    let store = Store::open(folder.path()).unwrap();
    let rows = (0..200u8).map(|key| record(&[key], &[key; 500]));
    store.apply(&set(rows)).unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 80_000);

    let mut holed = whole.clone();
    holed[40_960..49_152].fill(0xa5);
    let mut headless = whole.clone();
    headless[..100].fill(0);
    let short = whole[..whole.len() / 2].to_vec();
    for damaged in [holed, headless, short, b"not a database at all".repeat(99)] {
        fs::write(&path, &damaged).unwrap();
        let error = Store::open(folder.path()).unwrap_err();
        assert_eq!(error.code(), "store_damaged", "{error}");
        assert!(error.to_string().contains("restore a backup"), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
        assert!(
            fs::read(&path).unwrap() == damaged,
            "evidence stays as it is"
        );
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(
        Store::open(folder.path())
            .unwrap()
            .load()
            .unwrap()
            .records
            .len(),
        200
    );
}

#[test]
fn t64_a_torn_write_leaves_whole_transactions() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    for step in 0..20u8 {
        let pair = [meta("left", &[step + 1]), meta("right", &[step + 1])];
        store.apply(&set(pair)).unwrap();
    }
    let wal = fs::read(folder.path().join("hive.db-wal")).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for length in (0..=wal.len()).rev().step_by(1_357) {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(store.path(), copy.path().join(STORE_FILE)).unwrap();
        fs::write(copy.path().join("hive.db-wal"), &wal[..length]).unwrap();
        let meta = Store::open(copy.path()).unwrap().load().unwrap().meta;
        let values: Vec<_> = meta.iter().map(|(_, bytes)| bytes.clone()).collect();
        assert!(values.windows(2).all(|pair| pair[0] == pair[1]), "{meta:?}");
        assert!(values.is_empty() || values.len() == 2, "{meta:?}");
        seen.insert(values);
    }
    assert!(seen.len() > 10, "the cuts fall into different transactions");
}

#[test]
fn a_newer_store_and_a_foreign_file_are_left_alone() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let inner = store.inner();
    inner
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(inner);
    drop(store);
    let error = Store::open(folder.path()).unwrap_err();
    assert_eq!(error.code(), "store_newer");
    assert!(error.to_string().contains("install the newer"), "{error}");

    let other = tempfile::tempdir().unwrap();
    let path = other.path().join(STORE_FILE);
    let theirs = Connection::open(&path).unwrap();
    theirs.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(theirs);
    let before = fs::read(&path).unwrap();
    let error = Store::open(other.path()).unwrap_err();
    assert_eq!(error.code(), "store_foreign");
    assert!(fs::read(&path).unwrap() == before);
}
