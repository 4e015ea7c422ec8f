//! Frames on their way out: a bounded queue for each peer, so that one dead link makes nobody wait.

use crate::backend::{BackendError, LightningBackend};
use crate::clock::Clock;
use hive_types::limits::{BACKEND_RETRY, OUTBOX_BYTES, OUTBOX_FRAMES, OUTBOX_LIFETIME};
use hive_types::{Elapsed, NodeId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All queues. A peer has one, and a task that empties it, while frames wait for it.
pub(super) struct Outboxes {
    backend: Arc<dyn LightningBackend>,
    clock: Arc<dyn Clock>,
    queues: Mutex<BTreeMap<NodeId, Queue>>,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
}

struct Frame {
    bytes: Vec<u8>,
    until: Elapsed,
}

impl Outboxes {
    pub(super) fn new(backend: Arc<dyn LightningBackend>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            backend,
            clock,
            queues: Mutex::default(),
        })
    }

    /// Queues a frame; never waits. Drops it when the peer's queue is full: reconciliation repeats
    /// what matters. `true`: the caller starts [`Outboxes::empty`] for this peer.
    #[must_use]
    pub(super) fn push(&self, to: NodeId, bytes: Vec<u8>) -> bool {
        let now = self.clock.now().elapsed;
        let mut queues = self.queues();
        let is_new = !queues.contains_key(&to);
        let queue = queues.entry(to).or_default();
        queue.expire(now);
        if queue.is_full_for(bytes.len()) {
            tracing::debug!(peer = %to, bytes = bytes.len(), "outbox full, frame dropped");
            return false;
        }
        queue.bytes += bytes.len();
        let until = now.plus(OUTBOX_LIFETIME);
        queue.frames.push_back(Frame { bytes, until });
        is_new
    }

    /// Drops what waits for a peer whose link is gone.
    pub(super) fn clear(&self, peer: NodeId) {
        if let Some(queue) = self.queues().get_mut(&peer) {
            *queue = Queue::default();
        }
    }

    /// Sends what waits for a peer, one frame after the other, until nothing does.
    pub(super) async fn empty(self: Arc<Self>, to: NodeId) {
        while let Some(frame) = self.next(to) {
            tokio::select! {
                () = self.send(to, &frame.bytes) => {}
                () = self.clock.sleep_until(frame.until) => {
                    tracing::debug!(peer = %to, "frame not sent in time, dropped");
                }
            }
        }
    }

    /// The oldest frame that is still worth sending; none ends the peer's queue.
    fn next(&self, to: NodeId) -> Option<Frame> {
        let now = self.clock.now().elapsed;
        let mut queues = self.queues();
        let queue = queues.get_mut(&to)?;
        queue.expire(now);
        let frame = queue.pop();
        if frame.is_none() {
            queues.remove(&to);
        }
        frame
    }

    /// Hands the frame over. While the node itself does not answer, tries again; the frame's end ends
    /// that too.
    async fn send(&self, to: NodeId, bytes: &[u8]) {
        loop {
            match self.backend.send(to, bytes.to_vec()).await {
                Ok(()) => return,
                Err(BackendError::Unreachable(_)) => {
                    let again = self.clock.now().elapsed.plus(BACKEND_RETRY);
                    self.clock.sleep_until(again).await;
                }
                Err(reason) => {
                    tracing::debug!(peer = %to, %reason, "frame not sent");
                    return;
                }
            }
        }
    }

    /// Queues are whole after every statement.
    fn queues(&self) -> MutexGuard<'_, BTreeMap<NodeId, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_full_for(&self, bytes: usize) -> bool {
        self.frames.len() >= OUTBOX_FRAMES || self.bytes + bytes > OUTBOX_BYTES
    }

    fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.bytes = self.bytes.saturating_sub(frame.bytes.len());
        Some(frame)
    }

    /// Frames live equally long, so the oldest ends first.
    fn expire(&mut self, now: Elapsed) {
        while self.frames.front().is_some_and(|frame| frame.until <= now) {
            self.pop();
        }
    }
}
