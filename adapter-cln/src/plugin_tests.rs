use super::*;
use crate::fake::{self, Answer};
use crate::output;
use hive_node::clock::SystemClock;
use hive_types::limits::EVENT_QUEUE;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// lightningd's end of a plugin that runs in this process.
struct Lightningd {
    to: DuplexStream,
    from: DuplexStream,
    bytes: Vec<u8>,
    plugin: JoinHandle<ExitCode>,
    folder: tempfile::TempDir,
    next: u64,
}

impl Lightningd {
    fn start(environment: &[(&str, &str)]) -> Self {
        let (to, input) = tokio::io::duplex(1 << 20);
        let (output, from) = tokio::io::duplex(1 << 20);
        let variables = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let clock: ClockFactory = Arc::new(|boot| Arc::new(SystemClock::new(boot)));
        let plugin = tokio::spawn(run(input, output::spawn(output), variables, clock));
        Self {
            to,
            from,
            bytes: Vec::new(),
            plugin,
            folder: tempfile::tempdir().unwrap(),
            next: 0,
        }
    }

    /// Started and told of its options.
    async fn ready(options: Value) -> Self {
        let mut node = Self::start(&[]);
        node.call("getmanifest", json!({})).await;
        let init = node.init(options).await;
        assert_eq!(init["result"], json!({}));
        node
    }

