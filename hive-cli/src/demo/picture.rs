//! What a terminal shows, as an SVG picture for the README.

use crate::markup::{cut, escape};
use std::fmt::Write;

const COLUMNS: usize = 124;
const ROWS: usize = 84;
/// Rows of those for the beginning; the others show the end.
const HEAD: usize = 46;
const WIDTH: usize = 8;
const HEIGHT: usize = 17;
const MARGIN: usize = 16;

/// What repeats itself most, and tells a reader of the picture least.
const PASSED_OVER: [&str; 4] = [
    " proposes: ",
    " ends the handshake ",
    " refuses ",
    " alert: ",
];

/// Draws the first lines and the last ones, with a gap between where there are too many.
pub(crate) fn draw(lines: &[String]) -> String {
    let is_shown = |line: &&String| !PASSED_OVER.iter().any(|words| line.contains(words));
    let shown: Vec<String> = lines.iter().filter(is_shown).cloned().collect();
    let chosen: Vec<String> = match shown.len() > ROWS {
        false => shown,
        true => {
            let rest = lines.len() - (ROWS - 1);
            let gap = format!("          ... {rest} more lines ...");
            let head = shown.iter().take(HEAD).cloned();
            let tail = shown.iter().skip(shown.len() - (ROWS - HEAD - 1)).cloned();
            head.chain([gap]).chain(tail).collect()
        }
    };
    let (width, height) = (
        COLUMNS * WIDTH + 2 * MARGIN,
        chosen.len() * HEIGHT + 2 * MARGIN,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#14181f\"/>\n"
    );
    for (place, line) in chosen.iter().enumerate() {
        let y = MARGIN + (place + 1) * HEIGHT - 4;
        let text = escape(&cut(line, COLUMNS));
        // Writing to a string can't fail.
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y}\" fill=\"{}\" xml:space=\"preserve\">{text}</text>",
            colour(line)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn colour(line: &str) -> &'static str {
    if line.contains("  -- ") {
        "#e0b050"
    } else if line.contains("FAILED") || line.contains("BROKEN") {
        "#e06060"
    } else if line.contains(" the fleet ") {
        "#70b0e0"
    } else if line.contains(" opened ") || line.contains(" pushed ") || line.contains(" held: ") {
        "#80c080"
    } else {
        "#c8ccd4"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_keep_their_beginning_and_their_end() {
        let lines: Vec<String> = (0..200)
            .map(|number| format!("line {number} <&>"))
            .collect();
        let svg = draw(&lines);
        assert_eq!(svg.matches("<text ").count(), ROWS);
        assert!(svg.contains("line 0 &lt;&amp;&gt;") && svg.contains("line 199 "));
        assert!(svg.contains("... 117 more lines ..."));
    }
}
