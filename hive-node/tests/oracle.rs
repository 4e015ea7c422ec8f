//! The oracle from end to end: a whole agent in oracle mode, beside a node that would do what it is
//! permitted, and a server that answers well, badly or not at all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use hive_core::{Done, Event};
use hive_node::Agent;
use hive_node::clock::{Clock, ManualClock};
use hive_node::config::{Config, OracleConfig};
use hive_node::control::{Client, CommandName};
use hive_node::driver::blocking_jobs;
use hive_node::http::HttpConfig;
use hive_policy::Mode;
use hive_policy::oracle::{DecisionPacket, OracleReply, OracleVerdict, PACKET_VERSION};
use hive_policy::signature::{Secret, sign, verify};
use hive_types::{
    Action, ActionId, BlockHeight, BootId, ChannelId, Millis, Nonce, OnChain, OutPoint, Sat, Txid,
    UnixMillis,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use support::server::{Answer, Request, Server, Speaks};
use support::{FakeNode, Seen, eventually, halves, when_started};
use tempfile::TempDir;
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
const WALL: UnixMillis = UnixMillis::new(1_760_000_000_000);

/// Long enough for a loopback server on a busy machine, short enough to wait for.
const SHORT: Millis = Millis::new(1_000);

/// A founder that knows of something worth opening, its node and its oracle.
struct World {
    node: Arc<FakeNode>,
    server: Server,
    client: Client,
    events: broadcast::Receiver<Event>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), hive_node::AgentError>>,
    _folder: TempDir,
}

/// What a script is told: the question, the time, and which question it is, from 0.
struct Asked {
    packet: DecisionPacket,
    now: UnixMillis,
    index: usize,
}

impl Asked {
    fn reply(&self, verdict: OracleVerdict) -> OracleReply {
        OracleReply {
            version: PACKET_VERSION,
            action: self.packet.action,
            nonce: self.packet.nonce,
            verdict,
            reason: "as the rule says".into(),
            amount_sat: None,
        }
    }

    fn approval(&self) -> OracleReply {
        self.reply(OracleVerdict::Approve)
    }

    fn signed(&self, reply: &OracleReply) -> Answer {
        self.signed_with(SECRET, serde_json::to_vec(reply).unwrap())
    }

    fn signed_with(&self, secret: &[u8], body: Vec<u8>) -> Answer {
        let signature = sign(secret, self.now, &body);
        Answer::Http(200, vec![format!("Hive-Signature: {signature}")], body)
    }
}

fn opened() -> Done {
    Done::Opened {
        channel_id: ChannelId::from_bytes([9; 32]),
        funding: OutPoint {
            txid: Txid::from_bytes([9; 32]),
            vout: 0,
        },
        fee: Sat::new(100),
    }
}

impl World {
    /// Starts the agent, founds a fleet and has it plan.
    async fn start(script: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let clock = Arc::new(ManualClock::new(BootId::new(1), WALL));
        let server = serve(clock.clone(), script);
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::in_folder(folder.path());
        config.mode = Mode::Oracle;
        config.http = HttpConfig {
            timeout: SHORT,
            connect_timeout: SHORT,
            ..HttpConfig::default()
        };
        config.oracle = Some(OracleConfig {
            endpoint: server.url().parse().unwrap(),
            secret: Secret::new(SECRET.to_vec()).unwrap(),
        });
        let node = founder();
        tokio::spawn(tick(clock.clone()));
        let agent = Agent::start(&config, node.clone(), move |_| clock as Arc<dyn Clock>);
        let agent = agent.await.unwrap();
        let events = agent.events();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(agent.run(async move {
            let _ = stopped.await;
        }));
        let mut client = Client::connect(&config.control_socket).await.unwrap();
        for command in [CommandName::HiveInit, CommandName::HivePlan] {
            when_started(&mut client, command).await;
        }
        Self {
            node,
            server,
            client,
            events,
            stop,
            task,
            _folder: folder,
        }
    }

    /// The next event that is about a question's end.
    async fn decided(&mut self) -> Event {
        loop {
            let event = self.events.recv().await.unwrap();
            if matches!(event, Event::Advised { .. } | Event::OracleFailed { .. }) {
                return event;
            }
        }
    }

    async fn call(&mut self, command: CommandName, params: Value) -> Value {
        self.client.call(command, &params).await.unwrap()
    }

