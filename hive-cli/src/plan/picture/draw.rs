//! The picture as SVG, readable on light and on dark pages.

use super::layout::{Layout, Place};
use super::{Scene, surroundings};
use crate::columns::grouped;
use crate::markup::{cut, escape};
use hive_types::{NodeId, Sat};
use std::fmt::Write;

/// Colours that the colour-blind tell apart too (Okabe and Ito).
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

/// Characters of a name before it is cut.
const NAME: usize = 20;

/// Room above the rings for the title and below them for the legend.
const TITLE: f64 = 56.0;
const LEGEND: f64 = 92.0;

/// The narrowest picture: the legend's width.
const WIDTH_MIN: f64 = 980.0;

/// Plain rules, without variables: not every viewer knows those.
const STYLE: &str = "\
text{fill:#1d2129;font:12px system-ui,sans-serif}.small{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:3px}.title{font-size:18px;font-weight:600}\
.ground{fill:#fff}.public{stroke:#9aa1ad;fill:none;opacity:.35}.own{fill:none;opacity:.55;stroke-dasharray:2 4}\
.open{fill:none;opacity:.9}.around{fill:#7b8494}.target{fill:#1d2129}.member{stroke:#fff;stroke-width:2}\
.name{font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:4px}\
@media(prefers-color-scheme:dark){text,.target{fill:#e4e7ec}.ground{fill:#14181f}.public{stroke:#6b7587}\
.around{fill:#8b93a3}.member,.name,.small{stroke:#14181f}}";

/// Draws the plan.
pub(crate) fn draw(scene: &Scene) -> String {
    let layout = Layout::of(scene);
    let width = (2.0 * layout.radius).max(WIDTH_MIN);
    let height = 2.0 * layout.radius + TITLE + LEGEND;
    let mut svg = String::new();
    let title = format!(
        "A plan for {} and {}",
        count(scene.members.len(), "member"),
        count(scene.opens.len(), "channel")
    );
    // Writing to a string can't fail, here and below.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n\
         <title>{title}</title>\n<desc>{}</desc>\n<style>{STYLE}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"24\" y=\"32\">{title}</text>\n<text x=\"24\" y=\"52\">{}</text>\n\
         <g transform=\"translate({:.1} {:.1})\">",
        escape(&format!("{title}. {}", scene.subtitle)),
        escape(&scene.subtitle),
        width / 2.0,
        layout.radius + TITLE,
    );
    draw_public(&mut svg, scene, &layout);
    draw_own(&mut svg, scene, &layout);
    draw_opens(&mut svg, scene, &layout);
    for (id, place) in &layout.surroundings {
        draw_node(&mut svg, scene, id, *place, "around");
    }
    for (id, place) in &layout.targets {
        draw_node(&mut svg, scene, id, *place, "target");
    }
    draw_members(&mut svg, scene, &layout);
    svg.push_str("</g>\n");
    draw_legend(&mut svg, height - LEGEND + 20.0);
    svg.push_str("</svg>\n");
    svg
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn colour(member: usize) -> &'static str {
    COLOURS[member % COLOURS.len()]
}

/// Members beyond the colours get broken lines.
fn dashes(member: usize) -> &'static str {
    [
        "",
        " stroke-dasharray=\"10 4\"",
        " stroke-dasharray=\"3 3\"",
    ][member / COLOURS.len() % 3]
}

/// A line's width by what the channel holds: the root of it.
fn stroke(capacity: Sat) -> f64 {
    (capacity.get() as f64 / 3_000_000.0).sqrt().clamp(1.5, 8.0)
}

/// A dot's radius by the node's public capacity.
fn dot(capacity: Sat) -> f64 {
    (2.5 + (capacity.get() as f64 / 1e9).sqrt()).min(14.0)
}

fn curve(svg: &mut String, attributes: &str, (from, to): (Place, Place), bend: f64, note: &str) {
    let ((x1, y1), (x2, y2)) = (from.point(), to.point());
    let (cx, cy) = ((x1 + x2) / 2.0 * bend, (y1 + y2) / 2.0 * bend);
    let _ = writeln!(
        svg,
        "<path {attributes} d=\"M{x1:.1} {y1:.1}Q{cx:.1} {cy:.1} {x2:.1} {y2:.1}\"><title>{}</title></path>",
        escape(note)
    );
}

fn draw_public(svg: &mut String, scene: &Scene, layout: &Layout) {
    let all = layout.targets.iter().chain(&layout.surroundings);
    let shown: Vec<NodeId> = all.map(|(id, _)| *id).collect();
    for (one, other, held) in surroundings::connections(scene, &shown) {
        let Some(ends) = layout.place(&one).zip(layout.place(&other)) else {
            continue;
        };
        let note = format!(
            "{} and {}: {} sat in public",
            scene.name(&one),
            scene.name(&other),
            grouped(held.get())
        );
        let attributes = format!(
            "class=\"public\" stroke-width=\"{:.1}\"",
            stroke(held) / 4.0
        );
        curve(svg, &attributes, ends, 1.0, &note);
    }
}

