//! The examples run and say what they promise.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

fn run(program: &str) -> String {
    let output = Command::new(program).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn two_members_come_to_hold_the_same() {
    let text = run(env!("CARGO_BIN_EXE_two_members"));
    let state = |name: &str| {
        let line = text.lines().find(|line| {
            line.trim_start()
                .starts_with(&format!("{name} sees 2 members"))
        });
        let line = line.unwrap_or_else(|| panic!("{text}"));
        line.split("records, state ").nth(1).unwrap().to_owned()
    };
    assert_eq!(state("alice"), state("bob"));
    assert!(text.contains("alice invites with hive1"), "{text}");
    assert!(text.contains("bob Joined"), "{text}");
}

#[test]
fn an_own_backend_carries_an_agent() {
    let text = run(env!("CARGO_BIN_EXE_own_backend"));
    assert!(text.contains("founding the hive"), "{text}");
    assert!(text.contains("\"stage\": \"member\""), "{text}");
    assert!(text.contains("\"tier\": \"full\""), "{text}");
}
