//! The operator's own servers: who is told of events, who is asked, and how they are reached.

use super::settings::{ConfigError, Key, Settings};
use super::values::list;
use super::{Config, path};
use crate::http::{Authorities, Endpoint, HttpConfig, ProxyAddress};
use crate::webhook::{Told, WebhookConfig};
use hive_policy::Mode;
use hive_policy::signature::Secret;
use hive_types::Millis;
use hive_types::limits::{HTTP_CONNECT_TIMEOUT, HTTP_TIMEOUT, SECRET_BYTES_MAX};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The server that is asked in oracle mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OracleConfig {
    /// The server.
    pub endpoint: Endpoint,
    /// What signs both ways.
    pub secret: Secret,
}

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "proxy",
        about: "SOCKS5 proxy for webhook and oracle, as socks5://host:port; none is asked for this machine itself",
    },
    Key {
        name: "http_ca",
        about: "file of the only certificate authorities that webhook and oracle may be signed by, in PEM form; without it the public ones",
    },
    Key {
        name: "http_timeout_seconds",
        about: "how long webhook and oracle may take to answer, 1 to 30",
    },
    Key {
        name: "webhook.url",
        about: "where events are sent to, https",
    },
    Key {
        name: "webhook.secret_file",
        about: "file of the secret that signs what the webhook gets, at least 32 bytes, mode 0600",
    },
    Key {
        name: "webhook.events",
        about: "names of the events that are sent, or all; without it all but chatter",
    },
    Key {
        name: "oracle.url",
        about: "who is asked in oracle mode, https",
    },
    Key {
        name: "oracle.secret_file",
        about: "file of the secret that signs questions and answers, at least 32 bytes, mode 0600",
    },
];

/// Fills in what the settings say of servers.
pub(super) fn read(settings: &Settings, config: &mut Config) -> Result<(), ConfigError> {
    config.http = http(settings, &config.data_dir)?;
    let told = settings.read("webhook.events", told)?;
    config.webhook = match server(settings, config, &WEBHOOK)? {
        Some((endpoint, secret)) => Some(WebhookConfig {
            endpoint,
            secret,
            told: told.unwrap_or_default(),
        }),
        None if told.is_some() => {
            return refuse("webhook.events is set, but webhook.url is not; set that too".into());
        }
        None => None,
    };
    let oracle = server(settings, config, &ORACLE)?;
    config.oracle = oracle.map(|(endpoint, secret)| OracleConfig { endpoint, secret });
    match config.mode {
        Mode::Oracle if config.oracle.is_none() => refuse(
            "mode is oracle, but oracle.url is not set; set oracle.url and oracle.secret_file, or another mode".into(),
        ),
        _ => Ok(()),
    }
}

fn http(settings: &Settings, folder: &Path) -> Result<HttpConfig, ConfigError> {
    let mut http = HttpConfig {
        proxy: settings.get::<ProxyAddress>("proxy")?,
        ..HttpConfig::default()
    };
    http.authorities = settings.read("http_ca", |text| {
        Authorities::read(&folder.join(path(text)?)).map_err(|error| error.to_string())
    })?;
    if let Some(timeout) = settings.read("http_timeout_seconds", seconds)? {
        http.timeout = timeout;
        http.connect_timeout = timeout.min(HTTP_CONNECT_TIMEOUT);
    }
    Ok(http)
}

/// The names of one server's settings.
struct Names {
    url: &'static str,
    secret_file: &'static str,
}

const WEBHOOK: Names = Names {
    url: "webhook.url",
    secret_file: "webhook.secret_file",
};

const ORACLE: Names = Names {
    url: "oracle.url",
    secret_file: "oracle.secret_file",
};

/// A server and the secret that is shared with it: both or none.
fn server(
    settings: &Settings,
    config: &Config,
    names: &Names,
) -> Result<Option<(Endpoint, Secret)>, ConfigError> {
    let Names { url, secret_file } = names;
    let endpoint = settings.secretive(url, |text| {
        text.parse::<Endpoint>().map_err(|error| error.to_string())
    })?;
    let secret = settings.read(secret_file, |text| {
        secret(&config.data_dir.join(path(text)?))
    })?;
    match (endpoint, secret) {
        (Some(endpoint), Some(_)) if endpoint.needs_proxy() && config.http.proxy.is_none() => {
            refuse(format!(
                "{url} is reached through Tor only, but proxy is not set; set it, to socks5://127.0.0.1:9050 say"
            ))
        }
        (Some(endpoint), Some(secret)) => Ok(Some((endpoint, secret))),
        (None, None) => Ok(None),
        (Some(_), None) => refuse(format!(
            "{url} is set, but {secret_file} is not; write a secret with `openssl rand -hex 32`, give both ends the same, and name its file"
        )),
        (None, Some(_)) => refuse(format!(
            "{secret_file} is set, but {url} is not; set that too"
        )),
    }
}

fn refuse<T>(text: String) -> Result<T, ConfigError> {
    Err(ConfigError::Contradiction(text))
}

fn told(text: &str) -> Result<Told, String> {
    let names: Vec<String> = list(text, |name| Ok(name.to_owned()))?;
    Told::of(names.iter().map(String::as_str))
}

