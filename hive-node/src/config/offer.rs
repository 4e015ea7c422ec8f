//! What the member is willing to open for the fleet. Fellows plan with it.

use super::settings::{ConfigError, Key, Settings};
use super::values::{sat, whole};
use hive_policy::Limits;
use hive_types::Constraint;

table! { "offer.", Constraint;
    capital: sat, "capital that this member would put into new channels, in sat";
    slots: whole, "channels that this member would open at most";
    channel_min: sat, "smallest channel that this member would open, in sat";
    channel_max: sat, "largest channel that this member would open, in sat";
}

/// All that the limits allow in a day.
pub(super) fn within(limits: &Limits) -> Constraint {
    Constraint {
        capital: limits.capital_per_day,
        slots: limits.opens_per_day,
        channel_min: limits.channel_min,
        channel_max: limits.channel_max,
    }
}

/// An offer that the limits would refuse helps nobody: fellows would plan around an open that never
/// comes.
pub(super) fn read(settings: &Settings, limits: &Limits) -> Result<Constraint, ConfigError> {
    let mut offer = within(limits);
    fill(settings, &mut offer)?;
    let refuse = |text: String| Err(ConfigError::Contradiction(text));
    if offer.channel_max > limits.channel_max {
        let (offered, limit) = (offer.channel_max, limits.channel_max);
        return refuse(format!(
            "offer.channel_max is {offered}, but limits.channel_max is only {limit}; lower the offer"
        ));
    }
    if offer.channel_min < limits.channel_min {
        let (offered, limit) = (offer.channel_min, limits.channel_min);
        return refuse(format!(
            "offer.channel_min is {offered}, but limits.channel_min is {limit}; raise the offer"
        ));
    }
    if offer.channel_min > offer.channel_max {
        let (min, max) = (offer.channel_min, offer.channel_max);
        return refuse(format!(
            "offer.channel_min is {min}, but offer.channel_max is {max}; it must not be above it"
        ));
    }
    Ok(offer)
}
