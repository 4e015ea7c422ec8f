//! The bill: what the hive cost and brought in a period.

use crate::command::Report;
use crate::hive::Hive;
use crate::io::{ActionResult, ActionState, Done};
use hive_types::{Action, Millis};

impl Hive {
    pub(crate) fn report(&self, days: u32) -> Report {
        let since = self
            .now
            .wall
            .get()
            .saturating_sub(Millis::from_days(days.into()).get());
        let mut report = Report {
            reserved: self.gate.usage(self.now).reserved,
            earned: self
                .local
                .iter()
                .flat_map(|local| &local.forwards)
                .map(|f| f.fees)
                .sum(),
            ..Report::default()
        };
        let ended = self
            .actions
            .iter()
            .filter(|action| action.state == ActionState::Done && action.wall.get() >= since);
        for action in ended {
            match (action.action(), &action.result) {
                (Action::Open(open), Some(ActionResult::Done(Done::Opened { fee, .. }))) => {
                    report.opens += 1;
                    report.opened = report.opened.saturating_add(open.capacity);
                    report.open_fees = report.open_fees.saturating_add(fee.to_msat_saturating());
                }
                (Action::Rebalance(_), Some(ActionResult::Done(Done::Paid { fee }))) => {
                    report.rebalances += 1;
                    report.rebalance_fees = report.rebalance_fees.saturating_add(*fee);
                }
                _ => {}
            }
        }
        report
    }
}
