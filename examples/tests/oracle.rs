//! A whole agent in oracle mode, beside a node that would do what it is permitted, asks the example.
#![allow(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;
use hive_core::Event;
use hive_node::Agent;
use hive_node::backend::{
    ActError, BackendError, BackendEvent, Done, Fault, LightningBackend, NodeInfo, NotDone,
    Prepared, Reconciled,
};
use hive_node::clock::SystemClock;
use hive_node::config::Config;
use hive_node::control::{Client, ClientError, CommandName};
use hive_planner::graph::{Graph, GraphBuilder};
use hive_policy::Authorized;
use hive_proto::NodeSignature;
use hive_types::*;
use secp256k1::{SECP256K1, SecretKey};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, oneshot};

/// What the example may approve at most in the first test.
const MOST: Sat = Sat::new(600_000);

fn secret(number: u8) -> SecretKey {
    SecretKey::from_slice(&[number; 32]).unwrap()
}

fn node_id(number: u8) -> NodeId {
    NodeId::from_bytes(secret(number).public_key(SECP256K1).serialize()).unwrap()
}

/// A node with money, which opens what it is permitted to.
#[derive(Default)]
struct RichNode {
    opened: Mutex<Vec<Sat>>,
    has_started: AtomicBool,
}

const HEIGHT: BlockHeight = BlockHeight::new(800_000);

#[async_trait]
impl LightningBackend for RichNode {
    async fn info(&self) -> Result<NodeInfo, BackendError> {
        Ok(NodeInfo {
            node_id: node_id(7),
            network: Network::Regtest,
            alias: "rich".into(),
            version: "1".into(),
            synced: true,
            height: HEIGHT,
            features: vec![],
            addresses: vec![],
        })
    }

    async fn snapshot(&self) -> Result<LocalSnapshot, BackendError> {
        Ok(LocalSnapshot {
            node_id: node_id(7),
            network: Network::Regtest,
            height: HEIGHT,
            synced: true,
            on_chain: OnChain {
                confirmed: Sat::new(20_000_000),
                ..OnChain::default()
            },
            feerate: FeeratePerKw::new(500),
            channels: vec![],
            peers: vec![],
            forwards: vec![],
            peer_events: vec![],
        })
    }

    async fn graph(&self) -> Result<Arc<Graph>, BackendError> {
        Ok(Arc::new(halves()))
    }

    async fn sign(&self, text: &str) -> Result<String, BackendError> {
        Ok(NodeSignature::sign(text, &secret(7)).to_string())
    }

    async fn connect(&self, _: NodeId, _: &[String]) -> Result<(), BackendError> {
        Ok(())
    }

    async fn send(&self, to: NodeId, _: Vec<u8>) -> Result<(), BackendError> {
        Err(BackendError::NotConnected(to))
    }

    async fn prepare(&self, _: &Authorized) -> Result<Prepared, NotDone> {
        Ok(Prepared::Open {
            target: None,
            begun: None,
            inputs: vec![],
            channels_before: vec![],
        })
    }

    async fn execute(
        &self,
        _: ActionId,
        permit: &Authorized,
        _: &Prepared,
    ) -> Result<Done, ActError> {
        let Action::Open(open) = permit.action() else {
            return Err(NotDone::new(Fault::Agent, "this node only opens").into());
        };
        self.opened.lock().unwrap().push(open.capacity);
        Ok(Done::Opened {
            channel_id: ChannelId::from_bytes([9; 32]),
            funding: OutPoint {
                txid: Txid::from_bytes([9; 32]),
                vout: 0,
            },
            fee: Sat::new(100),
        })
    }

    async fn reconcile(&self, _: ActionId, _: &Prepared) -> Result<Reconciled, BackendError> {
        Ok(Reconciled::NotDone)
    }

    async fn next_event(&self) -> Result<BackendEvent, BackendError> {
        if !self.has_started.swap(true, Ordering::SeqCst) {
            return Ok(BackendEvent::Restarted);
        }
        std::future::pending().await
    }
}

