use super::*;
use crate::money;
use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use hive_node::backend::{ActError, Done, Fault, Prepared, Reconciled};
use hive_types::OpenChannel;

const CAPACITY: u64 = 1_000_000;
const INPUT: u64 = 1_500_000;
const FEE: u64 = 700;

fn open() -> Action {
    Action::Open(OpenChannel {
        target: peer(),
        capacity: Sat::new(CAPACITY),
        feerate_ceiling: FeeratePerKw::new(5_000),
        announce: true,
    })
}

fn allowed() -> Authorized {
    permit(open(), Msat::new(5_000_000))
}

fn input() -> OutPoint {
    OutPoint {
        txid: Txid::from_bytes([0x11; 32]),
        vout: 1,
    }
}

fn prepared() -> Prepared {
    Prepared::Open {
        target: Some(peer()),
        begun: None,
        inputs: vec![input()],
        channels_before: Vec::new(),
    }
}

fn funds(status: &str, reserved: bool) -> Option<Answer> {
    result(
        json!({"outputs": [{"txid": "11".repeat(32), "output": 1, "amount_msat": INPUT * 1_000,
        "status": status, "reserved": reserved}]}),
    )
}

/// The transaction that spends the input: channel and change.
fn transaction() -> (String, String) {
    spending(0)
}

/// As `transaction`, with an input that is not the wallet's where there is more to spend.
fn spending(further: u64) -> (String, String) {
    let foreign = bitcoin::TxIn {
        previous_output: bitcoin::OutPoint {
            txid: bitcoin::Txid::from_byte_array([0x99; 32]),
            vout: 0,
        },
        ..bitcoin::TxIn::default()
    };
    let foreign = (further > 0).then_some(foreign);
    let outputs = [CAPACITY, INPUT + further - CAPACITY - FEE].map(|sat| bitcoin::TxOut {
        value: bitcoin::Amount::from_sat(sat),
        script_pubkey: bitcoin::ScriptBuf::new(),
    });
    let transaction = bitcoin::Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: [bitcoin::TxIn {
            previous_output: bitcoin::OutPoint {
                txid: bitcoin::Txid::from_byte_array([0x11; 32]),
                vout: 1,
            },
            ..bitcoin::TxIn::default()
        }]
        .into_iter()
        .chain(foreign)
        .collect(),
        output: outputs.into(),
    };
    let raw = bitcoin::consensus::encode::serialize_hex(&transaction);
    (transaction.compute_txid().to_string(), raw)
}

fn transactions(blockheight: u32) -> Option<Answer> {
    let (hash, rawtx) = transaction();
    result(json!({"transactions": [{"hash": hash, "rawtx": rawtx, "blockheight": blockheight}]}))
}

fn channels_funded() -> Option<Answer> {
    let (hash, _) = transaction();
    result(
        json!({"channels": [{"peer_id": PEER, "state": "CHANNELD_AWAITING_LOCKIN",
        "channel_id": "22".repeat(32), "funding_txid": hash, "funding_outnum": 0}]}),
    )
}

fn opened() -> Done {
    let (txid, _) = transaction();
    Done::Opened {
        channel_id: "22".repeat(32).parse().unwrap(),
        funding: format!("{txid}:0").parse().unwrap(),
        fee: Sat::new(FEE),
    }
}

#[tokio::test]
async fn an_open_spends_what_was_chosen_and_gives_nothing_away() {
    let node = node(|method, _| match method {
        "listfunds" => funds("confirmed", false),
        "fundchannel" => {
            let (txid, tx) = transaction();
            result(
                json!({"tx": tx, "txid": txid, "outnum": 0, "channel_id": "22".repeat(32), "mindepth": 3}),
            )
        }
        _ => None,
    });
    let permit = allowed();
    let prepared = money::prepare(&node.rpc, &permit).await.unwrap();
    assert_eq!(node.calls.count("fundchannel"), 0);
    let done = money::execute(&node.rpc, ID, &permit, &prepared).await;
    assert_eq!(done, Ok(opened()));
    let expected = json!({"id": PEER, "amount": CAPACITY, "feerate": "1875perkw", "announce": true,
        "minconf": 1, "utxos": [input().to_string()]});
    assert_eq!(node.calls.params("fundchannel"), expected);
}

