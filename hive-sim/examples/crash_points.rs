//! Crashes a member at every point of an open and of a push, one run each, and prints what it came to:
//! `crash_points [FROM] [TO]` for the seeds in between, twenty by default; `twice` puts in a driver that
//! begins anew what it does not remember, to see that it is found.

use hive_sim::crashes::{Case, Money};
use hive_sim::fleet::Defect;
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |place: usize, or: u8| {
        let text = args.get(place);
        text.and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let (from, begin) = (number(1, 3), Instant::now());
    let twice = args.iter().any(|arg| arg == "twice");
    let defect = twice.then_some(Defect::BeginsAnew);
    let (mut tried, mut double, mut unsound, mut idle) = (0, 0, 0, 0);
    for seed in from..=number(2, from.saturating_add(19)) {
        for money in [Money::Open, Money::Push] {
            let case = Case::new(money, seed);
            let points = case.points();
            println!("seed {seed}, {money:?}: {} points", points.len());
            idle += u32::from(points.is_empty());
            for point in points {
                let outcome = case.crash(point, defect);
                tried += 1;
                double += u32::from(outcome.is_double_spend());
                if !outcome.is_struck || !outcome.is_sound() {
                    unsound += 1;
                    println!("  {point:?}: {outcome:?}");
                }
            }
        }
    }
    println!(
        "{unsound} unsound, {idle} cases without an action, in {:?}",
        begin.elapsed()
    );
    println!("FIGURE crash_points_tried {tried} count -");
    println!("FIGURE double_spends {double} count 0");
    if unsound + idle > 0 {
        std::process::exit(1);
    }
}
