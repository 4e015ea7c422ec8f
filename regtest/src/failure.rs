//! Why a scenario failed.

use std::fmt::Display;
use thiserror::Error;

/// What a scenario gives.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a scenario failed, or can't run here, in words for whoever reads the log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// Something is not as it must be.
    #[error("{0}")]
    Wrong(String),
    /// What the scenario needs is not on this machine: skipped, and said so.
    #[error("{0}")]
    Skipped(String),
}

/// A failure with these words.
pub fn wrong<T>(words: impl Into<String>) -> Outcome<T> {
    Err(Failure::Wrong(words.into()))
}

/// Fails with these words where the condition does not hold.
///
/// # Errors
/// [`Failure::Wrong`] where it does not.
pub fn ensure(condition: bool, words: impl FnOnce() -> String) -> Outcome {
    match condition {
        true => Ok(()),
        false => wrong(words()),
    }
}

/// Says what was being done when an error came, or that there is no value.
pub trait Context<T> {
    /// The value, or a failure that begins with what was done.
    ///
    /// # Errors
    /// [`Failure::Wrong`] where there is no value.
    fn during(self, what: impl Display) -> Outcome<T>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn during(self, what: impl Display) -> Outcome<T> {
        self.map_err(|error| Failure::Wrong(format!("{what}: {error}")))
    }
}

impl<T> Context<T> for Option<T> {
    fn during(self, what: impl Display) -> Outcome<T> {
        self.ok_or_else(|| Failure::Wrong(format!("{what}: nothing there")))
    }
}
