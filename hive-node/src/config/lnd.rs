//! How an agent beside LND reaches it. The adapter understands the values; here they are texts.

use super::settings::{ConfigError, Key, Settings};
use std::fmt;

/// Host and credentials of an LND, as the operator gave them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LndConfig {
    /// `host:port` of its gRPC server.
    pub host: Option<String>,
    /// Its TLS certificate: a path, PEM, or DER in hex or base64.
    pub cert: Option<String>,
    /// The macaroon: a path, hex or base64. A secret when it stands here itself.
    pub macaroon: Option<String>,
    /// Host and credentials in one: `lndconnect://`. A secret.
    pub connect: Option<String>,
}

/// Shows no secret.
impl fmt::Debug for LndConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LndConfig")
            .field("host", &self.host)
            .field("macaroon_given", &self.macaroon.is_some())
            .field("connect_given", &self.connect.is_some())
            .finish_non_exhaustive()
    }
}

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "lnd.host",
        about: "host:port of LND's gRPC server; without it 127.0.0.1:10009",
    },
    Key {
        name: "lnd.cert",
        about: "LND's tls.cert: its path, or itself as PEM, hex or base64; without it ~/.lnd/tls.cert",
    },
    Key {
        name: "lnd.macaroon",
        about: "the macaroon baked for the agent: its path, or itself as hex or base64; without it hive.macaroon in the data folder",
    },
    Key {
        name: "lnd.connect",
        about: "lndconnect://HOST:PORT?cert=...&macaroon=..., instead of the three above",
    },
];

pub(super) fn read(settings: &Settings) -> Result<LndConfig, ConfigError> {
    let text = |name| settings.secretive(name, given);
    Ok(LndConfig {
        host: text("lnd.host")?,
        cert: text("lnd.cert")?,
        macaroon: text("lnd.macaroon")?,
        connect: text("lnd.connect")?,
    })
}

fn given(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a value is expected; leave the setting out instead".into()),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_secret() {
        let config = LndConfig {
            macaroon: Some("0201036c6e64".into()),
            connect: Some("lndconnect://host?macaroon=AgEDbG5k".into()),
            ..LndConfig::default()
        };
        let shown = format!("{config:?}");
        assert!(
            !shown.contains("0201") && !shown.contains("AgED"),
            "{shown}"
        );
    }
}