    async fn pending(&mut self) -> Vec<String> {
        let rows = self.call(CommandName::HivePending, Value::Null).await;
        let rows = rows["proposals"].as_array().unwrap().clone();
        let ids = rows
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned());
        ids.collect()
    }

    /// The capacity of each channel that the node was made to open.
    fn opens(&self) -> Vec<Sat> {
        let executed = self.node.executed.lock().unwrap();
        let open = |action: &Action| match action {
            Action::Open(open) => Some(open.capacity),
            _ => None,
        };
        executed.iter().filter_map(open).collect()
    }

    async fn end(self) {
        drop(self.stop);
        self.task.await.unwrap().unwrap();
    }
}

/// Time passes while nothing is under way: a slow machine must not look like a late oracle.
async fn tick(clock: Arc<ManualClock>) {
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        if blocking_jobs() == 0 {
            clock.advance(Millis::new(500));
        }
    }
}

fn founder() -> Arc<FakeNode> {
    let node = FakeNode::with_key(7);
    {
        let mut local = node.snapshot.lock().unwrap();
        local.height = BlockHeight::new(800_000);
        local.on_chain = OnChain {
            confirmed: Sat::new(20_000_000),
            ..OnChain::default()
        };
    }
    *node.graph.lock().unwrap() = Arc::new(halves());
    let many = std::iter::repeat_with(|| Ok(opened())).take(8);
    node.executions.lock().unwrap().extend(many);
    node
}

fn serve(
    clock: Arc<ManualClock>,
    mut script: impl FnMut(&Asked) -> Answer + Send + 'static,
) -> Server {
    let mut index = 0;
    Server::start(Speaks::Plain, move |request: &Request| {
        let now = clock.now().wall;
        let signature = request.header("hive-signature");
        assert_eq!(verify(SECRET, signature, &request.body, now), Ok(()));
        let packet: DecisionPacket = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(request.header("idempotency-key"), packet.nonce.to_string());
        let asked = Asked { packet, now, index };
        index += 1;
        script(&asked)
    })
}

type Script = Box<dyn FnMut(&Asked) -> Answer + Send>;

/// Everything but a clear, signed, timely yes to this very question.
fn bad_oracles() -> Vec<(&'static str, Script)> {
    let prose = b"APPROVE, I would say: cheap today".to_vec();
    vec![
        ("did not answer within", Box::new(|_| Answer::Hang)),
        ("did not answer within", Box::new(|_| Answer::HangInBody)),
        ("status 500", Box::new(|_| Answer::status(500))),
        (
            "redirects to",
            Box::new(|_| Answer::redirect(302, "http://127.0.0.1:1/")),
        ),
        (
            "more than 16384 bytes",
            Box::new(|_| Answer::Flood(10 << 20)),
        ),
        (
            "no decision",
            Box::new(move |asked| asked.signed_with(SECRET, prose.clone())),
        ),
        (
            "not known to be the oracle's",
            Box::new(|asked| {
                let body = serde_json::to_vec(&asked.approval()).unwrap();
                asked.signed_with(b"another secret of thirty-two bytes", body)
            }),
        ),
        (
            "not known to be the oracle's",
            Box::new(|asked| {
                let body = serde_json::to_vec(&asked.approval()).unwrap();
                Answer::Http(200, vec![], body)
            }),
        ),
        (
            "another question",
            Box::new(|asked| {
                let nonce = Nonce::from_bytes([1; 32]);
                asked.signed(&OracleReply {
                    nonce,
                    ..asked.approval()
                })
            }),
        ),
        (
            "another question",
            Box::new(|asked| {
                let action = ActionId::from_bytes([1; 16]);
                asked.signed(&OracleReply {
                    action,
                    ..asked.approval()
                })
            }),
        ),
        ("is not from", Box::new(|asked| asked.signed(&more(asked)))),
        (
            "no decision",
            Box::new(|asked| asked.signed_with(SECRET, with_more_fields(asked))),
        ),
    ]
}

/// More than was asked for.
fn more(asked: &Asked) -> OracleReply {
    OracleReply {
        amount_sat: Some(Sat::new(10_000_000)),
        ..asked.approval()
    }
}

fn with_more_fields(asked: &Asked) -> Vec<u8> {
    let mut reply = serde_json::to_value(asked.approval()).unwrap();
    reply["raise_limits"] = json!(true);
    serde_json::to_vec(&reply).unwrap()
}

