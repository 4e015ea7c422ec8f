//! Payments that take the way that they are told, as a drain does.

use super::{FailureCode, NodeError, World};
use hive_types::{ChannelId, Msat, NodeId};
use thiserror::Error;

/// Why a payment along channels did not arrive. Nothing moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AlongError {
    /// No such node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// This channel does not go on from where the one before ended.
    #[error("channel {0} does not continue the way; name channels from the payer on, in order")]
    Broken(ChannelId),
    /// The hop that could not be crossed, counted from 0, and why.
    #[error("hop {0} cannot be crossed: {1}")]
    Hop(usize, FailureCode),
}

impl World {
    /// Pays along these channels at the fees that their ends announce, at once. Any node may be the
    /// payer, and it looks for no cheaper way: repeated over two fellows' channel, it drains it.
    /// Returns the fee.
    ///
    /// # Errors
    /// [`AlongError`]; nothing moved then.
    pub fn pay_along(
        &mut self,
        from: NodeId,
        way: &[ChannelId],
        amount: Msat,
    ) -> Result<Msat, AlongError> {
        let mut at = self.ix(from)?;
        let mut edges = Vec::with_capacity(way.len());
        for id in way {
            let ix = self.channel_by_id.get(id).copied();
            let ix = ix.filter(|ix| self.channels[*ix].nodes.contains(&at));
            let ix = ix.ok_or(AlongError::Broken(*id))?;
            let side = self.channels[ix].side(at);
            edges.push((2 * ix + side) as u32);
            at = self.channels[ix].nodes[1 - side];
        }
        let hops = self.hops_of(&edges, amount.get());
        if let Err((place, code)) = self.cross(&hops) {
            self.unlock(&hops[..place]);
            return Err(AlongError::Hop(place, code));
        }
        self.settle(&hops);
        let sent = hops.first().map_or(amount.get(), |hop| hop.amount);
        Ok(Msat::new(sent - amount.get()))
    }
}
