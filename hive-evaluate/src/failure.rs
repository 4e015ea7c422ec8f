//! What an arm keeps when nodes go.

use crate::placement::{Arranged, Placement};
use crate::score::{Questions, Scored, Sums, part};
use crate::{Failure, NetworkView};
use hive_planner::graph::{Graph, NodeIndex};
use hive_types::Sat;
use std::collections::{BTreeMap, BTreeSet};

/// What was left after one failure under one seed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Losses {
    pub(crate) failure: Failure,
    pub(crate) what: String,
    pub(crate) nodes: u32,
    pub(crate) payments_kept: Option<f64>,
    pub(crate) revenue_kept: Option<f64>,
}

/// Failures that are the same for every arm, found once.
pub(crate) struct Outside {
    largest: Option<NodeIndex>,
    subnet: Option<([u8; 2], BTreeSet<NodeIndex>)>,
}

impl Outside {
    pub(crate) fn new(network: NetworkView<'_>) -> Self {
        let graph = network.graph;
        let sized = graph
            .nodes()
            .map(|(node, _)| (graph.capacity_of(node), node));
        let largest = sized.max_by_key(|(capacity, node)| (*capacity, core::cmp::Reverse(*node)));
        let mut subnets: BTreeMap<[u8; 2], (Sat, BTreeSet<NodeIndex>)> = BTreeMap::new();
        for (id, prefix) in network.ip16 {
            if let Some(node) = graph.node_index(id) {
                let (capacity, nodes) = subnets.entry(*prefix).or_default();
                *capacity = capacity.saturating_add(graph.capacity_of(node));
                nodes.insert(node);
            }
        }
        let subnet = subnets
            .into_iter()
            .max_by_key(|(_, (capacity, _))| *capacity);
        Self {
            largest: largest.map(|(_, node)| node),
            subnet: subnet.map(|(prefix, (_, nodes))| (prefix, nodes)),
        }
    }

    /// Scores the arm again after every failure that there is.
    pub(crate) fn losses(
        &self,
        graph: &Graph,
        questions: &Questions<'_>,
        arranged: &Arranged,
        placement: &Placement,
        before: &Scored,
    ) -> Vec<Losses> {
        let mut losses = members(questions, arranged, before);
        let mut fail = |failure, what: String, nodes: &BTreeSet<NodeIndex>| {
            let gone = nodes
                .iter()
                .map(|node| arranged.moved[node.get()])
                .collect();
            let after = questions.without(arranged, &gone).total;
            losses.push(Losses::of(
                failure,
                what,
                nodes.len() as u32,
                &before.total,
                &after,
            ));
        };
        let name = |node: NodeIndex| graph.node_id(node).to_string();
        if let Some(largest) = self.largest {
            fail(
                Failure::LargestNode,
                name(largest),
                &BTreeSet::from([largest]),
            );
        }
        let targets = placement.targets();
        let targets = targets.keys().filter_map(|id| graph.node_index(id));
        let own = targets.max_by_key(|node| (graph.capacity_of(*node), core::cmp::Reverse(*node)));
        if let Some(own) = own {
            fail(Failure::LargestTarget, name(own), &BTreeSet::from([own]));
        }
        if let Some(([high, low], nodes)) = &self.subnet {
            fail(Failure::Subnet16, format!("{high}.{low}.0.0/16"), nodes);
        }
        losses
    }
}

impl Losses {
    fn of(failure: Failure, what: String, nodes: u32, before: &Sums, after: &Sums) -> Self {
        Self {
            failure,
            what,
            nodes,
            payments_kept: part(after.passing as f64, before.passing as f64),
            revenue_kept: part(after.earned() as f64, before.earned() as f64),
        }
    }
}

/// Each member in turn: their mean and the worst of them by revenue.
fn members(questions: &Questions<'_>, arranged: &Arranged, before: &Scored) -> Vec<Losses> {
    let each: Vec<Losses> = (0..arranged.members.len())
        .map(|member| {
            let after = questions.without_member(arranged, before, member).total;
            let name = format!("member {member}");
            Losses::of(Failure::WorstMember, name, 1, &before.total, &after)
        })
        .collect();
    let mean = |kept: fn(&Losses) -> Option<f64>| {
        let sum: Option<f64> = each.iter().map(kept).sum();
        sum.and_then(|sum| part(sum, each.len() as f64))
    };
    let average = Losses {
        failure: Failure::MeanMember,
        what: format!("{} members in turn", each.len()),
        nodes: 1,
        payments_kept: mean(|losses| losses.payments_kept),
        revenue_kept: mean(|losses| losses.revenue_kept),
    };
    let worst = each.iter().min_by(|one, other| {
        let kept = |losses: &Losses| losses.revenue_kept.unwrap_or(f64::INFINITY);
        kept(one).total_cmp(&kept(other))
    });
    let worst = worst.cloned();
    worst.into_iter().fold(vec![average], |mut all, worst| {
        all.push(worst);
        all
    })
}
