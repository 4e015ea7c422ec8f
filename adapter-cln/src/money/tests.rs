//! Money against a lightningd that answers from a script: each state of things that a crash can leave.

mod opens;
mod payments;
mod policies;

use crate::fake::{self, Answer, Calls};
use crate::rpc::Rpc;
use hive_policy::{Authorized, Gate, LimitSettings, Limits, Mode, Standing, Verdict};
use hive_types::{
    Action, ActionId, BlockHeight, BootId, ChannelId, ChannelPolicy, Elapsed, Explanation,
    FeeratePerKw, LocalChannel, LocalSnapshot, LockView, Msat, NodeId, Now, OnChain, OutPoint, Ppm,
    Proposal, Sat, Tier, Txid, UnixMillis,
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

/// A real permit from a gate with wide limits.
fn permit(action: Action, cost: Msat) -> Authorized {
    let limits = Limits::new(LimitSettings {
        budget_per_day: Sat::new(10_000_000),
        capital_per_day: Sat::new(100_000_000_000),
        cost_per_action: Msat::new(1_000_000_000),
        on_chain_reserve: Sat::ZERO,
        channel_min: Sat::ZERO,
        channel_max: Sat::new(100_000_000),
        feerate_ceiling: FeeratePerKw::new(u32::MAX),
        rebalance_rate: Ppm::ONE,
        rebalance_fee: Msat::new(1_000_000_000),
        max_in_flight: Msat::new(100_000_000_000),
        max_cltv: 2_016,
        min_confidence: Ppm::ZERO,
        ..LimitSettings::default()
    });
    let height = BlockHeight::new(107);
    let local = LocalSnapshot {
        node_id: OWN.parse().unwrap(),
        network: hive_types::Network::Regtest,
        height,
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
    let lock = LockView {
        target: peer(),
        holder: local.node_id,
        action: ID,
        height,
        until: height.plus(144),
        funding: None,
    };
    let standing = Standing {
        tier: Some(Tier::Full),
        reconciled: true,
        lock: matches!(action, Action::Open(_)).then_some(&lock),
        banned: &[],
    };
    let proposal = Proposal {
        action,
        cost,
        value_per_day: Msat::ZERO,
        confidence: Ppm::ONE,
        explanation: Explanation::default(),
    };
    let now = Now {
        wall: UnixMillis::new(1),
        elapsed: Elapsed::ZERO,
        boot: BootId::new(1),
    };
    let mut gate = Gate::new(limits.unwrap(), Mode::Autonomous);
    match gate.consider(now, ID, &proposal, &local, standing) {
        Verdict::Execute(permit) => permit,
        verdict => panic!("{verdict:?}"),
    }
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