/// Two stars that only this node could join: an open is worth proposing.
fn halves() -> Graph {
    let mut builder = GraphBuilder::new();
    let policy = ChannelPolicy {
        base: Msat::new(1_000),
        rate: Ppm::new(500),
        cltv_delta: 40,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(5_000_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    };
    (10..50).for_each(|number| builder.add_node(node_id(number)));
    for hub in [10, 30] {
        for leaf in hub + 1..hub + 20 {
            let ends = [node_id(hub), node_id(leaf)];
            let scid = ShortChannelId::new(700_000 + u32::from(leaf), 0, 0).unwrap();
            let capacity = Sat::new(20_000_000);
            builder.add_channel(scid, ends, capacity).unwrap();
            for end in ends {
                builder.set_policy(scid, end, &policy).unwrap();
            }
        }
    }
    builder.build()
}

/// The example as a program of its own, ended with this.
struct Oracle {
    program: Child,
    address: String,
}

impl Oracle {
    fn start(secret_file: &Path, most: Sat) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_oracle"))
            .arg("127.0.0.1:0")
            .arg(secret_file)
            .arg(most.get().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = program.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        Self { program, address }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Runs an agent, configured as an operator would, until it told of an event like this.
async fn decided(most: Sat, is_last: fn(&Event) -> bool) -> (Vec<Event>, Arc<RichNode>) {
    let folder = tempfile::tempdir().unwrap();
    let secret_file = folder.path().join("oracle.secret");
    std::fs::write(&secret_file, format!("{}\n", "5a".repeat(32))).unwrap();
    std::fs::set_permissions(&secret_file, PermissionsExt::from_mode(0o600)).unwrap();
    let oracle = Oracle::start(&secret_file, most);
    let address = &oracle.address;
    let text = format!(
        "mode = 'oracle'\n[oracle]\nurl = 'http://{address}/'\nsecret_file = 'oracle.secret'"
    );
    std::fs::write(folder.path().join("hive.toml"), text).unwrap();
    let config = Config::load(folder.path(), &BTreeMap::new(), &BTreeMap::new()).unwrap();
    let node = Arc::new(RichNode::default());
    let agent = Agent::start(&config, node.clone(), |boot| {
        Arc::new(SystemClock::new(boot))
    });
    let agent = agent.await.unwrap();
    let mut events = agent.events();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(agent.run(async move {
        let _ = stopped.await;
    }));
    let mut client = Client::connect(&config.control_socket).await.unwrap();
    for command in [CommandName::HiveInit, CommandName::HivePlan] {
        when_started(&mut client, command).await;
    }
    let mut found = Vec::new();
    while !found.iter().any(is_last) {
        let event = next(&mut events).await;
        if matches!(
            event,
            Event::Advised { .. } | Event::OracleFailed { .. } | Event::Opened { .. }
        ) {
            found.push(event);
        }
    }
    drop(stop);
    running.await.unwrap().unwrap();
    (found, node)
}

/// Why a founder's command is not done yet: its node was not read, or did not sign.
const YET: [&str; 2] = ["starting", "no_fleet"];

/// Repeats a command until the agent is ready for it.
async fn when_started(client: &mut Client, command: CommandName) {
    loop {
        match client.call(command, &Value::Null).await {
            Err(ClientError::Refused(error)) if YET.contains(&error.code.as_str()) => {}
            answer => return drop(answer.unwrap()),
        }
    }
}

async fn next(events: &mut broadcast::Receiver<Event>) -> Event {
    events.recv().await.unwrap()
}

#[tokio::test]
async fn t39_the_example_approves_and_the_channel_is_opened_as_large_as_it_says() {
    let (events, node) = decided(MOST, |event| matches!(event, Event::Opened { .. })).await;
    assert!(
        matches!(&events[0], Event::Advised { approved: true, reason, .. } if reason.contains("a channel")),
        "{events:?}"
    );
    let opened = node.opened.lock().unwrap().clone();
    assert!(!opened.is_empty(), "{events:?}");
    assert!(
        opened.iter().all(|capacity| *capacity <= MOST),
        "{opened:?}"
    );
}

#[tokio::test]
async fn t39_the_example_denies_and_nothing_is_opened() {
    let (events, node) = decided(Sat::ZERO, |event| matches!(event, Event::Advised { .. })).await;
    assert!(
        matches!(&events[0], Event::Advised { approved: false, reason, .. } if reason == "no channels"),
        "{events:?}"
    );
    assert_eq!(*node.opened.lock().unwrap(), []);
}
