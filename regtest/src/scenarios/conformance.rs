//! The conformance suite of hive-node, against real nodes: the backends run in this process.

use super::{Fleet, Stage, round_trip};
use crate::failure::{Context, Failure, Outcome, ensure, wrong};
use crate::node::{Cln, Kind, Lnd, Node};
use crate::roles::{self, Script};
use crate::world::World;
use adapter_cln::{ClnBackend, ClnNode, Events, forward};
use adapter_lnd::{LndBackend, Source};
use async_trait::async_trait;
use hive_node::backend::LightningBackend;
use hive_node::conformance::{self, Fixture, LEAST_CHANNEL};
use hive_types::Sat;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two looks of the suite.
const MOMENT: Duration = Duration::from_millis(100);

/// The suite against three nodes of the fleet's kinds.
pub(super) fn suite(stage: &mut Stage) -> Outcome {
    let kinds = stage.fleet.kinds(3);
    run(&mut stage.world, &kinds)
}

/// The suite against Core Lightning between two others, where the first of [`suite`]'s mixed fleet is LND.
pub(super) fn cln_among_lnd(stage: &mut Stage) -> Outcome {
    debug_assert_eq!(stage.fleet, Fleet::Mixed);
    run(&mut stage.world, &[Kind::Cln, Kind::Lnd, Kind::Cln])
}

fn run(world: &mut World, kinds: &[Kind]) -> Outcome {
    for (place, &kind) in kinds.iter().enumerate() {
        world.add(kind)?;
        if place == 1 {
            let least = LEAST_CHANNEL.get();
            let option = match kind {
                Kind::Lnd => format!("--minchansize={least}"),
                Kind::Cln => format!("--min-capacity-sat={least}"),
            };
            world.node_mut(place).set_options(vec![option]);
        }
    }
    world.launch()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .during("a runtime")?;
    let passed = runtime.block_on(async {
        let stand = Stand::new(world)?;
        let ended = conformance::run(&stand).await;
        let passed = match (stand.failure.into_inner(), ended) {
            (Ok(Some(failure)), _) => return Err(failure),
            (_, Ok(passed)) => passed,
            (_, Err(failure)) => return wrong(failure.to_string()),
        };
        // The suite linked them.
        if let (&[near, far, ..], [one, other, _]) = (kinds, &stand.backends) {
            round_trip::measure([near, far], [&**one, &**other]).await?;
        }
        Ok(passed)
    })?;
    println!("     {}", passed.join(", "));
    let nodes = world.nodes().iter();
    for node in nodes.filter(|node| node.as_lnd().is_some()) {
        // The suite's probes all came back, and the operator's list of payments is none of them.
        let listed = node.request("/v1/payments?include_incomplete=true", &Value::Null)?;
        let listed = listed.to_string();
        ensure(!listed.contains("FAILED"), || listed)?;
    }
    Ok(())
}

/// Three backends and the world below them.
struct Stand<'a> {
    world: &'a World,
    backends: [Arc<dyn LightningBackend>; 3],
    /// The first of the world's own failures: the suite's trait has no place for them.
    failure: Mutex<Option<Failure>>,
}

impl<'a> Stand<'a> {
    fn new(world: &'a World) -> Outcome<Self> {
        let backend = |place| backend(world, world.node(place));
        Ok(Self {
            world,
            backends: [backend(0)?, backend(1)?, backend(2)?],
            failure: Mutex::new(None),
        })
    }

    fn note(&self, outcome: Outcome) {
        if let Err(failure) = outcome {
            let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(failure);
        }
    }
}

#[async_trait]
impl Fixture for Stand<'_> {
    fn nodes(&self) -> [Arc<dyn LightningBackend>; 3] {
        self.backends.clone()
    }

    fn addresses(&self, node: usize) -> Vec<String> {
        vec![self.world.node(node).address()]
    }

    async fn fund(&self, node: usize, amount: Sat) {
        self.note(tokio::task::block_in_place(|| {
            self.world.fund(node, amount)
        }));
    }

    async fn mine(&self, blocks: u32) {
        self.note(tokio::task::block_in_place(|| self.world.mine(blocks)));
    }

    async fn pass(&self) {
        tokio::time::sleep(MOMENT).await;
    }
}

/// A backend for a running node. Needs a runtime around it.
fn backend(world: &World, node: &dyn Node) -> Outcome<Arc<dyn LightningBackend>> {
    match (node.as_lnd(), node.as_cln()) {
        (Some(lnd), _) => beside_lnd(world, lnd),
        (None, Some(cln)) => beside_cln(world, cln),
        (None, None) => wrong("a node of neither kind"),
    }
}

/// With no more permissions than an autonomous agent asks for.
fn beside_lnd(world: &World, lnd: &Lnd) -> Outcome<Arc<dyn LightningBackend>> {
    let macaroon = lnd.folder().join("conformance.macaroon");
    lnd.bake(&world.permissions("autonomous")?, &macaroon)?;
    let source = Source::files(&lnd.grpc(), &lnd.certificate(), &macaroon).during(lnd.name())?;
    Ok(Arc::new(LndBackend::new(source).during(lnd.name())?))
}

/// The node's notifications come by a plugin that hands them on.
fn beside_cln(world: &World, cln: &Cln) -> Outcome<Arc<dyn LightningBackend>> {
    let events = Events::new();
    forward::listen(&cln.network_folder(), events.clone()).during(cln.name())?;
    let plugin = cln.folder().join(roles::EVENTS);
    let script = Script {
        program: &world.tools().own,
        role: &[roles::EVENTS],
        environment: &BTreeMap::new(),
    };
    script.write(&plugin)?;
    let plugin = plugin.display().to_string();
    cln.call("plugin", &json!({"subcommand": "start", "plugin": plugin}))?;
    let node = ClnNode::in_folder(&cln.network_folder());
    Ok(Arc::new(ClnBackend::new(node, events)))
}
