//! The limits of spending, as an operator writes them.

use super::settings::{ConfigError, Key, Settings};
use super::values::{list, msat, node, ppm, sat, whole};
use hive_policy::{LimitSettings, Limits};
use hive_types::{ActionKind, FeeratePerKw, ShortChannelId};

/// The kinds of action that can be opted out of.
const KINDS: [ActionKind; 4] = [
    ActionKind::Open,
    ActionKind::Rebalance,
    ActionKind::SetPolicy,
    ActionKind::Probe,
];

table! { "limits.", LimitSettings;
    budget_per_day: sat, "fees of all kinds in any 24 hours, in sat";
    capital_per_day: sat, "own money put into new channels in any 24 hours, in sat";
    cost_per_action: msat, "fees of one action, in msat";
    opens_per_day: whole, "channels opened in any 24 hours";
    actions_per_hour: whole, "actions of all kinds in any hour";
    on_chain_reserve: sat, "confirmed on-chain money that stays untouched, in sat";
    channel_min: sat, "smallest channel, in sat";
    channel_max: sat, "largest channel, in sat";
    feerate_ceiling: |text| whole(text).map(FeeratePerKw::new),
        "highest feerate of a funding, in sat per 1000 weight units (250 for each sat/vbyte)";
    rebalance_rate: ppm, "highest fee of a rebalance, in millionths of what it moves";
    rebalance_fee: msat, "highest fee of one rebalance, in msat";
    max_in_flight: msat, "amount in own payments that are under way, in msat";
    max_cltv: whole, "blocks that an own HTLC may be locked";
    min_confidence: ppm, "less sure proposals wait for the operator, in millionths";
    sends_per_hour: whole, "own payments, rebalances and probes, in any hour";
    open_cooldown_days: whole, "days before a peer gets another channel";
    rebalance_cooldown_minutes: whole, "minutes before a pair of channels is rebalanced again";
    policy_base_min: msat, "lowest base fee that may be set, in msat";
    policy_base_max: msat, "highest base fee that may be set, in msat";
    policy_rate_min: ppm, "lowest fee rate that may be set, in millionths";
    policy_rate_max: ppm, "highest fee rate that may be set, in millionths";
    policy_htlc_minimum_max: msat, "highest htlc_minimum_msat that may be set, in msat";
    policy_htlc_maximum_min: msat, "lowest htlc_maximum_msat that may be set, in msat";
    opted_out_channels: |text| list(text, channel),
        "channels whose policy is never changed and that no own payment crosses";
    opted_out_peers: |text| list(text, node),
        "peers that nothing is done with";
    opted_out_kinds: |text| list(text, kind), "kinds of action that are never taken";
}

/// The limits with what the settings change in the defaults.
pub(super) fn read(settings: &Settings) -> Result<Limits, ConfigError> {
    let mut limits = LimitSettings::default();
    fill(settings, &mut limits)?;
    Limits::new(limits).map_err(|error| ConfigError::Contradiction(format!("limits: {error}")))
}

/// Who asks fellows for more than was agreed is taken for a cheat: bounds that forbid free corridors
/// can't stand beside the wish to have them set.
pub(super) fn check_corridors(limits: &Limits, manages_fees: bool) -> Result<(), ConfigError> {
    let is_free = limits.policy_base_min.is_zero() && limits.policy_rate_min.get() == 0;
    if is_free || !manages_fees {
        return Ok(());
    }
    let text = "limits: policy_base_min or policy_rate_min is above 0, but fleet.manage_fees sets fees among fellows to 0; lower them to 0, or set fleet.manage_fees to false and agree with your fellows";
    Err(ConfigError::Contradiction(text.to_owned()))
}

fn channel(word: &str) -> Result<ShortChannelId, String> {
    word.parse()
        .map_err(|_| format!("{word:?} is not a short channel id such as 800000x12x1"))
}

fn kind(word: &str) -> Result<ActionKind, String> {
    let known = KINDS.into_iter().find(|kind| kind.as_str() == word);
    known.ok_or_else(|| format!("{word:?} is none of open, rebalance, set_policy, probe"))
}
