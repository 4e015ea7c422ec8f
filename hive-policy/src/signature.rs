//! Messages between an agent and its operator's own servers bear a signature over time and body.
//!
//! The header is `t=<unix seconds>,v1=<hex>`, where `v1` is HMAC-SHA256 (RFC 2104) under a shared
//! secret over `<unix seconds>.<body>`. Who lacks the secret can neither change a body nor give an old
//! one a new time; who repeats a message whole is caught by the time and by what the body is bound to.
//!
//! ```
//! use hive_policy::signature::{sign, verify};
//! use hive_types::UnixMillis;
//!
//! let secret = b"thirty-two bytes or more of chance";
//! let now = UnixMillis::new(1_700_000_000_000);
//! let header = sign(secret, now, b"{}");
//! assert!(header.starts_with("t=1700000000,v1="));
//! verify(secret, &header, b"{}", now)?;
//! assert!(verify(secret, &header, b"{ }", now).is_err());
//! # Ok::<(), hive_policy::signature::SignatureError>(())
//! ```

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use hive_types::UnixMillis;
use hive_types::limits::{SECRET_BYTES_MIN, SIGNATURE_WINDOW};
use std::fmt;
use thiserror::Error;

/// The HTTP header that carries a signature, on requests and on answers.
pub const HEADER: &str = "Hive-Signature";

/// Digits of a time in seconds: more than any date that programs deal with.
const TIME_DIGITS: usize = 12;

/// Bytes of the authentication code.
const CODE_BYTES: usize = 32;

/// A secret that this agent shares with one server. It never shows itself, and is overwritten when it
/// goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// Too few bytes for a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the secret has {0} bytes; make one of at least {SECRET_BYTES_MIN}, by `openssl rand -hex 32` say"
)]
pub struct ShortSecret(
    /// How many there are.
    pub usize,
);

impl Secret {
    /// Takes the bytes as they are.
    ///
    /// # Errors
    /// [`ShortSecret`] under [`SECRET_BYTES_MIN`] bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, ShortSecret> {
        match bytes.len() {
            SECRET_BYTES_MIN.. => Ok(Self(bytes)),
            short => Err(ShortSecret(short)),
        }
    }

    /// For [`sign`] and [`verify`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        std::hint::black_box(&self.0);
    }
}

/// A signature does not make its body count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The header is not of this form.
    #[error(
        "the signature header is not of the form t=<unix seconds>,v1=<64 hex digits>; see docs/operating.md"
    )]
    Malformed,
    /// Another secret signed, or another body or time.
    #[error(
        "the signature does not fit body and time; check that both ends hold the same secret and sign the bytes as sent"
    )]
    Wrong,
    /// Signed too long ago, or in the future.
    #[error(
        "the signature was made at {signed} (unix seconds) and it is {now} here; set both clocks, by NTP say"
    )]
    Stale {
        /// When it was signed, in unix seconds.
        signed: u64,
        /// The time here, in unix seconds.
        now: u64,
    },
}

/// The header for a body that is sent now.
pub fn sign(secret: &[u8], now: UnixMillis, body: &[u8]) -> String {
    let time = seconds(now);
    let code = code(secret, &time.to_string(), body);
    let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

/// Checks a body that came with a header. The code is compared in constant time and before the time is
/// believed.
///
/// # Errors
/// [`SignatureError`], also when the header is more than [`SIGNATURE_WINDOW`] off `now`.
pub fn verify(
    secret: &[u8],
    header: &str,
    body: &[u8],
    now: UnixMillis,
) -> Result<(), SignatureError> {
    let (time, given) = parse(header).ok_or(SignatureError::Malformed)?;
    if !equal(&code(secret, time, body), &given) {
        return Err(SignatureError::Wrong);
    }
    let signed: u64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    let now = seconds(now);
    if signed.abs_diff(now) > SIGNATURE_WINDOW.get() / 1_000 {
        return Err(SignatureError::Stale { signed, now });
    }
    Ok(())
}

const fn seconds(time: UnixMillis) -> u64 {
    time.get() / 1_000
}

fn code(secret: &[u8], time: &str, body: &[u8]) -> [u8; CODE_BYTES] {
    let mut engine = HmacEngine::<sha256::Hash>::new(secret);
    engine.input(time.as_bytes());
    engine.input(b".");
    engine.input(body);
    Hmac::from_engine(engine).to_byte_array()
}

/// The time as it was signed, and the code.
fn parse(header: &str) -> Option<(&str, [u8; CODE_BYTES])> {
    let (time, hex) = header.strip_prefix("t=")?.split_once(",v1=")?;
    let is_time =
        (1..=TIME_DIGITS).contains(&time.len()) && time.bytes().all(|byte| byte.is_ascii_digit());
    if !is_time || hex.len() != 2 * CODE_BYTES {
        return None;
    }
    let mut code = [0; CODE_BYTES];
    for (byte, pair) in code.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digits = pair.iter().map(|digit| char::from(*digit).to_digit(16));
        let value = digits.collect::<Option<Vec<u32>>>()?;
        *byte = u8::try_from(value.iter().fold(0, |all, digit| all * 16 + digit)).ok()?;
    }
    Some((time, code))
}

