//! The heartbeat: what a member's channels can send, in full and as changes since a full one.
//!
//! Receivers know announced channels from their own graph, so an id and a share are enough: the
//! peer and the capacity are read there, and the share can't claim more than the channel holds.
//! [`wire`] has the bytes.

mod change;
mod wire;

pub use change::{HeartbeatChange, ShareChanges};

use hive_types::limits::{HEARTBEAT_CHANGE, HEARTBEAT_CHANNELS, HEARTBEAT_UNANNOUNCED};
use hive_types::{Msat, NodeId, Ppm, Sat, ShortChannelId};
use std::collections::BTreeMap;
use thiserror::Error;

/// The spendable part of a channel in steps of 1/255, rounded down: nobody claims what is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u8);

/// What the operator lets fellows know of a channel's balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sharing {
    /// To the step.
    #[default]
    Exact,
    /// To the quarter.
    Coarse,
    /// Nothing: the channel is left out of heartbeats.
    Hidden,
}

impl Share {
    const STEPS: u64 = 255;

    /// From the steps that travel.
    pub const fn from_steps(steps: u8) -> Self {
        Self(steps)
    }

    /// The steps that travel.
    pub const fn steps(self) -> u8 {
        self.0
    }

    /// The share of a channel that can be sent, as far as the operator lets fellows know; `None`
    /// where it is hidden.
    pub fn of(spendable: Msat, capacity: Sat, sharing: Sharing) -> Option<Self> {
        let whole = u128::from(capacity.to_msat_saturating().get()).max(1);
        let steps = (u128::from(spendable.get()) * u128::from(Self::STEPS) / whole).min(255);
        let exact = u8::try_from(steps).unwrap_or(u8::MAX);
        match sharing {
            Sharing::Exact => Some(Self(exact)),
            Sharing::Coarse => Some(Self(exact / 64 * 64)),
            Sharing::Hidden => None,
        }
    }

    /// What it says of a channel of this capacity.
    pub fn spendable(self, capacity: Sat) -> Msat {
        let msat = u128::from(capacity.to_msat_saturating().get());
        let part = msat * u128::from(self.0) / u128::from(Self::STEPS);
        Msat::new(u64::try_from(part).unwrap_or(u64::MAX))
    }

    /// How far two shares are apart.
    pub fn distance(self, other: Self) -> Ppm {
        Ppm::of(u64::from(self.0.abs_diff(other.0)), Self::STEPS)
    }
}

/// A channel that the network does not know, told by choice. Receivers can't check it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unannounced {
    /// The other end.
    pub peer: NodeId,
    /// Both ends' money together.
    pub capacity: Sat,
    /// What can be sent.
    pub share: Share,
}

/// What a member's channels can send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    announced: BTreeMap<ShortChannelId, Share>,
    unannounced: Vec<Unannounced>,
}

/// No heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeartbeatError {
    /// More channels than allowed, or more bytes than a record's body has.
    #[error(
        "a heartbeat tells of {HEARTBEAT_CHANNELS} announced and {HEARTBEAT_UNANNOUNCED} \
         unannounced channels at most; hide some"
    )]
    TooLarge,
    /// Ends too early, goes on too long, or an integer is longer than needed.
    #[error("not the encoding of a heartbeat")]
    Malformed,
    /// Channels are out of order or named twice.
    #[error("channels are out of order")]
    Order,
    /// The change does not fit the full heartbeat, or is not its shortest form.
    #[error("the change does not fit the full heartbeat that it names")]
    Mismatch,
}

impl Heartbeat {
    /// Of announced channels by their ids, and unannounced ones in any order.
    ///
    /// # Errors
    /// [`HeartbeatError::TooLarge`] when there are too many.
    pub fn new(
        announced: BTreeMap<ShortChannelId, Share>,
        mut unannounced: Vec<Unannounced>,
    ) -> Result<Self, HeartbeatError> {
        unannounced.sort_unstable();
        let heartbeat = Self {
            announced,
            unannounced,
        };
        let fits = heartbeat.announced.len() <= HEARTBEAT_CHANNELS
            && heartbeat.unannounced.len() <= HEARTBEAT_UNANNOUNCED
            && heartbeat.fits_a_body();
        if fits {
            Ok(heartbeat)
        } else {
            Err(HeartbeatError::TooLarge)
        }
    }

    /// Announced channels and their shares, in order of ids.
    pub const fn announced(&self) -> &BTreeMap<ShortChannelId, Share> {
        &self.announced
    }

    /// Unannounced channels, in order.
    pub fn unannounced(&self) -> &[Unannounced] {
        &self.unannounced
    }

    /// Whether fellows should hear of `new` at once: a channel came or went, or a share moved by
    /// more than [`HEARTBEAT_CHANGE`]. Slow drift is told every
    /// [`hive_types::limits::HEARTBEAT_INTERVAL`].
    pub fn significant(&self, new: &Self) -> bool {
        let moved = |old: Share, new: Share| old.distance(new) > HEARTBEAT_CHANGE;
        let same_ids = self.announced.keys().eq(new.announced.keys());
        let place = |channel: &Unannounced| (channel.peer, channel.capacity);
        let same_places = self
            .unannounced
            .iter()
            .map(place)
            .eq(new.unannounced.iter().map(place));
        let mut shares = self.announced.values().zip(new.announced.values());
        let mut others = self.unannounced.iter().zip(&new.unannounced);
        !same_ids
            || !same_places
            || shares.any(|(old, new)| moved(*old, *new))
            || others.any(|(old, new)| moved(old.share, new.share))
    }
}
