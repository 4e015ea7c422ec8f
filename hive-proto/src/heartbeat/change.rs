//! What changed since a full heartbeat. Cumulative: the newest change is all that is needed.

use super::wire::write_pairs;
use super::{Heartbeat, HeartbeatError, Share, Unannounced};
use crate::leb128;
use crate::record::Counter;
use hive_types::ShortChannelId;
use std::collections::BTreeMap;

/// What changed since the full heartbeat that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatChange {
    /// The counter of the full heartbeat's record, in the same epoch.
    pub base: Counter,
    /// Shares of channels that the full heartbeat has.
    pub shares: ShareChanges,
    /// Channels that are gone, as indexes into the full heartbeat, ascending.
    pub removed: Vec<usize>,
    /// Channels that came.
    pub added: BTreeMap<ShortChannelId, Share>,
    /// All unannounced channels, if anything about them changed.
    pub unannounced: Option<Vec<Unannounced>>,
}

/// Shares in the shorter one of two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareChanges {
    /// Index into the full heartbeat and new share, ascending.
    Pairs(Vec<(usize, Share)>),
    /// One share for each channel of the full heartbeat; removed ones keep theirs.
    Whole(Vec<Share>),
}

impl HeartbeatChange {
    /// What leads from `full`, written under counter `base`, to `new`, in the fewest bytes.
    pub fn between(full: &Heartbeat, base: Counter, new: &Heartbeat) -> Self {
        let now = |scid: &ShortChannelId| new.announced().get(scid).copied();
        let known = full.announced().iter().enumerate();
        let removed = known
            .clone()
            .filter(|(_, (scid, _))| now(scid).is_none())
            .map(|(index, _)| index)
            .collect();
        let pairs: Vec<_> = known
            .filter_map(|(index, (scid, old))| {
                now(scid)
                    .filter(|share| share != old)
                    .map(|share| (index, share))
            })
            .collect();
        let came = new
            .announced()
            .iter()
            .filter(|(scid, _)| !full.announced().contains_key(scid));
        let unannounced = new.unannounced().to_vec();
        Self {
            base,
            shares: ShareChanges::shortest(full, pairs),
            removed,
            added: came.map(|(scid, share)| (*scid, *share)).collect(),
            unannounced: (full.unannounced() != new.unannounced()).then_some(unannounced),
        }
    }

    /// The heartbeat that the change leads to.
    ///
    /// # Errors
    /// [`HeartbeatError`] when it does not fit `full` or is not the one form of what it says.
    pub fn apply(&self, full: &Heartbeat) -> Result<Heartbeat, HeartbeatError> {
        let mut shares: Vec<_> = full
            .announced()
            .iter()
            .map(|(id, share)| (*id, Some(*share)))
            .collect();
        match &self.shares {
            ShareChanges::Whole(whole) if whole.len() == shares.len() => {
                let news = whole.iter().map(|share| Some(*share));
                shares
                    .iter_mut()
                    .zip(news)
                    .for_each(|((_, old), new)| *old = new);
            }
            ShareChanges::Whole(_) => return Err(HeartbeatError::Mismatch),
            ShareChanges::Pairs(pairs) => {
                for (index, share) in pairs {
                    shares.get_mut(*index).ok_or(HeartbeatError::Mismatch)?.1 = Some(*share);
                }
            }
        }
        for index in &self.removed {
            shares.get_mut(*index).ok_or(HeartbeatError::Mismatch)?.1 = None;
        }
        let kept = shares
            .into_iter()
            .filter_map(|(scid, share)| Some((scid, share?)));
        let announced = kept.chain(self.added.iter().map(|(scid, share)| (*scid, *share)));
        let unannounced = self
            .unannounced
            .clone()
            .unwrap_or_else(|| full.unannounced().to_vec());
        let new = Heartbeat::new(announced.collect(), unannounced)?;
        if Self::between(full, self.base, &new) != *self {
            return Err(HeartbeatError::Mismatch);
        }
        Ok(new)
    }
}

impl ShareChanges {
    fn shortest(full: &Heartbeat, pairs: Vec<(usize, Share)>) -> Self {
        let mut listed = Vec::new();
        write_pairs(&mut listed, &pairs);
        let channels = full.announced().len();
        if listed.len() <= leb128::size(channels as u64) + channels {
            return Self::Pairs(pairs);
        }
        let mut whole: Vec<_> = full.announced().values().copied().collect();
        for (index, share) in pairs {
            if let Some(old) = whole.get_mut(index) {
                *old = share;
            }
        }
        Self::Whole(whole)
    }
}
