//! Values as an operator writes them.

use hive_types::{Msat, NodeId, ParseNodeIdError, Ppm, Sat};

pub(super) fn sat(text: &str) -> Result<Sat, String> {
    let amount = with_unit(text, "sat").parse::<Sat>();
    amount.map_err(|error| error.to_string())
}

pub(super) fn msat(text: &str) -> Result<Msat, String> {
    let amount = with_unit(text, "msat").parse::<Msat>();
    amount.map_err(|error| error.to_string())
}

pub(super) fn ppm(text: &str) -> Result<Ppm, String> {
    whole(text.strip_suffix("ppm").unwrap_or(text)).map(Ppm::new)
}

/// The unit may stand there or not; another one is refused.
fn with_unit(text: &str, unit: &str) -> String {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("{text}{unit}"),
        false => text.to_owned(),
    }
}

pub(super) fn whole(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("a whole number from 0 to {} is expected", u32::MAX))
}

pub(super) fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "true or false is expected".into())
}

pub(super) fn node(text: &str) -> Result<NodeId, String> {
    text.parse()
        .map_err(|error: ParseNodeIdError| error.to_string())
}

/// Items separated by commas; an empty text is an empty list.
pub(super) fn list<T, L: FromIterator<T>>(
    text: &str,
    item: impl Fn(&str) -> Result<T, String>,
) -> Result<L, String> {
    let words = text.split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).map(item).collect()
}
