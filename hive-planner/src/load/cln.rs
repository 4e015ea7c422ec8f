//! `lightning-cli listchannels` and `listnodes`.

use super::about::About;
use super::number::Number;
use super::{LoadError, Loaded, parse_json};
use crate::graph::GraphBuilder;
use core::net::Ipv4Addr;
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, ShortChannelId};
use serde::Deserialize;
use std::io::Read;

const CHANNELS: &str = "the listchannels JSON";
const NODES: &str = "the listnodes JSON";

#[derive(Deserialize)]
struct Nodes {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    nodeid: NodeId,
    /// Absent, as the addresses are, where only a channel announced the node.
    alias: Option<String>,
    addresses: Option<Vec<Address>>,
}

#[derive(Deserialize)]
struct Address {
    address: Option<String>,
}

impl Address {
    fn v4(&self) -> Option<Ipv4Addr> {
        self.address.as_ref()?.parse().ok()
    }
}

#[derive(Deserialize)]
struct Channels {
    channels: Vec<Direction>,
}

#[derive(Deserialize)]
struct Direction {
    source: NodeId,
    destination: NodeId,
    short_channel_id: ShortChannelId,
    amount_msat: Number<u64>,
    active: bool,
    public: Option<bool>,
    base_fee_millisatoshi: Number<u64>,
    fee_per_millionth: Number<u32>,
    delay: Number<u16>,
    htlc_minimum_msat: Number<u64>,
    /// Absent where the update bears none (before it became mandatory): the capacity bounds it.
    htlc_maximum_msat: Option<Number<u64>>,
}

impl From<&Direction> for ChannelPolicy {
    fn from(direction: &Direction) -> Self {
        let maximum = direction.htlc_maximum_msat.unwrap_or(direction.amount_msat);
        Self {
            base: Msat::new(direction.base_fee_millisatoshi.0),
            rate: Ppm::new(direction.fee_per_millionth.0),
            cltv_delta: direction.delay.0,
            htlc_minimum: Msat::new(direction.htlc_minimum_msat.0),
            htlc_maximum: Msat::new(maximum.0),
            disabled: !direction.active,
            inbound_base_msat: 0,
            inbound_ppm: 0,
        }
    }
}

/// Reads the replies of Core Lightning's `listchannels` and `listnodes`.
///
/// `listchannels` has one entry for each direction with an update, and no inbound fees. The two
/// replies are taken one after the other, so a channel may end at a node that `listnodes` did not
/// have yet. Channels marked as not public are passed over: the graph holds what everybody can see.
///
/// # Errors
/// [`LoadError::Json`] with line and column, [`LoadError::Inconsistent`] with the channel.
pub fn load_listchannels(
    listchannels: impl Read,
    listnodes: impl Read,
) -> Result<Loaded, LoadError> {
    let nodes: Nodes = parse_json(NODES, "lightning-cli listnodes", listnodes)?;
    let channels: Channels = parse_json(CHANNELS, "lightning-cli listchannels", listchannels)?;
    let (mut builder, mut about) = (GraphBuilder::new(), About::default());
    for node in nodes.nodes {
        builder.add_node(node.nodeid);
        about.add_alias(node.nodeid, node.alias.as_deref().unwrap_or_default());
        let addresses = node.addresses.iter().flatten().filter_map(Address::v4);
        addresses.for_each(|address| about.add_address(node.nodeid, address));
    }
    let public = channels.channels.iter();
    for direction in public.filter(|direction| direction.public != Some(false)) {
        add(&mut builder, direction)?;
    }
    Ok(Loaded::of(builder, about))
}

fn add(builder: &mut GraphBuilder, direction: &Direction) -> Result<(), LoadError> {
    let scid = direction.short_channel_id;
    let ends = [direction.source, direction.destination];
    ends.iter().for_each(|end| builder.add_node(*end));
    let capacity = Msat::new(direction.amount_msat.0).to_sat_floor();
    let result = builder
        .add_channel(scid, ends, capacity)
        .and_then(|()| builder.set_policy(scid, direction.source, &direction.into()));
    result.map_err(|source| LoadError::Inconsistent {
        input: CHANNELS,
        place: format!("short_channel_id {scid}"),
        source,
    })
}
