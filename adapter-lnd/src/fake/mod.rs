//! A server that plays LND, for tests that need no node: it answers what it is told to.

mod tests;
mod unfit;
mod wire;

use crate::connect::{Link, held};
use crate::proto::chainrpc::BlockEpoch;
use crate::proto::chainrpc::chain_notifier_server::{ChainNotifier, ChainNotifierServer};
use crate::proto::invoicesrpc::invoices_server::{Invoices, InvoicesServer};
use crate::proto::invoicesrpc::{CancelInvoiceMsg, CancelInvoiceResp};
use crate::proto::lnrpc::lightning_server::{Lightning, LightningServer};
use crate::proto::lnrpc::*;
use crate::proto::routerrpc::router_server::{Router, RouterServer};
use crate::proto::routerrpc::{
    HtlcEvent, SendToRouteRequest, SubscribeHtlcEventsRequest, TrackPaymentRequest,
};
use crate::proto::walletrpc::wallet_kit_server::{WalletKit, WalletKitServer};
use crate::proto::walletrpc::{
    ListLeasesRequest, ListLeasesResponse, ListUnspentRequest, ListUnspentResponse,
    ReleaseOutputRequest, ReleaseOutputResponse, UtxoLease,
};
use crate::{LndBackend, Source};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tonic::codegen::BoxStream;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, async_trait};
use wire::{Identity, Wire};

type Answer<T> = Result<Response<T>, Status>;
type MessageSender = mpsc::Sender<Result<CustomMessage, Status>>;

pub(crate) const NODE: &str = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c";
pub(crate) const PEER: &str = "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619";

/// The newest block.
const TIP: u32 = 100;

/// What the server answers, and what it was asked.
#[derive(Default)]
pub(crate) struct Script {
    /// Says so to every call.
    pub(crate) refuses: Option<Status>,
    pub(crate) graph: ChannelGraph,
    /// What it calls its version; an empty text stands for a release that was tried.
    pub(crate) version: String,
    /// Methods that the macaroon does not allow.
    pub(crate) denied: Vec<&'static str>,
    pub(crate) payment: Option<Payment>,
    /// How an attempt along a route ends.
    pub(crate) attempt: Option<HtlcAttempt>,
    /// Hashes of payments that were deleted.
    pub(crate) deleted: Vec<Vec<u8>>,
    pub(crate) unspent: Vec<Utxo>,
    pub(crate) leased: Vec<OutPoint>,
    pub(crate) lease_id: Vec<u8>,
    /// When the leases end, in seconds since 1970.
    pub(crate) lease_ends: u64,
    pub(crate) transactions: Vec<Transaction>,
    /// How many were given out, all answers together.
    pub(crate) transactions_told: usize,
    pub(crate) opening: Vec<pending_channels_response::PendingOpenChannel>,
    pub(crate) closed: Vec<ChannelCloseSummary>,
    pub(crate) peers: Vec<Peer>,
    /// Told to each that subscribes.
    pub(crate) links: Vec<PeerEvent>,
    pub(crate) asked: Vec<&'static str>,
    pub(crate) macaroons: Vec<String>,
}

/// LND, as far as it is played.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) script: Arc<Mutex<Script>>,
    messages: Arc<Mutex<Vec<MessageSender>>>,
    subscribed: watch::Sender<usize>,
}

impl Fake {
    fn heard<T>(&self, call: &'static str, request: &Request<T>) -> Result<(), Status> {
        let mut script = held(&self.script);
        script.asked.push(call);
        let macaroon = request.metadata().get("macaroon");
        let macaroon = macaroon
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        script.macaroons.push(macaroon.to_owned());
        script.refuses.clone().map_or(Ok(()), Err)
    }

    pub(crate) fn asked(&self, call: &str) -> usize {
        let script = held(&self.script);
        script.asked.iter().filter(|asked| **asked == call).count()
    }

