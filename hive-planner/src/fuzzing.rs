//! What the fuzz targets call: every reader of graphs, with what must hold for any text.

use crate::graph::{Graph, NodeIndex};
use crate::load::{
    GossipStore, LoadError, Loaded, gossip, load_csv, load_describegraph, load_gossip_store,
    load_listchannels,
};
use crate::routes::{Prices, SenderModel};
use hive_types::Msat;
use std::collections::BTreeSet;

/// Payments that meet most limits of policies.
const AMOUNTS: [Msat; 3] = [Msat::new(1), Msat::new(60_000_000), Msat::new(u64::MAX)];

/// A graph is refused with a reason, or it can be searched.
pub fn load_lnd_graph(data: &[u8]) {
    check(load_describegraph(data));
}

/// The same for two replies, with a NUL between them.
pub fn load_cln_graph(data: &[u8]) {
    let (channels, nodes) = split(data);
    check(load_listchannels(channels, nodes));
}

/// The same for two tables, with a NUL between them.
pub fn load_csv_graph(data: &[u8]) {
    let (nodes, channels) = split(data);
    check(load_csv(nodes, channels));
}

/// A file of gossip as it lies on the disk; and records within whose checksums are set right, so that what is
/// in them is looked at. No more channels come out than are asked for, and what comes out can be searched.
pub fn load_gossip(data: &[u8]) {
    let mended = gossip::with_checksums(data);
    for bytes in [data, &mended] {
        let most = 8;
        // Slices do not fail to be read.
        if let Ok(GossipStore::Whole { graph, .. }) = load_gossip_store(bytes, most) {
            assert!(graph.channel_count() <= most);
            search(&graph);
        }
    }
}

fn split(data: &[u8]) -> (&[u8], &[u8]) {
    let middle = data.iter().position(|byte| *byte == 0);
    let (first, second) = data.split_at(middle.unwrap_or(data.len()));
    (first, second.get(1..).unwrap_or_default())
}

fn check(loaded: Result<Loaded, LoadError>) {
    match loaded {
        Ok(loaded) => search(&loaded.graph),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Every way that a search from the first nodes finds is one that the graph holds.
fn search(graph: &Graph) {
    let roots: Vec<NodeIndex> = graph.nodes().map(|(node, _)| node).take(3).collect();
    for sender in [SenderModel::FeeOnly, SenderModel::Lnd, SenderModel::Ldk] {
        for amount in AMOUNTS {
            let prices = Prices::new(graph, sender, amount, &BTreeSet::new());
            let mut searcher = prices.searcher();
            for root in &roots {
                let found = searcher.to(*root);
                for step in found.steps() {
                    let edge = graph.edge_at(step.edge);
                    assert_eq!((edge.from, edge.to), (step.node, step.next));
                    assert!(edge.usable().is_some() && found.path(step.node).is_some());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIBEGRAPH: &[u8] = include_bytes!("../tests/data/describegraph.json");
    const LISTCHANNELS: &[u8] = include_bytes!("../tests/data/listchannels.json");
    const LISTNODES: &[u8] = include_bytes!("../tests/data/listnodes.json");
    const GOSSIP: &[u8] = include_bytes!("../tests/data/gossip_store");
    const NODES: &[u8] = include_bytes!("../tests/data/nodes.csv");
    const CHANNELS: &[u8] = include_bytes!("../tests/data/channels.csv");

    #[test]
    fn seeds_reach_the_searches() {
        let channels = |loaded: Result<Loaded, LoadError>| loaded.unwrap().graph.channel_count();
        assert_eq!(channels(load_describegraph(DESCRIBEGRAPH)), 1);
        let pair = [LISTCHANNELS, b"\0", LISTNODES].concat();
        let (first, second) = split(&pair);
        assert_eq!(channels(load_listchannels(first, second)), 1);
        let pair = [NODES, b"\0", CHANNELS].concat();
        let (first, second) = split(&pair);
        assert_eq!(channels(load_csv(first, second)), 3);
        load_csv_graph(&pair);
        let mut wrong = GOSSIP.to_vec();
        wrong[5] ^= 1;
        for (bytes, channels) in [
            (GOSSIP, 3),
            (&wrong, 0),
            (&gossip::with_checksums(&wrong), 3),
        ] {
            let Ok(GossipStore::Whole { graph, .. }) = load_gossip_store(bytes, 8) else {
                panic!("not whole");
            };
            assert_eq!(graph.channel_count(), channels);
        }
    }

    #[test]
    fn cut_and_damaged_seeds_hold_what_is_said() {
        let pairs = [
            (load_lnd_graph as fn(&[u8]), DESCRIBEGRAPH.to_vec()),
            (load_cln_graph, [LISTCHANNELS, b"\0", LISTNODES].concat()),
            (load_csv_graph, [NODES, b"\0", CHANNELS].concat()),
        ];
        for (target, seed) in pairs {
            for at in 0..seed.len() {
                target(&seed[..at]);
                for byte in *b"09-\"," {
                    let mut damaged = seed.clone();
                    damaged[at] = byte;
                    target(&damaged);
                }
            }
        }
        for at in (0..GOSSIP.len()).step_by(7) {
            load_gossip(&GOSSIP[..at]);
            let mut damaged = GOSSIP.to_vec();
            damaged[at] ^= 0xff;
            load_gossip(&damaged);
        }
    }
}
