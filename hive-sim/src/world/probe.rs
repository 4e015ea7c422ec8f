//! What a payer's node reads from the failure of a probe.

use super::{FailureCode, RouteFailure, World};
use hive_core::{Done, ProbeFailure, ProbeFailureKind};
use hive_types::{ChannelPolicy, RouteHop, ShortChannelId};

impl World {
    /// How a probe ended that failed like this. BOLT 4 failures about fees and disabled channels carry
    /// the `channel_update` that holds at the failing hop.
    pub fn probed(&self, hops: &[RouteHop], failure: RouteFailure) -> Done {
        let refused = failure.code == FailureCode::IncorrectOrUnknownPaymentDetails;
        if refused && failure.hop == hops.len() {
            return Done::Probed {
                arrived: true,
                failure: None,
            };
        }
        let kind = kind_of(failure.code);
        let channel = hops.get(failure.hop).map(|hop| hop.channel);
        let carries_update = matches!(
            kind,
            ProbeFailureKind::FeeInsufficient | ProbeFailureKind::ChannelDisabled
        );
        let failure = ProbeFailure {
            at: Some(failure.node),
            channel,
            kind,
            policy: channel
                .filter(|_| carries_update)
                .and_then(|channel| self.demanded(channel, &failure)),
        };
        Done::Probed {
            arrived: false,
            failure: Some(failure),
        }
    }

    /// What the failing node asks for in truth out of its channel.
    fn demanded(&self, channel: ShortChannelId, failure: &RouteFailure) -> Option<ChannelPolicy> {
        let node = self.ix(failure.node).ok()?;
        let channel = self.channels.get(*self.channel_by_scid.get(&channel)?)?;
        let side = channel.side(node);
        Some(channel.demanded[side].unwrap_or(channel.policy[side]))
    }
}

const fn kind_of(code: FailureCode) -> ProbeFailureKind {
    match code {
        FailureCode::FeeInsufficient => ProbeFailureKind::FeeInsufficient,
        FailureCode::ChannelDisabled => ProbeFailureKind::ChannelDisabled,
        FailureCode::TemporaryChannelFailure => ProbeFailureKind::TemporaryChannel,
        FailureCode::UnknownNextPeer => ProbeFailureKind::UnknownNextPeer,
        // The world's nodes fail like this when an HTLC that they passed on never came back.
        FailureCode::PermanentChannelFailure => ProbeFailureKind::Timeout,
        _ => ProbeFailureKind::Other,
    }
}
