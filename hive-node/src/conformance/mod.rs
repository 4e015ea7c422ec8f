//! What every backend must do, as scenarios in code: the embedded world, Core Lightning and LND run
//! the same ones.
//!
//! A [`Fixture`] brings three nodes up; [`run`] takes them from strangers to a circle of channels and
//! checks every promise of [`LightningBackend`] on the way.

mod messages;
mod money;
mod node;
mod payments;
mod twins;

use crate::backend::{BackendError, LightningBackend};
use async_trait::async_trait;
use hive_policy::{Authorized, Gate, LimitSettings, Limits, Mode, Standing, Verdict};
use hive_types::{
    Action, ActionId, BootId, Elapsed, Explanation, FeeratePerKw, LocalSnapshot, LockView, Msat,
    Now, Ppm, Proposal, Sat, Tier, UnixMillis,
};
use std::fmt::Display;
use std::sync::Arc;
use thiserror::Error;

/// How often the world is let go on before something that must happen counts as missing.
const PATIENCE: u32 = 1_200;

/// The smallest channel that the nodes take: what is smaller they refuse.
pub const LEAST_CHANNEL: Sat = Sat::new(100_000);

/// Three nodes and the world around them.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The nodes: on one chain, without channels, links or money at first. They may be of different
    /// implementations. The second refuses channels smaller than [`LEAST_CHANNEL`].
    fn nodes(&self) -> [Arc<dyn LightningBackend>; 3];

    /// Where the others reach a node, as `host:port`.
    fn addresses(&self, node: usize) -> Vec<String>;

    /// Gives a node confirmed on-chain money in one output.
    async fn fund(&self, node: usize, amount: Sat);

    /// Mines blocks.
    async fn mine(&self, blocks: u32);

    /// Lets the world go on for a moment: a fraction of a second for real nodes, a step of virtual
    /// time for simulated ones.
    async fn pass(&self);
}

/// A promise that a backend does not keep.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{scenario}: {what}")]
pub struct Failure {
    /// The scenario.
    pub scenario: &'static str,
    /// What was expected and what was found.
    pub what: String,
}

/// Runs every scenario in order, each building on the ones before, and gives their names.
///
/// # Errors
/// The first [`Failure`].
pub async fn run(fixture: &dyn Fixture) -> Result<Vec<&'static str>, Failure> {
    let suite = Suite::new(fixture);
    let mut passed = Vec::new();
    macro_rules! scenarios {
        ($($module:ident :: $name:ident;)*) => {
            $(
                $module::$name(&suite).await.map_err(|what| Failure {
                    scenario: stringify!($name),
                    what: what.0,
                })?;
                passed.push(stringify!($name));
            )*
        };
    }
    scenarios! {
        node::info_is_sane;
        node::snapshot_follows_the_chain;
        node::signatures_recover_to_the_node;
        messages::nothing_goes_to_strangers;
        messages::links_come_up;
        messages::messages_arrive_whole_and_in_order;
        money::what_was_never_executed_is_not_done;
        money::faults_are_told_apart;
        money::channels_open_once;
        money::policies_read_back;
        money::graph_shows_channels;
        payments::circular_payments_cost_their_fee_once;
        payments::probes_cost_nothing;
        twins::t58_a_return_over_the_same_channel_costs_one_fee_at_most;
    }
    Ok(passed)
}

/// What went wrong, in words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Wrong(String);

type Outcome<T = ()> = Result<T, Wrong>;

impl From<BackendError> for Wrong {
    fn from(error: BackendError) -> Self {
        Self(error.to_string())
    }
}

/// Fails the scenario where the condition does not hold.
fn ensure(condition: bool, what: impl FnOnce() -> String) -> Outcome {
    match condition {
        true => Ok(()),
        false => Err(Wrong(what())),
    }
}

/// Fails the scenario where there is no value.
fn found<T>(value: Option<T>, what: &str) -> Outcome<T> {
    value.ok_or_else(|| Wrong(format!("there is no {what}")))
}

