//! The experiment as a page that a sceptical operator can read: question, result, method, limits, and how
//! to repeat it.

pub(crate) mod axis;
pub(crate) mod block;
mod details;
mod html;
mod lines;
mod markdown;
mod page;
mod strip;
#[cfg(test)]
mod tests;
pub(crate) mod verdict;
pub(crate) mod words;

use crate::failure::Failure;
use crate::graph_file::Source;
use block::Block;
use hive_evaluate::Evaluation;
use std::fs;
use std::path::Path;

/// What the pages are made from.
pub(crate) struct Report<'a> {
    pub(crate) evaluation: &'a Evaluation,
    /// What to type to get the same.
    pub(crate) command: &'a str,
    pub(crate) version: &'a str,
    /// The files of the graph; none when it was generated.
    pub(crate) sources: &'a [Source],
    /// Everything as JSON.
    pub(crate) json: &'a str,
}

impl Report<'_> {
    fn origin(&self) -> &'static str {
        match self.sources.is_empty() {
            true => "a generated one with the figures of the public network",
            false => "a snapshot of the public one",
        }
    }

    /// Writes `report.html`, `report.md` with its plots, and `result.json` into a folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let (title, blocks) = (page::title(self), page::blocks(self));
        let plots = folder.join(markdown::PLOTS);
        fs::create_dir_all(&plots).map_err(|reason| Failure::unwritable(&plots, reason))?;
        let put = |path: &Path, text: &str| {
            fs::write(path, text).map_err(|reason| Failure::unwritable(path, reason))
        };
        for block in &blocks {
            if let Block::Plot(plot) = block {
                put(&plots.join(format!("{}.svg", plot.name)), &plot.svg)?;
            }
        }
        put(&folder.join("report.html"), &html::page(&title, &blocks))?;
        put(&folder.join("report.md"), &markdown::page(&title, &blocks))?;
        put(&folder.join("result.json"), self.json)
    }
}
