//! The command line of `hive evaluate`, and the settings that it stands for.

use super::report::words::amount_option;
use crate::failure::Failure;
use crate::plan::{amount, fees, sender};
use hive_evaluate::{AmountModel, Arm, Dynamics, SenderModel, Settings};
use hive_planner::PlannerConfig;
use hive_planner::demand::DemandModel;
use hive_planner::graph::Graph;
use hive_proto::tagged_hash;
use hive_sim::generate::{GeneratorConfig, generate};
use hive_types::{Ppm, Sat};
use std::path::PathBuf;

/// What the user asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The network: a folder with channels.csv and nodes.csv (.zst too), a describegraph file, or the
    /// files of listchannels and listnodes; made by chance without it
    #[arg(long, num_args = 1..=2, value_name = "PATH")]
    pub(super) graph: Vec<PathBuf>,
    /// Nodes of the network that is made when no graph is given
    #[arg(long, default_value_t = 1_500, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=50_000))]
    nodes: u32,
    /// Who is compared, with commas: whale, fleet, fleet-no-links, fleet-unique, uncoordinated,
    /// autopilot, preferential, predecessor, random; all of them without it
    #[arg(long, value_delimiter = ',', value_name = "ARM", value_parser = arm)]
    arms: Vec<Arm>,
    /// Independent repetitions; intervals need two at least
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    seeds: u32,
    /// The first seed; the others follow
    #[arg(long, default_value_t = 1, value_name = "N")]
    first_seed: u64,
    /// Who pays whom, with commas: uniform, capacity, merchant (CSV graphs only)
    #[arg(long, value_delimiter = ',', default_value = "capacity", value_name = "MODEL", value_parser = demand)]
    demand: Vec<DemandModel>,
    /// How payers choose their ways, with commas: lnd, ldk, fee
    #[arg(long, value_delimiter = ',', default_value = "lnd", value_name = "SENDER", value_parser = sender)]
    senders: Vec<SenderModel>,
    /// What is paid, with commas: a number of sat, lognormal, mixed
    #[arg(long, value_delimiter = ',', default_value = "60000", value_name = "SAT", value_parser = amount)]
    amounts: Vec<AmountModel>,
    /// Members of the fleet; the whale has all that they have
    #[arg(long, default_value_t = 5, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=50))]
    members: u32,
    /// Channels that each member opens, those to fellows counted
    #[arg(long, default_value_t = 8, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=500))]
    channels: u32,
    /// What each member puts into them, in sat
    #[arg(long, default_value_t = 80_000_000, value_name = "SAT")]
    capital: u64,
    /// What all arms charge outsiders, in millionths; of several with commas, planned arms choose one for
    /// each channel, and the others take the first
    #[arg(long, value_delimiter = ',', default_value = "100", value_name = "PPM")]
    fee_ppm: Vec<u32>,
    /// What planned arms take a channel to turn over between refills, of its capacity a day, in
    /// millionths; not bounded without it, as the static score is not
    #[arg(long, default_value_t = u32::MAX, hide_default_value = true, value_name = "PPM")]
    turnover: u32,
    /// What one channel costs on the chain, its close counted, in sat
    #[arg(long, default_value_t = 1_000, value_name = "SAT", value_parser = clap::value_parser!(u64).range(..=100_000_000))]
    open_cost: u64,
    /// Nodes that planned arms weigh as targets, the best connected first
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    candidates: u32,
    /// Payments of each seed that planned arms plan on; with few a plan fits them better than the network
    #[arg(long, default_value_t = PlannerConfig::default().payments, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    payments: u32,
    /// Payees among those
    #[arg(long, default_value_t = PlannerConfig::default().payees, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    payees: u32,
    /// Payments of each seed that plans are scored on
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    held_out: u32,
    /// Leave out what happens when nodes fail
    #[arg(long)]
    no_failures: bool,
    /// Let balances move, for some simulated days, with and without rebalancing
    #[arg(long)]
    dynamics: bool,
    /// Those days
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=365), requires = "dynamics")]
    days: u32,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(super) json: bool,
    /// Write report.html, report.md and result.json into this folder
    #[arg(long, value_name = "DIR")]
    pub(super) report: Option<PathBuf>,
}