#[tokio::test]
async fn t39_whatever_is_no_clear_yes_leaves_it_to_the_operator() {
    for (expected, script) in bad_oracles() {
        let mut world = World::start(script).await;
        let Event::OracleFailed { id, reason } = world.decided().await else {
            panic!("{expected}: decided");
        };
        assert!(reason.contains(expected), "{expected}: {reason}");
        let pending = world.pending().await;
        assert!(pending.contains(&id.to_string()), "{expected}");
        assert_eq!(world.node.seen(), [], "nothing was prepared or executed");
        // The operator still decides, as in advisor mode.
        let approved = json!([id]);
        world.call(CommandName::HiveApprove, approved).await;
        eventually("it opens", || world.opens().len() == 1).await;
        world.end().await;
    }
}

#[tokio::test]
async fn t39_a_dead_oracle_leaves_it_to_the_operator() {
    let mut world = World::start(|_| Answer::Raw(vec![])).await;
    let Event::OracleFailed { reason, .. } = world.decided().await else {
        panic!("decided");
    };
    assert!(reason.contains("no answer from"), "{reason}");
    assert_eq!(world.node.seen(), []);
    world.end().await;
}

#[tokio::test]
async fn t39_a_reply_is_good_for_one_question() {
    let kept: Arc<Mutex<Option<Answer>>> = Arc::default();
    let first = kept.clone();
    // The first question gets no answer; what would have been its answer is given to all others.
    let script = move |asked: &Asked| {
        let approval = asked.signed(&asked.approval());
        match asked.index {
            0 => {
                *first.lock().unwrap() = Some(approval);
                Answer::status(500)
            }
            _ => first.lock().unwrap().clone().unwrap(),
        }
    };
    let mut world = World::start(script).await;
    let mut reasons = Vec::new();
    for _ in 0..2 {
        let Event::OracleFailed { reason, .. } = world.decided().await else {
            panic!("decided");
        };
        reasons.push(reason);
    }
    let other = |reason: &String| reason.contains("another question");
    assert_eq!(
        reasons.iter().filter(|reason| other(reason)).count(),
        1,
        "{reasons:?}"
    );
    assert_eq!(world.node.seen(), []);
    assert!(kept.lock().unwrap().is_some());
    world.end().await;
}

#[tokio::test]
async fn t39_a_clear_yes_opens_once() {
    let mut world = World::start(|asked| match asked.index {
        0 => asked.signed(&asked.approval()),
        _ => asked.signed(&asked.reply(OracleVerdict::Deny)),
    })
    .await;
    let decided = world.decided().await;
    assert!(matches!(decided, Event::Advised { .. }), "{decided:?}");
    eventually("it opens", || world.opens().len() == 1).await;
    eventually("everything is decided", || world.server.seen().len() >= 2).await;
    world.decided().await;
    assert_eq!(world.pending().await, Vec::<String>::new());
    let seen = world.node.seen();
    let executed = seen
        .iter()
        .filter(|seen| matches!(seen, Seen::Executed(..)));
    assert_eq!(executed.count(), 1);
    let log = world
        .call(CommandName::HiveLog, json!([100]))
        .await
        .to_string();
    assert!(log.contains("as the rule says"), "{log}");
    world.end().await;
}

#[tokio::test]
async fn t39_a_smaller_amount_is_what_is_opened() {
    let half = Sat::new(600_000);
    let mut world = World::start(move |asked| match asked.index {
        0 => asked.signed(&OracleReply {
            amount_sat: Some(half),
            ..asked.approval()
        }),
        _ => asked.signed(&asked.reply(OracleVerdict::Deny)),
    })
    .await;
    world.decided().await;
    eventually("it opens", || !world.opens().is_empty()).await;
    assert_eq!(world.opens(), [half]);
    world.end().await;
}

#[tokio::test]
async fn t39_a_no_ends_the_proposal() {
    let mut world = World::start(|asked| asked.signed(&asked.reply(OracleVerdict::Deny))).await;
    let Event::Advised { id, approved, .. } = world.decided().await else {
        panic!("not decided");
    };
    assert!(!approved);
    assert!(!world.pending().await.contains(&id.to_string()));
    let late = world
        .client
        .call(CommandName::HiveApprove, &json!([id]))
        .await;
    assert!(
        late.is_err(),
        "a proposal that was denied is over: {late:?}"
    );
    assert_eq!(world.node.seen(), []);
    world.end().await;
}
