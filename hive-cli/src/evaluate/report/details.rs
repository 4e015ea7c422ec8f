//! Every cell with all its numbers.

use super::block::{Block, Plot, Table};
use super::lines::{Lines, Series};
use super::strip::{Row, Strip};
use super::words::{
    balances, capitalized, cell_name, estimate, interval, percent, rebalancing, sat, writer,
};
use crate::columns::grouped;
use hive_evaluate::{
    Arm, ArmResult, Balances, Cell, DynamicsResult, Metric, PlanFacts, Rebalancing, Summary,
};

/// Metrics of the table of each cell.
const TABLED: [Metric; 11] = [
    Metric::PaymentShare,
    Metric::VolumeShare,
    Metric::Revenue,
    Metric::NetRevenue,
    Metric::SuccessRate,
    Metric::WithinTwoHops,
    Metric::WithinTwoHopsOfOne,
    Metric::LargestMember,
    Metric::Herfindahl,
    Metric::InSampleShare,
    Metric::Optimism,
];

/// Metrics of the table with balances that move.
const MOVING: [Metric; 7] = [
    Metric::PaymentShare,
    Metric::Revenue,
    Metric::RebalanceCost,
    Metric::RebalanceVolume,
    Metric::NetRevenue,
    Metric::SuccessRate,
    Metric::SuccessRateOfAll,
];

/// Arms whose days are drawn; more lines nobody tells apart.
const DRAWN: [Arm; 3] = [Arm::Whale, Arm::Fleet, Arm::Uncoordinated];

/// All of one cell.
pub(crate) fn blocks(cell: &Cell) -> Vec<Block> {
    let name = cell_name(cell);
    let key = format!("{}-{}-{}", cell.sender, cell.demand, cell.amount);
    let mut blocks = vec![
        Block::Heading(format!(
            "Senders {}, demand {}, amount {}",
            cell.sender,
            cell.demand,
            name.rsplit(", ").next().unwrap_or(&cell.amount)
        )),
        plot(cell, &name, &key, Metric::PaymentShare),
        plot(cell, &name, &key, Metric::NetRevenue),
        Block::Table(metrics(cell)),
        Block::Table(plans(cell)),
    ];
    blocks.extend(cell.notes.iter().map(|note| Block::Text(note.clone())));
    if cell.arms.iter().any(|arm| !arm.failures.is_empty()) {
        blocks.push(Block::Subheading("When something fails".into()));
        blocks.push(failures_plot(cell, &name, &key));
        blocks.push(Block::Table(failures(cell)));
    }
    if cell.arms.iter().any(|arm| !arm.dynamics.is_empty()) {
        blocks.push(Block::Subheading("When balances move".into()));
        for start in [Balances::Uniform, Balances::Bimodal] {
            blocks.extend(days_plot(cell, &name, &key, start));
        }
        blocks.push(Block::Table(dynamics(cell)));
    }
    blocks
}

fn colour(arm: Arm) -> usize {
    match arm {
        Arm::Whale => 5,
        Arm::Fleet | Arm::FleetNoLinks | Arm::FleetUnique => 0,
        Arm::Uncoordinated => 1,
        _ => 4,
    }
}

fn plot(cell: &Cell, name: &str, key: &str, metric: Metric) -> Block {
    let row = |arm: &ArmResult| Row {
        name: arm.arm.to_string(),
        summary: estimate(arm, metric),
        series: colour(arm.arm),
    };
    let title = format!("{} ({name})", capitalized(metric.title()));
    let strip = Strip {
        unit: format!(
            "{} of held-out demand, mean and 95 % interval over {} seeds",
            metric.title(),
            cell.seeds.len()
        ),
        rows: cell.arms.iter().map(row).collect(),
        ratios: false,
        aim: None,
        write: writer(metric),
        title: title.clone(),
    };
    let short = if metric == Metric::PaymentShare {
        "payments"
    } else {
        "net-revenue"
    };
    Block::Plot(Plot {
        name: format!("{key}-{short}"),
        alt: title,
        svg: strip.draw(),
    })
}

fn metrics(cell: &Cell) -> Table {
    let shown: Vec<Metric> = TABLED
        .into_iter()
        .filter(|metric| {
            cell.arms
                .iter()
                .any(|arm| estimate(arm, *metric).mean.is_some())
        })
        .collect();
    let head = shown.iter().map(|metric| match metric.unit() {
        "sat/day" => format!("{}, sat a day", metric.title()),
        _ => metric.title().to_owned(),
    });
    let row = |arm: &ArmResult| {
        let values = shown
            .iter()
            .map(|metric| interval(&estimate(arm, *metric), writer(*metric)));
        std::iter::once(arm.arm.to_string()).chain(values).collect()
    };
    Table {
        caption: format!(
            "On the network as it is, {} seeds, mean and 95 % interval",
            cell.seeds.len()
        ),
        words: false,
        head: std::iter::once("arm".to_owned()).chain(head).collect(),
        rows: cell.arms.iter().map(row).collect(),
    }
}