/// An error of an action as the scenario's.
fn wrong(what: &str, error: impl Display) -> Wrong {
    Wrong(format!("{what}: {error}"))
}

struct Suite<'a> {
    fixture: &'a dyn Fixture,
    nodes: [Arc<dyn LightningBackend>; 3],
}

impl<'a> Suite<'a> {
    fn new(fixture: &'a dyn Fixture) -> Self {
        let nodes = fixture.nodes();
        Self { fixture, nodes }
    }

    /// The node whose promises are checked, and the other two.
    fn all(&self) -> [&dyn LightningBackend; 3] {
        let [a, b, c] = &self.nodes;
        [&**a, &**b, &**c]
    }

    fn subject(&self) -> &dyn LightningBackend {
        self.all()[0]
    }

    /// Lets the world go on until `check` gives a value.
    async fn until<T>(
        &self,
        what: &str,
        mut check: impl AsyncFnMut() -> Outcome<Option<T>>,
    ) -> Outcome<T> {
        for _ in 0..PATIENCE {
            if let Some(value) = check().await? {
                return Ok(value);
            }
            self.fixture.pass().await;
        }
        Err(Wrong(format!("waited in vain: {what}")))
    }

    /// Waits until all three nodes say that they are synced.
    async fn synced(&self) -> Outcome {
        self.until("all nodes are synced at one height", async || {
            let mut heights = Vec::new();
            for node in self.all() {
                let info = node.info().await?;
                heights.push(info.synced.then_some(info.height));
            }
            let same = heights.windows(2).all(|pair| pair[0] == pair[1]);
            Ok((same && !heights.contains(&None)).then_some(()))
        })
        .await
    }
}

/// A real permit from a gate with wide limits, for the tests of backends. An open's lock is made up.
///
/// # Errors
/// [`Wrong`] where the gate refuses in spite of its limits: the node is not synced, the cost is too high.
pub fn permit(
    local: &LocalSnapshot,
    id: ActionId,
    action: Action,
    cost: Msat,
) -> Result<Authorized, Wrong> {
    let limits = Limits::new(LimitSettings {
        budget_per_day: Sat::new(10_000_000),
        capital_per_day: Sat::new(1_000_000_000),
        cost_per_action: Msat::new(1_000_000_000),
        opens_per_day: 100,
        actions_per_hour: 3_600,
        on_chain_reserve: Sat::ZERO,
        channel_min: Sat::ZERO,
        channel_max: Sat::new(100_000_000),
        feerate_ceiling: FeeratePerKw::new(u32::MAX),
        rebalance_rate: Ppm::ONE,
        rebalance_fee: Msat::new(1_000_000_000),
        max_in_flight: Msat::new(100_000_000_000),
        max_cltv: 2_016,
        min_confidence: Ppm::ZERO,
        ..LimitSettings::default()
    });
    let limits = limits.map_err(|error| wrong("limits", error))?;
    let lock = match &action {
        Action::Open(open) => Some(LockView {
            target: open.target,
            holder: local.node_id,
            action: id,
            height: local.height,
            until: local.height.plus(144),
            funding: None,
        }),
        _ => None,
    };
    let standing = Standing {
        tier: Some(Tier::Full),
        reconciled: true,
        lock: lock.as_ref(),
        banned: &[],
    };
    let proposal = Proposal {
        action,
        cost,
        value_per_day: Msat::ZERO,
        confidence: Ppm::ONE,
        explanation: Explanation::default(),
    };
    let now = Now {
        wall: UnixMillis::new(1),
        elapsed: Elapsed::ZERO,
        boot: BootId::new(1),
    };
    match Gate::new(limits, Mode::Autonomous).consider(now, id, &proposal, local, standing) {
        Verdict::Execute(permit) => Ok(permit),
        verdict => Err(Wrong(format!("the gate gives no permit: {verdict:?}"))),
    }
}

/// An id for the n-th action of the suite.
fn action_id(number: u8) -> ActionId {
    ActionId::from_bytes([number; 16])
}
