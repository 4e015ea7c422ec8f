//! The command line of `hive plan`, and what it asks for.

use crate::failure::Failure;
use hive_planner::demand::{AmountModel, DemandModel};
use hive_planner::routes::SenderModel;
use hive_planner::{Grid, GridError, PlannerConfig, Problem, Seat};
use hive_types::{Constraint, Msat, NodeId, Ppm, Sat, limits};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Channels of one member; more than the largest routing nodes open at once.
const CHANNELS_MAX: u32 = 500;

/// What the user asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The network: a folder with channels.csv and nodes.csv (.zst too), a describegraph file, or the
    /// files of listchannels and listnodes
    #[arg(long, num_args = 1..=2, required = true, value_name = "PATH")]
    pub(super) graph: Vec<PathBuf>,
    /// A member's node id; again for each member. One that is not in the graph is a new node
    #[arg(long = "member", num_args = 1.., required = true, value_name = "NODE_ID", value_parser = node_id)]
    members: Vec<NodeId>,
    /// New channels of each member, at most
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=i64::from(CHANNELS_MAX)))]
    channels: u32,
    /// What each member puts into them, in sat
    #[arg(long, value_name = "SAT")]
    capital: u64,
    /// The smallest channel, in sat
    #[arg(long, default_value_t = 1_000_000, value_name = "SAT")]
    channel_min: u64,
    /// The largest channel, in sat; the whole capital without it
    #[arg(long, value_name = "SAT")]
    channel_max: Option<u64>,
    /// How payers choose their ways: lnd, ldk or fee
    #[arg(long, default_value = "lnd", value_parser = sender)]
    sender: SenderModel,
    /// Who pays whom: uniform, capacity or merchant (CSV graphs only)
    #[arg(long, default_value = "capacity", value_parser = parsed::<DemandModel>)]
    demand: DemandModel,
    /// What is paid: a number of sat, lognormal or mixed
    #[arg(long, default_value = "60000", value_name = "SAT", value_parser = amount)]
    amount: AmountModel,
    /// What members charge outsiders, in millionths; several, with commas, are tried for each channel
    #[arg(long, default_value = "100", value_delimiter = ',', value_name = "PPM")]
    fee_ppm: Vec<u32>,
    /// Capacities in sat, with commas, that channels may have; even parts of the capital without it
    #[arg(long, value_delimiter = ',', value_name = "SAT")]
    channel_size: Vec<u64>,
    /// What one channel costs on the chain, its close counted, in sat
    #[arg(long, default_value_t = 1_000, value_name = "SAT", value_parser = clap::value_parser!(u64).range(..=100_000_000))]
    open_cost: u64,
    /// A channel must earn its on-chain cost back in so many days
    #[arg(long, default_value_t = 180, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    payback_days: u32,
    /// Nodes that are weighed as targets, the best connected first
    #[arg(long, default_value_t = 300, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    candidates: u32,
    /// Payments that the plan is made for; with few it fits them better than the network
    #[arg(long, default_value_t = PlannerConfig::default().payments, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    payments: u32,
    /// Payees among them; each takes a search through the graph
    #[arg(long, default_value_t = PlannerConfig::default().payees, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    payees: u32,
    /// Chooses those payments
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// No channels between members
    #[arg(long)]
    no_links: bool,
    /// Open to each target from one member only
    #[arg(long)]
    unique: bool,
    /// Take the best that is found in so many seconds, and mark it as cut
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    deadline: Option<u64>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(super) json: bool,
    /// Draw the plan on the network into an SVG file
    #[arg(long, value_name = "FILE")]
    pub(super) picture: Option<PathBuf>,
}

