//! A small HTTP client for the operator's own servers: the webhook and the oracle.
//!
//! It sends one POST and takes one short answer. It follows no redirect, reads no long body, waits for
//! nothing beyond its time, and asks a proxy where one is set; nothing here reads the environment.
//! Errors name scheme, host and port, never a path or a secret.

mod endpoint;

pub use endpoint::{Endpoint, EndpointError, ParseProxyError, ProxyAddress};

use crate::config::SOFTWARE;
use hive_policy::signature::HEADER;
use hive_types::Millis;
use hive_types::limits::{HTTP_CONNECT_TIMEOUT, HTTP_REPLY_BYTES, HTTP_TIMEOUT};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::oneshot;
use ureq::config::ConfigBuilder;
use ureq::http::{Response, Uri, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;
use ureq::{Agent, Body, Proxy, ProxyProtocol};

/// How requests travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The proxy for everything that leaves this machine.
    pub proxy: Option<ProxyAddress>,
    /// The only certificate authorities that count; the public ones where there are none.
    pub authorities: Option<Authorities>,
    /// How long a connection may take.
    pub connect_timeout: Millis,
    /// How long a request may take in all.
    pub timeout: Millis,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            proxy: None,
            authorities: None,
            connect_timeout: HTTP_CONNECT_TIMEOUT,
            timeout: HTTP_TIMEOUT,
        }
    }
}

/// Certificates of authorities, in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities(Vec<Vec<u8>>);

/// A file gives no certificates.
#[derive(Debug, Error)]
pub enum AuthoritiesError {
    /// It can't be read.
    #[error("{}: {reason}; name a file that this user may read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// It holds something else.
    #[error("{} holds no certificates in PEM form; name the file of the authority that signed your server's certificate", .0.display())]
    Empty(PathBuf),
}

impl Authorities {
    /// Reads a file of certificates in PEM form.
    ///
    /// # Errors
    /// [`AuthoritiesError`]; its text says what to do.
    pub fn read(path: &Path) -> Result<Self, AuthoritiesError> {
        let bytes = std::fs::read(path).map_err(|reason| AuthoritiesError::File {
            path: path.into(),
            reason,
        })?;
        let items: Result<Vec<PemItem<'_>>, _> = parse_pem(&bytes).collect();
        let items = items.map_err(|_| AuthoritiesError::Empty(path.into()))?;
        let certificates = items.iter().filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate.der().to_vec()),
            _ => None,
        });
        let certificates: Vec<Vec<u8>> = certificates.collect();
        match certificates.is_empty() {
            true => Err(AuthoritiesError::Empty(path.into())),
            false => Ok(Self(certificates)),
        }
    }
}

/// A request brought no answer that counts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HttpError {
    /// It did not end in time.
    #[error("{to} did not answer within {after}; see that it runs and is reached from here")]
    Timeout {
        /// The server.
        to: String,
        /// How long it was waited for.
        after: Millis,
    },
    /// It points elsewhere. Whoever can answer for a server must not choose where signed words go.
    #[error("{to} redirects to {target} (status {status}); set that address if it is yours")]
    Redirect {
        /// The server.
        to: String,
        /// The status.
        status: u16,
        /// Where it points, without path.
        target: String,
    },
    /// It says no.
    #[error("{to} answered with status {status}; look into its log")]
    Status {
        /// The server.
        to: String,
        /// The status.
        status: u16,
    },
    /// It says more than anybody asked for.
    #[error("{to} answered with more than {HTTP_REPLY_BYTES} bytes; let it answer briefly")]
    TooLarge {
        /// The server.
        to: String,
    },
    /// Its certificate does not hold, or it speaks no TLS.
    #[error("no TLS with {to}: {reason}; mend its certificate, or name its authority with http_ca")]
    Tls {
        /// The server.
        to: String,
        /// What is wrong.
        reason: String,
    },
    /// No connection, or one that broke.
    #[error("no answer from {to}: {reason}; see that it runs and is reached from here")]
    Unreachable {
        /// The server.
        to: String,
        /// What the system said.
        reason: String,
    },
    /// Only a proxy reaches it, and none is set.
    #[error("{to} is reached through Tor only; set proxy, to socks5://127.0.0.1:9050 say")]
    NoProxy {
        /// The server.
        to: String,
    },
}

/// An answer with a status of success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its body, at most [`HTTP_REPLY_BYTES`].
    pub body: Vec<u8>,
    /// The header that signs it, where it has one.
    pub signature: Option<String>,
}

/// The header by which a server knows a repeated notification.
pub const IDEMPOTENCY_HEADER: &str = "Idempotency-Key";

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) signature: String,
    pub(crate) key: String,
    pub(crate) body: Vec<u8>,
}

/// The client. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    direct: Agent,
    proxied: Option<Agent>,
    timeout: Millis,
}

impl HttpClient {
    /// # Errors
    /// [`ParseProxyError`] for a proxy that can't be used: going without it would tell who asks.
    pub(crate) fn new(config: &HttpConfig) -> Result<Self, ParseProxyError> {
        let proxy = config.proxy.as_ref().map(as_proxy).transpose()?;
        let agent = |proxy| settings(config).proxy(proxy).build().new_agent();
        Ok(Self {
            direct: agent(None),
            proxied: proxy.map(|proxy| agent(Some(proxy))),
            timeout: config.timeout,
        })
    }

