//! The heartbeat: what fellows are told of this node's channels, and when.

use crate::hive::{Hive, Stage};
use hive_proto::{Counter, Heartbeat, HeartbeatChange, Share, Sharing, Unannounced, keys};
use hive_state::merged::Draft;
use hive_types::limits::{HEARTBEAT_INTERVAL, HEARTBEAT_UNANNOUNCED};
use hive_types::{Elapsed, LocalChannel, LocalSnapshot, Millis};
use std::collections::BTreeMap;

/// A full heartbeat is written anew at least this often, so that changes stay small.
const FULL_INTERVAL: Millis = Millis::from_hours(12);

/// How long a member that can't tell anything yet waits before it looks again.
const RETRY: Millis = Millis::from_secs(10);

/// What was told last.
#[derive(Default)]
pub(crate) struct Heart {
    full: Option<(Counter, Heartbeat, Elapsed)>,
    sent: Option<(Heartbeat, Elapsed)>,
    /// Nothing can be told before then: the node was not read, or the member is still starting.
    not_before: Elapsed,
}

impl Heart {
    /// When the next one is due if nothing changes.
    pub(crate) fn due(&self) -> Elapsed {
        let beat = self
            .sent
            .as_ref()
            .map(|(_, at)| at.plus(HEARTBEAT_INTERVAL));
        beat.unwrap_or_default().max(self.not_before)
    }
}

impl Hive {
    /// Writes a heartbeat when one is due: something changed by more than a tenth, or time is up.
    pub(crate) fn tend_heart(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let may_beat = member.merged.may_write() && member.leaving.is_none();
        let told = self.local.as_ref().filter(|_| may_beat);
        let Some(new) = told.and_then(|local| {
            heartbeat(local, |channel| {
                self.sharing_seen.rule(&self.config.sharing, channel)
            })
        }) else {
            member.heart.not_before = self.now.elapsed.plus(RETRY);
            return;
        };
        let is_due = self.now.elapsed >= member.heart.due()
            || member
                .heart
                .sent
                .as_ref()
                .is_none_or(|(sent, _)| sent.significant(&new));
        if is_due {
            self.beat(new);
        }
    }

    fn beat(&mut self, new: Heartbeat) {
        let now = self.now.elapsed;
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let base = member
            .heart
            .full
            .as_ref()
            .filter(|(_, _, at)| now.since(*at) < FULL_INTERVAL);
        let change = base.map(|(counter, full, _)| HeartbeatChange::between(full, *counter, &new));
        let full = Draft::new(keys::heartbeat_full(), &new, 0);
        let draft = change.map(|change| Draft::new(keys::heartbeat_change(), &change, 0));
        // A change that is as long as a full one saves nothing.
        let draft = draft.filter(|change| 2 * change.body.len() <= full.body.len().max(64));
        let is_full = draft.is_none();
        member.heart.not_before = now.plus(RETRY);
        let Some(version) = self.write(draft.unwrap_or(full)) else {
            return;
        };
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if is_full {
            member.heart.full = Some((version.counter, new.clone(), now));
        }
        member.heart.sent = Some((new, now));
    }
}

/// What this node tells. Channels without a place in the chain wait; too many are cut.
fn heartbeat(
    local: &LocalSnapshot,
    rule: impl Fn(&LocalChannel) -> Option<Sharing>,
) -> Option<Heartbeat> {
    let mut announced = BTreeMap::new();
    let mut unannounced = Vec::new();
    for channel in &local.channels {
        let explicit = rule(channel);
        let told = explicit.unwrap_or_default();
        let Some(share) = Share::of(channel.spendable, channel.capacity, told) else {
            continue;
        };
        match channel.scid {
            Some(scid) if channel.announced => {
                announced.insert(scid, share);
            }
            // Nobody sees an unannounced channel but its ends: it is told by opt-in only.
            _ if explicit.is_some() && unannounced.len() < HEARTBEAT_UNANNOUNCED => {
                let (peer, capacity) = (channel.peer, channel.capacity);
                unannounced.push(Unannounced {
                    peer,
                    capacity,
                    share,
                });
            }
            _ => {}
        }
    }
    while announced.len() > hive_types::limits::HEARTBEAT_CHANNELS {
        announced.pop_first();
    }
    Heartbeat::new(announced, unannounced).ok()
}
