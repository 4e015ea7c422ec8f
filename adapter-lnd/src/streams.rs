//! LND's streams. They end with every restart of LND: then all begin anew together, and everything is read
//! again.

use crate::connect::{Link, held};
use crate::convert::node_id;
use crate::info;
use crate::permissions::Grants;
use crate::proto::chainrpc::BlockEpoch;
use crate::proto::lnrpc::peer_event::EventType;
use crate::proto::lnrpc::{
    ChannelEventSubscription, CustomMessage, GraphTopologySubscription, PeerEvent,
    PeerEventSubscription, SubscribeCustomMessagesRequest,
};
use crate::proto::routerrpc::SubscribeHtlcEventsRequest;
use crate::snapshot::Reader;
use crate::warnings::Topic;
use hive_node::backend::{BackendError, BackendEvent, EventQueue, Patience};
use hive_node::chance;
use hive_types::limits::{FRAME_BYTES, MESSAGE_TYPE};
use hive_types::{BlockHeight, NodeId};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::{Response, Status, Streaming};

/// A stream that the macaroon or the release does not give is asked for again after this: a new macaroon may
/// be there by then.
const DENIED_RETRY: Duration = Duration::from_secs(600);

/// Carries LND's streams into the queue.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) link: Link,
    pub(crate) queue: Arc<EventQueue>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) grants: Arc<Grants>,
}

impl Streams {
    /// Runs until it is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut wait = Backoff::default();
        loop {
            let ended = self.session(&mut wait).await;
            let span = wait.next();
            tracing::warn!(reason = %ended, again_in_ms = span.as_millis() as u64,
                "LND's streams ended; the agent subscribes again");
            tokio::time::sleep(span).await;
        }
    }

    /// All streams, until the first of them ends.
    async fn session(self: &Arc<Self>, wait: &mut Backoff) -> BackendError {
        // Waits for an LND that is starting or locked.
        if let Err(reason) = info::ask(&self.link).await {
            return reason;
        }
        if let Err(reason) = self.grants.ask(&self.link).await {
            return reason;
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().messages());
        tasks.spawn(self.clone().peer_events());
        tasks.spawn(self.clone().channel_events());
        tasks.spawn(self.clone().graph());
        tasks.spawn(self.clone().htlcs());
        tasks.spawn(self.clone().blocks());
        // LND answers a subscription with its first event only. Calls of one connection arrive in order:
        // once this one is answered, the subscriptions are there.
        tokio::task::yield_now().await;
        if let Err(reason) = info::ask(&self.link).await {
            return reason;
        }
        *wait = Backoff::default();
        self.queue.push(BackendEvent::Restarted);
        match tasks.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => BackendError::Reply(error.to_string()),
            None => BackendError::Unreachable("no stream".into()),
        }
    }

    /// Follows one stream. One that is denied is no reason to end the others.
    async fn follow<T, S, F>(
        self: Arc<Self>,
        call: &'static str,
        subscribe: impl Fn(Link) -> S + Send,
        take: impl Fn(Arc<Self>, T) -> F + Send,
    ) -> BackendError
    where
        S: Future<Output = Result<Response<Streaming<T>>, Status>> + Send,
        F: Future<Output = ()> + Send,
    {
        loop {
            let ended = match subscribe(self.link.clone()).await {
                Ok(stream) => self.drain(stream.into_inner(), &take).await,
                Err(status) => Some(status),
            };
            let reason = match ended {
                Some(status) => self.link.error(call, &status),
                None => BackendError::Unreachable(format!("{call} ended")),
            };
            if !matches!(reason, BackendError::Denied(_)) {
                return reason;
            }
            tracing::warn!(%reason, "what LND would tell by {call} stays unknown");
            tokio::time::sleep(DENIED_RETRY).await;
        }
    }

    /// Reads a stream to its end; `None` when LND ended it in good order.
    async fn drain<T, F>(
        self: &Arc<Self>,
        mut stream: Streaming<T>,
        take: &(impl Fn(Arc<Self>, T) -> F + Send),
    ) -> Option<Status>
    where
        F: Future<Output = ()> + Send,
    {
        loop {
            match stream.message().await {
                Ok(Some(item)) => take(self.clone(), item).await,
                Ok(None) => return None,
                Err(status) => return Some(status),
            }
        }
    }

    async fn messages(self: Arc<Self>) -> BackendError {
        let request = SubscribeCustomMessagesRequest {};
        self.follow(
            "/lnrpc.Lightning/SubscribeCustomMessages",
            move |link| async move { link.lightning().subscribe_custom_messages(request).await },
            |on, message| async move {
                if let Some(message) = as_message(message) {
                    on.queue.push(message);
                }
            },
        )
        .await
    }

    async fn peer_events(self: Arc<Self>) -> BackendError {
        let request = PeerEventSubscription {};
        self.follow(
            "/lnrpc.Lightning/SubscribePeerEvents",
            move |link| async move { link.lightning().subscribe_peer_events(request).await },
            |on, event| async move { on.take_link(&event) },
        )
        .await
    }

    /// LND does not tell the features of a peer's connection here; its list of peers has them.
    fn take_link(&self, event: &PeerEvent) {
        let Ok(peer) = node_id(&event.pub_key) else {
            return;
        };
        match event.r#type() {
            EventType::PeerOffline => self.queue.push(BackendEvent::PeerDisconnected { peer }),
            EventType::PeerOnline => {
                self.link.warnings.say(Topic::Slots(peer), None);
                self.queue.push_linked(peer, None);
            }
        }
    }

    async fn channel_events(self: Arc<Self>) -> BackendError {
        let request = ChannelEventSubscription {};
        self.follow(
            "/lnrpc.Lightning/SubscribeChannelEvents",
            move |link| async move { link.lightning().subscribe_channel_events(request).await },
            |on, _| async move { on.queue.push(BackendEvent::Changed) },
        )
        .await
    }

    async fn graph(self: Arc<Self>) -> BackendError {
        let request = GraphTopologySubscription {};
        self.follow(
            "/lnrpc.Lightning/SubscribeChannelGraph",
            move |link| async move { link.lightning().subscribe_channel_graph(request).await },
            |on, _| async move { on.queue.push(BackendEvent::GraphChanged) },
        )
        .await
    }

    async fn htlcs(self: Arc<Self>) -> BackendError {
        let request = SubscribeHtlcEventsRequest {};
        self.follow(
            "/routerrpc.Router/SubscribeHtlcEvents",
            move |link| async move { link.router().subscribe_htlc_events(request).await },
            |on, event| async move {
                held(&on.reader.htlcs).take(&event);
                on.queue.push(BackendEvent::Changed);
            },
        )
        .await
    }

    async fn blocks(self: Arc<Self>) -> BackendError {
        let request = BlockEpoch::default();
        self.follow(
            "/chainrpc.ChainNotifier/RegisterBlockEpochNtfn",
            move |link| async move { link.chain().register_block_epoch_ntfn(request).await },
            |on, block| async move {
                let height = BlockHeight::new(block.height);
                held(&on.reader.htlcs).at_height(height);
                on.queue.push(BackendEvent::Block { height });
            },
        )
        .await
    }
}