/// What was opened: that arms are equal is for the reader to see.
fn plans(cell: &Cell) -> Table {
    let row = |arm: &ArmResult| {
        let range = |of: &dyn Fn(&PlanFacts) -> u64| {
            let values: Vec<u64> = arm.plans.iter().map(of).collect();
            let ends = values.iter().min().zip(values.iter().max());
            match ends {
                None => "none".to_owned(),
                Some((least, most)) if least == most => grouped(*least),
                Some((least, most)) => format!("{} to {}", grouped(*least), grouped(*most)),
            }
        };
        vec![
            arm.arm.to_string(),
            range(&|plan| plan.opens.into()),
            range(&|plan| plan.links.into()),
            range(&|plan| plan.capital_sat),
            range(&|plan| plan.targets.into()),
            range(&|plan| plan.shared_targets.into()),
            match arm.plans.iter().all(|plan| plan.millis.is_some()) {
                true => range(&|plan| plan.millis.unwrap_or(0)),
                false => "not measured".into(),
            },
        ]
    };
    let head = [
        "arm",
        "opens",
        "of them between members",
        "sat",
        "outside targets",
        "targets of several members",
        "planning, ms",
    ];
    Table {
        caption: "What each arm opened, over seeds".into(),
        words: false,
        head: head.map(str::to_owned).to_vec(),
        rows: cell.arms.iter().map(row).collect(),
    }
}

fn failures_plot(cell: &Cell, name: &str, key: &str) -> Block {
    let rows = cell.arms.iter().flat_map(|arm| {
        arm.failures.iter().map(|failure| Row {
            name: format!("{}: {}", arm.arm, failure.failure.title()),
            summary: failure.revenue_kept,
            series: colour(arm.arm),
        })
    });
    let shown = [Arm::Whale, Arm::Fleet, Arm::Uncoordinated, Arm::Autopilot];
    let rows: Vec<Row> = rows
        .filter(|row| {
            shown
                .iter()
                .any(|arm| row.name.starts_with(&format!("{arm}:")))
        })
        .collect();
    let title = format!("Revenue kept when something fails ({name})");
    let strip = Strip {
        title: title.clone(),
        unit: "revenue after over revenue before, same payments".into(),
        rows,
        ratios: false,
        aim: None,
        write: percent,
    };
    Block::Plot(Plot {
        name: format!("{key}-failures"),
        alt: title,
        svg: strip.draw(),
    })
}

fn failures(cell: &Cell) -> Table {
    let rows = cell.arms.iter().flat_map(|arm| {
        arm.failures.iter().map(|failure| {
            vec![
                arm.arm.to_string(),
                failure.failure.title().to_owned(),
                failure.what.clone().unwrap_or_default(),
                failure.nodes.to_string(),
                interval(&failure.payments_kept, percent),
                interval(&failure.revenue_kept, percent),
            ]
        })
    });
    let head = [
        "arm",
        "what fails",
        "which",
        "nodes",
        "payments kept",
        "revenue kept",
    ];
    Table {
        caption: "After over before, on the same payments".into(),
        words: false,
        head: head.map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

fn days_plot(cell: &Cell, name: &str, key: &str, start: Balances) -> Option<Block> {
    let series = cell
        .arms
        .iter()
        .filter(|arm| DRAWN.contains(&arm.arm))
        .flat_map(|arm| {
            let runs = arm.dynamics.iter().filter(move |run| run.balances == start);
            runs.map(|run| Series {
                name: format!("{}, {}", arm.arm, rebalancing(run.rebalancing)),
                values: run
                    .days
                    .iter()
                    .map(|day| day.revenue_sat - day.rebalance_sat)
                    .collect(),
                colour: colour(arm.arm),
                dashes: match run.rebalancing {
                    Rebalancing::Fleet => 0,
                    Rebalancing::Local => 1,
                    Rebalancing::Off => 2,
                },
            })
        });
    let series: Vec<Series> = series.collect();
    if series.is_empty() {
        return None;
    }
    let title = format!(
        "Revenue less rebalancing, day by day, {} ({name})",
        balances(start)
    );
    let lines = Lines {
        title: title.clone(),
        x_unit: "simulated day".into(),
        y_unit: "sat a day, mean over seeds".into(),
        series,
        write: sat,
    };
    let start = if start == Balances::Uniform {
        "uniform"
    } else {
        "bimodal"
    };
    Some(Block::Plot(Plot {
        name: format!("{key}-days-{start}"),
        alt: title,
        svg: lines.draw(),
    }))
}

fn dynamics(cell: &Cell) -> Table {
    let value = |run: &DynamicsResult, metric: Metric| {
        let found = run
            .metrics
            .iter()
            .find(|estimate| estimate.metric == metric);
        let summary = found.map_or_else(Summary::default, |found| found.summary);
        interval(&summary, writer(metric))
    };
    let rows = cell.arms.iter().flat_map(|arm| {
        arm.dynamics.iter().map(|run| {
            let names = [
                arm.arm.to_string(),
                balances(run.balances).to_owned(),
                rebalancing(run.rebalancing).to_owned(),
            ];
            names
                .into_iter()
                .chain(MOVING.map(|metric| value(run, metric)))
                .collect()
        })
    });
    let head = ["arm", "start", "rebalancing"].map(str::to_owned);
    Table {
        caption: "Over all simulated days; revenue, cost and volume in sat a day".into(),
        words: false,
        head: head
            .into_iter()
            .chain(MOVING.map(|metric| metric.title().to_owned()))
            .collect(),
        rows: rows.collect(),
    }
}
