//! Every form of a graph is read, and what is wrong with one is said with its place.

#![allow(clippy::unwrap_used)]

mod common;

use common::{node, policy, real_graph, scid};
use hive_planner::load::{LoadError, Loaded, load_csv, load_describegraph, load_listchannels};
use hive_types::{Msat, NodeId, Ppm, Sat};

const DESCRIBEGRAPH: &str = include_str!("data/describegraph.json");
const LISTCHANNELS: &str = include_str!("data/listchannels.json");
const LISTNODES: &str = include_str!("data/listnodes.json");

const NODES: &str = "\
idx,pubkey,alias,merchant,ip16
1,020000000000000000000000000000000000000000000000000000000000000001,\"a, \"\"b\"\"\",4,3.230
0,020000000000000000000000000000000000000000000000000000000000000002,⚡,0,
";
const HEADER: &str = "id,node1,node2,capacity_sat,\
state_12,base_msat_12,ppm_12,cltv_12,hmin_msat_12,hmax_msat_12,in_base_msat_12,in_ppm_12,updated_12,\
state_21,base_msat_21,ppm_21,cltv_21,hmin_msat_21,hmax_msat_21,in_base_msat_21,in_ppm_21,updated_21";

fn csv(lines: &[&str]) -> Result<Loaded, LoadError> {
    let channels = format!("{HEADER}\n{}\n", lines.join("\n"));
    load_csv(NODES.as_bytes(), channels.as_bytes())
}

#[test]
fn reads_describegraph() {
    let loaded = load_describegraph(DESCRIBEGRAPH.as_bytes()).unwrap();
    assert_eq!(loaded.self_loops, 1);
    let graph = loaded.graph;
    assert_eq!((graph.node_count(), graph.channel_count()), (2, 1));
    let one = graph.node_index(&node(1)).unwrap();
    let edge = graph.edge("800000x1x0".parse().unwrap(), one).unwrap();
    assert_eq!(edge.capacity, Sat::new(5_000_000));
    let read = edge.policy.unwrap();
    assert_eq!(
        (read.base, read.rate, read.cltv_delta),
        (Msat::new(1000), Ppm::new(250), 80)
    );
    assert_eq!((read.inbound_base_msat, read.inbound_ppm), (-1000, -50));
    assert_eq!(read.htlc_maximum, Msat::new(4_950_000_000));
    assert_eq!(graph.edge(edge.scid, edge.to).unwrap().policy, None);
}

#[test]
fn reads_the_replies_of_a_real_lightningd() {
    let loaded = load_listchannels(LISTCHANNELS.as_bytes(), LISTNODES.as_bytes()).unwrap();
    let graph = loaded.graph;
    assert_eq!((graph.node_count(), graph.channel_count()), (2, 1));
    let first = "0241abd276c7434164683d01e169b4b64fbd4f772a26131ce95967b3853ffc90bd";
    let first = graph.node_index(&first.parse().unwrap()).unwrap();
    let edge = graph.edge("102x1x0".parse().unwrap(), first).unwrap();
    assert_eq!(edge.capacity, Sat::new(1_000_000));
    let mut expected = policy(1, 10, 6);
    expected.htlc_minimum = Msat::ZERO;
    expected.htlc_maximum = Msat::new(990_000_000);
    assert_eq!(edge.policy, Some(expected));
    let back = graph.edge(edge.scid, edge.to).unwrap().policy.unwrap();
    assert_eq!((back.base, back.rate), (Msat::ZERO, Ppm::ZERO));
}

