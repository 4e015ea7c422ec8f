//! The built program: bad input is told in one line with status 2, an agent's answers become tables.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{hive, refused, text};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

#[test]
fn wrong_flags_are_told_in_one_line() {
    refused(&[], &["--help"]);
    refused(&["dmeo"], &["dmeo", "--help"]);
    refused(&["demo", "--memebrs", "5"], &["--memebrs"]);
    refused(&["demo", "--members", "2"], &["--members", "3..=10"]);
    refused(&["demo", "--members", "many"], &["many"]);
    refused(&["demo", "--hours", "1"], &["--hours"]);
    refused(&["demo", "--seed", "-1"], &["-1"]);
    refused(&["sim"], &["--seeds"]);
    refused(&["sim", "--seeds", "9..1"], &["9 is above 1"]);
    refused(&["sim", "--seeds", "x"], &["no whole number"]);
    refused(
        &["sim", "--seeds", "1..3", "--trace"],
        &["--trace", "one seed"],
    );
}

#[test]
fn commands_say_what_they_need() {
    refused(&["join"], &["ticket is missing", "usage: hive hive-join"]);
    refused(&["vouch", "02ab"], &["66 hex digits", "usage"]);
    refused(&["mode", "yolo"], &["yolo", "advisor"]);
    refused(&["status", "now"], &["too many", "usage: hive hive-status"]);
    refused(&["plan"], &["--graph"]);
}

#[test]
fn help_is_no_error_and_shows_examples() {
    let output = hive(&["--help"]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    for part in [
        "a fleet at work",
        "fleets with faults",
        "hive-approve",
        "Exit status",
    ] {
        assert!(help.contains(part), "{help}");
    }
    let output = hive(&["ban", "--help"]);
    let help = text(&output.stdout);
    assert!(help.contains("hive hive-ban node=<node id>"), "{help}");
    assert!(help.contains("evidence"), "{help}");
}

#[test]
fn an_absent_agent_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock");
    let socket = socket.to_str().unwrap();
    refused(
        &["status", "--socket", socket],
        &["no agent listens", "start it"],
    );
    let config = folder.path().join("hive.toml");
    fs::write(&config, "mode = 'yolo'").unwrap();
    refused(
        &["status", "--config", config.to_str().unwrap()],
        &["hive.toml", "advisor, autonomous or oracle"],
    );
}

#[test]
fn graphs_that_are_none_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let demo = |path: &Path, holds: &[&str]| {
        refused(&["demo", "--graph", path.to_str().unwrap()], holds);
    };
    demo(&path("nowhere"), &["nowhere", "can be read"]);
    demo(folder.path(), &["no graph is there", "channels.csv"]);
    fs::write(path("cut.json"), "{\"nodes\": [").unwrap();
    demo(&path("cut.json"), &["cut.json", "no whole JSON object"]);
    fs::write(path("half.json"), "{\"nodes\": []}").unwrap();
    demo(&path("half.json"), &["listchannels"]);
    fs::write(path("text.json"), "seven channels").unwrap();
    demo(
        &path("text.json"),
        &["no whole JSON object", "describegraph"],
    );
    fs::write(path("small.json"), "{\"nodes\": [], \"edges\": []}").unwrap();
    demo(&path("small.json"), &["only 0 nodes"]);
    let csv = path("csv");
    fs::create_dir(&csv).unwrap();
    fs::write(csv.join("nodes.csv"), "idx,pubkey\n0,02zz\n").unwrap();
    fs::write(csv.join("channels.csv"), "id\n").unwrap();
    demo(&csv, &["line 2", "66 hex digits"]);
    fs::write(csv.join("nodes.csv"), "idx\n0\n").unwrap();
    demo(&csv, &["no column `pubkey`"]);
    fs::remove_file(csv.join("nodes.csv")).unwrap();
    fs::write(csv.join("nodes.csv.zst"), "not packed").unwrap();
    demo(&csv, &["csv"]);
}

