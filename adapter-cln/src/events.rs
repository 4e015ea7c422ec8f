//! What lightningd tells by itself, between the plugin's reader and the agent.
//!
//! The reader never waits: a message that finds the queue full is dropped and counted, as
//! reconciliation repeats it; of blocks and changes only the newest is kept; and word of a link that finds no
//! place becomes a request to read everything again.

use crate::hex;
use crate::limits::{EVENT_BYTES, EVENTS_OF_A_PEER};
use hive_types::limits::{EVENT_QUEUE, MESSAGE_TYPE};
use hive_types::{BlockHeight, NodeId};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The notifications that are subscribed to.
pub(crate) const TOPICS: [&str; 10] = [
    "custommsg",
    "connect",
    "disconnect",
    "block_added",
    "channel_opened",
    "channel_state_changed",
    "forward_event",
    "sendpay_success",
    "sendpay_failure",
    "coin_movement",
];

/// Something that lightningd told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeEvent {
    Message {
        from: NodeId,
        bytes: Vec<u8>,
    },
    Connected {
        peer: NodeId,
        /// Where we reached it, when we dialled.
        address: Option<String>,
    },
    Disconnected {
        peer: NodeId,
    },
    Block {
        height: BlockHeight,
    },
    Changed,
    /// Word of links was lost, or the agent is new: everything is to be read again.
    Missed,
}

/// A bounded queue of notifications. Clones share it; one task takes from it.
#[derive(Clone, Debug, Default)]
pub struct Events {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<NodeEvent>,
    bytes: usize,
    of_peer: BTreeMap<NodeId, usize>,
    height: Option<BlockHeight>,
    changed: bool,
    missed: bool,
    dropped: u64,
}

impl Events {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a notification as lightningd sent it. Never waits. What is not understood or not for the
    /// agent goes no further.
    pub fn notify(&self, topic: &str, params: &Value) {
        // Since v23.11 the fields stand under the topic's name; before they stood at the top.
        let fields = params.get(topic).unwrap_or(params);
        let mut waiting = self.waiting();
        match topic {
            "custommsg" => {
                if let Some((from, bytes)) = message(fields) {
                    waiting.put_message(from, bytes);
                }
            }
            "connect" => {
                if let Some(peer) = node(fields.get("id")) {
                    let address = dialled(fields);
                    waiting.put_link(NodeEvent::Connected { peer, address });
                }
            }
            "disconnect" => {
                if let Some(peer) = node(fields.get("id")) {
                    waiting.put_link(NodeEvent::Disconnected { peer });
                }
            }
            "block_added" => {
                let height = fields.get("height").and_then(Value::as_u64);
                let height = height.and_then(|height| u32::try_from(height).ok());
                waiting.height = height.map(BlockHeight::new).or(waiting.height);
            }
            _ => waiting.changed = true,
        }
        drop(waiting);
        self.shared.bell.notify_one();
    }

    /// Says that everything is to be read again: the first thing that a new agent must hear.
    pub(crate) fn begin_anew(&self) {
        self.waiting().missed = true;
        self.shared.bell.notify_one();
    }

    /// Waits for the next event. Cancel safe.
    pub(crate) async fn next(&self) -> NodeEvent {
        loop {
            if let Some(event) = self.waiting().take() {
                return event;
            }
            self.shared.bell.notified().await;
        }
    }

    /// Messages that were dropped since this was asked last.
    pub(crate) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.waiting().dropped)
    }

    /// A queue is whole after every statement.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        let locked = self.shared.waiting.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn put_message(&mut self, from: NodeId, bytes: Vec<u8>) {
        let of_peer = self.of_peer.get(&from).copied().unwrap_or_default();
        let is_full = self.queue.len() >= EVENT_QUEUE
            || of_peer >= EVENTS_OF_A_PEER
            || self.bytes + bytes.len() > EVENT_BYTES;
        if is_full {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.bytes += bytes.len();
        self.of_peer.insert(from, of_peer + 1);
        self.queue.push_back(NodeEvent::Message { from, bytes });
    }

    /// Links have as many places again as messages: messages can't crowd them out.
    fn put_link(&mut self, event: NodeEvent) {
        if self.queue.len() >= 2 * EVENT_QUEUE {
            self.missed = true;
        } else {
            self.queue.push_back(event);
        }
    }

    fn take(&mut self) -> Option<NodeEvent> {
        if std::mem::take(&mut self.missed) {
            return Some(NodeEvent::Missed);
        }
        if let Some(height) = self.height.take() {
            return Some(NodeEvent::Block { height });
        }
        if let Some(event) = self.queue.pop_front() {
            if let NodeEvent::Message { from, bytes } = &event {
                self.bytes = self.bytes.saturating_sub(bytes.len());
                let left = self.of_peer.get(from).map_or(0, |count| count - 1);
                match left {
                    0 => drop(self.of_peer.remove(from)),
                    left => drop(self.of_peer.insert(*from, left)),
                }
            }
            return Some(event);
        }
        std::mem::take(&mut self.changed).then_some(NodeEvent::Changed)
    }
}

