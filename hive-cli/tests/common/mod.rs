//! Running the built program.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output};

pub fn hive(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hive"))
        .args(arguments)
        .env_remove("HIVE_CONFIG")
        .output()
        .unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Status 2, nothing on the standard output, one line that holds all of these.
pub fn refused(arguments: &[&str], holds: &[&str]) {
    let output = hive(arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert_eq!(
        error.trim_end().lines().count(),
        1,
        "{arguments:?}: {error}"
    );
    for part in holds {
        assert!(
            error.contains(part),
            "{arguments:?}: {error:?} lacks {part:?}"
        );
    }
}
