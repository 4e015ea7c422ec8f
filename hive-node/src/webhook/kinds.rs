//! Which events a webhook is told.
//!
//! The names are those that an event bears in JSON. What is new in a release is told unless it is
//! listed as chatter here: an operator who misses something important is worse off than one who hears
//! a little much.

use hive_core::Event;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Events that happen by the hour in a healthy fleet and ask for nothing.
const CHATTER: [&str; 6] = [
    "bad_peer",
    "handshake_failed",
    "lock_lost",
    "locked",
    "refused",
    "unlocked",
];

/// Stands for every event.
const ALL: &str = "all";

/// The events that are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// Everything but chatter.
    #[default]
    Worthwhile,
    /// Everything.
    All,
    /// These, by name.
    Only(BTreeSet<String>),
}

impl Told {
    /// Reads the names of events, or `all`.
    ///
    /// # Errors
    /// Which name no event has, and which names there are.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let names: BTreeSet<String> = names.into_iter().map(str::to_owned).collect();
        if names.contains(ALL) {
            return Ok(Self::All);
        }
        match names.iter().find_map(|name| unknown(name)) {
            Some(reason) => Err(reason),
            None if names.is_empty() => Err(format!(
                "no event is named, so none would be told; name some, or {ALL}"
            )),
            None => Ok(Self::Only(names)),
        }
    }

    pub(super) fn includes(&self, kind: &str) -> bool {
        match self {
            Self::Worthwhile => !CHATTER.contains(&kind),
            Self::All => true,
            Self::Only(names) => names.contains(kind),
        }
    }
}

/// The event's JSON and its name in it.
pub(super) fn as_json(event: &Event) -> Option<(String, Value)> {
    let value = serde_json::to_value(event).ok()?;
    let kind = value.get("event")?.as_str()?.to_owned();
    Some((kind, value))
}

/// The reader of events knows their names: of a name that it does not, it tells which it does.
fn unknown(name: &str) -> Option<String> {
    let read = serde_json::from_value::<Event>(json!({ "event": name }));
    let reason = read.err()?.to_string();
    reason
        .starts_with("unknown variant")
        .then(|| reason.replacen("unknown variant", "there is no event", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_events() {
        let told = Told::of(["proposed", "left", "opened"]).unwrap();
        assert!(told.includes("proposed") && !told.includes("alert"));
        let error = Told::of(["proposed", "close"]).unwrap_err();
        assert!(error.contains("no event `close`"), "{error}");
        assert!(
            error.contains("`proposed`") && error.contains("`alert`"),
            "{error}"
        );
        assert!(Told::of([]).unwrap_err().contains("name some"));
        assert_eq!(Told::of(["all", "proposed"]), Ok(Told::All));
        // What is left out by default must be the name of something.
        for chatter in CHATTER {
            assert_eq!(unknown(chatter), None, "{chatter}");
        }
        assert!(Told::default().includes("alert") && !Told::default().includes("locked"));
    }

    #[test]
    fn an_event_bears_its_name() {
        let (kind, value) = as_json(&Event::Left).unwrap();
        assert_eq!((kind.as_str(), value), ("left", json!({"event": "left"})));
    }
}
