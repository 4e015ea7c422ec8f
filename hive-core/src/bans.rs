//! Outside peers to keep away from: the operator's own bans, told to fellows with their evidence.

use crate::command::CommandError;
use crate::hive::{Hive, Stage};
use crate::io::Change;
use hive_policy::bans::BanList;
use hive_proto::{Ban, BanReason, codec, keys};
use hive_state::merged::Draft;
use hive_types::limits::BAN_LIFETIME;
use hive_types::{NodeId, Ppm, Toxicity};

/// The store's name for the operator's bans.
pub(crate) const META_BANS: &str = "bans";

impl Hive {
    pub(crate) fn set_ban(
        &mut self,
        peer: NodeId,
        reason: Option<&str>,
    ) -> Result<(), CommandError> {
        let until = self.now.wall.plus(BAN_LIFETIME);
        if let Some(reason) = reason {
            self.bans
                .ban(self.now, peer, reason, until)
                .map_err(|error| CommandError::Refused {
                    reason: error.to_string(),
                })?;
        } else if !self.bans.unban(peer) {
            let reason = format!("{peer} is not banned by this node");
            return Err(CommandError::Refused { reason });
        }
        self.store_bans();
        let evidence = Toxicity {
            force_closes: 0,
            stuck_htlcs: 0,
            failure_rate: Ppm::ZERO,
            last_seen: self.now.wall,
        };
        let lifted = reason.is_none();
        let ban = Ban {
            peer,
            reason: BanReason::Operator,
            evidence,
            until,
            lifted,
        };
        if matches!(&self.stage, Stage::Member(member) if member.merged.may_write()) {
            self.write(Draft::new(keys::ban(&peer), &ban, 0));
        }
        Ok(())
    }

    fn store_bans(&mut self) {
        let bytes = codec::encode(&self.bans);
        self.out.store(Change::Meta {
            key: META_BANS.to_owned(),
            bytes,
        });
    }
}

/// The operator's bans as they were stored.
pub(crate) fn restored_bans(bytes: &[u8]) -> BanList {
    codec::decode(bytes).unwrap_or_default()
}