#[tokio::test]
async fn a_feerate_above_the_ceiling_or_too_little_money_begins_nothing() {
    let dear = node(|method, _| match method {
        "feerates" => result(json!({"perkw": {"opening": 5_001, "floor": 253}})),
        _ => None,
    });
    let error = money::prepare(&dear.rpc, &allowed()).await.unwrap_err();
    assert!(
        error.fault == Fault::Node && error.reason.contains("feerate is 5001"),
        "{error}"
    );
    let blind = node(|method, _| match method {
        "feerates" => result(json!({"perkw": {"floor": 253}})),
        _ => None,
    });
    let error = money::prepare(&blind.rpc, &allowed()).await.unwrap_err();
    assert!(
        error.fault == Fault::Node && error.reason.contains("no feerate estimate"),
        "{error}"
    );
    let poor = node(|method, _| match method {
        "listfunds" => funds("unconfirmed", false),
        _ => None,
    });
    let error = money::prepare(&poor.rpc, &allowed()).await.unwrap_err();
    assert!(error.reason.contains("add on-chain funds"), "{error}");
}

/// The node said no and gave the inputs back; or it said no and did not; or the answer was lost; or the
/// transaction was signed and nobody took it.
#[tokio::test]
async fn an_open_that_fails_is_undone_only_when_the_node_says_so() {
    let cases = [
        (300, false, true),
        (-1, true, false),
        (303, false, false),
        (0, false, false),
    ];
    for (code, reserved, is_certain) in cases {
        let mut asked = false;
        let node = node(move |method, _| match method {
            "listfunds" => funds("confirmed", reserved && asked),
            "listtransactions" => nothing("transactions"),
            "fundchannel" if code == 0 => {
                asked = true;
                Some(Answer::Nothing)
            }
            "fundchannel" => {
                asked = true;
                refusal(code, "no")
            }
            _ => None,
        });
        let ended = money::execute(&node.rpc, ID, &allowed(), &prepared()).await;
        let is_not_done = matches!(ended, Err(ActError::NotDone(_)));
        assert_eq!(is_not_done, is_certain, "{code}: {ended:?}");
    }
}

#[tokio::test]
async fn a_repetition_finds_the_channel_and_opens_no_second_one() {
    let node = node(|method, _| match method {
        "listfunds" => funds("spent", false),
        "listtransactions" => transactions(0),
        "listpeerchannels" => channels_funded(),
        _ => None,
    });
    let done = money::execute(&node.rpc, ID, &allowed(), &prepared()).await;
    assert_eq!(done, Ok(opened()));
    assert_eq!(node.calls.count("fundchannel"), 0);
}

async fn reconciled(
    script: impl FnMut(&str, &Value) -> Option<Answer> + Send + 'static,
) -> Reconciled {
    let node = node(script);
    let became = money::reconcile(&node.rpc, ID, &prepared()).await.unwrap();
    assert_eq!(node.calls.count("fundchannel"), 0);
    became
}

#[tokio::test]
async fn the_inputs_tell_what_became_of_an_open() {
    let done = reconciled(|method, _| match method {
        "listfunds" => funds("spent", false),
        "listtransactions" => transactions(0),
        "listpeerchannels" => channels_funded(),
        _ => None,
    });
    assert_eq!(done.await, Reconciled::Done(opened()));
    // Closed since.
    let closed = reconciled(|method, _| match method {
        "listfunds" => funds("spent", false),
        "listtransactions" => transactions(120),
        "listpeerchannels" => nothing("channels"),
        "listclosedchannels" => {
            let (hash, _) = transaction();
            result(
                json!({"closedchannels": [{"channel_id": "22".repeat(32), "funding_txid": hash,
                "funding_outnum": 0, "peer_id": PEER, "close_cause": "user"}]}),
            )
        }
        _ => None,
    });
    assert_eq!(closed.await, Reconciled::Done(opened()));
    let free = reconciled(|method, _| match method {
        "listfunds" => funds("confirmed", false),
        _ => None,
    });
    assert_eq!(free.await, Reconciled::NotDone);
    // By something else than a funding: open until it is in a block.
    for (height, expected) in [(0, Reconciled::Unknown), (120, Reconciled::NotDone)] {
        let spent = reconciled(move |method, _| match method {
            "listfunds" => funds("spent", false),
            "listtransactions" => transactions(height),
            _ => None,
        });
        assert_eq!(spent.await, expected);
    }
    let strange = reconciled(|method, _| match method {
        "listfunds" => nothing("outputs"),
        _ => None,
    });
    assert_eq!(strange.await, Reconciled::Unknown);
}

