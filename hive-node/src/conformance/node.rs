//! What a node says of itself.

use super::{Outcome, Suite, ensure, wrong};
use hive_proto::NodeSignature;
use hive_types::Sat;

/// What each node gets to open channels with.
const FUNDS: Sat = Sat::new(5_000_000);

/// Id, network and tip agree between all that a node says of itself, and ids differ between nodes.
pub(super) async fn info_is_sane(suite: &Suite<'_>) -> Outcome {
    suite.fixture.mine(1).await;
    suite.synced().await?;
    let mut ids = Vec::new();
    for node in suite.all() {
        let (info, snapshot) = (node.info().await?, node.snapshot().await?);
        ensure(info.node_id == snapshot.node_id, || {
            format!(
                "info is {}, the snapshot {}",
                info.node_id, snapshot.node_id
            )
        })?;
        ensure(info.network == snapshot.network, || {
            format!(
                "info is on {}, the snapshot on {}",
                info.network, snapshot.network
            )
        })?;
        ensure(snapshot.height >= info.height, || {
            format!(
                "the tip went back from {} to {}",
                info.height, snapshot.height
            )
        })?;
        ensure(!info.version.is_empty(), || "no version".into())?;
        ensure(!ids.contains(&info.node_id), || {
            format!("{} is there twice", info.node_id)
        })?;
        ids.push(info.node_id);
    }
    Ok(())
}

/// Money that arrives on chain stands in the snapshot, to the satoshi, and lists are in order.
pub(super) async fn snapshot_follows_the_chain(suite: &Suite<'_>) -> Outcome {
    for (place, node) in suite.all().into_iter().enumerate() {
        let before = node.snapshot().await?.on_chain.confirmed;
        suite.fixture.fund(place, FUNDS).await;
        let expected = before.saturating_add(FUNDS);
        suite
            .until("on-chain money is confirmed", async || {
                let confirmed = node.snapshot().await?.on_chain.confirmed;
                ensure(confirmed <= expected, || format!("{confirmed} is too much"))?;
                Ok((confirmed == expected).then_some(()))
            })
            .await?;
    }
    suite.synced().await
}

/// `signmessage` is the one that all implementations share: it verifies with no node's help.
pub(super) async fn signatures_recover_to_the_node(suite: &Suite<'_>) -> Outcome {
    for node in suite.all() {
        let id = node.info().await?.node_id;
        for text in ["hive manifest v1 00ff", "x", "größer als ASCII"] {
            let zbase = node.sign(text).await?;
            let signature = NodeSignature::parse(&zbase);
            let signature = signature.map_err(|error| wrong(&zbase, error))?;
            let verified = signature.verify(text, &id);
            verified.map_err(|error| wrong(&format!("signature over {text:?}"), error))?;
        }
    }
    Ok(())
}