fn arm(text: &str) -> Result<Arm, String> {
    text.parse::<Arm>().map_err(|error| error.to_string())
}

fn demand(text: &str) -> Result<DemandModel, String> {
    text.parse::<DemandModel>()
        .map_err(|error| error.to_string())
}

fn listed<T>(values: &[T], write: impl Fn(&T) -> String) -> String {
    values.iter().map(write).collect::<Vec<_>>().join(",")
}

impl Options {
    /// What to run, checked.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        if Sat::new(self.capital).to_msat().is_none() {
            return Err(Failure::Usage(format!(
                "--capital {} is more bitcoin than there can be",
                self.capital
            )));
        }
        let (fee_rate, rates) = fees(&self.fee_ppm)?;
        let settings = Settings {
            arms: self.arms(),
            senders: self.senders.clone(),
            demands: self.demand.clone(),
            amounts: self.amounts.clone(),
            seeds: self.seeds,
            first_seed: self.first_seed,
            members: self.members,
            channels: self.channels,
            capital: Sat::new(self.capital),
            fee_rate,
            held_out: self.held_out,
            open_cost: Sat::new(self.open_cost),
            failures: !self.no_failures,
            dynamics: self.dynamics.then(|| Dynamics {
                days: self.days,
                ..Dynamics::default()
            }),
            planner: PlannerConfig {
                candidates: self.candidates,
                payments: self.payments,
                payees: self.payees,
                work_limit: u64::MAX,
                rates,
                turnover: Ppm::new(self.turnover),
                ..PlannerConfig::default()
            },
            ..Settings::default()
        };
        settings
            .check()
            .map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(settings)
    }

    fn arms(&self) -> Vec<Arm> {
        match self.arms.is_empty() {
            true => Arm::ALL.to_vec(),
            false => self.arms.clone(),
        }
    }

    /// A network with the figures of the public one.
    pub(super) fn made_graph(&self) -> Graph {
        generate(&GeneratorConfig {
            nodes: self.nodes,
            seed: tagged_hash("hive/evaluate", &[b"network"]).to_bytes(),
        })
    }

    /// What to type to run the same, every choice spelt out.
    pub(super) fn command(&self) -> String {
        let mut words = vec!["hive evaluate".to_owned()];
        match self.graph.is_empty() {
            true => words.push(format!("--nodes {}", self.nodes)),
            false => words.push(format!("--graph {}", listed_paths(&self.graph))),
        }
        words.extend([
            format!("--arms {}", listed(&self.arms(), ToString::to_string)),
            format!("--seeds {} --first-seed {}", self.seeds, self.first_seed),
            format!("--demand {}", listed(&self.demand, ToString::to_string)),
            format!(
                "--senders {}",
                listed(&self.senders, |sender| sender.as_str().into())
            ),
            format!(
                "--amounts {}",
                listed(&self.amounts, |amount| amount_option(*amount))
            ),
            format!(
                "--members {} --channels {} --capital {}",
                self.members, self.channels, self.capital
            ),
            format!(
                "--fee-ppm {} --turnover {} --open-cost {}",
                listed(&self.fee_ppm, ToString::to_string),
                self.turnover,
                self.open_cost
            ),
            format!(
                "--candidates {} --payments {} --payees {} --held-out {}",
                self.candidates, self.payments, self.payees, self.held_out
            ),
        ]);
        if self.no_failures {
            words.push("--no-failures".into());
        }
        if self.dynamics {
            words.push(format!("--dynamics --days {}", self.days));
        }
        words.join(" ")
    }
}

/// Paths as a shell takes them.
fn listed_paths(paths: &[PathBuf]) -> String {
    let quoted = paths.iter().map(|path| {
        let text = path.display().to_string();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:".contains(letter);
        match text.chars().all(plain) {
            true => text,
            false => format!("'{}'", text.replace('\'', "'\\''")),
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
