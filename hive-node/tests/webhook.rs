//! The webhook against servers that are good, bad and gone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use hive_core::Event;
use hive_node::Agent;
use hive_node::clock::{Clock, ManualClock, SystemClock};
use hive_node::config::Config;
use hive_node::control::{Client, CommandName};
use hive_node::http::{Authorities, HttpConfig};
use hive_node::webhook::{Deliveries, Told, Watch, Webhook, WebhookConfig};
use hive_policy::signature::{Secret, verify};
use hive_types::limits::{WEBHOOK_PATIENCE, WEBHOOK_QUEUE, WEBHOOK_RETRY, WEBHOOK_RETRY_MAX};
use hive_types::{BootId, Millis, UnixMillis};
use serde_json::Value;
use std::sync::Arc;
use support::server::{Answer, Server, Speaks, data};
use support::{FakeNode, eventually, node, when_started};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
const WALL: UnixMillis = UnixMillis::new(1_700_000_000_000);

/// Long enough for a loopback server on a busy machine, short enough to wait for.
const SHORT: Millis = Millis::new(400);

struct Run {
    clock: Arc<ManualClock>,
    watch: Watch,
    events: broadcast::Sender<Event>,
    task: JoinHandle<()>,
}

fn webhook_config(url: &str) -> WebhookConfig {
    WebhookConfig {
        endpoint: url.parse().unwrap(),
        secret: Secret::new(SECRET.to_vec()).unwrap(),
        told: Told::default(),
    }
}

fn short() -> HttpConfig {
    HttpConfig {
        timeout: SHORT,
        connect_timeout: SHORT,
        ..HttpConfig::default()
    }
}

fn start(url: &str, http: &HttpConfig) -> Run {
    let clock = Arc::new(ManualClock::new(BootId::new(1), WALL));
    let shared = clock.clone() as Arc<dyn Clock>;
    let webhook = Webhook::new(&webhook_config(url), http, shared, node(1), None).unwrap();
    let (events, receiver) = broadcast::channel(4 * WEBHOOK_QUEUE);
    let watch = webhook.watch();
    let task = tokio::spawn(webhook.run(receiver));
    Run {
        clock,
        watch,
        events,
        task,
    }
}

impl Run {
    fn tell(&self, text: &str) {
        let text = text.to_owned();
        self.events.send(Event::Alert { text }).unwrap();
    }

    async fn until(&self, what: &str, condition: impl Fn(&Deliveries) -> bool) -> Deliveries {
        eventually(what, || condition(&self.watch.now())).await;
        self.watch.now()
    }

    /// The first attempt's failure.
    async fn failure(&self) -> String {
        self.tell("x");
        let failed = self.until("it fails", |now| now.failing.is_some()).await;
        failed.failing.unwrap()
    }
}

#[tokio::test]
async fn a_notification_is_signed_and_says_what_happened() {
    let server = Server::answering(vec![Answer::status(204)]);
    let run = start(&server.url(), &HttpConfig::default());
    run.tell("look at this");
    run.until("delivered", |now| now.delivered == 1).await;
    let [request] = server.seen().try_into().unwrap();
    assert_eq!(request.line, "POST /path HTTP/1.1");
    assert_eq!(request.header("content-type"), "application/json");
    let signature = request.header("hive-signature");
    assert_eq!(verify(SECRET, signature, &request.body, WALL), Ok(()));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["event"]["text"], "look at this");
    assert_eq!(body["id"], request.header("idempotency-key"));
    assert_eq!(body["time_ms"], WALL.get());
    // Nobody sends any more: it ends.
    drop(run.events);
    run.task.await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_down_gets_the_same_again_and_all_in_order() {
    let broken = vec![
        Answer::status(500),
        Answer::status(503),
        Answer::status(200),
    ];
    let server = Server::answering(broken);
    let run = start(&server.url(), &HttpConfig::default());
    run.tell("first");
    run.tell("second");
    let failing = |status: &'static str| {
        move |now: &Deliveries| {
            now.failing
                .as_ref()
                .is_some_and(|reason| reason.contains(status))
        }
    };
    let down = run.until("it failed once", failing("500")).await;
    let alert = down.alerts().join(" ");
    assert!(alert.contains("2 notifications wait"), "{alert}");
    // Nothing is sent again before the pause is over.
    assert_eq!(server.seen().len(), 1);
    run.clock.advance(WEBHOOK_RETRY);
    run.until("it failed twice", failing("503")).await;
    run.clock.advance(Millis::new(2 * WEBHOOK_RETRY.get()));
    let up = run.until("both delivered", |now| now.delivered == 2).await;
    assert_eq!((up.waiting, up.dropped, up.failing), (0, 0, None));
    let seen = server.seen();
    let key = |index: usize| seen[index].header("idempotency-key").to_owned();
    assert_eq!(seen[0].body, seen[1].body);
    assert_eq!(seen[0].body, seen[2].body);
    assert_eq!([key(0), key(0)], [key(1), key(2)]);
    assert_ne!(key(0), key(3));
    assert!(String::from_utf8_lossy(&seen[3].body).contains("second"));
    // Each attempt bears its own time: an old signature would be stale by now.
    assert_ne!(
        seen[0].header("hive-signature"),
        seen[2].header("hive-signature")
    );
}

