//! The control socket against good and bad callers.
#![allow(clippy::unwrap_used, reason = "tests")]

use hive_node::control::{
    BindError, Call, Client, ClientError, CommandName, ControlError, ControlServer,
};
use hive_types::limits::{CONTROL_CONNECTIONS, CONTROL_REQUEST_BYTES};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

struct Agent {
    folder: TempDir,
}

impl Agent {
    fn socket(&self) -> PathBuf {
        self.folder.path().join("hive.sock")
    }
}

/// Answers each command with its name and node; refuses `hive-leave`.
fn start() -> Agent {
    let folder = tempfile::tempdir().unwrap();
    let server = ControlServer::bind(&folder.path().join("hive.sock")).unwrap();
    let (sender, mut calls) = mpsc::channel::<Call>(4);
    tokio::spawn(server.serve(sender));
    tokio::spawn(async move {
        while let Some(Call { request, reply }) = calls.recv().await {
            let answer = match request.command {
                CommandName::HiveLeave => Err(ControlError::new("refused", "no fleet", "join one")),
                command => Ok(json!({"command": command, "node": request.node("node")})),
            };
            // A caller that went away hears nothing.
            let _ = reply.send(answer);
        }
    });
    Agent { folder }
}

async fn raw(path: &Path, bytes: &[u8]) -> Value {
    let mut stream = BufReader::new(UnixStream::connect(path).await.unwrap());
    stream.write_all(bytes).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

const NODE: &str = "03864ef025fde8fb587d989186ce6a4a186895ee44a926bfc370e2c366597a3f8f";

#[tokio::test]
async fn a_client_runs_commands_one_after_the_other() {
    let agent = start();
    let mut client = Client::connect(&agent.socket()).await.unwrap();
    let status = client.call(CommandName::HiveStatus, &Value::Null).await;
    assert_eq!(status.unwrap()["command"], "hive-status");
    let ban = client.call(CommandName::HiveBan, &json!([NODE])).await;
    assert_eq!(ban.unwrap()["node"], NODE);
    let leave = client.call(CommandName::HiveLeave, &Value::Null).await;
    let Err(ClientError::Refused(error)) = leave else {
        panic!("{leave:?}");
    };
    assert_eq!(error.code, "refused");
}

#[tokio::test]
async fn the_socket_is_the_operators_alone() {
    let agent = start();
    let mode = std::fs::metadata(agent.socket()).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[tokio::test]
async fn bad_requests_are_answered_and_change_nothing() {
    let agent = start();
    let wrong: [(&str, &str, &str); 8] = [
        ("hello\n", "bad_request", "no JSON object"),
        ("{}\n", "bad_request", "command"),
        ("{\"command\": 7}\n", "bad_request", "string"),
        (
            "{\"command\": \"hive-status\", \"extra\": 1}\n",
            "bad_request",
            "extra",
        ),
        (
            "{\"command\": \"hive-staus\"}\n",
            "unknown_command",
            "hive-staus",
        ),
        (
            "{\"command\": \"hive-ban\"}\n",
            "bad_params",
            "node is missing",
        ),
        (
            "{\"command\": \"hive-status\", \"params\": [1]}\n",
            "bad_params",
            "at most 0",
        ),
        ("\u{0}\u{ff}\n", "bad_request", "no JSON object"),
    ];
    for (line, code, message) in wrong {
        let error = &raw(&agent.socket(), line.as_bytes()).await["error"];
        assert_eq!(error["code"], code, "{line}: {error}");
        let text = error["message"].as_str().unwrap();
        assert!(text.contains(message), "{line}: {text}");
        assert!(!error["what_to_do"].as_str().unwrap().is_empty(), "{line}");
    }
    let usage = raw(&agent.socket(), b"{\"command\": \"hive-ban\"}\n").await;
    let expected = "usage: hive-ban node=<node id> [reason=<text>]";
    assert_eq!(usage["error"]["what_to_do"], expected);
    let hint = raw(&agent.socket(), b"{\"command\": \"hive-staus\"}\n").await;
    assert_eq!(hint["error"]["what_to_do"], "did you mean hive-status?");
    // The same connection goes on after a bad line.
    let two = b"nonsense\n\n{\"command\": \"hive-status\"}\n";
    let mut stream = BufReader::new(UnixStream::connect(agent.socket()).await.unwrap());
    stream.write_all(two).await.unwrap();
    let mut lines = stream.lines();
    assert!(
        lines
            .next_line()
            .await
            .unwrap()
            .unwrap()
            .contains("bad_request")
    );
    assert!(lines.next_line().await.unwrap().unwrap().contains("\"ok\""));
}

#[tokio::test]
async fn an_endless_request_is_cut_off() {
    let agent = start();
    let stream = UnixStream::connect(agent.socket()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let flood = tokio::spawn(async move {
        // Ends with an error once the agent closes its end.
        while writer
            .write_all(&[b' '; CONTROL_REQUEST_BYTES])
            .await
            .is_ok()
        {}
    });
    let mut answer = Vec::new();
    // The agent closes with bytes unread, which some systems report as a reset after the answer.
    let _ = reader.read_to_end(&mut answer).await;
    flood.await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["error"]["code"], "too_large");
}

#[tokio::test]
async fn connections_are_bounded() {
    let agent = start();
    let mut clients = Vec::new();
    for _ in 0..CONTROL_CONNECTIONS {
        let mut client = Client::connect(&agent.socket()).await.unwrap();
        client
            .call(CommandName::HiveStatus, &Value::Null)
            .await
            .unwrap();
        clients.push(client);
    }
    let mut late = Client::connect(&agent.socket()).await.unwrap();
    let refused = late.call(CommandName::HiveStatus, &Value::Null).await;
    let Err(ClientError::Refused(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.code, "busy");
}

#[tokio::test]
async fn a_stopped_agent_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hive.sock");
    let nobody = Client::connect(&path).await.unwrap_err().to_string();
    assert!(
        nobody.contains("hive.sock") && nobody.contains("start it"),
        "{nobody}"
    );
    let server = ControlServer::bind(&path).unwrap();
    let (sender, mut calls) = mpsc::channel::<Call>(4);
    tokio::spawn(server.serve(sender));
    tokio::spawn(async move {
        let call = calls.recv().await;
        drop((call, calls));
    });
    let mut client = Client::connect(&path).await.unwrap();
    let answer = client.call(CommandName::HiveStatus, &Value::Null).await;
    let Err(ClientError::Refused(error)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(error.code, "stopping");
}

#[tokio::test]
async fn a_dead_agents_socket_is_replaced_and_a_living_ones_is_not() {
    let agent = start();
    let second = ControlServer::bind(&agent.socket());
    assert!(matches!(second, Err(BindError::InUse(_))), "{second:?}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hive.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a dead listener leaves its file");
    let server = ControlServer::bind(&path).unwrap();
    drop(server);
    assert!(!path.exists(), "a clean stop does not");

    std::fs::write(&path, "a file").unwrap();
    let file = ControlServer::bind(&path);
    assert!(matches!(file, Err(BindError::NotASocket(_))), "{file:?}");
    let long = folder.path().join("x".repeat(120));
    let error = ControlServer::bind(&long).unwrap_err().to_string();
    assert!(error.contains("shorter than 100"), "{error}");
}
