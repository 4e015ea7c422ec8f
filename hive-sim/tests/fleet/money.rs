//! Budgets of members whose agents keep stopping.

use crate::support::{found_all, ground, minutes, no_violation, on_with, opens, secs};
use hive_core::Event;
use hive_policy::{LimitSettings, Limits, Mode};
use hive_sim::fleet::CrashPoint;

/// What a day lets each member open.
const BUDGET: usize = 2;

#[test]
fn t40_members_that_want_more_open_what_their_day_holds_over_restarts() {
    let (world, nodes) = ground(4, 71);
    let fleet = on_with(world, &nodes, 71, |config| {
        let settings = LimitSettings {
            opens_per_day: BUDGET as u32,
            open_cooldown_days: 0,
            ..config.limits.clone().into_settings()
        };
        config.limits = Limits::new(settings).unwrap();
        config.constraint.slots = 20;
        config.mode = Mode::Autonomous;
    });
    let mut fleet = found_all(fleet);
    let points = [
        CrashPoint::TornWrite,
        CrashPoint::AfterWrite,
        CrashPoint::BeforeExecution,
        CrashPoint::AfterExecution,
    ];
    for round in 0..24 {
        let member = round % 4;
        fleet.crash_at(member, points[round / 4 % points.len()]);
        fleet.run_for(minutes(5));
        fleet.crash(member);
        fleet.run_for(secs(20));
        fleet.boot(member);
        for member in 0..4 {
            assert!(
                opens(&fleet, member) <= BUDGET,
                "member {member}, round {round}"
            );
        }
    }
    no_violation(&fleet);
    let spent = (0..4).filter(|member| opens(&fleet, *member) == BUDGET);
    assert!(spent.count() >= 2, "their budgets are used");
    let wanted_more = |event: &Event| matches!(event, Event::Refused { reason } if reason.contains("opens_per_day"));
    assert!((0..4).any(|member| fleet.heard(member, wanted_more)));
}
