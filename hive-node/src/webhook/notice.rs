//! One notification: the same bytes and the same id each time it is sent.

use super::kinds::{Told, as_json};
use bitcoin::hashes::{Hash, HashEngine, sha256};
use hive_core::Event;
use hive_types::{Elapsed, HiveId, Millis, NodeId, Now};
use serde_json::json;

/// The form of the body. A reader that knows another one should say so and change nothing.
const VERSION: u32 = 1;

/// Bytes of an id: enough that no two of one operator's nodes ever meet.
const ID_BYTES: usize = 16;

/// What is told of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// The same for each attempt, another for each event, also after a restart.
    pub(super) id: String,
    /// JSON.
    pub(super) body: Vec<u8>,
    /// When it was first tried.
    pub(super) since: Option<Elapsed>,
    /// How often it was tried.
    pub(super) attempts: u32,
}

/// Makes notices of one node's events.
#[derive(Debug)]
pub(super) struct Writer {
    node: NodeId,
    hive: Option<HiveId>,
    told: Told,
    count: u64,
}

impl Writer {
    /// `hive` is the fleet that the node is in as it starts.
    pub(super) fn new(node: NodeId, hive: Option<HiveId>, told: Told) -> Self {
        Self {
            node,
            hive,
            told,
            count: 0,
        }
    }

    /// The notice of an event, where it is one that is told.
    pub(super) fn write(&mut self, event: &Event, now: Now) -> Option<Notice> {
        if let Event::Founded { hive } | Event::Joined { hive } = event {
            self.hive = Some(*hive);
        }
        let hive = self.hive;
        if matches!(event, Event::Left) {
            self.hive = None;
        }
        let (kind, event) = as_json(event)?;
        if !self.told.includes(&kind) {
            return None;
        }
        self.count += 1;
        let id = self.id(now);
        let body = json!({
            "version": VERSION,
            "id": id,
            "time_ms": now.wall.get(),
            "node_id": self.node,
            "hive": hive,
            "event": event,
        });
        Some(Notice {
            id,
            body: body.to_string().into_bytes(),
            since: None,
            attempts: 0,
        })
    }

    /// The boot keeps restarts apart, the time keeps a store that was begun anew apart.
    fn id(&self, now: Now) -> String {
        let mut engine = sha256::Hash::engine();
        engine.input(self.node.as_bytes());
        for number in [now.boot.get(), now.wall.get(), self.count] {
            engine.input(&number.to_be_bytes());
        }
        let hash = sha256::Hash::from_engine(engine).to_byte_array();
        hex(hash.iter().take(ID_BYTES))
    }
}

impl Notice {
    /// How long to wait after another failed attempt: twice as long each time, up to `most`, and
    /// somewhere in the upper half of it, so that nodes that failed together don't return together.
    pub(super) fn patience(&self, first: Millis, most: Millis) -> Millis {
        let doublings = self.attempts.saturating_sub(1).min(32);
        let span = first.get().saturating_mul(1 << doublings).min(most.get());
        let mut engine = sha256::Hash::engine();
        engine.input(self.id.as_bytes());
        engine.input(&self.attempts.to_be_bytes());
        let hash = sha256::Hash::from_engine(engine).to_byte_array();
        let chance = hash
            .iter()
            .take(4)
            .fold(0, |all, byte| all << 8 | u64::from(*byte));
        let half = span / 2;
        Millis::new(span - half + chance % (half + 1))
    }
}

fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::limits::{WEBHOOK_RETRY, WEBHOOK_RETRY_MAX};
    use hive_types::{BootId, UnixMillis};
    use serde_json::Value;

    fn writer() -> Writer {
        let node = NodeId::from_bytes([2; 33]).unwrap();
        Writer::new(node, None, Told::default())
    }

    fn at(wall: u64, boot: u64) -> Now {
        Now {
            wall: UnixMillis::new(wall),
            elapsed: Elapsed::new(0),
            boot: BootId::new(boot),
        }
    }

    fn alert() -> Event {
        Event::Alert {
            text: "look".into(),
        }
    }

    #[test]
    fn a_body_says_who_when_and_what() {
        let mut writer = writer();
        let hive = HiveId::from_bytes([5; 32]);
        let told = |notice: Option<Notice>| -> Value {
            serde_json::from_slice(&notice.unwrap().body).unwrap()
        };
        let body = told(writer.write(&alert(), at(7, 1)));
        assert_eq!(body["version"], 1);
        assert_eq!(body["time_ms"], 7);
        assert_eq!(body["hive"], Value::Null);
        assert_eq!(body["event"], json!({"event": "alert", "text": "look"}));
        assert_eq!(body["node_id"], json!(writer.node));
        let joined = told(writer.write(&Event::Joined { hive }, at(8, 1)));
        assert_eq!(joined["hive"], json!(hive));
        assert_eq!(
            told(writer.write(&Event::Left, at(8, 1)))["hive"],
            json!(hive)
        );
        assert_eq!(told(writer.write(&alert(), at(9, 1)))["hive"], Value::Null);
        let chatter = Event::LockLost {
            target: writer.node,
            reason: String::new(),
        };
        assert_eq!(writer.write(&chatter, at(9, 1)), None);
    }

    #[test]
    fn no_two_notices_share_an_id() {
        let id = |writer: &mut Writer, now| writer.write(&alert(), now).unwrap().id;
        let mut one = writer();
        let first = id(&mut one, at(7, 1));
        assert_eq!(first.len(), 32);
        assert_ne!(first, id(&mut one, at(7, 1)));
        assert_ne!(first, id(&mut writer(), at(7, 2)), "another boot");
        assert_ne!(first, id(&mut writer(), at(8, 1)), "a new store");
        assert_eq!(first, id(&mut writer(), at(7, 1)));
    }

    #[test]
    fn waiting_doubles_with_jitter_up_to_its_bound() {
        let mut notice = writer().write(&alert(), at(7, 1)).unwrap();
        let mut before = 0;
        for attempts in 1..=100 {
            notice.attempts = attempts;
            let span = notice.patience(WEBHOOK_RETRY, WEBHOOK_RETRY_MAX).get();
            let full = WEBHOOK_RETRY.get() << (attempts - 1).min(20);
            let full = full.min(WEBHOOK_RETRY_MAX.get());
            assert!(
                (full - full / 2..=full).contains(&span),
                "{attempts}: {span}"
            );
            assert!(
                span >= before || full == WEBHOOK_RETRY_MAX.get(),
                "{attempts}: {span}"
            );
            before = span;
        }
        let other = writer().write(&alert(), at(8, 1)).unwrap();
        let other = Notice {
            attempts: 100,
            ..other
        };
        let most = (WEBHOOK_RETRY, WEBHOOK_RETRY_MAX);
        assert_ne!(
            other.patience(most.0, most.1),
            notice.patience(most.0, most.1)
        );
    }
}