#[test]
fn folders_that_do_not_serve_are_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let under_a_file = folder.path().join("file/stores");
    refused(
        &["demo", "--data", under_a_file.to_str().unwrap()],
        &["file/stores", "may write to"],
    );
    refused(
        &["demo", "--data", folder.path().to_str().unwrap()],
        &["is not empty", "new folder"],
    );
}

#[test]
fn a_damaged_store_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let member = folder.path().join("alice");
    fs::create_dir(&member).unwrap();
    fs::write(member.join("hive.db"), "this is no database, it is a text").unwrap();
    refused(
        &["demo", "--data", folder.path().to_str().unwrap()],
        &["hive.db is damaged", "restore a backup"],
    );
}

/// An agent that answers one request with this.
fn agent(folder: &Path, answer: Value) -> (String, thread::JoinHandle<Value>) {
    let socket = folder.join("hive.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        writeln!(&stream, "{answer}").unwrap();
        serde_json::from_str(&line).unwrap()
    });
    (socket.to_str().unwrap().to_owned(), serving)
}

#[test]
fn answers_become_tables_or_stay_json() {
    let node = "03864ef025fde8fb587d989186ce6a4a186895ee44a926bfc370e2c366597a3f8f";
    let rows = json!({"members": [{
        "node_id": node, "tier": "full", "connected": true, "fresh": false, "channels": 4,
        "equivocated": false, "software": "hive 0.1", "confirmed": ["splice"]
    }]});
    for (flags, holds) in [
        (&[][..], &["node ", "full", "splice", "no"][..]),
        (&["--json"][..], &["\"members\": [", "\"fresh\": false"][..]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (socket, serving) = agent(folder.path(), json!({"ok": rows}));
        let output = hive(&[&["members", "--socket", &socket], flags].concat());
        let shown = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(holds.iter().all(|part| shown.contains(part)), "{shown}");
        assert_eq!(serving.join().unwrap()["command"], "hive-members");
    }
}

#[test]
fn parameters_and_refusals_pass_through() {
    let folder = tempfile::tempdir().unwrap();
    let error = json!({"code": "no_fleet", "message": "in no fleet", "what_to_do": "join one"});
    let (socket, serving) = agent(folder.path(), json!({"error": error}));
    let arguments = ["revenue-hive-approve", "00000000000000000000000000000001"];
    let output = hive(&[&arguments[..], &["--socket", &socket]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "hive: in no fleet; join one\n");
    let asked = serving.join().unwrap();
    assert_eq!(asked["command"], "hive-approve");
    assert_eq!(asked["params"]["id"], "00000000000000000000000000000001");
}

#[test]
fn one_seed_gives_the_same_bytes_each_time() {
    let arguments = [
        "sim",
        "--seeds",
        "3",
        "--members",
        "3",
        "--hours",
        "1",
        "--trace",
    ];
    let (first, second) = (hive(&arguments), hive(&arguments));
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.status.code(), second.status.code());
    let shown = text(&first.stdout);
    assert!(shown.lines().count() > 20, "{shown}");
    assert!(shown.contains("seeds 1, passed "), "{shown}");
}

#[test]
fn sums_are_one_json_object() {
    let output = hive(&[
        "sim",
        "--seeds",
        "1..2",
        "--members",
        "3",
        "--hours",
        "1",
        "--json",
    ]);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["seeds"], 2);
    let failed = summary["failed"].as_array().unwrap().len() as u64;
    assert_eq!(summary["passed"].as_u64().unwrap() + failed, 2);
    let expected = i32::from(failed > 0);
    assert_eq!(output.status.code(), Some(expected));
    for name in [
        "messages_lost",
        "messages_duplicated",
        "messages_reordered",
        "partitions",
        "crashes",
        "torn_writes",
    ] {
        assert!(summary[name].is_u64(), "{name}");
    }
}
