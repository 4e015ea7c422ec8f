//! Money against a lightningd that answers from a script: each state of things that a crash can leave.

mod opens;
mod payments;
mod policies;

use crate::fake::{self, Answer, Calls};
use crate::rpc::Rpc;
use hive_node::conformance;
use hive_policy::Authorized;
use hive_types::{
    Action, ActionId, BlockHeight, ChannelId, ChannelPolicy, FeeratePerKw, LocalChannel,
    LocalSnapshot, Msat, NodeId, OnChain, OutPoint, Ppm, Sat, Txid,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const OWN: &str = "02d55c998e53f96084dad4617b0a86310fbfb055bc2b084da6dd6d25b04591bd33";
const PEER: &str = "0241abd276c7434164683d01e169b4b64fbd4f772a26131ce95967b3853ffc90bd";

const ID: ActionId = ActionId::from_bytes([7; 16]);

fn peer() -> NodeId {
    PEER.parse().unwrap()
}

/// A way to a scripted node; what the script leaves to others is recorded.
struct Node {
    rpc: Rpc,
    calls: Calls,
    _folder: TempDir,
}

fn node(mut script: impl FnMut(&str, &Value) -> Option<Answer> + Send + 'static) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lightning-rpc");
    let calls = fake::listen(&path, move |method, params| {
        script(method, params).unwrap_or_else(|| fake::recorded(method))
    });
    Node {
        rpc: Rpc::new(&path),
        calls,
        _folder: folder,
    }
}

fn result(value: Value) -> Option<Answer> {
    Some(Answer::Result(value))
}

fn refusal(code: i32, message: &'static str) -> Option<Answer> {
    Some(Answer::Error(code, message, Value::Null))
}

/// A permit for a synced node with money.
fn permit(action: Action, cost: Msat) -> Authorized {
    let local = LocalSnapshot {
        node_id: OWN.parse().unwrap(),
        network: hive_types::Network::Regtest,
        height: BlockHeight::new(107),
        synced: true,
        on_chain: OnChain {
            confirmed: Sat::new(15_000_000_000),
            ..OnChain::default()
        },
        feerate: FeeratePerKw::new(1_875),
        channels: ["102x1x0", "103x1x0"].map(channel).into(),
        peers: Vec::new(),
        forwards: Vec::new(),
        peer_events: Vec::new(),
    };
    conformance::permit(&local, ID, action, cost).unwrap()
}

/// An own channel with the peer, half of it on each side.
fn channel(scid: &str) -> LocalChannel {
    let half = Msat::new(500_000_000);
    let policy = ChannelPolicy {
        base: Msat::ZERO,
        rate: Ppm::ZERO,
        cltv_delta: 6,
        htlc_minimum: Msat::ZERO,
        htlc_maximum: Msat::new(990_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    };
    LocalChannel {
        channel_id: ChannelId::from_bytes([scid.as_bytes()[2]; 32]),
        scid: Some(scid.parse().unwrap()),
        funding: OutPoint {
            txid: Txid::from_bytes([scid.as_bytes()[2]; 32]),
            vout: 0,
        },
        peer: peer(),
        capacity: Sat::new(1_000_000),
        spendable: half,
        receivable: half,
        usable: true,
        announced: true,
        opened_by_us: true,
        local_policy: Some(policy),
        remote_policy: Some(policy),
        htlcs: 0,
    }
}

/// A reply that lists nothing.
fn nothing(list: &str) -> Option<Answer> {
    result(json!({list: []}))
}
