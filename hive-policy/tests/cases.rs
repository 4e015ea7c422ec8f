//! Faults and attacks that must not work, by case number.

mod common;

use common::*;
use hive_policy::{Gate, GateState, Mode, Refusal, Settlement, Verdict};
use hive_types::{Msat, Sat};

const MOVE: u64 = 100_000_000;
const FEE: u64 = 1_000_000;

#[test]
fn t40_twenty_proposals_with_budget_for_two_run_exactly_two() {
    let limits = wide(|settings| {
        settings.budget_per_day = Sat::new(2_000);
        settings.cost_per_action = Msat::new(FEE);
    });
    let mut gate = Gate::new(limits, Mode::Autonomous);
    let mut state = GateState::default();
    let mut executed = 0;
    for number in 0..20 {
        let proposal = rebalance(10 + number, 30 + number, MOVE, FEE);
        let now = after(u64::from(number));
        match gate.consider(now, id(number.into()), &proposal, &local(), full()) {
            Verdict::Execute(permit) => {
                assert_eq!(permit.cost(), Msat::new(FEE));
                executed += 1;
            }
            Verdict::Refuse(Refusal::Budget { .. }) => (),
            other => panic!("{other:?}"),
        }
        restart(&mut gate, &mut state);
    }
    assert_eq!(executed, 2);
    gate.settle(after(30), id(0), Settlement::NotDone).unwrap();
    let again = rebalance(15, 35, MOVE, FEE);
    let verdict = gate.consider(after(31), id(40), &again, &local(), full());
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
}
