//! How fast circulations are solved, as lines `FIGURE name value unit target`. Distances from another
//! solver's optimum come from `bench/oracles/circulation.py`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::instance::{Dice, SIZES, instance};
use common::{node, policy, scid};
use hive_planner::PlannerConfig;
use hive_planner::circulation::{WORK_LIMIT, solve};
use hive_planner::pushes::{ChannelState, Move, RebalanceRequest, Scope, Side, rebalance};
use hive_types::{Msat, NodeId, Sat};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The median of several runs: single ones on a shared machine say little.
fn median<T>(runs: usize, mut run: impl FnMut(usize) -> T) -> Duration {
    let mut times: Vec<Duration> = (0..runs)
        .map(|number| {
            let start = Instant::now();
            black_box(run(number));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[runs / 2]
}

/// Members in a ring of links, each with channels to peers of a common pool, and channels between
/// those. Balances and rates are any; half of the members' channels drain one way or the other.
fn fleet(members: u32, each: u32, pool: u32) -> (Vec<ChannelState>, BTreeSet<NodeId>) {
    let mut dice = Dice::new(u64::from(members));
    let mut channels = Vec::new();
    let mut add = |one: u32, other: u32, ppm: [u32; 2]| {
        let size = 1_000_000 * (1 + dice.below(16));
        let there = size / 1_000 * dice.below(1_001);
        let drain = dice.below(2 * size) as i64 - size as i64;
        let side = |n, sat: u64, ppm, drain| Side {
            node: node(n),
            spendable: Some(Msat::new(sat * 1_000)),
            policy: Some(policy(0, ppm, 40)),
            drain_msat_per_day: drain,
        };
        let drain = (dice.below(2) == 0).then_some(drain * 1_000);
        channels.push(ChannelState {
            scid: scid(channels.len() as u64 + 1),
            capacity: Sat::new(size),
            sides: [
                side(one, there, ppm[0], drain),
                side(other, size - there, ppm[1], None),
            ],
        });
    };
    let mut rates = Dice::new(7);
    for member in 0..members {
        add(member, (member + 1) % members, [0, 0]);
        for _ in 0..each {
            let peer = members + rates.below(u64::from(pool)) as u32;
            let ppm = [400, rates.below(600) as u32];
            add(member, peer, ppm);
        }
    }
    for peer in members..members + pool {
        for _ in 0..10 {
            let other = members + rates.below(u64::from(pool)) as u32;
            let ppm = [0, 0].map(|_: u32| rates.below(1_000) as u32);
            add(peer, other, ppm);
        }
    }
    (channels, (0..members).map(node).collect())
}

/// What moves gain beyond their fees, in msat.
fn worth(moves: &[Move]) -> f64 {
    let gains = moves.iter().map(|found| found.gain.get() - found.fee.get());
    gains.sum::<u64>() as f64
}

/// Whole plans: from balances to priced moves.
fn plans() {
    for (members, each, pool) in [(5, 8, 30), (5, 40, 120), (50, 40, 600)] {
        let (channels, members_of) = fleet(members, each, pool);
        let config = PlannerConfig::default();
        let request = RebalanceRequest {
            channels: &channels,
            members: &members_of,
            scope: Scope::Fleet,
            budget: Msat::new(u64::MAX),
            config: &config,
        };
        let time = median(5, |_| rebalance(&request)).as_secs_f64() * 1000.0;
        let name = format!("planner_rebalance_{members}x{each}");
        println!("FIGURE {name} {time:.2} ms -");
        let moves = rebalance(&request);
        assert!(!moves.is_empty());
        println!("FIGURE {name}_moves {} moves -", moves.len());
        let scope = Scope::Local;
        let alone = worth(&rebalance(&RebalanceRequest { scope, ..request }));
        let ratio = worth(&moves) / alone.max(1.0);
        println!("FIGURE {name}_gain_over_each_alone {ratio:.2} ratio -");
    }
}

fn main() {
    plans();
    for (nodes, channels) in SIZES {
        let networks: Vec<_> = (0..15)
            .map(|seed| instance(nodes, channels, seed))
            .collect();
        let time = median(networks.len(), |number| {
            solve(&networks[number], WORK_LIMIT)
        });
        let target = if nodes == 150 { "13" } else { "-" };
        let name = format!("planner_circulation_{nodes}_{channels}");
        let millis = time.as_secs_f64() * 1000.0;
        println!("FIGURE {name} {millis:.3} ms {target}");
        let flow = solve(&networks[0], WORK_LIMIT).unwrap();
        assert!(flow.optimal);
        println!("FIGURE {name}_pivots {} pivots -", flow.work.pivots);
        println!("FIGURE {name}_steps {} steps -", flow.work.steps);
    }
}
