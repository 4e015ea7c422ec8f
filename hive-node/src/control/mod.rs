//! The control API: a local Unix socket that speaks JSON lines.
//!
//! One request per line, `{"command": "hive-status", "params": {...}}`, one reply per line,
//! `{"ok": ...}` or `{"error": {"code": ..., "message": ..., "what_to_do": ...}}`. The socket has mode
//! 0600: who may open it may spend what the limits allow.

mod client;
mod command;
mod convert;
mod line;
mod request;
mod server;

pub use client::{Client, ClientError};
pub use command::{ALIASES, COMMANDS, CommandName, CommandSpec, ParamKind, ParamSpec};
pub use convert::Wanted;
pub(crate) use convert::reply;
pub use request::Request;
pub use server::{BindError, Call, ControlServer};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{message}; {what_to_do}")]
pub struct ControlError {
    /// A short name that scripts can match: `bad_request`, `refused`, `store_full`.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub what_to_do: String,
}

impl ControlError {
    /// Puts the three parts together.
    pub fn new(
        code: impl Into<String>,
        message: impl Into<String>,
        what_to_do: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            what_to_do: what_to_do.into(),
        }
    }

    /// The agent is on its way down.
    pub(crate) fn stopping() -> Self {
        Self::new(
            "stopping",
            "the agent is stopping",
            "start it again, then repeat the command",
        )
    }
}

/// The answer to a command.
pub type Reply = Result<Value, ControlError>;

/// A reply as it stands on the wire.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireReply {
    Ok(Value),
    Error(ControlError),
}

impl From<Reply> for WireReply {
    fn from(reply: Reply) -> Self {
        match reply {
            Ok(value) => Self::Ok(value),
            Err(error) => Self::Error(error),
        }
    }
}

/// Reads one request.
fn parse(line: &[u8]) -> Result<Request, ControlError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct WireRequest {
        command: String,
        #[serde(default)]
        params: Value,
    }
    let request: WireRequest = serde_json::from_slice(line).map_err(|reason| {
        ControlError::new(
            "bad_request",
            format!("the request is no JSON object with command and params: {reason}"),
            r#"send one line such as {"command": "hive-status", "params": {}}"#,
        )
    })?;
    let command = CommandName::find(&request.command).ok_or_else(|| {
        let names = COMMANDS.iter().map(|spec| spec.text);
        let nearest = crate::nearest::nearest(&request.command, names);
        let hint = nearest.map_or(
            "use one of the commands that `hive help` lists".into(),
            |name| format!("did you mean {name}?"),
        );
        let message = format!("there is no command {:?}", request.command);
        ControlError::new("unknown_command", message, hint)
    })?;
    Request::new(command, &request.params).map_err(|message| {
        let usage = format!("usage: {}", command.usage());
        ControlError::new("bad_params", message, usage)
    })
}
