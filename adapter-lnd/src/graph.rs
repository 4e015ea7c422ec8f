//! The network as LND knows it.

use crate::connect::Link;
use crate::convert::{policy, sat};
use crate::proto::lnrpc::{ChannelEdge, ChannelGraph, ChannelGraphRequest};
use hive_node::backend::BackendError;
use hive_planner::graph::{Graph, GraphBuilder};
use hive_types::{NodeId, ShortChannelId};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Code, Response};

/// LND takes seconds to put the whole graph together, a minute on a small machine.
const TIMEOUT: Duration = Duration::from_secs(180);

/// LND tells the graph in one reply, which is whole in memory before anything is made of it. Twice what that of the
/// public network takes in 2026 (60 MB). With what is made of it, and the graph before it, this takes three times as
/// much memory, and six times where it consists of the smallest channels that can be told.
pub(crate) const GRAPH_BYTES: usize = 128 << 20;

const CALL: &str = "/lnrpc.Lightning/DescribeGraph";

/// Reads the whole graph.
///
/// # Errors
/// [`BackendError::Unfit`] where it is larger than memory allows.
pub(crate) async fn read(link: &Link) -> Result<Arc<Graph>, BackendError> {
    read_bounded(link, GRAPH_BYTES).await
}

pub(crate) async fn read_bounded(link: &Link, most: usize) -> Result<Arc<Graph>, BackendError> {
    let request = ChannelGraphRequest {
        include_unannounced: false,
    };
    let mut client = link.lightning().max_decoding_message_size(most);
    let said = tokio::time::timeout(TIMEOUT, client.describe_graph(request)).await;
    let said = said.map_err(|_| {
        BackendError::Unreachable(format!("no graph in {} seconds", TIMEOUT.as_secs()))
    })?;
    let said = said
        .map(Response::into_inner)
        .map_err(|status| match status.code() {
            // Refused by its announced size, before a byte of it is taken.
            Code::OutOfRange => too_large(most),
            _ => link.error(CALL, &status),
        })?;
    // Hundreds of thousands of ids: not where events wait.
    let built = tokio::task::spawn_blocking(move || build(&said)).await;
    built
        .map(Arc::new)
        .map_err(|error| BackendError::Reply(error.to_string()))
}

fn too_large(most: usize) -> BackendError {
    BackendError::Unfit(format!(
        "LND's graph takes more than {} MiB, too much to be held in memory beside the node. Nothing is planned; all \
         else goes on. If this is the public network's, look for a newer release of the agent",
        most >> 20
    ))
}

/// What does not fit (an id that is none, say) is left out: the rest of the network is still there.
fn build(said: &ChannelGraph) -> Graph {
    let mut builder = GraphBuilder::new();
    for said in &said.nodes {
        let Ok(node) = said.pub_key.parse::<NodeId>() else {
            continue;
        };
        builder.add_node(node);
        if said.addresses.is_empty() {
            builder.set_addressless(node);
        }
    }
    let odd = said
        .edges
        .iter()
        .filter(|edge| add(&mut builder, edge).is_none());
    let odd = odd.count();
    if odd > 0 {
        tracing::debug!(channels = odd, "channels of the graph left out");
    }
    builder.build()
}

fn add(builder: &mut GraphBuilder, edge: &ChannelEdge) -> Option<()> {
    let ends: [NodeId; 2] = [edge.node1_pub.parse().ok()?, edge.node2_pub.parse().ok()?];
    let scid = ShortChannelId::from_u64(edge.channel_id);
    ends.iter().for_each(|end| builder.add_node(*end));
    builder.add_channel(scid, ends, sat(edge.capacity)).ok()?;
    for (from, said) in ends
        .into_iter()
        .zip([&edge.node1_policy, &edge.node2_policy])
    {
        if let Some(said) = said.as_ref().and_then(policy) {
            // The builder bounds base fees as `policy` does, so that this holds.
            builder.set_policy(scid, from, &said).ok()?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::lnrpc::RoutingPolicy;

    #[test]
    fn keeps_what_fits() {
        let a = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c";
        let b = "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619";
        let edge = |channel_id, node2_pub: &str| ChannelEdge {
            channel_id,
            node1_pub: a.into(),
            node2_pub: node2_pub.into(),
            capacity: 1_000,
            node1_policy: Some(RoutingPolicy {
                fee_rate_milli_msat: 5,
                inbound_fee_rate_milli_msat: -3,
                disabled: true,
                ..Default::default()
            }),
            node2_policy: None,
        };
        let said = ChannelGraph {
            nodes: vec![],
            edges: vec![edge(1, b), edge(2, "nobody"), edge(3, a)],
        };
        let graph = build(&said);
        assert_eq!((graph.node_count(), graph.channel_count()), (2, 1));
        let scid = ShortChannelId::from_u64(1);
        let [a, b] = [a, b].map(|id| graph.node_index(&id.parse().unwrap()).unwrap());
        let set = graph.edge(scid, a).unwrap().policy.unwrap();
        assert!(set.disabled && set.rate.get() == 5 && set.inbound_ppm == -3);
        assert_eq!(graph.edge(scid, b).unwrap().policy, None);
    }
}
