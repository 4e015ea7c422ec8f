//! Tests that the threat model names.
//!
//! In a table row of `docs/threat-model.md`, what stands in code type in the last cell is the name of a test that proves
//! the answer. A test that was renamed or removed leaves a promise without its proof.

use crate::breach::Breach;
use crate::cases::tests;
use crate::tree::Tree;
use std::collections::BTreeSet;

/// The page whose tables name tests.
const PAGE: &str = "docs/threat-model.md";

/// Reports names in the page's tables that no test bears.
pub(crate) fn check(tree: &Tree, found: &mut Vec<Breach>) {
    let sources = tree.sources();
    let known: BTreeSet<&str> = sources
        .flat_map(|(_, source)| tests(source))
        .map(|(name, _)| name)
        .collect();
    for (page, text) in tree.pages.iter().filter(|(page, _)| page == PAGE) {
        for (line, name) in named(text) {
            if !known.contains(name) {
                let what = format!("no test is named `{name}`; name the one that proves this row");
                found.push(Breach::new(page, line, what));
            }
        }
    }
}

/// What stands in code type in the last cell of each table row, with its line.
fn named(text: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let row = line.trim().strip_prefix('|');
        let row = row.and_then(|rest| rest.strip_suffix('|'));
        let last = row.and_then(|cells| cells.rsplit('|').next());
        // Between the first and the second backtick, the third and the fourth, and so on.
        let code = last
            .into_iter()
            .flat_map(|cell| cell.split('`').skip(1).step_by(2));
        out.extend(code.map(|name| (index + 1, name)));
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::plant::{accepted, caught};

    const TESTS: (&str, &str) = (
        "hive-node/tests/a.rs",
        "//! Tests.\n#[test]\nfn it_holds() {}\n",
    );

    #[test]
    fn a_proof_that_is_gone_is_caught() {
        let page = (
            "docs/threat-model.md",
            "| `x` | is met | `it_holds`, `it_held` |\n",
        );
        caught(&[TESTS, page], "docs/threat-model.md:1", "`it_held`");
    }

    #[test]
    fn names_of_tests_and_code_elsewhere_are_accepted() {
        let page = (
            "docs/threat-model.md",
            "Say `this`.\n\n| `x` | `y` | `it_holds` |\n|---|---|---|\n",
        );
        accepted(&[TESTS, page]);
    }
}
