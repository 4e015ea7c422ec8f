//! The Hive's replicated state: what is merged and what is decided
