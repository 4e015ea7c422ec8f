//! One Rust file, parsed.

use std::str::FromStr;

use proc_macro2::{LineColumn, TokenStream};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::tokens::{Token, flatten};

/// A Rust source file of a crate.
pub(crate) struct Source {
    /// Relative to the root of the workspace, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    pub(crate) file: syn::File,
    /// From where to where the text is compiled for tests only.
    tests: Vec<(LineColumn, LineColumn)>,
}

impl Source {
    /// Parses a file.
    ///
    /// # Errors
    /// The line and the words of the parser when the text is not Rust.
    pub(crate) fn parse(path: String, text: String) -> Result<Self, (usize, String)> {
        let body = text.strip_prefix("#!/").map_or(text.as_str(), |_| {
            text.split_once('\n').map_or("", |(_, b)| b)
        });
        let stream = TokenStream::from_str(body)
            .map_err(|error| (error.span().start().line, error.to_string()))?;
        let file: syn::File = syn::parse2(stream.clone())
            .map_err(|error| (error.span().start().line, error.to_string()))?;
        let mut finder = TestSpans::default();
        finder.visit_file(&file);
        Ok(Self {
            path,
            text,
            tokens: flatten(stream),
            file,
            tests: finder.found,
        })
    }

    /// Whether the token stands in code that is compiled for tests only.
    pub(crate) fn in_tests(&self, token: &Token) -> bool {
        self.tests
            .iter()
            .any(|(from, to)| *from <= token.at && token.at < *to)
    }

    /// The name of the folder inside the crate, as `src` or `tests`.
    pub(crate) fn folder<'a>(&'a self, crate_dir: &str) -> &'a str {
        let inside = self
            .path
            .strip_prefix(crate_dir)
            .unwrap_or(&self.path)
            .trim_start_matches('/');
        inside.split('/').next().unwrap_or("")
    }
}

/// Whether the attributes say that an item is compiled for tests only: `#[test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`.
pub(crate) fn only_in_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("test") {
            return true;
        }
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        path.is_ident("cfg") && asks_for_test(list.tokens.clone())
    })
}

/// `test` holds in every way of satisfying the predicate: alone, or in an `all`.
fn asks_for_test(predicate: TokenStream) -> bool {
    let Ok(meta) = syn::parse2::<syn::Meta>(predicate) else {
        return false;
    };
    match meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => {
            let parts = list
                .parse_args_with(
                    syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated,
                )
                .unwrap_or_default();
            parts.iter().any(|part| part.path().is_ident("test"))
        }
        _ => false,
    }
}

#[derive(Default)]
struct TestSpans {
    found: Vec<(LineColumn, LineColumn)>,
}

impl TestSpans {
    fn note(&mut self, attributes: &[syn::Attribute], whole: proc_macro2::Span) {
        if only_in_tests(attributes) {
            self.found.push((whole.start(), whole.end()));
        }
    }
}

impl<'ast> Visit<'ast> for TestSpans {
    fn visit_file(&mut self, file: &'ast syn::File) {
        if only_in_tests(&file.attrs) {
            self.found.push((
                LineColumn { line: 0, column: 0 },
                LineColumn {
                    line: usize::MAX,
                    column: 0,
                },
            ));
        }
        visit::visit_file(self, file);
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        self.note(item_attributes(item), item.span());
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note(&item.attrs, item.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        self.note(&local.attrs, local.span());
        visit::visit_local(self, local);
    }
}

fn item_attributes(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item;
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
