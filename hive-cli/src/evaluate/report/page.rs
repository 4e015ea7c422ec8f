//! The report from its question to how to repeat it.

use super::Report;
use super::block::{Block, Plot, Table};
use super::details;
use super::strip::{Row, Strip};
use super::verdict::{self, Aim};
use super::words::{capitalized, cell_name};
use crate::columns::grouped;
use hive_evaluate::{Arm, Evaluation, Settings};

/// The page's title.
pub(crate) fn title(report: &Report) -> String {
    format!(
        "What coordination is worth to {} Lightning nodes",
        report.evaluation.settings.members
    )
}

/// The whole page.
pub(crate) fn blocks(report: &Report) -> Vec<Block> {
    let evaluation = report.evaluation;
    let aims = verdict::aims(evaluation);
    let mut blocks = question(report);
    blocks.push(Block::Heading("The result in short".into()));
    blocks.push(Block::Table(verdict::table(evaluation, &aims)));
    blocks.push(Block::List(aims.iter().map(Aim::verdict).collect()));
    blocks.extend(
        evaluation
            .notes
            .iter()
            .map(|note| Block::Text(note.clone())),
    );
    blocks.extend(aims.iter().map(|aim| ratio_plot(evaluation, aim)));
    blocks.extend(method(&evaluation.settings));
    blocks.push(Block::Table(arms(evaluation)));
    blocks.extend(evaluation.cells.iter().flat_map(details::blocks));
    blocks.extend(limits());
    blocks.push(Block::Heading("Numbers that the method chose".into()));
    blocks.push(Block::Table(constants(evaluation)));
    blocks.extend(repeat(report));
    blocks
}

fn question(report: &Report) -> Vec<Block> {
    let settings = &report.evaluation.settings;
    let facts = &report.evaluation.graph;
    vec![
        Block::Heading("The question".into()),
        Block::Text(format!(
            "{} independent nodes open {} channels each, with {} sat each. What do they earn from forwarding when they plan and act \
             together? This page holds it against one node with all the money and all the channels, against the same nodes each on its \
             own, and against what nodes do without such a planner.",
            settings.members,
            settings.channels,
            grouped(settings.capital.get())
        )),
        Block::Text(format!(
            "The network is {}: {} nodes and {} channels with {} sat. All arms have the same money, the same number of on-chain opens, \
             and see the same payments.",
            report.origin(),
            grouped(facts.nodes),
            grouped(facts.channels),
            grouped(facts.capacity_sat)
        )),
    ]
}

fn ratio_plot(evaluation: &Evaluation, aim: &Aim) -> Block {
    let rows = evaluation
        .cells
        .iter()
        .zip(&aim.found)
        .map(|(cell, found)| Row {
            name: cell_name(cell),
            summary: found.unwrap_or_default(),
            series: 0,
        });
    let is_ratio = aim.key.contains("_over_");
    let title = capitalized(&aim.name);
    let strip = Strip {
        title: title.clone(),
        unit: match is_ratio {
            true => {
                "ratio on a logarithmic axis, mean and 95 % interval over seeds; 1 is no difference"
                    .into()
            }
            false => "revenue after over revenue before, mean and 95 % interval over seeds".into(),
        },
        rows: rows.collect(),
        ratios: is_ratio,
        aim: Some(aim.least),
        write: aim.write,
    };
    Block::Plot(Plot {
        name: aim.key.replace('_', "-"),
        alt: title,
        svg: strip.draw(),
    })
}

fn method(settings: &Settings) -> Vec<Block> {
    let mut items = vec![
        format!(
            "Each seed draws one sample of payments to plan on and, independently, another of {} payments to score on. Nothing is scored on \
             the demand that it was planned for; how much a plan flatters itself on its own sample is in the tables.",
            grouped(settings.held_out.into())
        ),
        "Planned arms get the same planner with the same settings. Arms that draw their targets draw them anew with each seed.".into(),
        "An arm's nodes are new to the network. Its channels are put into the graph; for each held-out payment the sender's cheapest way is \
         found by the sender's own weights, and the arm earns the fees of its members that lie on it. Members charge each other nothing \
         where the arm is one house."
            .into(),
        format!(
            "{} An open costs {} sat, spread over {} days; net revenue has it taken off.",
            charges(settings),
            grouped(settings.open_cost.get()),
            settings.open_life_days
        ),
        format!(
            "Shares become sat a day by {} payments a day over the whole network. Ratios do not depend on that number.",
            grouped(settings.payments_per_day)
        ),
        "Ratios are taken seed by seed on the same payments, then averaged. Intervals are of 95 %, over seeds.".into(),
        "When something fails, its nodes leave the graph and the same payments are scored again.".into(),
    ];
    if let Some(dynamics) = &settings.dynamics {
        items.push(format!(
            "The part with balances that move runs {} days of {} payments. A payment that fails is tried up to {} times. Rebalancing is off, \
             each member's own, or the fleet's, at the same budget.",
            dynamics.days,
            grouped(dynamics.payments_per_day.into()),
            dynamics.attempts
        ));
    }
    vec![
        Block::Heading("How it was measured".into()),
        Block::List(items),
    ]
}

