//! Source text as a flat run of tokens with lines.
//!
//! Comments are gone and literals carry no words, so a rule that looks for a word finds code only: not prose, not
//! strings, not the examples in documentation. What stands inside a macro call is tokens like the rest.

use proc_macro2::{Delimiter, LineColumn, TokenStream, TokenTree};

/// One token, as far as the rules care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Word(String),
    Mark(char),
    Open(Delimiter),
    Close(Delimiter),
    Literal,
}

/// A token and where it begins.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) at: LineColumn,
}

impl Token {
    /// The word that this token is, or an empty string.
    pub(crate) fn word(&self) -> &str {
        match &self.kind {
            Kind::Word(word) => word,
            _ => "",
        }
    }

    pub(crate) fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// Flattens a stream; groups become an opening and a closing token.
pub(crate) fn flatten(stream: TokenStream) -> Vec<Token> {
    let mut out = Vec::new();
    flatten_into(stream, &mut out);
    out
}

fn flatten_into(stream: TokenStream, out: &mut Vec<Token>) {
    for tree in stream {
        let at = tree.span().start();
        match tree {
            TokenTree::Group(group) => {
                out.push(Token {
                    kind: Kind::Open(group.delimiter()),
                    at,
                });
                flatten_into(group.stream(), out);
                out.push(Token {
                    kind: Kind::Close(group.delimiter()),
                    at: group.span_close().start(),
                });
            }
            TokenTree::Ident(ident) => {
                let word = ident.to_string();
                let word = word.strip_prefix("r#").unwrap_or(&word).to_owned();
                out.push(Token {
                    kind: Kind::Word(word),
                    at,
                });
            }
            TokenTree::Punct(punct) => out.push(Token {
                kind: Kind::Mark(punct.as_char()),
                at,
            }),
            TokenTree::Literal(_) => out.push(Token {
                kind: Kind::Literal,
                at,
            }),
        }
    }
}

/// Whether a path such as `std::fs` begins at `tokens[start]` and is not the tail of a longer one.
pub(crate) fn path_begins(tokens: &[Token], start: usize, path: &[&str]) -> bool {
    let follows_segment = start >= 3
        && tokens[start - 1].is_mark(':')
        && tokens[start - 2].is_mark(':')
        && !tokens[start - 3].word().is_empty();
    let mut at = start;
    for (index, segment) in path.iter().enumerate() {
        if index > 0 {
            let colons = tokens.get(at).is_some_and(|t| t.is_mark(':'))
                && tokens.get(at + 1).is_some_and(|t| t.is_mark(':'));
            if !colons {
                return false;
            }
            at += 2;
        }
        if tokens.get(at).map(Token::word) != Some(*segment) {
            return false;
        }
        at += 1;
    }
    !follows_segment
}
