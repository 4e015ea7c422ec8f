//! Telling systemd how the agent fares (sd_notify): a datagram to the socket that NOTIFY_SOCKET names.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where systemd listens; nothing is told when nobody does.
#[derive(Debug)]
pub(crate) struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// A service that is silent for this long is started again.
    watchdog: Option<Duration>,
}

impl Notify {
    /// From the variables NOTIFY_SOCKET and WATCHDOG_USEC.
    pub(crate) fn new(socket: Option<&str>, watchdog_usec: Option<&str>) -> Self {
        let address = socket.and_then(|name| match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(name).ok(),
        });
        let to = address.and_then(|address| Some((socket_of_ours()?, address)));
        let watchdog = watchdog_usec.and_then(|text| text.parse().ok());
        Self {
            to,
            watchdog: watchdog.filter(|usec| *usec > 0).map(Duration::from_micros),
        }
    }

    pub(crate) fn ready(&self) {
        self.tell("READY=1\nSTATUS=The agent runs.");
    }

    pub(crate) fn status(&self, text: &str) {
        self.tell(&format!("STATUS={}", text.replace('\n', " ")));
    }

    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Gives the sign of life that was asked for, twice as often as asked. Never returns.
    pub(crate) async fn keep_alive(&self) {
        let Some(span) = self.watchdog.filter(|_| self.to.is_some()) else {
            return std::future::pending().await;
        };
        let mut beat = tokio::time::interval(span / 2);
        loop {
            beat.tick().await;
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, what: &str) {
        if let Some((socket, address)) = &self.to {
            // The service manager may be gone; the agent goes on.
            let _ = socket.send_to_addr(what.as_bytes(), address);
        }
    }
}

/// One that never waits: a service manager that does not read must not stop the agent.
fn socket_of_ours() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn systemd_hears_of_each_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::new(path.to_str(), Some("2000"));
        notify.ready();
        let mut buffer = [0; 256];
        let mut heard = || {
            let length = systemd.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert!(heard().starts_with("READY=1\n"));
        notify.status("waiting\nfor LND");
        assert_eq!(heard(), "STATUS=waiting for LND");
        let beats = tokio::time::timeout(Duration::from_millis(50), notify.keep_alive());
        assert!(beats.await.is_err());
        assert_eq!(heard(), "WATCHDOG=1");
    }

    #[test]
    fn nobody_need_listen() {
        Notify::new(None, None).ready();
        Notify::new(Some("/nowhere/at/all"), Some("x")).stopping();
    }
}
