//! Opens against a server that plays LND: what becomes of them, and whose coins are let alone.

use super::abandoned::OWN_LEASE;
use super::became::Begun;
use super::open;
use crate::LndBackend;
use crate::connect::held;
use crate::fake::{NODE, PEER, Stand};
use crate::proto::lnrpc::pending_channels_response::{PendingChannel, PendingOpenChannel};
use crate::proto::lnrpc::{
    ChannelCloseSummary, OutPoint, Peer, PreviousOutPoint, Transaction, Utxo,
};
use hive_node::backend::{ActError, Done, Fault, LightningBackend, Prepared, Reconciled};
use hive_types::{ActionId, FeeratePerKw, Msat, NodeId, OpenChannel, Sat, Txid, UnixMillis};

/// When the opens of these tests began, and when LND's leases for them end.
const BEGUN: UnixMillis = UnixMillis::new(1_790_000_000_000);
const LEASE_ENDS: u64 = 1_790_000_601;

const ID: ActionId = ActionId::from_bytes([5; 16]);

fn prepared(inputs: &[u8]) -> Prepared {
    Prepared::Open {
        target: Some(target()),
        begun: Some(BEGUN),
        inputs: inputs.iter().map(|byte| input(*byte)).collect(),
        channels_before: vec![],
    }
}

fn target() -> NodeId {
    PEER.parse().unwrap()
}

fn input(byte: u8) -> hive_types::OutPoint {
    format!("{}:0", txid(byte)).parse().unwrap()
}

async fn asked(backend: &LndBackend, inputs: &[u8]) -> Reconciled {
    backend.reconcile(ID, &prepared(inputs)).await.unwrap()
}

fn linked() -> Vec<Peer> {
    vec![Peer {
        pub_key: PEER.to_owned(),
        ..Peer::default()
    }]
}

fn txid(byte: u8) -> String {
    Txid::from_bytes([byte; 32]).to_string()
}

fn place(byte: u8) -> OutPoint {
    OutPoint {
        txid_bytes: vec![],
        txid_str: txid(byte),
        output_index: 0,
    }
}

fn utxo(byte: u8) -> Utxo {
    Utxo {
        address_type: 0,
        amount_sat: 1_000_000,
        outpoint: Some(place(byte)),
        confirmations: 3,
    }
}

fn spending(tx: u8, input: u8, num_confirmations: i32) -> Transaction {
    Transaction {
        tx_hash: txid(tx),
        num_confirmations,
        total_fees: 321,
        previous_outpoints: vec![PreviousOutPoint {
            outpoint: format!("{}:0", txid(input)),
        }],
    }
}

#[tokio::test]
async fn t36_an_open_is_found_by_its_inputs() {
    let stand = Stand::new().await;
    let backend = stand.backend();
    let ask = async || asked(&backend, &[1, 2]).await;
    let script = || held(&stand.fake.script);
    script().unspent = vec![utxo(1), utxo(2), utxo(3)];
    assert_eq!(ask().await, Reconciled::NotDone);
    // Neither free nor spent nor leased: nothing tells by whom it is held.
    script().unspent = vec![utxo(1)];
    assert_eq!(ask().await, Reconciled::Unknown);
    // Spent by something that is no channel, first unconfirmed.
    script().transactions = vec![spending(8, 2, 0)];
    assert_eq!(ask().await, Reconciled::Unknown);
    script().transactions = vec![spending(8, 2, 1)];
    assert_eq!(ask().await, Reconciled::NotDone);
    // By a channel that is closed again.
    script().closed = vec![ChannelCloseSummary {
        channel_point: format!("{}:1", txid(8)),
        remote_pubkey: PEER.into(),
        ..ChannelCloseSummary::default()
    }];
    let Reconciled::Done(Done::Opened { funding, fee, .. }) = ask().await else {
        panic!("the channel is not found");
    };
    assert_eq!(
        (funding.to_string(), fee),
        (format!("{}:1", txid(8)), Sat::new(321))
    );
}

