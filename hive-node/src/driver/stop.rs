//! When the operator or the system wants the agent to end.

use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Listens for SIGTERM and SIGINT from this call on. The future is ready with the first of them.
///
/// # Errors
/// When the system refuses to hand signals over.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "stopping");
    })
}
