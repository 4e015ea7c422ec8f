//! As much of JSON Schema 2020-12 as `docs/decision-packet.schema.json` uses. A keyword that is not
//! known here fails a test, so nothing in the contract goes unchecked.
use serde_json::{Map, Value};

/// Keywords that say nothing of a value.
const REMARKS: [&str; 6] = [
    "$schema",
    "$id",
    "$defs",
    "title",
    "description",
    "properties",
];

pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn published() -> Self {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../docs/decision-packet.schema.json"
        );
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    /// Whether `value` is a `name` of the contract; else where it is not.
    pub(crate) fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        let rule = self.0.pointer(&format!("/$defs/{name}"));
        self.holds(rule.unwrap(), value)
    }

    /// Also that the contract names every field, which readers of later versions need not.
    pub(crate) fn check_closed(&self, name: &str, value: &Value) -> Result<(), String> {
        self.check(name, value)?;
        self.named(&self.0["$defs"][name], value)
    }

    fn resolved<'a>(&'a self, rule: &'a Value) -> &'a Value {
        match rule.get("$ref").and_then(Value::as_str) {
            Some(reference) => self
                .0
                .pointer(reference.strip_prefix('#').unwrap())
                .unwrap(),
            None => rule,
        }
    }

    fn holds(&self, rule: &Value, value: &Value) -> Result<(), String> {
        let rule = self.resolved(rule).as_object().unwrap();
        for (keyword, wanted) in rule {
            if REMARKS.contains(&keyword.as_str()) {
                continue;
            }
            if !self.keyword(keyword, wanted, rule, value)? {
                return Err(format!("{value} breaks {keyword} {wanted}"));
            }
        }
        let properties = rule.get("properties").and_then(Value::as_object);
        for (name, inner) in properties.into_iter().flatten() {
            if let Some(value) = value.get(name) {
                self.holds(inner, value)
                    .map_err(|error| format!("{name}: {error}"))?;
            }
        }
        Ok(())
    }

    fn keyword(
        &self,
        keyword: &str,
        wanted: &Value,
        rule: &Map<String, Value>,
        value: &Value,
    ) -> Result<bool, String> {
        let text = || value.as_str().unwrap_or_default();
        Ok(match keyword {
            "type" => is_type(wanted.as_str().unwrap(), value),
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "minimum" => value.as_u64() >= wanted.as_u64(),
            "maximum" => value.as_u64() <= wanted.as_u64(),
            "pattern" => matches(wanted.as_str().unwrap(), text()),
            "required" => {
                let mut names = wanted.as_array().unwrap().iter();
                names.all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "additionalProperties" => {
                assert_eq!(wanted, &Value::Bool(false));
                let known = rule["properties"].as_object().unwrap();
                let fields = value.as_object().into_iter().flatten();
                fields.into_iter().all(|(name, _)| known.contains_key(name))
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    self.holds(wanted, item)?;
                }
                true
            }
            "oneOf" => {
                let rules = wanted.as_array().unwrap().iter();
                rules.filter(|rule| self.holds(rule, value).is_ok()).count() == 1
            }
            _ => panic!("{keyword} is not checked here; teach this file"),
        })
    }

    fn named(&self, rule: &Value, value: &Value) -> Result<(), String> {
        let rule = self.resolved(rule);
        if let Some(rules) = rule.get("oneOf").and_then(Value::as_array) {
            let fits = rules.iter().find(|rule| self.holds(rule, value).is_ok());
            return fits.map_or(Ok(()), |rule| self.named(rule, value));
        }
        for item in value.as_array().into_iter().flatten() {
            self.named(&rule["items"], item)?;
        }
        for (name, inner) in value.as_object().into_iter().flatten() {
            let known = rule["properties"].get(name);
            self.named(
                known.ok_or(format!("{name} is not in the contract"))?,
                inner,
            )?;
        }
        Ok(())
    }
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        _ => panic!("{name} is no type that is checked here"),
    }
}

/// The four regular expressions of the contract, by hand.
fn matches(pattern: &str, text: &str) -> bool {
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits
            && text
                .bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    };
    match pattern {
        "^0[23][0-9a-f]{64}$" => {
            is_hex(text, 66) && (text.starts_with("02") || text.starts_with("03"))
        }
        "^[0-9a-f]{32}$" => is_hex(text, 32),
        "^[0-9a-f]{64}$" => is_hex(text, 64),
        "^[0-9]+x[0-9]+x[0-9]+$" => {
            let parts: Vec<&str> = text.split('x').collect();
            let is_number =
                |part: &&str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
            parts.len() == 3 && parts.iter().all(is_number)
        }
        _ => panic!("{pattern} is not checked here; teach this file"),
    }
}
