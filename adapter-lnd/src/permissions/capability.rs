//! What the agent can do at LND, and the calls that each part takes.

use hive_types::ActionKind;
use std::collections::BTreeSet;

/// One level of permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Capability {
    /// Reading the node, and speaking with fellows. Nothing works without it.
    Member,
    /// Setting fees of own channels.
    Fees,
    /// Opening channels.
    Open,
    /// Moving balance in a circle.
    Rebalance,
    /// Sending payments that nobody can claim.
    Probe,
}

/// A call, and LND's own name for what it takes: entity and action of an unrestricted macaroon.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) entity: &'static str,
    pub(crate) action: &'static str,
}

const fn call(method: &'static str, entity: &'static str, action: &'static str) -> Call {
    Call {
        method,
        entity,
        action,
    }
}

/// Asks LND what a macaroon allows; without it, what is missing shows when it is needed.
pub(crate) const CHECK: &str = "/lnrpc.Lightning/CheckMacaroonPermissions";

const MEMBER: &[Call] = &[
    call(
        "/chainrpc.ChainNotifier/RegisterBlockEpochNtfn",
        "onchain",
        "read",
    ),
    call(CHECK, "macaroon", "read"),
    call("/lnrpc.Lightning/ClosedChannels", "offchain", "read"),
    call("/lnrpc.Lightning/ConnectPeer", "peers", "write"),
    call("/lnrpc.Lightning/DescribeGraph", "info", "read"),
    call("/lnrpc.Lightning/ForwardingHistory", "offchain", "read"),
    call("/lnrpc.Lightning/GetChanInfo", "info", "read"),
    call("/lnrpc.Lightning/GetInfo", "info", "read"),
    call("/lnrpc.Lightning/GetNodeInfo", "info", "read"),
    call("/lnrpc.Lightning/ListChannels", "offchain", "read"),
    call("/lnrpc.Lightning/ListPeers", "peers", "read"),
    call("/lnrpc.Lightning/PendingChannels", "offchain", "read"),
    call("/lnrpc.Lightning/SendCustomMessage", "offchain", "write"),
    call("/lnrpc.Lightning/SignMessage", "message", "write"),
    call(
        "/lnrpc.Lightning/SubscribeChannelEvents",
        "offchain",
        "read",
    ),
    call("/lnrpc.Lightning/SubscribeChannelGraph", "info", "read"),
    call(
        "/lnrpc.Lightning/SubscribeCustomMessages",
        "offchain",
        "read",
    ),
    call("/lnrpc.Lightning/SubscribePeerEvents", "peers", "read"),
    call("/lnrpc.Lightning/WalletBalance", "onchain", "read"),
    call("/routerrpc.Router/SubscribeHtlcEvents", "offchain", "read"),
    call("/walletrpc.WalletKit/EstimateFee", "onchain", "read"),
    call("/walletrpc.WalletKit/RequiredReserve", "onchain", "read"),
];

const FEES: &[Call] = &[call(
    "/lnrpc.Lightning/UpdateChannelPolicy",
    "offchain",
    "write",
)];

const OPEN: &[Call] = &[
    call("/lnrpc.Lightning/GetTransactions", "onchain", "read"),
    call("/lnrpc.Lightning/OpenChannel", "onchain", "write"),
    call("/walletrpc.WalletKit/ListLeases", "onchain", "read"),
    call("/walletrpc.WalletKit/ListUnspent", "onchain", "read"),
];

/// What frees the coins of an open that died. Without it LND frees them itself, after ten minutes.
const OPEN_TIDY: &[Call] = &[call(
    "/walletrpc.WalletKit/ReleaseOutput",
    "onchain",
    "write",
)];

const REBALANCE: &[Call] = &[
    call("/invoicesrpc.Invoices/CancelInvoice", "invoices", "write"),
    call("/lnrpc.Lightning/AddInvoice", "invoices", "write"),
    call("/lnrpc.Lightning/LookupInvoice", "invoices", "read"),
    call("/routerrpc.Router/SendToRouteV2", "offchain", "write"),
    call("/routerrpc.Router/TrackPaymentV2", "offchain", "read"),
];

