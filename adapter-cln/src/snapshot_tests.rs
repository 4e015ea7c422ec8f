use super::*;
use crate::backend::{ClnBackend, ClnNode};
use crate::events::Events;
use crate::fake::{self, Answer};
use hive_node::backend::LightningBackend;
use serde_json::{Value, json};

const PEER: &str = "0241abd276c7434164683d01e169b4b64fbd4f772a26131ce95967b3853ffc90bd";

fn info_with(change: Value) -> Info {
    let mut info: Value = serde_json::from_str(include_str!("../tests/data/getinfo.json")).unwrap();
    for (name, value) in change.as_object().unwrap() {
        info[name] = value.clone();
    }
    serde_json::from_value(info).unwrap()
}

async fn snapshot_of(
    script: impl FnMut(&str, &Value) -> Answer + Send + 'static,
) -> Result<LocalSnapshot, BackendError> {
    let folder = tempfile::tempdir().unwrap();
    fake::listen(&folder.path().join("lightning-rpc"), script);
    let backend = ClnBackend::new(ClnNode::in_folder(folder.path()), Events::new());
    backend.snapshot().await
}

#[tokio::test]
async fn real_replies_make_a_snapshot() {
    let snapshot = snapshot_of(|method, _| fake::recorded(method))
        .await
        .unwrap();
    assert_eq!(snapshot.network, Network::Regtest);
    assert_eq!(snapshot.height, BlockHeight::new(107));
    assert!(snapshot.synced);
    assert_eq!(snapshot.feerate, FeeratePerKw::new(1_875));
    let on_chain = snapshot.on_chain;
    assert_eq!(on_chain.confirmed, Sat::new(15_000_000_000));
    // The channel has anchors.
    assert_eq!(on_chain.reserve, Sat::new(25_000));
    let [peer] = &snapshot.peers[..] else {
        panic!("{:?}", snapshot.peers)
    };
    assert_eq!(peer.node_id.to_string(), PEER);
    assert_eq!(peer.features, hex::decode("800898880a8a59a1").unwrap());
    let [channel] = &snapshot.channels[..] else {
        panic!("{:?}", snapshot.channels)
    };
    assert_eq!(channel.capacity, Sat::new(1_000_000));
    assert!(channel.usable && channel.announced && channel.opened_by_us);
    let local = channel.local_policy.unwrap();
    assert_eq!((local.base, local.rate), (Msat::ZERO, Ppm::ZERO));
    let remote = channel.remote_policy.unwrap();
    assert_eq!((remote.base, remote.rate), (Msat::new(1), Ppm::new(10)));
    assert_eq!(remote.cltv_delta, 6);
    // Counting begins before the first incident.
    let [events] = &snapshot.peer_events[..] else {
        panic!("{:?}", snapshot.peer_events)
    };
    assert_eq!((events.peer, events.forwards), (peer.node_id, 0));
}

#[test]
fn a_node_that_lags_behind_says_so() {
    assert!(is_synced(&info_with(json!({}))));
    for warning in ["warning_bitcoind_sync", "warning_lightningd_sync"] {
        assert!(!is_synced(&info_with(json!({warning: "still loading"}))));
    }
}

#[test]
fn a_chain_that_is_not_known_is_refused_with_what_to_do() {
    let info = info_with(json!({"network": "liquid-regtest"}));
    let error = node_info(&info).unwrap_err();
    assert!(
        !error.is_retryable() && error.to_string().contains("signet"),
        "{error}"
    );
}

#[test]
fn announced_addresses_come_before_those_listened_on() {
    let of = |info: &Info| addresses(info);
    assert_eq!(of(&info_with(json!({}))), ["127.0.0.1:19956"]);
    let one = |kind: &str, host: &str| json!({"type": kind, "address": host, "port": 9735});
    let any = info_with(json!({"binding": [one("ipv4", "0.0.0.0"), one("ipv6", "::")]}));
    assert!(of(&any).is_empty());
    let announced = [
        one("ipv6", "2001:db8::1"),
        one("torv3", "abc.onion"),
        json!({"type": "websocket", "port": 1}),
    ];
    let announced = info_with(json!({"address": announced}));
    assert_eq!(of(&announced), ["[2001:db8::1]:9735", "abc.onion:9735"]);
}

/// A reading during which the wallet changed is made again.
#[tokio::test]
async fn a_reading_is_of_one_moment() {
    let mut readings = 0;
    let snapshot = snapshot_of(move |method, _| match method {
        "listfunds" => {
            readings += 1;
            let amount = if readings < 3 {
                5_000_000_u64
            } else {
                7_000_000
            };
            let output = json!({"txid": "11".repeat(32), "output": 0, "amount_msat": amount,
                "status": "confirmed", "reserved": false});
            let outputs = if readings == 2 { vec![] } else { vec![output] };
            Answer::Result(json!({"outputs": outputs, "channels": []}))
        }
        _ => fake::recorded(method),
    });
    assert_eq!(snapshot.await.unwrap().on_chain.confirmed, Sat::new(7_000));
}