/// A message of our type: its sender and what follows the type.
fn message(fields: &Value) -> Option<(NodeId, Vec<u8>)> {
    let payload = fields.get("payload")?.as_str()?;
    // The type is looked at before anything else is done with a stranger's bytes.
    let body = payload.get(..4).filter(|kind| is_ours(kind))?;
    let bytes = hex::decode(payload.get(body.len()..)?)?;
    Some((node(fields.get("peer_id"))?, bytes))
}

fn is_ours(kind: &str) -> bool {
    u16::from_str_radix(kind, 16) == Ok(MESSAGE_TYPE)
}

fn node(id: Option<&Value>) -> Option<NodeId> {
    id?.as_str()?.parse().ok()
}

/// Where we reached the peer; of a link that the peer began the address says nothing lasting.
fn dialled(fields: &Value) -> Option<String> {
    if fields.get("direction")?.as_str()? != "out" {
        return None;
    }
    let address = fields.get("address")?;
    let port = address.get("port")?.as_u64()?;
    Some(host_port(address.get("address")?.as_str()?, port))
}

/// `host:port`, an IPv6 address in brackets.
pub(crate) fn host_port(host: &str, port: u64) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn peer(number: u8) -> NodeId {
        let mut bytes = [number; 33];
        bytes[0] = 2;
        NodeId::from_bytes(bytes).unwrap()
    }

    fn custom(from: NodeId, payload: &str) -> Value {
        json!({"custommsg": {"peer_id": from, "payload": payload}})
    }

    #[tokio::test]
    async fn only_our_type_gets_through() {
        let events = Events::new();
        for payload in ["beef00", "", "be", "bee1zz", "bee10", "7777bee1", "+ee100"] {
            events.notify("custommsg", &custom(peer(1), payload));
        }
        events.notify("custommsg", &json!({"custommsg": {"payload": "bee100"}}));
        events.notify("custommsg", &json!(null));
        events.notify("custommsg", &custom(peer(1), "bee100ff"));
        let expected = NodeEvent::Message {
            from: peer(1),
            bytes: vec![0, 0xff],
        };
        assert_eq!(events.next().await, expected);
        assert_eq!(events.waiting().take(), None);
    }

    #[tokio::test]
    async fn a_flood_is_dropped_counted_and_leaves_room() {
        let events = Events::new();
        let huge = format!("bee1{}", "00".repeat(65_000));
        for _ in 0..10 * EVENT_QUEUE {
            events.notify("custommsg", &custom(peer(1), &huge));
        }
        events.notify("custommsg", &custom(peer(2), "bee107"));
        events.notify("disconnect", &json!({"disconnect": {"id": peer(1)}}));
        assert!(events.waiting().bytes <= EVENT_BYTES);
        let mut got = Vec::new();
        while let Some(event) = events.waiting().take() {
            got.push(event);
        }
        assert_eq!(got.len(), EVENTS_OF_A_PEER + 2);
        let last = NodeEvent::Disconnected { peer: peer(1) };
        assert_eq!(got.last(), Some(&last));
        let dropped = u64::try_from(10 * EVENT_QUEUE - EVENTS_OF_A_PEER).unwrap();
        assert_eq!(events.take_dropped(), dropped);
        assert_eq!(events.take_dropped(), 0);
        assert!(events.waiting().of_peer.is_empty());
    }

    #[tokio::test]
    async fn many_strangers_stay_within_the_bytes() {
        let events = Events::new();
        let huge = format!("bee1{}", "00".repeat(65_000));
        for number in 0..=255 {
            for _ in 0..10 {
                events.notify("custommsg", &custom(peer(number), &huge));
            }
        }
        assert!(events.waiting().bytes <= EVENT_BYTES);
        assert!(events.waiting().queue.len() <= EVENT_QUEUE);
    }

    #[tokio::test]
    async fn lost_links_are_read_again_and_changes_fall_together() {
        let events = Events::new();
        for _ in 0..3 * EVENT_QUEUE {
            events.notify("disconnect", &json!({"disconnect": {"id": peer(1)}}));
        }
        for height in [5, 6] {
            events.notify("block_added", &json!({"block_added": {"height": height}}));
            events.notify("forward_event", &json!({}));
        }
        assert_eq!(events.next().await, NodeEvent::Missed);
        let height = BlockHeight::new(6);
        assert_eq!(events.next().await, NodeEvent::Block { height });
        for _ in 0..2 * EVENT_QUEUE {
            assert!(matches!(
                events.next().await,
                NodeEvent::Disconnected { .. }
            ));
        }
        assert_eq!(events.next().await, NodeEvent::Changed);
        assert_eq!(events.waiting().take(), None);
    }

    #[tokio::test]
    async fn links_tell_where_we_dialled() {
        let events = Events::new();
        let link = |direction: &str, host: &str| {
            json!({"connect": {"id": peer(3), "direction": direction,
                "address": {"type": "ipv4", "address": host, "port": 9735}}})
        };
        events.notify("connect", &link("out", "::1"));
        events.notify("connect", &link("in", "127.0.0.1"));
        for address in [Some("[::1]:9735".to_owned()), None] {
            let expected = NodeEvent::Connected {
                peer: peer(3),
                address,
            };
            assert_eq!(events.next().await, expected);
        }
    }
}
