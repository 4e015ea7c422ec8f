//! Values with their intervals, one row for each: bars from zero, or points on a logarithmic axis.

use super::axis::Axis;
use crate::markup::{cut, escape};
use hive_evaluate::Summary;
use std::fmt::Write;

const LEFT: f64 = 270.0;
const LENGTH: f64 = 500.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 46.0;
const ROW: f64 = 26.0;
const BOTTOM: f64 = 44.0;

/// Characters of a row's name.
const NAME: usize = 42;

/// Colours of plots, from the first series on; the colour-blind tell them apart too.
pub(crate) const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

/// Rules that every plot shares, on light and on dark pages.
pub(crate) const STYLE: &str = "\
.plot text{fill:#1d2129;font:12px system-ui,sans-serif}.plot .title{font-size:14px;font-weight:600}.plot .soft{fill:#5b6472}\
.plot .grid{stroke:#d7dbe2}.plot .whisker{stroke:#1d2129;stroke-width:1.5;fill:none}.plot .zero{stroke:#5b6472}\
.plot .aim{stroke:#d55e00;stroke-dasharray:5 4}\
@media(prefers-color-scheme:dark){.plot text{fill:#e4e7ec}.plot .soft{fill:#a3abb9}.plot .grid{stroke:#353d4a}\
.plot .whisker{stroke:#e4e7ec}.plot .zero{stroke:#a3abb9}}";

/// What is plotted.
pub(crate) struct Strip {
    pub(crate) title: String,
    /// Of the axis.
    pub(crate) unit: String,
    pub(crate) rows: Vec<Row>,
    /// Whether the axis is logarithmic, as ratios want it.
    pub(crate) ratios: bool,
    /// A value to reach, with what to call it.
    pub(crate) aim: Option<f64>,
    /// How a value is written.
    pub(crate) write: fn(f64) -> String,
}

/// One value.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) summary: Summary,
    /// Which colour.
    pub(crate) series: usize,
}

impl Strip {
    pub(crate) fn draw(&self) -> String {
        let values = self
            .rows
            .iter()
            .flat_map(|row| [row.summary.mean, row.summary.low, row.summary.high]);
        let values: Vec<f64> = values.flatten().chain(self.aim).collect();
        let axis = match self.ratios {
            true => Axis::logarithmic(&values, LENGTH),
            false => Axis::linear(&values, LENGTH),
        };
        let (width, bottom) = (LEFT + LENGTH + RIGHT, TOP + ROW * self.rows.len() as f64);
        let height = bottom + BOTTOM;
        let mut svg = String::new();
        // Writing to a string can't fail, here and below.
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n<text class=\"title\" x=\"0\" y=\"18\">{title}</text>",
            title = escape(&self.title)
        );
        self.draw_grid(&mut svg, &axis, bottom);
        for (number, row) in self.rows.iter().enumerate() {
            self.draw_row(&mut svg, &axis, row, TOP + ROW * (number as f64 + 0.5));
        }
        let _ = writeln!(
            svg,
            "<text class=\"soft\" x=\"{LEFT}\" y=\"{:.0}\">{}</text>\n</svg>",
            bottom + 36.0,
            escape(&self.unit)
        );
        svg
    }

    fn draw_grid(&self, svg: &mut String, axis: &Axis, bottom: f64) {
        for tick in axis.ticks() {
            let x = LEFT + axis.at(tick);
            let class = match self.ratios {
                true if tick == 1.0 => "zero",
                false if tick == 0.0 => "zero",
                _ => "grid",
            };
            let _ = writeln!(
                svg,
                "<path class=\"{class}\" d=\"M{x:.1} {TOP}V{bottom:.1}\"/><text class=\"soft\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                escape(&(self.write)(tick))
            );
        }
        if let Some(aim) = self.aim {
            let x = LEFT + axis.at(aim);
            let _ = writeln!(
                svg,
                "<path class=\"aim\" d=\"M{x:.1} {:.1}V{bottom:.1}\"/><text class=\"soft\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">aim {}</text>",
                TOP - 4.0,
                TOP - 8.0,
                escape(&(self.write)(aim))
            );
        }
    }

    fn draw_row(&self, svg: &mut String, axis: &Axis, row: &Row, y: f64) {
        let told = super::words::interval(&row.summary, self.write);
        let _ = writeln!(
            svg,
            "<g><title>{}</title><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            escape(&format!("{}: {told}", row.name)),
            LEFT - 10.0,
            y + 4.0,
            escape(&cut(&row.name, NAME))
        );
        let colour = COLOURS[row.series % COLOURS.len()];
        let Some(mean) = row.summary.mean.filter(|mean| mean.is_finite()) else {
            let _ = writeln!(
                svg,
                "<text class=\"soft\" x=\"{:.0}\" y=\"{:.1}\">undefined</text></g>",
                LEFT + 6.0,
                y + 4.0
            );
            return;
        };
        let (x, origin) = (LEFT + axis.at(mean), LEFT + axis.origin());
        let _ = match self.ratios {
            true => writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>"
            ),
            false => writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"16\" fill=\"{colour}\"/>",
                x.min(origin),
                y - 8.0,
                (x - origin).abs()
            ),
        };
        let mut end = x;
        if let Some((low, high)) = row.summary.low.zip(row.summary.high) {
            let (from, to) = (LEFT + axis.at(low), LEFT + axis.at(high));
            end = end.max(to);
            let (above, below) = (y - 4.0, y + 4.0);
            let _ = writeln!(
                svg,
                "<path class=\"whisker\" d=\"M{from:.1} {y:.1}H{to:.1}M{from:.1} {above:.1}V{below:.1}M{to:.1} {above:.1}V{below:.1}\"/>"
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            end + 8.0,
            y + 4.0,
            escape(&(self.write)(mean))
        );
    }
}