#[tokio::test]
async fn channels_on_their_way_out_and_reserved_outputs_do_not_count() {
    let snapshot = snapshot_of(|method, _| match method {
        "listpeerchannels" => {
            let states = [
                "ONCHAIN",
                "AWAITING_UNILATERAL",
                "OPENINGD",
                "CHANNELD_NORMAL",
                "A_NEW_STATE",
            ];
            let channels = states.map(|state| {
                json!({"peer_id": PEER, "state": state, "peer_connected": true, "reestablished": false,
                    "channel_id": "22".repeat(32), "funding_txid": "33".repeat(32), "funding_outnum": 1,
                    "total_msat": 1_000_000, "private": true, "short_channel_id": "100x1x1"})
            });
            Answer::Result(json!({"channels": channels}))
        }
        "listfunds" => Answer::Result(json!({"outputs": [{"txid": "11".repeat(32), "output": 0,
            "amount_msat": 9_000, "status": "confirmed", "reserved": true}]})),
        _ => fake::recorded(method),
    });
    let snapshot = snapshot.await.unwrap();
    let [channel] = &snapshot.channels[..] else {
        panic!("{:?}", snapshot.channels)
    };
    assert!(!channel.usable && !channel.announced);
    assert_eq!(channel.local_policy, None);
    assert_eq!(snapshot.on_chain.confirmed, Sat::ZERO);
    // No anchors anywhere.
    assert_eq!(snapshot.on_chain.reserve, Sat::ZERO);
}

/// Forwards are read on from where the last reading ended, and each counts once.
#[tokio::test]
async fn forwards_are_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let row = |index: u64, status: &str, amount: u64| {
        json!({"created_index": index, "updated_index": index, "in_channel": "102x1x0", "out_channel": "102x1x0",
            "in_msat": amount + 7, "out_msat": amount, "fee_msat": 7, "status": status})
    };
    let mut readings = 0;
    let calls = fake::listen(
        &folder.path().join("lightning-rpc"),
        move |method, params| {
            if method != "listforwards" {
                return fake::recorded(method);
            }
            readings += 1;
            let mut rows = vec![
                row(1, "settled", 1_000_000),
                row(2, "offered", 1_000),
                row(3, "failed", 5_000),
            ];
            if readings > 1 {
                rows.push(row(4, "settled", 2_000_000));
                rows.push(row(5, "local_failed", 2_000_000));
            }
            let start = params["start"].as_u64().unwrap();
            rows.retain(|row| row["updated_index"].as_u64().unwrap() >= start);
            Answer::Result(json!({"forwards": rows}))
        },
    );
    let backend = ClnBackend::new(ClnNode::in_folder(folder.path()), Events::new());
    let first = backend.snapshot().await.unwrap();
    assert_eq!(first.forwards.len(), 1);
    assert_eq!(first.forwards[0].count, 1);
    for _ in 0..2 {
        let later = backend.snapshot().await.unwrap();
        let [totals] = &later.forwards[..] else {
            panic!("{:?}", later.forwards)
        };
        assert_eq!((totals.count, totals.fees), (2, Msat::new(14)));
        assert_eq!(totals.volume, Msat::new(3_000_000));
        let events = later.peer_events[0];
        assert_eq!(
            (events.forwards, events.failed, events.dust_htlcs),
            (3, 1, 1)
        );
    }
    assert_eq!(calls.count("listforwards"), 3);
}

#[tokio::test]
async fn a_node_that_is_not_there_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let backend = ClnBackend::new(ClnNode::in_folder(folder.path()), Events::new());
    assert!(backend.info().await.unwrap_err().is_retryable());
    fake::listen(
        &folder.path().join("lightning-rpc"),
        |method, _| match method {
            "getinfo" => Answer::Error(-5, "lightningd is shutting down", Value::Null),
            "signmessage" => Answer::Result(json!({"nothing": 1})),
            _ => Answer::Nothing,
        },
    );
    assert!(backend.info().await.unwrap_err().is_retryable());
    let error = backend.sign("x").await.unwrap_err();
    assert!(matches!(error, BackendError::Reply(_)), "{error}");
    let error = backend.snapshot().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn nodes_that_do_not_fit_are_refused_or_told() {
    let folder = tempfile::tempdir().unwrap();
    let says = std::sync::Arc::new(std::sync::Mutex::new(json!({})));
    let saying = says.clone();
    fake::listen(&folder.path().join("lightning-rpc"), move |method, _| {
        let Answer::Result(mut info) = fake::recorded(method) else {
            panic!("no {method}");
        };
        for (name, value) in saying.lock().unwrap().as_object().unwrap() {
            info[name] = value.clone();
        }
        Answer::Result(info)
    });
    let backend = ClnBackend::new(ClnNode::in_folder(folder.path()), Events::new());
    for (what, expected) in [
        (json!({"version": "v24.08.2"}), "upgrade the node"),
        (json!({"network": "liquid"}), "it is on liquid"),
    ] {
        *says.lock().unwrap() = what;
        let error = backend.info().await.unwrap_err();
        assert!(
            matches!(error, BackendError::Unfit(_)) && !error.is_retryable(),
            "{error}"
        );
        let text = error.to_string();
        assert!(
            text.contains(expected) && !text.contains("report"),
            "{text}"
        );
    }
    *says.lock().unwrap() = json!({"version": "v27.03"});
    backend.info().await.unwrap();
    let told = backend.warnings().join("\n");
    assert!(
        told.contains("v27.03 is newer") && told.contains("look for a newer Hive"),
        "{told}"
    );
    *says.lock().unwrap() = json!({"warning_bitcoind_sync": "Bitcoind is not up-to-date"});
    assert!(!backend.info().await.unwrap().synced);
    assert_eq!(backend.warnings(), Vec::<String>::new());
}
