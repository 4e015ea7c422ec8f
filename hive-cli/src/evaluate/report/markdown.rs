//! The report as Markdown, with its plots as files beside it.

use super::block::{Block, Table};

/// The folder of the plots, beside the page.
pub(crate) const PLOTS: &str = "plots";

/// Renders a page.
pub(crate) fn page(title: &str, blocks: &[Block]) -> String {
    let body: Vec<String> = blocks.iter().map(block).collect();
    format!("# {title}\n\n{}\n", body.join("\n\n"))
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(text) => format!("## {text}"),
        Block::Subheading(text) => format!("### {text}"),
        Block::Text(text) => text.clone(),
        Block::Code(text) => format!("```text\n{text}\n```"),
        Block::List(items) => {
            let items: Vec<String> = items.iter().map(|item| format!("- {item}")).collect();
            items.join("\n")
        }
        Block::Table(found) => table(found),
        Block::Plot(plot) => format!("![{}]({PLOTS}/{}.svg)", plot.alt, plot.name),
    }
}

fn table(table: &Table) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |", cells.join(" | "))
    };
    let left = table.words;
    let rule = (0..table.head.len()).map(|column| if column == 0 || left { "---" } else { "---:" });
    let rule: Vec<&str> = rule.collect();
    let mut lines = vec![
        format!("{}:", table.caption),
        String::new(),
        line(&table.head),
        format!("|{}|", rule.join("|")),
    ];
    lines.extend(table.rows.iter().map(|row| line(row)));
    lines.join("\n")
}
