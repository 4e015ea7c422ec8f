//! The embedded world keeps every promise that real nodes are held to.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::{EmbeddedBackend, Ground};
use async_trait::async_trait;
use hive_node::backend::LightningBackend;
use hive_node::conformance::{self, Fixture, LEAST_CHANNEL};
use hive_sim::world::{BlockInterval, NodeSpec, World, WorldConfig};
use hive_types::{Millis, NodeId, Sat};
use std::sync::Arc;

struct Three {
    ground: Arc<Ground>,
    ids: [NodeId; 3],
    nodes: [Arc<dyn LightningBackend>; 3],
}

#[async_trait]
impl Fixture for Three {
    fn nodes(&self) -> [Arc<dyn LightningBackend>; 3] {
        self.nodes.clone()
    }

    fn addresses(&self, node: usize) -> Vec<String> {
        vec![format!("node{node}.example:9735")]
    }

    async fn fund(&self, node: usize, amount: Sat) {
        self.ground.world().fund(self.ids[node], amount).unwrap();
    }

    async fn mine(&self, blocks: u32) {
        self.ground.world().mine(blocks);
        self.ground.ring();
    }

    async fn pass(&self) {
        self.ground.time().sleep(Millis::from_secs(1)).await;
    }
}

#[test]
fn embedded_nodes_conform() {
    let mut world = World::new(WorldConfig {
        blocks: BlockInterval::Manual,
        ..WorldConfig::default()
    });
    let spec = NodeSpec::agent(Sat::ZERO);
    let features = spec.features.clone();
    let ids = [0, 1, 2].map(|_| world.add_node(spec.clone()).unwrap());
    world.set_min_channel(ids[1], LEAST_CHANNEL).unwrap();
    let (runtime, ground) = Ground::new(world).unwrap();
    let node = |place: usize| {
        let name = format!("node{place}");
        let (ground, features) = (ground.clone(), features.clone());
        Arc::new(EmbeddedBackend::new(ground, ids[place], &name, features))
            as Arc<dyn LightningBackend>
    };
    let three = Three {
        nodes: [node(0), node(1), node(2)],
        ids,
        ground: ground.clone(),
    };
    let passed = runtime.block_on(async {
        tokio::select! {
            () = ground.conduct() => unreachable!("time never ends"),
            passed = conformance::run(&three) => passed,
        }
    });
    assert_eq!(passed.unwrap().len(), 14);
    ground.world().check_conservation().unwrap();
}
