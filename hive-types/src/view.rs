//! The plain views that planner and policy read: they see neither wire nor replicated records.

use crate::{
    ActionId, BlockHeight, ChannelId, ChannelPolicy, FeeratePerKw, Msat, Network, NodeId,
    ObservationView, OutPoint, PeerEvents, Sat, ShortChannelId,
};
use serde::{Deserialize, Serialize};

/// What the own node says of itself, read in one go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalSnapshot {
    /// The node.
    pub node_id: NodeId,
    /// The chain that it is on.
    pub network: Network,
    /// The tip that it knows.
    pub height: BlockHeight,
    /// Whether it has caught up with chain and graph. Nothing is opened before.
    pub synced: bool,
    /// On-chain money.
    pub on_chain: OnChain,
    /// The node's estimate for a funding transaction.
    pub feerate: FeeratePerKw,
    /// All channels that are not closed, in order of their ids.
    pub channels: Vec<LocalChannel>,
    /// Connected peers, in order of their ids.
    pub peers: Vec<PeerView>,
    /// Settled forwards since the node began, by pair of peers, in order.
    pub forwards: Vec<ForwardTotals>,
    /// What peers did to this node's HTLCs and channels since the node began, in order of peers. Every
    /// peer with a channel has its entry, so that counting begins before its first incident; a node
    /// that counts nothing has none.
    #[serde(default)]
    pub peer_events: Vec<PeerEvents>,
}

/// On-chain money of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnChain {
    /// Confirmed and free to spend.
    pub confirmed: Sat,
    /// Not yet confirmed.
    pub unconfirmed: Sat,
    /// What the node itself keeps back, for anchor channels say.
    pub reserve: Sat,
}

/// One channel of the own node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalChannel {
    /// BOLT 2 channel id.
    pub channel_id: ChannelId,
    /// Place in the chain, once deep enough.
    pub scid: Option<ShortChannelId>,
    /// The funding output.
    pub funding: OutPoint,
    /// The other end.
    pub peer: NodeId,
    /// Both ends' money together.
    pub capacity: Sat,
    /// What can be sent now, reserves and HTLCs in flight taken off.
    pub spendable: Msat,
    /// What can be received now.
    pub receivable: Msat,
    /// Whether payments can cross it now.
    pub usable: bool,
    /// Whether the network knows it.
    pub announced: bool,
    /// Whether this node opened it.
    pub opened_by_us: bool,
    /// Our policy.
    pub local_policy: Option<ChannelPolicy>,
    /// The peer's policy towards us, from its own update.
    pub remote_policy: Option<ChannelPolicy>,
    /// HTLCs under way.
    pub htlcs: u32,
}

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// The node.
    pub node_id: NodeId,
    /// Its BOLT 9 feature bits of this connection, big-endian as they travel.
    pub features: Vec<u8>,
}

/// Settled forwards from one peer to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardTotals {
    /// Where HTLCs came from.
    pub from: NodeId,
    /// Where they went.
    pub to: NodeId,
    /// How many.
    pub count: u64,
    /// What was delivered.
    pub volume: Msat,
    /// What was earned.
    pub fees: Msat,
}

impl ForwardTotals {
    /// Nothing yet.
    pub const fn none(from: NodeId, to: NodeId) -> Self {
        Self {
            from,
            to,
            count: 0,
            volume: Msat::ZERO,
            fees: Msat::ZERO,
        }
    }

    /// Counts further forwards.
    pub fn add(&mut self, count: u64, volume: Msat, fees: Msat) {
        self.count = self.count.saturating_add(count);
        self.volume = self.volume.saturating_add(volume);
        self.fees = self.fees.saturating_add(fees);
    }
}

/// Membership tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Pays a discounted fee, gets no pushes, has no vote.
    Probationary,
    /// Routes for fellows at no fee, votes, decides.
    Full,
}

/// What a member's node can do; bits that a live connection did not confirm count for nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Capabilities(u32);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);
    /// Splicing (BOLT 9 bit 62/63).
    pub const SPLICE: Self = Self(1);
    /// Dual funding (28/29).
    pub const DUAL_FUND: Self = Self(1 << 1);
    /// Keysend (54/55).
    pub const KEYSEND: Self = Self(1 << 2);
    /// Anchor outputs (22/23).
    pub const ANCHORS: Self = Self(1 << 3);
    /// Channels above 2^24 sat (18/19).
    pub const LARGE_CHANNELS: Self = Self(1 << 4);
    /// Onion messages (38/39).
    pub const ONION_MESSAGES: Self = Self(1 << 5);
    /// Taproot channels (80/81, 180/181 in staging).
    pub const TAPROOT: Self = Self(1 << 6);

    /// Each capability: its bit here, its BOLT 9 even bits, its name.
    const TABLE: [(Self, &'static [usize], &'static str); 7] = [
        (Self::SPLICE, &[62], "splice"),
        (Self::DUAL_FUND, &[28], "dual-fund"),
        (Self::KEYSEND, &[54], "keysend"),
        (Self::ANCHORS, &[22], "anchors"),
        (Self::LARGE_CHANNELS, &[18], "large-channels"),
        (Self::ONION_MESSAGES, &[38], "onion-messages"),
        (Self::TAPROOT, &[80, 180], "taproot"),
    ];

    /// From the bits that travel, unknown ones kept.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits that travel.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Both sets together.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both sets hold.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether every capability of `other` is here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Reads BOLT 9 feature bits (big-endian, bit 0 last); the optional or the required bit counts.
    pub fn from_features(features: &[u8]) -> Self {
        let bit = |index: usize| {
            features
                .iter()
                .rev()
                .nth(index / 8)
                .is_some_and(|byte| byte >> (index % 8) & 1 == 1)
        };
        Self::TABLE
            .iter()
            .filter(|(_, evens, _)| evens.iter().any(|even| bit(*even) || bit(even + 1)))
            .fold(Self::NONE, |all, (capability, _, _)| all.union(*capability))
    }

    /// The capability of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let known = Self::TABLE.iter().find(|(_, _, known)| *known == name);
        known.map(|(capability, _, _)| *capability)
    }

    /// The names of the known ones.
    pub fn names(self) -> Vec<&'static str> {
        let known = Self::TABLE
            .iter()
            .filter(|(capability, _, _)| self.contains(*capability));
        known.map(|(_, _, name)| *name).collect()
    }
}

