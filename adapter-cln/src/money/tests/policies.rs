use super::*;
use crate::money;
use hive_node::backend::{ActError, Done, Fault, Prepared, Reconciled};
use hive_types::SetPolicy;
use std::sync::{Arc, Mutex};

fn policy(rate: u32) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::ZERO,
        rate: Ppm::new(rate),
        cltv_delta: 6,
        htlc_minimum: Msat::ZERO,
        htlc_maximum: Msat::new(990_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

fn set(policy: ChannelPolicy) -> Authorized {
    let channel = "102x1x0".parse().unwrap();
    permit(Action::SetPolicy(SetPolicy { channel, policy }), Msat::ZERO)
}

fn channel(rate: u64) -> Option<Answer> {
    let Answer::Result(mut channels) = fake::recorded("listpeerchannels") else {
        panic!("no recording");
    };
    channels["channels"][0]["updates"]["local"]["fee_proportional_millionths"] = json!(rate);
    result(channels)
}

/// A node that sets what it is told, held under `most`.
fn obedient(most: u64) -> Node {
    let rate = Arc::new(Mutex::new(0));
    node(move |method, params| match method {
        "setchannel" => {
            let mut rate = rate.lock().unwrap();
            *rate = params["feeppm"].as_u64().unwrap().min(most);
            result(json!({}))
        }
        "listpeerchannels" => channel(*rate.lock().unwrap()),
        _ => None,
    })
}

#[tokio::test]
async fn a_policy_is_set_whole_and_read_back() {
    let (node, permit) = (obedient(u64::MAX), set(policy(433)));
    let prepared = money::prepare(&node.rpc, &permit).await.unwrap();
    let before = Some(policy(0));
    let expected = Prepared::Policy {
        channel: "102x1x0".parse().unwrap(),
        policy: policy(433),
        before,
    };
    assert_eq!(prepared, expected);
    let became = money::reconcile(&node.rpc, ID, &prepared).await.unwrap();
    assert_eq!(became, Reconciled::NotDone);
    let done = money::execute(&node.rpc, ID, &permit, &prepared).await;
    assert_eq!(done, Ok(Done::Set { before }));
    let whole =
        json!({"id": "102x1x0", "feebase": 0, "feeppm": 433, "htlcmin": 0, "htlcmax": 990_000_000});
    assert_eq!(node.calls.params("setchannel"), whole);
    let became = money::reconcile(&node.rpc, ID, &prepared).await.unwrap();
    assert_eq!(became, Reconciled::Done(Done::Set { before }));
}

/// What the node bends to its own bounds is taken back.
#[tokio::test]
async fn half_a_policy_is_none() {
    let (node, permit) = (obedient(100), set(policy(433)));
    let prepared = money::prepare(&node.rpc, &permit).await.unwrap();
    let ended = money::execute(&node.rpc, ID, &permit, &prepared).await;
    assert!(matches!(ended, Err(ActError::NotDone(_))), "{ended:?}");
    assert_eq!(node.calls.count("setchannel"), 2);
    let again = money::prepare(&node.rpc, &permit).await.unwrap();
    assert_eq!(again, prepared);
}

#[tokio::test]
async fn what_the_node_can_not_set_is_refused_with_the_reason() {
    let node = obedient(u64::MAX);
    let wrong = [
        (
            ChannelPolicy {
                cltv_delta: 80,
                ..policy(1)
            },
            "cltv-delta",
        ),
        (
            ChannelPolicy {
                inbound_ppm: -5,
                ..policy(1)
            },
            "no inbound fees",
        ),
        (
            ChannelPolicy {
                disabled: true,
                ..policy(1)
            },
            "disables no channel",
        ),
    ];
    let channel = "102x1x0".parse().unwrap();
    for (policy, expected) in wrong {
        let set = SetPolicy { channel, policy };
        let error = money::policy::prepare(&node.rpc, &set).await.unwrap_err();
        assert!(
            error.fault == Fault::Operator && error.reason.contains(expected),
            "{error}"
        );
    }
    let set = SetPolicy {
        channel: "7x7x7".parse().unwrap(),
        policy: policy(1),
    };
    let error = money::policy::prepare(&node.rpc, &set).await.unwrap_err();
    assert!(error.reason.contains("no channel 7x7x7"), "{error}");
    assert_eq!(node.calls.count("setchannel"), 0);
}
