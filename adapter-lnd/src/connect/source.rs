//! Host, certificate and macaroon: where they stand, and what is read there.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use hive_node::config::{Config, LndConfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Where LND listens unless it is told otherwise.
const DEFAULT_HOST: &str = "127.0.0.1:10009";

/// The macaroon's name within the data folder.
pub(crate) const MACAROON_FILE: &str = "hive.macaroon";

/// No macaroon is shorter: location, identifier and a signature of 32 bytes.
const MACAROON_BYTES_MIN: usize = 60;

/// The first byte of a macaroon in LND's binary format.
const MACAROON_VERSION: u8 = 2;

/// Larger files are no certificate and no macaroon.
const CREDENTIAL_BYTES_MAX: u64 = 1 << 20;

/// The configuration does not say how to reach LND, or not so that it can be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The host.
    #[error("lnd.host = {0:?}: host:port is expected, as 127.0.0.1:10009")]
    Host(String),
    /// The certificate's file.
    #[error("LND's certificate {} can't be read: {reason}; name LND's tls.cert with lnd.cert", path.display())]
    CertificateFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No certificate in it.
    #[error("LND's certificate ({0}) is no certificate; copy LND's tls.cert, in PEM form, again")]
    Certificate(String),
    /// The macaroon's file.
    #[error(
        "the macaroon {} can't be read: {reason}; bake one with the line that `adapter-lnd macaroon` prints, or name it with lnd.macaroon",
        path.display()
    )]
    MacaroonFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No macaroon in it.
    #[error(
        "the macaroon ({0}) is no macaroon; bake one with the line that `adapter-lnd macaroon` prints"
    )]
    Macaroon(String),
    /// The `lndconnect://` text.
    #[error("lnd.connect: {0}; write lndconnect://HOST:PORT?cert=...&macaroon=... in base64url")]
    Connect(String),
    /// Two places that say the same.
    #[error("lnd.connect and {0} are both set; leave one out")]
    Twice(&'static str),
}

/// A value that stands in a file, which is read at each connection anew, or in the configuration.
#[derive(Clone, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Inline(Vec<u8>),
}

/// How LND is reached. Shows no secret.
#[derive(Clone)]
pub struct Source {
    host: String,
    port: u16,
    certificate: Place,
    macaroon: Place,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({}:{})", self.host, self.port)
    }
}

impl Source {
    /// From files.
    ///
    /// # Errors
    /// [`SourceError::Host`] unless `host` is `host:port`.
    pub fn files(host: &str, certificate: &Path, macaroon: &Path) -> Result<Self, SourceError> {
        let (host, port) = host_port(host)?;
        Ok(Self {
            host,
            port,
            certificate: Place::File(certificate.into()),
            macaroon: Place::File(macaroon.into()),
        })
    }

    /// As the configuration says; `home` is the operator's home folder, for `~` and LND's own folder.
    ///
    /// # Errors
    /// [`SourceError`]: one line that says what to write instead. Files are not read yet.
    pub fn from_config(config: &Config, home: &Path) -> Result<Self, SourceError> {
        let lnd = &config.lnd;
        if let Some(text) = &lnd.connect {
            return Self::from_uri(text, lnd, home);
        }
        let (host, port) = host_port(lnd.host.as_deref().unwrap_or(DEFAULT_HOST))?;
        let certificate = match &lnd.cert {
            Some(text) => certificate_place(text, home),
            None => Place::File(home.join(".lnd/tls.cert")),
        };
        let macaroon = match &lnd.macaroon {
            Some(text) => macaroon_place(text, home),
            None => Place::File(config.data_dir.join(MACAROON_FILE)),
        };
        Ok(Self {
            host,
            port,
            certificate,
            macaroon,
        })
    }

