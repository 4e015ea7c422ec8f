//! `hive demo`: a fleet of real agents on one embedded Lightning world.

mod audit;
mod chronicle;
mod houses;
mod member;
mod picture;
mod report;
mod script;
mod setting;
mod stage;
mod story;
mod trials;
mod view;

use crate::embedded::Ground;
use crate::failure::Failure;
use crate::graph_file;
use hive_node::store::{STORE_FILE, Store};
use houses::Street;
use member::{Member, Role};
use report::Report;
use script::Show;
use setting::{Setting, Wishes};
use stage::Stage;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use story::Story;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use view::View;

/// Exit status after SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

/// Where Linux has a folder in memory. Days pass in seconds here, with thousands of writes that each wait
/// for the disk; the few megabytes are gone with the demo anyway.
const MEMORY: &str = "/dev/shm";

/// What the user asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Members of the fleet, at most ten: more take minutes on two cores
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(3..=10))]
    members: u32,
    /// The network: a folder with channels.csv and nodes.csv (.zst too), a describegraph file, or the
    /// files of listchannels and listnodes; made from the seed without it
    #[arg(long, num_args = 1..=2, value_name = "PATH")]
    graph: Vec<PathBuf>,
    /// Where all chance comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated hours
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(4..=48))]
    hours: u32,
    /// Folder for the members' stores; a temporary one without it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
    /// Draw what a terminal shows into an SVG file
    #[arg(long, value_name = "FILE", hide = true)]
    picture: Option<PathBuf>,
}

/// Runs the demo. The status is 0 when every trial held and no rule was broken.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let graph = match options.graph.is_empty() {
        true => setting::made_graph(options.seed),
        false => graph_file::read(&options.graph)?,
    };
    let (folder, _temporary) = folder(options.data.as_deref())?;
    let graph = Arc::new(graph);
    let size = (graph.node_count(), graph.channel_count());
    let count = usize::try_from(options.members).unwrap_or(usize::MAX);
    let setting = setting::build(&graph, count, options.seed)?;
    let view = Arc::new(View::new(options.json, options.hours));
    let street = Street {
        folder: &folder,
        seed: options.seed,
        view: &view,
    };
    let Some(findings) = houses::play(&street)? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let wishes = Wishes::usual(&graph);
    let (runtime, mut show) = show(&street, setting, &wishes)?;
    show.size = size;
    show.length = hive_types::Millis::from_hours(options.hours.into());
    show.started = started;
    let (ground, story) = (show.stage.ground.clone(), show.stage.story.clone());
    let report = houses::on_ground(&runtime, &ground, perform(&mut show));
    view.end();
    let Some(mut report) = report? else {
        // The temporary folder goes on the way out.
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let told = [findings.lines.clone(), story.lines()].concat();
    report.take_in(findings);
    print(options, &report, &told)?;
    Ok(ExitCode::from(u8::from(!report.is_good())))
}

/// The fleet, before anything happens.
fn show(
    street: &Street<'_>,
    setting: Setting,
    wishes: &Wishes,
) -> Result<(Runtime, Show), Failure> {
    let Setting {
        world,
        members,
        stranger,
        features,
    } = setting;
    let (runtime, ground) = Ground::new(world)?;
    let names = members.iter().map(|(name, node)| (*node, name.clone()));
    let names = names.chain([(stranger, "stranger".to_owned())]).collect();
    let story = Story::new(ground.clone(), names, street.view.clone());
    let make = |name: &str, node| {
        let role = Role {
            name,
            node,
            features: &features,
            folder: street.folder.join(name),
            seed: street.seed,
            wishes,
        };
        Member::new(&ground, role)
    };
    let members: Result<Vec<_>, _> = members
        .iter()
        .map(|(name, node)| make(name, *node))
        .collect();
    let stranger = make("stranger", stranger)?;
    let stage = Stage {
        ground: ground.clone(),
        story,
        members: members?,
        seed: street.seed,
    };
    Ok((runtime, Show::new(stage, stranger)))
}

async fn perform(show: &mut Show) -> Result<Report, Failure> {
    show.play().await?;
    let chronicle = std::mem::take(&mut show.chronicle);
    let mut report = audit::report(show, &chronicle).await;
    for member in show.stage.members.iter_mut().chain([&mut show.stranger]) {
        if let Err(error) = member.stop().await {
            report.violations.push(format!("{}: {error}", member.name));
        }
    }
    Ok(report)
}

/// The folder of the stores; a temporary one goes when the demo ends, and is in memory where it can be.
fn folder(data: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), Failure> {
    match data {
        Some(path) => {
            let made = std::fs::create_dir_all(path);
            made.map_err(|reason| Failure::unwritable(path, reason))?;
            must_be_empty(path)?;
            Ok((path.to_path_buf(), None))
        }
        None => {
            let mut builder = tempfile::Builder::new();
            let builder = builder.prefix("hive-demo-");
            let made = builder.tempdir_in(MEMORY).or_else(|_| builder.tempdir());
            let made = made.map_err(|reason| Failure::unwritable(&std::env::temp_dir(), reason))?;
            Ok((made.path().to_path_buf(), Some(made)))
        }
    }
}

/// A demo founds its fleet anew. Stores that are there are looked at before they are declined: one that
/// is damaged is what the user needs to hear of.
fn must_be_empty(folder: &Path) -> Result<(), Failure> {
    let listed = std::fs::read_dir(folder).map_err(|reason| Failure::unreadable(folder, reason))?;
    let there: Vec<PathBuf> = listed
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    if there.is_empty() {
        return Ok(());
    }
    for member in there.iter().filter(|path| path.join(STORE_FILE).is_file()) {
        Store::open(member)?;
    }
    Err(Failure::Usage(format!(
        "{} is not empty; name a new folder, the demo keeps its stores there",
        folder.display()
    )))
}

fn print(options: &Options, report: &Report, told: &[String]) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let lines = report.lines();
    if options.json {
        let json = serde_json::to_string_pretty(report);
        let json = json.map_err(|error| Failure::Internal(error.to_string()))?;
        writeln!(out, "{json}")?;
    } else {
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    if let Some(path) = &options.picture {
        let all = [told, &lines].concat();
        let drawn = std::fs::write(path, picture::draw(&all));
        drawn.map_err(|reason| Failure::unwritable(path, reason))?;
    }
    Ok(())
}
