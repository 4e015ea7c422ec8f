//! Pure crates name no clock, random source, hash-ordered collection or IO.
//!
//! Time, chance and the world are arguments there, so that one seed replays one run and equal inputs give equal plans.
//! Their tests may use what they like except a clock: a test that reads one depends on timing. Benches are free.

use crate::arrows::PURE;
use crate::breach::Breach;
use crate::modules::Reached;
use crate::source::Source;
use crate::tokens::{Kind, Token, path_begins};
use crate::tree::{Crate, Tree};

/// What to do instead, by kind of breach.
const CLOCK: &str = "take `Now` as an argument instead of reading a clock";
const CHANCE: &str = "take the seed as an argument instead of a random source";
const ORDER: &str = "its order differs from run to run; use BTreeMap or BTreeSet";
const WORLD: &str = "leave IO to hive-node or to the caller";
const ASYNC: &str = "leave async to hive-node";

/// Words that nothing pure says, wherever they stand.
const WORDS: &[(&str, &str)] = &[
    ("Instant", CLOCK),
    ("SystemTime", CLOCK),
    ("HashMap", ORDER),
    ("HashSet", ORDER),
    ("hash_map", ORDER),
    ("hash_set", ORDER),
    ("hashbrown", ORDER),
    ("RandomState", ORDER),
    ("getrandom", CHANCE),
    ("thread_rng", CHANCE),
    ("from_os_rng", CHANCE),
    ("from_entropy", CHANCE),
    ("OsRng", CHANCE),
    ("ThreadRng", CHANCE),
    ("tokio", ASYNC),
    ("async", ASYNC),
];

/// Macros that write to a stream of the process.
const MACROS: &[&str] = &["println", "eprintln", "print", "eprint"];

/// Paths that nothing pure names, in expressions and in `use` lines alike.
const PATHS: &[(&[&str], &str)] = &[
    (&["std", "fs"], WORLD),
    (
        &["std", "net"],
        "use core::net for plain addresses; leave sockets to hive-node",
    ),
    (&["std", "env"], WORLD),
    (&["std", "thread"], WORLD),
    (&["std", "process"], WORLD),
    (&["std", "os"], WORLD),
    (&["std", "io", "stdin"], WORLD),
    (&["std", "io", "stdout"], WORLD),
    (&["std", "io", "stderr"], WORLD),
    (&["rand", "rng"], CHANCE),
    (&["rand", "random"], CHANCE),
];

/// The planner reads graphs from whatever the caller opened, so it may name the traits of `std::io`.
const MAY_READ: &str = "hive-planner";

/// Checks the sources of the pure crates.
pub(crate) fn check(tree: &Tree, reached: &Reached, found: &mut Vec<Breach>) {
    for (one, source) in tree.sources().filter(|(one, _)| PURE.contains(&one.name())) {
        match source.folder(&one.dir) {
            "src" => {
                let tests = reached.get(&source.path).copied().unwrap_or(false);
                scan(one, source, tests, found);
            }
            "tests" => scan(one, source, true, found),
            _ => {}
        }
    }
}

fn scan(one: &Crate, source: &Source, tests: bool, found: &mut Vec<Breach>) {
    let mut say = |token: &Token, name: &str, what: &str| {
        let tail = if tests || source.in_tests(token) {
            "even in tests"
        } else {
            "outside tests"
        };
        found.push(Breach::new(
            &source.path,
            token.at.line,
            format!("pure crates never name `{name}`, {tail}: {what}"),
        ));
    };
    for (index, token) in source.tokens.iter().enumerate() {
        let for_tests = tests || source.in_tests(token);
        if let Some((word, what)) = WORDS.iter().find(|(word, _)| *word == token.word())
            && (!for_tests || *what == CLOCK)
        {
            say(token, word, what);
        }
        if for_tests {
            continue;
        }
        let calls_macro = source
            .tokens
            .get(index + 1)
            .is_some_and(|next| next.is_mark('!'));
        if calls_macro && MACROS.contains(&token.word()) {
            say(token, &format!("{}!", token.word()), WORLD);
        }
        if token.word() == "use" {
            for path in imports(&source.tokens, index + 1) {
                judge_path(one, &path, &mut |name, what| say(token, name, what));
            }
        } else if let Some((path, what)) = PATHS
            .iter()
            .find(|(path, _)| path_begins(&source.tokens, index, path))
        {
            say(token, &path.join("::"), what);
        } else if one.name() != MAY_READ && path_begins(&source.tokens, index, &["std", "io"]) {
            say(token, "std::io", WORLD);
        }
    }
}