/// Whoever took the coin funded a channel with it: to somebody else, or to the target under another name.
#[tokio::test]
async fn anothers_channel_is_not_taken_for_the_open() {
    let stand = Stand::new().await;
    let backend = stand.backend();
    let script = || held(&stand.fake.script);
    script().transactions = vec![spending(8, 1, 1)];
    script().closed = vec![ChannelCloseSummary {
        channel_point: format!("{}:1", txid(8)),
        remote_pubkey: NODE.into(),
        ..ChannelCloseSummary::default()
    }];
    assert_eq!(asked(&backend, &[1]).await, Reconciled::NotDone);
    script().closed.clear();
    let theirs = PendingChannel {
        channel_point: format!("{}:1", txid(8)),
        remote_node_pub: PEER.into(),
        memo: "for the shop".into(),
        ..PendingChannel::default()
    };
    script().opening = vec![PendingOpenChannel {
        channel: Some(theirs),
    }];
    assert_eq!(asked(&backend, &[1]).await, Reconciled::NotDone);
    // Until it is confirmed, it may yet be replaced.
    script().transactions = vec![spending(8, 1, 0)];
    assert_eq!(asked(&backend, &[1]).await, Reconciled::Unknown);
}

/// LND was asked for the open in the moment in which the agent was killed, and takes the coin a little later.
#[tokio::test]
async fn t36_an_open_that_lnd_is_just_beginning_is_not_given_up() {
    let stand = Stand::new().await;
    let backend = stand.backend();
    let script = || held(&stand.fake.script);
    script().unspent = vec![utxo(1)];
    script().peers = linked();
    let asking = tokio::spawn(async move { asked(&backend, &[1]).await });
    while stand.fake.asked("ClosedChannels") == 0 {
        tokio::task::yield_now().await;
    }
    script().unspent.clear();
    script().leased = vec![place(1)];
    script().lease_id = OWN_LEASE.to_vec();
    script().lease_ends = LEASE_ENDS;
    assert_eq!(asking.await.unwrap(), Reconciled::Unknown);
}

#[tokio::test]
async fn t36_inputs_of_an_open_that_died_are_freed() {
    let stand = Stand::new().await;
    let backend = stand.backend();
    let ask = async || asked(&backend, &[1]).await;
    let script = || held(&stand.fake.script);
    script().unspent = vec![utxo(1), utxo(2)];
    script().leased = vec![place(1), place(2)];
    script().lease_id = OWN_LEASE.to_vec();
    script().lease_ends = LEASE_ENDS;
    // With a link to its target, the open may still come about.
    script().peers = linked();
    assert_eq!(ask().await, Reconciled::Unknown);
    script().peers.clear();
    // Its transaction is on the way, or its channel is stored.
    script().transactions = vec![spending(9, 1, 0)];
    assert_eq!(ask().await, Reconciled::Unknown);
    script().transactions.clear();
    assert_eq!(stand.fake.asked("ReleaseOutput"), 0);
    assert_eq!(ask().await, Reconciled::NotDone);
    // What it did not lease stays leased.
    assert_eq!(script().leased, [place(2)]);
}

/// LND has one id for its opens and for an operator's `openchannel --psbt`: a coin that was leased after the open
/// began, an hour on here, is the operator's, and may stand in a transaction that is signed already.
#[tokio::test]
async fn a_lease_from_another_time_is_left_to_who_took_it() {
    let stand = Stand::new().await;
    let backend = stand.backend();
    let script = || held(&stand.fake.script);
    script().unspent = vec![utxo(1)];
    script().leased = vec![place(1)];
    script().lease_id = OWN_LEASE.to_vec();
    for lease_ends in [LEASE_ENDS + 3_600, LEASE_ENDS - 300] {
        script().lease_ends = lease_ends;
        // As long as the target is linked, nothing is certain: clocks may differ.
        script().peers = linked();
        assert_eq!(asked(&backend, &[1]).await, Reconciled::Unknown);
        script().peers.clear();
        assert_eq!(asked(&backend, &[1]).await, Reconciled::NotDone);
    }
    assert_eq!(stand.fake.asked("ReleaseOutput"), 0);
}

