//! What the operator should know while all works, until it is over.

use crate::connect::held;
use hive_types::NodeId;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Peers of which something is said at a time; a fleet has fewer.
const PEERS: usize = 256;

/// What a warning is about. There is one of each at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// LND's certificate.
    Certificate,
    /// LND's version.
    Version,
    /// A macaroon that lacks what every member needs.
    Macaroon,
    /// A peer that has no place for this node.
    Slots(NodeId),
}

/// The warnings that hold now.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<BTreeMap<Topic, String>>);

impl Warnings {
    /// Says something about a topic, or that there is nothing to say any more. What is new goes to the log.
    pub(crate) fn say(&self, topic: Topic, text: Option<String>) {
        let mut known = held(&self.0);
        let Some(text) = text else {
            known.remove(&topic);
            return;
        };
        if known.get(&topic) == Some(&text) {
            return;
        }
        tracing::warn!("{text}");
        if known.len() >= PEERS {
            known.retain(|topic, _| !matches!(topic, Topic::Slots(_)));
        }
        known.insert(topic, text);
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<String> {
        held(&self.0).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_holds_until_it_is_over_and_peers_are_bounded() {
        let warnings = Warnings::default();
        warnings.say(Topic::Version, Some("new".into()));
        warnings.say(Topic::Version, Some("newer".into()));
        assert_eq!(warnings.all(), ["newer"]);
        for number in 0..2 * PEERS {
            let peer = format!("02{number:064x}").parse().unwrap();
            warnings.say(Topic::Slots(peer), Some("full".into()));
            assert!(warnings.all().len() <= PEERS);
        }
        assert!(warnings.all().contains(&"newer".to_owned()));
        warnings.say(Topic::Version, None);
        assert!(!warnings.all().contains(&"newer".to_owned()));
    }
}
