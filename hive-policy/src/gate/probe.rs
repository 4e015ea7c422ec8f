//! Permits for probes: they move nothing, so nobody is asked, and few are given.

use super::{Authorized, Gate, Standing, rules};
use crate::conduct::probes;
use crate::corridor::link;
use crate::refusal::Refusal;
use hive_types::limits::{PROBES_HELD, PROBES_PER_HOUR};
use hive_types::{Action, ActionId, ActionKind, LocalSnapshot, Now, Proposal};

impl Gate {
    /// A permit for a small probe of a fellow. It can't settle and costs nothing, so it passes in every
    /// mode; pause, kill switch, opt-outs, bans and every limit hold, and no more than
    /// [`PROBES_PER_HOUR`] are given. An operator who wants none opts out of the kind.
    ///
    /// # Errors
    /// [`Refusal::NotApproved`] for what is neither a small probe ([`probes::is_small`])
    /// nor a test of a corridor ([`link::is_test`]), or claims to cost
    /// something, [`Refusal::ProbesPerHour`], and whatever [`Gate::authorize`] refuses.
    pub fn authorize_probe(
        &mut self,
        now: Now,
        id: ActionId,
        proposal: &Proposal,
        local: &LocalSnapshot,
        standing: Standing<'_>,
    ) -> Result<Authorized, Refusal> {
        self.tick(now);
        self.check_new(id)?;
        let is_small = match &proposal.action {
            Action::Probe(probe) => {
                probes::is_small(probe, &local.node_id) || link::is_test(probe, &local.node_id)
            }
            _ => false,
        };
        if !is_small || !proposal.cost.is_zero() {
            return Err(Refusal::NotApproved { id });
        }
        let at = self.clock.at(now);
        let begun = self.ledger.begun(ActionKind::Probe, at);
        if begun >= PROBES_PER_HOUR {
            return Err(Refusal::ProbesPerHour {
                probes: begun,
                limit: PROBES_PER_HOUR,
            });
        }
        self.check_halt(at)?;
        let want = rules::judge(&self.limits, proposal, local, &standing)?;
        // A route that holds a probe is tried again: that it still holds is what is to be known.
        if let Some(id) = self.ledger.under_way(&want.subject).nth(PROBES_HELD) {
            let kind = ActionKind::Probe;
            return Err(Refusal::UnderWay { kind, id });
        }
        self.check_room(at, &want, &proposal.action, local)?;
        self.reserve(now, id, &proposal.action, want, None)
    }
}
