//! Nodes that are not as they should be: what is said, and what goes on.

use super::wire::Identity;
use super::{NODE, PEER, Stand};
use crate::connect::held;
use crate::graph::read_bounded;
use crate::proto::lnrpc::{ChannelEdge, ChannelGraph, Feature, Peer};
use hive_node::backend::{BackendError, LightningBackend};
use tonic::Status;

#[tokio::test]
async fn an_expired_certificate_is_told_and_accepted_until_there_is_a_new_one() {
    let mut stand = Stand::new().await;
    stand.show(&Identity::expired()).await;
    let backend = stand.backend();
    backend.info().await.unwrap();
    let told = backend.warnings().join("\n");
    assert!(
        told.contains("has expired") && told.contains("delete its tls.cert and tls.key"),
        "{told}"
    );
    stand.show(&Identity::new()).await;
    while backend.info().await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(backend.warnings(), Vec::<String>::new());
}

#[tokio::test]
async fn an_old_lnd_is_refused_and_a_new_one_told() {
    let stand = Stand::new().await;
    let version = |text: &str| held(&stand.fake.script).version = text.into();
    version("0.19.3-beta commit=v0.19.3-beta");
    let backend = stand.backend();
    let error = backend.info().await.unwrap_err();
    assert!(
        matches!(error, BackendError::Unfit(_)) && !error.is_retryable(),
        "{error}"
    );
    assert!(error.to_string().contains("upgrade it to v0.20"), "{error}");
    // Upgraded while the agent runs, to what nobody has tried.
    version("0.99.0-beta");
    backend.info().await.unwrap();
    let told = backend.warnings().join("\n");
    assert!(
        told.contains("0.99.0-beta is newer than v0.21") && told.contains("look for a newer agent"),
        "{told}"
    );
    version("");
    backend.info().await.unwrap();
    assert_eq!(backend.warnings(), Vec::<String>::new());
}

#[tokio::test]
async fn a_graph_beyond_all_bounds_is_refused_and_all_else_goes_on() {
    let stand = Stand::new().await;
    let edge = |channel_id| ChannelEdge {
        channel_id,
        node1_pub: NODE.into(),
        node2_pub: PEER.into(),
        ..ChannelEdge::default()
    };
    let edges: Vec<ChannelEdge> = (1..=20_000).map(edge).collect();
    held(&stand.fake.script).graph = ChannelGraph {
        nodes: vec![],
        edges,
    };
    let link = stand.link();
    assert_eq!(
        read_bounded(&link, 4 << 20).await.unwrap().channel_count(),
        20_000
    );
    let error = read_bounded(&link, 2 << 20).await.unwrap_err();
    assert!(matches!(error, BackendError::Unfit(_)), "{error}");
    let told = error.to_string();
    assert!(
        told.contains("2 MiB") && told.contains("Nothing is planned"),
        "{told}"
    );
    // The connection is as good as before.
    crate::info::ask(&link).await.unwrap();
    assert_eq!(
        read_bounded(&link, 4 << 20).await.unwrap().channel_count(),
        20_000
    );
}

#[tokio::test]
async fn a_peer_that_has_no_slot_is_told_with_the_setting_to_change() {
    let stand = Stand::new().await;
    // LND lists it for a moment, before the other end drops it.
    let listed = |features| Peer {
        pub_key: PEER.into(),
        features,
    };
    held(&stand.fake.script).peers = vec![listed([].into())];
    let backend = stand.backend();
    let peer = PEER.parse().unwrap();
    let address = ["127.0.0.1:9735".to_owned()];
    let error = backend.connect(peer, &address).await.unwrap_err();
    assert!(
        matches!(error, BackendError::PeerUnreachable { .. }),
        "{error}"
    );
    let told = backend.warnings().join("\n");
    assert!(
        told.contains(PEER) && told.contains("`num-restricted-slots` in lnd.conf"),
        "{told}"
    );
    // A node outside the fleet that does so is nobody's concern.
    let stranger: hive_types::NodeId = NODE.parse().unwrap();
    let listed_too = Peer {
        pub_key: NODE.into(),
        features: [].into(),
    };
    held(&stand.fake.script).peers.push(listed_too);
    let link = stand.link();
    let error = crate::dial::to_stranger(&link, stranger).await.unwrap_err();
    assert!(error.to_string().contains("dropped it at once"), "{error}");
    assert_eq!(link.warnings.all(), Vec::<String>::new());
    held(&stand.fake.script).peers = vec![listed([(1, Feature::default())].into())];
    backend.connect(peer, &address).await.unwrap();
    assert_eq!(backend.warnings(), Vec::<String>::new());
}

#[tokio::test]
async fn an_lnd_that_waits_for_its_chain_is_waited_for() {
    let stand = Stand::new().await;
    let starting = Status::unavailable("server is still in the process of starting");
    held(&stand.fake.script).refuses = Some(starting);
    let error = stand.backend().info().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(error.to_string().contains("it is starting"), "{error}");
}
