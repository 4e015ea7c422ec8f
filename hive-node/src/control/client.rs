//! The other side of the control socket, for the `hive` program and for scripts in Rust.

use super::line::{Line, read_line};
use super::server::span;
use super::{CommandName, ControlError, WireReply};
use hive_types::Millis;
use hive_types::limits::{CONTROL_REPLY_BYTES, CONTROL_TIMEOUT};
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// The agent itself gives up after [`CONTROL_TIMEOUT`] and says so; this waits a little longer to
/// hear it.
const PATIENCE: Millis = Millis::new(CONTROL_TIMEOUT.get() + 5_000);

/// No answer, or one that says no.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no agent listens on {}: {reason}; start it, or name its control_socket", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The command was not done.
    #[error(transparent)]
    Refused(#[from] ControlError),
    /// The connection broke off, the answer is no reply, or none came in time.
    #[error(
        "{0}; look with hive-status and hive-log whether the command was done before repeating it"
    )]
    Broken(String),
}

/// A connection to a running agent.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the agent that listens on `path`.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] when nobody does.
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path)
            .await
            .map_err(|reason| ClientError::NotRunning {
                path: path.into(),
                reason,
            })?;
        let stream = BufReader::new(stream);
        Ok(Self { stream })
    }

    /// Runs one command. `params` is an object by name, an array in the usage line's order, or null.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the agent's reason, or [`ClientError::Broken`] when it is not
    /// known whether the command was done.
    pub async fn call(
        &mut self,
        command: CommandName,
        params: &Value,
    ) -> Result<Value, ClientError> {
        let request = json!({"command": command, "params": params}).to_string();
        let reply = tokio::time::timeout(span(PATIENCE), self.exchange(request)).await;
        let line = match reply {
            Err(_) => return Err(ClientError::Broken(format!("no answer within {PATIENCE}"))),
            Ok(Err(reason)) => return Err(ClientError::Broken(reason.to_string())),
            Ok(Ok(line)) => line,
        };
        let Line::Whole(line) = line else {
            return Err(ClientError::Broken(
                "the agent closed the connection".into(),
            ));
        };
        match serde_json::from_slice(&line) {
            Ok(WireReply::Ok(value)) => Ok(value),
            Ok(WireReply::Error(error)) => Err(error.into()),
            Err(reason) => Err(ClientError::Broken(format!("no reply: {reason}"))),
        }
    }

    async fn exchange(&mut self, mut request: String) -> io::Result<Line> {
        request.push('\n');
        // An agent that turns a connection away answers and closes without reading.
        let written = self.stream.get_mut().write_all(request.as_bytes()).await;
        let line = read_line(&mut self.stream, CONTROL_REPLY_BYTES + 1).await;
        match line {
            Ok(Line::Whole(line)) => Ok(Line::Whole(line)),
            other => written.and(other),
        }
    }
}