fn draw_own(svg: &mut String, scene: &Scene, layout: &Layout) {
    let all = layout.targets.iter().chain(&layout.surroundings);
    let shown: Vec<NodeId> = all.map(|(id, _)| *id).collect();
    for (member, peer, held) in surroundings::of_members(scene, &shown) {
        let Some(ends) = layout.members.get(member).copied().zip(layout.place(&peer)) else {
            continue;
        };
        let note = format!(
            "there already: {} sat with {}",
            grouped(held.get()),
            scene.name(&peer)
        );
        let attributes = format!(
            "class=\"own\" stroke=\"{}\" stroke-width=\"{:.1}\"",
            colour(member),
            stroke(held)
        );
        curve(svg, &attributes, ends, 1.0, &note);
    }
}

fn draw_opens(svg: &mut String, scene: &Scene, layout: &Layout) {
    for open in &scene.opens {
        let fellow = scene
            .members
            .iter()
            .position(|member| *member == open.target);
        let to = fellow.map_or_else(
            || layout.place(&open.target),
            |place| layout.members.get(place).copied(),
        );
        let Some(ends) = layout.members.get(open.member).copied().zip(to) else {
            continue;
        };
        let attributes = format!(
            "class=\"open\" stroke=\"{}\" stroke-width=\"{:.1}\"{}",
            colour(open.member),
            stroke(open.capacity),
            dashes(open.member)
        );
        curve(svg, &attributes, ends, 1.0, &open.note);
    }
}

fn draw_node(svg: &mut String, scene: &Scene, id: &NodeId, place: Place, class: &str) {
    let held = scene
        .graph
        .node_index(id)
        .map(|node| (scene.graph.capacity_of(node), scene.graph.degree_of(node)));
    let (capacity, degree) = held.unwrap_or_default();
    let ((x, y), size) = (place.point(), dot(capacity));
    let name = scene.name(id);
    let note = format!(
        "{name} {id}: {} sat in {}",
        grouped(capacity.get()),
        count(degree, "public channel")
    );
    let _ = writeln!(
        svg,
        "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{size:.1}\"><title>{}</title></circle>",
        escape(&note)
    );
    let degrees = place.angle.to_degrees();
    let (turn, anchor) = match place.angle.cos() < 0.0 {
        true => (degrees + 180.0, "end"),
        false => (degrees, "start"),
    };
    let (dx, dy) = Place {
        radius: place.radius + size + 5.0,
        ..place
    }
    .point();
    let _ = writeln!(
        svg,
        "<text class=\"small\" transform=\"translate({dx:.1} {dy:.1}) rotate({turn:.1})\" text-anchor=\"{anchor}\" dy=\"4\">{}</text>",
        escape(&cut(&name, NAME))
    );
}

fn draw_members(svg: &mut String, scene: &Scene, layout: &Layout) {
    for (number, (id, place)) in scene.members.iter().zip(&layout.members).enumerate() {
        let (x, y) = place.point();
        let alias = scene.aliases.get(id).cloned();
        let name = alias.unwrap_or_else(|| format!("member {}", number + 1));
        let _ = writeln!(
            svg,
            "<circle class=\"member\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"15\" fill=\"{}\"><title>{}</title></circle>\n\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" class=\"name\">{}</text>",
            colour(number),
            escape(&format!("{name} {id}")),
            y + 31.0,
            escape(&cut(&name, NAME))
        );
    }
}

/// What each sign means, side by side.
fn draw_legend(svg: &mut String, top: f64) {
    let _ = writeln!(
        svg,
        "<g transform=\"translate(24 {top:.0})\">\n\
         <circle class=\"member\" cx=\"12\" cy=\"8\" r=\"10\" fill=\"{0}\"/><text x=\"32\" y=\"12\">member of the fleet</text>\n\
         <circle class=\"target\" cx=\"212\" cy=\"8\" r=\"6\"/><text x=\"228\" y=\"12\">node to open to</text>\n\
         <circle class=\"around\" cx=\"392\" cy=\"8\" r=\"6\"/><text x=\"408\" y=\"12\">the largest other nodes, and peers that members have</text>\n\
         <path class=\"open\" d=\"M0 34h24\" stroke=\"{0}\" stroke-width=\"3\"/><text x=\"32\" y=\"38\">channel to open</text>\n\
         <path class=\"own\" d=\"M200 34h24\" stroke=\"{0}\" stroke-width=\"3\"/><text x=\"232\" y=\"38\">channel that is there</text>\n\
         <path class=\"public\" d=\"M380 34h24\" stroke-width=\"3\"/><text x=\"412\" y=\"38\">largest public channels between the nodes shown</text>\n\
         <text class=\"small\" x=\"0\" y=\"62\">The wider a line and the larger a dot, the more capacity (its square root). A member's channels have its colour.</text>\n</g>",
        colour(0)
    );
}
