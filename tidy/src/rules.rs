//! The short rules.

use proc_macro2::TokenStream;
use syn::spanned::Spanned;

use crate::breach::Breach;
use crate::source::Source;
use crate::tree::{Crate, Tree};

/// A longer file no longer reads top-down in one sitting.
const LONGEST_FILE: usize = 600;

/// A fuzz target is a shim over a function that the crates compile, test and lint; more code than this rots unseen.
const LONGEST_SHIM: usize = 12;

/// The one file that names bincode, so that the encoding can be replaced there (docs/adr/0002-bincode.md).
const CODEC: &str = "hive-proto/src/codec.rs";

/// Where every limit has its reason.
const LIMITS: &str = "hive-types/src/limits.rs";

/// Macros that leave a hole in the program or a trace on its output.
const REFUSED_MACROS: &[&str] = &["todo", "unimplemented", "dbg"];

/// Checks every source file.
pub(crate) fn check(tree: &Tree, found: &mut Vec<Breach>) {
    for (one, source) in tree.sources() {
        length(one, source, found);
        words(source, found);
        if source.path == LIMITS {
            reasons(&source.file.items, source, found);
        }
    }
}

fn length(one: &Crate, source: &Source, found: &mut Vec<Breach>) {
    let folder = source.folder(&one.dir);
    let lines = source.text.lines().count();
    if folder == "src" && lines > LONGEST_FILE {
        let what = format!("{lines} lines, more than {LONGEST_FILE}; split it by what it is about");
        found.push(Breach::new(&source.path, LONGEST_FILE + 1, what));
    }
    if one.dir == "fuzz" && folder == "fuzz_targets" {
        let code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let lines = source.text.lines().filter(code).count();
        if lines > LONGEST_SHIM {
            let what = format!(
                "{lines} lines of code, more than {LONGEST_SHIM}; move the body into a crate"
            );
            found.push(Breach::new(&source.path, 1, what));
        }
    }
}

fn words(source: &Source, found: &mut Vec<Breach>) {
    for (index, token) in source.tokens.iter().enumerate() {
        let calls_macro = source
            .tokens
            .get(index + 1)
            .is_some_and(|next| next.is_mark('!'));
        let what = match token.word() {
            "unsafe" => "`unsafe` is forbidden in this workspace; find the safe way".to_owned(),
            "bincode" if source.path != CODEC => {
                format!("only {CODEC} names bincode; use its functions")
            }
            word if calls_macro && REFUSED_MACROS.contains(&word) => {
                format!("`{word}!` must not be committed; finish it or take it out")
            }
            _ => continue,
        };
        found.push(Breach::new(&source.path, token.at.line, what));
    }
}

/// Every public limit says why it is what it is.
fn reasons(items: &[syn::Item], source: &Source, found: &mut Vec<Breach>) {
    for item in items {
        match item {
            syn::Item::Const(limit)
                if matches!(limit.vis, syn::Visibility::Public(_))
                    && !limit.attrs.iter().any(has_words) =>
            {
                let what = format!(
                    "`{}` has no doc comment; say what it limits and why",
                    limit.ident
                );
                found.push(Breach::new(
                    &source.path,
                    limit.ident.span().start().line,
                    what,
                ));
            }
            syn::Item::Mod(module) => {
                let inner = module.content.as_ref().map_or(&[][..], |(_, items)| items);
                reasons(inner, source, found);
            }
            syn::Item::Macro(call) if mentions_const(call.mac.tokens.clone()) => {
                let what =
                    "limits made by a macro can't be checked for their reasons; write them out";
                found.push(Breach::new(&source.path, call.span().start().line, what));
            }
            _ => {}
        }
    }
}

fn mentions_const(tokens: TokenStream) -> bool {
    crate::tokens::flatten(tokens)
        .iter()
        .any(|token| token.word() == "const")
}

fn has_words(attribute: &syn::Attribute) -> bool {
    let syn::Meta::NameValue(pair) = &attribute.meta else {
        return false;
    };
    let syn::Expr::Lit(syn::ExprLit {
        lit: syn::Lit::Str(text),
        ..
    }) = &pair.value
    else {
        return false;
    };
    pair.path.is_ident("doc") && !text.value().trim().is_empty()
}

#[cfg(test)]
mod tests {
    use crate::plant::{accepted, caught};

    #[test]
    fn a_file_that_is_too_long_is_caught() {
        let text = "//! Long.\n".repeat(601);
        caught(
            &[("hive-node/src/lib.rs", &text)],
            "hive-node/src/lib.rs:601",
            "601 lines",
        );
        accepted(&[("hive-node/src/lib.rs", &"//! Long.\n".repeat(600))]);
    }

    #[test]
    fn a_fuzz_target_with_a_body_is_caught() {
        let text = format!("//! One.\nfn main() {{\n{}}}\n", "drop(1);\n".repeat(11));
        caught(
            &[("fuzz/fuzz_targets/read_frame.rs", &text)],
            "fuzz/fuzz_targets/read_frame.rs:1",
            "13 lines of code",
        );
    }

    #[test]
    fn refused_words_are_caught_in_tests_too() {
        for (line, what) in [
            ("unsafe fn f() {}", "`unsafe`"),
            ("fn f() { todo!() }", "`todo!`"),
            ("fn f() { unimplemented!(\"later\") }", "`unimplemented!`"),
            ("#[cfg(test)] fn f() { dbg!(1); }", "`dbg!`"),
            (
                "fn f() { assert!(bincode::config::standard()); }",
                "only hive-proto/src/codec.rs",
            ),
        ] {
            let text = format!("//! Node.\n{line}\n");
            caught(
                &[("hive-node/src/lib.rs", &text)],
                "hive-node/src/lib.rs:2",
                what,
            );
        }
    }

    #[test]
    fn words_alike_are_not_refused() {
        let text = "//! `unsafe`, todo!()\n#![forbid(unsafe_code)]\nfn todo() { let dbg = \"bincode\"; let _ = dbg; }\n";
        accepted(&[("hive-node/src/lib.rs", text)]);
    }

    #[test]
    fn a_limit_without_a_reason_is_caught() {
        let text =
            "//! Limits.\n/// Why.\npub const A: u8 = 1;\npub const B: u8 = 2;\nconst C: u8 = 3;\n";
        caught(
            &[("hive-types/src/limits.rs", text)],
            "hive-types/src/limits.rs:4",
            "`B` has no doc comment",
        );
        let text = "//! Limits.\npub mod m {\n    ///\n    pub const A: u8 = 1;\n}\n";
        caught(
            &[("hive-types/src/limits.rs", text)],
            "hive-types/src/limits.rs:4",
            "`A` has no doc comment",
        );
    }
}
