//! What an operator allows. A set of limits that contradicts itself is no set of limits.

mod check;

pub use check::LimitsError;

use check::{check_fees, check_opens, check_policies, check_ranges};
use hive_types::{ActionKind, FeeratePerKw, Msat, NodeId, Ppm, Sat, ShortChannelId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Deref;

/// Limits as an operator writes them. [`Limits::new`] checks them against each other.
///
/// The defaults suit a small node that wants to try: a day costs at most 10,000 sat and puts at most
/// 5,000,000 sat into at most two channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// On-chain and routing fees together in any 24 hours, in sat. Default 10,000.
    pub budget_per_day: Sat,
    /// Own money put into new channels in any 24 hours, in sat. Default 5,000,000.
    pub capital_per_day: Sat,
    /// On-chain or routing fees of one action, in msat. Default 5,000,000 (5,000 sat).
    pub cost_per_action: Msat,
    /// Channels opened in any 24 hours; zero opens none. Default 2.
    pub opens_per_day: u32,
    /// Actions of all kinds begun in any hour, free ones too. Default 30.
    pub actions_per_hour: u32,
    /// Confirmed on-chain money that stays untouched, in sat; the node's own reserve counts where it
    /// is larger. Default 200,000.
    pub on_chain_reserve: Sat,
    /// Smallest channel, in sat: below it on-chain cost eats what it can earn. Default 500,000.
    pub channel_min: Sat,
    /// Largest channel, in sat. Default 5,000,000.
    pub channel_max: Sat,
    /// Highest feerate of a funding transaction, in sat per 1000 weight units. Default 5,000
    /// (20 sat/vbyte).
    pub feerate_ceiling: FeeratePerKw,
    /// Highest fee of a rebalance in millionths of what it moves. Default 300.
    pub rebalance_rate: Ppm,
    /// Highest fee of one rebalance, in msat. Default 1,000,000 (1,000 sat).
    pub rebalance_fee: Msat,
    /// Amount in payments of ours that are under way, in msat. Default 2,000,000,000 (2,000,000 sat).
    pub max_in_flight: Msat,
    /// Blocks that an HTLC of ours may be locked at most. Default 1,008, a week.
    pub max_cltv: u32,
    /// A proposal that is less sure waits for the operator, also in autonomous mode. Default 500,000:
    /// as likely as not.
    pub min_confidence: Ppm,
    /// Own payments begun in any hour, rebalances and probes, those that fail too; zero sends none. They
    /// count as actions, too, so the smaller limit holds. Default 20.
    pub sends_per_hour: u32,
    /// Days after an open before the same peer may get another channel, up to 30; zero: at once.
    /// Default 1.
    pub open_cooldown_days: u32,
    /// Minutes after a rebalance began, also one that failed, before the same pair of channels is
    /// used again, up to 60; zero: at once. Default 5.
    pub rebalance_cooldown_minutes: u32,
    /// Lowest base fee that may be set, in msat. Zero allows free corridors. Default 0.
    pub policy_base_min: Msat,
    /// Highest base fee that may be set, in msat. Default 100,000 (100 sat).
    pub policy_base_max: Msat,
    /// Lowest fee rate that may be set, in millionths. Zero allows free corridors. Default 0.
    pub policy_rate_min: Ppm,
    /// Highest fee rate that may be set, in millionths. Default 50,000 (5 %).
    pub policy_rate_max: Ppm,
    /// Highest `htlc_minimum_msat` that may be set, in msat. Default 1,000,000 (1,000 sat).
    pub policy_htlc_minimum_max: Msat,
    /// Lowest `htlc_maximum_msat` that may be set, in msat: a lower one shuts the channel but for its
    /// name. Default 1,000,000 (1,000 sat).
    pub policy_htlc_maximum_min: Msat,
    /// Channels whose policy is never changed and that no payment of ours crosses, by short channel
    /// id. Default none.
    pub opted_out_channels: BTreeSet<ShortChannelId>,
    /// Peers that nothing is done with. Default none.
    pub opted_out_peers: BTreeSet<NodeId>,
    /// Kinds of action that are never taken. Default none.
    pub opted_out_kinds: BTreeSet<ActionKind>,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            budget_per_day: Sat::new(10_000),
            capital_per_day: Sat::new(5_000_000),
            cost_per_action: Msat::new(5_000_000),
            opens_per_day: 2,
            actions_per_hour: 30,
            on_chain_reserve: Sat::new(200_000),
            channel_min: Sat::new(500_000),
            channel_max: Sat::new(5_000_000),
            feerate_ceiling: FeeratePerKw::from_sat_per_vbyte(20),
            rebalance_rate: Ppm::new(300),
            rebalance_fee: Msat::new(1_000_000),
            max_in_flight: Msat::new(2_000_000_000),
            max_cltv: 1_008,
            min_confidence: Ppm::new(500_000),
            sends_per_hour: 20,
            open_cooldown_days: 1,
            rebalance_cooldown_minutes: 5,
            policy_base_min: Msat::ZERO,
            policy_base_max: Msat::new(100_000),
            policy_rate_min: Ppm::ZERO,
            policy_rate_max: Ppm::new(50_000),
            policy_htlc_minimum_max: Msat::new(1_000_000),
            policy_htlc_maximum_min: Msat::new(1_000_000),
            opted_out_channels: BTreeSet::new(),
            opted_out_peers: BTreeSet::new(),
            opted_out_kinds: BTreeSet::new(),
        }
    }
}

/// Limits that agree with each other. Nothing changes them in place: new ones come whole, from the
/// operator, through [`crate::Gate::set_limits`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LimitSettings", into = "LimitSettings")]
pub struct Limits(LimitSettings);

impl Limits {
    /// Checks the settings one by one and against each other.
    ///
    /// # Errors
    /// The first [`LimitsError`] found: which settings contradict each other, and how to mend it.
    pub fn new(settings: LimitSettings) -> Result<Self, LimitsError> {
        check_ranges(&settings)?;
        check_fees(&settings)?;
        check_opens(&settings)?;
        check_policies(&settings)?;
        Ok(Self(settings))
    }

    /// The settings, for a change that goes through [`Limits::new`] again.
    pub fn into_settings(self) -> LimitSettings {
        self.0
    }
}

impl Deref for Limits {
    type Target = LimitSettings;

    fn deref(&self) -> &LimitSettings {
        &self.0
    }
}

impl TryFrom<LimitSettings> for Limits {
    type Error = LimitsError;

    fn try_from(settings: LimitSettings) -> Result<Self, LimitsError> {
        Self::new(settings)
    }
}

impl From<Limits> for LimitSettings {
    fn from(limits: Limits) -> Self {
        limits.0
    }
}

#[cfg(test)]
mod tests;
