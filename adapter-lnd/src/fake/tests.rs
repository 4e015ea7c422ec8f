//! The backend against a server that plays LND.

use super::wire::Identity;
use super::{NODE, PEER, Stand};
use crate::connect::held;
use crate::permissions::Grants;
use crate::proto::lnrpc::payment::PaymentStatus;
use crate::proto::lnrpc::*;
use hive_node::backend::{
    BackendError, BackendEvent, Done, LightningBackend, Prepared, Reconciled,
};
use hive_types::limits::{EVENT_QUEUE, EVENTS_OF_A_PEER, MESSAGE_TYPE};
use hive_types::{ActionId, ActionKind, Digest, Msat};
use std::time::Duration;
use tonic::Status;

fn message(number: u32) -> CustomMessage {
    let peer: hive_types::NodeId = PEER.parse().unwrap();
    CustomMessage {
        peer: peer.as_bytes().to_vec(),
        r#type: MESSAGE_TYPE.into(),
        data: number.to_be_bytes().into(),
    }
}

/// The answer once LND is back: until then each call says that it is not there.
async fn answered(backend: &impl LightningBackend) -> hive_node::backend::NodeInfo {
    loop {
        match backend.info().await {
            Ok(info) => return info,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_pinned_certificate_is_accepted_and_the_macaroon_sent() {
    let stand = Stand::new().await;
    let info = stand.backend().info().await.unwrap();
    assert_eq!(info.node_id.to_string(), NODE);
    let macaroons = held(&stand.fake.script).macaroons.clone();
    let expected = format!("02{}", "09".repeat(79));
    assert!(
        macaroons.iter().all(|macaroon| *macaroon == expected),
        "{macaroons:?}"
    );
}

#[tokio::test]
async fn another_certificate_is_refused_before_the_macaroon_is_shown() {
    let stand = Stand::new().await;
    stand.write_certificate(&Identity::new());
    let error = stand.backend().info().await.unwrap_err();
    assert!(matches!(error, BackendError::Denied(_)), "{error}");
    assert!(
        error.to_string().contains("copy its tls.cert again"),
        "{error}"
    );
    assert!(held(&stand.fake.script).macaroons.is_empty());
}

#[tokio::test]
async fn a_rotated_certificate_is_read_again() {
    let mut stand = Stand::new().await;
    let backend = stand.backend();
    backend.info().await.unwrap();
    stand.kill();
    let error = backend.info().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let identity = Identity::new();
    stand.write_certificate(&identity);
    stand.start(&identity).await;
    assert_eq!(answered(&backend).await.node_id.to_string(), NODE);
}

#[tokio::test]
async fn credentials_that_are_none_are_told_at_once() {
    let stand = Stand::new().await;
    std::fs::write(stand.certificate(), "no certificate").unwrap();
    let error = crate::LndBackend::new(stand.source()).unwrap_err();
    assert!(error.to_string().contains("copy LND's tls.cert"), "{error}");
    std::fs::remove_file(stand.folder().join("hive.macaroon")).unwrap();
    stand.write_certificate(&Identity::new());
    let error = crate::LndBackend::new(stand.source()).unwrap_err();
    assert!(
        error.to_string().contains("adapter-lnd macaroon"),
        "{error}"
    );
}

#[tokio::test]
async fn a_locked_wallet_is_waited_for() {
    let stand = Stand::new().await;
    let locked = Status::unknown("wallet locked, unlock it to enable full RPC access");
    held(&stand.fake.script).refuses = Some(locked);
    let backend = stand.backend();
    let error = backend.info().await.unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().contains("lncli unlock"),
        "{error}"
    );
    held(&stand.fake.script).refuses = None;
    backend.info().await.unwrap();
}

#[tokio::test]
async fn streams_come_back_with_lnd_and_all_is_read_again() {
    let mut stand = Stand::new().await;
    let backend = stand.backend();
    assert_eq!(backend.next_event().await.unwrap(), BackendEvent::Restarted);
    let stream = stand.fake.subscription(1).await;
    stream.send(Ok(message(1))).await.unwrap();
    let heard = |event| matches!(event, BackendEvent::Message { .. });
    assert!(heard(backend.next_event().await.unwrap()));
    drop(stream);
    stand.kill();
    let identity = Identity::new();
    stand.write_certificate(&identity);
    stand.start(&identity).await;
    assert_eq!(backend.next_event().await.unwrap(), BackendEvent::Restarted);
    let stream = stand.fake.subscription(2).await;
    stream.send(Ok(message(2))).await.unwrap();
    let expected = BackendEvent::Message {
        from: PEER.parse().unwrap(),
        bytes: 2u32.to_be_bytes().into(),
    };
    assert_eq!(backend.next_event().await.unwrap(), expected);
}

#[tokio::test]
async fn t07_messages_are_drained_while_nobody_reads() {
    let stand = Stand::new().await;
    let backend = stand.backend();
    assert_eq!(backend.next_event().await.unwrap(), BackendEvent::Restarted);
    let stream = stand.fake.subscription(1).await;
    // The fake's channel holds one message: sending them all shows that all were taken.
    for number in 0..5 * EVENT_QUEUE as u32 {
        stream.send(Ok(message(number))).await.unwrap();
    }
    backend.info().await.unwrap();
    for number in 0..EVENTS_OF_A_PEER as u32 {
        let expected = BackendEvent::Message {
            from: PEER.parse().unwrap(),
            bytes: number.to_be_bytes().into(),
        };
        assert_eq!(backend.next_event().await.unwrap(), expected);
    }
}

/// LND's stream of peers tells no features; its list is read once for all that came meanwhile.
#[tokio::test]
async fn a_burst_of_new_peers_reads_the_list_once() {
    let stand = Stand::new().await;
    held(&stand.fake.script).peers = vec![Peer {
        pub_key: PEER.into(),
        features: [(1, Feature::default())].into(),
    }];
    held(&stand.fake.script).links = vec![PeerEvent {
        pub_key: PEER.into(),
        ..PeerEvent::default()
    }];
    let backend = stand.backend();
    let peer = PEER.parse().unwrap();
    let linked = BackendEvent::PeerConnected {
        peer,
        features: vec![2],
        address: None,
    };
    let mut both = [
        backend.next_event().await.unwrap(),
        backend.next_event().await.unwrap(),
    ];
    both.sort_by_key(|event| *event != BackendEvent::Restarted);
    assert_eq!(both, [BackendEvent::Restarted, linked.clone()]);
    assert_eq!(stand.fake.asked("ListPeers"), 1);
    for _ in 0..100 {
        backend.queue.push_linked(peer, None);
    }
    for _ in 0..100 {
        assert_eq!(backend.next_event().await.unwrap(), linked);
    }
    assert_eq!(stand.fake.asked("ListPeers"), 2);
}

#[tokio::test]
async fn graphs_larger_than_grpcs_default_arrive() {
    let stand = Stand::new().await;
    let edge = |channel_id| ChannelEdge {
        channel_id,
        node1_pub: NODE.into(),
        node2_pub: PEER.into(),
        capacity: 1_000_000,
        node1_policy: None,
        node2_policy: None,
    };
    let edges: Vec<ChannelEdge> = (1..=40_000).map(edge).collect();
    held(&stand.fake.script).graph = ChannelGraph {
        nodes: vec![],
        edges,
    };
    let graph = stand.backend().graph().await.unwrap();
    assert_eq!(graph.channel_count(), 40_000);
}

#[tokio::test]
async fn missing_permissions_switch_off_what_needs_them() {
    let stand = Stand::new().await;
    let denied = |calls: &[&'static str]| held(&stand.fake.script).denied = calls.to_vec();
    denied(&[
        "/lnrpc.Lightning/OpenChannel",
        "/lnrpc.Lightning/AddInvoice",
    ]);
    let (link, grants) = (stand.link(), Grants::default());
    grants.admit(&link, ActionKind::Open).unwrap();
    grants.ask(&link).await.unwrap();
    // What to bake adds what is missing, and keeps what is there.
    let refused = grants.admit(&link, ActionKind::Open).unwrap_err();
    assert!(
        refused
            .reason
            .contains("`adapter-lnd macaroon --allow open,probe`"),
        "{refused}"
    );
    grants.admit(&link, ActionKind::Probe).unwrap();
    // Baked by an agent that made fewer calls: both are wanted still.
    denied(&[
        "/walletrpc.WalletKit/ListLeases",
        "/lnrpc.Lightning/LookupInvoice",
        "/lnrpc.Lightning/SignMessage",
    ]);
    grants.ask(&link).await.unwrap();
    let refused = grants.admit(&link, ActionKind::Rebalance).unwrap_err();
    assert!(refused.reason.contains("--mode autonomous"), "{refused}");
    let told = link.warnings.all().join("\n");
    assert!(
        told.contains("SignMessage") && told.contains("--mode autonomous"),
        "{told}"
    );
    // What only tidies up is done without.
    denied(&[
        "/walletrpc.WalletKit/ReleaseOutput",
        "/lnrpc.Lightning/DeletePayment",
    ]);
    grants.ask(&link).await.unwrap();
    grants.admit(&link, ActionKind::Open).unwrap();
    grants.admit(&link, ActionKind::Probe).unwrap();
}

#[tokio::test]
async fn a_refused_call_names_what_to_bake() {
    let stand = Stand::new().await;
    held(&stand.fake.script).refuses = Some(Status::unknown("permission denied"));
    let error = stand.backend().info().await.unwrap_err();
    assert!(matches!(error, BackendError::Denied(_)), "{error}");
    assert!(
        error.to_string().contains("uri:/lnrpc.Lightning/GetInfo"),
        "{error}"
    );
    // Once LND said what the macaroon is for, nothing of it is lost.
    held(&stand.fake.script).refuses = None;
    held(&stand.fake.script).denied = vec!["/lnrpc.Lightning/OpenChannel"];
    let link = stand.link();
    Grants::default().ask(&link).await.unwrap();
    let call = "/walletrpc.WalletKit/ReleaseOutput";
    let error = link.error(call, &Status::unknown("permission denied"));
    assert!(error.to_string().contains("--mode autonomous"), "{error}");
    let call = "/lnrpc.Lightning/SignMessage";
    let error = link.error(call, &Status::unknown("permission denied"));
    assert!(
        error.to_string().contains("--allow rebalance,probe`"),
        "{error}"
    );
}

fn payment(status: PaymentStatus) -> Payment {
    Payment {
        status: status.into(),
        fee_msat: 7,
        htlcs: vec![],
    }
}

#[tokio::test]
async fn t59_payments_are_not_done_only_once_their_invoice_is_gone() {
    let stand = Stand::new().await;
    let backend = stand.backend();
    let id = ActionId::from_bytes([1; 16]);
    let prepared = Prepared::Payment {
        preimage: [1; 32],
        payment_hash: Digest::from_bytes([2; 32]),
    };
    let ask = async |known: Option<PaymentStatus>| {
        held(&stand.fake.script).payment = known.map(payment);
        backend.reconcile(id, &prepared).await.unwrap()
    };
    assert_eq!(
        ask(Some(PaymentStatus::InFlight)).await,
        Reconciled::Unknown
    );
    assert_eq!(
        ask(Some(PaymentStatus::Initiated)).await,
        Reconciled::Unknown
    );
    let fee = Msat::new(7);
    let paid = Reconciled::Done(Done::Paid { fee });
    assert_eq!(ask(Some(PaymentStatus::Succeeded)).await, paid);
    assert_eq!(stand.fake.asked("CancelInvoice"), 0);
    assert_eq!(ask(Some(PaymentStatus::Failed)).await, Reconciled::NotDone);
    assert_eq!(stand.fake.asked("CancelInvoice"), 1);
    assert_eq!(ask(None).await, Reconciled::NotDone);
    assert_eq!(stand.fake.asked("CancelInvoice"), 2);
    assert_eq!(stand.fake.asked("SendToRouteV2"), 0);
}
