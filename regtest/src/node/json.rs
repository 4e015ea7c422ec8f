//! Fields of what a node answers.

use crate::failure::{Context, Outcome};
use serde_json::Value;
use std::fmt::Display;
use std::str::FromStr;

pub(super) fn text<'a>(value: &'a Value, name: &str) -> Outcome<&'a str> {
    value.get(name).and_then(Value::as_str).during(name)
}

pub(super) fn parsed<T: FromStr<Err: Display>>(value: &Value, name: &str) -> Outcome<T> {
    text(value, name)?.parse().during(name)
}

pub(super) fn small(value: &Value, name: &str) -> Outcome<u32> {
    let number = value.get(name).and_then(Value::as_u64).during(name)?;
    u32::try_from(number).during(name)
}

pub(super) fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or_default()
}

pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value.get(name).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}
