//! The methods that read, with as much of their answers as is used. Fields that a release adds or drops
//! elsewhere in an answer change nothing here.

use crate::limits::CONNECT_TIMEOUT;
use crate::rpc::Method;
use hive_types::{ChannelId, Millis, Msat, NodeId, ShortChannelId, Txid};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! method {
    ($request:ty, $name:literal, $reply:ty) => {
        impl Method for $request {
            const NAME: &'static str = $name;
            type Reply = $reply;
        }
    };
}

/// `getinfo`.
#[derive(Debug, Serialize)]
pub(crate) struct Getinfo {}
method!(Getinfo, "getinfo", Info);

/// What a node says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Info {
    pub(crate) id: NodeId,
    #[serde(default)]
    pub(crate) alias: String,
    pub(crate) version: String,
    pub(crate) blockheight: u32,
    pub(crate) network: String,
    #[serde(default)]
    pub(crate) address: Vec<Address>,
    #[serde(default)]
    pub(crate) binding: Vec<Address>,
    #[serde(default)]
    pub(crate) our_features: Features,
    pub(crate) warning_bitcoind_sync: Option<String>,
    pub(crate) warning_lightningd_sync: Option<String>,
}

/// Feature bits by the place that shows them, in hex.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Features {
    #[serde(default)]
    pub(crate) init: String,
}

/// An address that is announced or listened on.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Address {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) address: Option<String>,
    pub(crate) port: Option<u16>,
}

/// `listpeers`.
#[derive(Debug, Serialize)]
pub(crate) struct Listpeers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<NodeId>,
}
method!(Listpeers, "listpeers", Peers);

#[derive(Debug, Deserialize)]
pub(crate) struct Peers {
    pub(crate) peers: Vec<Peer>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    pub(crate) connected: bool,
    #[serde(default)]
    pub(crate) features: String,
}

/// `listpeerchannels`.
#[derive(Debug, Serialize)]
pub(crate) struct Listpeerchannels {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<NodeId>,
}
method!(Listpeerchannels, "listpeerchannels", PeerChannels);

#[derive(Debug, Deserialize)]
pub(crate) struct PeerChannels {
    pub(crate) channels: Vec<PeerChannel>,
}

/// One channel of the own node. What is absent while a channel is being negotiated is an option.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PeerChannel {
    pub(crate) peer_id: NodeId,
    #[serde(default)]
    pub(crate) peer_connected: bool,
    #[serde(default)]
    pub(crate) reestablished: Option<bool>,
    pub(crate) state: String,
    pub(crate) short_channel_id: Option<ShortChannelId>,
    pub(crate) channel_id: Option<ChannelId>,
    pub(crate) funding_txid: Option<Txid>,
    pub(crate) funding_outnum: Option<u32>,
    pub(crate) total_msat: Option<Msat>,
    pub(crate) spendable_msat: Option<Msat>,
    pub(crate) receivable_msat: Option<Msat>,
    #[serde(default)]
    pub(crate) private: bool,
    pub(crate) opener: Option<String>,
    #[serde(default)]
    pub(crate) updates: Updates,
    #[serde(default)]
    pub(crate) htlcs: Vec<Htlc>,
    #[serde(default)]
    pub(crate) alias: Aliases,
    #[serde(default)]
    pub(crate) channel_type: ChannelType,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Updates {
    pub(crate) local: Option<Update>,
    pub(crate) remote: Option<Update>,
}

