//! How fast the simulated network carries payments.

use hive_planner::graph::Graph;
use hive_sim::generate::{GeneratorConfig, generate};
use hive_sim::world::{NodeSpec, TrafficConfig, World, WorldConfig};
use hive_types::{Msat, NodeId, Sat, UnixMillis};
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let graph = Arc::new(generate(&GeneratorConfig::default()));
    measure("world_2000_nodes", &graph, ">=10000");
    // A real graph in compact form, when a folder with `nodes.csv` and `channels.csv` is named.
    if let Ok(folder) = std::env::var("HIVE_GRAPH") {
        let open = |name: &str| std::fs::File::open(format!("{folder}/{name}.csv"));
        let (Ok(nodes), Ok(channels)) = (open("nodes"), open("channels")) else {
            eprintln!("no nodes.csv and channels.csv in {folder}");
            return;
        };
        match hive_planner::load::load_csv(nodes, channels) {
            Ok(loaded) => measure("world_real_graph", &Arc::new(loaded.graph), "-"),
            Err(error) => eprintln!("{error}"),
        }
    }
}

fn measure(name: &str, graph: &Arc<Graph>, target: &str) {
    let begun = Instant::now();
    let mut world = World::from_graph(graph, WorldConfig::default());
    println!(
        "FIGURE {name}_setup {:.3} s -",
        begun.elapsed().as_secs_f64()
    );
    add_agents(&mut world);
    world.set_traffic(Some(TrafficConfig {
        per_hour: 20_000,
        ..TrafficConfig::default()
    }));
    // The first hour fills the caches of ways.
    for (stage, hours) in [("cold", 1), ("warm", 4)] {
        let (before, begun) = (world.traffic_totals(), Instant::now());
        let end = world.now().get() + hours * 3_600_000;
        world.advance_to(UnixMillis::new(end));
        let (after, seconds) = (world.traffic_totals(), begun.elapsed().as_secs_f64());
        let count = (after.begun - before.begun) as f64;
        let succeeded = (after.succeeded - before.succeeded) as f64;
        let attempts = (after.attempts - before.attempts) as f64;
        println!(
            "FIGURE {name}_payments_{stage} {:.0} 1/s {target}",
            count / seconds
        );
        println!(
            "FIGURE {name}_success_{stage} {:.3} share -",
            succeeded / count
        );
        println!(
            "FIGURE {name}_attempts_{stage} {:.2} per_success -",
            attempts / succeeded
        );
    }
    let ids: Vec<NodeId> = world.node_ids().collect();
    let agents = &ids[ids.len() - 5..];
    for agent in agents {
        let snapshot = world.snapshot(*agent);
        let forwards = snapshot
            .map(|snapshot| snapshot.forwards)
            .unwrap_or_default();
        let count: u64 = forwards.iter().map(|total| total.count).sum();
        let fees: Msat = forwards.iter().map(|total| total.fees).sum();
        println!("agent {} forwarded {count} for {fees}", agent.short());
    }
    if let Err(wrong) = world.check_conservation() {
        eprintln!("{wrong}");
    }
}

/// Five agents with four settled channels each to nodes of middling size.
fn add_agents(world: &mut World) {
    let ids: Vec<NodeId> = world.node_ids().collect();
    let mut by_channels: Vec<(usize, NodeId)> = Vec::new();
    for id in &ids {
        if let Ok(snapshot) = world.snapshot(*id) {
            by_channels.push((snapshot.channels.len(), *id));
        }
    }
    by_channels.sort();
    by_channels.reverse();
    for agent in 0..5usize {
        let Ok(id) = world.add_node(NodeSpec::agent(Sat::new(100_000_000))) else {
            continue;
        };
        for channel in 0..4usize {
            let (_, target) = by_channels[10 + agent * 7 + channel * 3];
            let capacity = Sat::new(10_000_000);
            let half = Msat::new(5_000_000_000);
            if let Err(error) = world.settled_channel(id, target, capacity, half) {
                eprintln!("{error}");
            }
        }
    }
}