/// Only our type, and only what a frame may be.
fn as_message(message: CustomMessage) -> Option<BackendEvent> {
    let peer: [u8; NodeId::SIZE] = message.peer.as_slice().try_into().ok()?;
    let from = NodeId::from_bytes(peer).ok()?;
    let is_ours = message.r#type == u32::from(MESSAGE_TYPE) && message.data.len() <= FRAME_BYTES;
    is_ours.then_some(BackendEvent::Message {
        from,
        bytes: message.data,
    })
}

/// Twice as long each time up to a bound, less up to a half by chance: agents that lost the same LND do not
/// come back at one moment.
#[derive(Debug, Default)]
struct Backoff {
    patience: Patience,
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let span = self.patience.next_wait().get();
        Duration::from_millis(span - chance::below(span / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::limits::{BACKEND_RETRY, BACKEND_RETRY_MAX};

    #[test]
    fn only_our_type_comes_through() {
        let id = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c";
        let from: NodeId = id.parse().unwrap();
        let message = |kind: u32, length: usize| CustomMessage {
            peer: from.as_bytes().to_vec(),
            r#type: kind,
            data: vec![5; length],
        };
        let bytes = vec![5; 3];
        let expected = BackendEvent::Message { from, bytes };
        assert_eq!(as_message(message(MESSAGE_TYPE.into(), 3)), Some(expected));
        assert_eq!(as_message(message(32_769, 3)), None);
        assert_eq!(
            as_message(message(MESSAGE_TYPE.into(), FRAME_BYTES + 1)),
            None
        );
        let stranger = CustomMessage {
            peer: vec![9; 33],
            ..message(MESSAGE_TYPE.into(), 3)
        };
        assert_eq!(as_message(stranger), None);
    }

    #[test]
    fn waits_grow_and_end_at_a_bound() {
        let mut wait = Backoff::default();
        let spans: Vec<u64> = (0..10).map(|_| wait.next().as_millis() as u64).collect();
        let most = BACKEND_RETRY_MAX.get();
        assert!(spans[0] >= BACKEND_RETRY.get() / 2 && spans[0] <= BACKEND_RETRY.get());
        assert!(spans[9] >= most / 2 && spans[9] <= most);
    }
}
