//! Nodes: keys, signatures, what happens to agents, snapshots.

use super::agent::Agent;
use super::rng::hash_of;
use super::{ChannelIx, NodeIx, World};
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use data_encoding::{Encoding, Specification};
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat};
use secp256k1::{Message, SECP256K1, SecretKey};
use std::collections::BTreeSet;
use thiserror::Error;

/// What Lightning nodes put before a text that they sign (LND `signmessage`, CLN `signmessage`).
const SIGN_PREFIX: &[u8] = b"Lightning Signed Message:";

/// Alphabet of zbase32, by Zooko Wilcox-O'Hearn.
const ZBASE32: &str = "ybndrfg8ejkmcpqxot1uwisza345h769";

/// BOLT 9 bits of a usual node: large channels, anchors, onion messages, keysend (all optional).
const USUAL_FEATURES: [usize; 4] = [19, 23, 39, 55];

/// A node to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its secret key; from the world's seed when absent.
    pub secret: Option<[u8; 32]>,
    /// On-chain money.
    pub sats: Sat,
    /// Outputs that the money is split into.
    pub utxos: u32,
    /// BOLT 9 feature bits, big-endian.
    pub features: Vec<u8>,
    /// Whether somebody reads its events, runs a program on it and asks for its graph.
    pub is_agent: bool,
    /// The policy of its new channels; `htlc_maximum` is cut to the capacity.
    pub policy: ChannelPolicy,
}

impl NodeSpec {
    /// A node with an agent, its money in four outputs.
    pub fn agent(sats: Sat) -> Self {
        Self {
            secret: None,
            sats,
            utxos: 4,
            features: feature_bits(&USUAL_FEATURES),
            is_agent: true,
            policy: usual_policy(),
        }
    }

    /// A node that only routes, pays and is paid.
    pub fn outside(sats: Sat) -> Self {
        Self {
            is_agent: false,
            ..Self::agent(sats)
        }
    }
}

/// LND's defaults: 1 sat and 1 ppm, 80 blocks, no upper limit.
fn usual_policy() -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::new(1000),
        rate: Ppm::new(1),
        cltv_delta: 80,
        htlc_minimum: Msat::new(1000),
        htlc_maximum: Msat::new(u64::MAX),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

/// Big-endian feature bits with these set.
fn feature_bits(bits: &[usize]) -> Vec<u8> {
    let size = bits.iter().max().map_or(0, |bit| bit / 8 + 1);
    let mut bytes = vec![0u8; size];
    for bit in bits {
        bytes[size - 1 - bit / 8] |= 1 << (bit % 8);
    }
    bytes
}

/// How a node treats other people's HTLCs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Neither forwards nor fails them: they stay until they time out.
    pub holds_htlcs: bool,
    /// Fails each with `temporary_channel_failure`, as if the next channel were empty.
    pub fails_forwards: bool,
    /// Sends an HTLC back over the channel on which it came, when the next node is the one before
    /// (BOLT 4 lets a node choose among its channels to the next node).
    pub returns_over_arrival: bool,
    /// Its own payments fail at its own first hop, whatever its channels look like.
    pub dead_first_hop: bool,
    /// As the last forwarder it passes on so much less than the onion says and keeps the rest.
    pub short_pays: Msat,
}

/// The world cannot do this with that node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NodeError {
    /// No such node.
    #[error("the world has no node {0}")]
    Unknown(NodeId),
    /// The world holds no secret key of it: it came from a graph.
    #[error("the world holds no key of node {0}; add the node with a secret key to let it sign")]
    NoKey(NodeId),
    /// The bytes are no secret key of the curve.
    #[error("these 32 bytes are no secp256k1 secret key; take others")]
    BadSecret,
    /// A node with this key exists.
    #[error("the world has node {0} already")]
    Exists(NodeId),
}

/// A node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) secret: Option<SecretKey>,
    pub(crate) features: Vec<u8>,
    pub(crate) online: bool,
    pub(crate) refuses_channels: bool,
    pub(crate) min_channel: Sat,
    pub(crate) policy: ChannelPolicy,
    pub(crate) channels: Vec<ChannelIx>,
    pub(crate) peers: BTreeSet<NodeIx>,
    pub(crate) agent: Option<Box<Agent>>,
    pub(crate) behaviour: Behaviour,
    /// Milliseconds until others hear of a policy that it set.
    pub(crate) policy_lag: u64,
    /// Msat earned by forwarding.
    pub(crate) fees: u64,
}

