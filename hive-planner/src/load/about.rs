//! What nodes say of themselves: names and addresses. Nothing in a graph depends on it.

use core::net::Ipv4Addr;
use hive_types::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// BOLT 7 gives an alias 32 bytes.
const ALIAS_BYTES: usize = 32;

/// What stands beside a graph, by node.
#[derive(Default)]
pub(super) struct About {
    pub(super) merchants: BTreeSet<NodeId>,
    pub(super) ip16: BTreeMap<NodeId, [u8; 2]>,
    pub(super) aliases: BTreeMap<NodeId, String>,
}

impl About {
    /// Takes what can be shown of a name; a name of nothing is none.
    pub(super) fn add_alias(&mut self, node: NodeId, alias: &str) {
        let shown = shown(alias);
        if !shown.is_empty() {
            self.aliases.insert(node, shown);
        }
    }

    /// Takes the first address that others can reach.
    pub(super) fn add_address(&mut self, node: NodeId, address: Ipv4Addr) {
        if is_public(address) {
            let [first, second, ..] = address.octets();
            self.ip16.entry(node).or_insert([first, second]);
        }
    }
}

/// Names come from strangers and go to terminals and pictures: what moves a cursor, turns the
/// direction of writing or is no character of XML is left out.
fn shown(alias: &str) -> String {
    let mut shown = String::new();
    for character in alias.chars().filter(|character| is_shown(*character)) {
        if shown.len() + character.len_utf8() > ALIAS_BYTES {
            break;
        }
        shown.push(character);
    }
    shown.truncate(shown.trim_end().len());
    shown.drain(..shown.len() - shown.trim_start().len());
    shown
}

fn is_shown(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let outside_xml = matches!(character, '\u{fffe}' | '\u{ffff}');
    !character.is_control() && !turns && !outside_xml
}

fn is_public(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    let local = address.is_private() || address.is_loopback() || address.is_link_local();
    first != 0 && !local && !address.is_multicast() && !address.is_broadcast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_harmless() {
        assert_eq!(shown("  a\u{1b}[31m\n\u{202e}b⚡ "), "a[31mb⚡");
        assert_eq!(shown(&"é".repeat(20)), "é".repeat(16));
        assert_eq!(shown(&format!("x{}", "é".repeat(20))).len(), 31);
        assert_eq!(shown("\u{feff}\u{ffff}\u{7}"), "\u{feff}");
        assert_eq!(shown(" \t\n"), "");
    }

    #[test]
    fn only_addresses_that_others_reach_count() {
        let node = NodeId::from_bytes([2; 33]).unwrap();
        let mut about = About::default();
        for local in [
            "127.0.0.1",
            "10.2.3.4",
            "192.168.1.1",
            "0.0.0.0",
            "169.254.1.1",
            "224.0.0.1",
        ] {
            about.add_address(node, local.parse().unwrap());
        }
        assert_eq!(about.ip16, BTreeMap::new());
        about.add_address(node, Ipv4Addr::new(3, 230, 1, 2));
        about.add_address(node, Ipv4Addr::new(9, 9, 9, 9));
        assert_eq!(about.ip16[&node], [3, 230]);
    }
}
