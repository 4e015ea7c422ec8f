//! The network graph, from the node's file of gossip (`gossip_store`), and from `listchannels` where
//! that can't be read.
//!
//! The file is preferred: it has inbound fees and disabled directions, and reading it costs the node
//! nothing.

mod fallback;
mod store;

use crate::rpc::Rpc;
use hive_node::backend::BackendError;
use hive_planner::graph::Graph;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells that a file of gossip grew, or was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    inode: u64,
    bytes: u64,
}

/// The file's mark; `None` without a file.
pub(crate) fn mark(path: &Path) -> Option<Mark> {
    let found = std::fs::metadata(path).ok()?;
    Some(Mark {
        inode: found.ino(),
        bytes: found.len(),
    })
}

/// Reads the whole graph.
///
/// # Errors
/// [`BackendError`] when neither the file nor the node gives one.
pub(crate) async fn read(rpc: &Rpc, path: &Path) -> Result<Graph, BackendError> {
    let file = path.to_owned();
    let read = tokio::task::spawn_blocking(move || store::read_file(&file)).await;
    match read {
        Ok(Ok((graph, skipped))) => {
            if skipped > 0 {
                tracing::debug!(records = skipped, "gossip that makes no sense was left out");
            }
            Ok(graph)
        }
        // The node would tell of as many.
        Ok(Err(reason @ store::StoreError::TooLarge { .. })) => {
            Err(BackendError::Unfit(reason.to_string()))
        }
        Ok(Err(reason)) => {
            tracing::warn!(%reason, "the node is asked for the graph instead, without inbound fees");
            fallback::read(rpc).await
        }
        Err(reason) => Err(BackendError::Reply(format!("reading gossip: {reason}"))),
    }
}
