//! Values over days, one line for each series.

use super::axis::Axis;
use super::strip::{COLOURS, STYLE};
use crate::markup::{cut, escape};
use std::fmt::Write;

const LEFT: f64 = 70.0;
const WIDTH: f64 = 560.0;
const RIGHT: f64 = 270.0;
const TOP: f64 = 40.0;
const HEIGHT: f64 = 260.0;
/// Where values are zero.
const FOOT: f64 = TOP + HEIGHT;
const BOTTOM: f64 = 44.0;

/// Days that the axis names at most.
const DAYS_NAMED: usize = 12;

/// Characters of a line's name.
const NAME: usize = 34;

/// Broken lines, beside colours.
const DASHES: [&str; 3] = ["none", "7 4", "2 3"];

/// What is plotted.
pub(crate) struct Lines {
    pub(crate) title: String,
    pub(crate) x_unit: String,
    pub(crate) y_unit: String,
    pub(crate) series: Vec<Series>,
    pub(crate) write: fn(f64) -> String,
}

/// One line.
pub(crate) struct Series {
    pub(crate) name: String,
    /// From the first day on.
    pub(crate) values: Vec<f64>,
    pub(crate) colour: usize,
    pub(crate) dashes: usize,
}

impl Lines {
    pub(crate) fn draw(&self) -> String {
        let values: Vec<f64> = self
            .series
            .iter()
            .flat_map(|series| series.values.clone())
            .collect();
        let axis = Axis::linear(&values, HEIGHT);
        let (width, height) = (LEFT + WIDTH + RIGHT, FOOT + BOTTOM);
        let mut svg = String::new();
        // Writing to a string can't fail, here and below.
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n<text class=\"title\" x=\"0\" y=\"18\">{title}</text>",
            title = escape(&self.title)
        );
        self.draw_axes(&mut svg, &axis);
        for (number, series) in self.series.iter().enumerate() {
            self.draw_series(&mut svg, &axis, number, series);
        }
        let _ = writeln!(
            svg,
            "<text class=\"soft\" x=\"{LEFT}\" y=\"{:.0}\">{} (upwards), by {}</text>\n</svg>",
            FOOT + 36.0,
            escape(&self.y_unit),
            escape(&self.x_unit)
        );
        svg
    }

    /// A line has two ends at least.
    fn days(&self) -> usize {
        let lengths = self.series.iter().map(|series| series.values.len());
        lengths.max().unwrap_or(0).max(2)
    }

    fn x(&self, day: usize) -> f64 {
        LEFT + WIDTH * day as f64 / (self.days() - 1) as f64
    }

    fn draw_axes(&self, svg: &mut String, axis: &Axis) {
        for tick in axis.ticks() {
            let y = FOOT - axis.at(tick);
            let class = if tick == 0.0 { "zero" } else { "grid" };
            let _ = writeln!(
                svg,
                "<path class=\"{class}\" d=\"M{LEFT} {y:.1}h{WIDTH}\"/><text class=\"soft\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                escape(&(self.write)(tick))
            );
        }
        let days = self.days();
        for day in (0..days).step_by(days.div_ceil(DAYS_NAMED)) {
            let _ = writeln!(
                svg,
                "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                self.x(day),
                FOOT + 16.0,
                day + 1
            );
        }
    }

    fn draw_series(&self, svg: &mut String, axis: &Axis, number: usize, series: &Series) {
        let points = series.values.iter().enumerate();
        let points =
            points.map(|(day, value)| format!("{:.1},{:.1}", self.x(day), FOOT - axis.at(*value)));
        let points: Vec<String> = points.collect();
        let paint = format!(
            "fill=\"none\" stroke=\"{}\" stroke-width=\"2\" stroke-dasharray=\"{}\"",
            COLOURS[series.colour % COLOURS.len()],
            DASHES[series.dashes % DASHES.len()]
        );
        let (left, y) = (LEFT + WIDTH + 20.0, TOP + 20.0 * number as f64 + 8.0);
        let _ = writeln!(
            svg,
            "<polyline {paint} points=\"{}\"><title>{name}</title></polyline>\n\
             <path {paint} d=\"M{left:.0} {y:.0}h28\"/><text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
            points.join(" "),
            left + 36.0,
            y + 4.0,
            escape(&cut(&series.name, NAME)),
            name = escape(&series.name)
        );
    }
}