fn judge_path(one: &Crate, path: &[String], say: &mut dyn FnMut(&str, &str)) {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    for (refused, what) in PATHS {
        if path.starts_with(refused) {
            say(&path.join("::"), what);
        }
    }
    match path[..] {
        ["std", "io", ..] if one.name() != MAY_READ => say(&path.join("::"), WORLD),
        ["std", "*" | "as"] => say(
            &path.join("::"),
            "name what is meant, so that this check can see it",
        ),
        _ => {}
    }
}

/// The full paths of a `use` line whose first token is `tokens[at]`; `as` ends a path and stands in it as a last part
/// when a whole crate is renamed.
fn imports(tokens: &[Token], at: usize) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    let mut path: Vec<String> = Vec::new();
    // Lengths of the path at each open brace.
    let mut opened: Vec<usize> = Vec::new();
    let mut skip_name = false;
    for token in tokens.get(at..).unwrap_or_default() {
        let base = opened.last().copied().unwrap_or(0);
        match &token.kind {
            Kind::Mark(';') => break,
            Kind::Mark(',') => {
                out.push(path.clone());
                path.truncate(base);
                skip_name = false;
            }
            Kind::Mark('*') => path.push("*".to_owned()),
            Kind::Open(_) => opened.push(path.len()),
            Kind::Close(_) => {
                out.push(path.clone());
                path.truncate(base);
                opened.pop();
                // What the brace hung on is complete.
                path.truncate(opened.last().copied().unwrap_or(0));
            }
            Kind::Word(word) if word == "as" => {
                if path.len() == 1 {
                    path.push("as".to_owned());
                }
                skip_name = true;
            }
            Kind::Word(word) if !skip_name && word != "self" => path.push(word.clone()),
            _ => {}
        }
    }
    out.push(path);
    out.retain(|path| path.len() > 1);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::{accepted, breaches, caught};

    /// Each line stands at line 2 of a pure crate and is caught there.
    #[test]
    fn each_impure_line_is_caught() {
        let lines = [
            "use std::time::Instant;",
            "use std::time::{Duration, SystemTime};",
            "fn f() { let _ = std::time::Instant::now(); }",
            "use std::fs;",
            "use std::{fmt, fs as files};",
            "use std::{fmt::{self, Debug}, net::TcpStream};",
            "use ::std::env;",
            "fn f() { let _ = std::env::var(\"HOME\"); }",
            "fn f() { std::thread::yield_now(); }",
            "fn f() { std::process::exit(1); }",
            "use std::io::Read;",
            "fn f(_: impl std::io::Read) {}",
            "use std as s;",
            "use std::*;",
            "fn f() { assert!(std::fs::exists(\"x\").is_ok()); }",
            "use rand::rng;",
            "fn f() { let _ = rand::rng(); }",
            "fn f() { let _ = ChaCha8Rng::from_os_rng(); }",
            "fn f() { getrandom::fill(&mut []); }",
            "struct S { a: std::collections::hash_map::RandomState }",
            "async fn f() {}",
            "use tokio::sync::mpsc;",
            "fn f() { println!(\"x\"); }",
            "fn f() { std::eprintln!(\"x\"); }",
        ];
        for line in lines {
            let text = format!("//! Sim.\n{line}\n");
            let found = breaches(&[("hive-sim/src/lib.rs", &text)]);
            assert!(!found.is_empty(), "{line}");
            for breach in found {
                let said = breach.to_string();
                assert!(
                    said.starts_with("hive-sim/src/lib.rs:2: pure crates never name"),
                    "{line} gave {said}"
                );
            }
        }
    }

    #[test]
    fn a_hash_map_says_what_to_use_instead() {
        let text = "//! Sim.\nuse std::collections::HashMap;\n";
        caught(
            &[("hive-sim/src/lib.rs", text)],
            "hive-sim/src/lib.rs:2",
            "BTreeMap",
        );
    }

    #[test]
    fn prose_strings_and_examples_are_not_code() {
        accepted(&[(
            "hive-sim/src/lib.rs",
            "//! Never `std::time::Instant`.\n//! ```\n//! use std::fs;\n//! println!(\"x\");\n//! ```\n\
             // HashMap\nconst A: &str = \"tokio::spawn\";\nuse std::collections::BTreeMap;\nuse std::time::Duration;\n",
        )]);
    }

    #[test]
    fn tests_are_free_but_for_clocks() {
        let free = "//! Sim.\n#[cfg(test)]\nmod tests {\n use std::collections::HashMap;\n #[test]\n fn t() { println!(\"x\"); }\n}\n";
        accepted(&[("hive-sim/src/lib.rs", free)]);
        let clock = "//! Sim.\n#[cfg(test)]\nmod tests {\n use std::time::Instant;\n}\n";
        caught(
            &[("hive-sim/src/lib.rs", clock)],
            "hive-sim/src/lib.rs:4",
            "even in tests",
        );
        let file = [
            (
                "hive-sim/src/lib.rs",
                "//! Sim.\n#[cfg(test)]\nmod tests;\n",
            ),
            ("hive-sim/src/tests.rs", "use std::fs;\n"),
            ("hive-sim/tests/a.rs", "use std::fs;\n"),
            ("hive-sim/benches/b.rs", "use std::time::Instant;\n"),
        ];
        accepted(&file);
        let file = [("hive-sim/tests/a.rs", "//! A.\nuse std::time::Instant;\n")];
        caught(&file, "hive-sim/tests/a.rs:2", "Instant");
    }

    #[test]
    fn code_beside_its_tests_is_not_free() {
        let text = "//! Sim.\n#[cfg(test)]\nmod tests {}\nuse std::fs;\n#[cfg(not(test))]\nfn f() { std::env::args(); }\n";
        let found = breaches(&[("hive-sim/src/lib.rs", text)]);
        let lines: Vec<usize> = found.iter().map(|b| b.line).collect();
        assert_eq!(lines, [4, 6], "{found:#?}");
    }

    #[test]
    fn the_planner_reads_what_others_opened() {
        accepted(&[(
            "hive-planner/src/lib.rs",
            "//! Planner.\nuse std::io::{BufReader, Read};\n",
        )]);
        let text = "//! Planner.\nuse std::io::{stdin, Read};\n";
        caught(
            &[("hive-planner/src/lib.rs", text)],
            "hive-planner/src/lib.rs:2",
            "std::io::stdin",
        );
    }

    #[test]
    fn the_runtime_may_do_all_this() {
        accepted(&[(
            "hive-node/src/lib.rs",
            "//! Node.\nuse std::{fs, time::Instant};\nasync fn f() {}\n",
        )]);
    }

    #[test]
    fn use_lines_unfold_to_full_paths() {
        let source = Source::parse(
            "a.rs".into(),
            "use std::{a::{self, b as x}, c, d::*}; use std as s;".into(),
        );
        let tokens = source.map_err(|(_, words)| words).unwrap().tokens;
        let joined: Vec<String> = imports(&tokens, 1)
            .iter()
            .map(|path| path.join("::"))
            .collect();
        assert_eq!(joined, ["std::a", "std::a::b", "std::c", "std::d::*"]);
        let second = tokens.iter().rposition(|t| t.word() == "use").unwrap();
        assert_eq!(imports(&tokens, second + 1), [["std", "as"]]);
    }
}
