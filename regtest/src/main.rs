//! `regtest`: runs the scenarios on real nodes. `regtest --list` shows them.

use regtest::roles;
use regtest::runner::{self, Wish};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(ended) = roles::play(&args) {
        return ended;
    }
    let ended = match Wish::parse(args) {
        Ok(wish) => runner::run(&wish).map(|tally| tally.failed == 0),
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
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
