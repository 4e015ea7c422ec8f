//! Events on their way from the node to the agent: bounded, whatever peers send.

use super::{BackendError, BackendEvent};
use hive_types::limits::{EVENT_BYTES, EVENT_QUEUE, EVENTS_OF_A_PEER};
use hive_types::{BlockHeight, NodeId, PeerView};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Events that a backend puts in as its node tells them, and one task takes out.
///
/// Putting in never waits, so the node's stream is always drained: a message that finds no place is dropped
/// and counted, as reconciliation repeats what matters; of blocks and changes only the newest is kept; and
/// word of a link that finds no place becomes [`BackendEvent::Restarted`], a request to read everything again.
/// Messages are bounded in number, in bytes and by peer, and can't crowd out links.
///
/// ```
/// use hive_node::backend::{BackendEvent, EventQueue};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let queue = EventQueue::default();
/// queue.push(BackendEvent::Changed);
/// queue.push(BackendEvent::Changed);
/// queue.push(BackendEvent::Restarted);
/// let peers = async || Ok(Vec::new());
/// assert_eq!(queue.next(peers).await, BackendEvent::Restarted);
/// assert_eq!(queue.next(peers).await, BackendEvent::Changed);
/// # });
/// ```
#[derive(Debug, Default)]
pub struct EventQueue {
    waiting: Mutex<Waiting>,
    told: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    restarted: bool,
    news: News,
    /// Links and messages, in order.
    queue: VecDeque<Entry>,
    /// Of the messages in the queue.
    bytes: usize,
    of_peer: BTreeMap<NodeId, usize>,
    dropped: u64,
    /// Whether the queue has its turn before the news.
    is_queues_turn: bool,
}

/// What is kept once.
#[derive(Debug, Default)]
struct News {
    height: Option<BlockHeight>,
    changed: bool,
    graph: bool,
}

#[derive(Debug)]
enum Entry {
    Event(BackendEvent),
    /// A new link. Nodes tell its features in their list of peers only.
    Linked {
        peer: NodeId,
        address: Option<String>,
    },
}

/// What [`Waiting::take`] found.
enum Found {
    Event(BackendEvent),
    /// A new link is next; so many entries are there.
    Linked(usize),
}

impl EventQueue {
    /// Puts an event in, or drops it as the type says. Never waits.
    pub fn push(&self, event: BackendEvent) {
        self.waiting().put(event);
        self.told.notify_one();
    }

    /// Puts in that a link is up whose features the node does not tell. [`EventQueue::next`] has them read.
    pub fn push_linked(&self, peer: NodeId, address: Option<String>) {
        self.waiting().put_link(Entry::Linked { peer, address });
        self.told.notify_one();
    }

    /// Waits for the next event. One task calls this; dropped before it returns, it has taken nothing.
    ///
    /// Where links wait for their features, `peers` reads the connected peers: once for all that wait. Of a
    /// peer that is gone again nothing is told. When the reading fails, everything is to be read again.
    pub async fn next<R>(&self, peers: impl Fn() -> R) -> BackendEvent
    where
        R: Future<Output = Result<Vec<PeerView>, BackendError>>,
    {
        loop {
            let found = self.waiting().take();
            match found {
                Some(Found::Event(event)) => return event,
                Some(Found::Linked(older)) => {
                    let read = peers().await;
                    self.waiting().know(older, read);
                }
                None => self.told.notified().await,
            }
        }
    }

    /// Messages that found no place so far.
    pub fn dropped(&self) -> u64 {
        self.waiting().dropped
    }