/// Whoever leased an input under an id of his own: this open does not hold it, whether or not its target is linked.
#[tokio::test]
async fn an_input_under_anothers_lease_is_not_held_by_the_open() {
    let stand = Stand::new().await;
    let backend = stand.backend();
    let script = || held(&stand.fake.script);
    script().unspent = vec![utxo(1), utxo(2)];
    script().leased = vec![place(2)];
    script().lease_id = vec![7; 32];
    script().lease_ends = LEASE_ENDS;
    script().peers = linked();
    assert_eq!(asked(&backend, &[1, 2]).await, Reconciled::NotDone);
    // LND may do with some of the inputs: one that nothing tells of is enough not to know.
    script().unspent = vec![utxo(2)];
    assert_eq!(asked(&backend, &[1, 2]).await, Reconciled::Unknown);
    assert_eq!(stand.fake.asked("ReleaseOutput"), 0);
}

/// An input that is held before LND was asked for the open is held by somebody else, at whatever time and under
/// whatever id: nothing is freed, nobody is dialled, nothing is opened.
#[tokio::test]
async fn an_open_whose_input_was_taken_is_not_begun() {
    let stand = Stand::new().await;
    let backend = stand.backend();
    let script = || held(&stand.fake.script);
    script().unspent = vec![utxo(1)];
    script().leased = vec![place(1)];
    script().lease_ends = LEASE_ENDS;
    let wanted = OpenChannel {
        target: target(),
        capacity: Sat::new(500_000),
        feerate_ceiling: FeeratePerKw::new(5_000),
        announce: true,
    };
    for lease_id in [OWN_LEASE.to_vec(), vec![7; 32]] {
        script().lease_id = lease_id;
        let begun = Begun {
            id: ID,
            target: Some(target()),
            at: Some(BEGUN),
            inputs: &[input(1)],
        };
        let ended = open::execute(&backend, &wanted, Msat::new(u64::MAX), begun).await;
        let Err(ActError::NotDone(reason)) = ended else {
            panic!("{ended:?}");
        };
        assert_eq!(reason.fault, Fault::Node);
        assert!(reason.reason.contains("somebody else took"), "{reason:?}");
    }
    for call in ["ReleaseOutput", "ConnectPeer", "OpenChannel"] {
        assert_eq!(stand.fake.asked(call), 0, "{call}");
    }
    // Asked for already: then it may be the open itself.
    held(&backend.opens).insert(ID);
    script().lease_id = OWN_LEASE.to_vec();
    let begun = Begun {
        id: ID,
        target: Some(target()),
        at: Some(BEGUN),
        inputs: &[input(1)],
    };
    let ended = open::execute(&backend, &wanted, Msat::new(u64::MAX), begun).await;
    assert!(matches!(ended, Err(ActError::Unknown { .. })), "{ended:?}");
}

#[tokio::test]
async fn t36_an_open_is_found_by_its_name() {
    let stand = Stand::new().await;
    let backend = stand.backend();
    let mine = PendingChannel {
        channel_point: format!("{}:0", txid(9)),
        memo: ID.to_string(),
        ..PendingChannel::default()
    };
    // LND stored the channel and stopped before it published: the inputs look free.
    held(&stand.fake.script).unspent = vec![utxo(1)];
    held(&stand.fake.script).opening = vec![PendingOpenChannel {
        channel: Some(mine),
    }];
    assert_eq!(asked(&backend, &[1]).await, Reconciled::Unknown);
    held(&stand.fake.script).transactions = vec![spending(9, 1, 0)];
    let known = asked(&backend, &[1]).await;
    assert!(
        matches!(known, Reconciled::Done(Done::Opened { .. })),
        "{known:?}"
    );
}
