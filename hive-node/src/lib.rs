//! The runtime of The Hive: clocks, logs, store.

pub mod backend;
pub mod clock;
pub mod config;
pub mod conformance;
pub mod control;
pub mod driver;
pub mod log;
mod nearest;
pub mod store;
