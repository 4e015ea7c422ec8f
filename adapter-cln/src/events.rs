//! What lightningd tells by itself, on its way from the plugin's reader to the agent. The reader never waits.

use crate::hex;
use hive_node::backend::{BackendEvent, EventQueue};
use hive_types::limits::MESSAGE_TYPE;
use hive_types::{BlockHeight, NodeId};
use serde_json::Value;
use std::sync::Arc;

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

/// What lightningd told and the agent has not taken. Clones share it; one task takes from it.
#[derive(Clone, Debug, Default)]
pub struct Events {
    pub(crate) queue: Arc<EventQueue>,
}

impl Events {
    /// Nothing was told yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a notification as lightningd sent it. Never waits. What is not understood or not for the
    /// agent goes no further.
    pub fn notify(&self, topic: &str, params: &Value) {
        // Since v23.11 the fields stand under the topic's name; before they stood at the top.
        let fields = params.get(topic).unwrap_or(params);
        match topic {
            "custommsg" => {
                if let Some((from, bytes)) = message(fields) {
                    self.queue.push(BackendEvent::Message { from, bytes });
                }
            }
            "connect" => {
                if let Some(peer) = node(fields.get("id")) {
                    self.queue.push_linked(peer, dialled(fields));
                }
            }
            "disconnect" => {
                if let Some(peer) = node(fields.get("id")) {
                    self.queue.push(BackendEvent::PeerDisconnected { peer });
                }
            }
            "block_added" => {
                let height = fields.get("height").and_then(Value::as_u64);
                if let Some(height) = height.and_then(|height| u32::try_from(height).ok()) {
                    let height = BlockHeight::new(height);
                    self.queue.push(BackendEvent::Block { height });
                }
            }
            _ => self.queue.push(BackendEvent::Changed),
        }
    }

    /// Says that everything is to be read again: the first thing that a new agent must hear.
    pub(crate) fn begin_anew(&self) {
        self.queue.push(BackendEvent::Restarted);
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
    use hive_types::PeerView;
    use serde_json::json;

    fn peer(number: u8) -> NodeId {
        let mut bytes = [number; 33];
        bytes[0] = 2;
        NodeId::from_bytes(bytes).unwrap()
    }

    fn custom(from: NodeId, payload: &str) -> Value {
        json!({"custommsg": {"peer_id": from, "payload": payload}})
    }

    /// The next event of a node that is linked to the third peer.
    async fn next(events: &Events) -> BackendEvent {
        let view = || PeerView {
            node_id: peer(3),
            features: vec![1],
        };
        events.queue.next(async || Ok(vec![view()])).await
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
        let expected = BackendEvent::Message {
            from: peer(1),
            bytes: vec![0, 0xff],
        };
        assert_eq!(next(&events).await, expected);
    }

    #[tokio::test]
    async fn what_lightningd_tells_is_understood() {
        let events = Events::new();
        events.notify("block_added", &json!({"block_added": {"height": 6}}));
        let height = BlockHeight::new(6);
        assert_eq!(next(&events).await, BackendEvent::Block { height });
        events.notify("forward_event", &json!({}));
        assert_eq!(next(&events).await, BackendEvent::Changed);
        events.notify("disconnect", &json!({"id": peer(1)}));
        let gone = BackendEvent::PeerDisconnected { peer: peer(1) };
        assert_eq!(next(&events).await, gone);
        events.begin_anew();
        assert_eq!(next(&events).await, BackendEvent::Restarted);
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
            let expected = BackendEvent::PeerConnected {
                peer: peer(3),
                features: vec![1],
                address,
            };
            assert_eq!(next(&events).await, expected);
        }
    }
}
