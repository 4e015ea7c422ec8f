//! Events on their way to the agent: bounded, whatever a peer sends.

use hive_node::backend::BackendEvent;
use hive_types::BlockHeight;
use hive_types::limits::EVENT_QUEUE;
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::sync::Notify;

use crate::connect::held;

/// Events that wait. Those that only say "read again" are kept once; messages beyond the bound are dropped
/// and counted, since the fleet's reconciliation repeats what matters.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    waiting: Mutex<Waiting>,
    told: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    restarted: bool,
    changed: bool,
    graph: bool,
    height: Option<BlockHeight>,
    /// Links and messages, in order.
    events: VecDeque<BackendEvent>,
    dropped: u64,
}

impl EventQueue {
    pub(crate) fn push(&self, event: BackendEvent) {
        {
            let mut waiting = held(&self.waiting);
            match event {
                BackendEvent::Restarted => waiting.restarted = true,
                BackendEvent::Changed => waiting.changed = true,
                BackendEvent::GraphChanged => waiting.graph = true,
                BackendEvent::Block { height } => waiting.height = Some(height),
                BackendEvent::Message { .. } if waiting.events.len() >= EVENT_QUEUE => {
                    waiting.drop_one();
                }
                link if waiting.events.len() >= 2 * EVENT_QUEUE => {
                    // Reading everything again tells of this link too.
                    tracing::debug!(?link, "event queue full; everything is read again");
                    waiting.restarted = true;
                }
                event => waiting.events.push_back(event),
            }
        }
        self.told.notify_one();
    }

    /// Waits for the next one. One task calls this.
    pub(crate) async fn next(&self) -> BackendEvent {
        loop {
            if let Some(event) = held(&self.waiting).pop() {
                return event;
            }
            self.told.notified().await;
        }
    }

    /// Messages that found no place so far.
    #[cfg(test)]
    pub(crate) fn dropped(&self) -> u64 {
        held(&self.waiting).dropped
    }
}

impl Waiting {
    fn pop(&mut self) -> Option<BackendEvent> {
        if std::mem::take(&mut self.restarted) {
            return Some(BackendEvent::Restarted);
        }
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if let Some(height) = self.height.take() {
            return Some(BackendEvent::Block { height });
        }
        if std::mem::take(&mut self.changed) {
            return Some(BackendEvent::Changed);
        }
        std::mem::take(&mut self.graph).then_some(BackendEvent::GraphChanged)
    }

    fn drop_one(&mut self) {
        self.dropped += 1;
        // A flood must not become a flood of log lines.
        if self.dropped.is_power_of_two() {
            tracing::warn!(
                dropped = self.dropped,
                "messages came faster than they were read"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::NodeId;

    fn peer() -> NodeId {
        let id = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c";
        id.parse().unwrap()
    }

    fn message(number: u32) -> BackendEvent {
        BackendEvent::Message {
            from: peer(),
            bytes: number.to_be_bytes().into(),
        }
    }

    #[tokio::test]
    async fn t07_a_flood_of_messages_stays_bounded() {
        let queue = EventQueue::default();
        for number in 0..10_000 {
            queue.push(message(number));
            queue.push(BackendEvent::GraphChanged);
        }
        queue.push(BackendEvent::Restarted);
        queue.push(BackendEvent::PeerDisconnected { peer: peer() });
        assert_eq!(queue.dropped(), 10_000 - EVENT_QUEUE as u64);
        assert_eq!(queue.next().await, BackendEvent::Restarted);
        for number in 0..EVENT_QUEUE as u32 {
            assert_eq!(queue.next().await, message(number));
        }
        let gone = BackendEvent::PeerDisconnected { peer: peer() };
        assert_eq!(queue.next().await, gone);
        assert_eq!(queue.next().await, BackendEvent::GraphChanged);
        assert_eq!(held(&queue.waiting).pop(), None);
    }

    #[tokio::test]
    async fn links_beyond_the_bound_become_one_reading() {
        let queue = EventQueue::default();
        for _ in 0..3 * EVENT_QUEUE {
            queue.push(BackendEvent::PeerDisconnected { peer: peer() });
        }
        assert_eq!(queue.next().await, BackendEvent::Restarted);
        assert_eq!(held(&queue.waiting).events.len(), 2 * EVENT_QUEUE);
    }
}
