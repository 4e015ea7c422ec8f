//! Crashes at every moment of what moves money.

use hive_sim::crashes::{Case, Money};
use hive_sim::fleet::{CrashPoint, Defect, Step};

const BOTH: [Money; 2] = [Money::Open, Money::Push];

#[test]
fn t36_every_crash_point_of_an_open_and_of_a_push_gives_one_or_none() {
    for (money, seed) in BOTH.into_iter().flat_map(|money| [(money, 3), (money, 4)]) {
        let case = Case::new(money, seed);
        let steps = case.steps();
        // It is a whole action that is cut, from its first write to the word of its end.
        assert_eq!(steps.first(), Some(&Step::Write), "{case:?}");
        assert_eq!(steps.last(), Some(&Step::Told), "{case:?}");
        for once in [Step::Prepared, Step::Executed] {
            let count = steps.iter().filter(|step| **step == once).count();
            assert_eq!(count, 1, "{case:?}: {once:?}");
        }
        let points = case.points();
        assert!(points.len() > steps.len(), "{case:?}");
        let mut effects = 0;
        for point in points {
            let outcome = case.crash(point, None);
            effects += outcome.effects;
            assert!(outcome.is_struck, "{case:?} {point:?}: nothing was cut off");
            assert!(outcome.is_sound(), "{case:?} {point:?}: {outcome:#?}");
        }
        assert!(effects > 0, "{case:?}: none ever came of it");
    }
}

/// Right after the node was told, before the machine knows.
fn executed(case: Case) -> CrashPoint {
    let steps = case.steps();
    let step = steps.iter().position(|step| *step == Step::Executed);
    CrashPoint::OnPath {
        step: step.unwrap(),
        is_before: false,
    }
}

#[test]
fn t36_a_driver_that_begins_anew_is_counted_as_a_double_spend() {
    for money in BOTH {
        let case = Case::new(money, 3);
        let point = executed(case);
        let outcome = case.crash(point, Some(Defect::BeginsAnew));
        assert!(outcome.is_struck, "{money:?}");
        assert_eq!(outcome.effects, 2, "{money:?}: {outcome:#?}");
        assert!(
            outcome.is_double_spend() && !outcome.is_sound(),
            "{money:?}"
        );
        assert!(
            !outcome.violations.is_empty(),
            "{money:?}: checkers see it too"
        );
    }
}

#[test]
fn t36_a_driver_that_opens_twice_is_counted_as_a_double_spend() {
    let case = Case::new(Money::Open, 3);
    let outcome = case.crash(executed(case), Some(Defect::OpensTwice));
    assert!(
        outcome.is_struck && outcome.is_double_spend(),
        "{outcome:#?}"
    );
}