/// What outsiders pay to whom.
fn charges(settings: &Settings) -> String {
    let (base, rate) = (settings.fee_base.get(), settings.fee_rate.get());
    let others = settings.planner.rates.values();
    let others: Vec<String> = others.iter().map(|rate| rate.get().to_string()).collect();
    match others.is_empty() {
        true => format!("All arms charge the outside {base} msat + {rate} ppm."),
        false => format!(
            "Planned arms choose what each channel charges the outside: {base} msat + {rate} ppm or one of {} ppm. The other arms \
             charge {rate} ppm: compare arms of the two kinds by their shares, not by revenue alone.",
            others.join(", ")
        ),
    }
}

fn arms(evaluation: &Evaluation) -> Table {
    let row = |arm: &Arm| vec![arm.to_string(), arm.description().to_owned()];
    Table {
        caption: "The arms".into(),
        words: true,
        head: vec!["arm".into(), "what it does".into()],
        rows: evaluation.settings.arms.iter().map(row).collect(),
    }
}

fn limits() -> Vec<Block> {
    let items = [
        "Demand is assumed. Nobody publishes who pays whom on Lightning; the models differ, and so do the results under them. Look at all \
         of them before believing one.",
        "Intervals cover the draw of payments and of random arms. They do not cover that the models, the graph or the senders may be wrong.",
        "The graph is one day's public snapshot. Private channels are not in it, and nobody's real balances are.",
        "Nobody answers: other nodes do not change their fees, open channels of their own or refuse ours because of what the arms do.",
        "The static part lets every payment take its cheapest way as if it had the liquidity. Where a channel runs dry, that shows only in \
         the part with balances that move.",
        "Senders are their defaults without memory. Real ones learn from their failures, and some users set other weights.",
        "Sat a day rest on an assumed number of payments on the whole network and are for scale; ratios are what this page is about.",
        "Arms trust their members fully. What a lying or a dead member costs beyond its absence is not here, nor are the hours of people.",
    ];
    vec![
        Block::Heading("What this does not show".into()),
        Block::List(items.map(str::to_owned).to_vec()),
    ]
}

fn constants(evaluation: &Evaluation) -> Table {
    let rows = evaluation.constants.iter().map(|constant| {
        let value = format!("{} {}", constant.value, constant.unit);
        vec![
            constant.name.to_owned(),
            value.trim().to_owned(),
            constant.reason.to_owned(),
        ]
    });
    Table {
        caption: "Constants of the experiment, with their reasons".into(),
        words: true,
        head: ["name", "value", "why"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

/// Everything that somebody needs to get the same numbers.
fn repeat(report: &Report) -> Vec<Block> {
    let evaluation = report.evaluation;
    let mut blocks = vec![
        Block::Heading("How to repeat it".into()),
        Block::text(
            "The same program on the same graph with the same seeds gives the same numbers, bit for bit, on any number of cores.",
        ),
        Block::Code(report.command.to_owned()),
    ];
    let mut rows = vec![
        vec!["version".to_owned(), report.version.to_owned()],
        vec![
            "graph's checksum".to_owned(),
            evaluation.graph.checksum.clone(),
        ],
    ];
    rows.extend(report.sources.iter().map(|source| {
        vec![
            format!("sha256 of {}", source.path.display()),
            source.sha256.clone(),
        ]
    }));
    let seeds = evaluation
        .cells
        .first()
        .map(|cell| cell.seeds.iter().map(u64::to_string).collect::<Vec<_>>());
    rows.push(vec![
        "seeds".to_owned(),
        seeds.unwrap_or_default().join(", "),
    ]);
    if let Some(millis) = evaluation.resources.millis {
        rows.push(vec![
            "wall time".to_owned(),
            format!("{:.1} s", millis as f64 / 1_000.0),
        ]);
    }
    if let Some(bytes) = evaluation.resources.peak_bytes {
        rows.push(vec![
            "peak memory".to_owned(),
            format!("{:.0} MB", bytes as f64 / 1e6),
        ]);
    }
    if let Some(threads) = evaluation.resources.threads {
        rows.push(vec!["threads".to_owned(), threads.to_string()]);
    }
    blocks.push(Block::Table(Table {
        caption: "What it ran on".into(),
        words: true,
        head: vec!["what".into(), "value".into()],
        rows,
    }));
    blocks
}
