//! Configuration.

mod settings;

pub use settings::{ConfigError, Key};
