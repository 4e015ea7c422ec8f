//! A lightningd that answers from a script, for tests.

use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What a call gets.
pub(crate) enum Answer {
    Result(Value),
    Error(i32, &'static str, Value),
    /// The connection breaks off.
    Nothing,
}

type Script = dyn FnMut(&str, &Value) -> Answer + Send;

/// The calls that came, in order.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<(String, Value)>>>);

impl Calls {
    pub(crate) fn names(&self) -> Vec<String> {
        let calls = self.0.lock().unwrap();
        calls.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.names().iter().filter(|one| *one == name).count()
    }

    pub(crate) fn params(&self, name: &str) -> Value {
        let calls = self.0.lock().unwrap();
        let found = calls.iter().find(|(one, _)| one == name);
        found.unwrap_or_else(|| panic!("no {name}")).1.clone()
    }
}

/// Listens on `path` until the runtime ends.
pub(crate) fn listen(
    path: &Path,
    script: impl FnMut(&str, &Value) -> Answer + Send + 'static,
) -> Calls {
    let calls = Calls::default();
    let listener = UnixListener::bind(path).unwrap();
    let (seen, script) = (calls.clone(), Arc::new(Mutex::new(script)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, script.clone(), seen.clone()));
        }
    });
    calls
}

async fn serve(mut stream: UnixStream, script: Arc<Mutex<Script>>, calls: Calls) {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => bytes.extend(&buffer[..count]),
        }
        let Ok(request) = serde_json::from_slice::<Value>(&bytes) else {
            continue;
        };
        bytes.clear();
        let method = request["method"].as_str().unwrap().to_owned();
        let params = request["params"].clone();
        calls
            .0
            .lock()
            .unwrap()
            .push((method.clone(), params.clone()));
        let answer = (script.lock().unwrap())(&method, &params);
        let id = request["id"].clone();
        let reply = match answer {
            Answer::Result(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Answer::Error(code, message, data) => json!({"jsonrpc": "2.0", "id": id,
                "error": {"code": code, "message": message, "data": data}}),
            Answer::Nothing => return,
        };
        let reply = format!("{reply}\n\n");
        stream.write_all(reply.as_bytes()).await.unwrap();
    }
}

/// What the real node of the recorded replies says; nothing forwarded, nothing closed.
pub(crate) fn recorded(method: &str) -> Answer {
    let text = match method {
        "getinfo" => include_str!("../tests/data/getinfo.json"),
        "listpeers" => include_str!("../tests/data/listpeers.json"),
        "listpeerchannels" => include_str!("../tests/data/listpeerchannels.json"),
        "listfunds" => include_str!("../tests/data/listfunds.json"),
        "feerates" => include_str!("../tests/data/feerates.json"),
        "listchannels" => include_str!("../tests/data/listchannels.json"),
        "listforwards" => r#"{"forwards": []}"#,
        "listdatastore" => r#"{"datastore": []}"#,
        "datastore" | "deldatastore" | "reserveinputs" | "unreserveinputs" => "{}",
        "listtransactions" => r#"{"transactions": []}"#,
        "listclosedchannels" => r#"{"closedchannels": []}"#,
        "listconfigs" => {
            r#"{"configs": {"min-emergency-msat": {"value_msat": 25000000, "source": "default"}}}"#
        }
        _ => return Answer::Error(-32_601, "Unknown command", Value::Null),
    };
    Answer::Result(serde_json::from_str(text).unwrap())
}
