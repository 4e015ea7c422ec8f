//! The operator's commands as RPCs of the node, from the one table that the control socket has too.

use hive_node::control::{ALIASES, COMMANDS, Call, CommandName, ControlError, Request};
use hive_types::limits::CONTROL_TIMEOUT;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;

/// JSON-RPC: the parameters are wrong.
pub(crate) const INVALID_PARAMS: i32 = -32_602;

/// The agent refuses; `data` says by a word why. Outside of what JSON-RPC and lightningd use.
const REFUSED: i32 = 4_886;

/// One RPC of the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rpc {
    pub(crate) name: &'static str,
    pub(crate) command: CommandName,
    pub(crate) usage: String,
    pub(crate) about: &'static str,
}

/// Every command and every other name of one.
pub(crate) fn rpcs() -> Vec<Rpc> {
    let names = COMMANDS.iter().map(|spec| (spec.text, spec.name));
    names
        .chain(ALIASES.iter().copied())
        .map(|(name, command)| Rpc {
            name,
            command,
            usage: usage(command),
            about: command.spec().about,
        })
        .collect()
}

/// The parameters as lightningd's help writes them: optional ones in brackets.
fn usage(command: CommandName) -> String {
    let params = command
        .spec()
        .params
        .iter()
        .map(|param| match param.required {
            true => param.name.to_owned(),
            false => format!("[{}]", param.name),
        });
    params.collect::<Vec<_>>().join(" ")
}

/// What stands behind the commands just now.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    /// The agent waits for the node, or reads its store.
    Starting,
    /// The agent runs.
    Open(mpsc::Sender<Call>),
    /// The agent does not run.
    Closed(String),
}

/// Runs a command.
///
/// # Errors
/// What to answer instead of a result, as the JSON-RPC error's text.
pub(crate) async fn run(door: Door, command: CommandName, params: &Value) -> Result<Value, String> {
    let request = Request::new(command, params).map_err(|reason| {
        let usage = format!("{} {}", command.as_str(), usage(command));
        let error = ControlError::new("bad_params", reason, format!("usage: {usage}"));
        failure(INVALID_PARAMS, &error)
    })?;
    let answer = ask(door, request).await;
    answer.map_err(|error| failure(REFUSED, &error))
}

async fn ask(door: Door, request: Request) -> Result<Value, ControlError> {
    let calls = match door {
        Door::Open(calls) => calls,
        Door::Starting => {
            return Err(ControlError::new(
                "starting",
                "the agent is starting and waits for the node",
                "repeat the command in a moment; the node's log says what it waits for",
            ));
        }
        Door::Closed(reason) => {
            return Err(ControlError::new(
                "stopped",
                format!("the agent does not run: {reason}"),
                "set that right, then stop and start the plugin",
            ));
        }
    };
    let (reply, answer) = oneshot::channel();
    calls
        .try_send(Call { request, reply })
        .map_err(|error| match error {
            TrySendError::Full(_) => ControlError::new(
                "busy",
                "too many commands wait for the agent",
                "repeat the command in a moment",
            ),
            TrySendError::Closed(_) => stopping(),
        })?;
    let patience = Duration::from_millis(CONTROL_TIMEOUT.get());
    match tokio::time::timeout(patience, answer).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => Err(stopping()),
        Err(_) => Err(ControlError::new(
            "timeout",
            format!("no answer within {CONTROL_TIMEOUT}"),
            "look with hive-status and hive-log whether the command was done before repeating it",
        )),
    }
}

fn stopping() -> ControlError {
    ControlError::new(
        "stopping",
        "the agent is stopping",
        "start it again, then repeat the command",
    )
}

/// The text that becomes the JSON-RPC error.
pub(crate) fn failure(code: i32, error: &ControlError) -> String {
    json!({
        "code": code,
        "message": error.to_string(),
        "data": {"code": error.code, "what_to_do": error.what_to_do},
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: &str) -> (i64, String) {
        let error: Value = serde_json::from_str(error).unwrap();
        let word = error["data"]["code"].as_str().unwrap().to_owned();
        (error["code"].as_i64().unwrap(), word)
    }

    #[test]
    fn every_command_is_there_with_its_usage() {
        let rpcs = rpcs();
        for spec in COMMANDS {
            assert!(rpcs.iter().any(|rpc| rpc.name == spec.text));
        }
        let alias = rpcs.iter().find(|rpc| rpc.name == "revenue-hive-approve");
        let alias = alias.unwrap();
        assert_eq!(alias.command, CommandName::HiveApprove);
        assert_eq!(alias.usage, "id [dry_run]");
        let init = rpcs.iter().find(|rpc| rpc.name == "hive-init").unwrap();
        assert_eq!(init.usage, "");
        assert!(rpcs.iter().all(|rpc| !rpc.about.is_empty()));
    }

    #[tokio::test]
    async fn a_command_goes_to_the_agent_and_back() {
        let (calls, mut agent) = mpsc::channel(1);
        let answering = tokio::spawn(async move {
            let call: Call = agent.recv().await.unwrap();
            assert_eq!(call.request.count("days"), Some(7));
            call.reply.send(Ok(json!({"earned": 1}))).unwrap();
        });
        let door = Door::Open(calls);
        let command = CommandName::HiveReport;
        let answer = run(door, command, &json!({"days": "7"})).await;
        assert_eq!(answer, Ok(json!({"earned": 1})));
        answering.await.unwrap();
    }

    #[tokio::test]
    async fn what_can_not_be_done_says_what_to_do() {
        let command = CommandName::HiveReport;
        let params = json!({"days": 1});
        let error = run(Door::Starting, command, &json!(["x"])).await;
        let error = error.unwrap_err();
        assert_eq!(code(&error), (-32_602, "bad_params".into()));
        assert!(error.contains("usage: hive-report [days]"), "{error}");
        let error = run(Door::Starting, command, &params).await.unwrap_err();
        assert_eq!(code(&error), (4_886, "starting".into()));
        let closed = Door::Closed("no space left".into());
        let error = run(closed, command, &params).await.unwrap_err();
        assert!(error.contains("no space left"), "{error}");
        let (calls, agent) = mpsc::channel(1);
        let first = tokio::spawn(run(
            Door::Open(calls.clone()),
            command,
            Box::leak(Box::new(params.clone())),
        ));
        while calls.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        let full = run(Door::Open(calls.clone()), command, &params).await;
        assert_eq!(code(&full.unwrap_err()).1, "busy");
        drop(agent);
        let error = first.await.unwrap().unwrap_err();
        assert_eq!(code(&error).1, "stopping");
        let gone = run(Door::Open(calls), command, &params).await;
        assert_eq!(code(&gone.unwrap_err()).1, "stopping");
    }
}
