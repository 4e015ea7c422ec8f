//! Money moves in few places, each behind a permit, and limits change in none.
//!
//! The types see to it that only the gate makes a permit and that a backend asks for one. What types can't see is a
//! second way to the node beside the backend, or to the maker beside the gate: this room searches for both.

use crate::breach::Breach;
use crate::modules::Reached;
use crate::source::Source;
use crate::tokens::Token;
use crate::tree::Tree;

/// Where an agent's own code lies; worlds, fixtures and trials around it stand for other people's hands.
const AGENT: &[&str] = &[
    "adapter-cln/src/",
    "adapter-lnd/src/",
    "hive-cli/src/embedded/",
    "hive-core/src/",
    "hive-node/src/",
    "hive-policy/src/",
];

/// Where a permit is carried out.
const EXECUTORS: &[&str] = &[
    "adapter-cln/src/money",
    "adapter-lnd/src/money",
    "hive-cli/src/embedded/money.rs",
];

/// Where permits are made.
const GATE: &str = "hive-policy/src/gate/";

/// What only the gate may name: the maker of permits, and the way to new limits.
const OF_THE_GATE: &[(&str, &str)] = &[
    (
        "for_reservation",
        "permits are made by the gate alone; ask `Gate::authorize`",
    ),
    (
        "set_limits",
        "limits change by the operator's configuration and a new start alone",
    ),
];

/// Calls by which a node moves money or changes a fee: methods of the embedded world, requests of cln-rpc, and requests
/// of LND's gRPC.
const SPENDING: &[&str] = &[
    "open_channel",
    "send_route",
    "set_policy",
    "FundchannelRequest",
    "FundchannelStartRequest",
    "KeysendRequest",
    "MultifundchannelRequest",
    "OpenchannelInitRequest",
    "PayRequest",
    "SendonionRequest",
    "SendpayRequest",
    "SetchannelRequest",
    "SpliceinitRequest",
    "TxsendRequest",
    "WithdrawRequest",
    "XpayRequest",
    "BatchOpenChannelRequest",
    "FundingTransitionMsg",
    "OpenChannelRequest",
    "PolicyUpdateRequest",
    "SendCoinsRequest",
    "SendOutputsRequest",
    "SendPaymentRequest",
    "SendToRouteRequest",
];

/// Calls that close a channel. No agent makes one.
const CLOSING: &[&str] = &[
    "AbandonChannelRequest",
    "CloseChannelRequest",
    "CloseRequest",
    "close_channel",
    "force_close",
];

/// What puts a graph together from gossip. Its `set_policy` notes down what others ask for and changes no fee.
const GRAPH_BUILDER: &str = "builder";

/// Checks what an agent runs, its tests aside.
pub(crate) fn check(tree: &Tree, reached: &Reached, found: &mut Vec<Breach>) {
    for (_, source) in tree.sources() {
        let for_tests = reached.get(&source.path).copied().unwrap_or(false);
        if lies_in(source, AGENT) && !for_tests {
            scan(source, found);
        }
    }
}

fn lies_in(source: &Source, places: &[&str]) -> bool {
    places.iter().any(|place| source.path.starts_with(place))
}

fn scan(source: &Source, found: &mut Vec<Breach>) {
    for (index, token) in source.tokens.iter().enumerate() {
        if source.in_tests(token) || is_of_a_graph(&source.tokens, index) {
            continue;
        }
        let word = token.word();
        let what = match of_the_gate(word) {
            Some(what) if !source.path.starts_with(GATE) => what.to_owned(),
            _ if CLOSING.contains(&word) => {
                format!("`{word}` closes a channel, and no agent ever does; take it out")
            }
            _ if SPENDING.contains(&word) && !lies_in(source, EXECUTORS) => {
                format!(
                    "`{word}` moves money; only what carries out a permit names it ({EXECUTORS:?})"
                )
            }
            _ => continue,
        };
        found.push(Breach::new(&source.path, token.at.line, what));
    }
}

