//! Corridors: fees among fellows, set as agreed and restored on the way out.

mod link;
mod told;
mod watch;

use crate::command::{CommandError, Reply};
use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::io::{ActionResult, Change};
use hive_policy::corridor::{self, Advice, FeeChange, FeePlan, Floors, Passage, Restraint, Terms};
use hive_policy::outflow::Outflow;
use hive_policy::truce::Truces;
use hive_policy::truth::FeeTruth;
use hive_policy::{Refusal, Standing};
use hive_proto::codec;
use hive_types::{
    Action, ChannelId, Elapsed, Explanation, FleetView, LocalSnapshot, Millis, Msat, NodeId, Ppm,
    Proposal, SetPolicy, ShortChannelId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The store's name for what corridors need over a restart.
pub(crate) const META_CORRIDORS: &str = "corridors";

/// What only grows with time is stored this often.
const STORE_SPACING: Millis = Millis::from_hours(1);

/// What this member knows and does about fees among fellows.
#[derive(Default)]
pub(crate) struct Corridors {
    /// How often each channel's fee was changed.
    restraint: Restraint,
    /// What fellows are suspected of.
    truth: FeeTruth,
    /// Withdrawn corridors.
    truces: Truces,
    /// What outsiders move over free corridors.
    outflow: Outflow,
    /// What drained corridors ask.
    floors: Floors,
    /// When each fellow's link is tested next.
    tests: BTreeMap<NodeId, Elapsed>,
    /// Whether the operator had the fees restored: they stay so until told otherwise.
    is_restored: bool,
    looked: Option<Elapsed>,
    stored: Option<(Vec<u8>, Elapsed)>,
}

/// What is stored of it.
#[derive(Serialize, Deserialize)]
struct Kept {
    is_restored: bool,
    floors: Floors,
    undone: BTreeMap<ChannelId, u8>,
    truces: Truces,
}

impl Corridors {
    /// As they were stored.
    pub(crate) fn restored(bytes: Option<&Vec<u8>>, now: Elapsed) -> Self {
        let kept: Option<Kept> = bytes.and_then(|bytes| codec::decode(bytes).ok());
        let Some(kept) = kept else {
            return Self::default();
        };
        Self {
            restraint: Restraint::restore(kept.undone, now),
            outflow: Outflow::restore(kept.floors.keys().copied()),
            truces: kept.truces,
            floors: kept.floors,
            is_restored: kept.is_restored,
            ..Self::default()
        }
    }

    /// Whether the operator had the fees restored.
    pub(crate) const fn is_restored(&self) -> bool {
        self.is_restored
    }
}

impl Hive {
    /// The node was read: what fellows ask, what outsiders move, and what this member asks.
    pub(crate) fn tend_corridors(&mut self) {
        let Some(local) = self.local.clone() else {
            return;
        };
        let mut fleet = matches!(self.stage, Stage::Member(_)).then(|| self.fleet_view());
        if let Some(fleet) = &mut fleet {
            self.watch_corridors(fleet, &local);
            // What was seen may have taken something from a fellow, or given it back.
            for member in &mut fleet.members {
                member.privileges = self.privileges(&member.node_id);
            }
            self.test_links(fleet, &local);
        }
        self.set_fees(fleet, &local);
        self.store_corridors(false);
    }

    /// Sets fees among fellows to what the fleet agreed, after saving what they were.
    pub(crate) fn tend_fees(&mut self) {
        if let Some(local) = self.local.clone() {
            let fleet = matches!(self.stage, Stage::Member(_)).then(|| self.fleet_view());
            self.set_fees(fleet, &local);
        }
    }

    fn set_fees(&mut self, fleet: Option<FleetView>, local: &LocalSnapshot) {
        let is_restored = self.corridors.is_restored;
        // What became of a payment says nothing of fees: they don't wait for it.
        let is_managed = self.config.manage_fees && !self.is_restoring();
        if !is_managed && !is_restored {
            return;
        }
        // Outside of a fleet, what was saved is restored.
        let fleet = fleet.filter(|_| !is_restored);
        let plan = match &fleet {
            Some(fleet) => corridor::fee_changes(&self.terms(fleet), local),
            None => corridor::restore_changes(local, &self.saved_fees),
        };
        if let Some(fleet) = &fleet {
            self.tell_corridors(fleet, local, &plan);
        }
        self.carry_out(plan, fleet.as_ref(), local);
    }

    fn terms<'a>(&'a self, fleet: &'a FleetView) -> Terms<'a> {
        Terms {
            fleet,
            saved: &self.saved_fees,
            floors: &self.corridors.floors,
        }
    }

    fn carry_out(&mut self, plan: FeePlan, fleet: Option<&FleetView>, local: &LocalSnapshot) {
        let now = self.now.elapsed;
        self.corridors.restraint.note_right(now, local, &plan);
        // A dry run changes no fee, so none is kept or forgotten either.
        let before = self.config.dry_run.then(|| self.saved_fees.clone());
        for (channel, policy) in plan.save {
            self.saved_fees.insert(channel, policy);
            if before.is_none() {
                self.out.store(Change::SavedFee { channel, policy });
            }
        }
        for channel in plan.forget.into_iter().filter(|_| before.is_none()) {
            self.saved_fees.remove(&channel);
            self.out.store(Change::ForgetFee { channel });
        }
        for change in plan.set {
            self.change_fee(&change, fleet);
        }
        if let Some(before) = before {
            self.saved_fees = before;
        }
    }

    fn change_fee(&mut self, change: &FeeChange, fleet: Option<&FleetView>) {
        let now = self.now.elapsed;
        if self.is_under_way(&Action::SetPolicy(change.set)) {
            return;
        }
        match self.corridors.restraint.advise(now, change) {
            Advice::Set if self.set_fee(change, fleet) => {
                self.corridors.restraint.note_begun(now, change);
            }
            Advice::Set | Advice::Wait | Advice::Leave => {}
            Advice::Tell => self.tell_meddling(change),
        }
    }

    /// Whether the change was permitted and begins.
    fn set_fee(&mut self, change: &FeeChange, fleet: Option<&FleetView>) -> bool {
        let Some(local) = self.local.as_ref() else {
            return false;
        };
        let set = change.set;
        let proposal = fee_proposal(change);
        let id = self.actions.fresh_id(&mut self.chance);
        let permit = if let Some(fleet) = fleet {
            let standing = Standing {
                tier: self.tier(),
                reconciled: true,
                lock: None,
                banned: &fleet.banned,
            };
            let terms = Terms {
                fleet,
                saved: &self.saved_fees,
                floors: &self.corridors.floors,
            };
            self.gate
                .authorize_agreed(self.now, id, &proposal, &terms, local, standing)
        } else {
            self.gate
                .authorize_restore(self.now, id, &set, &self.saved_fees, local)
        };
        match permit {
            Ok(permit) => {
                self.act(id, proposal, permit);
                true
            }
            Err(refusal @ Refusal::DryRun { .. }) => {
                self.rehearsed(id, &proposal, &refusal);
                false
            }
            Err(refusal) => {
                self.refused(id, &proposal, &refusal);
                false
            }
        }
    }

    /// A fee was set, or was not.
    pub(crate) fn fee_ended(&mut self, action: &Action, result: &ActionResult) {
        let Action::SetPolicy(SetPolicy { channel, .. }) = action else {
            return;
        };
        let Some(channel) = self.channel_id(*channel) else {
            return;
        };
        match result {
            ActionResult::Done(_) => self.corridors.restraint.note_done(&channel),
            ActionResult::NotDone { .. } => self.corridors.restraint.note_failed(&channel),
            ActionResult::Unknown { .. } => {}
        }
    }

    fn channel_id(&self, scid: ShortChannelId) -> Option<ChannelId> {
        let mut own = self.local.iter().flat_map(|local| &local.channels);
        own.find(|own| own.scid == Some(scid))
            .map(|own| own.channel_id)
    }

    fn tell_meddling(&mut self, change: &FeeChange) {
        let (channel, peer) = (change.set.channel, change.peer);
        let text = format!(
            "something else keeps changing the fee of channel {channel} with the fellow {peer} back; the \
             hive leaves it alone, and the fellow will see a fee. Exclude the channel from the other tool, \
             then run hive-restore-fees and hive-restore-fees resume=true"
        );
        self.out.audit(self.now.wall, "fees", None, text.clone());
        self.out.emit(Event::Alert { text });
    }

    /// Sets the fees from before joining again, whatever the fleet is like, or ends that.
    pub(crate) fn restore_fees(&mut self, resume: bool) -> Result<Reply, CommandError> {
        self.corridors.is_restored = !resume;
        self.corridors.restraint = Restraint::default();
        let channels = self.saved_fees.len();
        let line = if resume {
            "fees among fellows are set as agreed again".to_owned()
        } else {
            format!(
                "fees of {channels} channels are being set back to what they were before; in a fleet, \
                 fellows see that and take their free corridors back too, until hive-restore-fees \
                 resume=true"
            )
        };
        self.out.audit(self.now.wall, "fees", None, line.clone());
        self.tend_fees();
        self.store_corridors(true);
        Ok(Reply::Done(line))
    }

    /// Stores what a restart must not forget: at once where it was decided, by the hour where it only
    /// grows.
    fn store_corridors(&mut self, at_once: bool) {
        let this = &self.corridors;
        let kept = Kept {
            is_restored: this.is_restored,
            floors: this.floors.clone(),
            undone: this.restraint.undone(),
            truces: this.truces.clone(),
        };
        let decided = codec::encode(&(kept.is_restored, &kept.floors, &kept.undone));
        let now = self.now.elapsed;
        let is_new = match &this.stored {
            None => {
                at_once || kept.is_restored || !kept.floors.is_empty() || !kept.undone.is_empty()
            }
            Some((before, at)) => *before != decided || now.since(*at) >= STORE_SPACING,
        };
        let is_new = is_new || (this.stored.is_none() && kept.truces != Truces::default());
        if is_new {
            let bytes = codec::encode(&kept);
            self.corridors.stored = Some((decided, now));
            let key = META_CORRIDORS.to_owned();
            self.out.store(Change::Meta { key, bytes });
        }
    }
}

fn fee_proposal(change: &FeeChange) -> Proposal {
    let set = change.set;
    let (channel, base, rate) = (set.channel, set.policy.base, set.policy.rate);
    let why = match change.passage {
        Passage::Outside => "as before the hive",
        Passage::Discounted => "half, while one of both is probationary",
        Passage::Free => "nothing among full members",
        Passage::Floor(_) => "a floor, as outsiders drain the corridor",
        Passage::Withdrawn => "as before the hive, as the fellow is blamed",
    };
    Proposal {
        action: Action::SetPolicy(set),
        cost: Msat::ZERO,
        value_per_day: Msat::ZERO,
        confidence: Ppm::ONE,
        explanation: Explanation {
            summary: format!("set {channel} to {base} and {rate}: {why}"),
            facts: Vec::new(),
        },
    }
}
