//! Chance from the system.

use hive_node::backend::NotDone;
use rustls::crypto::ring;

/// Bytes that nobody can guess.
///
/// # Errors
/// When the system gives none: then nothing that needs a secret is begun.
pub(crate) fn secret() -> Result<[u8; 32], NotDone> {
    let mut bytes = [0; 32];
    match ring::default_provider().secure_random.fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(NotDone::retryable("the system gives no random numbers")),
    }
}

/// A number below `bound`, zero below one; for spreading things in time.
pub(crate) fn below(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    // Without chance nothing is spread, and nothing else is lost.
    let _ = ring::default_provider().secure_random.fill(&mut bytes);
    u64::from_le_bytes(bytes).checked_rem(bound).unwrap_or(0)
}
