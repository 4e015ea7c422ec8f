//! Opening channels: a funding from named inputs, or a reason why not.

use super::tx::TxError;
use super::{NodeError, World};
use hive_core::Fault;
use hive_types::{BlockHeight, ChannelId, FeeratePerKw, NodeId, OutPoint, Sat, Txid, UnixMillis};
use thiserror::Error;

/// A funding that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Funding {
    /// Its output.
    pub outpoint: OutPoint,
    /// The channel.
    pub channel: ChannelId,
    /// Who paid.
    pub opener: NodeId,
    /// The other end.
    pub target: NodeId,
    /// What was put in.
    pub capacity: Sat,
    /// What it spent.
    pub inputs: Vec<OutPoint>,
    /// When it was published.
    pub at: UnixMillis,
    /// The chain's tip then.
    pub height: BlockHeight,
    /// The opener's tip then.
    pub opener_height: BlockHeight,
}

/// Why no funding was published. Nothing happened in any of these cases.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// No such node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Opener and target are one.
    #[error("a node cannot open a channel to itself")]
    SameNode,
    /// The opener is not running.
    #[error("the opening node is offline; start it")]
    Offline,
    /// No connection, and none could be made.
    #[error("peer {0} cannot be reached; try again when it is online")]
    Unreachable(NodeId),
    /// The target does not want a channel.
    #[error("peer {0} refuses channels; choose another target")]
    Refused(NodeId),
    /// The target wants a larger channel.
    #[error("peer {0} accepts channels from {1} on")]
    TooSmall(NodeId, Sat),
    /// No inputs were named.
    #[error("no inputs were given; choose outputs of the wallet")]
    NoInputs,
    /// An input is not an output of this wallet.
    #[error("input {0} is not in the wallet; read the wallet again")]
    InputUnknown(OutPoint),
    /// An input waits for confirmation or for the end of its delay.
    #[error("input {0} cannot be spent yet; wait for its confirmation")]
    InputUnconfirmed(OutPoint),
    /// Something spends the input already.
    #[error("input {0} is already spent by {1}; if that is an earlier try, it has succeeded")]
    InputSpent(OutPoint, Txid),
    /// The inputs hold too little.
    #[error("the inputs hold {available}, {needed} are needed with the fee; add inputs")]
    NotEnough {
        /// Capacity and fee.
        needed: Sat,
        /// Sum of the inputs.
        available: Sat,
    },
    /// The chain refuses the transaction.
    #[error(transparent)]
    Chain(#[from] TxError),
}

impl OpenError {
    /// Whose fault it was.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Refused(_) | Self::TooSmall(..) => Fault::Peer,
            Self::Unreachable(_) => Fault::PeerAway,
            Self::SameNode | Self::NoInputs => Fault::Agent,
            Self::Node(_)
            | Self::Offline
            | Self::InputUnknown(_)
            | Self::InputUnconfirmed(_)
            | Self::InputSpent(..)
            | Self::NotEnough { .. }
            | Self::Chain(_) => Fault::Node,
        }
    }
}

impl World {
    /// Opens a channel whose funding spends exactly `inputs`: a second try with one of them is
    /// refused by the chain. Connects first if need be. Usable after three confirmations; announced
    /// after six, if it is to be announced at all.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was published then.
    pub fn open_channel(
        &mut self,
        node: NodeId,
        target: NodeId,
        capacity: Sat,
        inputs: &[OutPoint],
        feerate: FeeratePerKw,
        announce: bool,
    ) -> Result<(ChannelId, OutPoint), OpenError> {
        let from = self.ix(node)?;
        let to = self
            .ix(target)
            .map_err(|_| OpenError::Unreachable(target))?;
        if from == to {
            return Err(OpenError::SameNode);
        }
        if !self.nodes[from].online {
            return Err(OpenError::Offline);
        }
        self.connect(node, target)
            .map_err(|_| OpenError::Unreachable(target))?;
        if self.nodes[to].refuses_channels {
            return Err(OpenError::Refused(target));
        }
        let least = self.nodes[to].min_channel;
        if capacity < least {
            return Err(OpenError::TooSmall(target, least));
        }
        if inputs.is_empty() {
            return Err(OpenError::NoInputs);
        }
        let tx = self.funding_tx(from, inputs, capacity, feerate)?;
        let txid = self.chain.publish(tx)?;
        let funding = OutPoint { txid, vout: 0 };
        let channel = self.insert_channel(from, to, capacity.get(), funding, announce);
        self.watched.insert(channel);
        let id = self.channels[channel].id;
        self.fundings.push(Funding {
            outpoint: funding,
            channel: id,
            opener: node,
            target,
            capacity,
            inputs: inputs.to_vec(),
            at: self.now(),
            height: self.chain.height(),
            opener_height: BlockHeight::new(self.tip_of(from)),
        });
        self.note("funding", &[from as u64, to as u64, capacity.get()]);
        self.tell_channel(channel);
        Ok((id, funding))
    }
}
