//! An agent put together, beside a scripted node, as operators meet it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use hive_node::backend::{BackendError, LightningBackend};
use hive_node::clock::SystemClock;
use hive_node::config::Config;
use hive_node::control::{Client, ClientError, CommandName};
use hive_node::{Agent, AgentError};
use serde_json::{Value, json};
use std::sync::Arc;
use support::{FakeNode, eventually, node};
use tokio::sync::oneshot;

async fn start(config: &Config, node: Arc<FakeNode>) -> Result<Agent, AgentError> {
    let backend = node as Arc<dyn LightningBackend>;
    Agent::start(config, backend, |boot| Arc::new(SystemClock::new(boot))).await
}

#[tokio::test]
async fn an_operator_founds_a_fleet_over_the_socket_and_it_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::in_folder(folder.path());
    let mut hives = Vec::new();
    for boot in 1..=2 {
        let node = FakeNode::with_key(7);
        let own = node.snapshot.lock().unwrap().node_id;
        let agent = start(&config, node).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(agent.run(async move {
            let _ = stopped.await;
        }));
        let mut client = Client::connect(&config.control_socket).await.unwrap();
        if boot == 1 {
            let early = status(&mut client).await;
            assert_eq!(early["hive"], Value::Null, "{early}");
            assert_eq!(early["mode"], "advisor", "{early}");
            assert_eq!(early["node_id"], json!(own), "{early}");
            // A founder speaks only for a node that it has read.
            let mut founded = client.call(CommandName::HiveInit, &Value::Null).await;
            while let Err(ClientError::Refused(error)) = &founded {
                assert_eq!(error.code, "starting", "{error}");
                founded = client.call(CommandName::HiveInit, &Value::Null).await;
            }
            founded.unwrap();
        }
        let mut now = status(&mut client).await;
        while now["hive"].is_null() {
            now = status(&mut client).await;
        }
        hives.push(now["hive"].clone());
        let notes = plan(&mut client).await;
        assert!(
            notes[0].is_string(),
            "it says why it proposes nothing: {notes}"
        );
        let nothing = json!(["00".repeat(16)]);
        let refused = client.call(CommandName::HiveReject, &nothing).await;
        let Err(ClientError::Refused(error)) = refused else {
            panic!("nothing waits, so nothing is rejected");
        };
        assert!(!error.what_to_do.is_empty(), "{error}");
        let log = client
            .call(CommandName::HiveLog, &json!([5]))
            .await
            .unwrap();
        assert!(log["rows"].is_array(), "{log}");
        assert_eq!(log["chain"]["broken_at"], Value::Null, "{log}");
        assert!(log["chain"]["rows"].as_u64() > Some(0), "{log}");
        drop(stop);
        running.await.unwrap().unwrap();
        assert!(!config.control_socket.exists());
    }
    assert_eq!(hives[0], hives[1]);
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_whatever_passes_and_ends_where_only_the_operator_helps() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::in_folder(folder.path());
    let node = FakeNode::with_key(7);
    let passing = [
        BackendError::Unreachable("connection refused".into()),
        BackendError::Refused("unable to get best block info".into()),
        BackendError::Reply("no network".into()),
    ];
    node.no_info.lock().unwrap().extend(passing);
    drop(start(&config, node.clone()).await.unwrap());
    assert!(node.no_info.lock().unwrap().is_empty());
    let lasting = [
        BackendError::Denied("bake a wider macaroon".into()),
        BackendError::Unfit("LND 0.11".into()),
    ];
    for reason in lasting {
        node.no_info.lock().unwrap().push_back(reason.clone());
        let refused = start(&config, node.clone()).await.map(drop);
        let Err(AgentError::Backend(found)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(found, reason);
    }
}

#[tokio::test]
async fn what_can_not_be_read_is_an_alert_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::in_folder(folder.path());
    let node = FakeNode::with_key(7);
    let reason = BackendError::Refused("too many channels".into());
    *node.no_graph.lock().unwrap() = Some(reason);
    let agent = start(&config, node.clone()).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(agent.run(async move {
        let _ = stopped.await;
    }));
    let mut client = Client::connect(&config.control_socket).await.unwrap();
    let told = |status: &Value| status["alerts"].to_string().contains("too many channels");
    while !told(&status(&mut client).await) {}
    *node.no_graph.lock().unwrap() = None;
    while told(&status(&mut client).await) {}
    drop(stop);
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_the_backend_warns_of_is_an_alert_until_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::in_folder(folder.path());
    let node = FakeNode::with_key(7);
    let agent = start(&config, node.clone()).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(agent.run(async move {
        let _ = stopped.await;
    }));
    let mut client = Client::connect(&config.control_socket).await.unwrap();
    let told = |status: &Value| status["alerts"].to_string().contains("has expired");
    assert!(!told(&status(&mut client).await));
    *node.warnings.lock().unwrap() = vec!["its certificate has expired".into()];
    assert!(told(&status(&mut client).await));
    node.warnings.lock().unwrap().clear();
    assert!(!told(&status(&mut client).await));
    drop(stop);
    running.await.unwrap().unwrap();
}

async fn status(client: &mut Client) -> Value {
    let status = client.call(CommandName::HiveStatus, &Value::Null).await;
    status.unwrap()["status"].clone()
}

/// A plan is made beside the driver; until there is something to plan with, the agent says so.
async fn plan(client: &mut Client) -> Value {
    loop {
        match client.call(CommandName::HivePlan, &Value::Null).await {
            Ok(answer) => return answer["plan"]["notes"].clone(),
            Err(ClientError::Refused(error)) => assert_eq!(error.code, "starting", "{error}"),
            Err(error) => unreachable!("the socket is there: {error}"),
        }
    }
}

#[tokio::test]
async fn a_second_agent_and_another_node_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::in_folder(folder.path());
    let agent = start(&config, FakeNode::new(None)).await.unwrap();
    let second = start(&config, FakeNode::new(None)).await;
    assert!(matches!(second, Err(AgentError::Store(_))));
    drop(agent);
    let other = FakeNode::new(None);
    other.snapshot.lock().unwrap().node_id = node(5);
    let free = || {
        std::fs::File::open(folder.path().join("hive.lock"))
            .unwrap()
            .try_lock()
            .is_ok()
    };
    eventually("the store is free", free).await;
    let error = start(&config, other).await.err().unwrap().to_string();
    assert!(error.contains("belongs to node"), "{error}");
    assert!(error.contains("data_dir"), "{error}");
}

#[tokio::test]
async fn a_store_of_another_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::in_folder(folder.path());
    {
        let store = hive_node::store::Store::open(folder.path()).unwrap();
        let own = FakeNode::new(None).snapshot.lock().unwrap().node_id;
        let meta = [
            ("agent.node", own.to_string()),
            ("agent.network", "signet".into()),
        ];
        let changes = meta.map(|(key, text)| hive_core::Change::Meta {
            key: key.into(),
            bytes: text.into_bytes(),
        });
        let changes = changes.into();
        store.apply(&hive_core::ChangeSet { changes }).unwrap();
    }
    let error = start(&config, FakeNode::new(None)).await.err().unwrap();
    assert!(matches!(error, AgentError::OtherNetwork { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("signet") && text.contains("data_dir"),
        "{text}"
    );
}
