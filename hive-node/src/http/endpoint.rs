//! Where requests go, and over which proxy.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use thiserror::Error;
use ureq::http::Uri;

/// An address that requests are sent to. What it shows of itself is scheme, host and port: path and
/// query are often the key to somebody's service.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
    reach: Reach,
}

/// What stands between here and a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// It is on this machine: no proxy is asked, and none would know it.
    Loopback,
    /// Only a proxy knows the way.
    Onion,
    /// Anywhere else.
    World,
}

/// A text is no address that requests may go to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Not of the form.
    #[error("no address; write https://host[:port]/path")]
    Malformed,
    /// User and password in it end up in logs of proxies and servers.
    #[error("an address with user or password is not used; the signature says who sends")]
    Credentials,
    /// Anybody on the way could read and change it.
    #[error(
        "http goes unencrypted and only to this machine or, through a proxy, to .onion names; write https"
    )]
    Unencrypted,
    /// Neither http nor https.
    #[error("{0} is not spoken here; write https")]
    Scheme(
        /// What was named.
        String,
    ),
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| EndpointError::Malformed)?;
        let authority = uri.authority().ok_or(EndpointError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::Credentials);
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let reach = Reach::of(host.ok_or(EndpointError::Malformed)?);
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if reach != Reach::World => {}
            Some("http") => return Err(EndpointError::Unencrypted),
            Some(other) => return Err(EndpointError::Scheme(other.into())),
            None => return Err(EndpointError::Malformed),
        }
        Ok(Self { uri, reach })
    }
}

impl Reach {
    fn of(host: &str) -> Self {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let lower = bare.trim_end_matches('.').to_ascii_lowercase();
        let is_own = bare
            .parse::<IpAddr>()
            .map_or(lower == "localhost", |ip| ip.is_loopback());
        match is_own {
            true => Self::Loopback,
            false if lower.ends_with(".onion") => Self::Onion,
            false => Self::World,
        }
    }
}

impl Endpoint {
    /// Whether a request leaves this machine, and so goes through the proxy where one is set.
    pub(crate) fn is_proxied(&self) -> bool {
        self.reach != Reach::Loopback
    }

    /// Whether nothing but a proxy reaches it.
    pub(crate) fn needs_proxy(&self) -> bool {
        self.reach == Reach::Onion
    }

    pub(super) fn uri(&self) -> Uri {
        self.uri.clone()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&origin(&self.uri))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// Scheme, host and port.
pub(super) fn origin(uri: &Uri) -> String {
    let host = uri.host().unwrap_or("?");
    let scheme = uri.scheme_str().unwrap_or("?");
    match uri.port_u16() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}

/// A SOCKS5 proxy, which also finds the names: asking for them elsewhere would tell who is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAddress {
    pub(super) host: String,
    pub(super) port: u16,
}

/// A text is no proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no SOCKS5 proxy; write socks5://host:port, socks5://127.0.0.1:9050 for Tor")]
pub struct ParseProxyError;

impl FromStr for ProxyAddress {
    type Err = ParseProxyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = ["socks5://", "socks5h://"];
        let rest = known.iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or(ParseProxyError)?.trim_end_matches('/');
        let uri: Uri = rest.parse().map_err(|_| ParseProxyError)?;
        let authority = uri.authority().filter(|one| one.as_str() == rest);
        let authority = authority.ok_or(ParseProxyError)?;
        let is_plain = !authority.as_str().contains('@') && !authority.host().is_empty();
        match authority.port_u16() {
            Some(port) if is_plain && port > 0 => Ok(Self {
                host: authority.host().into(),
                port,
            }),
            _ => Err(ParseProxyError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_reads_on_the_way_is_an_address() {
        let good = [
            "https://hooks.example.com/a?key=1",
            "https://127.0.0.1:8443/",
            "http://127.0.0.1:8080/x",
            "http://[::1]:8080",
            "http://localhost/x",
            "http://abc.onion/x",
        ];
        for text in good {
            assert!(text.parse::<Endpoint>().is_ok(), "{text}");
        }
        let bad = [
            ("http://example.com/", EndpointError::Unencrypted),
            ("http://127.0.0.1.example.com/", EndpointError::Unencrypted),
            ("http://localhost.example.com/", EndpointError::Unencrypted),
            ("http://10.0.0.1/", EndpointError::Unencrypted),
            (
                "https://user:secret@example.com/",
                EndpointError::Credentials,
            ),
            ("https://user@example.com/", EndpointError::Credentials),
            ("http://127.0.0.1@example.com/", EndpointError::Credentials),
            ("ftp://example.com/", EndpointError::Scheme("ftp".into())),
            ("example.com", EndpointError::Malformed),
            ("/path", EndpointError::Malformed),
            ("", EndpointError::Malformed),
            ("https://", EndpointError::Malformed),
        ];
        for (text, expected) in bad {
            assert_eq!(text.parse::<Endpoint>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn an_address_shows_no_path() {
        let endpoint: Endpoint = "https://hooks.example.com:8443/T0P/secret?key=1"
            .parse()
            .unwrap();
        assert_eq!(endpoint.to_string(), "https://hooks.example.com:8443");
        assert!(!format!("{endpoint:?}").contains("secret"));
    }

    #[test]
    fn proxies() {
        let tor: ProxyAddress = "socks5://127.0.0.1:9050".parse().unwrap();
        assert_eq!((tor.host.as_str(), tor.port), ("127.0.0.1", 9050));
        assert!("socks5h://[::1]:9050/".parse::<ProxyAddress>().is_ok());
        let bad = [
            "127.0.0.1:9050",
            "http://127.0.0.1:8080",
            "socks5://127.0.0.1",
            "socks5://:9050",
            "socks5://a:b@127.0.0.1:9050",
            "socks5://127.0.0.1:0",
            "socks5://127.0.0.1:9050/x",
            "",
        ];
        for text in bad {
            assert_eq!(text.parse::<ProxyAddress>(), Err(ParseProxyError), "{text}");
        }
    }
}
