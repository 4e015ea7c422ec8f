//! What a backend answers. For money there are three answers: not done, done, unknown.

use crate::chance;
use bitcoin::hashes::{Hash, sha256};
use hive_core::{Done, Fault};
use hive_types::{
    BlockHeight, ChannelId, ChannelPolicy, Digest, Network, NodeId, OutPoint, ShortChannelId,
    UnixMillis,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// The node.
    pub node_id: NodeId,
    /// The chain that it is on.
    pub network: Network,
    /// Its name in the graph.
    pub alias: String,
    /// Its implementation and version, as it says them.
    pub version: String,
    /// Whether it has caught up with chain and graph.
    pub synced: bool,
    /// The tip that it knows.
    pub height: BlockHeight,
    /// Its BOLT 9 feature bits in `init`, big-endian as they travel.
    pub features: Vec<u8>,
    /// Where it can be reached, as `host:port`.
    pub addresses: Vec<String>,
}

/// Something that the node tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendEvent {
    /// A link is up.
    PeerConnected {
        /// The peer.
        peer: NodeId,
        /// Its feature bits of this connection.
        features: Vec<u8>,
        /// Where we reached it, when we dialled and the node says so.
        address: Option<String>,
    },
    /// A link is down.
    PeerDisconnected {
        /// The peer.
        peer: NodeId,
    },
    /// A message of our type came.
    Message {
        /// The peer that sent it.
        from: NodeId,
        /// Its bytes after the type.
        bytes: Vec<u8>,
    },
    /// The node's tip moved.
    Block {
        /// The new height; lower than before after a reorganization.
        height: BlockHeight,
    },
    /// Channels, policies, balances, funds or forwards changed.
    Changed,
    /// The network graph changed.
    GraphChanged,
    /// The node or its streams started anew: read everything again.
    Restarted,
}

/// A call that moves no money failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BackendError {
    /// The node does not answer.
    #[error(
        "the node does not answer ({0}); the agent tries again by itself, see that the node runs"
    )]
    Unreachable(String),
    /// There is no link to the peer.
    #[error("not connected to {0}; connect first")]
    NotConnected(NodeId),
    /// The peer does not answer, or not at these addresses.
    #[error(
        "{peer} can't be reached: {reason}; check its address, the agent tries again by itself"
    )]
    PeerUnreachable {
        /// The peer.
        peer: NodeId,
        /// What the node said.
        reason: String,
    },
    /// The agent may not do this.
    #[error("the node does not allow this: {0}")]
    Denied(String),
    /// The node is none that the agent can work with as it is: its version, its network, its size.
    #[error("this node can't be used so: {0}")]
    Unfit(String),
    /// The node refuses the call as it stands.
    #[error("the node refused: {0}")]
    Refused(String),
    /// The node's answer is not understood.
    #[error("the node's answer is not understood: {0}; report this with the node's version")]
    Reply(String),
}

impl BackendError {
    /// Who can set it right.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Unreachable(_) => Fault::Node,
            Self::NotConnected(_) | Self::PeerUnreachable { .. } => Fault::PeerAway,
            Self::Denied(_) | Self::Unfit(_) => Fault::Operator,
            Self::Refused(_) | Self::Reply(_) => Fault::Agent,
        }
    }

    /// Whether the same call may succeed later with nothing changed but the world.
    pub const fn is_retryable(&self) -> bool {
        matches!(self.fault(), Fault::Node | Fault::PeerAway)
    }
}

/// The action had no effect and will have none.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("not done: {reason}")]
pub struct NotDone {
    /// Why.
    pub reason: String,
    /// Whose fault it was. A target is left alone for long only where it was its own, so [`Fault::Peer`]
    /// is said of what the peer itself refused.
    pub fault: Fault,
}

impl NotDone {
    /// Not done for this reason, by this fault.
    pub fn new(fault: Fault, reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            fault,
        }
    }
}

/// A call before anything was begun failed: nothing happened.
impl From<BackendError> for NotDone {
    fn from(error: BackendError) -> Self {
        Self::new(error.fault(), error.to_string())
    }
}

