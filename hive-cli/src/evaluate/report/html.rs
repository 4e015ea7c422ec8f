//! The report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere.

use super::block::{Block, Plot, Table};
use crate::markup::escape;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2129;--ground:#fff;--soft:#5b6472;--line:#d7dbe2;--stripe:#f5f6f8}\
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ec;--ground:#14181f;--soft:#a3abb9;--line:#353d4a;--stripe:#1b212b}}\
body{margin:0 auto;padding:1.5rem;max-width:62rem;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground)}\
h1{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}\
figure,.wide{margin:1.2rem 0;overflow-x:auto}svg{max-width:100%;height:auto}\
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}\
caption{text-align:left;color:var(--soft);padding-bottom:.4rem}\
th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid var(--line)}\
th:first-child,td:first-child,.words td,.words th{text-align:left}tbody tr:nth-child(even){background:var(--stripe)}\
thead th{vertical-align:bottom}tbody th{font-weight:600}\
pre{overflow-x:auto;padding:.8rem;background:var(--stripe);border:1px solid var(--line)}";

/// Renders a page.
pub(crate) fn page(title: &str, blocks: &[Block]) -> String {
    let body: Vec<String> = blocks.iter().map(block).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{}\n</main>\n</body>\n</html>\n",
        body.join("\n"),
        title = escape(title)
    )
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(text) => format!("<h2>{}</h2>", escape(text)),
        Block::Subheading(text) => format!("<h3>{}</h3>", escape(text)),
        Block::Text(text) => format!("<p>{}</p>", escape(text)),
        Block::Code(text) => format!("<pre><code>{}</code></pre>", escape_lines(text)),
        Block::List(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("<li>{}</li>", escape(item)))
                .collect();
            format!("<ul>\n{}\n</ul>", items.join("\n"))
        }
        Block::Table(found) => table(found),
        Block::Plot(Plot { svg, .. }) => format!("<figure>\n{svg}</figure>"),
    }
}

fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

fn table(table: &Table) -> String {
    let head: Vec<String> = table
        .head
        .iter()
        .map(|cell| format!("<th scope=\"col\">{}</th>", escape(cell)))
        .collect();
    let row = |cells: &Vec<String>| {
        let cells = cells.iter().enumerate().map(|(column, cell)| match column {
            0 => format!("<th scope=\"row\">{}</th>", escape(cell)),
            _ => format!("<td>{}</td>", escape(cell)),
        });
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let rows: Vec<String> = table.rows.iter().map(row).collect();
    let class = if table.words { " class=\"words\"" } else { "" };
    format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n<table{class}>\n<caption>{caption}</caption>\n\
         <thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>\n</div>",
        head.concat(),
        rows.join("\n"),
        caption = escape(&table.caption)
    )
}
