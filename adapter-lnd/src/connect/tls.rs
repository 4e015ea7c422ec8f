//! One TLS connection to LND, whose self-signed certificate is pinned.

use super::expiry::days_expired;
use super::source::{Source, SourceError};
use crate::warnings::{Topic, Warnings};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A server on this machine or network that does not take a connection in this time is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// gRPC is HTTP/2, and LND's server insists on hearing so.
const ALPN: &[u8] = b"h2";

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ConnectError {
    /// Credentials.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Nobody listens, or nobody can be reached.
    #[error("no connection to LND at {authority}: {reason}")]
    Refused { authority: String, reason: String },
    /// Who listens is not LND, or another one.
    #[error(
        "the server at {0} shows another certificate than lnd.cert; if LND made a new one, copy its tls.cert again, else see who listens there"
    )]
    OtherCertificate(String),
    /// TLS failed otherwise.
    #[error("no TLS with {authority}: {reason}; see that lnd.host is LND's gRPC port")]
    Tls { authority: String, reason: String },
}

impl ConnectError {
    /// Whether the operator must change something.
    pub(crate) const fn is_lasting(&self) -> bool {
        match self {
            Self::Source(_) | Self::OtherCertificate(_) => true,
            Self::Refused { .. } | Self::Tls { .. } => false,
        }
    }
}

/// Accepts the pinned certificates alone. Names do not count, as the certificate itself is known; that the
/// server holds its key is checked as ever. One whose time is over is told and accepted: it is known as well as
/// before, LND goes on showing it until it starts anew, and a member that leaves its fleet over a date helps nobody.
#[derive(Debug)]
struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    warnings: Arc<Warnings>,
}

fn about_expired(days: u64) -> String {
    let since = match days {
        0 => "less than a day ago".to_owned(),
        1 => "a day ago".to_owned(),
        days => format!("{days} days ago"),
    };
    format!(
        "LND's certificate has expired, {since}: lncli and others refuse it, and LND makes a new one only when it \
         starts. Restart LND; where it keeps the old one, delete its tls.cert and tls.key before. If lnd.cert names a copy, \
         copy the new tls.cert there. The agent goes on meanwhile"
    )
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if !self.certificates.iter().any(|pinned| pinned == end_entity) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let expired = days_expired(end_entity, now.as_secs());
        self.warnings
            .say(Topic::Certificate, expired.map(about_expired));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}

/// Connects. The certificate is read at each call: after LND made a new one, the file has it.
pub(super) async fn connect(
    source: &Source,
    warnings: Arc<Warnings>,
) -> Result<TokioIo<TlsStream<TcpStream>>, ConnectError> {
    let authority = source.authority();
    let config = client_config(source.certificates()?, warnings)?;
    let refused = |reason: String| ConnectError::Refused {
        authority: authority.clone(),
        reason,
    };
    let dial = TcpStream::connect((source.host(), source.port()));
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, dial)
        .await
        .map_err(|_| refused("no answer".into()))?
        .map_err(|reason| refused(reason.to_string()))?;
    // Small messages that wait for more would make every call slow.
    let _ = stream.set_nodelay(true);
    let handshake = TlsConnector::from(Arc::new(config)).connect(name(source.host()), stream);
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, handshake)
        .await
        .map_err(|_| refused("no answer to the TLS handshake".into()))?;
    match stream {
        Ok(stream) => Ok(TokioIo::new(stream)),
        Err(reason) => {
            let inner = reason.get_ref().and_then(|inner| inner.downcast_ref());
            Err(match inner {
                Some(TlsError::InvalidCertificate(_)) => ConnectError::OtherCertificate(authority),
                _ => ConnectError::Tls {
                    authority,
                    reason: reason.to_string(),
                },
            })
        }
    }
}

fn client_config(
    certificates: Vec<CertificateDer<'static>>,
    warnings: Arc<Warnings>,
) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Pinned {
        certificates,
        provider: provider.clone(),
        warnings,
    };
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|reason| ConnectError::Tls {
        authority: "this program".into(),
        reason: reason.to_string(),
    })?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// Only sent as a hint: the pinned certificate decides, whatever name it bears.
fn name(host: &str) -> ServerName<'static> {
    let name = ServerName::try_from(host.to_owned());
    name.unwrap_or_else(|_| ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()))
}
