//! The result for a terminal.

use super::figures;
use super::report::block::Table;
use super::report::verdict;
use super::report::words::{cell_name, estimate, interval, writer};
use crate::columns::table;
use hive_evaluate::{Cell, Evaluation, Metric};

/// What fits side by side.
const SHOWN: [Metric; 4] = [
    Metric::PaymentShare,
    Metric::NetRevenue,
    Metric::WithinTwoHops,
    Metric::LargestMember,
];

pub(super) fn tell(evaluation: &Evaluation) -> String {
    let aims = verdict::aims(evaluation);
    let mut parts: Vec<String> = evaluation.cells.iter().map(cell).collect();
    if !aims.is_empty() {
        parts.push(plain(&verdict::table(evaluation, &aims)));
        let verdicts: Vec<String> = aims.iter().map(verdict::Aim::verdict).collect();
        parts.push(verdicts.join("\n"));
    }
    parts.extend(evaluation.notes.iter().map(|note| format!("note: {note}")));
    parts.push(figures::lines(evaluation).join("\n"));
    parts.join("\n\n")
}

fn cell(cell: &Cell) -> String {
    let head: Vec<&str> = std::iter::once("arm")
        .chain(SHOWN.iter().map(|metric| metric.title()))
        .collect();
    let row = |arm: &hive_evaluate::ArmResult| {
        let values = SHOWN
            .iter()
            .map(|metric| interval(&estimate(arm, *metric), writer(*metric)));
        std::iter::once(arm.arm.to_string()).chain(values).collect()
    };
    let rows = cell.arms.iter().map(row).collect();
    let notes: String = cell
        .notes
        .iter()
        .map(|note| format!("\nnote: {note}"))
        .collect();
    format!(
        "{}\n{}{notes}",
        cell_name(cell),
        table(&head, rows, "no arms")
    )
}

/// A wide table as one that is long: one line for each of its cells.
fn plain(wide: &Table) -> String {
    let lines = wide.rows.iter().flat_map(|row| {
        let name = row.first().cloned().unwrap_or_default();
        let cells = wide.head.iter().zip(row).skip(1);
        cells.map(move |(head, cell)| vec![name.clone(), head.clone(), cell.clone()])
    });
    let head = wide.head.first().map_or("", String::as_str);
    table(
        &[head, "what", "mean (95 % interval)"],
        lines.collect(),
        "nothing",
    )
}
