//! Free ports on loopback.

use crate::failure::{Context, Outcome};
use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that systems give to outgoing connections: a node that restarts finds its port free.
const PORTS: Range<u32> = 20_000..32_000;

/// Ports between those of runs that began one after the other. A run takes fewer.
const SPREAD: u32 = 997;

/// How many were tried in this run.
static TRIED: AtomicU32 = AtomicU32::new(0);

/// A port on which nobody listens, and which no other call gives.
///
/// # Errors
/// When none is left.
pub(crate) fn free() -> Outcome<u16> {
    let size = PORTS.end - PORTS.start;
    // Runs that go on at the same time begin at different places, far apart though their ids are not.
    let start = std::process::id().wrapping_mul(SPREAD) % size;
    loop {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        let left = (tried < size).then_some(()).during("a free port");
        left?;
        let port = PORTS.start + (start + tried) % size;
        let port = u16::try_from(port).during("a port")?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_port_is_given_twice() {
        let ports: Vec<u16> = (0..20).map(|_| super::free().unwrap()).collect();
        let mut distinct = ports.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), ports.len());
    }
}
