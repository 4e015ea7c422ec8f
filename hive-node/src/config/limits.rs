//! The limits of spending, as an operator writes them.

use super::settings::{ConfigError, Key, Settings};
use super::values::{list, msat, node, ppm, sat, whole};
use hive_policy::{LimitSettings, Limits};
use hive_types::{ActionKind, FeeratePerKw};

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

fn kind(word: &str) -> Result<ActionKind, String> {
    let known = KINDS.into_iter().find(|kind| kind.as_str() == word);
    known.ok_or_else(|| format!("{word:?} is none of open, rebalance, set_policy, probe"))
}
