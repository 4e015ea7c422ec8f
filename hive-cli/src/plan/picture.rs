//! The plan on the network: the fleet in the middle, its targets around it, and beyond them the
//! largest nodes of the surroundings.

mod draw;
mod layout;
mod surroundings;

pub(crate) use draw::draw;

use hive_planner::graph::Graph;
use hive_types::{NodeId, Sat};
use std::collections::BTreeMap;

/// What is drawn.
pub(crate) struct Scene<'a> {
    pub(crate) graph: &'a Graph,
    /// The names that nodes give themselves.
    pub(crate) aliases: &'a BTreeMap<NodeId, String>,
    pub(crate) members: Vec<NodeId>,
    pub(crate) opens: Vec<Opened>,
    /// One line below the title.
    pub(crate) subtitle: String,
}

/// A planned channel.
pub(crate) struct Opened {
    /// Who opens, by place among the members.
    pub(crate) member: usize,
    pub(crate) target: NodeId,
    pub(crate) capacity: Sat,
    /// What a reader sees when pointing at it.
    pub(crate) note: String,
}

impl Scene<'_> {
    /// What to call a node.
    fn name(&self, node: &NodeId) -> String {
        let alias = self.aliases.get(node).cloned();
        alias.unwrap_or_else(|| node.short())
    }

    /// What the public graph says that two nodes have in common.
    fn between(&self, one: &NodeId, other: &NodeId) -> Sat {
        let ends = self.graph.node_index(one).zip(self.graph.node_index(other));
        let capacities = ends.into_iter().flat_map(|(one, other)| {
            let edges = self.graph.between(one, other);
            edges.map(|edge| edge.capacity)
        });
        capacities.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_sim::generate::{GeneratorConfig, generate};

    fn scene(graph: &Graph, members: usize, opens: usize) -> Scene<'_> {
        let nodes: Vec<NodeId> = graph.nodes().map(|(_, id)| id).collect();
        let (members, others) = nodes.split_at(members);
        let open = |number: usize| Opened {
            member: number % members.len(),
            target: others[number * 7 % others.len()],
            capacity: Sat::new(1_000_000 + number as u64),
            note: "<what> & \"why\"\u{1}".into(),
        };
        Scene {
            graph,
            aliases: Box::leak(Box::new(BTreeMap::from([(nodes[0], "a<b>&\u{7}".into())]))),
            members: members.to_vec(),
            opens: (0..opens).map(open).collect(),
            subtitle: "one < two".into(),
        }
    }

    #[test]
    fn pictures_are_well_formed_whatever_is_in_them() {
        let graph = generate(&GeneratorConfig {
            nodes: 300,
            seed: [7; 32],
        });
        for (members, opens) in [(1, 0), (1, 1), (2, 3), (5, 40), (12, 240)] {
            let scene = scene(&graph, members, opens);
            let svg = draw(&scene);
            let parsed = roxmltree::Document::parse(&svg).unwrap();
            let class = |name: &str| {
                let elements = parsed.descendants();
                elements
                    .filter(|e| {
                        e.attribute("class")
                            .is_some_and(|c| c.split(' ').any(|c| c == name))
                    })
                    .count()
            };
            assert_eq!(
                class("member"),
                members + 1,
                "each member, and one in the legend"
            );
            assert_eq!(class("open"), opens + 1, "each open, and one in the legend");
        }
    }

    #[test]
    fn a_graph_of_nothing_is_drawn_too() {
        let graph = Graph::default();
        let scene = Scene {
            graph: &graph,
            aliases: &BTreeMap::new(),
            members: vec![NodeId::from_bytes([2; 33]).unwrap()],
            opens: Vec::new(),
            subtitle: String::new(),
        };
        roxmltree::Document::parse(&draw(&scene)).unwrap();
    }

    #[test]
    fn equal_plans_give_equal_pictures() {
        let graph = generate(&GeneratorConfig {
            nodes: 200,
            seed: [1; 32],
        });
        assert_eq!(draw(&scene(&graph, 3, 9)), draw(&scene(&graph, 3, 9)));
    }
}
