//! Arms that look at the graph alone: LND's autopilot, the earlier tool's score, chance.

use crate::placement::{End, Open, Placement};
use crate::{Arm, Settings};
use hive_planner::demand::SplitMix;
use hive_planner::graph::{Graph, NodeIndex};
use hive_planner::routes::Digraph;
use hive_types::Sat;
use std::collections::BTreeSet;

/// LND `autopilot/prefattach.go` `minMedianChanSizeFraction`: channels smaller than the median over
/// this count against a node.
const PREFERENTIAL_MEDIAN_FRACTION: u64 = 4;

/// The earlier tool's `MIN_TARGET_CAPACITY_SATS`: smaller targets are not looked at.
const PREDECESSOR_MIN_CAPACITY: u64 = 100_000_000;

/// The earlier tool's `UNDERSERVED_THRESHOLD_PCT`, as one part of so many: from this share of a
/// target's capacity on, the fleet leaves it alone.
const PREDECESSOR_SHARE: u64 = 20;

/// The earlier tool's discount for targets with many neighbours, in hundredths: below 30, 100, 200,
/// and from there on.
const PREDECESSOR_DEGREE: [(usize, u64); 4] = [(30, 100), (100, 85), (200, 65), (usize::MAX, 50)];

/// Weights of a draw are whole numbers up to this.
const WEIGHT_ONE: f64 = (1u64 << 40) as f64;

/// What the baselines need of a graph, computed once for all seeds.
pub(crate) struct Scores {
    /// Nodes with a channel that is enabled in both directions. LND would also open to others; leaving
    /// them out favours the baselines.
    candidates: Vec<NodeIndex>,
    centrality: Vec<u64>,
    preferential: Vec<u64>,
    capacity: Vec<u64>,
    neighbours: Vec<usize>,
}

impl Scores {
    pub(crate) fn new(graph: &Graph, arms: &[Arm]) -> Self {
        let candidates = graph.nodes().map(|(node, _)| node);
        let candidates = candidates.filter(|node| is_usable(graph, *node)).collect();
        let centrality = match arms.contains(&Arm::Autopilot) {
            true => scaled(&Digraph::of_channels(graph).betweenness()),
            false => Vec::new(),
        };
        let nodes = || graph.nodes().map(|(node, _)| node);
        Self {
            candidates,
            centrality,
            preferential: preferential(graph),
            capacity: nodes().map(|node| graph.capacity_of(node).get()).collect(),
            neighbours: nodes().map(|node| neighbours(graph, node)).collect(),
        }
    }

    /// Places a baseline arm; `None` for arms that plan.
    pub(crate) fn place(
        &self,
        arm: Arm,
        graph: &Graph,
        settings: &Settings,
        seed: u64,
    ) -> Option<Placement> {
        let mut chance = SplitMix::new(seed);
        let even = vec![1; graph.node_count()];
        let chosen = match arm {
            Arm::Autopilot => self.draw_each(&self.centrality, settings, &mut chance),
            Arm::Preferential => self.draw_each(&self.preferential, settings, &mut chance),
            Arm::Random => self.draw_each(&even, settings, &mut chance),
            Arm::Predecessor => self.predecessor(settings),
            _ => return None,
        };
        let opens = chosen.into_iter().map(|(member, target)| Open {
            member,
            to: End::Outside(graph.node_id(target)),
            capacity: settings.channel_size(),
            base: settings.fee_base,
            rate: settings.fee_rate,
        });
        Some(Placement {
            members: settings.members as usize,
            opens: opens.collect(),
            ..Placement::default()
        })
    }

    /// Each member draws its targets without putting back, as LND's `chooseN`. LND opens all that it
    /// may at once when it has the money, so scores are not computed again between draws.
    fn draw_each(
        &self,
        weights: &[u64],
        settings: &Settings,
        chance: &mut SplitMix,
    ) -> Vec<(usize, NodeIndex)> {
        let mut chosen = Vec::new();
        for member in 0..settings.members as usize {
            let mut left = self.candidates.clone();
            for _ in 0..settings.channels {
                let Some(place) = draw(&left, weights, chance) else {
                    break;
                };
                chosen.push((member, left.remove(place)));
            }
        }
        chosen
    }