    /// A queue is whole after every statement.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        let locked = self.waiting.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn put(&mut self, event: BackendEvent) {
        match event {
            BackendEvent::Restarted => self.restarted = true,
            BackendEvent::Changed => self.news.changed = true,
            BackendEvent::GraphChanged => self.news.graph = true,
            BackendEvent::Block { height } => self.news.height = Some(height),
            BackendEvent::Message { from, bytes } => self.put_message(from, bytes),
            link @ (BackendEvent::PeerConnected { .. } | BackendEvent::PeerDisconnected { .. }) => {
                self.put_link(Entry::Event(link));
            }
        }
    }

    fn put_message(&mut self, from: NodeId, bytes: Vec<u8>) {
        let of_peer = self.of_peer.get(&from).copied().unwrap_or_default();
        let is_full = self.queue.len() >= EVENT_QUEUE
            || of_peer >= EVENTS_OF_A_PEER
            || self.bytes.saturating_add(bytes.len()) > EVENT_BYTES;
        if is_full {
            return self.drop_one();
        }
        self.bytes += bytes.len();
        self.of_peer.insert(from, of_peer + 1);
        let message = BackendEvent::Message { from, bytes };
        self.queue.push_back(Entry::Event(message));
    }

    fn drop_one(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
        // A flood must not become a flood of log lines.
        if self.dropped.is_power_of_two() {
            tracing::warn!(
                dropped = self.dropped,
                "messages came faster than they could be handled"
            );
        }
    }

    /// Links have as many places again as messages: messages can't crowd them out.
    fn put_link(&mut self, link: Entry) {
        if self.queue.len() >= 2 * EVENT_QUEUE {
            tracing::debug!(?link, "event queue full; everything is read again");
            self.restarted = true;
        } else {
            self.queue.push_back(link);
        }
    }

    /// News and the queue take turns: neither a flood of messages nor a node that is never quiet keeps
    /// the other waiting.
    fn take(&mut self) -> Option<Found> {
        if std::mem::take(&mut self.restarted) {
            return Some(Found::Event(BackendEvent::Restarted));
        }
        let is_queues_turn = std::mem::replace(&mut self.is_queues_turn, false);
        if !is_queues_turn && let Some(news) = self.news.take() {
            self.is_queues_turn = true;
            return Some(Found::Event(news));
        }
        let queued = self.take_queued();
        queued.or_else(|| self.news.take().map(Found::Event))
    }

    fn take_queued(&mut self) -> Option<Found> {
        match self.queue.pop_front()? {
            linked @ Entry::Linked { .. } => {
                self.queue.push_front(linked);
                Some(Found::Linked(self.queue.len()))
            }
            Entry::Event(event) => {
                if let BackendEvent::Message { from, bytes } = &event {
                    self.forget(from, bytes.len());
                }
                Some(Found::Event(event))
            }
        }
    }

    fn forget(&mut self, from: &NodeId, length: usize) {
        self.bytes = self.bytes.saturating_sub(length);
        if let Some(count) = self.of_peer.get_mut(from) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_peer.remove(from);
            }
        }
    }

    /// Tells the new links apart from those that are gone again, as the node was read when `older`
    /// entries were there. What came meanwhile and was not read is left for the next reading.
    fn know(&mut self, older: usize, read: Result<Vec<PeerView>, BackendError>) {
        let peers = match read {
            Ok(peers) => peers,
            Err(reason) => {
                tracing::warn!(%reason, "the features of new peers are not known yet");
                self.queue
                    .retain(|entry| !matches!(entry, Entry::Linked { .. }));
                self.restarted = true;
                return;
            }
        };
        let features: BTreeMap<NodeId, Vec<u8>> = peers
            .into_iter()
            .map(|view| (view.node_id, view.features))
            .collect();
        let mut place = 0;
        self.queue.retain_mut(|entry| {
            place += 1;
            let Entry::Linked { peer, address } = entry else {
                return true;
            };
            let Some(features) = features.get(peer) else {
                return place > older;
            };
            *entry = Entry::Event(BackendEvent::PeerConnected {
                peer: *peer,
                features: features.clone(),
                address: address.take(),
            });
            true
        });
    }
}

impl News {
    fn take(&mut self) -> Option<BackendEvent> {
        if let Some(height) = self.height.take() {
            return Some(BackendEvent::Block { height });
        }
        if std::mem::take(&mut self.changed) {
            return Some(BackendEvent::Changed);
        }
        std::mem::take(&mut self.graph).then_some(BackendEvent::GraphChanged)
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
