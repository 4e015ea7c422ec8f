//! Chance from the system, for keys, preimages and for spreading things in time.

use std::fs::File;
use std::io::{self, Read};

/// Bytes that nobody can guess.
///
/// # Errors
/// When the system gives none: then nothing that needs a secret may be begun.
pub fn secret() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A number below `bound`, zero below one: for spreading things in time, for which it is even enough.
/// Without chance it is zero: nothing is spread, and nothing else is lost.
pub fn below(bound: u64) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = secret().unwrap_or_default();
    let number = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    number.checked_rem(bound).unwrap_or(0)
}
