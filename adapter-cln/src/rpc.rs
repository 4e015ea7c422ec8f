//! Calls to lightningd over its Unix socket.
//!
//! Each call has a connection of its own: one that waits for a payment holds up nobody, and what breaks
//! breaks alone.

use crate::limits::{RPC_CALLS, RPC_TIMEOUT, RPC_WAITS};
use cln_rpc::ClnRpc;
use hive_node::backend::BackendError;
use hive_types::Millis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Debug;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Semaphore;

/// lightningd's error code for calls while it stops.
const SHUTTING_DOWN: i32 = -5;

/// A method of lightningd with its parameters.
pub(crate) trait Method: Serialize + Debug + Sync {
    /// Its name.
    const NAME: &'static str;
    /// How long an answer may take.
    const PATIENCE: Millis = RPC_TIMEOUT;
    /// Whether it waits for something that other nodes do.
    const WAITS: bool = false;
    /// What comes back, as far as it is used.
    type Reply: DeserializeOwned;
}

/// A call gave no result.
#[derive(Clone, Debug, PartialEq, Error)]
pub(crate) enum CallError {
    /// It never reached the node.
    #[error("{0}")]
    Unsent(String),
    /// It may have reached the node; no answer came.
    #[error("{0}")]
    Lost(String),
    /// The node says no.
    #[error("{message}")]
    Refused {
        /// JSON-RPC's code.
        code: i32,
        /// In words.
        message: String,
        /// What some methods add.
        data: Option<Value>,
    },
    /// The answer is not what the method is known to answer.
    #[error("{0}")]
    Reply(String),
}

impl CallError {
    /// Whether the node refused with one of these codes.
    pub(crate) fn is_refusal(&self, codes: &[i32]) -> bool {
        matches!(self, Self::Refused { code, .. } if codes.contains(code))
    }
}

impl From<CallError> for BackendError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unsent(reason) | CallError::Lost(reason) => Self::Unreachable(reason),
            CallError::Refused { code, message, .. } if code == SHUTTING_DOWN => {
                Self::Unreachable(message)
            }
            CallError::Refused { code, message, .. } => {
                Self::Refused(format!("{message} (code {code})"))
            }
            CallError::Reply(reason) => Self::Reply(reason),
        }
    }
}

/// The way to one lightningd.
#[derive(Debug)]
pub(crate) struct Rpc {
    path: PathBuf,
    calls: Semaphore,
    waits: Semaphore,
}

impl Rpc {
    /// Calls go to the socket at `path`; nothing is opened yet.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            calls: Semaphore::new(RPC_CALLS),
            waits: Semaphore::new(RPC_WAITS),
        }
    }

    /// What tells one run of lightningd from the next: it makes its socket anew at each start. `None` while there is
    /// no socket.
    pub(crate) fn run(&self) -> Option<String> {
        let socket = std::fs::metadata(&self.path).ok()?;
        let (inode, seconds, nanos) = (socket.ino(), socket.mtime(), socket.mtime_nsec());
        Some(format!("{inode}-{seconds}-{nanos}"))
    }

    /// Calls the method and waits for its answer.
    ///
    /// # Errors
    /// [`CallError`]; only [`CallError::Unsent`] and [`CallError::Refused`] are answers to whether the node
    /// did anything.
    pub(crate) async fn call<M: Method>(&self, method: &M) -> Result<M::Reply, CallError> {
        let places = if M::WAITS { &self.waits } else { &self.calls };
        let place = places.acquire().await;
        let _place = place.map_err(|_| CallError::Unsent("stopping".into()))?;
        let span = Duration::from_millis(M::PATIENCE.get());
        match tokio::time::timeout(span, self.exchange(method)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::Lost(format!(
                "no answer to {} within {}",
                M::NAME,
                M::PATIENCE
            ))),
        }
    }

    async fn exchange<M: Method>(&self, method: &M) -> Result<M::Reply, CallError> {
        let mut connection = ClnRpc::new(&self.path).await.map_err(|reason| {
            CallError::Unsent(format!("{} at {}", reason, self.path.display()))
        })?;
        let reply: Result<Value, _> = connection.call_raw(M::NAME, method).await;
        let value = reply.map_err(|error| match error.code {
            Some(code) => CallError::Refused {
                code,
                message: error.message,
                data: error.data,
            },
            None => CallError::Lost(format!("{}: {}", M::NAME, error.message)),
        })?;
        serde_json::from_value(value)
            .map_err(|reason| CallError::Reply(format!("{}: {reason}", M::NAME)))
    }
}
