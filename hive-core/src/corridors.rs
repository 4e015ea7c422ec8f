//! Corridors: fees among fellows, set as agreed and restored on the way out.

use crate::hive::{Hive, Stage};
use crate::io::Change;
use hive_policy::Standing;
use hive_types::{Action, FleetView, Msat, Proposal};

impl Hive {
    /// Sets fees among fellows to what the fleet agreed, after saving what they were.
    pub(crate) fn tend_fees(&mut self) {
        if !self.config.manage_fees || !self.reconciled() {
            return;
        }
        let Some(local) = self.local.clone() else {
            return;
        };
        // Outside of a fleet, what was saved is restored.
        let fleet = matches!(self.stage, Stage::Member(_)).then(|| self.fleet_view());
        let plan = match &fleet {
            Some(fleet) => hive_policy::corridor::fee_changes(fleet, &local, &self.saved_fees),
            None => hive_policy::corridor::restore_changes(&local, &self.saved_fees),
        };
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
            self.set_fee(change.set, fleet.as_ref());
        }
        if let Some(before) = before {
            self.saved_fees = before;
        }
    }

    fn set_fee(&mut self, set: hive_types::SetPolicy, fleet: Option<&FleetView>) {
        let action = Action::SetPolicy(set);
        if self.is_under_way(&action) {
            return;
        }
        let Some(local) = self.local.as_ref() else {
            return;
        };
        let proposal = fee_proposal(set);
        let id = self.actions.fresh_id(&mut self.chance);
        let permit = if let Some(fleet) = fleet {
            let standing = Standing {
                tier: self.tier(),
                reconciled: true,
                lock: None,
                banned: &fleet.banned,
            };
            let agreed = (fleet, &self.saved_fees);
            self.gate
                .authorize_agreed(self.now, id, &proposal, agreed, local, standing)
        } else {
            self.gate
                .authorize_restore(self.now, id, &set, &self.saved_fees, local)
        };
        match permit {
            Ok(permit) => self.act(id, proposal, permit),
            Err(refusal) => self.refused(id, &proposal, &refusal),
        }
    }
}

fn fee_proposal(set: hive_types::SetPolicy) -> Proposal {
    let summary = format!(
        "set {} to {} and {} for a fellow",
        set.channel, set.policy.base, set.policy.rate
    );
    Proposal {
        action: Action::SetPolicy(set),
        cost: Msat::ZERO,
        value_per_day: Msat::ZERO,
        confidence: hive_types::Ppm::ONE,
        explanation: hive_types::Explanation {
            summary,
            facts: Vec::new(),
        },
    }
}