/// One side's `channel_update`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Update {
    pub(crate) htlc_minimum_msat: Msat,
    pub(crate) htlc_maximum_msat: Msat,
    pub(crate) cltv_expiry_delta: u16,
    pub(crate) fee_base_msat: Msat,
    pub(crate) fee_proportional_millionths: u32,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Htlc {
    #[serde(default)]
    pub(crate) direction: String,
    pub(crate) id: Option<u64>,
    pub(crate) expiry: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Aliases {
    pub(crate) local: Option<ShortChannelId>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ChannelType {
    #[serde(default)]
    pub(crate) bits: Vec<u32>,
}

/// `listclosedchannels`.
#[derive(Debug, Serialize)]
pub(crate) struct Listclosedchannels {}
method!(Listclosedchannels, "listclosedchannels", ClosedChannels);

#[derive(Debug, Deserialize)]
pub(crate) struct ClosedChannels {
    pub(crate) closedchannels: Vec<ClosedChannel>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ClosedChannel {
    pub(crate) peer_id: Option<NodeId>,
    pub(crate) channel_id: ChannelId,
    pub(crate) short_channel_id: Option<ShortChannelId>,
    #[serde(default)]
    pub(crate) alias: Aliases,
    pub(crate) funding_txid: Txid,
    pub(crate) funding_outnum: u32,
    #[serde(default)]
    pub(crate) close_cause: String,
}

/// `listfunds`.
#[derive(Debug, Serialize)]
pub(crate) struct Listfunds {
    pub(crate) spent: bool,
}
method!(Listfunds, "listfunds", Funds);

#[derive(Debug, Deserialize)]
pub(crate) struct Funds {
    pub(crate) outputs: Vec<Output>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Output {
    pub(crate) txid: Txid,
    pub(crate) output: u32,
    pub(crate) amount_msat: Msat,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) reserved: bool,
    pub(crate) redeemscript: Option<String>,
}

/// `feerates`.
#[derive(Debug, Serialize)]
pub(crate) struct Feerates {
    style: &'static str,
}

impl Feerates {
    /// In satoshi per 1000 weight units.
    pub(crate) const PER_KW: Self = Self { style: "perkw" };
}
method!(Feerates, "feerates", FeeratesReply);

#[derive(Debug, Deserialize)]
pub(crate) struct FeeratesReply {
    pub(crate) perkw: PerKw,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PerKw {
    pub(crate) opening: Option<u32>,
    pub(crate) floor: Option<u32>,
}

/// `listconfigs` of one setting.
#[derive(Debug, Serialize)]
pub(crate) struct Listconfigs {
    pub(crate) config: &'static str,
}
method!(Listconfigs, "listconfigs", Configs);

#[derive(Debug, Deserialize)]
pub(crate) struct Configs {
    #[serde(default)]
    pub(crate) configs: BTreeMap<String, ConfigValue>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ConfigValue {
    pub(crate) value_msat: Option<Msat>,
}

/// `signmessage`.
#[derive(Debug, Serialize)]
pub(crate) struct Signmessage<'a> {
    pub(crate) message: &'a str,
}
method!(Signmessage<'_>, "signmessage", Signed);

#[derive(Debug, Deserialize)]
pub(crate) struct Signed {
    pub(crate) zbase: String,
}

/// `sendcustommsg`.
#[derive(Debug, Serialize)]
pub(crate) struct Sendcustommsg {
    pub(crate) node_id: NodeId,
    pub(crate) msg: String,
}
method!(Sendcustommsg, "sendcustommsg", serde::de::IgnoredAny);

/// `connect`.
#[derive(Debug, Serialize)]
pub(crate) struct Connect {
    pub(crate) id: NodeId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
}

impl Method for Connect {
    const NAME: &'static str = "connect";
    const PATIENCE: Millis = CONNECT_TIMEOUT;
    const WAITS: bool = true;
    type Reply = serde::de::IgnoredAny;
}

/// `listforwards`, in the order in which they changed last.
#[derive(Debug, Serialize)]
pub(crate) struct Listforwards {
    pub(crate) index: &'static str,
    pub(crate) start: u64,
    pub(crate) limit: u32,
}
method!(Listforwards, "listforwards", Forwards);

#[derive(Debug, Deserialize)]
pub(crate) struct Forwards {
    pub(crate) forwards: Vec<Forward>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Forward {
    pub(crate) updated_index: Option<u64>,
    pub(crate) in_channel: ShortChannelId,
    pub(crate) out_channel: Option<ShortChannelId>,
    pub(crate) in_msat: Option<Msat>,
    pub(crate) out_msat: Option<Msat>,
    pub(crate) fee_msat: Option<Msat>,
    pub(crate) status: String,
}

/// `listnodes`.
#[derive(Debug, Serialize)]
pub(crate) struct Listnodes {}
method!(Listnodes, "listnodes", Nodes);

#[derive(Debug, Deserialize)]
pub(crate) struct Nodes {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) nodeid: NodeId,
    /// None where no announcement of it is known.
    #[serde(default)]
    pub(crate) addresses: Vec<IgnoredAny>,
}

/// `listchannels` of one node, the directions that it sets the policy of.
#[derive(Debug, Serialize)]
pub(crate) struct Listchannels {
    pub(crate) source: NodeId,
}
method!(Listchannels, "listchannels", Channels);

#[derive(Debug, Deserialize)]
pub(crate) struct Channels {
    pub(crate) channels: Vec<Direction>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Direction {
    pub(crate) source: NodeId,
    pub(crate) destination: NodeId,
    pub(crate) short_channel_id: ShortChannelId,
    pub(crate) amount_msat: Msat,
    pub(crate) active: bool,
    pub(crate) base_fee_millisatoshi: u32,
    pub(crate) fee_per_millionth: u32,
    pub(crate) delay: u16,
    pub(crate) htlc_minimum_msat: Msat,
    pub(crate) htlc_maximum_msat: Option<Msat>,
}

/// `listtransactions`: those that the wallet has a part in.
#[derive(Debug, Serialize)]
pub(crate) struct Listtransactions {}
method!(Listtransactions, "listtransactions", Transactions);

#[derive(Debug, Deserialize)]
pub(crate) struct Transactions {
    pub(crate) transactions: Vec<Transaction>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) hash: Txid,
    pub(crate) rawtx: String,
    #[serde(default)]
    pub(crate) blockheight: u32,
}
