//! The SQLite store gives back what the store in memory does, whatever is written in whatever order.
#![allow(clippy::unwrap_used, reason = "tests")]

use hive_core::{
    ActionResult, ActionState, AuditEntry, Change, ChangeSet, Fault, MemberRow, Stored,
    StoredAction,
};
use hive_node::store::Store;
use hive_policy::{GateChange, Halt, Mode};
use hive_types::{
    Action, ActionId, ActionKind, ChannelId, ChannelPolicy, Explanation, Msat, NodeId, Ppm, Probe,
    Proposal, Tier, UnixMillis,
};
use proptest::prelude::*;

fn node(number: u8) -> NodeId {
    let mut bytes = [number; 33];
    bytes[0] = 2;
    NodeId::from_bytes(bytes).unwrap()
}

fn member(number: u8, epoch: u64) -> Change {
    Change::Member(MemberRow {
        node_id: node(number),
        tier: if epoch.is_multiple_of(2) {
            Tier::Full
        } else {
            Tier::Probationary
        },
        epoch,
        member_key: format!("{epoch:064x}"),
        admitted_at: epoch,
        software: "test".into(),
        addresses: vec!["a:1".into()],
        capabilities: vec!["anchors".into()],
    })
}

fn action(number: u8, state: u8, wall: u64) -> Change {
    let state = match state {
        0 => ActionState::Intended,
        1 => ActionState::Acting,
        2 => ActionState::Done,
        _ => ActionState::NotDone,
    };
    let reason = "it was not to be".to_owned();
    let fault = [None, Some(Fault::Peer), Some(Fault::PeerAway)][usize::from(number % 3)];
    Change::Action(StoredAction {
        id: ActionId::from_bytes([number; 16]),
        kind: ActionKind::Probe,
        state,
        proposal: Proposal {
            action: Action::Probe(Probe {
                amount: Msat::new(wall),
                hops: Vec::new(),
            }),
            cost: Msat::ZERO,
            value_per_day: Msat::ZERO,
            confidence: Ppm::ONE,
            explanation: Explanation::default(),
        },
        result: (state == ActionState::NotDone).then_some(ActionResult::NotDone { reason, fault }),
        wall: UnixMillis::new(wall),
    })
}

fn policy(rate: u32) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::new(1),
        rate: Ppm::new(rate),
        cltv_delta: 40,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(1_000),
        disabled: false,
        inbound_base_msat: -1,
        inbound_ppm: 5,
    }
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = || proptest::collection::vec(any::<u8>(), 1..6);
    let few = || 0..4u8;
    prop_oneof![
        (few(), 0..9u64).prop_map(|(number, epoch)| member(number, epoch)),
        few().prop_map(|number| Change::ForgetMember(node(number))),
        (few(), few(), bytes()).prop_map(|(author, key, bytes)| Change::Record {
            author: node(author),
            key: vec![key],
            bytes,
        }),
        (few(), few()).prop_map(|(author, key)| Change::DropRecord {
            author: node(author),
            key: vec![key],
        }),
        few().prop_map(|author| Change::DropRecords {
            author: node(author)
        }),
        (few(), bytes()).prop_map(|(author, bytes)| Change::Author {
            author: node(author),
            bytes
        }),
        (0..9u64, bytes()).prop_map(|(slot, bytes)| Change::Decision { slot, bytes }),
        (0..9u64).prop_map(|slot| Change::DropDecisionsBelow { slot }),
        bytes().prop_map(|bytes| Change::Acceptor { bytes }),
        (few(), few(), 0..99u64).prop_map(|(number, state, wall)| action(number, state, wall)),
        few().prop_map(|number| Change::ForgetAction(ActionId::from_bytes([number; 16]))),
        any::<bool>().prop_map(|autonomous| {
            let mode = if autonomous {
                Mode::Autonomous
            } else {
                Mode::Advisor
            };
            Change::Gate(GateChange::Mode(mode))
        }),
        any::<bool>().prop_map(|stopped| {
            Change::Gate(GateChange::Halt(Halt {
                stopped,
                ..Halt::default()
            }))
        }),
        (few(), 0..99u32).prop_map(|(channel, rate)| Change::SavedFee {
            channel: ChannelId::from_bytes([channel; 32]),
            policy: policy(rate),
        }),
        few().prop_map(|channel| Change::ForgetFee {
            channel: ChannelId::from_bytes([channel; 32])
        }),
        few().prop_map(|number| Change::Audit(AuditEntry {
            wall: UnixMillis::new(7),
            subject: "test".into(),
            action: None,
            text: number.to_string(),
        })),
        (few(), proptest::collection::vec(any::<u8>(), 0..4)).prop_map(|(key, bytes)| {
            Change::Meta {
                key: key.to_string(),
                bytes,
            }
        }),
        Just(Change::ForgetFleet),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_equals_its_model(
        sets in proptest::collection::vec(proptest::collection::vec(change(), 0..8), 0..12),
        reopen_every in 1..4usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut model = Stored::default();
        let mut store = Store::open(folder.path()).unwrap();
        for (index, changes) in sets.into_iter().enumerate() {
            let changes = ChangeSet { changes };
            model.apply(&changes);
            store.apply(&changes).unwrap();
            if index % reopen_every == 0 {
                drop(store);
                store = Store::open(folder.path()).unwrap();
            }
            // The order of actions says nothing: the machine keeps them by id.
            let mut loaded = store.load().unwrap();
            loaded.actions.sort_by_key(|action| action.id);
            prop_assert_eq!(loaded, model.snapshot());
            let members: Vec<MemberRow> = model.members.values().cloned().collect();
            prop_assert_eq!(store.members().unwrap(), members);
        }
        prop_assert_eq!(store.verify_audit().unwrap(), model.audit.len() as u64);
    }
}
