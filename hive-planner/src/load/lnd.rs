//! `lncli describegraph`.

use super::about::About;
use super::number::Number;
use super::{LoadError, Loaded, parse_json};
use crate::graph::GraphBuilder;
use core::net::SocketAddrV4;
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
use serde::Deserialize;
use std::io::Read;

const INPUT: &str = "the describegraph JSON";

#[derive(Deserialize)]
struct Reply {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

#[derive(Deserialize)]
struct Node {
    pub_key: NodeId,
    alias: Option<String>,
    addresses: Option<Vec<Address>>,
}

#[derive(Deserialize)]
struct Address {
    /// Host and port; IPv6 in brackets, Tor and names as text.
    addr: Option<String>,
}

impl Address {
    fn v4(&self) -> Option<SocketAddrV4> {
        self.addr.as_ref()?.parse().ok()
    }
}

#[derive(Deserialize)]
struct Edge {
    channel_id: Number<u64>,
    node1_pub: NodeId,
    node2_pub: NodeId,
    capacity: Number<u64>,
    node1_policy: Option<Policy>,
    node2_policy: Option<Policy>,
}

/// Fields that are zero may be absent: gRPC's JSON form leaves them out on request.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Policy {
    time_lock_delta: Number<u16>,
    min_htlc: Number<u64>,
    fee_base_msat: Number<u64>,
    fee_rate_milli_msat: Number<u32>,
    disabled: bool,
    max_htlc_msat: Number<u64>,
    inbound_fee_base_msat: Number<i32>,
    inbound_fee_rate_milli_msat: Number<i32>,
}

impl From<&Policy> for ChannelPolicy {
    fn from(policy: &Policy) -> Self {
        Self {
            base: Msat::new(policy.fee_base_msat.0),
            rate: Ppm::new(policy.fee_rate_milli_msat.0),
            cltv_delta: policy.time_lock_delta.0,
            htlc_minimum: Msat::new(policy.min_htlc.0),
            htlc_maximum: Msat::new(policy.max_htlc_msat.0),
            disabled: policy.disabled,
            inbound_base_msat: policy.inbound_fee_base_msat.0,
            inbound_ppm: policy.inbound_fee_rate_milli_msat.0,
        }
    }
}

/// Reads what `lncli describegraph` prints. `channel_id` is the short channel id as a number;
/// a policy of `null` is one that LND has not seen.
///
/// # Errors
/// [`LoadError::Json`] with line and column, [`LoadError::Inconsistent`] with the channel.
pub fn load_describegraph(json: impl Read) -> Result<Loaded, LoadError> {
    let reply: Reply = parse_json(INPUT, "lncli describegraph", json)?;
    let (mut builder, mut about) = (GraphBuilder::new(), About::default());
    for node in &reply.nodes {
        builder.add_node(node.pub_key);
        about.add_alias(node.pub_key, node.alias.as_deref().unwrap_or_default());
        let addresses = node.addresses.iter().flatten().filter_map(Address::v4);
        addresses.for_each(|address| about.add_address(node.pub_key, *address.ip()));
    }
    for edge in &reply.edges {
        add(&mut builder, edge)?;
    }
    Ok(Loaded::of(builder, about))
}

fn add(builder: &mut GraphBuilder, edge: &Edge) -> Result<(), LoadError> {
    let scid = ShortChannelId::from_u64(edge.channel_id.0);
    let ends = [edge.node1_pub, edge.node2_pub];
    let mut result = builder.add_channel(scid, ends, Sat::new(edge.capacity.0));
    for (from, policy) in ends
        .into_iter()
        .zip([&edge.node1_policy, &edge.node2_policy])
    {
        if let (Ok(()), Some(policy)) = (&result, policy) {
            result = builder.set_policy(scid, from, &policy.into());
        }
    }
    result.map_err(|source| LoadError::Inconsistent {
        input: INPUT,
        place: format!("channel_id {}", edge.channel_id.0),
        source,
    })
}
