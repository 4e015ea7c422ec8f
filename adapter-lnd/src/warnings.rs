//! What the operator should know while all works, until it is over.

use crate::connect::held;
use hive_types::NodeId;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Peers of which something is said at a time; a fleet has fewer.
const PEERS: usize = 256;

/// A peer that is not dialled any more has left, or was given up: what was said of it ends after this. In a fleet in
/// which all are away, fellows take turns every half hour or so.
const SLOTS_HOLD: Duration = Duration::from_secs(7_200);

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
pub(crate) struct Warnings(Mutex<BTreeMap<Topic, (String, Instant)>>);

impl Warnings {
    /// Says something about a topic, or that there is nothing to say any more. What is new goes to the log.
    pub(crate) fn say(&self, topic: Topic, text: Option<String>) {
        let mut known = held(&self.0);
        let Some(text) = text else {
            known.remove(&topic);
            return;
        };
        if known.get(&topic).is_none_or(|(same, _)| *same != text) {
            tracing::warn!("{text}");
        }
        if known.len() >= PEERS && !known.contains_key(&topic) {
            known.retain(|topic, _| !matches!(topic, Topic::Slots(_)));
        }
        known.insert(topic, (text, Instant::now()));
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<String> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Vec<String> {
        let mut known = held(&self.0);
        known.retain(|topic, (_, said)| {
            !matches!(topic, Topic::Slots(_)) || now.duration_since(*said) < SLOTS_HOLD
        });
        known.values().map(|(text, _)| text.clone()).collect()
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
    #[test]
    fn what_is_said_of_a_peer_ends_when_it_is_not_dialled_any_more() {
        let warnings = Warnings::default();
        let peer = format!("02{:064x}", 1).parse().unwrap();
        warnings.say(Topic::Slots(peer), Some("full".into()));
        warnings.say(Topic::Version, Some("new".into()));
        let said = Instant::now();
        assert_eq!(warnings.at(said).len(), 2);
        // Dialled again later: it holds from then on.
        while Instant::now() == said {}
        let again = Instant::now();
        warnings.say(Topic::Slots(peer), Some("full".into()));
        assert_eq!(
            warnings
                .at(again + SLOTS_HOLD - Duration::from_nanos(1))
                .len(),
            2
        );
        assert_eq!(warnings.at(Instant::now() + SLOTS_HOLD), ["new"]);
    }
}
