//! What is known of outside peers: what they did, as counted, and what members say of them.

use crate::{Millis, Msat, NodeId, Ppm, Sat, UnixMillis};
use serde::{Deserialize, Serialize};

/// What one peer did to this node's HTLCs and channels, in totals since the node began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerEvents {
    /// The peer.
    pub peer: NodeId,
    /// HTLCs of others that this node offered to it and that have ended.
    pub forwards: u64,
    /// Of those, the ones that failed at it or beyond it: the node can't tell which.
    pub failed: u64,
    /// HTLCs that it held until close to their timeout.
    pub stuck_htlcs: u64,
    /// HTLCs under the dust limit that it offered (BOLT 3: no output of their own on chain).
    pub dust_htlcs: u64,
    /// Channels that it closed by force.
    pub force_closes: u64,
}

impl PeerEvents {
    /// Nothing yet.
    pub const fn none(peer: NodeId) -> Self {
        Self {
            peer,
            forwards: 0,
            failed: 0,
            stuck_htlcs: 0,
            dust_htlcs: 0,
            force_closes: 0,
        }
    }
}

/// One member's signed word on one outside peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservationView {
    /// Whose word.
    pub author: NodeId,
    /// On whom.
    pub peer: NodeId,
    /// How toxic, when that was said.
    pub toxicity: Option<Toxicity>,
    /// How rewarding, when that was said.
    pub opportunity: Option<Opportunity>,
}

/// Why a peer is kept away from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanReason {
    /// It fills a channel's HTLC slots and keeps them.
    Jamming,
    /// It floods channels with HTLCs under the dust limit.
    Dust,
    /// It closes channels by force.
    ForceCloses,
    /// It fails what it advertises to forward.
    Failures,
    /// The operator's decision.
    Operator,
    /// It raises its fees right after balance was pushed or a channel was opened to it.
    FeeSniping,
    /// It holds HTLCs until close to their timeout.
    StuckHtlcs,
}

impl BanReason {
    /// The name that stands in logs and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jamming => "jamming",
            Self::Dust => "dust",
            Self::ForceCloses => "force_closes",
            Self::Failures => "failures",
            Self::Operator => "operator",
            Self::FeeSniping => "fee_sniping",
            Self::StuckHtlcs => "stuck_htlcs",
        }
    }
}

impl core::fmt::Display for BanReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What speaks against a peer: incidents of each kind, counted over `window`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Toxicity {
    /// Force closes that it caused.
    pub force_closes: u32,
    /// HTLCs that it held until close to their timeout.
    pub stuck_htlcs: u32,
    /// Times that a channel's HTLC slots were nearly all taken and stayed so.
    pub jams: u32,
    /// HTLCs under the dust limit that it offered beyond what an hour may bring.
    pub dust_htlcs: u32,
    /// Times that it raised its fees right after a push or an open.
    pub fee_raises: u32,
    /// Forwards to it, behind `failure_rate`.
    pub forwards: u32,
    /// Of those, the ones that failed, of one million.
    pub failure_rate: Ppm,
    /// Over how long this was counted.
    pub window: Millis,
    /// When the member last saw one, by its own clock.
    pub last_seen: UnixMillis,
}

impl Toxicity {
    /// Whether anything is said at all.
    pub const fn is_empty(&self) -> bool {
        self.force_closes == 0
            && self.stuck_htlcs == 0
            && self.jams == 0
            && self.dust_htlcs == 0
            && self.fee_raises == 0
            && self.failure_rate.get() == 0
    }

    /// Incidents behind a ban for this reason; for failures the forwards that failed, for the
    /// operator's word none.
    pub fn incidents(&self, reason: BanReason) -> u32 {
        match reason {
            BanReason::Jamming => self.jams,
            BanReason::Dust => self.dust_htlcs,
            BanReason::ForceCloses => self.force_closes,
            BanReason::Failures => {
                let failed = u64::from(self.forwards) * u64::from(self.failure_rate.get());
                u32::try_from(failed / 1_000_000).unwrap_or(u32::MAX)
            }
            BanReason::Operator => 0,
            BanReason::FeeSniping => self.fee_raises,
            BanReason::StuckHtlcs => self.stuck_htlcs,
        }
    }
}

/// What a channel to a peer brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Opportunity {
    /// Capital in channels with it.
    pub capital: Sat,
    /// Days observed.
    pub days: u32,
    /// Volume forwarded in that time.
    pub volume: Msat,
    /// Fees earned in that time.
    pub fees: Msat,
    /// Forwards that succeeded, of one million; absent where the node does not count failures.
    pub success_rate: Option<Ppm>,
}
