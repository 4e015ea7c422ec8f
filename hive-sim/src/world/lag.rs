//! Word of policies that is under way: what others believe meanwhile.

use super::gossip::Word;
use super::{ChannelIx, Event, NodeError, World};
use hive_types::{ChannelPolicy, Millis, NodeId};

impl World {
    /// From now on word of the policies that a node sets takes so long to leave it, as where gossip is
    /// rate-limited: the other end and the network believe the old one until then, and hear of the
    /// newest alone. What is asked of HTLCs is the new one at once.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn set_policy_lag(&mut self, node: NodeId, lag: Millis) -> Result<(), NodeError> {
        let ix = self.ix(node)?;
        self.nodes[ix].policy_lag = lag.get();
        Ok(())
    }

    pub(crate) fn spread_policy(&mut self, channel: ChannelIx, side: usize, before: ChannelPolicy) {
        let owner = self.channels[channel].nodes[side];
        let lag = self.nodes[owner].policy_lag;
        let stale = &mut self.channels[channel].stale[side];
        match (lag, &stale) {
            (0, _) => self.policy_told(channel, side),
            // Word is under way; it will bring the newest.
            (_, Some(_)) => {}
            (_, None) => {
                *stale = Some(before);
                self.schedule(self.now + lag, Event::PolicyTold { channel, side });
            }
        }
    }

    pub(crate) fn policy_told(&mut self, channel: ChannelIx, side: usize) {
        let this = &mut self.channels[channel];
        this.stale[side] = None;
        if this.announced {
            self.gossip_channel(channel, Word::Policy(side));
        }
        self.tell_channel(channel);
    }
}
