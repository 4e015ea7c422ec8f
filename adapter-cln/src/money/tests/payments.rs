use super::*;
use crate::money;
use hive_node::backend::{ActError, Done, Prepared, ProbeFailureKind, Reconciled};
use hive_types::{Probe, Rebalance, RouteHop};

const AMOUNT: u64 = 50_000_000;
const FEE: u64 = 1_002;

/// A node behind the peer.
const FAR: &str = "03864ef025fde8fb587d989186ce6a4a186895ee44a926bfc370e2c366597a3f8f";

fn hops(last: &str) -> Vec<RouteHop> {
    let hop = |channel: &str, to: &str, amount, cltv_blocks| RouteHop {
        channel: channel.parse().unwrap(),
        to: to.parse().unwrap(),
        amount: Msat::new(amount),
        cltv_blocks,
    };
    vec![
        hop("102x1x0", PEER, AMOUNT + FEE, 46),
        hop("103x1x0", last, AMOUNT, 40),
    ]
}

fn moved(fee: u64) -> Action {
    Action::Rebalance(Rebalance {
        amount: Msat::new(AMOUNT),
        fee: Msat::new(fee),
        hops: hops(OWN),
        beneficiary: None,
    })
}

fn prepared() -> Prepared {
    Prepared::payment().unwrap()
}

fn payments(status: &str) -> Option<Answer> {
    result(
        json!({"payments": [{"status": status, "amount_msat": AMOUNT, "amount_sent_msat": AMOUNT + FEE}]}),
    )
}

fn failure(code: u16, node: &str) -> Option<Answer> {
    let data = json!({"erring_index": 1, "failcode": code, "erring_node": node,
        "erring_channel": "103x1x0", "erring_direction": 0, "raw_message": "1007"});
    Some(Answer::Error(204, "failed on the way", data))
}

fn invoice() -> Option<Answer> {
    result(
        json!({"payment_hash": "33".repeat(32), "payment_secret": "44".repeat(32), "bolt11": "lnbcrt1"}),
    )
}

#[tokio::test]
async fn t57_a_payment_to_oneself_is_for_the_whole_amount_in_one_part() {
    let node = node(|method, _| match method {
        "listsendpays" => nothing("payments"),
        "invoice" => invoice(),
        "sendpay" => result(json!({"status": "pending"})),
        "waitsendpay" => result(
            json!({"status": "complete", "amount_msat": AMOUNT, "amount_sent_msat": AMOUNT + FEE}),
        ),
        _ => None,
    });
    let (permit, prepared) = (permit(moved(FEE), Msat::new(FEE)), prepared());
    let done = money::execute(&node.rpc, ID, &permit, &prepared).await;
    assert_eq!(
        done,
        Ok(Done::Paid {
            fee: Msat::new(FEE)
        })
    );
    let Prepared::Payment {
        preimage,
        payment_hash,
    } = prepared
    else {
        panic!("no payment");
    };
    let invoice = node.calls.params("invoice");
    assert_eq!(invoice["amount_msat"], json!(AMOUNT));
    assert_eq!(invoice["label"], json!(ID.to_string()));
    assert_eq!(invoice["preimage"], json!(crate::hex::encode(&preimage)));
    let sent = node.calls.params("sendpay");
    assert_eq!(sent["payment_hash"], json!(payment_hash));
    assert_eq!(sent["payment_secret"], json!("44".repeat(32)));
    assert_eq!((&sent["partid"], &sent["groupid"]), (&json!(0), &json!(1)));
    let first = json!({"id": PEER, "channel": "102x1x0", "amount_msat": AMOUNT + FEE, "delay": 46});
    assert_eq!(sent["route"][0], first);
}

/// Whatever the node knows of the hash already, nothing is sent again.
#[tokio::test]
async fn t59_a_hash_that_the_node_knows_is_never_sent_again() {
    for status in ["pending", "complete", "failed"] {
        let node = node(move |method, _| match method {
            "listsendpays" => payments(status),
            "waitsendpay" => refusal(200, "timed out"),
            "delinvoice" => result(json!({})),
            _ => None,
        });
        let permit = permit(moved(FEE), Msat::new(FEE));
        let ended = money::execute(&node.rpc, ID, &permit, &prepared()).await;
        match status {
            "pending" => assert!(matches!(ended, Err(ActError::Unknown { .. })), "{ended:?}"),
            "complete" => assert_eq!(
                ended,
                Ok(Done::Paid {
                    fee: Msat::new(FEE)
                })
            ),
            _ => assert!(matches!(ended, Err(ActError::NotDone(_))), "{ended:?}"),
        }
        assert_eq!(node.calls.count("sendpay"), 0, "{status}");
        assert_eq!(node.calls.count("invoice"), 0, "{status}");
    }
}

/// A payment that is stuck is unknown, and stays so until its HTLC is gone; only then goes the invoice.
#[tokio::test]
async fn t59_a_stuck_payment_is_unknown_until_it_is_over() {
    let mut looks = 0;
    let node = node(move |method, _| match method {
        "listsendpays" => {
            looks += 1;
            payments(if looks < 3 { "pending" } else { "failed" })
        }
        "delinvoice" => result(json!({})),
        _ => None,
    });
    for _ in 0..2 {
        let became = money::reconcile(&node.rpc, ID, &prepared()).await.unwrap();
        assert_eq!(became, Reconciled::Unknown);
        assert_eq!(node.calls.count("delinvoice"), 0);
    }
    let became = money::reconcile(&node.rpc, ID, &prepared()).await.unwrap();
    assert_eq!(became, Reconciled::NotDone);
    assert_eq!(
        node.calls.params("delinvoice"),
        json!({"label": ID.to_string(), "status": "unpaid"})
    );
}

