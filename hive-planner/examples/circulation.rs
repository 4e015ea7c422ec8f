//! Prints the circulation problems that are measured, with the answers, for other solvers to check:
//! `bench/oracles/circulation.py` does.
//!
//! Each problem is a line `problem NODES CHANNELS SEED ARCS COST`, then a line `FROM TO UPPER COST FLOW`
//! for each arc. Lower bounds and supplies are zero.
#![allow(clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::instance::{SIZES, instance};
use hive_planner::circulation::{WORK_LIMIT, solve};
use std::io::{BufWriter, Write, stdout};

fn main() -> std::io::Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    for (nodes, channels) in SIZES {
        for seed in 0..5 {
            let network = instance(nodes, channels, seed);
            let flow = solve(&network, WORK_LIMIT).unwrap();
            flow.verify(&network).unwrap();
            let (arcs, cost) = (network.arcs().len(), flow.cost);
            writeln!(out, "problem {nodes} {channels} {seed} {arcs} {cost}")?;
            for (arc, carried) in network.arcs().iter().zip(&flow.flows) {
                let (from, to, upper, cost) = (arc.from, arc.to, arc.upper, arc.cost);
                writeln!(out, "{from} {to} {upper} {cost} {carried}")?;
            }
        }
    }
    out.flush()
}