/// Whether the word follows `builder.`.
fn is_of_a_graph(tokens: &[Token], index: usize) -> bool {
    let before = |steps: usize| tokens.get(index.checked_sub(steps)?);
    let called = before(1).is_some_and(|token| token.is_mark('.'));
    called && before(2).is_some_and(|token| token.word() == GRAPH_BUILDER)
}

fn of_the_gate(word: &str) -> Option<&'static str> {
    let mut known = OF_THE_GATE.iter().filter(|(known, _)| *known == word);
    known.next().map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::plant::{accepted, caught};

    fn workspace() -> Tree {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Tree::read(&root).unwrap()
    }

    /// The search finds nothing in the whole workspace, and what it searches for is there to be found.
    #[test]
    fn t44_no_sat_moves_outside_of_the_gate() {
        let tree = workspace();
        let mut found = Vec::new();
        let reached = crate::modules::check(&tree, &mut found);
        check(&tree, &reached, &mut found);
        assert_eq!(found, Vec::new());
        for (word, place) in [
            ("for_reservation", GATE),
            ("set_limits", GATE),
            ("open_channel", EXECUTORS[2]),
            ("send_route", EXECUTORS[2]),
            ("set_policy", EXECUTORS[2]),
        ] {
            let mut sources = tree.sources().map(|(_, source)| source);
            let names = |source: &Source| {
                source.path.starts_with(place)
                    && source.tokens.iter().any(|token| token.word() == word)
            };
            assert!(sources.any(names), "{word} is not in {place} any more");
        }
    }

    #[test]
    fn t44_a_second_way_to_the_node_is_caught() {
        let text = "//! Node.\nfn f(world: &mut World) {\n    world.open_channel(node);\n}\n";
        caught(
            &[("hive-node/src/lib.rs", text)],
            "hive-node/src/lib.rs:3",
            "moves money",
        );
        let text = "//! Node.\nfn f() -> cln_rpc::model::requests::PayRequest {\n    todo\n}\n";
        caught(
            &[("hive-node/src/lib.rs", text)],
            "hive-node/src/lib.rs:2",
            "`PayRequest` moves money",
        );
        let text =
            "//! Node.\n#[cfg(test)]\nmod tests {\n    fn f() { world.open_channel(node); }\n}\n";
        accepted(&[("hive-node/src/lib.rs", text)]);
    }

    #[test]
    fn t44_the_graphs_policies_and_files_of_tests_are_no_ways_to_the_node() {
        let graph = "//! Node.\nfn f() {\n    self.builder.set_policy(scid, from, &policy);\n}\n";
        accepted(&[("hive-node/src/lib.rs", graph)]);
        let other = "//! Node.\nfn f() {\n    builder.node.set_policy(scid);\n}\n";
        caught(
            &[("hive-node/src/lib.rs", other)],
            "hive-node/src/lib.rs:3",
            "moves money",
        );
        let root = "//! Node.\n#[cfg(test)]\nmod fake;\n";
        let fake = "//! Fake.\nfn f() { world.open_channel(node); }\n";
        accepted(&[
            ("hive-node/src/lib.rs", root),
            ("hive-node/src/fake.rs", fake),
        ]);
    }

    #[test]
    fn t44_a_second_maker_of_permits_is_caught() {
        let text = "//! Node.\nfn f() {\n    Authorized::for_reservation(entry);\n}\n";
        caught(
            &[("hive-node/src/lib.rs", text)],
            "hive-node/src/lib.rs:3",
            "made by the gate alone",
        );
    }

    #[test]
    fn t41_a_way_to_new_limits_besides_the_configuration_is_caught() {
        let text = "//! Node.\nfn f(gate: &mut Gate) {\n    gate.set_limits(limits);\n}\n";
        caught(
            &[("hive-node/src/lib.rs", text)],
            "hive-node/src/lib.rs:3",
            "limits change by the operator's configuration",
        );
    }

    #[test]
    fn a_way_to_close_a_channel_is_caught() {
        let text = "//! Node.\nfn f() {\n    node.close_channel(id);\n}\n";
        caught(
            &[("hive-node/src/lib.rs", text)],
            "hive-node/src/lib.rs:3",
            "closes a channel",
        );
    }
}