/// A reservation alone means what the run of the node means that was given the open.
#[tokio::test]
async fn a_reservation_that_an_earlier_run_left_is_given_back() {
    let runs = [
        (Some("this"), Reconciled::Unknown, 0),
        (Some("an earlier one"), Reconciled::NotDone, 1),
        (None, Reconciled::NotDone, 0),
    ];
    for (run, expected, released) in runs {
        let noted = std::sync::Arc::new(std::sync::Mutex::new(run.map(str::to_owned)));
        let shown = noted.clone();
        let node = node(move |method, _| match method {
            "listfunds" => funds("confirmed", true),
            "listtransactions" => nothing("transactions"),
            "listdatastore" => match shown.lock().unwrap().as_ref() {
                Some(run) => result(json!({"datastore": [{"key": ["hive"], "string": run}]})),
                None => nothing("datastore"),
            },
            _ => None,
        });
        if run == Some("this") {
            *noted.lock().unwrap() = node.rpc.run();
        }
        let became = money::reconcile(&node.rpc, ID, &prepared()).await;
        assert_eq!(became, Ok(expected), "{run:?}");
        assert_eq!(node.calls.count("unreserveinputs"), released, "{run:?}");
    }
}

/// The node died while it published the funding: it has the channel, and its wallet shows no transaction yet.
#[tokio::test]
async fn a_channel_that_waits_for_an_unseen_funding_keeps_an_open_unknown() {
    let node = node(move |method, _| match method {
        "listfunds" => funds("confirmed", true),
        "listtransactions" => nothing("transactions"),
        "listpeerchannels" => channels_funded(),
        "listdatastore" => {
            result(json!({"datastore": [{"key": ["hive"], "string": "an earlier one"}]}))
        }
        _ => None,
    });
    let became = money::reconcile(&node.rpc, ID, &prepared()).await;
    assert_eq!(became, Ok(Reconciled::Unknown));
    assert_eq!(node.calls.count("unreserveinputs"), 0);
    assert_eq!(node.calls.count("deldatastore"), 0);
}

/// The node was given the open just before the agent died, and still connects: the inputs are taken from it before the
/// open counts as not done. Where it was quicker it is at it.
#[tokio::test]
async fn an_open_that_may_still_begin_is_not_taken_for_none() {
    for (is_begun, expected) in [(false, Reconciled::NotDone), (true, Reconciled::Unknown)] {
        let noted = std::sync::Arc::new(std::sync::Mutex::new(None));
        let shown = noted.clone();
        let node = node(move |method, _| match method {
            "listfunds" => funds("confirmed", false),
            "reserveinputs" if is_begun => refusal(-32_602, "already reserved"),
            "listdatastore" => {
                let run: Option<String> = shown.lock().unwrap().clone();
                result(json!({"datastore": [{"key": ["hive"], "string": run}]}))
            }
            _ => None,
        });
        *noted.lock().unwrap() = node.rpc.run();
        let became = money::reconcile(&node.rpc, ID, &prepared()).await;
        assert_eq!(became, Ok(expected));
        let asked = node.calls.params("reserveinputs");
        assert_eq!(
            (&asked["exclusive"], &asked["reserve"]),
            (&json!(true), &json!(72))
        );
        assert_eq!(node.calls.count("deldatastore"), usize::from(!is_begun));
    }
}

/// The node said that it could not give the funding out, and gave the inputs back: it has the channel, the funding is
/// signed, and its next start gives it out again.
#[tokio::test]
async fn an_open_whose_funding_was_signed_stays_unknown_with_its_inputs_free() {
    let node = node(|method, _| match method {
        "listfunds" => funds("confirmed", false),
        "fundchannel" => refusal(-1, "Error broadcasting transaction"),
        "listpeerchannels" => channels_funded(),
        _ => None,
    });
    let became = money::reconcile(&node.rpc, ID, &prepared()).await;
    assert_eq!(became, Ok(Reconciled::Unknown));
    assert_eq!(node.calls.count("reserveinputs"), 0);
}