    /// Members take turns, each taking the best target by the earlier tool's score.
    fn predecessor(&self, settings: &Settings) -> Vec<(usize, NodeIndex)> {
        let mut chosen: Vec<(usize, NodeIndex)> = Vec::new();
        for _ in 0..settings.channels {
            for member in 0..settings.members as usize {
                let best = |strict| {
                    let open = self.candidates.iter().filter_map(|node| {
                        let score = self.score(*node, member, &chosen, settings, strict)?;
                        Some((score, core::cmp::Reverse(*node)))
                    });
                    open.max()
                };
                // On a network without large nodes the tool would open nothing; equal opens matter more.
                if let Some((_, node)) = best(true).or_else(|| best(false)) {
                    chosen.push((member, node.0));
                }
            }
        }
        chosen
    }

    fn score(
        &self,
        node: NodeIndex,
        member: usize,
        chosen: &[(usize, NodeIndex)],
        settings: &Settings,
        strict: bool,
    ) -> Option<u128> {
        let there: BTreeSet<usize> = chosen
            .iter()
            .filter_map(|(by, target)| (*target == node).then_some(*by))
            .collect();
        let public = *self.capacity.get(node.get())?;
        let held = settings.channel_size().get() * there.len() as u64;
        let whole = public + held;
        let served =
            held * PREDECESSOR_SHARE >= whole || 2 * there.len() >= settings.members as usize;
        let refused = public < PREDECESSOR_MIN_CAPACITY || (served && !there.is_empty());
        if there.contains(&member) || (strict && refused) {
            return None;
        }
        let degree = *self.neighbours.get(node.get())?;
        let factor = PREDECESSOR_DEGREE.iter().find(|(below, _)| degree < *below);
        let factor = factor.map_or(0, |(_, factor)| *factor);
        // Capacity × (1 − share) is what others hold.
        Some(u128::from(whole - held) * u128::from(factor))
    }
}

fn is_usable(graph: &Graph, node: NodeIndex) -> bool {
    graph.channels_of(node).any(|edge| {
        let back = graph.edge(edge.scid, edge.to);
        edge.usable().is_some() && back.is_some_and(|back| back.usable().is_some())
    })
}

fn neighbours(graph: &Graph, node: NodeIndex) -> usize {
    let peers: BTreeSet<NodeIndex> = graph.channels_of(node).map(|edge| edge.to).collect();
    peers.len()
}

/// LND's score of `preferential`: large channels less small ones, where positive.
fn preferential(graph: &Graph) -> Vec<u64> {
    let mut sizes: Vec<Sat> = graph.channels().map(|channel| channel.capacity).collect();
    sizes.sort_unstable();
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or(Sat::ZERO);
    let least = Sat::new(median.get() / PREFERENTIAL_MEDIAN_FRACTION);
    let score = |node: NodeIndex| {
        let channels = graph.channels_of(node);
        let sum: i64 = channels
            .map(|edge| if edge.capacity < least { -1 } else { 1 })
            .sum();
        u64::try_from(sum).unwrap_or(0)
    };
    graph.nodes().map(|(node, _)| score(node)).collect()
}

/// Whole weights in proportion; `chooseN` draws by proportion too.
fn scaled(scores: &[f64]) -> Vec<u64> {
    let most = scores.iter().copied().fold(0.0, f64::max);
    let weight = |score: &f64| (score / most * WEIGHT_ONE) as u64;
    if most > 0.0 {
        scores.iter().map(weight).collect()
    } else {
        vec![0; scores.len()]
    }
}

/// The place of one draw by weight; `None` when nothing has weight.
fn draw(left: &[NodeIndex], weights: &[u64], chance: &mut SplitMix) -> Option<usize> {
    let weight = |node: &NodeIndex| weights.get(node.get()).copied().unwrap_or(0);
    let total: u64 = left.iter().map(weight).sum();
    if total == 0 {
        return None;
    }
    let mut point = chance.below(total);
    left.iter().position(|node| {
        let own = weight(node);
        let here = point < own;
        point = point.saturating_sub(own);
        here
    })
}

#[cfg(test)]
mod tests;
