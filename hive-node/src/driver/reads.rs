//! What comes from the node: its events, and readings of it and of the network graph.

use crate::backend::{BackendError, BackendEvent, LightningBackend, Patience};
use crate::clock::Clock;
use hive_planner::graph::Graph;
use hive_types::limits::{GRAPH_SPACING, OBSERVE_INTERVAL, OBSERVE_SPACING};
use hive_types::{Elapsed, LocalSnapshot, NodeId};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;

/// What is read, as the operator calls it.
const NODE: &str = "the node";
const GRAPH: &str = "the graph";
const EVENTS: &str = "what the node tells by itself";

/// Something for the machine that came from the node.
#[derive(Debug)]
pub(super) enum FromNode {
    Connected {
        peer: NodeId,
        features: Vec<u8>,
        at: EventCount,
    },
    Disconnected {
        peer: NodeId,
        at: EventCount,
    },
    Message {
        from: NodeId,
        bytes: Vec<u8>,
    },
    /// A reading that began when `since` events had come: later ones are newer than it.
    Observed {
        snapshot: Box<LocalSnapshot>,
        since: EventCount,
    },
    Graph(Arc<Graph>),
}

/// How many events have come from the node.
pub(super) type EventCount = u64;

/// What the tasks here share.
pub(super) struct Reads {
    pub(super) backend: Arc<dyn LightningBackend>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) queue: Sender<FromNode>,
    /// Wakes the task that reads the node.
    pub(super) observe: Notify,
    /// Wakes the task that reads the graph.
    pub(super) graph: Notify,
    events: AtomicU64,
    /// What can't be read at present, and why.
    failures: Mutex<BTreeMap<&'static str, String>>,
}

impl Reads {
    pub(super) fn new(
        backend: Arc<dyn LightningBackend>,
        clock: Arc<dyn Clock>,
        queue: Sender<FromNode>,
    ) -> Arc<Self> {
        Arc::new(Self {
            backend,
            clock,
            queue,
            observe: Notify::new(),
            graph: Notify::new(),
            events: AtomicU64::new(0),
            failures: Mutex::default(),
        })
    }

    /// What the operator should know: what the machine shows is old while the node can't be read.
    pub(super) fn alerts(&self) -> Vec<String> {
        let failures = self.failures();
        let line = |(what, reason): (&&str, &String)| format!("{what} can't be read now: {reason}");
        failures.iter().map(line).collect()
    }

    /// The map is whole after every statement.
    fn failures(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries events into the queue until the driver is gone.
    pub(super) async fn pump(self: Arc<Self>) {
        let mut patience = Patience::default();
        while !self.queue.is_closed() {
            match self.backend.next_event().await {
                Ok(event) => {
                    patience = Patience::default();
                    self.failures().remove(EVENTS);
                    self.take(event).await;
                }
                Err(reason) => self.wait(&mut patience, EVENTS, &reason).await,
            }
        }
    }

    async fn take(&self, event: BackendEvent) {
        let at = self.events.fetch_add(1, Ordering::SeqCst) + 1;
        match event {
            BackendEvent::Message { from, bytes } => {
                // An error means that the driver is gone, and this task ends with the next event.
                let _ = self.queue.send(FromNode::Message { from, bytes }).await;
            }
            BackendEvent::PeerConnected { peer, features, .. } => {
                let event = FromNode::Connected { peer, features, at };
                let _ = self.queue.send(event).await;
            }
            BackendEvent::PeerDisconnected { peer } => {
                let _ = self.queue.send(FromNode::Disconnected { peer, at }).await;
            }
            BackendEvent::Block { .. } | BackendEvent::Changed => self.observe.notify_one(),
            BackendEvent::GraphChanged => self.graph.notify_one(),
            BackendEvent::Restarted => {
                tracing::info!("the node or its streams started anew; reading everything again");
                self.observe.notify_one();
                self.graph.notify_one();
            }
        }
    }

    /// Reads the node at once, then when something changed, and from time to time in any case.
    pub(super) async fn watch_node(self: Arc<Self>) {
        let mut patience = Patience::default();
        while !self.queue.is_closed() {
            let since = self.events.load(Ordering::SeqCst);
            let began = self.clock.now().elapsed;
            match self.backend.snapshot().await {
                Ok(snapshot) => {
                    patience = Patience::default();
                    self.failures().remove(NODE);
                    let snapshot = Box::new(snapshot);
                    let _ = self
                        .queue
                        .send(FromNode::Observed { snapshot, since })
                        .await;
                    let latest = self.clock.sleep_until(began.plus(OBSERVE_INTERVAL));
                    self.pause(began.plus(OBSERVE_SPACING), &self.observe, latest)
                        .await;
                }
                Err(reason) => self.wait(&mut patience, NODE, &reason).await,
            }
        }
    }

    /// Reads the graph at once, then when it changed.
    pub(super) async fn watch_graph(self: Arc<Self>) {
        let mut patience = Patience::default();
        while !self.queue.is_closed() {
            let began = self.clock.now().elapsed;
            match self.backend.graph().await {
                Ok(graph) => {
                    patience = Patience::default();
                    self.failures().remove(GRAPH);
                    let _ = self.queue.send(FromNode::Graph(graph)).await;
                    let latest = std::future::pending();
                    self.pause(began.plus(GRAPH_SPACING), &self.graph, latest)
                        .await;
                }
                Err(reason) => self.wait(&mut patience, GRAPH, &reason).await,
            }
        }
    }

    /// Waits until `earliest` at least, then for a change or for `latest`.
    async fn pause(&self, earliest: Elapsed, changed: &Notify, latest: impl Future<Output = ()>) {
        tokio::select! {
            () = changed.notified() => {}
            () = latest => {}
        }
        self.clock.sleep_until(earliest).await;
    }

    async fn wait(&self, patience: &mut Patience, what: &'static str, reason: &BackendError) {
        let span = match reason {
            // The graph of a node that has too much of it costs the node seconds each time.
            BackendError::Unfit(_) => GRAPH_SPACING,
            _ => patience.next_wait(),
        };
        let told = self.failures().insert(what, reason.to_string());
        // A node may be away for a night: one line for each reason, not for each try.
        if told.is_none_or(|told| told != reason.to_string()) {
            tracing::warn!(what, %reason, "the node could not be read; the agent tries on");
        }
        self.clock
            .sleep_until(self.clock.now().elapsed.plus(span))
            .await;
    }
}

#[cfg(test)]
#[path = "reads_tests.rs"]
mod tests;