fn node_id(text: &str) -> Result<NodeId, String> {
    let parsed = text.trim().parse::<NodeId>();
    parsed.map_err(|error| {
        format!(
            "{error}; a node id has 66 hex digits and begins with 02 or 03, as getinfo prints it"
        )
    })
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

pub(crate) fn sender(text: &str) -> Result<SenderModel, String> {
    // The figures name it so.
    if text == "feeonly" {
        return Ok(SenderModel::FeeOnly);
    }
    parsed(text)
}

/// Sat on the command line, where the library has msat.
pub(crate) fn amount(text: &str) -> Result<AmountModel, String> {
    let number = text
        .strip_suffix("sat")
        .unwrap_or(text)
        .replace([',', '_'], "");
    match number.parse::<u64>() {
        Ok(sat) if sat > 0 => match Sat::new(sat).to_msat() {
            Some(amount) => Ok(AmountModel::Fixed(amount)),
            None => Err("that is more bitcoin than there can be".into()),
        },
        Err(_) if ["lognormal", "mixed"].contains(&text) => parsed(text),
        _ => Err("give a number of sat from 1, lognormal or mixed".into()),
    }
}

/// What to plan, checked.
pub(super) struct Request {
    pub(super) problem: Problem,
    pub(super) config: PlannerConfig,
    /// Of each member.
    pub(super) constraint: Constraint,
    pub(super) deadline: Option<Duration>,
}

impl Request {
    pub(super) fn of(options: &Options, merchants: BTreeSet<NodeId>) -> Result<Self, Failure> {
        let constraint = constraint(options)?;
        let seat = |id: &NodeId| Seat {
            channel_min: constraint.channel_min,
            channel_max: constraint.channel_max,
            ..Seat::new(*id, constraint.slots, constraint.capital)
        };
        check_members(&options.members)?;
        Ok(Self {
            problem: Problem {
                seats: options.members.iter().map(seat).collect(),
                open_cost: Sat::new(options.open_cost),
                links: !options.no_links,
                merchants,
                ..Problem::default()
            },
            config: config(options)?,
            constraint,
            deadline: options.deadline.map(Duration::from_secs),
        })
    }
}

fn check_members(members: &[NodeId]) -> Result<(), Failure> {
    let distinct: BTreeSet<&NodeId> = members.iter().collect();
    let wrong = if distinct.len() < members.len() {
        "a member is named twice; name each once".to_owned()
    } else if members.len() > limits::MEMBERS {
        format!(
            "a fleet has at most {} members; name fewer",
            limits::MEMBERS
        )
    } else {
        return Ok(());
    };
    Err(Failure::Usage(wrong))
}

fn config(options: &Options) -> Result<PlannerConfig, Failure> {
    let (first, rates) = fees(&options.fee_ppm)?;
    let sizes: Vec<Sat> = options
        .channel_size
        .iter()
        .map(|sat| Sat::new(*sat))
        .collect();
    Ok(PlannerConfig {
        seed: options.seed,
        demand: options.demand,
        sender: options.sender,
        amounts: options.amount,
        candidates: options.candidates,
        payments: options.payments,
        payees: options.payees,
        assumed_base: Msat::ZERO,
        assumed_rate: first,
        rates,
        sizes: Grid::new(&sizes).map_err(|error| named("--channel-size", error))?,
        payback_days: options.payback_days,
        strictly_unique: options.unique,
        hold_out: true,
        work_limit: u64::MAX,
        ..PlannerConfig::default()
    })
}

/// The rate that a plan begins with, which is no choice when it stands alone, and those to choose from.
pub(crate) fn fees(ppm: &[u32]) -> Result<(Ppm, Grid<Ppm>), Failure> {
    let rates: Vec<Ppm> = ppm.iter().map(|ppm| Ppm::new(*ppm)).collect();
    let (first, rest) = rates
        .split_first()
        .map_or((Ppm::ZERO, &[][..]), |(first, rest)| (*first, rest));
    let grid = Grid::new(rest).map_err(|error| named("--fee-ppm", error))?;
    Ok((first, grid))
}

fn named(option: &str, error: GridError) -> Failure {
    Failure::Usage(format!("{option}: {error}"))
}

/// Money that makes one channel at least.
fn constraint(options: &Options) -> Result<Constraint, Failure> {
    let (capital, least) = (options.capital, options.channel_min);
    let most = options.channel_max.unwrap_or(capital);
    if Sat::new(capital).to_msat().is_none() {
        return Err(Failure::Usage(format!(
            "--capital {capital} is more bitcoin than there can be"
        )));
    }
    if least == 0 {
        return Err(Failure::Usage(
            "--channel-min 0 is no channel; nodes refuse less than 20000 sat".into(),
        ));
    }
    if capital < least {
        return Err(Failure::Usage(format!(
            "--capital {capital} is less than one channel of --channel-min {least}; raise the one or lower the other"
        )));
    }
    if most < least {
        return Err(Failure::Usage(format!(
            "--channel-max {most} is below --channel-min {least}; raise the one or lower the other"
        )));
    }
    if let Some(size) = options
        .channel_size
        .iter()
        .find(|size| !(least..=most).contains(size))
    {
        return Err(Failure::Usage(format!(
            "--channel-size {size} is not between --channel-min {least} and the largest channel, {most}"
        )));
    }
    Ok(Constraint {
        capital: Sat::new(capital),
        slots: options.channels,
        channel_min: Sat::new(least),
        channel_max: Sat::new(most),
    })
}
