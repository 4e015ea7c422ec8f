//! The limits of spending, as an operator writes them.

use super::settings::{ConfigError, Key, Settings};
use hive_policy::{LimitSettings, Limits};
use hive_types::{ActionKind, FeeratePerKw, Msat, NodeId, Ppm, Sat};
use std::collections::BTreeSet;

/// The kinds of action that can be opted out of.
const KINDS: [ActionKind; 4] = [
    ActionKind::Open,
    ActionKind::Rebalance,
    ActionKind::SetPolicy,
    ActionKind::Probe,
];

macro_rules! limits {
    ($($name:ident: $read:expr, $about:literal;)*) => {
        /// The keys of the limits.
        pub(super) const KEYS: &[Key] = &[
            $(Key { name: concat!("limits.", stringify!($name)), about: $about },)*
        ];

        fn fill(settings: &Settings, limits: &mut LimitSettings) -> Result<(), ConfigError> {
            $(if let Some(value) = settings.read(concat!("limits.", stringify!($name)), $read)? {
                limits.$name = value;
            })*
            Ok(())
        }
    };
}

limits! {
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
    opted_out_peers: |text| list(text, |word| word.parse::<NodeId>().map_err(|e| e.to_string())),
        "peers that nothing is done with";
    opted_out_kinds: |text| list(text, kind), "kinds of action that are never taken";
}

/// The limits with what the settings change in the defaults.
pub(super) fn read(settings: &Settings) -> Result<Limits, ConfigError> {
    let mut limits = LimitSettings::default();
    fill(settings, &mut limits)?;
    Limits::new(limits).map_err(|error| ConfigError::Limits(error.to_string()))
}

fn sat(text: &str) -> Result<Sat, String> {
    let amount = with_unit(text, "sat").parse::<Sat>();
    amount.map_err(|error| error.to_string())
}

fn msat(text: &str) -> Result<Msat, String> {
    let amount = with_unit(text, "msat").parse::<Msat>();
    amount.map_err(|error| error.to_string())
}

fn ppm(text: &str) -> Result<Ppm, String> {
    whole(text.strip_suffix("ppm").unwrap_or(text)).map(Ppm::new)
}

/// The unit may stand there or not; another one is refused.
fn with_unit(text: &str, unit: &str) -> String {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("{text}{unit}"),
        false => text.to_owned(),
    }
}

fn whole(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("a whole number from 0 to {} is expected", u32::MAX))
}

fn kind(word: &str) -> Result<ActionKind, String> {
    let known = KINDS.into_iter().find(|kind| kind.as_str() == word);
    known.ok_or_else(|| format!("{word:?} is none of open, rebalance, set_policy, probe"))
}

/// Items separated by commas; an empty text is an empty list.
fn list<T: Ord>(
    text: &str,
    item: impl Fn(&str) -> Result<T, String>,
) -> Result<BTreeSet<T>, String> {
    let words = text.split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).map(item).collect()
}
