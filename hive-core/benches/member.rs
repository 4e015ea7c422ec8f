//! What one member takes: the round trips of a lock, and its memory with the whole network's graph.
//!
//! The graph is read from `HIVE_GRAPH` (a folder with `nodes.csv` and `channels.csv`, plain or
//! compressed by zstd), or from `../shared/lngraph/ln-2025-10-26` when that is there; else the figures
//! that need it are left out, with a word.

#![allow(
    clippy::unwrap_used,
    reason = "a measurement stops at the first surprise"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use hive_core::{Command, Event, Input, Reply};
use hive_planner::graph::Graph;
use hive_planner::load::load_csv;
use hive_policy::Mode;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::Net;

fn main() {
    let before = resident_mib();
    match graph_folder().map(|folder| real_graph(&folder)) {
        Some(graph) => figure_memory(before, Arc::new(graph)),
        None => println!("no graph at HIVE_GRAPH or ../shared/lngraph: member_memory left out"),
    }
    figure_lock();
}

fn figure(name: &str, value: f64, unit: &str, target: &str) {
    println!("FIGURE {name} {value:.2} {unit} {target}");
}

/// A fleet of five, one process of which holds everything that a member holds: all five machines are
/// here, so what is printed is more than one member takes.
fn figure_memory(before: f64, graph: Arc<Graph>) {
    let mut net = Net::fleet(5, Mode::Advisor);
    for index in 0..5 {
        net.input(index, Input::Graph(graph.clone()));
    }
    net.run(700);
    let plans = net
        .peers
        .iter()
        .filter(|peer| has_proposal(&peer.events))
        .count();
    println!(
        "{plans} of 5 members planned on {} channels",
        graph.channel_count()
    );
    figure(
        "member_memory_graph",
        resident_mib() - before,
        "MiB",
        "<=80",
    );
    figure("process_memory_five_members", resident_mib(), "MiB", "-");
}

fn has_proposal(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| matches!(event, Event::Proposed { .. }))
}

/// From the operator's approval to the fleet's decision, in round trips of the net's links. Every
/// message takes one step of 100 ms, so a round trip takes 200.
fn figure_lock() {
    let mut net = Net::fleet(3, Mode::Advisor);
    let graph = Arc::new(support::halves());
    for index in 0..3 {
        net.input(index, Input::Graph(graph.clone()));
    }
    net.run(700);
    let proposed = net.peers.iter().position(|peer| has_proposal(&peer.events));
    let Some(index) = proposed else {
        println!("nobody proposed an open: lock_round_trips left out");
        return;
    };
    let pending = net.command(index, Command::Pending);
    let Ok(Reply::Proposals(rows)) = pending else {
        return;
    };
    let Some(action) = rows.first().and_then(|row| row.id) else {
        return;
    };
    let begun = net.millis;
    net.command(
        index,
        Command::Approve {
            action,
            dry_run: false,
        },
    )
    .unwrap();
    let is_locked = |net: &Net| {
        net.peers[index]
            .events
            .iter()
            .any(|event| matches!(event, Event::Locked { .. }))
    };
    while !is_locked(&net) && net.millis - begun < 60_000 {
        net.step();
    }
    figure(
        "lock_round_trips",
        (net.millis - begun) as f64 / 200.0,
        "round_trips",
        "<=2",
    );
}

fn graph_folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = "shared/lngraph/ln-2025-10-26";
    let named = std::env::var_os("HIVE_GRAPH").map(PathBuf::from);
    let nearby = [
        root.join("..").join(shared),
        root.join("../..").join(shared),
    ];
    named
        .into_iter()
        .chain(nearby)
        .find(|folder| folder.is_dir())
}

fn real_graph(folder: &Path) -> Graph {
    let loaded = load_csv(open(folder, "nodes.csv"), open(folder, "channels.csv"));
    loaded.expect("the graph reads").graph
}

fn open(folder: &Path, name: &str) -> Box<dyn Read> {
    let plain = File::open(folder.join(name));
    if let Ok(file) = plain {
        return Box::new(BufReader::new(file));
    }
    let file = File::open(folder.join(format!("{name}.zst"))).expect("the file is there");
    Box::new(zstd::Decoder::new(file).expect("zstd"))
}

/// Resident memory of this process, from the kernel.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
