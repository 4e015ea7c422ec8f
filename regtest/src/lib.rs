//! Real Lightning nodes on loopback, for the tests of The Hive.
//!
//! A [`World`] is a chain (btcd on regtest) with nodes on it, LND and Core Lightning in any mix, in one folder;
//! all of it ends with the value, also by a panic or the death of the harness ([`process`]). A
//! [`scenario`](scenarios) gets one and takes it from there; [`runner`] runs them and tells what became of each.
//!
//! ```no_run
//! use hive_types::{Msat, Sat};
//! use regtest::{Kind, Tools, World};
//!
//! # fn main() -> regtest::failure::Outcome {
//! let mut world = World::new(&Tools::find()?, std::path::Path::new("/tmp/two-nodes"))?;
//! world.start(&[Kind::Lnd, Kind::Cln])?;
//! world.fund(0, Sat::new(10_000_000))?;
//! world.open(0, 1, Sat::new(1_000_000), Sat::new(300_000))?;
//! world.pay(1, 0, Msat::new(20_000_000))?;
//! # Ok(())
//! # }
//! ```

pub mod agent;
pub mod chain;
pub mod failure;
mod forwarding;
mod http;
pub mod node;
mod ports;
pub mod process;
pub mod roles;
pub mod runner;
pub mod scenarios;
mod tools;
pub mod wait;
mod world;

pub use agent::Agent;
pub use forwarding::Forwarding;
pub use node::{Kind, Node};
pub use tools::Tools;
pub use world::World;

/// The environment's names for the harness itself. No agent may see them: it refuses `HIVE_...` that is no
/// setting.
pub(crate) const OWN_VARIABLES: [&str; 2] = [tools::CACHE, agent::SPEED];