    async fn write(&mut self, text: &str) {
        self.to.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next message that is no log line.
    async fn read(&mut self) -> Value {
        loop {
            let end = self.bytes.windows(2).position(|pair| pair == b"\n\n");
            if let Some(end) = end {
                let rest = self.bytes.split_off(end + 2);
                let message = std::mem::replace(&mut self.bytes, rest);
                let message: Value = serde_json::from_slice(&message).unwrap();
                if message["method"] != "log" {
                    return message;
                }
                continue;
            }
            let mut buffer = [0; 4096];
            let count = self.from.read(&mut buffer).await.unwrap();
            assert_ne!(count, 0, "the plugin is gone");
            self.bytes.extend(&buffer[..count]);
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = format!("test:{}", self.next);
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.write(&format!("{request}\n\n")).await;
        let reply = self.read().await;
        assert_eq!(reply["id"], json!(id));
        reply
    }

    async fn notify(&mut self, topic: &str, fields: Value) {
        let params = json!({topic: fields});
        let told = json!({"jsonrpc": "2.0", "method": topic, "params": params});
        self.write(&format!("{told}\n\n")).await;
    }

    async fn init(&mut self, options: Value) -> Value {
        self.init_behind(options, None).await
    }

    /// As `init`, of a node with a SOCKS5 proxy at this port.
    async fn init_behind(&mut self, options: Value, proxy: Option<u16>) -> Value {
        let folder = self.folder.path().to_str().unwrap().to_owned();
        let mut configuration = json!({"lightning-dir": folder, "rpc-file": "lightning-rpc", "startup": false,
            "network": "regtest", "feature_set": {}});
        if let Some(port) = proxy {
            configuration["proxy"] = json!({"type": "ipv4", "address": "127.0.0.1", "port": port});
            configuration["always_use_proxy"] = json!(true);
        }
        let params = json!({"options": options, "configuration": configuration});
        self.call("init", params).await
    }

    fn answer(&self) -> fake::Calls {
        answer(self.folder.path())
    }

    /// A command, repeated while the agent starts.
    async fn command(&mut self, name: &str, params: Value) -> Value {
        loop {
            let reply = self.call(name, params.clone()).await;
            if reply["error"]["data"]["code"] != "starting" {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn answer(folder: &Path) -> fake::Calls {
    fake::listen(&folder.join("lightning-rpc"), |method, _| match method {
        "listnodes" => Answer::Result(json!({"nodes": []})),
        _ => fake::recorded(method),
    })
}

#[tokio::test]
async fn the_manifest_has_everything_and_no_hook() {
    let mut node = Lightningd::start(&[]);
    let manifest = node
        .call("getmanifest", json!({"allow-deprecated-apis": false}))
        .await;
    let manifest = &manifest["result"];
    let named = |list: &str, name: &str| {
        let rows = manifest[list].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).cloned()
    };
    assert_eq!(manifest["hooks"], json!([]));
    assert_eq!(manifest["dynamic"], json!(true));
    let subscriptions = manifest["subscriptions"].as_array().unwrap();
    for topic in ["custommsg", "connect", "block_added", "shutdown"] {
        assert!(subscriptions.contains(&json!(topic)), "{topic}");
    }
    let approve = named("rpcmethods", "revenue-hive-approve").unwrap();
    assert_eq!(approve["usage"], "id [dry_run]");
    let option = named("options", "hive-limits-budget-per-day").unwrap();
    assert_eq!(option["dynamic"], json!(true));
    assert!(named("options", "hive-config").is_some());
    // lightningd --help ends here.
    drop(node.to);
    node.plugin.await.unwrap();
}

#[tokio::test]
async fn a_wrong_option_keeps_the_plugin_out_with_the_reason() {
    let mut node = Lightningd::start(&[]);
    node.call("getmanifest", json!({})).await;
    let init = node.init(json!({"hive-mode": "oracel"})).await;
    let reason = init["result"]["disable"].as_str().unwrap();
    assert!(reason.contains("hive-mode = \"oracel\""), "{reason}");
    assert!(reason.contains("advisor, autonomous or oracle"), "{reason}");
    node.plugin.await.unwrap();
}

#[tokio::test]
async fn an_old_node_keeps_the_plugin_out_with_the_reason() {
    let mut node = Lightningd::start(&[(VERSION_VARIABLE, "v24.08.1")]);
    node.call("getmanifest", json!({})).await;
    let init = node.init(json!({})).await;
    let reason = init["result"]["disable"].as_str().unwrap();
    assert!(reason.contains("v24.08.1 is too old"), "{reason}");
    node.plugin.await.unwrap();
}

#[tokio::test]
async fn commands_are_answered_before_during_and_after_the_nodes_start() {
    let mut node = Lightningd::ready(json!({})).await;
    // lightningd answers no calls before every plugin has started.
    let early = node.call("hive-status", json!({})).await;
    assert_eq!(early["error"]["data"]["code"], "starting");
    node.answer();
    let status = node.command("hive-status", json!({})).await;
    assert_eq!(status["result"]["status"]["stage"], "alone");
    let wrong = node.call("hive-ban", json!(["02ab"])).await;
    assert_eq!(wrong["error"]["code"], -32_602);
    assert!(node.folder.path().join("hive/hive.db").is_file());
    drop(node.to);
    node.plugin.await.unwrap();
}

/// lightningd waits for those that want to hear of its end: this one leaves at once.
#[tokio::test]
async fn told_to_stop_it_stops() {
    let mut node = Lightningd::ready(json!({})).await;
    node.answer();
    node.command("hive-status", json!({})).await;
    node.notify("shutdown", json!({})).await;
    let ended = tokio::time::timeout(Duration::from_secs(30), node.plugin).await;
    ended.unwrap().unwrap();
    // The lock of the store is free again.
    assert!(!node.folder.path().join("hive/hive.sock").exists());
}

#[tokio::test]
async fn options_change_while_it_runs_and_are_checked_first() {
    let mut node = Lightningd::ready(json!({})).await;
    node.answer();
    node.command("hive-status", json!({})).await;
    let set = |value: &str| json!({"config": "hive-limits-budget-per-day", "val": value});
    let reply = node.call("setconfig", set("a lot")).await;
    let reason = reply["error"]["message"].as_str().unwrap();
    assert!(reason.contains("hive-limits-budget-per-day"), "{reason}");
    let reply = node.call("setconfig", set("66000")).await;
    assert_eq!(reply["result"], json!({}));
    let status = node.command("hive-status", json!({})).await;
    assert_eq!(status["result"]["status"]["stage"], "alone");
    let place = json!({"config": "hive-data-dir", "val": "/elsewhere"});
    let reply = node.call("setconfig", place).await;
    let reason = reply["error"]["message"].as_str().unwrap();
    assert!(reason.contains("restart the plugin"), "{reason}");
    drop(node.to);
    node.plugin.await.unwrap();
}

#[tokio::test]
async fn a_store_that_can_not_be_is_told_by_every_command() {
    let mut node = Lightningd::start(&[]);
    node.call("getmanifest", json!({})).await;
    std::fs::create_dir_all(node.folder.path().join("hive/hive.db")).unwrap();
    node.answer();
    node.init(json!({})).await;
    let reply = node.command("hive-init", json!({})).await;
    assert_eq!(reply["error"]["data"]["code"], "stopped");
    let reason = reply["error"]["message"].as_str().unwrap();
    assert!(reason.contains("hive"), "{reason}");
    drop(node.to);
    node.plugin.await.unwrap();
}

/// The node's proxy carries the agent's calls, and finds their names too: nothing is asked of it elsewhere.
#[tokio::test]
async fn the_nodes_proxy_sees_the_dial() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = proxy.local_addr().unwrap().port();
    let mut node = Lightningd::start(&[]);
    node.call("getmanifest", json!({})).await;
    let secret = node.folder.path().join("secret");
    std::fs::write(&secret, "a secret of at least thirty-two bytes").unwrap();
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let options = json!({"hive-webhook-url": "http://abcdef.onion:8080/hook", "hive-webhook-events": "all",
        "hive-webhook-secret-file": secret});
    node.answer();
    let init = node.init_behind(options, Some(port)).await;
    assert_eq!(init["result"], json!({}));
    node.command("hive-status", json!({})).await;
    // What is no frame is an event.
    let from = format!("02{:064x}", 1);
    let fields = json!({"peer_id": from, "payload": "bee1ff"});
    node.notify("custommsg", fields).await;
    let (mut dial, _) = proxy.accept().await.unwrap();
    assert_eq!(asked_for(&mut dial).await, ("abcdef.onion".into(), 8080));
    drop((node.to, dial));
    node.plugin.await.unwrap();
}

/// Where a SOCKS5 client wants to go (RFC 1928).
async fn asked_for(dial: &mut TcpStream) -> (String, u16) {
    let mut greeting = [0; 2];
    dial.read_exact(&mut greeting).await.unwrap();
    assert_eq!(greeting[0], 5);
    let mut methods = vec![0; greeting[1].into()];
    dial.read_exact(&mut methods).await.unwrap();
    dial.write_all(&[5, 0]).await.unwrap();
    // Version, CONNECT, reserved, a domain name, its length.
    let mut head = [0; 5];
    dial.read_exact(&mut head).await.unwrap();
    assert_eq!(head[..4], [5, 1, 0, 3]);
    let mut name = vec![0; head[4].into()];
    dial.read_exact(&mut name).await.unwrap();
    let port = dial.read_u16().await.unwrap();
    (String::from_utf8(name).unwrap(), port)
}

/// Strangers that send as fast as they can keep nobody from being answered.
#[tokio::test]
async fn a_flood_of_messages_stalls_nothing() {
    let mut node = Lightningd::ready(json!({})).await;
    node.answer();
    node.command("hive-status", json!({})).await;
    let payload = format!("bee1{}", "5a".repeat(2_000));
    for number in 0..2 * EVENT_QUEUE {
        let from = format!("02{:064x}", number % 7 + 1);
        let kind = if number % 2 == 0 {
            &payload
        } else {
            "bee3ffff"
        };
        let fields = json!({"peer_id": from, "payload": kind});
        node.notify("custommsg", fields).await;
    }
    let status = node.call("hive-status", json!({})).await;
    assert_eq!(status["result"]["status"]["stage"], "alone");
    drop(node.to);
    node.plugin.await.unwrap();
}

#[tokio::test]
async fn what_is_no_json_ends_the_plugin_and_nothing_else() {
    let mut node = Lightningd::ready(json!({})).await;
    node.write("{not json}\n\n").await;
    let ended = tokio::time::timeout(Duration::from_secs(30), node.plugin).await;
    ended.unwrap().unwrap();
}
