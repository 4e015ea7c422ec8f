//! What blocks do to channels: confirm, announce, bury, undo.

use super::gossip::Word;
use super::{ANNOUNCE_DEPTH, ChannelIx, ChannelState, USABLE_DEPTH, World};
use hive_types::{OutPoint, ShortChannelId, Txid};

impl World {
    pub(crate) fn tx_confirmed(&mut self, txid: &Txid) {
        let Some(block) = self.chain.tx(txid).and_then(|record| record.block) else {
            return;
        };
        if let Some(ix) = self.funded_by(txid) {
            let (height, index) = block;
            let scid = ShortChannelId::new(height.get(), index, 0);
            let channel = &mut self.channels[ix];
            channel.confirmed = Some(height.get());
            channel.scid = scid;
            if let Some(scid) = scid {
                self.channel_by_scid.insert(scid, ix);
            }
            self.watched.insert(ix);
        }
        if let Some(ix) = self.channel_by_close.get(txid).copied() {
            self.bury(ix);
        }
    }

    pub(crate) fn tx_unconfirmed(&mut self, txid: &Txid) {
        if let Some(ix) = self.funded_by(txid) {
            self.withdraw(ix);
            let channel = &mut self.channels[ix];
            channel.confirmed = None;
            if let Some(scid) = channel.scid.take() {
                self.channel_by_scid.remove(&scid);
            }
            if channel.state == ChannelState::Normal {
                channel.state = ChannelState::AwaitingConfirmations;
                self.drop_htlcs(ix);
            }
            self.watched.insert(ix);
            self.tell_channel(ix);
        }
        if let Some(ix) = self.channel_by_close.get(txid).copied() {
            let channel = &mut self.channels[ix];
            channel.state = ChannelState::Closing;
            let nodes = channel.nodes;
            for node in nodes {
                self.nodes[node].channels.push(ix);
            }
            self.tell_channel(ix);
        }
    }

    /// The transaction will never confirm.
    pub(crate) fn tx_gone(&mut self, txid: &Txid) {
        if let Some(ix) = self.channel_by_close.remove(txid) {
            let channel = &mut self.channels[ix];
            channel.close = None;
            channel.state = ChannelState::AwaitingConfirmations;
            self.watched.insert(ix);
            self.tell_channel(ix);
        }
        if let Some(ix) = self.funded_by(txid) {
            self.drop_htlcs(ix);
            self.bury(ix);
        }
    }

    /// Takes a channel out of both ends' lists.
    fn bury(&mut self, ix: ChannelIx) {
        self.withdraw(ix);
        let channel = &mut self.channels[ix];
        channel.state = ChannelState::Closed;
        for node in channel.nodes {
            self.nodes[node].channels.retain(|other| *other != ix);
        }
        self.watched.remove(&ix);
        self.note("closed", &[ix as u64]);
        self.tell_channel(ix);
    }

    fn funded_by(&self, txid: &Txid) -> Option<ChannelIx> {
        let place = OutPoint {
            txid: *txid,
            vout: 0,
        };
        self.channel_by_funding.get(&place).copied()
    }

    /// The network forgets the channel.
    fn withdraw(&mut self, ix: ChannelIx) {
        if self.channels[ix].announced {
            self.gossip_channel(ix, Word::Closed);
        }
        self.channels[ix].announced = false;
        self.reroute(ix);
    }

    pub(crate) fn channels_after_block(&mut self) {
        let tip = self.chain.height().get();
        for ix in self.watched.clone() {
            let channel = &mut self.channels[ix];
            let Some(confirmed) = channel.confirmed else {
                continue;
            };
            let depth = tip + 1 - confirmed;
            let awaiting = channel.state == ChannelState::AwaitingConfirmations;
            if awaiting && depth >= USABLE_DEPTH {
                channel.state = ChannelState::Normal;
                self.note("usable", &[ix as u64]);
                self.tell_channel(ix);
            }
            let channel = &mut self.channels[ix];
            let normal = channel.state == ChannelState::Normal;
            if normal && channel.public && !channel.announced && depth >= ANNOUNCE_DEPTH {
                channel.announced = true;
                self.gossip_channel(ix, Word::Announced);
                self.reroute(ix);
                self.note("announced", &[ix as u64]);
                self.tell_channel(ix);
            }
            let channel = &self.channels[ix];
            if normal && (channel.announced || !channel.public) {
                self.watched.remove(&ix);
            }
        }
    }
}
