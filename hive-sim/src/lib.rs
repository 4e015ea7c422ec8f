//! A deterministic Lightning world for The Hive: faults, adversaries, checkers.
//!
//! - [`world`] is the simulated chain and network, [`generate`] makes networks with the figures of the
//!   real one.
//! - [`fleet`] runs members on it: the real machine under a driver that can crash between any two steps.
//! - [`faults`] draws from a seed what goes wrong, [`checkers`] say what must hold all the same.
//! - [`simulate`] joins them: one seed, one run, one report. One seed replays one run.
//!
//! ```
//! use hive_sim::generate::{GeneratorConfig, generate};
//! use hive_sim::world::{NodeSpec, TrafficConfig, World, WorldConfig};
//! use hive_types::{Millis, Msat, Sat};
//! use std::sync::Arc;
//!
//! let graph = Arc::new(generate(&GeneratorConfig { nodes: 100, seed: [1; 32] }));
//! let mut world = World::from_graph(&graph, WorldConfig::default());
//! let alice = world.add_node(NodeSpec::agent(Sat::new(5_000_000)))?;
//! for (_, peer) in graph.nodes().take(3) {
//!     let half = Msat::new(1_000_000_000);
//!     world.settled_channel(alice, peer, Sat::new(2_000_000), half)?;
//! }
//! world.set_traffic(Some(TrafficConfig::default()));
//! world.advance_to(world.now().plus(Millis::from_hours(1)));
//! assert!(world.traffic_totals().succeeded > 0);
//! world.check_conservation()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod checkers;
pub mod crashes;
pub mod faults;
pub mod fleet;
#[doc(hidden)]
pub mod fuzzing;
pub mod generate;
mod simulate;
pub mod world;

pub use simulate::{AdversaryReport, Planted, SimConfig, SimReport, SimTotals, simulate};
