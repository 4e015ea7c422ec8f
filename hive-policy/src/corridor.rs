//! Corridors: free passage among fellows, and the way back.
//!
//! Fees that a channel had before the hive touched it are saved under its BOLT 2 `channel_id`. A
//! splice moves the funding output and with it the short channel id, but keeps the `channel_id`, so
//! what was saved is found again afterwards.

use hive_types::{
    ChannelId, ChannelPolicy, FellowView, FleetView, LocalChannel, LocalSnapshot, Msat, Ppm,
    SetPolicy, ShortChannelId, Tier, limits::FEE_HYSTERESIS,
};
use std::collections::BTreeMap;

/// Policies as they were before the hive changed them, by what survives a splice.
pub type SavedFees = BTreeMap<ChannelId, ChannelPolicy>;

/// One policy to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeChange {
    /// Which channel, by what survives a splice.
    pub channel_id: ChannelId,
    /// The action.
    pub set: SetPolicy,
}

/// What to do about fees. `save` is made durable before anything of `set` goes out, else a crash
/// between the two would lose what leaving has to restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeePlan {
    /// Policies to remember before they change.
    pub save: SavedFees,
    /// Policies to set.
    pub set: Vec<FeeChange>,
    /// Saved policies that are no longer needed: in force again, or of a channel that is closed.
    pub forget: Vec<ChannelId>,
}

/// What a member asks of a fellow, given what it asked before joining: nothing between full members,
/// half while either of them is probationary. Everything but fees stays.
///
/// An inbound discount is never made smaller by half fees: that would be dearer than before.
pub fn fellow_policy(tier: Tier, base: &ChannelPolicy, fellow: Tier) -> ChannelPolicy {
    match (tier, fellow) {
        (Tier::Full, Tier::Full) => ChannelPolicy {
            base: Msat::ZERO,
            rate: Ppm::ZERO,
            inbound_base_msat: 0,
            inbound_ppm: 0,
            ..*base
        },
        _ => ChannelPolicy {
            base: Msat::new(base.base.get() / 2),
            rate: Ppm::new(base.rate.get() / 2),
            inbound_base_msat: base.inbound_base_msat.min(base.inbound_base_msat / 2),
            inbound_ppm: base.inbound_ppm.min(base.inbound_ppm / 2),
            ..*base
        },
    }
}

/// What to change so that channels with fellows ask what was agreed and channels with former fellows
/// ask what they did before. Empty when this node is no member.
///
/// A zero fee is exact. A discounted one is left alone while it is within [`FEE_HYSTERESIS`] of what
/// it should be. Channels without a place in the chain, or whose policy is unknown, wait.
pub fn fee_changes(fleet: &FleetView, local: &LocalSnapshot, saved: &SavedFees) -> FeePlan {
    let member = |node| fleet.members.iter().find(|fellow| fellow.node_id == node);
    let Some(me) = fleet.me.and_then(member) else {
        return FeePlan::default();
    };
    let mut plan = FeePlan::default();
    for channel in &local.channels {
        match member(channel.peer).filter(|fellow| fellow.node_id != me.node_id) {
            Some(fellow) => agree(&mut plan, me, fellow, channel, saved),
            None => restore(&mut plan, channel, saved),
        }
    }
    forget_closed(&mut plan, local, saved);
    plan
}

/// What to change so that every channel asks again what it asked before the hive touched it. Needs no
/// fellow and no connection.
pub fn restore_changes(local: &LocalSnapshot, saved: &SavedFees) -> FeePlan {
    let mut plan = FeePlan::default();
    for channel in &local.channels {
        restore(&mut plan, channel, saved);
    }
    forget_closed(&mut plan, local, saved);
    plan
}

fn agree(
    plan: &mut FeePlan,
    me: &FellowView,
    fellow: &FellowView,
    channel: &LocalChannel,
    saved: &SavedFees,
) {
    let (Some(scid), Some(current)) = (channel.scid, channel.local_policy) else {
        return;
    };
    let before = saved.get(&channel.channel_id);
    let fees = fellow_policy(me.tier, before.unwrap_or(&current), fellow.tier);
    let agreed = with_fees(&current, &fees);
    // A channel that asks what was agreed from the start has nothing that leaving would restore.
    if close_enough(&current, &agreed) {
        return;
    }
    if before.is_none() {
        plan.save.insert(channel.channel_id, current);
    }
    plan.push(channel, scid, agreed);
}

fn restore(plan: &mut FeePlan, channel: &LocalChannel, saved: &SavedFees) {
    let Some(before) = saved.get(&channel.channel_id) else {
        return;
    };
    let (Some(scid), Some(current)) = (channel.scid, channel.local_policy) else {
        return;
    };
    let restored = with_fees(&current, before);
    if restored == current {
        plan.forget.push(channel.channel_id);
    } else {
        plan.push(channel, scid, restored);
    }
}

fn forget_closed(plan: &mut FeePlan, local: &LocalSnapshot, saved: &SavedFees) {
    let open = |id: &ChannelId| local.channels.iter().any(|own| own.channel_id == *id);
    plan.forget.extend(saved.keys().filter(|id| !open(id)));
}

impl FeePlan {
    fn push(&mut self, channel: &LocalChannel, scid: ShortChannelId, to: ChannelPolicy) {
        self.set.push(FeeChange {
            channel_id: channel.channel_id,
            set: SetPolicy {
                channel: scid,
                policy: to,
            },
        });
    }
}

/// Only fees are the hive's to change: the rest may have been changed by the operator meanwhile.
fn with_fees(policy: &ChannelPolicy, fees: &ChannelPolicy) -> ChannelPolicy {
    ChannelPolicy {
        base: fees.base,
        rate: fees.rate,
        inbound_base_msat: fees.inbound_base_msat,
        inbound_ppm: fees.inbound_ppm,
        ..*policy
    }
}

fn close_enough(current: &ChannelPolicy, agreed: &ChannelPolicy) -> bool {
    let near = |have: i128, want: i128| {
        (have - want).abs() * 1_000_000 <= want.abs() * i128::from(FEE_HYSTERESIS.get())
    };
    near(current.base.get().into(), agreed.base.get().into())
        && near(current.rate.get().into(), agreed.rate.get().into())
        && near(
            current.inbound_base_msat.into(),
            agreed.inbound_base_msat.into(),
        )
        && near(current.inbound_ppm.into(), agreed.inbound_ppm.into())
}