/// The fleet as one member sees it now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetView {
    /// This member; `None` before it is in a fleet.
    pub me: Option<NodeId>,
    /// Every member, this one included, in order of node ids.
    pub members: Vec<FellowView>,
    /// Locks that are held now, in order of targets.
    pub locks: Vec<LockView>,
    /// What members said of outside peers, in order of peer and author.
    pub observations: Vec<ObservationView>,
    /// Outside peers that this member keeps away from.
    pub banned: Vec<NodeId>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FellowView {
    /// Its node.
    pub node_id: NodeId,
    /// Its tier.
    pub tier: Tier,
    /// Whether its heartbeat is recent. A stale member is not gone, but nothing is planned with it.
    pub fresh: bool,
    /// What this member does for it, as its conduct deserves.
    #[serde(default)]
    pub privileges: Privileges,
    /// Its channels as it told them, clamped to what the graph shows.
    pub channels: Vec<FellowChannel>,
    /// What it is able and willing to open.
    pub constraint: Constraint,
    /// What it is about to open.
    pub intents: Vec<Intent>,
}

/// What one member does for another. Each member judges by what it saw itself; good conduct brings
/// everything back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privileges {
    /// Whether its payments pass at the fee agreed among fellows.
    pub free_corridor: bool,
    /// Whether balance is pushed to it before it runs dry.
    pub pushes: bool,
    /// Whether its wishes for locks are granted.
    pub locks: bool,
}

impl Default for Privileges {
    /// All of them: nobody is suspected without a reason.
    fn default() -> Self {
        Self {
            free_corridor: true,
            pushes: true,
            locks: true,
        }
    }
}

/// A member's channel as fellows see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FellowChannel {
    /// Place in the chain; absent where the member hides it.
    pub scid: Option<ShortChannelId>,
    /// The other end.
    pub peer: NodeId,
    /// From the graph where it is announced, else the member's word.
    pub capacity: Sat,
    /// What the member says that it can send; absent where hidden.
    pub spendable: Option<Msat>,
    /// How fast `spendable` falls by itself, in msat a day, pushes left out; negative where it grows.
    /// An estimate from what was seen over time; absent where too little was seen.
    pub drain_msat_per_day: Option<i64>,
    /// Whether the graph confirms the channel. Plans leave out what is not confirmed.
    pub confirmed: bool,
}

/// What a member is able and willing to open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// Capital that it would put into new channels.
    pub capital: Sat,
    /// Channels that it would open at most.
    pub slots: u32,
    /// Smallest channel.
    pub channel_min: Sat,
    /// Largest channel.
    pub channel_max: Sat,
}

/// An open that a member announces. Others plan around it until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The target.
    pub target: NodeId,
    /// The capacity.
    pub capacity: Sat,
    /// Its worth to the fleet in a day, in the announcing member's eyes.
    pub value_per_day: Msat,
    /// From this height on it no longer counts.
    pub until: BlockHeight,
}

/// A lock that the fleet decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockView {
    /// The resource: the node to open to.
    pub target: NodeId,
    /// Who may open.
    pub holder: NodeId,
    /// The holder's action.
    pub action: ActionId,
    /// The height named in the lock: the open starts below `height + 6`.
    pub height: BlockHeight,
    /// From this height on the resource is free without an unlock.
    pub until: BlockHeight,
    /// The funding, once published.
    pub funding: Option<OutPoint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_read_from_feature_bits() {
        // Bits 23 (anchors, optional) and 18 (large channels, required).
        let features = [0b1000_0100, 0, 0];
        let read = Capabilities::from_features(&features);
        assert_eq!(
            read,
            Capabilities::ANCHORS.union(Capabilities::LARGE_CHANNELS)
        );
        assert_eq!(read.names(), ["anchors", "large-channels"]);
        assert_eq!(
            Capabilities::from_name("anchors"),
            Some(Capabilities::ANCHORS)
        );
        assert_eq!(Capabilities::from_name("wings"), None);
        assert_eq!(Capabilities::from_features(&[]), Capabilities::NONE);
    }
}
