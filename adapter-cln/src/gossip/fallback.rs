//! The graph as the node tells it, one node's channels at a time: a reply about all of them would take
//! hundreds of megabytes on the public network.

use crate::calls::{Direction, Listchannels, Listnodes};
use crate::rpc::Rpc;
use hive_node::backend::BackendError;
use hive_planner::graph::{Graph, GraphBuilder};
use hive_types::{ChannelPolicy, Msat, Ppm};

pub(super) async fn read(rpc: &Rpc) -> Result<Graph, BackendError> {
    let mut builder = GraphBuilder::new();
    for node in rpc.call(&Listnodes {}).await?.nodes {
        let source = node.nodeid;
        let channels = rpc.call(&Listchannels { source }).await?.channels;
        for direction in &channels {
            // What contradicts itself is left out; the rest of the graph is none the worse.
            let _ = add(&mut builder, direction);
        }
        if node.addresses.is_empty() {
            builder.set_addressless(source);
        }
    }
    Ok(builder.build())
}

fn add(
    builder: &mut GraphBuilder,
    direction: &Direction,
) -> Result<(), hive_planner::graph::BuildError> {
    let ends = [direction.source, direction.destination];
    for end in ends {
        builder.add_node(end);
    }
    let (scid, amount) = (direction.short_channel_id, direction.amount_msat);
    builder.add_channel(scid, ends, amount.to_sat_floor())?;
    let policy = ChannelPolicy {
        base: Msat::new(direction.base_fee_millisatoshi.into()),
        rate: Ppm::new(direction.fee_per_millionth),
        cltv_delta: direction.delay,
        htlc_minimum: direction.htlc_minimum_msat,
        htlc_maximum: direction.htlc_maximum_msat.unwrap_or(amount),
        disabled: !direction.active,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    };
    builder.set_policy(scid, direction.source, &policy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Channels;

    #[test]
    fn a_real_reply_makes_a_graph() {
        let reply = include_str!("../../tests/data/listchannels.json");
        let reply: Channels = serde_json::from_str(reply).unwrap();
        let mut builder = GraphBuilder::new();
        for direction in &reply.channels {
            add(&mut builder, direction).unwrap();
        }
        let graph = builder.build();
        assert_eq!((graph.node_count(), graph.channel_count()), (2, 1));
        let source = graph.node_index(&reply.channels[0].source).unwrap();
        let edge = graph.edge(reply.channels[0].short_channel_id, source);
        let policy = edge.unwrap().policy.unwrap();
        assert_eq!((policy.base, policy.rate), (Msat::new(1), Ppm::new(10)));
        assert!(!policy.disabled);
    }
}