/// An action failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ActError {
    /// It had no effect and will have none.
    #[error(transparent)]
    NotDone(#[from] NotDone),
    /// It may have had its effect, or may still have it. Reconcile; never repeat anything else.
    #[error("not known whether it was done: {reason}")]
    Unknown {
        /// What is known.
        reason: String,
    },
}

/// What was chosen ahead, so that an action can be repeated and found again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Prepared {
    /// For an open. Any repetition spends one of the same inputs, so the chain itself forbids a
    /// second channel.
    Open {
        /// To whom; `None` in what was stored before this was.
        #[serde(default)]
        target: Option<NodeId>,
        /// When, by the machine's own clock; `None` where nothing depends on it, and in what was stored before
        /// this was. An LND tells of its reservations only until when they hold.
        #[serde(default)]
        begun: Option<UnixMillis>,
        /// The outputs that the funding transaction spends.
        inputs: Vec<OutPoint>,
        /// The channels with the target that existed before.
        channels_before: Vec<ChannelId>,
    },
    /// For a payment to oneself, or a probe (whose hash has no invoice).
    Payment {
        /// The preimage. Stored before the invoice exists, so that the HTLC can always be claimed.
        #[serde(with = "preimage")]
        preimage: [u8; 32],
        /// Its SHA-256; the payment's name on every node it crosses.
        payment_hash: Digest,
    },
    /// For a change of policy. What the channel's policy is now tells whether it happened.
    Policy {
        /// The channel.
        channel: ShortChannelId,
        /// What is to be set.
        policy: ChannelPolicy,
        /// What was set before; `None` where the node never set one.
        before: Option<ChannelPolicy>,
    },
}

impl Prepared {
    /// A preimage that nobody else knows, and its hash: for a payment to oneself, or for a probe.
    ///
    /// # Errors
    /// [`NotDone`] when the system gives no random numbers.
    pub fn payment() -> Result<Self, NotDone> {
        let preimage = chance::secret()
            .map_err(|reason| NotDone::new(Fault::Node, format!("no random numbers: {reason}")))?;
        let hash = sha256::Hash::hash(&preimage).to_byte_array();
        Ok(Self::Payment {
            preimage,
            payment_hash: Digest::from_bytes(hash),
        })
    }
}

/// Hex, as the payment hash beside it.
mod preimage {
    use hive_types::Digest;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &[u8; 32],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Digest::from_bytes(*bytes).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 32], D::Error> {
        Ok(Digest::deserialize(deserializer)?.to_bytes())
    }
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// It had its effect.
    Done(Done),
    /// It had no effect and will have none unless it is executed again.
    NotDone,
    /// Under way, or not known: ask again later.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::{Msat, Ppm};

    #[test]
    fn prepared_survives_the_store() {
        let preimage = [7; 32];
        let payment_hash = Digest::from_bytes([9; 32]);
        let target = NodeId::from_bytes([2; 33]).unwrap();
        let policy = ChannelPolicy {
            base: Msat::new(1),
            rate: Ppm::new(2),
            cltv_delta: 80,
            htlc_minimum: Msat::new(3),
            htlc_maximum: Msat::new(4),
            disabled: false,
            inbound_base_msat: -5,
            inbound_ppm: -6,
        };
        let all = [
            Prepared::Open {
                target: Some(target),
                begun: Some(UnixMillis::new(7)),
                inputs: vec![],
                channels_before: vec![ChannelId::from_bytes([1; 32])],
            },
            Prepared::Payment {
                preimage,
                payment_hash,
            },
            Prepared::Policy {
                channel: "812x3x1".parse().unwrap(),
                policy,
                before: None,
            },
        ];
        for prepared in all {
            let text = serde_json::to_string(&prepared).unwrap();
            assert_eq!(serde_json::from_str::<Prepared>(&text).unwrap(), prepared);
        }
    }

    #[test]
    fn an_open_that_was_prepared_without_target_and_time_reads() {
        let text = r#"{"kind":"open","inputs":[],"channels_before":[]}"#;
        let read: Prepared = serde_json::from_str(text).unwrap();
        assert!(matches!(
            read,
            Prepared::Open {
                target: None,
                begun: None,
                ..
            }
        ));
    }
}
