//! Members on the world: joining, agreeing, opening.

mod support;

use hive_policy::Mode;
use hive_types::Millis;

#[test]
fn five_members_join_and_open() {
    let mut fleet = support::founded(5, 1, Mode::Autonomous);
    fleet.keep_lines();
    fleet.run_for(Millis::from_hours(2));
    for line in fleet.take_lines() {
        println!("{line}");
    }
    println!("{:?}", fleet.totals());
    for index in 0..5 {
        let status = fleet.status(index);
        assert_eq!(status.stage, "member");
        println!("{status:?}");
    }
    assert!(fleet.totals().opens > 0);
}
