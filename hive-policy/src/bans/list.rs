//! The operator's own bans and the peers that are never banned.

use hive_types::limits::{BAN_LIFETIME, BAN_REASON_CHARS, BANS};
use hive_types::{NodeId, Now, UnixMillis};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// One ban by the own operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Why, for people.
    pub reason: String,
    /// When it ends, by the wall clock.
    pub until: UnixMillis,
}

/// The own operator's bans and the peers that are never banned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanList {
    bans: BTreeMap<NodeId, Ban>,
    allowed: BTreeSet<NodeId>,
}

/// A ban that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BanError {
    /// The allow-list comes first.
    #[error("peer {0} is on the allow-list; take it off to ban it")]
    Allowed(NodeId),
    /// Over before it began.
    #[error("the ban would end in the past; give an end that lies ahead")]
    Past,
    /// Bans expire.
    #[error("a ban lasts at most {BAN_LIFETIME}; ban again then if it still holds")]
    TooLong,
    /// Too much to say.
    #[error("a reason has at most {BAN_REASON_CHARS} characters; shorten it")]
    Reason,
    /// The list is full.
    #[error("the list holds {BANS} peers, which is the limit; unban or disallow some")]
    Full,
}

impl BanList {
    /// Bans a peer until a wall time, or replaces its ban.
    ///
    /// # Errors
    /// [`BanError`]: the peer is allowed, the end or the reason is out of range, or the list is full.
    pub fn ban(
        &mut self,
        now: Now,
        peer: NodeId,
        reason: &str,
        until: UnixMillis,
    ) -> Result<(), BanError> {
        self.bans.retain(|_, ban| ban.until > now.wall);
        if self.allowed.contains(&peer) {
            return Err(BanError::Allowed(peer));
        }
        if until <= now.wall {
            return Err(BanError::Past);
        }
        if until > now.wall.plus(BAN_LIFETIME) {
            return Err(BanError::TooLong);
        }
        if reason.chars().count() > BAN_REASON_CHARS {
            return Err(BanError::Reason);
        }
        if self.bans.len() >= BANS && !self.bans.contains_key(&peer) {
            return Err(BanError::Full);
        }
        let reason = reason.to_owned();
        self.bans.insert(peer, Ban { reason, until });
        Ok(())
    }

    /// Ends the own ban of a peer and says whether there was one. What fellows corroborate goes on:
    /// against that, [`BanList::allow`].
    pub fn unban(&mut self, peer: NodeId) -> bool {
        self.bans.remove(&peer).is_some()
    }

    /// Never bans this peer, whoever says what; ends an own ban.
    ///
    /// # Errors
    /// [`BanError::Full`].
    pub fn allow(&mut self, peer: NodeId) -> Result<(), BanError> {
        if self.allowed.len() >= BANS && !self.allowed.contains(&peer) {
            return Err(BanError::Full);
        }
        self.bans.remove(&peer);
        self.allowed.insert(peer);
        Ok(())
    }

    /// Takes a peer off the allow-list and says whether it was there.
    pub fn disallow(&mut self, peer: NodeId) -> bool {
        self.allowed.remove(&peer)
    }

    /// Whether the own operator bans this peer now.
    pub fn is_banned(&self, now: Now, peer: NodeId) -> bool {
        self.bans.get(&peer).is_some_and(|ban| ban.until > now.wall) && !self.is_allowed(peer)
    }

    /// Whether the peer is never banned.
    pub fn is_allowed(&self, peer: NodeId) -> bool {
        self.allowed.contains(&peer)
    }

    /// The own bans that hold now, in order of peers.
    pub fn bans(&self, now: Now) -> impl Iterator<Item = (&NodeId, &Ban)> {
        self.bans
            .iter()
            .filter(move |(_, ban)| ban.until > now.wall)
    }

    /// The peers that are never banned, in order.
    pub fn allowed(&self) -> impl Iterator<Item = &NodeId> {
        self.allowed.iter()
    }

    /// The own ban of a peer as it is kept, over or not.
    pub fn get(&self, peer: &NodeId) -> Option<&Ban> {
        self.bans.get(peer)
    }

    /// Takes back what was stored, as it was: ends and lengths were checked when it was said.
    pub fn restore(
        bans: impl IntoIterator<Item = (NodeId, Ban)>,
        allowed: impl IntoIterator<Item = NodeId>,
    ) -> Self {
        Self {
            bans: bans.into_iter().take(BANS).collect(),
            allowed: allowed.into_iter().take(BANS).collect(),
        }
    }
}
