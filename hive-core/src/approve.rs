//! Consent: the operator's or the oracle's yes, and what a dry run says instead of acting.

use crate::event::Event;
use crate::hive::Hive;
use hive_policy::{Refusal, Standing};
use hive_types::limits::DRY_RUN_LINES;
use hive_types::{Action, ActionId, Proposal, Sat};

impl Hive {
    /// A yes: a fresh lock for an open, and every check again before the permit. `by` is its line in
    /// the audit log. What is refused keeps waiting.
    pub(crate) fn approve(
        &mut self,
        id: ActionId,
        amount: Option<Sat>,
        by: String,
    ) -> Result<String, Refusal> {
        let fleet = self.fleet_view();
        let standing = Standing {
            tier: self.tier(),
            reconciled: self.reconciled(),
            lock: None,
            banned: &fleet.banned,
        };
        let local = self.local.as_ref().ok_or(Refusal::NotReconciled)?;
        let approved = match amount {
            None => self.gate.approve(self.now, id, local, standing),
            Some(amount) => self
                .gate
                .approve_lowered(self.now, id, amount, local, standing),
        };
        let proposal = approved?;
        self.questions.close(&id);
        self.out.audit(self.now.wall, "approve", Some(id), by);
        let line = format!("approved: {}", proposal.explanation.summary);
        match proposal.action {
            Action::Open(_) => self.seek_lock(id, proposal),
            _ => self.authorize_and_act(id, proposal, None),
        }
        Ok(line)
    }

    /// What an approval would come to, what the plan rests on included. Nothing changes.
    pub(crate) fn rehearse(&mut self, id: ActionId) -> Result<String, String> {
        let fleet = self.fleet_view();
        let standing = Standing {
            tier: self.tier(),
            reconciled: self.reconciled(),
            lock: None,
            banned: &fleet.banned,
        };
        let Some(local) = self.local.as_ref() else {
            return Err("the node was not read yet; try again in a minute".to_owned());
        };
        let refusal = self.gate.rehearse(self.now, id, local, standing);
        let Refusal::DryRun { .. } = refusal else {
            return Err(refusal.to_string());
        };
        let mut waiting = self.gate.pending().iter();
        let waiting = waiting.find(|pending| pending.id == id);
        let Some(proposal) = waiting.map(|pending| pending.proposal.clone()) else {
            return Err(refusal.to_string());
        };
        self.check_planned(&fleet, &proposal.action)?;
        let text = match proposal.action {
            Action::Open(_) => format!("{refusal}; the fleet's lock would be asked for first"),
            _ => refusal.to_string(),
        };
        self.tell_rehearsed(id, &proposal, text.clone());
        Ok(text)
    }

    /// Says what a dry run would have done; once, though each round comes to the same.
    pub(crate) fn rehearsed(&mut self, id: ActionId, proposal: &Proposal, refusal: &Refusal) {
        let line = proposal.explanation.summary.clone();
        if self.rehearsed.len() >= DRY_RUN_LINES {
            self.rehearsed.clear();
        }
        if self.rehearsed.insert(line) {
            self.tell_rehearsed(id, proposal, refusal.to_string());
        }
    }

    fn tell_rehearsed(&mut self, id: ActionId, proposal: &Proposal, text: String) {
        let line = format!("{text}: {}", proposal.explanation.summary);
        self.out.audit(self.now.wall, "dry_run", Some(id), line);
        let proposal = Box::new(proposal.clone());
        self.out.emit(Event::DryRun { id, proposal, text });
    }
}
