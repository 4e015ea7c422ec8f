//! The connection to LND: one HTTP/2 channel that comes back by itself, a macaroon on each call.

mod expiry;
mod source;
mod status;
mod tls;

pub(crate) use source::MACAROON_FILE;
pub use source::{Source, SourceError};
pub(crate) use status::{as_error, is_lost};

use crate::permissions::Capability;
use crate::proto::{chainrpc, invoicesrpc, lnrpc, routerrpc, walletrpc};
use crate::warnings::Warnings;
use data_encoding::HEXLOWER;
use hive_node::backend::BackendError;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tls::ConnectError;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

/// A plain call that is not answered in this time counts as lost. LND answers most in milliseconds, and
/// the ones that search its database in seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a reply other than the graph: a large node's lists of all that it ever did, and a flood must end
/// somewhere. What is made of them takes no more than they do.
pub(crate) const REPLY_BYTES: usize = 128 << 20;

/// An idle connection is asked for a sign of life this often. LND takes no offence above five seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A connection that gives no sign of life in this time is dead.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes that may be under way on one stream: enough for the graph not to crawl.
const WINDOW_BYTES: u32 = 4 << 20;

/// What every call goes through.
type Authorized = InterceptedService<Channel, Macaroon>;
pub(crate) type LightningClient = lnrpc::lightning_client::LightningClient<Authorized>;
pub(crate) type RouterClient = routerrpc::router_client::RouterClient<Authorized>;
pub(crate) type WalletClient = walletrpc::wallet_kit_client::WalletKitClient<Authorized>;
pub(crate) type InvoicesClient = invoicesrpc::invoices_client::InvoicesClient<Authorized>;
pub(crate) type ChainClient = chainrpc::chain_notifier_client::ChainNotifierClient<Authorized>;

/// What the connector leaves for others to see.
#[derive(Debug, Default)]
struct Shared {
    /// Why the last attempt failed; gone with the next connection.
    failure: Option<ConnectError>,
    macaroon: Option<(Vec<u8>, MetadataValue<Ascii>)>,
}

/// Puts the macaroon on each call.
#[derive(Clone, Debug)]
pub(crate) struct Macaroon(Arc<Mutex<Shared>>);

impl Interceptor for Macaroon {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some((_, value)) = &held(&self.0).macaroon {
            request.metadata_mut().insert("macaroon", value.clone());
        }
        Ok(request)
    }
}

/// LND, as long as the agent lives. Cheap to clone; all clones share one connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    channel: Channel,
    shared: Arc<Mutex<Shared>>,
    pub(crate) warnings: Arc<Warnings>,
    /// What the macaroon is for; nothing before LND was asked.
    pub(crate) there: Arc<Mutex<Option<BTreeSet<Capability>>>>,
}

impl Link {
    /// Reads the credentials once, so that what is wrong with them shows at once. Connects with the
    /// first call.
    ///
    /// # Errors
    /// [`SourceError`].
    pub(crate) fn new(source: Source) -> Result<Self, SourceError> {
        source.certificates()?;
        let shared = Arc::new(Mutex::new(Shared::default()));
        take_macaroon(&shared, source.macaroon()?)?;
        let endpoint = Endpoint::from_shared(format!("https://{}", source.authority()))
            .map_err(|_| SourceError::Host(source.authority()))?
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES);
        let warnings = Arc::<Warnings>::default();
        let (connecting, seen, told) = (Arc::new(source), shared.clone(), warnings.clone());
        let connector =
            tower::service_fn(move |_| connect(connecting.clone(), seen.clone(), told.clone()));
        Ok(Self {
            channel: endpoint.connect_with_connector_lazy(connector),
            shared,
            warnings,
            there: Arc::default(),
        })
    }

    fn authorized(&self) -> Authorized {
        InterceptedService::new(self.channel.clone(), Macaroon(self.shared.clone()))
    }

    pub(crate) fn lightning(&self) -> LightningClient {
        LightningClient::new(self.authorized()).max_decoding_message_size(REPLY_BYTES)
    }

    pub(crate) fn router(&self) -> RouterClient {
        RouterClient::new(self.authorized())
    }

    pub(crate) fn wallet(&self) -> WalletClient {
        WalletClient::new(self.authorized()).max_decoding_message_size(REPLY_BYTES)
    }

    pub(crate) fn invoices(&self) -> InvoicesClient {
        InvoicesClient::new(self.authorized())
    }

    pub(crate) fn chain(&self) -> ChainClient {
        ChainClient::new(self.authorized())
    }

    /// The macaroon in use, to ask what it allows.
    pub(crate) fn macaroon(&self) -> Vec<u8> {
        let shared = held(&self.shared);
        let bytes = shared.macaroon.as_ref().map(|(bytes, _)| bytes.clone());
        bytes.unwrap_or_default()
    }

    /// A failed call in the words of backends. `call` is its full method.
    pub(crate) fn error(&self, call: &str, status: &Status) -> BackendError {
        match &held(&self.shared).failure {
            Some(failure) if is_lost(status) && failure.is_lasting() => {
                BackendError::Denied(failure.to_string())
            }
            Some(failure) if is_lost(status) => BackendError::Unreachable(failure.to_string()),
            _ => as_error(call, status, held(&self.there).as_ref()),
        }
    }

    /// Waits for a plain call as long as is reasonable.
    ///
    /// # Errors
    /// [`BackendError`].
    pub(crate) async fn ask<T>(
        &self,
        call: &str,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, BackendError> {
        let answer = self.wait(answer).await;
        answer.map_err(|status| self.error(call, &status))
    }

    /// As [`Link::ask`], with LND's own words where it refuses.
    ///
    /// # Errors
    /// What LND said, or that it did not answer in time.
    pub(crate) async fn wait<T>(
        &self,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Status> {
        match tokio::time::timeout(CALL_TIMEOUT, answer).await {
            Ok(answer) => answer.map(Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "no answer in {} seconds",
                CALL_TIMEOUT.as_secs()
            ))),
        }
    }
}

type Stream = hyper_util::rt::TokioIo<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>;

/// One connection. Credentials are read anew: an LND that started again may have other ones.
async fn connect(
    source: Arc<Source>,
    shared: Arc<Mutex<Shared>>,
    warnings: Arc<Warnings>,
) -> Result<Stream, ConnectError> {
    let refreshed = source
        .macaroon()
        .and_then(|bytes| take_macaroon(&shared, bytes));
    let connected = match refreshed {
        Ok(()) => tls::connect(&source, warnings).await,
        Err(error) => Err(error.into()),
    };
    held(&shared).failure = connected.as_ref().err().cloned();
    connected
}

fn take_macaroon(shared: &Mutex<Shared>, bytes: Vec<u8>) -> Result<(), SourceError> {
    let value = MetadataValue::try_from(HEXLOWER.encode(&bytes));
    let mut value = value.map_err(|_| SourceError::Macaroon("given".into()))?;
    // Keeps it out of logs and of header compression tables.
    value.set_sensitive(true);
    held(shared).macaroon = Some((bytes, value));
    Ok(())
}

/// What stands behind these locks is whole after every statement.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