#[tokio::test]
async fn a_failed_payment_takes_its_invoice_with_it() {
    let mut sent = false;
    let node = node(move |method, _| match method {
        "listsendpays" => match sent {
            true => payments("failed"),
            false => nothing("payments"),
        },
        "invoice" => invoice(),
        "sendpay" => {
            sent = true;
            result(json!({}))
        }
        "waitsendpay" => failure(0x1007, PEER),
        "delinvoice" => refusal(905, "no such invoice"),
        _ => None,
    });
    let permit = permit(moved(FEE), Msat::new(FEE));
    let ended = money::execute(&node.rpc, ID, &permit, &prepared()).await;
    let Err(ActError::NotDone(reason)) = ended else {
        panic!("{ended:?}");
    };
    assert!(reason.reason.contains("103x1x0"), "{reason}");
    assert_eq!(node.calls.names().last().unwrap(), "delinvoice");
}

/// An invoice that is paid although the payment is said to have failed: nobody knows.
#[tokio::test]
async fn a_paid_invoice_contradicts_a_failure() {
    let node = node(move |method, _| match method {
        "listsendpays" => payments("failed"),
        "delinvoice" => Some(Answer::Error(
            906,
            "status",
            json!({"current_status": "paid"}),
        )),
        _ => None,
    });
    let became = money::reconcile(&node.rpc, ID, &prepared()).await.unwrap();
    assert_eq!(became, Reconciled::Unknown);
}

#[tokio::test]
async fn lost_answers_are_unknown_and_unsent_calls_are_not_done() {
    let lost = node(move |method, _| match method {
        "listsendpays" => nothing("payments"),
        "invoice" => invoice(),
        "sendpay" => Some(Answer::Nothing),
        _ => None,
    });
    let permit = permit(moved(FEE), Msat::new(FEE));
    let ended = money::execute(&lost.rpc, ID, &permit, &prepared()).await;
    assert!(matches!(ended, Err(ActError::Unknown { .. })), "{ended:?}");
    let folder = tempfile::tempdir().unwrap();
    let nobody = Rpc::new(&folder.path().join("lightning-rpc"));
    let ended = money::execute(&nobody, ID, &permit, &prepared()).await;
    assert!(matches!(ended, Err(ActError::NotDone(_))), "{ended:?}");
}

/// A route that is dearer than its permit, or that does not end with what it should, reaches no node.
#[test]
fn t60_a_route_costs_no_more_than_its_permit() {
    let rebalance = |fee, hops| Rebalance {
        amount: Msat::new(AMOUNT),
        fee: Msat::new(fee),
        hops,
        beneficiary: None,
    };
    let check = |moved: &Rebalance, cost| money::payment::check(moved, Msat::new(cost)).is_ok();
    assert!(check(&rebalance(FEE, hops(OWN)), FEE));
    assert!(!check(&rebalance(FEE, hops(OWN)), FEE - 1));
    assert!(!check(&rebalance(FEE - 1, hops(OWN)), FEE));
    assert!(!check(&rebalance(FEE, Vec::new()), FEE));
    let mut gift = hops(OWN);
    gift[1].amount = Msat::new(AMOUNT + 1);
    assert!(!check(&rebalance(FEE, gift), FEE));
    assert!(!check(&rebalance(FEE, hops(OWN).repeat(11)), FEE));
}

async fn probed(ended: fn() -> Option<Answer>) -> (Result<Done, ActError>, Calls) {
    let node = node(move |method, _| match method {
        "listsendpays" => nothing("payments"),
        "sendpay" | "delpay" => result(json!({})),
        "waitsendpay" => ended(),
        _ => None,
    });
    let amount = Msat::new(AMOUNT);
    let mut hops = hops(FAR);
    hops[0].amount = amount;
    let probe = Action::Probe(Probe { amount, hops });
    let permit = permit(probe, Msat::ZERO);
    let ended = money::execute(&node.rpc, ID, &permit, &prepared()).await;
    (ended, node.calls.clone())
}

#[tokio::test]
async fn probes_tell_how_far_they_came_and_leave_nothing_behind() {
    let (ended, calls) = probed(|| failure(0x400f, FAR)).await;
    let arrived = Done::Probed {
        arrived: true,
        failure: None,
    };
    assert_eq!(ended, Ok(arrived));
    assert_eq!(calls.count("invoice"), 0);
    assert_eq!(calls.count("delpay"), 1);
    let (ended, _) = probed(|| failure(0x100c, PEER)).await;
    let Ok(Done::Probed {
        arrived: false,
        failure: Some(found),
    }) = ended
    else {
        panic!("{ended:?}");
    };
    assert_eq!(found.kind, ProbeFailureKind::FeeInsufficient);
    assert_eq!(found.at, Some(peer()));
    assert_eq!(found.channel, Some("103x1x0".parse().unwrap()));
    // The own channel says nothing of a fellow.
    let (ended, _) = probed(|| failure(0x1007, OWN)).await;
    assert!(matches!(ended, Err(ActError::NotDone(_))), "{ended:?}");
    let (ended, calls) = probed(|| refusal(200, "timed out")).await;
    assert!(matches!(ended, Err(ActError::Unknown { .. })), "{ended:?}");
    assert_eq!(calls.count("delpay"), 0);
}