fn seconds(text: &str) -> Result<Millis, String> {
    let most = HTTP_TIMEOUT.get() / 1_000;
    let seconds = text.parse::<u64>().ok();
    let seconds = seconds.filter(|seconds| (1..=most).contains(seconds));
    seconds
        .map(Millis::from_secs)
        .ok_or_else(|| format!("a whole number from 1 to {most} is expected"))
}

/// Reads a secret, without the end of line that editors and shells put behind it.
fn secret(path: &Path) -> Result<Secret, String> {
    let failed = |reason: std::io::Error| format!("{reason}; name a file that this user may read");
    let file = std::fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let shown = path.display();
        return Err(format!(
            "others may read it; run `chmod 600 {shown}`, and change the secret if somebody may have"
        ));
    }
    let mut bytes = Vec::new();
    let most = SECRET_BYTES_MAX as u64;
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(format!(
            "it has more than {most} bytes; name the file of the secret alone"
        ));
    }
    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    Secret::new(text.to_vec()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs::{self, Permissions};
    use std::path::PathBuf;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            folder.write("secret", &format!("{SECRET}\n"), 0o600);
            folder
        }

        fn write(&self, name: &str, text: &str, mode: u32) {
            let path: PathBuf = self.0.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }

        fn load(&self, text: &str) -> Result<Config, String> {
            self.write("hive.toml", text, 0o600);
            let nothing = BTreeMap::new();
            let config = Config::load(self.0.path(), &nothing, &nothing);
            config.map_err(|error| error.to_string())
        }
    }

    #[test]
    fn servers_come_with_their_secrets() {
        let folder = Folder::new();
        let config = folder
            .load(
                "mode = 'oracle'\nproxy = 'socks5://127.0.0.1:9050'\nhttp_timeout_seconds = 3\n\
                 [webhook]\nurl = 'http://abc.onion/x'\nsecret_file = 'secret'\nevents = ['proposed', 'alert']\n\
                 [oracle]\nurl = 'https://example.com/o?key=1'\nsecret_file = 'secret'",
            )
            .unwrap();
        let webhook = config.webhook.unwrap();
        assert_eq!(webhook.secret.as_bytes(), SECRET.as_bytes());
        assert_eq!(webhook.told, Told::of(["alert", "proposed"]).unwrap());
        assert_eq!(webhook.endpoint.to_string(), "http://abc.onion");
        assert_eq!(config.mode, Mode::Oracle);
        assert_eq!(config.http.timeout, Millis::from_secs(3));
        assert_eq!(config.http.connect_timeout, Millis::from_secs(3));
        assert!(config.http.proxy.is_some() && config.oracle.is_some());
        let config = folder.load("").unwrap();
        assert_eq!((config.webhook, config.oracle), (None, None));
        assert_eq!(config.http, HttpConfig::default());
    }

    #[test]
    fn what_does_not_fit_together_is_refused_in_one_line() {
        let folder = Folder::new();
        folder.write("open", SECRET, 0o640);
        folder.write("short", "0123456789abcdef", 0o600);
        folder.write("long", &"x".repeat(SECRET_BYTES_MAX + 1), 0o600);
        let both =
            |url: &str, file: &str| format!("[webhook]\nurl = '{url}'\nsecret_file = '{file}'");
        let wrong = [
            ("mode = 'oracle'".to_owned(), "oracle.url is not set"),
            (
                "[oracle]\nurl = 'https://a.b/'".into(),
                "oracle.secret_file is not",
            ),
            (
                "[webhook]\nurl = 'https://a.b/'".into(),
                "webhook.secret_file is not",
            ),
            (
                "[webhook]\nsecret_file = 'secret'".into(),
                "webhook.url is not",
            ),
            ("[webhook]\nevents = ['alert']".into(), "webhook.url is not"),
            (
                "[webhook]\nevents = ['close']".into(),
                "there is no event `close`",
            ),
            ("[webhook]\nevents = []".into(), "name some"),
            (both("http://a.b/", "secret"), "unencrypted"),
            (both("https://u:p@a.b/", "secret"), "user or password"),
            (both("ftp://a.b/", "secret"), "write https"),
            (both("http://a.onion/", "secret"), "proxy is not set"),
            (both("https://a.b/", "open"), "chmod 600"),
            (both("https://a.b/", "short"), "openssl rand"),
            (both("https://a.b/", "long"), "the secret alone"),
            (both("https://a.b/", "missing"), "may read"),
            ("proxy = 'http://127.0.0.1:1'".into(), "socks5://"),
            ("http_ca = 'secret'".into(), "no certificates"),
            ("http_ca = 'missing'".into(), "may read"),
            ("http_timeout_seconds = 0".into(), "from 1 to 30"),
            ("http_timeout_seconds = 31".into(), "from 1 to 30"),
            (
                "[webhok]\nurl = 'https://a.b/'".into(),
                "did you mean webhook.url?",
            ),
            ("[oracle]\nsecret = 'x'".into(), "did you mean oracle."),
        ];
        for (text, expected) in wrong {
            let error = folder.load(&text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
            assert!(!error.contains("u:p") && !error.contains(SECRET), "{error}");
        }
    }
}