#[test]
fn listchannels_may_be_newer_than_listnodes_and_older_than_bare_numbers() {
    let quoted = LISTCHANNELS
        .replace(
            "\"amount_msat\": 1000000000",
            "\"amount_msat\": \"1000000000msat\"",
        )
        .replace("\"active\": true", "\"active\": false");
    let loaded = load_listchannels(quoted.as_bytes(), &br#"{"nodes":[]}"#[..]).unwrap();
    assert_eq!(loaded.graph.node_count(), 2);
    let edges = loaded.graph.edges();
    edges.for_each(|edge| assert!(edge.policy.unwrap().disabled && edge.usable().is_none()));
    let private = LISTCHANNELS.replace("\"public\": true", "\"public\": false");
    let loaded = load_listchannels(private.as_bytes(), LISTNODES.as_bytes()).unwrap();
    assert_eq!(loaded.graph.channel_count(), 0);
}

#[test]
fn reads_the_csv_form_with_ordinals_and_absurd_fees() {
    let loaded = csv(&[
        "7,1,0,500,on,4294967295,4294967295,144,1,2,-1,-2,99,none,,,,,,,,",
        "800000x1x0,0,1,600,none,,,,,,,,,off,0,0,0,0,0,0,0,",
        "8,1,1,600,none,,,,,,,,,off,0,0,0,0,0,0,0,",
    ]);
    let loaded = loaded.unwrap();
    assert_eq!((loaded.self_loops, loaded.graph.channel_count()), (1, 2));
    let one = loaded.graph.node_index(&node(1)).unwrap();
    let edge = loaded.graph.edge(scid(7), one).unwrap();
    assert_eq!(edge.policy.unwrap().base, Msat::new(u64::from(u32::MAX)));
    let off = loaded.graph.edge("800000x1x0".parse().unwrap(), one);
    assert!(off.unwrap().policy.unwrap().disabled);
}

/// What one node is said to be: alias, the first half of its address, whether lists of merchants name it.
fn said(loaded: &Loaded, of: NodeId) -> (&str, Option<[u8; 2]>, bool) {
    let alias = loaded.aliases.get(&of).map_or("", String::as_str);
    let merchant = loaded.merchants.contains(&of);
    (alias, loaded.ip16.get(&of).copied(), merchant)
}

#[test]
fn reads_what_nodes_are_said_to_be() {
    let loaded = csv(&[]).unwrap();
    assert_eq!(said(&loaded, node(1)), ("a, \"b\"", Some([3, 230]), true));
    assert_eq!(said(&loaded, node(2)), ("⚡", None, false));

    let public = DESCRIBEGRAPH.replace("127.0.0.1:9735", "3.230.1.2:9735");
    let loaded = load_describegraph(public.as_bytes()).unwrap();
    let one = ("one, \"quoted\" ⚡", Some([3, 230]), false);
    assert_eq!(said(&loaded, node(1)), one);
    assert_eq!(said(&loaded, node(2)), ("", None, false));
    let tor = DESCRIBEGRAPH.replace("127.0.0.1", "abc.onion");
    let loaded = load_describegraph(tor.as_bytes()).unwrap();
    assert_eq!(loaded.ip16.len(), 0);

    let addresses = r#""addresses": [
        {"type": "torv3", "address": "abc.onion", "port": 9735},
        {"type": "ipv4", "address": "3.230.1.2", "port": 9735}
    ]"#;
    let public = LISTNODES.replacen("\"addresses\": []", addresses, 1);
    let loaded = load_listchannels(LISTCHANNELS.as_bytes(), public.as_bytes()).unwrap();
    let first = loaded.graph.nodes().next().unwrap().1;
    assert_eq!(said(&loaded, first), ("l2", Some([3, 230]), false));
}

#[test]
fn tables_without_notes_are_read_and_wrong_notes_are_named() {
    let bare = NODES
        .replace("merchant", "other")
        .replace("ip16", "another");
    let loaded = load_csv(bare.as_bytes(), HEADER.as_bytes()).unwrap();
    assert_eq!((loaded.merchants.len(), loaded.ip16.len()), (0, 0));
    for (from, to, named) in [(",4,", ",yes,", "`merchant`"), ("3.230", "3.456", "`ip16`")] {
        let wrong = NODES.replace(from, to);
        let message = load_csv(wrong.as_bytes(), HEADER.as_bytes()).unwrap_err();
        assert!(message.to_string().contains(named), "{message}");
    }
}

