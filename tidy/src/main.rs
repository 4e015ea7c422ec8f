//! The rules of this workspace, as a program.
//!
//! `cargo run -q -p tidy` reads the tree and prints each breach as one line, `file:line: what is wrong and what to do`;
//! it exits with 1 if there is any, with 2 if the tree can't be read. `cargo run -q -p tidy -- cases` lists which of the
//! numbered cases have a test that bears their number.
//!
//! The rules are those that neither the compiler nor clippy knows, one room each:
//!
//! | room | rule |
//! |---|---|
//! | [`arrows`] | crates depend on each other as the architecture draws it; the pure ones have no runtime below them |
//! | [`purity`] | pure crates name no clock, random source, hash-ordered collection or IO |
//! | [`modules`] | every source file is declared by a module |
//! | [`money`] | money moves only where a permit is carried out, permits are made and limits set only by the gate |
//! | [`links`] | every link from a page of documentation to a file leads somewhere |
//! | [`proofs`] | every test that the threat model names is there |
//! | [`rules`] | length of files, refused words, bincode in one room, reasons for limits, short fuzz targets |
//! | [`cases`] | which cases are proven by a test (a listing, not a rule) |
//!
//! A rule is trusted once it has caught a defect put in for it: the tests of each room plant one in a small tree of
//! their own and see it reported (`plant`). Why this is a program and not a script: `docs/adr/0003-tidy.md`.

mod arrows;
mod breach;
mod cases;
mod links;
mod manifest;
mod modules;
mod money;
mod proofs;
mod purity;
mod rules;
mod source;
mod tokens;
mod tree;

#[cfg(test)]
mod plant;

use std::path::Path;
use std::process::ExitCode;

use breach::Breach;
use tree::{Tree, Unreadable};

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let wish = std::env::args().nth(1);
    let tree = match Tree::read(&root) {
        Ok(tree) => tree,
        Err(unreadable) => return stop(&unreadable),
    };
    match wish.as_deref() {
        None => report(&check(&tree)),
        Some("cases") => {
            print!("{}", cases::listing(&tree));
            ExitCode::SUCCESS
        }
        Some(other) => {
            eprintln!(
                "tidy: `{other}` is unknown; run it with nothing to check the tree, or with `cases`"
            );
            ExitCode::from(2)
        }
    }
}

/// Every breach in the tree, by file and line.
fn check(tree: &Tree) -> Vec<Breach> {
    let mut found = tree.unparsed.clone();
    arrows::check(tree, &mut found);
    let reached = modules::check(tree, &mut found);
    purity::check(tree, &reached, &mut found);
    rules::check(tree, &mut found);
    money::check(tree, &reached, &mut found);
    links::check(tree, &mut found);
    proofs::check(tree, &mut found);
    found.sort();
    found.dedup();
    found
}

fn report(found: &[Breach]) -> ExitCode {
    for breach in found {
        println!("{breach}");
    }
    if found.is_empty() {
        println!("tidy: nothing to say");
        return ExitCode::SUCCESS;
    }
    println!("tidy: {} to put right", found.len());
    ExitCode::FAILURE
}

fn stop(unreadable: &Unreadable) -> ExitCode {
    eprintln!("tidy: {unreadable}");
    ExitCode::from(2)
}