impl World {
    /// Adds a node. Its key, when not given, depends on the seed and on how many nodes there are.
    ///
    /// # Errors
    /// [`NodeError::BadSecret`] or [`NodeError::Exists`].
    pub fn add_node(&mut self, spec: NodeSpec) -> Result<NodeId, NodeError> {
        let secret = match spec.secret {
            Some(bytes) => SecretKey::from_slice(&bytes).map_err(|_| NodeError::BadSecret)?,
            None => self.derive_secret(),
        };
        let key = secret.public_key(SECP256K1).serialize();
        let id = NodeId::from_bytes(key).map_err(|_| NodeError::BadSecret)?;
        let ix = self.insert_node(id, Some(secret), spec.is_agent)?;
        let node = &mut self.nodes[ix];
        node.features = spec.features;
        node.policy = spec.policy;
        let parts = u64::from(spec.utxos.max(1));
        for part in 0..parts {
            let rest = if part == 0 {
                spec.sats.get() % parts
            } else {
                0
            };
            self.mint(ix, Sat::new(spec.sats.get() / parts + rest));
        }
        Ok(id)
    }

    /// Adds a bare node: no money, the usual features.
    pub(crate) fn insert_node(
        &mut self,
        id: NodeId,
        secret: Option<SecretKey>,
        is_agent: bool,
    ) -> Result<NodeIx, NodeError> {
        let ix = self.nodes.len();
        if self.node_by_id.contains_key(&id) {
            return Err(NodeError::Exists(id));
        }
        let tip = self.chain.height().get();
        let agent = Agent {
            tip,
            ..Agent::default()
        };
        self.node_by_id.insert(id, ix);
        self.nodes.push(Node {
            id,
            secret,
            features: feature_bits(&USUAL_FEATURES),
            online: true,
            refuses_channels: false,
            min_channel: Sat::new(20_000),
            policy: usual_policy(),
            channels: Vec::new(),
            peers: BTreeSet::new(),
            agent: is_agent.then(|| Box::new(agent)),
            behaviour: Behaviour::default(),
            policy_lag: 0,
            fees: 0,
        });
        self.router.add_node();
        if is_agent {
            self.agents.push(ix);
            self.gossip.add_agent(ix);
        }
        Ok(ix)
    }

    fn derive_secret(&self) -> SecretKey {
        let count = (self.nodes.len() as u64).to_le_bytes();
        let candidates = (0u64..).map(|attempt| {
            let parts: [&[u8]; 3] = [&self.config.seed, &count, &attempt.to_le_bytes()];
            hash_of("node key", &parts)
        });
        let mut valid = candidates.filter_map(|bytes| SecretKey::from_slice(&bytes).ok());
        valid
            .next()
            .expect("all but 2^-128 of all 32-byte strings are secret keys")
    }

    /// All nodes, in the order in which they were added.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().map(|node| node.id)
    }

    /// The node with a number, as [`super::Owner`] has it.
    pub fn node_id(&self, number: usize) -> Option<NodeId> {
        self.nodes.get(number).map(|node| node.id)
    }

    /// The node's signature of a text: zbase32 of a recoverable signature over the double SHA-256 of
    /// the text with Lightning's prefix, as CLN, LND and LDK make it.
    ///
    /// # Errors
    /// [`NodeError`] when the node is unknown or came from a graph, without a key.
    pub fn sign_message(&self, node: NodeId, text: &str) -> Result<String, NodeError> {
        let secret = self.nodes[self.ix(node)?].secret;
        let secret = secret.ok_or(NodeError::NoKey(node))?;
        let mut engine = sha256d::Hash::engine();
        engine.input(SIGN_PREFIX);
        engine.input(text.as_bytes());
        let hash = sha256d::Hash::from_engine(engine).to_byte_array();
        let signature = SECP256K1.sign_ecdsa_recoverable(&Message::from_digest(hash), &secret);
        let (recovery, compact) = signature.serialize_compact();
        let mut bytes = vec![31 + recovery.to_i32() as u8];
        bytes.extend_from_slice(&compact);
        Ok(zbase32().encode(&bytes))
    }

    /// Makes a node refuse every channel that others open to it, or accept again.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn set_refuses_channels(&mut self, node: NodeId, refuses: bool) -> Result<(), NodeError> {
        let ix = self.ix(node)?;
        self.nodes[ix].refuses_channels = refuses;
        Ok(())
    }

    /// Makes a node treat HTLCs badly, or well again.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn set_behaviour(&mut self, node: NodeId, how: Behaviour) -> Result<(), NodeError> {
        let ix = self.ix(node)?;
        self.nodes[ix].behaviour = how;
        Ok(())
    }

    /// What a node earned by forwarding so far.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn fees_earned(&self, node: NodeId) -> Result<Msat, NodeError> {
        Ok(Msat::new(self.nodes[self.ix(node)?].fees))
    }

    /// The smallest channel that a node accepts.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn set_min_channel(&mut self, node: NodeId, least: Sat) -> Result<(), NodeError> {
        let ix = self.ix(node)?;
        self.nodes[ix].min_channel = least;
        Ok(())
    }
}

fn zbase32() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str(ZBASE32);
    specification
        .encoding()
        .expect("32 distinct symbols make a base32 alphabet")
}