/// The same, as it happens.
#[tokio::test]
async fn a_refused_open_that_left_a_channel_is_unknown() {
    let mut is_asked = false;
    let node = node(move |method, _| match method {
        "listfunds" => funds("confirmed", false),
        "fundchannel" => {
            is_asked = true;
            refusal(-1, "Error broadcasting transaction")
        }
        "listpeerchannels" if is_asked => channels_funded(),
        _ => None,
    });
    let ended = money::execute(&node.rpc, ID, &allowed(), &prepared()).await;
    assert!(matches!(ended, Err(ActError::Unknown { .. })), "{ended:?}");
    assert_eq!(node.calls.count("deldatastore"), 0);
}

/// The operator opened to somebody else with the chosen coin, alone or with a further one: this open is none, as soon
/// as the chain says so.
#[tokio::test]
async fn a_channel_with_somebody_else_is_not_the_one() {
    for (height, expected) in [(0, Reconciled::Unknown), (120, Reconciled::NotDone)] {
        for further in [0, 400_000] {
            let channel = move |list: &str, state: &str| {
                let (hash, _) = spending(further);
                result(
                    json!({list: [{"peer_id": OWN, "state": state, "opener": "local",
                    "channel_id": "22".repeat(32), "funding_txid": hash, "funding_outnum": 0}]}),
                )
            };
            for is_closed in [false, true] {
                let became = reconciled(move |method, _| match method {
                    "listfunds" => funds("spent", false),
                    "listtransactions" => {
                        let (hash, rawtx) = spending(further);
                        result(
                            json!({"transactions": [{"hash": hash, "rawtx": rawtx, "blockheight": height}]}),
                        )
                    }
                    "listpeerchannels" if is_closed => nothing("channels"),
                    "listpeerchannels" => channel("channels", "CHANNELD_NORMAL"),
                    "listclosedchannels" if is_closed => channel("closedchannels", "CLOSED"),
                    _ => None,
                });
                assert_eq!(became.await, expected, "{height} {further} {is_closed}");
            }
        }
    }
}

/// A funding with an input of the peer's, whose amount nobody tells: the channel is there, and is booked.
#[tokio::test]
async fn a_funding_that_the_peer_adds_to_is_done() {
    let done = reconciled(|method, _| match method {
        "listfunds" => funds("spent", false),
        "listtransactions" => {
            let (hash, rawtx) = spending(400_000);
            result(json!({"transactions": [{"hash": hash, "rawtx": rawtx, "blockheight": 0}]}))
        }
        "listpeerchannels" => {
            let (hash, _) = spending(400_000);
            result(
                json!({"channels": [{"peer_id": PEER, "state": "DUALOPEND_AWAITING_LOCKIN",
                "channel_id": "22".repeat(32), "funding_txid": hash, "funding_outnum": 0}]}),
            )
        }
        _ => None,
    });
    let Reconciled::Done(Done::Opened { fee, .. }) = done.await else {
        panic!("not done");
    };
    assert_eq!(fee, Sat::ZERO);
}

/// Channels that wait for their funding with others, or that were there before, say nothing of this open.
#[tokio::test]
async fn other_channels_that_wait_for_a_funding_keep_no_open_unknown() {
    let cases = [
        (PEER, "33", "local", Reconciled::Unknown),
        (PEER, "33", "remote", Reconciled::NotDone),
        (PEER, "22", "local", Reconciled::NotDone),
        (OWN, "33", "local", Reconciled::NotDone),
    ];
    for (with, id, opener, expected) in cases {
        let node = node(move |method, _| match method {
            "listfunds" => funds("confirmed", true),
            "listpeerchannels" => result(json!({"channels": [{"peer_id": with, "opener": opener,
                "state": "CHANNELD_AWAITING_LOCKIN", "channel_id": id.repeat(32),
                "funding_txid": "44".repeat(32), "funding_outnum": 0}]})),
            "listdatastore" => {
                result(json!({"datastore": [{"key": ["hive"], "string": "an earlier one"}]}))
            }
            _ => None,
        });
        let prepared = Prepared::Open {
            target: Some(peer()),
            begun: None,
            inputs: vec![input()],
            channels_before: vec!["22".repeat(32).parse().unwrap()],
        };
        let became = money::reconcile(&node.rpc, ID, &prepared).await;
        assert_eq!(became, Ok(expected), "{with} {id} {opener}");
    }
}
