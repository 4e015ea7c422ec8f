//! The webhook: an operator's own server is told what happens.
//!
//! Each event becomes one POST with a JSON body and a signature over time and body
//! ([`hive_policy::signature`]). Delivery is in order and at least once: a server that is down is
//! tried again with growing pauses, up to an hour for each notification, and knows a repeated one by
//! its id. The task listens beside the driver and makes nobody wait; what it can't keep it drops and
//! counts, and `hive-status` says so. What waits when the agent stops is not told later: the audit log
//! holds it.

mod kinds;
mod notice;

pub use kinds::Told;

use crate::clock::Clock;
use crate::http::{Answer, Endpoint, HttpClient, HttpConfig, HttpError, ParseProxyError, Post};
use hive_core::Event;
use hive_policy::signature::{Secret, sign};
use hive_types::limits::{WEBHOOK_PATIENCE, WEBHOOK_QUEUE, WEBHOOK_RETRY, WEBHOOK_RETRY_MAX};
use hive_types::{Elapsed, HiveId, NodeId};
use notice::{Notice, Writer};
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast::{self, error::RecvError};

/// Where notifications go, and what is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookConfig {
    /// The server.
    pub endpoint: Endpoint,
    /// What signs.
    pub secret: Secret,
    /// Which events.
    pub told: Told,
}

/// How deliveries go, for whoever asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Notifications that the server took.
    pub delivered: u64,
    /// Notifications that nobody will hear of.
    pub dropped: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Notifications that wait.
    pub waiting: usize,
    /// Why the last attempt failed, until one succeeds.
    pub failing: Option<String>,
}

impl Deliveries {
    /// What the operator should look at, one line each.
    pub fn alerts(&self) -> Vec<String> {
        let failing = self.failing.as_ref().map(|reason| {
            let waiting = self.waiting;
            format!("the webhook fails, {waiting} notifications wait: {reason}")
        });
        let dropped = (self.dropped > 0).then(|| {
            let dropped = self.dropped;
            format!("{dropped} notifications could not be delivered since the agent started; hive-log has what happened")
        });
        failing.into_iter().chain(dropped).collect()
    }
}

/// [`Deliveries`] as they change.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<Deliveries>>);

impl Watch {
    /// How they go now.
    pub fn now(&self) -> Deliveries {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut Deliveries)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.endpoint)
    }
}

type UnderWay = Pin<Box<dyn Future<Output = Result<Answer, HttpError>> + Send>>;

/// Tells one server of one node's events.
pub struct Webhook {
    client: HttpClient,
    endpoint: Endpoint,
    secret: Secret,
    clock: Arc<dyn Clock>,
    writer: Writer,
    queue: VecDeque<Notice>,
    /// The notice that is being delivered, also between attempts.
    current: Option<Notice>,
    under_way: Option<UnderWay>,
    /// No attempt before this.
    again: Elapsed,
    watch: Watch,
}

impl Webhook {
    /// The webhook of a configuration. `hive` is the fleet that the node is in as it starts.
    ///
    /// # Errors
    /// [`ParseProxyError`] for a proxy that can't be used.
    pub fn new(
        config: &WebhookConfig,
        http: &HttpConfig,
        clock: Arc<dyn Clock>,
        node: NodeId,
        hive: Option<HiveId>,
    ) -> Result<Self, ParseProxyError> {
        Ok(Self {
            client: HttpClient::new(http)?,
            endpoint: config.endpoint.clone(),
            secret: config.secret.clone(),
            clock,
            writer: Writer::new(node, hive, config.told.clone()),
            queue: VecDeque::new(),
            current: None,
            under_way: None,
            again: Elapsed::default(),
            watch: Watch::default(),
        })
    }

    /// How deliveries go, also while it runs.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Runs until nobody can send events any more.
    pub async fn run(mut self, mut events: broadcast::Receiver<Event>) {
        loop {
            let is_waiting = self.current.is_some() || !self.queue.is_empty();
            let may_begin = is_waiting && self.under_way.is_none();
            let clock = self.clock.clone();
            tokio::select! {
                told = events.recv() => match told {
                    Ok(event) => self.take(&event),
                    Err(RecvError::Lagged(count)) => self.drop_some(count, "too many at once"),
                    Err(RecvError::Closed) => return,
                },
                ended = end_of(&mut self.under_way) => self.ended(ended),
                () = clock.sleep_until(self.again), if may_begin => self.begin(),
            }
            let waiting = self.queue.len() + usize::from(self.current.is_some());
            self.watch.change(|watch| watch.waiting = waiting);
        }
    }

    fn take(&mut self, event: &Event) {
        let Some(notice) = self.writer.write(event, self.clock.now()) else {
            return;
        };
        if self.queue.len() >= WEBHOOK_QUEUE {
            self.queue.pop_front();
            self.drop_some(1, "too many wait");
        }
        self.queue.push_back(notice);
    }

    fn begin(&mut self) {
        let Some(mut notice) = self.current.take().or_else(|| self.queue.pop_front()) else {
            return;
        };
        let now = self.clock.now();
        notice.since.get_or_insert(now.elapsed);
        notice.attempts += 1;
        let post = Post {
            signature: sign(self.secret.as_bytes(), now.wall, &notice.body),
            key: notice.id.clone(),
            body: notice.body.clone(),
        };
        self.current = Some(notice);
        let (client, endpoint) = (self.client.clone(), self.endpoint.clone());
        self.under_way = Some(Box::pin(async move { client.post(&endpoint, post).await }));
    }

    fn ended(&mut self, result: Result<Answer, HttpError>) {
        self.under_way = None;
        let Some(notice) = self.current.take() else {
            return;
        };
        let reason = match result {
            Ok(_) => {
                self.watch.change(|watch| {
                    watch.delivered += 1;
                    watch.failing = None;
                });
                return;
            }
            Err(reason) => reason.to_string(),
        };
        let now = self.clock.now().elapsed;
        let span = notice.patience(WEBHOOK_RETRY, WEBHOOK_RETRY_MAX);
        self.again = now.plus(span);
        tracing::warn!(id = notice.id, attempt = notice.attempts, %reason, again_in = %span, "webhook");
        let since = notice.since.unwrap_or(now);
        match now.since(since) < WEBHOOK_PATIENCE {
            true => self.current = Some(notice),
            false => self.drop_some(1, &reason),
        }
        self.watch.change(|watch| {
            watch.failed += 1;
            watch.failing = Some(reason);
        });
    }

    fn drop_some(&mut self, count: u64, reason: &str) {
        tracing::warn!(count, reason, "notifications dropped");
        self.watch.change(|watch| watch.dropped += count);
    }
}

/// Waits for the request that is under way; for ever where none is.
async fn end_of(under_way: &mut Option<UnderWay>) -> Result<Answer, HttpError> {
    match under_way {
        Some(request) => request.await,
        None => std::future::pending().await,
    }
}
