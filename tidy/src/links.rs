//! Links between the pages of documentation, and from them to files.

use crate::breach::Breach;
use crate::modules::normal;
use crate::tree::Tree;

/// Reports links in Markdown pages that lead to no file or folder of the tree.
pub(crate) fn check(tree: &Tree, found: &mut Vec<Breach>) {
    for (page, text) in &tree.pages {
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, target) in links(text) {
            let path = target.split('#').next().unwrap_or("");
            let outside = target.contains("://") || target.starts_with("mailto:");
            if outside || path.is_empty() {
                continue;
            }
            if !tree.files.contains(&normal(&format!("{folder}/{path}"))) {
                let what =
                    format!("the link to `{target}` leads nowhere; put it right or write the page");
                found.push(Breach::new(page, line, what));
            }
        }
    }
}

/// The targets of inline links with their lines, outside blocks of code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let ends = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'));
        out.extend(ends.map(|(target, _)| (index + 1, target)));
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::plant::{accepted, caught};

    #[test]
    fn a_link_that_leads_nowhere_is_caught() {
        let page = [(
            "docs/a.md",
            "# A\n\nSee [b](b.md) and [code](../hive-node/src/lib.rs).\n",
        )];
        caught(&page, "docs/a.md:3", "`b.md` leads nowhere");
    }

    #[test]
    fn links_that_lead_somewhere_are_accepted() {
        accepted(&[
            (
                "docs/a.md",
                "[b](b.md#part), [here](#there), [web](https://example.org/x)\n```\n[no](no.md)\n```\n",
            ),
            (
                "docs/b.md",
                "[folder](../hive-node/src/) and [root](../README.md)\n",
            ),
            ("README.md", "[a](docs/a.md)\n"),
        ]);
    }
}