    /// `lndconnect://host:port?cert=...&macaroon=...`; the certificate may stand in `lnd.cert`.
    fn from_uri(text: &str, lnd: &LndConfig, home: &Path) -> Result<Self, SourceError> {
        let wrong = |what: &str| SourceError::Connect(what.to_owned());
        if lnd.host.is_some() {
            return Err(SourceError::Twice("lnd.host"));
        }
        if lnd.macaroon.is_some() {
            return Err(SourceError::Twice("lnd.macaroon"));
        }
        let rest = text.strip_prefix("lndconnect://");
        let rest = rest.ok_or_else(|| wrong("it does not start with lndconnect://"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = host_port(place.trim_end_matches('/'))
            .map_err(|_| wrong("the host and the port are missing"))?;
        let value = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.into_iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| unescape(value))
        };
        let macaroon = value("macaroon").ok_or_else(|| wrong("the macaroon is missing"))?;
        let macaroon = decode(&macaroon).ok_or_else(|| wrong("the macaroon is not base64url"))?;
        let certificate = match (value("cert"), &lnd.cert) {
            (Some(_), Some(_)) => return Err(SourceError::Twice("lnd.cert")),
            (Some(text), None) => Place::Inline(
                decode(&text).ok_or_else(|| wrong("the certificate is not base64url"))?,
            ),
            (None, Some(text)) => certificate_place(text, home),
            (None, None) => return Err(wrong("the certificate is missing, also in lnd.cert")),
        };
        Ok(Self {
            host,
            port,
            certificate,
            macaroon: Place::Inline(macaroon),
        })
    }

    /// Host and port as one reads them.
    pub(crate) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The certificates that LND may show, read now.
    ///
    /// # Errors
    /// [`SourceError::CertificateFile`] and [`SourceError::Certificate`].
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, SourceError> {
        let (bytes, name) = match &self.certificate {
            Place::Inline(bytes) => (bytes.clone(), "given in place".to_owned()),
            Place::File(path) => {
                let bytes = read(path).map_err(|reason| SourceError::CertificateFile {
                    path: path.clone(),
                    reason,
                })?;
                (bytes, path.display().to_string())
            }
        };
        if bytes.first() == Some(&0x30) {
            return Ok(vec![CertificateDer::from(bytes)]);
        }
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            _ => Err(SourceError::Certificate(name)),
        }
    }

    /// The macaroon's bytes, read now.
    ///
    /// # Errors
    /// [`SourceError::MacaroonFile`] and [`SourceError::Macaroon`].
    pub(crate) fn macaroon(&self) -> Result<Vec<u8>, SourceError> {
        let (bytes, name) = match &self.macaroon {
            Place::Inline(bytes) => (bytes.clone(), "given in place".to_owned()),
            Place::File(path) => {
                let bytes = read(path).map_err(|reason| SourceError::MacaroonFile {
                    path: path.clone(),
                    reason,
                })?;
                // `bakemacaroon` prints hex; some keep that in the file.
                let text = std::str::from_utf8(&bytes).ok();
                let decoded = text.and_then(|text| decode(text.trim()));
                (decoded.unwrap_or(bytes), path.display().to_string())
            }
        };
        match is_macaroon(&bytes) {
            true => Ok(bytes),
            false => Err(SourceError::Macaroon(name)),
        }
    }
}

fn is_macaroon(bytes: &[u8]) -> bool {
    bytes.first() == Some(&MACAROON_VERSION) && bytes.len() >= MACAROON_BYTES_MIN
}

fn host_port(text: &str) -> Result<(String, u16), SourceError> {
    let wrong = || SourceError::Host(text.to_owned());
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|port| *port != 0);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_plain = !host.is_empty() && !host.contains(['/', '@', ' ']);
    match (port, is_plain) {
        (Some(port), true) => Ok((host.to_owned(), port)),
        _ => Err(wrong()),
    }
}

fn certificate_place(text: &str, home: &Path) -> Place {
    if text.trim_start().starts_with("-----BEGIN") {
        return Place::Inline(text.into());
    }
    let decoded = decode(text);
    let is_certificate =
        |bytes: &Vec<u8>| bytes.first() == Some(&0x30) || bytes.starts_with(b"-----BEGIN");
    match decoded.filter(is_certificate) {
        Some(bytes) => Place::Inline(bytes),
        None => Place::File(expand(text, home)),
    }
}

fn macaroon_place(text: &str, home: &Path) -> Place {
    match decode(text).filter(|bytes| is_macaroon(bytes)) {
        Some(bytes) => Place::Inline(bytes),
        None => Place::File(expand(text, home)),
    }
}

fn expand(text: &str, home: &Path) -> PathBuf {
    match text.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => text.into(),
    }
}

