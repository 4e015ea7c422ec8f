//! How long a message takes from one backend to another and back.

use crate::failure::{Context, Outcome, wrong};
use crate::node::Kind;
use hive_node::backend::{BackendEvent, LightningBackend};
use hive_types::NodeId;
use std::time::{Duration, Instant};

/// Round trips measured; the figure is their median.
const ROUNDS: u16 = 101;

/// About a signed heartbeat of fifty channels.
const BYTES: usize = 450;

/// A message that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends messages there and back between two linked nodes, one after the other, and prints the median.
pub(super) async fn measure(kinds: [Kind; 2], [near, far]: [&dyn LightningBackend; 2]) -> Outcome {
    let here = near.info().await.during("the near node")?.node_id;
    let there = far.info().await.during("the far node")?.node_id;
    let mut spans = Vec::new();
    for round in 0..ROUNDS {
        let mut bytes = round.to_be_bytes().to_vec();
        bytes.resize(BYTES, 0);
        let start = Instant::now();
        near.send(there, bytes.clone()).await.during("there")?;
        arrives(far, here, &bytes).await?;
        far.send(here, bytes.clone()).await.during("back")?;
        arrives(near, there, &bytes).await?;
        spans.push(start.elapsed());
    }
    spans.sort();
    let median = spans.get(spans.len() / 2).copied().unwrap_or_default();
    let [from, to] = kinds;
    println!(
        "FIGURE regtest_{from}_{to}_message_round_trip {:.1} ms -",
        median.as_secs_f64() * 1_000.0
    );
    Ok(())
}

/// Waits for these bytes from the peer; other events pass by.
async fn arrives(node: &dyn LightningBackend, from: NodeId, expected: &[u8]) -> Outcome {
    let message = async {
        loop {
            match node.next_event().await {
                Ok(BackendEvent::Message { from: peer, bytes }) if peer == from => break Ok(bytes),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        }
    };
    let came = tokio::time::timeout(PATIENCE, message).await;
    let came = came.during("a message")?.during("the node's events")?;
    match came == expected {
        true => Ok(()),
        false => wrong("another message came"),
    }
}
