//! The Hive's replicated state, in two rooms that do not know each other: what is [`merged`]
//! (everything that may be said twice) and what is [`decided`] (everything that must not happen
//! twice).

pub mod decided;
pub mod merged;
