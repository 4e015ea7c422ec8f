//! Who must accept a decision.

use std::collections::BTreeSet;

use hive_types::limits::majority;

/// The full members as of the decision before, and how many of them decide: a majority. Of two, the
/// founder's acceptance is necessary and enough, so that a fleet of two can decide while its second
/// node is away and never decides on both sides of a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quorum<N> {
    members: BTreeSet<N>,
    founder: Option<N>,
}

impl<N: Ord + Copy> Quorum<N> {
    /// The rule for these full members of a fleet that `founder` began.
    pub fn new(members: BTreeSet<N>, founder: N) -> Self {
        let founder = (members.len() == 2 && members.contains(&founder)).then_some(founder);
        Self { members, founder }
    }

    /// The full members.
    pub const fn members(&self) -> &BTreeSet<N> {
        &self.members
    }

    /// Whether those members for which `has` is true suffice. Any two sets that suffice share a
    /// member, which is all that agreement rests on.
    pub fn reached(&self, has: impl Fn(&N) -> bool) -> bool {
        match &self.founder {
            Some(founder) => has(founder),
            None => {
                let count = self.members.iter().filter(|member| has(member)).count();
                !self.members.is_empty() && count >= majority(self.members.len())
            }
        }
    }

    /// Whether nothing can be decided without this member.
    pub fn needs(&self, node: &N) -> bool {
        self.members.contains(node) && !self.reached(|member| member != node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quorum(members: &[u8]) -> Quorum<u8> {
        Quorum::new(members.iter().copied().collect(), 1)
    }

    #[test]
    fn of_two_the_founder_decides_alone_and_else_both() {
        assert!(quorum(&[1]).reached(|_| true) && quorum(&[1]).needs(&1));
        assert!(!quorum(&[]).reached(|_| true));
        let two = quorum(&[1, 2]);
        assert!(two.reached(|node| *node == 1) && !two.reached(|node| *node == 2));
        assert!(two.needs(&1) && !two.needs(&2));
        let without = quorum(&[2, 3]);
        assert!(!without.reached(|node| *node == 2) && without.reached(|_| true));
        assert!(without.needs(&2) && without.needs(&3));
    }

    #[test]
    fn any_two_quorums_share_a_member() {
        for size in 1..=6u8 {
            for first in [1, 9] {
                let members: Vec<u8> = (0..size).map(|n| first + n).collect();
                let quorum = quorum(&members);
                let sets: Vec<u32> = (0..1u32 << size)
                    .filter(|set| quorum.reached(|node| set >> (node - first) & 1 == 1))
                    .collect();
                assert!(!sets.is_empty());
                assert!(sets.iter().all(|a| sets.iter().all(|b| a & b != 0)));
            }
        }
    }
}
