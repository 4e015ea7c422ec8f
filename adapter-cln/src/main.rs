//! The plugin that lightningd starts.

use hive_node::clock::SystemClock;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    // What is no text can't be a setting of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    adapter_cln::run(
        environment.collect(),
        Arc::new(|boot| Arc::new(SystemClock::new(boot))),
    )
}
