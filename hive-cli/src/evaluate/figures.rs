//! The aims as lines `FIGURE name value unit target`.

use super::report::verdict::{self, Aim};
use hive_evaluate::{Cell, Evaluation};

/// One line for each aim in each cell, with the interval's ends beside it.
pub(super) fn lines(evaluation: &Evaluation) -> Vec<String> {
    let aims = verdict::aims(evaluation);
    let cells = evaluation.cells.iter().enumerate();
    let mut lines: Vec<String> = cells
        .flat_map(|(place, cell)| of_cell(place, cell, &aims))
        .collect();
    let resources = &evaluation.resources;
    if let Some(millis) = resources.millis {
        lines.push(format!(
            "FIGURE evaluate_wall {:.2} s -",
            millis as f64 / 1_000.0
        ));
    }
    if let Some(bytes) = resources.peak_bytes {
        lines.push(format!(
            "FIGURE evaluate_peak_memory {:.1} MB -",
            bytes as f64 / 1e6
        ));
    }
    lines
}

fn of_cell(place: usize, cell: &Cell, aims: &[Aim]) -> Vec<String> {
    let mut lines = Vec::new();
    for aim in aims {
        let Some(summary) = aim.found.get(place).copied().flatten() else {
            continue;
        };
        let name = format!(
            "evaluate_{}_{}_{}_{}",
            cell.sender, cell.demand, cell.amount, aim.key
        );
        let parts = [
            ("", summary.mean),
            ("_low", summary.low),
            ("_high", summary.high),
        ];
        for (part, value) in parts {
            if let Some(value) = value {
                let target = if part.is_empty() {
                    format!(">={}", aim.least)
                } else {
                    "-".into()
                };
                lines.push(format!("FIGURE {name}{part} {value:.4} ratio {target}"));
            }
        }
    }
    lines
}
