//! What SVG and HTML have in common.

/// Text as it stands between tags or in an attribute. What XML 1.0 can't hold at all (control characters,
/// which other people's aliases may bear) is left out.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' => escaped.push(' '),
            '\u{fffe}' | '\u{ffff}' => {}
            other if other.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// At most so many characters; what is cut is marked.
pub(crate) fn cut(text: &str, characters: usize) -> String {
    match text.chars().count() > characters {
        true => text.chars().take(characters - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_alias_breaks_out_of_its_place() {
        assert_eq!(
            escape("<a href=\"x\">&'"),
            "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"
        );
        assert_eq!(escape("a\u{0}\u{1b}\u{ffff}b\nc ⚡"), "ab c ⚡");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abc⚡", 4), "abc⚡");
    }
}
