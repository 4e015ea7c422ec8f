//! The Hive as a Core Lightning plugin.
//!
//! `adapter-cln` is started by lightningd (`plugin=/path/to/adapter-cln`, never `important-plugin`), keeps an
//! [agent](hive_node::Agent) in the node's folder and offers its commands as RPCs of the node. What an
//! agent asks of the node goes through [`ClnBackend`], over the RPC socket; what the node tells by itself
//! comes as notifications into [`Events`]. There are no hooks: nothing here can hold up or end the node.
//!
//! ```no_run
//! use adapter_cln::{ClnBackend, ClnNode, Events};
//! use hive_node::backend::LightningBackend;
//!
//! # async fn read() -> Result<(), hive_node::backend::BackendError> {
//! let node = ClnNode::in_folder("/home/op/.lightning/bitcoin".as_ref());
//! let backend = ClnBackend::new(node, Events::new());
//! println!("{}", backend.info().await?.version);
//! # Ok(())
//! # }
//! ```

mod backend;
mod calls;
mod commands;
mod events;
#[cfg(test)]
mod fake;
pub mod forward;
mod forwards;
mod gossip;
mod hex;
mod input;
mod limits;
mod logs;
mod money;
mod options;
mod output;
mod plugin;
mod rpc;
mod snapshot;
mod version;

pub use backend::{ClnBackend, ClnNode};
pub use events::Events;
pub use plugin::ClockFactory;

use std::collections::BTreeMap;
use std::process::ExitCode;

/// Runs the plugin on standard input and output until lightningd stops it or is gone. `environment` holds the
/// settings `HIVE_*` and what lightningd tells plugins; `clock` makes the agent's clock.
pub fn run(environment: BTreeMap<String, String>, clock: ClockFactory) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(reason) => {
            eprintln!("adapter-cln: the system gives no threads: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async {
        let (answers, lines) = output::spawn(tokio::io::stdout());
        logs::stop_on_panic(lines.clone());
        plugin::run(tokio::io::stdin(), (answers, lines), environment, clock).await
    });
    // A thread may still wait for input that never comes.
    runtime.shutdown_background();
    ended
}
