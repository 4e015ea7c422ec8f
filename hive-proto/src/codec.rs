//! The one place that names bincode: encoding, and decoding that takes exactly one encoding of each
//! value.
//!
//! Bodies are bincode 2 in its standard configuration: little-endian variable-length integers, and
//! lengths before sequences. bincode itself ignores bytes after the value and takes integers that
//! are longer than needed. Here a value counts only when its own encoding gives back every byte
//! that was read, so equal values are equal bytes and a hash of bytes is a hash of the value.

use hive_types::limits::FRAME_BYTES;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The bytes are not the one encoding of a value of the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// More than a frame holds.
    #[error("{bytes} bytes are more than the {FRAME_BYTES} that a frame holds")]
    TooLong {
        /// Bytes that came.
        bytes: usize,
    },
    /// bincode can't read a value from them.
    #[error("not a valid encoding: {0}")]
    Malformed(String),
    /// A value was read, and bytes are left.
    #[error("{left} bytes are left after the value")]
    Trailing {
        /// Bytes after the value.
        left: usize,
    },
    /// A value was read that is encoded in other bytes: an integer longer than needed, a map out of
    /// order.
    #[error("not the canonical encoding of its value")]
    NotCanonical,
}

/// bincode counts a value by its size in memory, which is up to eight times that of its shortest
/// encoding (a `u64` of one byte). With this limit every frame can be read that can be written, and
/// a length that lies still reserves no more than this.
const DECODED_BYTES: usize = 8 * FRAME_BYTES;

const fn configuration() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<DECODED_BYTES>()
}

/// The encoding of `value`.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut sink = VecWriter(Vec::new());
    bincode::serde::encode_into_writer(value, &mut sink, bincode::config::standard())
        .expect("writing to memory succeeds and no wire type asks bincode for what it lacks");
    sink.0
}

/// The value that `bytes` are the encoding of.
///
/// # Errors
/// [`DecodeError`] when there is none, or when it has another encoding.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > FRAME_BYTES {
        return Err(DecodeError::TooLong { bytes: bytes.len() });
    }
    let (value, read) =
        bincode::serde::decode_from_slice(bytes, configuration()).map_err(malformed)?;
    if read != bytes.len() {
        return Err(DecodeError::Trailing {
            left: bytes.len() - read,
        });
    }
    let mut same = Compare { rest: bytes };
    let equal = bincode::serde::encode_into_writer(&value, &mut same, bincode::config::standard());
    if equal.is_err() || !same.rest.is_empty() {
        return Err(DecodeError::NotCanonical);
    }
    Ok(value)
}

/// bincode prints its errors as code; those that a person meets are put in words.
fn malformed(error: bincode::error::DecodeError) -> DecodeError {
    use bincode::error::DecodeError as Error;
    let words = match error {
        Error::UnexpectedEnd { .. } => "it ends before its value does".to_owned(),
        Error::LimitExceeded => "it claims to hold more than a frame".to_owned(),
        Error::InvalidBooleanValue(value) => format!("{value} is no boolean"),
        Error::Utf8 { .. } => "a text is not UTF-8".to_owned(),
        Error::OtherString(words) => words,
        other => other.to_string(),
    };
    DecodeError::Malformed(words)
}

struct VecWriter(Vec<u8>);

impl bincode::enc::write::Writer for VecWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// A sink that takes only the bytes that it expects, so that checking copies nothing.
struct Compare<'a> {
    rest: &'a [u8],
}

impl bincode::enc::write::Writer for Compare<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.rest = self
            .rest
            .strip_prefix(bytes)
            .ok_or(bincode::error::EncodeError::UnexpectedEnd)?;
        Ok(())
    }
}

/// Serde for byte strings that may be long: one length and the bytes, without a call per byte.
pub mod bytes {
    use core::fmt;
    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    /// Writes the bytes as one byte string.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    /// Reads one byte string.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a byte string")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = seq.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn one_encoding_each() {
        assert_eq!(encode(&7u64), [7]);
        assert_eq!(decode::<u64>(&[7]), Ok(7));
        assert_eq!(
            decode::<u64>(&[7, 0]),
            Err(DecodeError::Trailing { left: 1 })
        );
        assert_eq!(decode::<u64>(&[251, 7, 0]), Err(DecodeError::NotCanonical));
        assert!(matches!(decode::<u64>(&[]), Err(DecodeError::Malformed(_))));
        assert!(matches!(
            decode::<bool>(&[2]),
            Err(DecodeError::Malformed(_))
        ));
    }

    #[test]
    fn whatever_fits_into_a_frame_can_be_read() {
        let small = vec![1u64; FRAME_BYTES - 3];
        let bytes = encode(&small);
        assert_eq!(bytes.len(), FRAME_BYTES);
        assert_eq!(decode::<Vec<u64>>(&bytes), Ok(small));
    }

    #[test]
    fn sets_are_in_order() {
        assert_eq!(
            decode::<BTreeSet<u8>>(&[2, 1, 2]),
            Ok(BTreeSet::from([1, 2]))
        );
        assert_eq!(
            decode::<BTreeSet<u8>>(&[2, 2, 1]),
            Err(DecodeError::NotCanonical)
        );
        assert_eq!(
            decode::<BTreeSet<u8>>(&[2, 1, 1]),
            Err(DecodeError::NotCanonical)
        );
    }

    #[test]
    fn lengths_that_lie_allocate_nothing() {
        let claims_four_billion = [252, 255, 255, 255, 255, 1];
        assert!(decode::<Vec<u64>>(&claims_four_billion).is_err());
        assert!(decode::<String>(&claims_four_billion).is_err());
        assert!(decode::<u8>(&vec![0; FRAME_BYTES + 1]).is_err());
    }
}
