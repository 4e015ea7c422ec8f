//! Links and what crosses them.

use super::{Outcome, Suite, Wrong, ensure};
use crate::backend::{BackendError, BackendEvent, LightningBackend};
use hive_types::NodeId;
use hive_types::limits::FRAME_BYTES;

/// Without a link there is a clear error and nothing else.
pub(super) async fn nothing_goes_to_strangers(suite: &Suite<'_>) -> Outcome {
    let [a, b, _] = suite.all();
    let to = b.info().await?.node_id;
    match a.send(to, vec![1, 2, 3]).await {
        Err(BackendError::NotConnected(peer)) if peer == to => Ok(()),
        other => Err(Wrong(format!("sending to a stranger gave {other:?}"))),
    }
}

/// A link comes up by dialling, is seen by both ends, and dialling again is no error.
pub(super) async fn links_come_up(suite: &Suite<'_>) -> Outcome {
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let (dialling, dialled) = (suite.all()[from], suite.all()[to]);
        let (from_id, to_id) = (
            dialling.info().await?.node_id,
            dialled.info().await?.node_id,
        );
        let addresses = suite.fixture.addresses(to);
        dialling.connect(to_id, &addresses).await?;
        dialling.connect(to_id, &addresses).await?;
        for (node, peer) in [(dialling, to_id), (dialled, from_id)] {
            // A node may list a peer before their `init` messages have passed.
            suite
                .until(
                    "the link stands with its features in the snapshot",
                    async || {
                        let peers = node.snapshot().await?.peers;
                        let mut views = peers.iter();
                        let stands =
                            views.any(|view| view.node_id == peer && !view.features.is_empty());
                        Ok(stands.then_some(()))
                    },
                )
                .await?;
        }
    }
    Ok(())
}

/// Every size up to the largest frame arrives byte for byte, in order, with its sender's id.
pub(super) async fn messages_arrive_whole_and_in_order(suite: &Suite<'_>) -> Outcome {
    let [a, b, _] = suite.all();
    let (from, to) = (a.info().await?.node_id, b.info().await?.node_id);
    let sizes = [1, 2, 65_531, 1_000, FRAME_BYTES];
    for (number, size) in sizes.into_iter().enumerate() {
        a.send(to, frame(number, size)).await?;
    }
    for (number, size) in sizes.into_iter().enumerate() {
        let bytes = next_message(suite, b, from).await?;
        let expected = frame(number, size);
        ensure(bytes == expected, || {
            format!(
                "message {number} of {size} bytes came as {} bytes",
                bytes.len()
            )
        })?;
    }
    Ok(())
}

/// Bytes that differ between messages and along one.
fn frame(number: usize, size: usize) -> Vec<u8> {
    let byte = |place: usize| u8::try_from((place * 31 + number) % 251).unwrap_or_default();
    (0..size).map(byte).collect()
}

/// The next message from a peer; other events pass by. The world goes on while this waits.
async fn next_message(
    suite: &Suite<'_>,
    node: &dyn LightningBackend,
    peer: NodeId,
) -> Outcome<Vec<u8>> {
    let mut next = Box::pin(node.next_event());
    for _ in 0..super::PATIENCE {
        let event = tokio::select! {
            biased;
            event = &mut next => event?,
            () = suite.fixture.pass() => continue,
        };
        match event {
            BackendEvent::Message { from, bytes } if from == peer => return Ok(bytes),
            _ => next = Box::pin(node.next_event()),
        }
    }
    Err(Wrong("waited in vain for a message".into()))
}
