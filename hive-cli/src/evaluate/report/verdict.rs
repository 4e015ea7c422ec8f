//! The aims that were set before anything was measured, and how far each was reached.

use super::block::Table;
use super::words::{cell_name, interval, kept, paired, percent, ratio};
use hive_evaluate::{Arm, Cell, Evaluation, Failure, Metric, Summary};

/// The metric of the headline ratios.
pub(crate) const HEADLINE: Metric = Metric::NetRevenue;

/// What the fleet is held against, and the ratio of net revenue to reach.
pub(crate) const RATIOS: [(Arm, f64); 3] = [
    (Arm::Whale, 0.9),
    (Arm::Uncoordinated, 2.0),
    (Arm::Autopilot, 5.0),
];

/// What is lost, and the part of its revenue that the fleet is to keep.
pub(crate) const KEPT: [(Failure, f64); 2] =
    [(Failure::MeanMember, 0.8), (Failure::WorstMember, 0.8)];

/// An aim with what was measured, cell by cell.
pub(crate) struct Aim {
    /// What is measured.
    pub(crate) name: String,
    /// For a FIGURE line and a plot's file.
    pub(crate) key: String,
    /// At least this.
    pub(crate) least: f64,
    /// For each cell, in order; `None` where the run has no such number.
    pub(crate) found: Vec<Option<Summary>>,
    pub(crate) write: fn(f64) -> String,
}

impl Aim {
    /// How many cells lie wholly at or above the aim, wholly below it, or neither.
    fn tally(&self) -> (usize, usize, usize) {
        let (mut above, mut below, mut open) = (0, 0, 0);
        for summary in self.found.iter().flatten() {
            match (summary.low, summary.high) {
                (Some(low), _) if low >= self.least => above += 1,
                (_, Some(high)) if high < self.least => below += 1,
                _ => open += 1,
            }
        }
        (above, below, open)
    }

    /// The tally in words.
    pub(crate) fn verdict(&self) -> String {
        let (above, below, open) = self.tally();
        let all = above + below + open;
        let aim = (self.write)(self.least);
        format!(
            "{}: the aim is at least {aim}. Reached with the whole interval in {above} of {all}, missed with the whole interval in {below}, open in {open}.",
            self.name
        )
    }
}

/// Every aim that the run says something of.
pub(crate) fn aims(evaluation: &Evaluation) -> Vec<Aim> {
    let of_cells = |find: &dyn Fn(&Cell) -> Option<Summary>| -> Vec<Option<Summary>> {
        evaluation.cells.iter().map(find).collect()
    };
    let ratios = RATIOS.into_iter().map(|(below, least)| Aim {
        name: format!("fleet ÷ {below}, net revenue"),
        key: format!("fleet_over_{}", below.name().replace('-', "_")),
        least,
        found: of_cells(&|cell| Some(paired(cell, Arm::Fleet, below, HEADLINE)?.summary)),
        write: ratio,
    });
    let kept = KEPT.into_iter().map(|(failure, least)| Aim {
        name: format!("the fleet's revenue kept without {}", failure.title()),
        key: match failure {
            Failure::WorstMember => "fleet_kept_worst_member".into(),
            _ => "fleet_kept_mean_member".into(),
        },
        least,
        found: of_cells(&|cell| kept(cell, Arm::Fleet, &failure)),
        write: percent,
    });
    let all = ratios.chain(kept);
    all.filter(|aim| aim.found.iter().any(Option::is_some))
        .collect()
}

/// One row for each cell, one column for each aim.
pub(crate) fn table(evaluation: &Evaluation, aims: &[Aim]) -> Table {
    let heads = aims
        .iter()
        .map(|aim| format!("{} (aim {})", aim.name, (aim.write)(aim.least)));
    let row = |(number, cell): (usize, &Cell)| {
        let values = aims.iter().map(|aim| {
            let found = aim.found.get(number).copied().flatten();
            found.map_or_else(
                || "not measured".into(),
                |summary| interval(&summary, aim.write),
            )
        });
        std::iter::once(cell_name(cell)).chain(values).collect()
    };
    Table {
        caption: "Means over seeds, with 95 % intervals; each ratio is of the same payments".into(),
        words: false,
        head: std::iter::once("sender, demand, amount".to_owned())
            .chain(heads)
            .collect(),
        rows: evaluation.cells.iter().enumerate().map(row).collect(),
    }
}