/// Hex, or any kind of base64.
fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let ways = [
        HEXLOWER_PERMISSIVE,
        BASE64URL_NOPAD,
        BASE64URL,
        BASE64,
        BASE64_NOPAD,
    ];
    ways.iter().find_map(|way| way.decode(bytes).ok())
}

/// `%3D` and the like, which QR programs write.
fn unescape(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escaped, sign) in [
        ("%3D", "="),
        ("%3d", "="),
        ("%2B", "+"),
        ("%2b", "+"),
        ("%2F", "/"),
        ("%2f", "/"),
    ] {
        plain = plain.replace(escaped, sign);
    }
    plain
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path)
        .map_err(|reason| reason.to_string())?
        .len();
    if size > CREDENTIAL_BYTES_MAX {
        return Err(format!("it has {size} bytes"));
    }
    std::fs::read(path).map_err(|reason| reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(lnd: LndConfig) -> Config {
        let mut config = Config::in_folder(Path::new("/data"));
        config.lnd = lnd;
        config
    }

    fn source(lnd: LndConfig) -> Result<Source, SourceError> {
        Source::from_config(&config(lnd), Path::new("/home/me"))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn macaroon() -> Vec<u8> {
        let mut bytes = vec![7; 80];
        bytes[0] = 2;
        bytes
    }

    #[test]
    fn nothing_given_is_lnd_beside_us() {
        let source = source(LndConfig::default()).unwrap();
        assert_eq!(source.authority(), "127.0.0.1:10009");
        let cert = Place::File("/home/me/.lnd/tls.cert".into());
        assert!(source.certificate == cert);
        assert!(source.macaroon == Place::File("/data/hive.macaroon".into()));
        let error = source.macaroon().unwrap_err().to_string();
        assert!(error.contains("adapter-lnd macaroon"), "{error}");
    }

    #[test]
    fn takes_values_in_place_and_as_paths() {
        let hex = HEXLOWER_PERMISSIVE.encode(&macaroon());
        for text in [
            hex,
            BASE64.encode(&macaroon()),
            BASE64URL_NOPAD.encode(&macaroon()),
        ] {
            let source = source(LndConfig {
                macaroon: some(&text),
                host: some("[::1]:10010"),
                ..LndConfig::default()
            });
            let source = source.unwrap();
            assert_eq!(source.macaroon().unwrap(), macaroon());
            assert_eq!(source.authority(), "[::1]:10010");
        }
        let path = source(LndConfig {
            macaroon: some("~/a.macaroon"),
            cert: some("deadbeef"),
            ..LndConfig::default()
        });
        let path = path.unwrap();
        assert!(path.macaroon == Place::File("/home/me/a.macaroon".into()));
        assert!(path.certificate == Place::File("deadbeef".into()));
    }

    #[test]
    fn reads_lndconnect() {
        let macaroon = BASE64URL_NOPAD.encode(&macaroon());
        let cert = BASE64URL_NOPAD.encode(&[0x30, 1, 2]);
        let text = format!("lndconnect://node.example:10009?cert={cert}&macaroon={macaroon}");
        let connect = |text: &str| {
            source(LndConfig {
                connect: some(text),
                ..LndConfig::default()
            })
        };
        let found = connect(&text).unwrap();
        assert_eq!(found.authority(), "node.example:10009");
        assert_eq!(found.certificates().unwrap().len(), 1);
        assert!(found.macaroon().is_ok());
        let wrong = [
            ("https://node", "does not start"),
            ("lndconnect://node", "host and the port"),
            ("lndconnect://node:1?cert=MAEC", "macaroon is missing"),
            (
                "lndconnect://node:1?macaroon=AgED",
                "certificate is missing",
            ),
        ];
        for (text, expected) in wrong {
            let error = connect(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let twice = source(LndConfig {
            connect: some(&text),
            host: some("a:1"),
            ..LndConfig::default()
        });
        assert_eq!(twice.unwrap_err(), SourceError::Twice("lnd.host"));
    }

    #[test]
    fn bad_hosts_are_refused() {
        for host in ["node", "node:0", "node:x", ":1", "https://node:1", "a@b:1"] {
            assert_eq!(host_port(host).unwrap_err(), SourceError::Host(host.into()));
        }
    }
}