    /// Waits until the agent subscribed so many times in all, and gives the newest subscription.
    pub(crate) async fn subscription(&self, count: usize) -> MessageSender {
        let mut subscribed = self.subscribed.subscribe();
        subscribed.wait_for(|there| *there >= count).await.unwrap();
        held(&self.messages).last().unwrap().clone()
    }
}

/// A stream that says nothing and does not end.
fn silent<T: Send + 'static>() -> Answer<BoxStream<T>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move { sender.closed().await });
    Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
}

#[async_trait]
impl Lightning for Fake {
    async fn get_info(&self, request: Request<GetInfoRequest>) -> Answer<GetInfoResponse> {
        self.heard("GetInfo", &request)?;
        Ok(Response::new(GetInfoResponse {
            identity_pubkey: NODE.into(),
            version: match held(&self.script).version.as_str() {
                "" => "0.21.2-beta".into(),
                other => other.into(),
            },
            block_height: TIP,
            synced_to_chain: true,
            chains: vec![Chain {
                network: "regtest".into(),
            }],
            ..GetInfoResponse::default()
        }))
    }

    async fn check_macaroon_permissions(
        &self,
        request: Request<CheckMacPermRequest>,
    ) -> Answer<CheckMacPermResponse> {
        self.heard("CheckMacaroonPermissions", &request)?;
        let asked = request.into_inner().full_method;
        match held(&self.script).denied.contains(&asked.as_str()) {
            true => Err(Status::invalid_argument("permission denied")),
            false => Ok(Response::new(CheckMacPermResponse { valid: true })),
        }
    }

    async fn list_peers(&self, request: Request<ListPeersRequest>) -> Answer<ListPeersResponse> {
        self.heard("ListPeers", &request)?;
        Ok(Response::new(ListPeersResponse {
            peers: held(&self.script).peers.clone(),
        }))
    }

    async fn connect_peer(
        &self,
        request: Request<ConnectPeerRequest>,
    ) -> Answer<ConnectPeerResponse> {
        self.heard("ConnectPeer", &request)?;
        Ok(Response::new(ConnectPeerResponse {}))
    }

    async fn get_node_info(&self, request: Request<NodeInfoRequest>) -> Answer<NodeInfo> {
        self.heard("GetNodeInfo", &request)?;
        let node = LightningNode {
            pub_key: request.into_inner().pub_key,
            addresses: vec![NodeAddress {
                addr: "127.0.0.1:9735".into(),
            }],
        };
        Ok(Response::new(NodeInfo { node: Some(node) }))
    }

    async fn describe_graph(&self, request: Request<ChannelGraphRequest>) -> Answer<ChannelGraph> {
        self.heard("DescribeGraph", &request)?;
        Ok(Response::new(held(&self.script).graph.clone()))
    }

    async fn delete_payment(
        &self,
        request: Request<DeletePaymentRequest>,
    ) -> Answer<DeletePaymentResponse> {
        self.heard("DeletePayment", &request)?;
        let mut script = held(&self.script);
        if script.denied.contains(&"/lnrpc.Lightning/DeletePayment") {
            return Err(Status::unknown("permission denied"));
        }
        script.deleted.push(request.into_inner().payment_hash);
        Ok(Response::new(DeletePaymentResponse {}))
    }

    async fn list_channels(
        &self,
        request: Request<ListChannelsRequest>,
    ) -> Answer<ListChannelsResponse> {
        self.heard("ListChannels", &request)?;
        Ok(Response::new(ListChannelsResponse::default()))
    }

    async fn pending_channels(
        &self,
        request: Request<PendingChannelsRequest>,
    ) -> Answer<PendingChannelsResponse> {
        self.heard("PendingChannels", &request)?;
        Ok(Response::new(PendingChannelsResponse {
            pending_open_channels: held(&self.script).opening.clone(),
            ..PendingChannelsResponse::default()
        }))
    }

