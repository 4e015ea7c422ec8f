//! Where to open and what to rebalance, on the real Lightning graph.
//!
//! Pure: no clock, no chance, no files. Equal inputs give equal answers, bit for bit.
//!
//! ```
//! use hive_planner::graph::GraphBuilder;
//! use hive_types::{NodeId, Sat, ShortChannelId};
//!
//! let alice: NodeId = format!("02{:064x}", 1).parse()?;
//! let bob: NodeId = format!("02{:064x}", 2).parse()?;
//! let scid: ShortChannelId = "800000x1x0".parse()?;
//! let mut builder = GraphBuilder::new();
//! builder.add_node(alice);
//! builder.add_node(bob);
//! builder.add_channel(scid, [alice, bob], Sat::new(1_000_000))?;
//! let graph = builder.build();
//! let alice = graph.node_index(&alice).ok_or("not in the graph")?;
//! assert_eq!(graph.capacity_of(alice), Sat::new(1_000_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
pub mod graph;
pub mod load;
pub mod pushes;
pub mod routes;
pub mod targets;

pub use config::{DemandModel, PlannerConfig};
pub use pushes::plan_pushes;
pub use targets::{
    ExpectedOpen, History, OpenObstacle, Plan, PlanNote, Work, check_open, plan_opens,
};
