//! A graph in the forms in which LND and Core Lightning export theirs.

use hive_planner::graph::{Edge, Graph};
use hive_types::ChannelPolicy;
use serde_json::{Value, json};

/// What `lncli describegraph` prints of it.
pub fn describegraph(graph: &Graph) -> String {
    let nodes = graph
        .nodes()
        .map(|(_, id)| json!({"pub_key": id.to_string(), "alias": "x"}));
    let nodes: Vec<Value> = nodes.collect();
    let edges = graph.channels().map(|channel| {
        let [one, two] = channel.nodes;
        let policy = |from| graph.edge(channel.scid, from).and_then(|edge| edge.policy);
        json!({
            "channel_id": channel.scid.to_u64().to_string(),
            "node1_pub": graph.node_id(one).to_string(),
            "node2_pub": graph.node_id(two).to_string(),
            "capacity": channel.capacity.get().to_string(),
            "node1_policy": policy(one).map(|policy| lnd_policy(&policy)),
            "node2_policy": policy(two).map(|policy| lnd_policy(&policy)),
        })
    });
    let edges: Vec<Value> = edges.collect();
    json!({"nodes": nodes, "edges": edges}).to_string()
}

fn lnd_policy(policy: &ChannelPolicy) -> Value {
    json!({
        "time_lock_delta": policy.cltv_delta,
        "min_htlc": policy.htlc_minimum.get().to_string(),
        "fee_base_msat": policy.base.get().to_string(),
        "fee_rate_milli_msat": policy.rate.get().to_string(),
        "disabled": policy.disabled,
        "max_htlc_msat": policy.htlc_maximum.get().to_string(),
        "last_update": 1_761_350_000,
        "custom_records": {},
        "inbound_fee_base_msat": policy.inbound_base_msat,
        "inbound_fee_rate_milli_msat": policy.inbound_ppm,
    })
}

/// What `lightning-cli listchannels` and `listnodes` print of it. Capacities must fit into msat.
pub fn listchannels(graph: &Graph) -> [String; 2] {
    let channels = graph.edges().filter_map(|edge| {
        let policy = edge.policy?;
        Some(direction(graph, &edge, &policy))
    });
    let channels: Vec<Value> = channels.collect();
    let nodes = graph
        .nodes()
        .map(|(_, id)| json!({"nodeid": id.to_string()}));
    let nodes: Vec<Value> = nodes.collect();
    [
        json!({"channels": channels}).to_string(),
        json!({"nodes": nodes}).to_string(),
    ]
}

fn direction(graph: &Graph, edge: &Edge, policy: &ChannelPolicy) -> Value {
    json!({
        "source": graph.node_id(edge.from).to_string(),
        "destination": graph.node_id(edge.to).to_string(),
        "short_channel_id": edge.scid.to_string(),
        "direction": edge.index.get() & 1,
        "public": true,
        "amount_msat": edge.capacity.to_msat_saturating().get(),
        "message_flags": 1,
        "channel_flags": 0,
        "active": !policy.disabled,
        "last_update": 1_795_365_285,
        "base_fee_millisatoshi": policy.base.get(),
        "fee_per_millionth": policy.rate.get(),
        "delay": policy.cltv_delta,
        "htlc_minimum_msat": policy.htlc_minimum.get(),
        "htlc_maximum_msat": policy.htlc_maximum.get(),
        "features": "",
    })
}
