//! The daemon beside LND. See `adapter-lnd --help`.

use hive_node::clock::SystemClock;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    adapter_lnd::run(&args, |boot| Arc::new(SystemClock::new(boot)))
}
