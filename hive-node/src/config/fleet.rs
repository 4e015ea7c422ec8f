//! What fellows are told of this member, and what is done towards them.

use super::settings::{ConfigError, Key, Settings};
use super::values::{flag, list};
use hive_core::{ChannelRef, ParseChannelRefError};
use hive_proto::Sharing;
use hive_types::Millis;
use hive_types::limits::{ADDRESS_CHARS, ADDRESSES};
use std::collections::BTreeMap;

/// Time between two plans when nothing else is set: channels and demand change over hours.
const PLAN_INTERVAL: Millis = Millis::from_hours(1);

/// A day; a member that plans less often does not take part.
const PLAN_MINUTES_MAX: u64 = 24 * 60;

/// What fellows are told of this member, and what is done towards them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetConfig {
    /// Where fellows reach the node, as `host:port`. Empty: as the node says.
    pub addresses: Vec<String>,
    /// Time between two plans.
    pub plan_interval: Millis,
    /// What fellows are told of the balance of a channel, or of all channels with a peer; of others
    /// exactly.
    pub sharing: BTreeMap<ChannelRef, Sharing>,
    /// Whether fees towards fellows follow the agreement and are restored on leaving.
    pub manage_fees: bool,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            plan_interval: PLAN_INTERVAL,
            sharing: BTreeMap::new(),
            manage_fees: true,
        }
    }
}

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "fleet.addresses",
        about: "where fellows reach the node, as host:port; without it as the node says",
    },
    Key {
        name: "fleet.plan_minutes",
        about: "time between two plans, in minutes",
    },
    Key {
        name: "fleet.coarse",
        about: "channels, or peers with all their channels, of which fellows learn the balance to the quarter",
    },
    Key {
        name: "fleet.hidden",
        about: "channels, or peers with all their channels, of which fellows learn nothing",
    },
    Key {
        name: "fleet.manage_fees",
        about: "whether fees towards fellows follow the agreement, until this node leaves",
    },
];

pub(super) fn read(settings: &Settings) -> Result<FleetConfig, ConfigError> {
    let mut fleet = FleetConfig::default();
    if let Some(addresses) = settings.read("fleet.addresses", addresses)? {
        fleet.addresses = addresses;
    }
    if let Some(interval) = settings.read("fleet.plan_minutes", interval)? {
        fleet.plan_interval = interval;
    }
    if let Some(manage) = settings.read("fleet.manage_fees", flag)? {
        fleet.manage_fees = manage;
    }
    // What is in both lists is hidden: the stricter word counts.
    for (name, sharing) in [
        ("fleet.coarse", Sharing::Coarse),
        ("fleet.hidden", Sharing::Hidden),
    ] {
        let meant: Option<Vec<ChannelRef>> = settings.read(name, |text| list(text, channel))?;
        let shared = meant.into_iter().flatten().map(|meant| (meant, sharing));
        fleet.sharing.extend(shared);
    }
    Ok(fleet)
}

fn channel(word: &str) -> Result<ChannelRef, String> {
    word.parse()
        .map_err(|error: ParseChannelRefError| error.to_string())
}

fn addresses(text: &str) -> Result<Vec<String>, String> {
    let all: Vec<String> = list(text, |word| {
        let port = word.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        match port {
            Some(Ok(1..)) if word.len() <= ADDRESS_CHARS => Ok(word.to_owned()),
            _ => Err(format!("{word:?} is no address; write it as host:port")),
        }
    })?;
    match all.len() {
        0..=ADDRESSES => Ok(all),
        _ => Err(format!("at most {ADDRESSES} addresses fit into a manifest")),
    }
}

fn interval(text: &str) -> Result<Millis, String> {
    let minutes = text.parse::<u64>().ok();
    let minutes = minutes.filter(|minutes| (1..=PLAN_MINUTES_MAX).contains(minutes));
    minutes
        .map(|minutes| Millis::from_secs(minutes * 60))
        .ok_or_else(|| format!("a whole number from 1 to {PLAN_MINUTES_MAX} is expected"))
}
