//! `regtest`: runs the scenarios on real nodes. `regtest --list` shows them.

use regtest::roles;
use regtest::runner::{self, Wish};
use std::process::ExitCode;

fn main() -> ExitCode {
    let ended = match roles::by_name() {
        Some(ended) => ended.map(|()| true),
        None => match Wish::parse(std::env::args().skip(1)) {
            Ok(wish) => runner::run(&wish).map(|tally| tally.failed == 0),
            Err(usage) => {
                eprintln!("{usage}");
                return ExitCode::from(2);
            }
        },
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
