//! `hive plan` on small graphs: two cheap clusters, west and east, that one dear channel joins. Whoever
//! is new there earns by joining them for less.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{hive, refused, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
const NEW: &str = "030000000000000000000000000000000000000000000000000000000000000007";
const OTHER: &str = "030000000000000000000000000000000000000000000000000000000000000008";
const WEST_2: &str = "0200000000000000000000000000000000000000000000000000000000000000a2";

fn data(name: &str) -> String {
    format!("{DATA}/{name}")
}

/// The JSON of a plan on the describegraph file.
fn plan(members: &[&str], more: &[&str]) -> Value {
    let graph = data("describegraph.json");
    let arguments = ["plan", "--json", "--capital", "10000000", "--graph", &graph];
    let members = members.iter().flat_map(|member| ["--member", *member]);
    let arguments: Vec<&str> = arguments
        .into_iter()
        .chain(members)
        .chain(more.iter().copied())
        .collect();
    let output = hive(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        output.stderr.is_empty(),
        "no bar where there is no terminal: {}",
        text(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// East or west, for every channel to a node outside.
fn sides(plan: &Value) -> Vec<String> {
    let opens = plan["opens"].as_array().unwrap().iter();
    let outside = opens.filter(|open| open["fellow"] == false);
    outside
        .map(|open| open["target_alias"].as_str().unwrap()[..4].to_owned())
        .collect()
}

fn capital(plan: &Value) -> u64 {
    let opens = plan["opens"].as_array().unwrap().iter();
    opens
        .map(|open| open["capacity_sat"].as_u64().unwrap())
        .sum()
}

#[test]
fn a_new_node_joins_what_was_dear_to_join() {
    for sender in ["lnd", "ldk", "fee"] {
        let found = plan(&[NEW], &["--channels", "2", "--sender", sender]);
        let joined: BTreeSet<String> = sides(&found).into_iter().collect();
        assert_eq!(
            joined,
            ["east".to_owned(), "west".to_owned()].into(),
            "{sender}"
        );
        assert!(capital(&found) <= 10_000_000, "{found}");
        assert!(
            found["revenue_after_msat_per_day"].as_u64()
                > found["revenue_before_msat_per_day"].as_u64()
        );
        assert_eq!(found["members"][0]["in_graph"], false);
        assert_eq!(found["work"]["cut"], false);
    }
}

#[test]
fn members_that_are_there_already_are_seen() {
    let found = plan(&[WEST_2, NEW], &["--channels", "2"]);
    assert_eq!(found["members"][0]["in_graph"], true);
    assert_eq!(found["members"][0]["alias"], "west 2");
    assert_eq!(found["members"][0]["channels"], 4);
    let opens = found["opens"].as_array().unwrap();
    assert!(!opens.is_empty());
    for member in [WEST_2, NEW] {
        let own: Vec<&Value> = opens
            .iter()
            .filter(|open| open["member"] == member)
            .collect();
        let targets: BTreeSet<&str> = own
            .iter()
            .map(|open| open["target"].as_str().unwrap())
            .collect();
        assert!(own.len() <= 2, "K is per member: {opens:?}");
        assert_eq!(
            targets.len(),
            own.len(),
            "no target twice for one member: {opens:?}"
        );
    }
}

#[test]
fn every_form_of_a_graph_gives_the_same_plan() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["listchannels.json", "listnodes.json"] {
        fs::copy(data(name), folder.path().join(name)).unwrap();
    }
    let (channels, nodes) = (data("listchannels.json"), data("listnodes.json"));
    let forms: [&[&str]; 4] = [
        &[&data("describegraph.json")],
        &[&channels, &nodes],
        &[&channels],
        &[folder.path().to_str().unwrap()],
    ];
    let told: Vec<(Value, usize)> = forms
        .iter()
        .map(|paths| {
            let rest = [
                "--member",
                NEW,
                "--channels",
                "3",
                "--capital",
                "9000000",
                "--json",
            ];
            let arguments: Vec<&str> = [&["plan", "--graph"][..], paths, &rest].concat();
            let output = hive(&arguments);
            assert!(output.status.success(), "{}", text(&output.stderr));
            let mut found: Value = serde_json::from_slice(&output.stdout).unwrap();
            let sources = found["graph"]["sources"].as_array().unwrap().len();
            for open in found["opens"].as_array_mut().unwrap() {
                // Names come with the nodes, and one of the forms has none.
                open.as_object_mut().unwrap().remove("target_alias");
                open.as_object_mut().unwrap().remove("explanation");
            }
            (found["opens"].clone(), sources)
        })
        .collect();
    assert!(!told[0].0.as_array().unwrap().is_empty());
    assert!(
        told.iter().all(|(opens, _)| *opens == told[0].0),
        "{told:?}"
    );
    assert_eq!(
        told.iter().map(|(_, sources)| *sources).collect::<Vec<_>>(),
        [1, 2, 1, 2]
    );
}

#[test]
fn a_plan_is_told_in_words_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("plan.svg");
    let graph = data("describegraph.json");
    let arguments = [
        "plan",
        "--graph",
        &graph,
        "--member",
        NEW,
        OTHER,
        "--channels",
        "2",
        "--capital",
        "10000000",
    ];
    let output = hive(&[&arguments[..], &["--picture", picture.to_str().unwrap()]].concat());
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in [
        "member 2",
        NEW,
        "new: not in the graph",
        "west ",
        "east ",
        "sat a day",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let svg = fs::read_to_string(&picture).unwrap();
    let parsed = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<&str> = parsed
        .descendants()
        .filter_map(|element| element.text())
        .collect();
    for part in ["member 2", "channel to open", "member of the fleet"] {
        assert!(texts.contains(&part), "{part} is not in {texts:?}");
    }
    refused(
        &[&arguments[..], &["--picture", "/nowhere/at/all.svg"]].concat(),
        &["/nowhere/at/all.svg", "may write to"],
    );
}

#[test]
fn one_seed_gives_one_plan() {
    let without_times = |mut found: Value| {
        for field in ["wall_seconds", "peak_memory_bytes"] {
            found.as_object_mut().unwrap().remove(field).unwrap();
        }
        found
    };
    let run = || without_times(plan(&[NEW, OTHER], &["--channels", "2", "--seed", "5"]));
    assert_eq!(run(), run());
}

#[test]
fn what_cannot_be_planned_is_told() {
    let graph = data("describegraph.json");
    let plan = |more: &[&str], holds: &[&str]| {
        refused(&[&["plan", "--graph", &graph], more].concat(), holds);
    };
    let ok = ["--member", NEW, "--channels", "2", "--capital", "10000000"];
    let with = |more: &[&'static str]| -> Vec<&'static str> { [&ok[..], more].concat() };
    plan(
        &[
            "--member",
            "02ab",
            "--channels",
            "2",
            "--capital",
            "9000000",
        ],
        &["02ab", "66 hex digits"],
    );
    plan(
        &["--member", NEW, "--channels", "0", "--capital", "9000000"],
        &["--channels", "1..=500"],
    );
    plan(
        &["--member", NEW, "--channels", "2", "--capital", "900000"],
        &["900000", "--channel-min 1000000", "raise"],
    );
    plan(&["--member", NEW, "--capital", "900000"], &["--channels"]);
    plan(&["--channels", "2", "--capital", "900000"], &["--member"]);
    plan(&with(&["--member", NEW]), &["named twice"]);
    plan(
        &with(&["--channel-max", "10000"]),
        &["--channel-max 10000", "below"],
    );
    plan(&with(&["--channel-min", "0"]), &["--channel-min 0"]);
    plan(
        &with(&["--channel-size", "5000000,50000000"]),
        &["--channel-size 50000000", "10000000"],
    );
    plan(
        &with(&["--fee-ppm", "1,2,3,4,5,6,7,8,9,10"]),
        &["--fee-ppm", "at most eight"],
    );
    plan(&with(&["--sender", "cln"]), &["lnd, ldk or fee"]);
    plan(
        &with(&["--demand", "wishful"]),
        &["uniform, capacity or merchant"],
    );
    plan(&with(&["--amount", "0"]), &["number of sat"]);
    plan(&with(&["--deadline", "0"]), &["--deadline"]);
    let capital = [
        "--member",
        NEW,
        "--channels",
        "2",
        "--capital",
        "99999999999999999",
    ];
    plan(&capital, &["more bitcoin than there can be"]);
}

#[test]
fn graphs_that_hold_nothing_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let plan = |path: &str, holds: &[&str]| {
        refused(
            &[
                "plan",
                "--graph",
                path,
                "--member",
                NEW,
                "--channels",
                "2",
                "--capital",
                "9000000",
            ],
            holds,
        );
    };
    plan(&path("nowhere.json"), &["nowhere.json", "can be read"]);
    for (name, content, holds) in [
        (
            "empty.json",
            "{\"nodes\": [], \"edges\": []}",
            ["empty.json", "no channel"],
        ),
        (
            "peers.json",
            "{\"peers\": []}",
            ["no graph is there", "describegraph"],
        ),
        (
            "words.csv",
            "id,node1\n",
            ["no whole JSON object", "channels.csv"],
        ),
        (
            "cut.json",
            "{\"edges\": [{\"channel_id\"",
            ["cut.json", "export it again"],
        ),
    ] {
        fs::write(path(name), content).unwrap();
        plan(&path(name), &holds);
    }
}

#[test]
fn one_lonely_pair_of_nodes_gives_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pair.json");
    let whole: Value =
        serde_json::from_str(&fs::read_to_string(data("describegraph.json")).unwrap()).unwrap();
    let nodes = [&whole["nodes"][0], &whole["nodes"][1]];
    let pair = serde_json::json!({"nodes": nodes, "edges": [whole["edges"][0]]});
    fs::write(&path, pair.to_string()).unwrap();
    let path = path.to_str().unwrap();
    let output = hive(&[
        "plan",
        "--graph",
        path,
        "--member",
        NEW,
        "--channels",
        "2",
        "--capital",
        "9000000",
        "--json",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["graph"]["nodes"], 2);
    // Two nodes pay each other over their own channel for nothing: no third can be on the way.
    assert_eq!(found["opens"], serde_json::json!([]));
    assert!(
        !found["notes"].as_array().unwrap().is_empty(),
        "it says why"
    );
}
