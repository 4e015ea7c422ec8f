//! Where everything stands: three rings, each ordered so that lines cross little.

use super::Scene;
use super::surroundings;
use hive_types::NodeId;
use std::collections::BTreeMap;
use std::f64::consts::TAU;

/// Between two names side by side on a ring.
const NAME_GAP: f64 = 17.0;
/// Between two members.
const MEMBER_GAP: f64 = 64.0;
/// From the members' ring to the targets'.
const TO_TARGETS: f64 = 170.0;
/// From the targets' ring to that of the surroundings, names between.
const TO_SURROUNDINGS: f64 = 190.0;
/// From the outer ring to the edge of the picture.
const TO_EDGE: f64 = 150.0;

/// A place on a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) angle: f64,
    pub(super) radius: f64,
}

impl Place {
    /// Right and down from the middle.
    pub(super) fn point(self) -> (f64, f64) {
        (
            self.radius * self.angle.cos(),
            self.radius * self.angle.sin(),
        )
    }
}

/// Where everything stands.
pub(super) struct Layout {
    pub(super) members: Vec<Place>,
    pub(super) targets: Vec<(NodeId, Place)>,
    pub(super) surroundings: Vec<(NodeId, Place)>,
    /// From the middle to the edge.
    pub(super) radius: f64,
}

impl Layout {
    pub(super) fn of(scene: &Scene) -> Self {
        let members = members(scene.members.len());
        let inner = members.first().map_or(0.0, |place| place.radius);
        let mut wanted: BTreeMap<NodeId, Vec<f64>> = BTreeMap::new();
        for open in scene
            .opens
            .iter()
            .filter(|open| !scene.members.contains(&open.target))
        {
            let angle = members.get(open.member).map_or(0.0, |place| place.angle);
            wanted.entry(open.target).or_default().push(angle);
        }
        let chosen: Vec<NodeId> = wanted.keys().copied().collect();
        let radius = ring(inner + TO_TARGETS, wanted.len());
        let targets = spread(wanted, radius);
        let around = surroundings::choose(scene, &chosen);
        let mut wanted: BTreeMap<NodeId, Vec<f64>> = BTreeMap::new();
        for node in &around {
            let near = targets
                .iter()
                .filter(|(target, _)| !scene.between(node, target).is_zero());
            wanted.insert(*node, near.map(|(_, place)| place.angle).collect());
        }
        let radius = ring(radius + TO_SURROUNDINGS, wanted.len());
        Self {
            members,
            targets,
            surroundings: spread(wanted, radius),
            radius: radius + TO_EDGE,
        }
    }

    /// Where a node stands that is no member.
    pub(super) fn place(&self, node: &NodeId) -> Option<Place> {
        let mut all = self.targets.iter().chain(&self.surroundings);
        all.find(|(id, _)| id == node).map(|(_, place)| *place)
    }
}

fn members(count: usize) -> Vec<Place> {
    let radius = match count {
        0 | 1 => 0.0,
        _ => (count as f64 * MEMBER_GAP / TAU).max(90.0),
    };
    let angle = |place: usize| TAU * place as f64 / count as f64 - TAU / 4.0;
    (0..count)
        .map(|place| Place {
            angle: angle(place),
            radius,
        })
        .collect()
}

/// A ring of at least this radius with room for so many names.
fn ring(least: f64, names: usize) -> f64 {
    (names as f64 * NAME_GAP / TAU).max(least)
}

/// Nodes at equal distances on a ring, in the order of the angles that each would like best, turned so
/// that they are near them.
fn spread(wanted: BTreeMap<NodeId, Vec<f64>>, radius: f64) -> Vec<(NodeId, Place)> {
    let mean = |angles: &[f64]| -> f64 {
        let (x, y) = angles
            .iter()
            .fold((0.0, 0.0), |(x, y), a| (x + a.cos(), y + a.sin()));
        f64::atan2(y, x)
    };
    let mut order: Vec<(NodeId, f64)> = wanted
        .iter()
        .map(|(id, angles)| (*id, mean(angles)))
        .collect();
    order.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(&other.0)));
    let step = TAU / order.len().max(1) as f64;
    let slot = |place: usize| step * place as f64;
    let apart: Vec<f64> = order
        .iter()
        .enumerate()
        .map(|(place, (_, angle))| angle - slot(place))
        .collect();
    let turn = mean(&apart);
    let place = |(place, (id, _)): (usize, &(NodeId, f64))| {
        (
            *id,
            Place {
                angle: slot(place) + turn,
                radius,
            },
        )
    };
    order.iter().enumerate().map(place).collect()
}
