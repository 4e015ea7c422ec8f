//! The experiment from end to end.

use crate::arms::{Brief, Scores};
use crate::failure::Outside;
use crate::method::{self, constants, facts_of};
use crate::trial::{self, Steps};
use crate::{Cell, Evaluation, Resources, Settings, SettingsError, gather};
use hive_planner::graph::Graph;
use hive_types::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// The network that an experiment runs on, as a loader gave it.
#[derive(Clone, Copy, Debug)]
pub struct NetworkView<'a> {
    /// The public graph.
    pub graph: &'a Graph,
    /// Nodes that sell something; may be empty, then the merchant demand cannot be drawn.
    pub merchants: &'a BTreeSet<NodeId>,
    /// The first two octets of nodes' IPv4 addresses; may be empty, then no /16 fails.
    pub ip16: &'a BTreeMap<NodeId, [u8; 2]>,
}

/// Who watches a run. The experiment has no clock: its caller lends one here.
pub trait Observer {
    /// `done` of `total` steps are done; `what` says in a few words what comes next.
    fn progress(&mut self, done: u64, total: u64, what: &str) {
        let _ = (done, total, what);
    }

    /// Milliseconds since any fixed moment; `None` leaves times out of the result.
    fn millis(&mut self) -> Option<u64> {
        None
    }

    /// The most memory that the process has held, in bytes; `None` leaves it out.
    fn peak_bytes(&mut self) -> Option<u64> {
        None
    }
}

/// Nobody.
impl Observer for () {}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvaluateError {
    /// The settings make no experiment.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No payment can be drawn.
    #[error(
        "no payment of the {demand} demand can be drawn from this graph ({why}); \
         give a larger graph or another demand"
    )]
    NoDemand {
        /// Which demand.
        demand: String,
        /// Why not.
        why: String,
    },
    /// The held-out payments are those that a plan was made from: a defect, and no figure that rests on
    /// it may be shown.
    #[error(
        "all {payments} held-out payments were known to a plan under seed {seed}. This is a defect; \
         please report it"
    )]
    Leak {
        /// The seed.
        seed: u64,
        /// All held-out payments.
        payments: usize,
    },
    /// An arm took more than its share: a defect of the planner or of the experiment, and no figure
    /// that rests on it may be shown.
    #[error(
        "arm {arm} opened {opens} channels of {capital_sat} sat in all under seed {seed}; the others \
         have {opens_allowed} and {capital_allowed_sat} sat. This is a defect; please report it"
    )]
    Unequal {
        /// Which arm.
        arm: &'static str,
        /// The seed.
        seed: u64,
        /// Its opens.
        opens: u32,
        /// Its capital.
        capital_sat: u64,
        /// What it may open.
        opens_allowed: u32,
        /// What it may use.
        capital_allowed_sat: u64,
    },
}

/// Runs the experiment. The same input gives the same result, bit for bit, but for times and memory.
///
/// # Errors
/// [`EvaluateError`]: settings that make no experiment, a graph without payments, or a defect.
pub fn run(
    network: NetworkView<'_>,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Evaluation, EvaluateError> {
    settings.check()?;
    let begun = observer.millis();
    let mut steps = Steps {
        observer,
        done: 0,
        total: steps(settings),
    };
    steps.step("reading the network");
    let scores = Scores::new(network.graph, &settings.arms);
    let outside = Outside::new(network);
    let mut cells = Vec::new();
    for sender in &settings.senders {
        for demand in &settings.demands {
            for amounts in &settings.amounts {
                let brief = Brief {
                    network,
                    settings,
                    sender: *sender,
                    demand: *demand,
                    amounts: *amounts,
                    seed: settings.first_seed,
                };
                cells.push(cell(&brief, &scores, &outside, &mut steps)?);
            }
        }
    }
    let now = steps.observer.millis().zip(begun);
    let resources = Resources {
        millis: now.map(|(now, begun)| now.saturating_sub(begun)),
        peak_bytes: steps.observer.peak_bytes(),
        threads: u32::try_from(rayon::current_num_threads()).ok(),
    };
    Ok(Evaluation {
        graph: facts_of(network),
        settings: settings.clone(),
        constants: constants(),
        cells,
        notes: method::notes(settings),
        resources,
    })
}

fn steps(settings: &Settings) -> u64 {
    let lists = [
        settings.senders.len(),
        settings.demands.len(),
        settings.amounts.len(),
    ];
    let cells = lists.iter().product::<usize>() as u64;
    let each = 2 + u64::from(settings.failures) + u64::from(settings.dynamics.is_some());
    1 + cells * u64::from(settings.seeds) * settings.arms.len() as u64 * each
}

fn cell(
    brief: &Brief<'_>,
    scores: &Scores,
    outside: &Outside,
    steps: &mut Steps<'_>,
) -> Result<Cell, EvaluateError> {
    let settings = brief.settings;
    let last = settings
        .first_seed
        .saturating_add(u64::from(settings.seeds));
    let seeds: Vec<u64> = (settings.first_seed..last).collect();
    let mut outcomes = Vec::new();
    for seed in &seeds {
        let brief = Brief {
            seed: *seed,
            ..*brief
        };
        outcomes.push(trial::run(&brief, scores, outside, steps)?);
    }
    let (arms, ratios) = gather::gather(settings, &outcomes);
    let notes = gather::notes(settings, &arms);
    Ok(Cell {
        sender: gather::word(&brief.sender),
        demand: brief.demand.to_string(),
        amount: gather::amount(brief.amounts),
        seeds,
        arms,
        ratios,
        notes,
    })
}

#[cfg(test)]
mod tests;