#[tokio::test]
async fn bad_servers_are_named_and_nothing_follows_them() {
    let elsewhere = Server::answering(vec![Answer::status(200)]);
    let target = format!("http://127.0.0.1:{}/secret", elsewhere.port);
    let cases = [
        (
            Answer::redirect(302, &target),
            "redirects to http://127.0.0.1:",
        ),
        (Answer::redirect(307, &target), "(status 307)"),
        (Answer::redirect(308, "/other"), "redirects to another path"),
        (Answer::status(404), "status 404"),
        (Answer::Flood(10 << 20), "more than 16384 bytes"),
        (Answer::Raw(b"hello\r\n\r\n".to_vec()), "no answer from"),
        (Answer::Hang, "did not answer within"),
        (Answer::HangInBody, "did not answer within"),
    ];
    for (answer, expected) in cases {
        let server = Server::answering(vec![answer.clone()]);
        let run = start(&server.url(), &short());
        let reason = run.failure().await;
        assert!(reason.contains(expected), "{answer:?}: {reason}");
        assert!(!reason.contains("secret"), "{reason}");
        assert_eq!(run.watch.now().delivered, 0);
        run.task.abort();
    }
    assert_eq!(elsewhere.seen(), []);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!(
            "http://127.0.0.1:{}/",
            listener.local_addr().unwrap().port()
        )
    };
    let reason = start(&url, &short()).failure().await;
    assert!(
        reason.contains("no answer from http://127.0.0.1:"),
        "{reason}"
    );
}

#[tokio::test]
async fn tls_is_checked_to_the_end() {
    let own = HttpConfig {
        authorities: Some(Authorities::read(&data("authority.pem")).unwrap()),
        ..HttpConfig::default()
    };
    let public = HttpConfig::default();
    let cases = [
        (Speaks::Tls("server"), &own, None),
        (Speaks::Tls("server"), &public, Some("no TLS with")),
        (Speaks::Tls("other"), &own, Some("no TLS with")),
        (Speaks::Plain, &own, Some("https://127.0.0.1:")),
    ];
    for (speaks, http, expected) in cases {
        let server = Server::start(speaks, |_| Answer::status(200));
        let run = start(&format!("https://127.0.0.1:{}/", server.port), http);
        match expected {
            None => {
                run.tell("x");
                run.until("delivered", |now| now.delivered == 1).await;
            }
            Some(expected) => {
                let reason = run.failure().await;
                assert!(reason.contains(expected), "{speaks:?}: {reason}");
                assert_eq!(server.seen(), []);
            }
        }
    }
}

