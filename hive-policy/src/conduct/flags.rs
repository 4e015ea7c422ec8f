//! What a fellow is blamed for, why, since when, and what that takes from it.

use hive_types::{Millis, NodeId, Privileges, UnixMillis, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a fellow can be blamed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagKind {
    /// Its policy towards a fellow is not the agreed one.
    Fees,
    /// It claims channels or balances that it has not.
    Claims,
    /// It signed two contents under one version.
    Equivocation,
    /// It accepted two values in one ballot.
    DoubleAcceptance,
    /// It takes locks and opens nothing.
    Squatting,
    /// It hands over records or votes whose signatures fail.
    Forgery,
    /// It sends more than its quota, and goes on.
    Flooding,
    /// Payments that it should forward end in it.
    BlackHole,
    /// It lets others forward for it and does not forward for them.
    Leech,
}

impl FlagKind {
    /// The name that stands in records, logs and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fees => "fees",
            Self::Claims => "claims",
            Self::Equivocation => "equivocation",
            Self::DoubleAcceptance => "double_acceptance",
            Self::Squatting => "squatting",
            Self::Forgery => "forgery",
            Self::Flooding => "flooding",
            Self::BlackHole => "black_hole",
            Self::Leech => "leech",
        }
    }

    /// How long the flag stays when nothing new is seen; `None`: until it is taken back.
    pub const fn lifetime(self) -> Option<Millis> {
        match self {
            // Right again is right again: these end when their cause does.
            Self::Fees | Self::Leech | Self::BlackHole | Self::Claims => None,
            // Signed proofs do not go away, but a member may be forgiven.
            Self::Equivocation | Self::DoubleAcceptance => Some(limits::RESTORE_GRACE),
            Self::Squatting | Self::Forgery | Self::Flooding => Some(limits::FLAG_LIFETIME),
        }
    }

    /// What a fellow with this flag does not get.
    const fn strips(self, privileges: Privileges) -> Privileges {
        let mut left = privileges;
        match self {
            Self::Fees | Self::BlackHole => {
                left.free_corridor = false;
                left.pushes = false;
            }
            Self::Claims | Self::Forgery | Self::Flooding | Self::Leech => left.pushes = false,
            Self::Equivocation | Self::DoubleAcceptance => {
                left.pushes = false;
                left.locks = false;
            }
            Self::Squatting => left.locks = false,
        }
        left
    }
}

impl fmt::Display for FlagKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One blame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// When it was raised.
    pub since: UnixMillis,
    /// When its cause was last seen.
    pub seen: UnixMillis,
    /// What was seen, in words and numbers.
    pub evidence: String,
}

/// Every fellow's flags, as this member raised them.
///
/// ```
/// use hive_policy::conduct::{FlagKind, Flags};
/// use hive_types::{NodeId, UnixMillis};
///
/// let node: NodeId = "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619".parse()?;
/// let mut flags = Flags::default();
/// assert!(flags.privileges(&node).pushes);
/// assert!(flags.raise(node, FlagKind::Leech, UnixMillis::new(1), "forwarded 0 of 5000000 sat"));
/// assert!(!flags.privileges(&node).pushes && flags.privileges(&node).free_corridor);
/// assert!(flags.clear(&node, FlagKind::Leech).is_some());
/// assert!(flags.privileges(&node).pushes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags(BTreeMap<NodeId, BTreeMap<FlagKind, Flag>>);

impl Flags {
    /// Blames a fellow, or confirms a blame; `true` when it is new.
    pub fn raise(&mut self, node: NodeId, kind: FlagKind, at: UnixMillis, evidence: &str) -> bool {
        let flags = self.0.entry(node).or_default();
        let is_new = !flags.contains_key(&kind);
        let flag = flags.entry(kind).or_insert_with(|| Flag {
            since: at,
            seen: at,
            evidence: String::new(),
        });
        flag.seen = flag.seen.max(at);
        flag.evidence = evidence.chars().take(limits::FLAG_EVIDENCE_CHARS).collect();
        is_new
    }

    /// Takes a blame back.
    pub fn clear(&mut self, node: &NodeId, kind: FlagKind) -> Option<Flag> {
        let flags = self.0.get_mut(node)?;
        let flag = flags.remove(&kind);
        if flags.is_empty() {
            self.0.remove(node);
        }
        flag
    }

    /// Ends what has lived its time; what ended.
    pub fn expire(&mut self, at: UnixMillis) -> Vec<(NodeId, FlagKind)> {
        let over = |kind: FlagKind, flag: &Flag| {
            kind.lifetime()
                .is_some_and(|span| at.since(flag.seen) >= span)
        };
        let ended: Vec<(NodeId, FlagKind)> = self
            .iter()
            .filter(|(_, kind, flag)| over(*kind, flag))
            .map(|(node, kind, _)| (node, kind))
            .collect();
        for (node, kind) in &ended {
            self.clear(node, *kind);
        }
        ended
    }

    /// Keeps the flags of these nodes only.
    pub fn retain(&mut self, is_kept: impl Fn(&NodeId) -> bool) {
        self.0.retain(|node, _| is_kept(node));
    }

    /// Whether a fellow bears this flag.
    pub fn has(&self, node: &NodeId, kind: FlagKind) -> bool {
        self.of(node).any(|(other, _)| other == kind)
    }

    /// A fellow's flags.
    pub fn of(&self, node: &NodeId) -> impl Iterator<Item = (FlagKind, &Flag)> {
        let flags = self.0.get(node).into_iter().flatten();
        flags.map(|(kind, flag)| (*kind, flag))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, FlagKind, &Flag)> {
        self.0.iter().flat_map(|(node, flags)| {
            let flags = flags.iter();
            flags.map(|(kind, flag)| (*node, *kind, flag))
        })
    }

    /// What is left to a fellow.
    pub fn privileges(&self, node: &NodeId) -> Privileges {
        self.of(node)
            .fold(Privileges::default(), |left, (kind, _)| kind.strips(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeId {
        format!("02{:064x}", 1).parse().unwrap()
    }

    #[test]
    fn flags_end_when_their_time_is_over_and_privileges_come_back() {
        let mut flags = Flags::default();
        let start = UnixMillis::new(1_000);
        assert!(flags.raise(node(), FlagKind::Squatting, start, "two locks, no channel"));
        assert!(!flags.raise(node(), FlagKind::Squatting, start, "again"));
        assert!(!flags.privileges(&node()).locks);
        let span = FlagKind::Squatting.lifetime().unwrap();
        assert!(
            flags
                .expire(start.plus(Millis::new(span.get() - 1)))
                .is_empty()
        );
        let ended = flags.expire(start.plus(span));
        assert_eq!(ended, [(node(), FlagKind::Squatting)]);
        assert_eq!(flags.privileges(&node()), Privileges::default());
    }

    #[test]
    fn fees_stay_flagged_until_they_are_right() {
        let mut flags = Flags::default();
        flags.raise(node(), FlagKind::Fees, UnixMillis::new(0), "500 ppm");
        assert!(flags.expire(UnixMillis::new(u64::MAX)).is_empty());
        assert!(!flags.privileges(&node()).free_corridor);
    }
}