    /// Sends and waits, on a thread that is nobody's: an agent that stops does not wait for a server.
    pub(crate) async fn post(&self, to: &Endpoint, post: Post) -> Result<Answer, HttpError> {
        let (client, endpoint) = (self.clone(), to.clone());
        let (sender, answer) = oneshot::channel();
        let work = move || {
            // An error means that nobody waits any more.
            let _ = sender.send(client.post_here(&endpoint, &post));
        };
        let broken = |reason: String| HttpError::Unreachable {
            to: to.to_string(),
            reason,
        };
        let thread = std::thread::Builder::new().name("hive-http".to_owned());
        thread
            .spawn(work)
            .map_err(|error| broken(format!("the system gives no thread: {error}")))?;
        let ended = answer.await;
        ended.unwrap_or_else(|_| Err(broken("the client broke down".to_owned())))
    }

    fn post_here(&self, endpoint: &Endpoint, post: &Post) -> Result<Answer, HttpError> {
        let to = endpoint.to_string();
        let agent = match &self.proxied {
            Some(proxied) if endpoint.is_proxied() => proxied,
            None if endpoint.needs_proxy() => return Err(HttpError::NoProxy { to }),
            _ => &self.direct,
        };
        let sent = agent
            .post(endpoint.uri())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(HEADER, &post.signature)
            .header(IDEMPOTENCY_HEADER, &post.key)
            .send(&post.body);
        let mut response = sent.map_err(|error| self.failure(to.clone(), &error))?;
        judge(&to, &response)?;
        let signature = response.headers().get(HEADER);
        let signature = signature.and_then(|value| value.to_str().ok());
        let signature = signature.map(str::to_owned);
        let body = response.body_mut().with_config();
        let body = body.limit(HTTP_REPLY_BYTES as u64).read_to_vec();
        let body = body.map_err(|error| self.failure(to, &error))?;
        Ok(Answer { body, signature })
    }

    fn failure(&self, to: String, error: &ureq::Error) -> HttpError {
        use ureq::Error;
        match error {
            Error::Timeout(_) => self.timed_out(to),
            Error::Io(reason) => match reason.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock => self.timed_out(to),
                // What is read as TLS and is none, or proves nothing.
                ErrorKind::InvalidData => HttpError::Tls {
                    to,
                    reason: reason.to_string(),
                },
                _ => HttpError::Unreachable {
                    to,
                    reason: reason.to_string(),
                },
            },
            Error::BodyExceedsLimit(_) => HttpError::TooLarge { to },
            Error::Rustls(reason) => HttpError::Tls {
                to,
                reason: reason.to_string(),
            },
            Error::Tls(reason) => HttpError::Tls {
                to,
                reason: (*reason).to_owned(),
            },
            Error::HostNotFound => HttpError::Unreachable {
                to,
                reason: "its name is not known".to_owned(),
            },
            Error::LargeResponseHeader(..) => HttpError::TooLarge { to },
            Error::Protocol(_) => HttpError::Unreachable {
                to,
                reason: "what it sent is not HTTP".to_owned(),
            },
            _ => HttpError::Unreachable {
                to,
                reason: "the request could not be made".to_owned(),
            },
        }
    }

    fn timed_out(&self, to: String) -> HttpError {
        let after = self.timeout;
        HttpError::Timeout { to, after }
    }
}

/// Only a status of success is an answer.
fn judge(to: &str, response: &Response<Body>) -> Result<(), HttpError> {
    let (to, status) = (to.to_owned(), response.status());
    if status.is_success() {
        return Ok(());
    }
    if !status.is_redirection() {
        let status = status.as_u16();
        return Err(HttpError::Status { to, status });
    }
    let target = response.headers().get(header::LOCATION);
    let target = target.and_then(|value| value.to_str().ok()?.parse::<Uri>().ok());
    let target = target.filter(|uri| uri.host().is_some());
    let target = target.map_or("another path".to_owned(), |uri| endpoint::origin(&uri));
    Err(HttpError::Redirect {
        to,
        status: status.as_u16(),
        target,
    })
}

fn settings(config: &HttpConfig) -> ConfigBuilder<AgentScope> {
    let roots = match &config.authorities {
        None => RootCerts::WebPki,
        Some(Authorities(all)) => {
            let own = |der: &Vec<u8>| Certificate::from_der(der).to_owned();
            RootCerts::new_with_certs(&all.iter().map(own).collect::<Vec<_>>())
        }
    };
    let span = |millis: Millis| Some(Duration::from_millis(millis.get()));
    Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(0)
        .user_agent(SOFTWARE)
        .timeout_resolve(span(config.connect_timeout))
        .timeout_connect(span(config.connect_timeout))
        .timeout_global(span(config.timeout))
}

fn as_proxy(address: &ProxyAddress) -> Result<Proxy, ParseProxyError> {
    let builder = Proxy::builder(ProxyProtocol::Socks5h);
    let builder = builder.host(&address.host).port(address.port);
    let built = builder.resolve_target(false).build();
    built.map_err(|_| ParseProxyError)
}