/// Looks at every byte whatever the first ones say, so that time tells nothing of how many fit.
fn equal(left: &[u8; CODE_BYTES], right: &[u8; CODE_BYTES]) -> bool {
    let differs = |all: u8, (left, right): (&u8, &u8)| all | (left ^ right);
    let difference = left.iter().zip(right).fold(0, differs);
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
    const NOW: UnixMillis = UnixMillis::new(1_700_000_000_999);

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// HMAC-SHA256 itself, against the test vectors 1, 2 and 6 of RFC 4231.
    #[test]
    fn the_code_is_that_of_rfc_4231() {
        let vectors: [(&[u8], &[u8], &str); 3] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, data, expected) in vectors {
            let mut engine = HmacEngine::<sha256::Hash>::new(key);
            engine.input(data);
            let code = Hmac::from_engine(engine).to_byte_array();
            assert_eq!(hex(&code), expected);
        }
    }

    /// Made with Python: `hmac.new(secret, b"1700000000." + body, "sha256").hexdigest()`.
    #[test]
    fn the_header_is_what_other_programs_make() {
        let header = sign(SECRET, NOW, b"{\"verdict\":\"APPROVE\"}");
        assert_eq!(header, VECTOR);
    }

    const VECTOR: &str =
        "t=1700000000,v1=aac0be65e63f98dd4faae1755f6de2db5f9585788374c3548d13f2234db1932c";

    #[test]
    fn every_flipped_bit_is_noticed() {
        let header = sign(SECRET, NOW, b"body");
        assert_eq!(verify(SECRET, &header, b"body", NOW), Ok(()));
        let wrong = Err(SignatureError::Wrong);
        assert_eq!(verify(SECRET, &header, b"Body", NOW), wrong);
        assert_eq!(verify(b"another", &header, b"body", NOW), wrong);
        for place in 2..header.len() {
            let mut bytes = header.clone().into_bytes();
            bytes[place] ^= 1;
            let flipped = String::from_utf8(bytes).unwrap();
            let verdict = verify(SECRET, &flipped, b"body", NOW);
            assert!(verdict.is_err(), "{flipped}");
        }
    }

    #[test]
    fn a_secret_is_long_and_does_not_show() {
        assert_eq!(Secret::new(vec![7; 31]), Err(ShortSecret(31)));
        let secret = Secret::new(SECRET.to_vec()).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(secret.as_bytes(), SECRET);
    }

    #[test]
    fn only_the_present_counts() {
        let window = SIGNATURE_WINDOW;
        let header = sign(SECRET, NOW, b"body");
        let at = |millis: u64| verify(SECRET, &header, b"body", UnixMillis::new(millis));
        assert_eq!(at(NOW.get() + window.get()), Ok(()));
        assert_eq!(at(NOW.get() - window.get()), Ok(()));
        for late in [
            NOW.get() + window.get() + 1_000,
            NOW.get() - window.get() - 1_000,
        ] {
            assert!(
                matches!(at(late), Err(SignatureError::Stale { .. })),
                "{late}"
            );
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let code = "0".repeat(64);
        let forms = [
            String::new(),
            "t=1,v1=".to_owned(),
            format!("t=,v1={code}"),
            format!("t=-1,v1={code}"),
            format!("t=+1,v1={code}"),
            format!("t=1234567890123,v1={code}"),
            format!(" t=1,v1={code}"),
            format!("t=1,v1={code}0"),
            format!("v1={code},t=1"),
            format!("t=1,v1={}", "g".repeat(64)),
            format!("t=1,v1={}", "é".repeat(32)),
        ];
        for form in forms {
            let verdict = verify(SECRET, &form, b"", NOW);
            assert_eq!(verdict, Err(SignatureError::Malformed), "{form:?}");
        }
    }
}
