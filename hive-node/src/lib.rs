//! The runtime of The Hive: what stands between the state machine of hive-core and a Lightning node.
//!
//! hive-core decides, this crate does: it reads the clock, keeps the [`store`], speaks with a node by
//! a [`LightningBackend`](backend::LightningBackend), answers operators on a local socket
//! ([`control`]), and performs what the machine says in order ([`driver`]). An [`Agent`] is all of it
//! put together. Who brings a node of another kind writes a backend and runs the [`conformance`]
//! suite against it.
//!
//! ```no_run
//! use hive_node::{Agent, backend::LightningBackend, clock::SystemClock, config::Config, driver};
//! use std::{path::Path, pin::pin, sync::Arc};
//!
//! async fn run(node: Arc<dyn LightningBackend>) -> Result<(), Box<dyn std::error::Error>> {
//!     let environment = std::env::vars().collect();
//!     let config = Config::load(Path::new("/var/lib/hive"), &environment, &Default::default())?;
//!     hive_node::log::init(&config.log)?;
//!     let mut stop = pin!(driver::stop_signal()?);
//!     let agent = tokio::select! {
//!         () = &mut stop => return Ok(()),
//!         agent = Agent::start(&config, node, |boot| Arc::new(SystemClock::new(boot))) => agent?,
//!     };
//!     Ok(agent.run(stop).await?)
//! }
//! ```

mod agent;
pub mod backend;
pub mod chance;
pub mod clock;
pub mod config;
pub mod conformance;
pub mod control;
pub mod driver;
pub mod http;
pub mod log;
mod nearest;
pub mod oracle;
pub mod store;
pub mod webhook;

pub use agent::{Agent, AgentError};