#[test]
fn says_where_a_table_is_wrong() {
    let good = "7,1,0,500,on,1,1,144,1,2,0,0,,none,,,,,,,,";
    let cases = [
        (
            "x,1,0,500,none,,,,,,,,,none,,,,,,,,",
            "line 3: `id` is \"x\"",
        ),
        (
            "8,1,5,500,none,,,,,,,,,none,,,,,,,,",
            "line 3: `node2` is \"5\"",
        ),
        (
            "8,1,0,-4,none,,,,,,,,,none,,,,,,,,",
            "line 3: `capacity_sat` is \"-4\"",
        ),
        (
            "8,1,0,4,maybe,,,,,,,,,none,,,,,,,,",
            "line 3: `state_12` is \"maybe\"",
        ),
        (
            "8,1,0,4,on,1,4294967296,1,1,1,0,0,,none,,,,,,,,",
            "line 3: `ppm_12`",
        ),
        (
            "8,1,0,4,on,4294967296,1,1,1,1,0,0,,none,,,,,,,,",
            "above the 4294967295",
        ),
        ("7,1,0,4,none,,,,,,,,,none,,,,,,,,", "line 3: `id` is \"7\""),
        ("8,1,0", "line: 3"),
    ];
    for (line, expected) in cases {
        let message = csv(&[good, line]).unwrap_err().to_string();
        assert!(message.contains(expected), "{line}: {message}");
    }
    let short = HEADER.replace("ppm_21", "other");
    let message = load_csv(NODES.as_bytes(), short.as_bytes()).unwrap_err();
    assert!(message.to_string().contains("no column `ppm_21`"));
    let twice = NODES.replace("\n0,", "\n1,");
    assert!(load_csv(twice.as_bytes(), HEADER.as_bytes()).is_err());
}

#[test]
fn says_where_json_is_wrong() {
    let wrong = |from: &str, to: &str| {
        let json = DESCRIBEGRAPH.replacen(from, to, 1);
        load_describegraph(json.as_bytes()).unwrap_err().to_string()
    };
    assert!(wrong("\"250\"", "\"4294967296\"").contains("line 34"));
    assert!(wrong("\"5000000\"", "5.5").contains("a whole number"));
    let unknown =
        "\"node2_pub\": \"02000000000000000000000000000000000000000000000000000000000000000";
    let message = wrong(&format!("{unknown}2"), &format!("{unknown}5"));
    assert!(
        message.contains("channel_id 879609302220865536"),
        "{message}"
    );
    for cut in
        (0..DESCRIBEGRAPH.trim_end().len()).filter(|cut| DESCRIBEGRAPH.is_char_boundary(*cut))
    {
        assert!(load_describegraph(&DESCRIBEGRAPH.as_bytes()[..cut]).is_err());
    }
    for cut in 0..LISTCHANNELS.trim_end().len() {
        let cut = &LISTCHANNELS.as_bytes()[..cut];
        assert!(load_listchannels(cut, LISTNODES.as_bytes()).is_err());
    }
}

#[test]
fn reads_the_whole_mainnet_in_little_memory() {
    for (name, nodes, channels) in [
        ("ln-2025-10-26", 12_842, 49_808),
        ("ln-2024-09-22", 18_212, 59_428),
    ] {
        let Some(loaded) = real_graph(name) else {
            return;
        };
        let marks = (loaded.merchants.len(), loaded.ip16.len());
        let expected = if name.contains("2025") {
            (163, 2_942)
        } else {
            (242, 0)
        };
        assert_eq!(marks, expected);
        assert!(loaded.aliases.len() > 10_000);
        let graph = loaded.graph;
        assert_eq!(
            (graph.node_count(), graph.channel_count()),
            (nodes, channels)
        );
        assert!(
            graph.resident_bytes() < 10_000_000,
            "{}",
            graph.resident_bytes()
        );
        let enabled = graph.edges().filter(|edge| edge.usable().is_some()).count();
        let expected = if name.contains("2025") {
            84_170
        } else {
            74_956
        };
        assert_eq!(enabled, expected);
    }
}