const PROBE: &[Call] = &[
    call("/invoicesrpc.Invoices/CancelInvoice", "invoices", "write"),
    call("/routerrpc.Router/SendToRouteV2", "offchain", "write"),
    call("/routerrpc.Router/TrackPaymentV2", "offchain", "read"),
];

/// What tidies up after probes. The agent does without where an older macaroon lacks it.
const PROBE_TIDY: &[Call] = &[call("/lnrpc.Lightning/DeletePayment", "offchain", "write")];

impl Capability {
    /// Each, the needed one first.
    pub(crate) const ALL: [Self; 5] = [
        Self::Member,
        Self::Fees,
        Self::Open,
        Self::Rebalance,
        Self::Probe,
    ];

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Fees => "fees",
            Self::Open => "open",
            Self::Rebalance => "rebalance",
            Self::Probe => "probe",
        }
    }

    /// What the agent does with it.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Member => "be a member: read the node, sign with its key, speak with fellows",
            Self::Fees => "set the fees of own channels, as agreed with fellows",
            Self::Open => "open channels, approved ones too",
            Self::Rebalance => "move balance between own channels, approved moves too",
            Self::Probe => "send test payments that nobody can claim",
        }
    }

    /// What somebody who steals the macaroon can do with it, beyond reading.
    pub(crate) const fn warning(self) -> Option<&'static str> {
        match self {
            Self::Member => Some(
                "whoever has this macaroon reads balances and channels, and signs messages as this node",
            ),
            Self::Fees => Some("whoever has it sets any fee on any channel of this node"),
            Self::Open => Some(
                "whoever has it opens channels to anybody with all on-chain funds, and LND lets it give the money away \
                 with push_sat; the agent itself never does, and holds its limits, but LND does not know them",
            ),
            Self::Rebalance => Some(
                "whoever has it pays anybody all that the channels hold: LND has no permission for payments to oneself \
                 alone; the agent itself pays its own invoices only, within its limits",
            ),
            Self::Probe => Some(
                "test payments take the permission for real ones: whoever has it pays anybody all that the channels hold",
            ),
        }
    }

    pub(crate) const fn calls(self) -> &'static [Call] {
        match self {
            Self::Member => MEMBER,
            Self::Fees => FEES,
            Self::Open => OPEN,
            Self::Rebalance => REBALANCE,
            Self::Probe => PROBE,
        }
    }

    /// Calls that are good to have: nothing is switched off without them.
    pub(crate) const fn extras(self) -> &'static [Call] {
        match self {
            Self::Open => OPEN_TIDY,
            Self::Probe => PROBE_TIDY,
            Self::Member | Self::Fees | Self::Rebalance => &[],
        }
    }

    /// The call without which a macaroon was baked for something else. One that lacks others was baked by an older agent.
    const fn mark(self) -> &'static str {
        match self {
            Self::Member => "/lnrpc.Lightning/GetInfo",
            Self::Fees => "/lnrpc.Lightning/UpdateChannelPolicy",
            Self::Open => "/lnrpc.Lightning/OpenChannel",
            Self::Rebalance => "/lnrpc.Lightning/AddInvoice",
            Self::Probe => "/routerrpc.Router/SendToRouteV2",
        }
    }

    /// Whether a macaroon that lacks these of its calls was baked for it.
    pub(crate) fn is_meant(self, lacking: &[&str]) -> bool {
        !lacking.contains(&self.mark())
    }

    /// What a call belongs to: of several, one that is there already, else the one that allows least.
    pub(crate) fn with(method: &str, there: &BTreeSet<Self>) -> Option<Self> {
        let has = |one: &Self| {
            let mut calls = one.calls().iter().chain(one.extras());
            calls.any(|call| call.method == method)
        };
        let having = || Self::ALL.into_iter().filter(has);
        having()
            .find(|one| there.contains(one))
            .or(having().next_back())
    }

    /// What an action takes.
    pub(crate) const fn of(kind: ActionKind) -> Self {
        match kind {
            ActionKind::Open => Self::Open,
            ActionKind::SetPolicy => Self::Fees,
            ActionKind::Rebalance => Self::Rebalance,
            ActionKind::Probe => Self::Probe,
        }
    }

    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}
