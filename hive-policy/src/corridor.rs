//! Corridors: free passage among fellows, and the way back.
//!
//! Fees that a channel had before the hive touched it are saved under its BOLT 2 `channel_id`. A
//! splice moves the funding output and with it the short channel id, but keeps the `channel_id`, so
//! what was saved is found again afterwards.

pub mod link;
mod restraint;

pub use restraint::{Advice, Restraint};

use hive_types::{
    ChannelId, ChannelPolicy, FellowView, FleetView, LocalChannel, LocalSnapshot, Msat, NodeId,
    Ppm, SetPolicy, ShortChannelId, Tier,
    limits::{CORRIDOR_FLOOR_MAX, FEE_HYSTERESIS},
};
use std::collections::BTreeMap;

/// Policies as they were before the hive changed them, by what survives a splice.
pub type SavedFees = BTreeMap<ChannelId, ChannelPolicy>;

/// Rates that a fellow's corridor asks for while outsiders drain it, by fellow.
pub type Floors = BTreeMap<NodeId, Ppm>;

/// What fees among fellows follow from.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The fleet as this member sees it, with what it does for each fellow.
    pub fleet: &'a FleetView,
    /// Policies from before joining.
    pub saved: &'a SavedFees,
    /// Corridors that outsiders drain.
    pub floors: &'a Floors,
}

/// At which price payments pass out to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// No fellow: what was asked before joining.
    Outside,
    /// Half of that, while one of both is probationary.
    Discounted,
    /// Nothing, among full members.
    Free,
    /// A little, while outsiders drain the corridor.
    Floor(Ppm),
    /// What was asked before joining: the fellow bears a flag that takes the free corridor from it.
    Withdrawn,
}

/// One policy to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeChange {
    /// Which channel, by what survives a splice.
    pub channel_id: ChannelId,
    /// With whom it is.
    pub peer: NodeId,
    /// Why: the price that it comes to.
    pub passage: Passage,
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
pub fn fellow_policy(tier: Tier, base: &ChannelPolicy, fellow: Tier) -> ChannelPolicy {
    match (tier, fellow) {
        (Tier::Full, Tier::Full) => asked(Passage::Free, base),
        _ => asked(Passage::Discounted, base),
    }
}

/// An inbound discount is never made smaller by half fees: that would be dearer than before. A floor is
/// never above what was asked before joining.
fn asked(passage: Passage, before: &ChannelPolicy) -> ChannelPolicy {
    let nothing = ChannelPolicy {
        base: Msat::ZERO,
        rate: Ppm::ZERO,
        inbound_base_msat: 0,
        inbound_ppm: 0,
        ..*before
    };
    match passage {
        Passage::Free => nothing,
        Passage::Floor(rate) => ChannelPolicy {
            rate: rate.min(before.rate),
            ..nothing
        },
        Passage::Discounted => ChannelPolicy {
            base: Msat::new(before.base.get() / 2),
            rate: Ppm::new(before.rate.get() / 2),
            inbound_base_msat: before.inbound_base_msat.min(before.inbound_base_msat / 2),
            inbound_ppm: before.inbound_ppm.min(before.inbound_ppm / 2),
            ..*before
        },
        Passage::Outside | Passage::Withdrawn => *before,
    }
}

/// At which price `me` lets payments pass out to a fellow.
///
/// A floor stands only between full members, and never above [`CORRIDOR_FLOOR_MAX`]: more than that
/// fellows would not take as agreed.
pub fn passage(me: &FellowView, fellow: &FellowView, floors: &Floors) -> Passage {
    if !fellow.privileges.free_corridor {
        return Passage::Withdrawn;
    }
    match (me.tier, fellow.tier, floors.get(&fellow.node_id)) {
        (Tier::Full, Tier::Full, None) => Passage::Free,
        (Tier::Full, Tier::Full, Some(rate)) => Passage::Floor((*rate).min(CORRIDOR_FLOOR_MAX)),
        _ => Passage::Discounted,
    }
}

/// What to change so that channels with fellows ask what was agreed, and channels with former fellows,
/// or with fellows that lost the free corridor, ask what they did before. Empty when this node is no
/// member.
///
/// A zero fee and a floor are exact. A discounted fee is left alone while it is within
/// [`FEE_HYSTERESIS`] of what it should be. Channels without a place in the chain, or whose policy is
/// unknown, wait. A channel that asked nothing before joining asks nothing in any case.
pub fn fee_changes(terms: &Terms<'_>, local: &LocalSnapshot) -> FeePlan {
    let members = &terms.fleet.members;
    let member = |node| members.iter().find(|fellow| fellow.node_id == node);
    let Some(me) = terms.fleet.me.and_then(member) else {
        return FeePlan::default();
    };
    let mut plan = FeePlan::default();
    for channel in &local.channels {
        let fellow = member(channel.peer).filter(|fellow| fellow.node_id != me.node_id);
        let passage = fellow.map_or(Passage::Outside, |fellow| passage(me, fellow, terms.floors));
        match passage {
            Passage::Outside | Passage::Withdrawn => {
                restore(&mut plan, passage, channel, terms.saved);
            }
            _ => agree(&mut plan, passage, channel, terms.saved),
        }
    }
    forget_closed(&mut plan, local, terms.saved);
    plan
}

/// What to change so that every channel asks again what it asked before the hive touched it. Needs no
/// fellow and no connection.
pub fn restore_changes(local: &LocalSnapshot, saved: &SavedFees) -> FeePlan {
    let mut plan = FeePlan::default();
    for channel in &local.channels {
        restore(&mut plan, Passage::Outside, channel, saved);
    }
    forget_closed(&mut plan, local, saved);
    plan
}

fn agree(plan: &mut FeePlan, passage: Passage, channel: &LocalChannel, saved: &SavedFees) {
    let (Some(scid), Some(current)) = (channel.scid, channel.local_policy) else {
        return;
    };
    let before = saved.get(&channel.channel_id);
    let fees = asked(passage, before.unwrap_or(&current));
    let agreed = with_fees(&current, &fees);
    // A channel that asks what was agreed from the start has nothing that leaving would restore.
    let is_near = passage == Passage::Discounted && close_enough(&current, &agreed);
    if is_near || current == agreed {
        return;
    }
    if before.is_none() {
        plan.save.insert(channel.channel_id, current);
    }
    plan.push(channel, scid, passage, agreed);
}

fn restore(plan: &mut FeePlan, passage: Passage, channel: &LocalChannel, saved: &SavedFees) {
    let Some(before) = saved.get(&channel.channel_id) else {
        return;
    };
    let (Some(scid), Some(current)) = (channel.scid, channel.local_policy) else {
        return;
    };
    let restored = with_fees(&current, before);
    if restored != current {
        plan.push(channel, scid, passage, restored);
    } else if passage == Passage::Outside {
        plan.forget.push(channel.channel_id);
    }
}

fn forget_closed(plan: &mut FeePlan, local: &LocalSnapshot, saved: &SavedFees) {
    let open = |id: &ChannelId| local.channels.iter().any(|own| own.channel_id == *id);
    plan.forget.extend(saved.keys().filter(|id| !open(id)));
}

impl FeePlan {
    fn push(
        &mut self,
        channel: &LocalChannel,
        scid: ShortChannelId,
        passage: Passage,
        to: ChannelPolicy,
    ) {
        self.set.push(FeeChange {
            channel_id: channel.channel_id,
            peer: channel.peer,
            passage,
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

fn same_fees(one: &ChannelPolicy, other: &ChannelPolicy) -> bool {
    with_fees(one, other) == *one
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