#[tokio::test]
async fn what_leaves_this_machine_goes_through_the_proxy_with_its_name() {
    let proxy = Server::start(Speaks::Socks, |_| Answer::status(200));
    let http = HttpConfig {
        proxy: Some(
            format!("socks5://127.0.0.1:{}", proxy.port)
                .parse()
                .unwrap(),
        ),
        ..HttpConfig::default()
    };
    let run = start("http://abcdef.onion/path", &http);
    run.tell("x");
    run.until("delivered", |now| now.delivered == 1).await;
    let [request] = proxy.seen().try_into().unwrap();
    assert_eq!(request.asked_for.as_deref(), Some("abcdef.onion"));
    assert_eq!(request.header("host"), "abcdef.onion");
    // A server on this machine is none of the proxy's business.
    let here = Server::answering(vec![Answer::status(200)]);
    let run = start(&here.url(), &http);
    run.tell("x");
    run.until("delivered", |now| now.delivered == 1).await;
    assert_eq!((here.seen().len(), proxy.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_hidden_service_without_a_proxy_is_not_looked_for() {
    let reason = start("http://abcdef.onion/", &HttpConfig::default());
    let reason = reason.failure().await;
    assert!(reason.contains("set proxy"), "{reason}");
}

#[tokio::test]
async fn what_waits_is_bounded_and_the_oldest_goes() {
    let server = Server::answering(vec![Answer::status(500), Answer::status(200)]);
    let run = start(&server.url(), &HttpConfig::default());
    run.failure().await;
    for number in 0..WEBHOOK_QUEUE + 10 {
        run.tell(&format!("number {number}."));
    }
    let full = run.until("full", |now| now.dropped == 10).await;
    assert_eq!(full.waiting, WEBHOOK_QUEUE + 1);
    assert!(
        full.alerts()
            .join(" ")
            .contains("10 notifications could not be delivered")
    );
    run.clock.advance(WEBHOOK_RETRY);
    let all = WEBHOOK_QUEUE as u64 + 1;
    run.until("the rest", |now| now.delivered == all).await;
    let second = &server.seen()[2];
    let body = String::from_utf8_lossy(&second.body);
    assert!(body.contains("number 10."), "{body}");
}

#[tokio::test]
async fn a_notification_is_given_up_after_an_hour() {
    let server = Server::answering(vec![Answer::status(500)]);
    let run = start(&server.url(), &HttpConfig::default());
    run.failure().await;
    let mut passed = 0;
    while run.watch.now().dropped == 0 {
        let before = run.watch.now().failed;
        run.clock.advance(WEBHOOK_RETRY_MAX);
        passed += WEBHOOK_RETRY_MAX.get();
        run.until("another attempt", |now| now.failed > before)
            .await;
        assert!(passed <= WEBHOOK_PATIENCE.get() + WEBHOOK_RETRY_MAX.get());
    }
    assert!(passed >= WEBHOOK_PATIENCE.get());
    assert_eq!(run.watch.now().waiting, 0);
}

#[tokio::test]
async fn events_that_came_too_fast_are_counted() {
    let server = Server::answering(vec![Answer::status(200)]);
    let clock = Arc::new(ManualClock::new(BootId::new(1), WALL)) as Arc<dyn Clock>;
    let config = webhook_config(&server.url());
    let webhook = Webhook::new(&config, &HttpConfig::default(), clock, node(1), None).unwrap();
    let watch = webhook.watch();
    let (events, receiver) = broadcast::channel(4);
    for _ in 0..10 {
        events.send(Event::Left).unwrap();
    }
    tokio::spawn(webhook.run(receiver));
    let done = || watch.now().delivered == 4 && watch.now().dropped == 6;
    eventually("four of ten", done).await;
}

/// A server that never answers costs the agent nothing, also when it stops.
#[tokio::test]
async fn a_webhook_that_hangs_makes_nobody_wait() {
    let server = Server::answering(vec![Answer::Hang]);
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::in_folder(folder.path());
    config.webhook = Some(webhook_config(&server.url()));
    let agent = Agent::start(&config, FakeNode::with_key(7), |boot| {
        Arc::new(SystemClock::new(boot))
    });
    let agent = agent.await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(agent.run(async move {
        let _ = stopped.await;
    }));
    let mut client = Client::connect(&config.control_socket).await.unwrap();
    when_started(&mut client, CommandName::HiveInit).await;
    eventually("it was told", || !server.seen().is_empty()).await;
    let body: Value = serde_json::from_slice(&server.seen()[0].body).unwrap();
    assert_eq!(body["event"]["event"], "founded");
    assert_eq!(body["hive"], body["event"]["hive"]);
    let status = client.call(CommandName::HiveStatus, &Value::Null).await;
    assert_eq!(status.unwrap()["status"]["stage"], "member");
    drop(stop);
    running.await.unwrap().unwrap();
}
