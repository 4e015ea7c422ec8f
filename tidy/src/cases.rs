//! Which numbered cases are proven by a test.
//!
//! A test proves a case by bearing its number: `t31_lost_announcement_opens_once` proves T31. A function counts only
//! with a test attribute and when it is not ignored.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::source::Source;
use crate::tokens::{Kind, Token};
use crate::tree::Tree;

/// Cases are numbered from 1 to this.
const LAST_CASE: u32 = 65;

/// One line per case that has tests, then the numbers of those that have none.
pub(crate) fn listing(tree: &Tree) -> String {
    let mut proven: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (_, source) in tree.sources() {
        for (name, line) in tests(source) {
            let Some(number) = case_of(name) else {
                continue;
            };
            proven
                .entry(number)
                .or_default()
                .push(format!("{}:{line} {name}", source.path));
        }
    }
    let mut out = String::new();
    for (number, places) in &proven {
        for place in places {
            let _ = writeln!(out, "T{number:02} {place}");
        }
    }
    let missing: Vec<String> = (1..=LAST_CASE)
        .filter(|n| !proven.contains_key(n))
        .map(|n| format!("T{n:02}"))
        .collect();
    let count = LAST_CASE as usize - missing.len();
    let _ = writeln!(
        out,
        "{count} of {LAST_CASE} cases have a test; without: {}",
        missing.join(" ")
    );
    out
}

/// The tests of a file that run: the name and the line.
pub(crate) fn tests(source: &Source) -> Vec<(&str, usize)> {
    let tokens = &source.tokens;
    let mut out = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let Some(name) = tokens.get(index + 1).map(Token::word) else {
            break;
        };
        if token.word() != "fn" {
            continue;
        }
        let attributes = attributes_before(tokens, index);
        let is = |word: &str| attributes.contains(&word);
        if is("test") && !is("ignore") {
            out.push((name, token.at.line));
        }
    }
    out
}

/// The number in `t31_lost_announcement`, if it is one of a case.
fn case_of(name: &str) -> Option<u32> {
    let (digits, rest) = name.strip_prefix('t')?.split_once('_')?;
    let number: u32 = digits.parse().ok()?;
    (digits.len() == 2 && !rest.is_empty() && (1..=LAST_CASE).contains(&number)).then_some(number)
}

/// The words of the attributes that stand directly before a function.
fn attributes_before(tokens: &[Token], function: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut inside = false;
    for token in tokens[..function].iter().rev() {
        match &token.kind {
            Kind::Close(proc_macro2::Delimiter::Bracket) => inside = true,
            Kind::Open(proc_macro2::Delimiter::Bracket) => inside = false,
            _ if inside => words.push(token.word()),
            Kind::Mark('#') => {}
            Kind::Word(word) if word == "async" || word == "pub" => {}
            _ => break,
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::listing;
    use crate::plant::tree;

    #[test]
    fn tests_count_by_their_number() {
        let text = "//! Tests.\n#[test]\nfn t31_opens_once() {}\n#[tokio::test]\n#[cfg(unix)]\nasync fn t09_waits() {}\n\
                    proptest! { #[test] fn t29_any_order(_ in 0..1) {} }\n";
        let said = listing(&tree(&[("hive-node/tests/a.rs", text)]));
        assert!(
            said.contains("T31 hive-node/tests/a.rs:3 t31_opens_once\n"),
            "{said}"
        );
        assert!(
            said.contains("T09 hive-node/tests/a.rs:6 t09_waits\n"),
            "{said}"
        );
        assert!(said.contains("T29 "), "{said}");
        assert!(
            said.contains("3 of 65 cases have a test; without: T01 "),
            "{said}"
        );
    }

    #[test]
    fn what_never_runs_does_not_count() {
        let text = "//! Tests.\nfn t01_helper() {}\n#[test]\n#[ignore]\nfn t02_later() {}\n// fn t03_x()\n\
                    #[test]\nfn t66_beyond() {}\n#[test]\nfn t4_short() {}\n#[test]\nfn other() {}\nfn t05_after() {}\n";
        let said = listing(&tree(&[("hive-node/tests/a.rs", text)]));
        assert!(said.starts_with("0 of 65"), "{said}");
    }
}
