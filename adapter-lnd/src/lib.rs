//! The Hive as a daemon beside LND: [`LndBackend`] over its gRPC, and the program around it.
//!
//! The connection pins LND's own certificate and carries a macaroon with no more permissions than are used;
//! both are read again at each connection. LND's streams are followed, and all begun anew when one ends. What
//! moves money is in one room, `money`, and takes a permit of hive-policy.
//!
//! Who writes another program around an LND makes a backend of it:
//!
//! ```no_run
//! use adapter_lnd::{LndBackend, Source};
//! use hive_node::backend::LightningBackend;
//! use std::path::Path;
//!
//! async fn height() -> Result<(), Box<dyn std::error::Error>> {
//!     let folder = Path::new("/home/lnd/.lnd");
//!     let macaroon = Path::new("/home/lnd/.hive/hive.macaroon");
//!     let source = Source::files("127.0.0.1:10009", &folder.join("tls.cert"), macaroon)?;
//!     let node = LndBackend::new(source)?;
//!     println!("{}", node.info().await?.height);
//!     Ok(())
//! }
//! ```

mod args;
mod backend;
mod connect;
mod convert;
mod dial;
#[cfg(test)]
mod fake;
mod forwards;
mod graph;
mod htlcs;
mod info;
mod money;
mod notify;
mod permissions;
mod proto;
mod run;
mod snapshot;
mod streams;
mod warnings;

pub use backend::LndBackend;
pub use connect::{Source, SourceError};
pub use run::run;
