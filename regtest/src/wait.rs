//! Waiting for something to become true, with a deadline.

use crate::failure::{Failure, Outcome};
use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long a thing may take that a node does by itself. Generous: a loaded machine is slow, and only
/// what fails ever waits this long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Looks until `look` gives a value; its error says what was seen instead.
///
/// # Errors
/// After [`PATIENCE`]: what was waited for and what was seen last.
pub fn until<T, E: Display>(what: impl Display, look: impl FnMut() -> Result<T, E>) -> Outcome<T> {
    within(PATIENCE, what, look)
}

/// As [`until`], with another deadline.
///
/// # Errors
/// After `patience`: what was waited for and what was seen last.
pub fn within<T, E: Display>(
    patience: Duration,
    what: impl Display,
    mut look: impl FnMut() -> Result<T, E>,
) -> Outcome<T> {
    let deadline = Instant::now() + patience;
    loop {
        // The time first: a look that begins in time counts, however long it takes.
        let is_last = Instant::now() >= deadline;
        match look() {
            Ok(value) => return Ok(value),
            Err(seen) if is_last => {
                let seconds = patience.as_secs_f32();
                return Err(Failure::Wrong(format!(
                    "waited {seconds} s in vain: {what}; last seen: {seen}"
                )));
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

/// A condition for [`until`]: the error says what was seen.
///
/// # Errors
/// What was seen, where the condition does not hold.
pub fn that(condition: bool, seen: impl FnOnce() -> String) -> Result<(), String> {
    condition.then_some(()).ok_or_else(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_until_there_is_a_value() {
        let mut looks = 0;
        let value = until("three looks", || {
            looks += 1;
            that(looks == 3, || format!("look {looks}")).map(|()| "there")
        });
        assert_eq!((value, looks), (Ok("there"), 3));
    }

    #[test]
    fn deadline_tells_what_was_seen_last() {
        let failed = within(Duration::ZERO, "the impossible", || {
            Err::<(), _>("nothing but sand")
        });
        let words = failed.unwrap_err().to_string();
        assert!(words.contains("the impossible"), "{words}");
        assert!(words.ends_with("nothing but sand"), "{words}");
    }
}
