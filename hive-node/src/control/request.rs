//! A command with its parameters, as a caller gave them and as the table wants them.

use super::command::{CommandName, CommandSpec, ParamKind, ParamSpec};
use ParamKind::{Action, Count, Flag, List, Node, Text, Word};
use hive_types::{ActionId, NodeId};
use serde_json::Value;
use std::collections::BTreeMap;

/// A parameter that was checked against its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Param {
    Node(NodeId),
    Action(ActionId),
    Count(u64),
    Text(String),
    List(Vec<String>),
    Flag(bool),
}

/// A command with its parameters, checked against the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The command.
    pub command: CommandName,
    params: BTreeMap<&'static str, Param>,
}

impl Request {
    /// Checks `params` against the table: an object by name, or an array in the table's order;
    /// `null` in either means that the parameter is not given.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub fn new(command: CommandName, params: &Value) -> Result<Self, String> {
        let spec = command.spec();
        let given: Vec<(&ParamSpec, &Value)> = match params {
            Value::Null => Vec::new(),
            Value::Object(object) => by_name(spec, object)?,
            Value::Array(array) => by_place(spec, array)?,
            _ => return Err("params must be an object or an array".into()),
        };
        let mut params = BTreeMap::new();
        for (param, value) in given {
            if !value.is_null() {
                params.insert(param.name, read(param, value)?);
            }
        }
        let missing = |param: &&ParamSpec| param.required && !params.contains_key(param.name);
        match spec.params.iter().find(missing) {
            Some(param) => Err(format!("{} is missing: {}", param.name, param.about)),
            None => Ok(Self { command, params }),
        }
    }

    /// A node id, where one was given under this name.
    pub fn node(&self, name: &str) -> Option<NodeId> {
        match self.params.get(name)? {
            Param::Node(node) => Some(*node),
            _ => None,
        }
    }

    /// An action id, where one was given under this name.
    pub fn action(&self, name: &str) -> Option<ActionId> {
        match self.params.get(name)? {
            Param::Action(action) => Some(*action),
            _ => None,
        }
    }

    /// A number, where one was given under this name.
    pub fn count(&self, name: &str) -> Option<u64> {
        match self.params.get(name)? {
            Param::Count(count) => Some(*count),
            _ => None,
        }
    }

    /// A text or word, where one was given under this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.params.get(name)? {
            Param::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Yes or no; no where nothing was given under this name.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.params.get(name), Some(Param::Flag(true)))
    }

    /// The words of a list; empty where none was given under this name.
    pub fn list(&self, name: &str) -> &[String] {
        match self.params.get(name) {
            Some(Param::List(words)) => words,
            _ => &[],
        }
    }
}

fn by_name<'a>(
    spec: &'static CommandSpec,
    object: &'a serde_json::Map<String, Value>,
) -> Result<Vec<(&'static ParamSpec, &'a Value)>, String> {
    let known = |(name, value): (&String, &'a Value)| {
        let param = spec.params.iter().find(|param| param.name == name);
        param
            .map(|param| (param, value))
            .ok_or_else(|| format!("{} has no parameter {name:?}", spec.text))
    };
    object.iter().map(known).collect()
}

fn by_place<'a>(
    spec: &'static CommandSpec,
    array: &'a [Value],
) -> Result<Vec<(&'static ParamSpec, &'a Value)>, String> {
    if array.len() > spec.params.len() {
        let most = spec.params.len();
        return Err(format!("{} takes at most {most} parameters", spec.text));
    }
    Ok(spec.params.iter().zip(array).collect())
}

/// Numbers may come as text: lightning-cli and shells do that.
fn read(param: &ParamSpec, value: &Value) -> Result<Param, String> {
    let wrong = |why: String| format!("{}: {why}", param.name);
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => return Err(wrong(format!("{} is expected", param.kind))),
    };
    let parsed = match param.kind {
        Node => text.parse().map(Param::Node).map_err(|e| e.to_string()),
        Action => text.parse().map(Param::Action).map_err(|e| e.to_string()),
        Count => text
            .parse()
            .map(Param::Count)
            .map_err(|_| format!("{text:?} is no whole number")),
        Flag => text
            .parse()
            .map(Param::Flag)
            .map_err(|_| format!("{text:?} is neither true nor false")),
        Word(words) if !words.contains(&text.as_str()) => {
            Err(format!("{text:?} is none of {}", words.join(", ")))
        }
        Text | Word(_) => Ok(Param::Text(text)),
        List => Ok(Param::List(
            text.split(',').map(|word| word.trim().to_owned()).collect(),
        )),
    };
    parsed.map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use CommandName as C;
    use serde_json::json;

    const NODE: &str = "03864ef025fde8fb587d989186ce6a4a186895ee44a926bfc370e2c366597a3f8f";

    #[test]
    fn parameters_come_by_name_or_by_place() {
        let by_name = Request::new(C::HiveBan, &json!({"node": NODE, "reason": "jams"})).unwrap();
        let by_place = Request::new(C::HiveBan, &json!([NODE, "jams"])).unwrap();
        assert_eq!(by_name, by_place);
        assert_eq!(by_name.node("node"), Some(NODE.parse().unwrap()));
        assert_eq!(by_name.text("reason"), Some("jams"));
        let invite = json!({"tier": "full", "hours": "12", "requires": "splice, anchors"});
        let invite = Request::new(C::HiveInvite, &invite).unwrap();
        assert_eq!(invite.count("hours"), Some(12));
        assert_eq!(invite.text("tier"), Some("full"));
        assert_eq!(invite.list("requires"), ["splice", "anchors"]);
        assert_eq!(invite.node("node"), None);
    }

    #[test]
    fn bad_parameters_say_what_is_wrong() {
        let wrong = [
            (C::HiveBan, json!({}), "node is missing"),
            (C::HiveBan, json!({"node": "02ab"}), "66 hex digits"),
            (C::HiveBan, json!({"peer": NODE}), "no parameter \"peer\""),
            (C::HiveBan, json!([NODE, "x", "y"]), "at most 2"),
            (C::HiveBan, json!({"node": null}), "node is missing"),
            (C::HiveBan, json!("node"), "an object or an array"),
            (C::HivePause, json!([-1]), "no whole number"),
            (C::HivePause, json!([1.5]), "no whole number"),
            (C::HivePause, json!([{"a": 1}]), "is expected"),
            (C::HiveMode, json!(["yolo"]), "none of advisor"),
            (C::HiveApprove, json!(["12"]), "expected 32 hex digits"),
            (C::HiveRestoreFees, json!(["yes"]), "neither true nor false"),
        ];
        for (command, params, expected) in wrong {
            let error = Request::new(command, &params).unwrap_err();
            assert!(error.contains(expected), "{command} {params}: {error}");
        }
        assert_eq!(
            C::HiveBan.usage(),
            "hive-ban node=<node id> [reason=<text>]"
        );
    }
}
