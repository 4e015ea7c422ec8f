//! What members do for each other: forwarded for a fellow against forwarded by it.

use crate::command::{CommandError, ContributionRow, Reply};
use crate::hive::Hive;
use hive_types::{Msat, NodeId, Ppm};

impl Hive {
    pub(crate) fn contribution(&mut self, node: Option<NodeId>) -> Result<Reply, CommandError> {
        let member = self.in_fleet()?;
        let fellows: Vec<NodeId> = member.fellows().collect();
        if let Some(node) = node.filter(|node| !fellows.contains(node)) {
            return Err(CommandError::NoMember { node });
        }
        let asked = fellows
            .into_iter()
            .filter(|fellow| node.is_none_or(|node| node == *fellow));
        Ok(Reply::Contribution(
            asked.map(|fellow| self.contribution_of(fellow)).collect(),
        ))
    }

    /// What this node's own forwards say; the fellow's own count is not compared with it.
    fn contribution_of(&self, fellow: NodeId) -> ContributionRow {
        let forwards = || self.local.iter().flat_map(|local| &local.forwards);
        let sum = |of: &dyn Fn(&hive_types::ForwardTotals) -> bool| -> Msat {
            forwards()
                .filter(|totals| of(totals))
                .map(|totals| totals.volume)
                .sum()
        };
        let forwarded_for = sum(&|totals| totals.from == fellow && totals.to != fellow);
        let forwarded_by = sum(&|totals| totals.to == fellow && totals.from != fellow);
        let known = !forwarded_by.is_zero();
        let ratio = Ppm::of(forwarded_for.get(), forwarded_by.get()).get();
        ContributionRow {
            node_id: fellow,
            forwarded_for,
            forwarded_by,
            ratio_ppm: known.then_some(ratio),
        }
    }
}