    async fn closed_channels(
        &self,
        request: Request<ClosedChannelsRequest>,
    ) -> Answer<ClosedChannelsResponse> {
        self.heard("ClosedChannels", &request)?;
        Ok(Response::new(ClosedChannelsResponse {
            channels: held(&self.script).closed.clone(),
        }))
    }

    async fn get_transactions(
        &self,
        request: Request<GetTransactionsRequest>,
    ) -> Answer<TransactionDetails> {
        self.heard("GetTransactions", &request)?;
        let start = request.into_inner().start_height;
        let mut script = held(&self.script);
        let mut transactions = script.transactions.clone();
        let height = |confirmations: i32| TIP.cast_signed() + 1 - confirmations;
        transactions.retain(|one| height(one.num_confirmations) >= start);
        script.transactions_told += transactions.len();
        Ok(Response::new(TransactionDetails { transactions }))
    }

    async fn subscribe_custom_messages(
        &self,
        request: Request<SubscribeCustomMessagesRequest>,
    ) -> Answer<BoxStream<CustomMessage>> {
        self.heard("SubscribeCustomMessages", &request)?;
        let (sender, receiver) = mpsc::channel(1);
        held(&self.messages).push(sender);
        self.subscribed.send_modify(|count| *count += 1);
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn subscribe_peer_events(
        &self,
        _: Request<PeerEventSubscription>,
    ) -> Answer<BoxStream<PeerEvent>> {
        let links = held(&self.script).links.clone();
        let (sender, receiver) = mpsc::channel(links.len().max(1));
        for link in links {
            sender.try_send(Ok(link)).unwrap();
        }
        tokio::spawn(async move { sender.closed().await });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn subscribe_channel_events(
        &self,
        _: Request<ChannelEventSubscription>,
    ) -> Answer<BoxStream<ChannelEventUpdate>> {
        silent()
    }

    async fn subscribe_channel_graph(
        &self,
        _: Request<GraphTopologySubscription>,
    ) -> Answer<BoxStream<GraphTopologyUpdate>> {
        silent()
    }
}

#[async_trait]
impl Router for Fake {
    async fn track_payment_v2(
        &self,
        request: Request<TrackPaymentRequest>,
    ) -> Answer<BoxStream<Payment>> {
        self.heard("TrackPaymentV2", &request)?;
        let payment = held(&self.script).payment.clone();
        let payment = payment.ok_or_else(|| Status::not_found("payment isn't initiated"))?;
        let (sender, receiver) = mpsc::channel(1);
        sender.try_send(Ok(payment)).unwrap();
        // As LND's, the stream of a payment that is under way goes on.
        tokio::spawn(async move { sender.closed().await });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn send_to_route_v2(&self, request: Request<SendToRouteRequest>) -> Answer<HtlcAttempt> {
        self.heard("SendToRouteV2", &request)?;
        let attempt = held(&self.script).attempt.clone();
        let attempt = attempt.ok_or_else(|| Status::already_exists("payment already exists"))?;
        Ok(Response::new(attempt))
    }

    async fn subscribe_htlc_events(
        &self,
        _: Request<SubscribeHtlcEventsRequest>,
    ) -> Answer<BoxStream<HtlcEvent>> {
        silent()
    }
}

#[async_trait]
impl WalletKit for Fake {
    async fn list_unspent(
        &self,
        request: Request<ListUnspentRequest>,
    ) -> Answer<ListUnspentResponse> {
        self.heard("ListUnspent", &request)?;
        Ok(Response::new(ListUnspentResponse {
            utxos: held(&self.script).unspent.clone(),
        }))
    }

    async fn list_leases(&self, request: Request<ListLeasesRequest>) -> Answer<ListLeasesResponse> {
        self.heard("ListLeases", &request)?;
        let script = held(&self.script);
        let leases = script.leased.iter().map(|outpoint| UtxoLease {
            id: script.lease_id.clone(),
            outpoint: Some(outpoint.clone()),
            expiration: script.lease_ends,
        });
        Ok(Response::new(ListLeasesResponse {
            locked_utxos: leases.collect(),
        }))
    }

    async fn release_output(
        &self,
        request: Request<ReleaseOutputRequest>,
    ) -> Answer<ReleaseOutputResponse> {
        self.heard("ReleaseOutput", &request)?;
        let asked = request.into_inner();
        let mut script = held(&self.script);
        if asked.id != script.lease_id {
            return Err(Status::unknown("output is locked by another id"));
        }
        script
            .leased
            .retain(|place| Some(place) != asked.outpoint.as_ref());
        Ok(Response::new(ReleaseOutputResponse {}))
    }
}

#[async_trait]
impl Invoices for Fake {
    async fn cancel_invoice(
        &self,
        request: Request<CancelInvoiceMsg>,
    ) -> Answer<CancelInvoiceResp> {
        self.heard("CancelInvoice", &request)?;
        Ok(Response::new(CancelInvoiceResp {}))
    }
}

#[async_trait]
impl ChainNotifier for Fake {
    async fn register_block_epoch_ntfn(
        &self,
        _: Request<BlockEpoch>,
    ) -> Answer<BoxStream<BlockEpoch>> {
        silent()
    }
}

/// The server at its port, with the folder of its credentials.
pub(crate) struct Stand {
    pub(crate) fake: Fake,
    folder: TempDir,
    port: u16,
    process: Option<Runtime>,
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Stand {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut macaroon = vec![9; 80];
        macaroon[0] = 2;
        std::fs::write(folder.path().join("hive.macaroon"), macaroon).unwrap();
        let mut stand = Self {
            fake: Fake {
                script: Arc::default(),
                messages: Arc::default(),
                subscribed: watch::Sender::new(0),
            },
            folder,
            port: 0,
            process: None,
        };
        stand.show(&Identity::new()).await;
        stand
    }

    /// Starts with another certificate, and writes it down.
    pub(crate) async fn show(&mut self, identity: &Identity) {
        self.kill();
        self.write_certificate(identity);
        self.start(identity).await;
    }

    pub(crate) fn certificate(&self) -> std::path::PathBuf {
        self.folder.path().join("tls.cert")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write_certificate(&self, identity: &Identity) {
        std::fs::write(self.certificate(), identity.pem()).unwrap();
    }

    /// On threads of its own, as a process is.
    pub(crate) async fn start(&mut self, identity: &Identity) {
        let mut threads = Builder::new_multi_thread();
        let process = threads.worker_threads(1).enable_all().build().unwrap();
        let (acceptor, port, fake) = (identity.acceptor(), self.port, self.fake.clone());
        let (sender, receiver) = oneshot::channel();
        process.spawn(async move {
            let (address, incoming) = wire::listen(acceptor, port).await;
            sender.send(address.port()).unwrap();
            Server::builder()
                .add_service(LightningServer::new(fake.clone()))
                .add_service(RouterServer::new(fake.clone()))
                .add_service(WalletKitServer::new(fake.clone()))
                .add_service(InvoicesServer::new(fake.clone()))
                .add_service(ChainNotifierServer::new(fake))
                .serve_with_incoming::<_, Wire, _, _>(incoming)
                .await
                .unwrap();
        });
        self.port = receiver.await.unwrap();
        self.process = Some(process);
    }

    /// The process is gone, with all its connections.
    pub(crate) fn kill(&mut self) {
        held(&self.fake.messages).clear();
        if let Some(process) = self.process.take() {
            process.shutdown_background();
        }
    }

    pub(crate) fn source(&self) -> Source {
        let host = format!("127.0.0.1:{}", self.port);
        Source::files(
            &host,
            &self.certificate(),
            &self.folder.path().join("hive.macaroon"),
        )
        .unwrap()
    }

    pub(crate) fn backend(&self) -> LndBackend {
        LndBackend::new(self.source()).unwrap()
    }

    pub(crate) fn link(&self) -> Link {
        Link::new(self.source()).unwrap()
    }
}
