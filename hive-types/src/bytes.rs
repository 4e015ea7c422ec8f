//! Fixed-size byte strings that print as hex and travel as raw bytes.

use thiserror::Error;

/// The text is not the hex form of the id that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseHexError {
    /// The text has another length.
    #[error("expected {expected} hex digits, got {got}")]
    Length {
        /// Digits that the id has.
        expected: usize,
        /// Digits (bytes of text) that were given.
        got: usize,
    },
    /// The text holds something else than `0-9a-fA-F`.
    #[error("not a hex digit at position {position}")]
    Digit {
        /// Offset of the first wrong byte.
        position: usize,
    },
}

pub(crate) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseHexError> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(ParseHexError::Length {
            expected: 2 * N,
            got: digits.len(),
        });
    }
    let mut bytes = [0u8; N];
    for (position, digit) in digits.iter().enumerate() {
        let value = (*digit as char)
            .to_digit(16)
            .ok_or(ParseHexError::Digit { position })? as u8;
        bytes[position / 2] = bytes[position / 2] << 4 | value;
    }
    Ok(bytes)
}

pub(crate) fn write_hex(f: &mut core::fmt::Formatter<'_>, bytes: &[u8]) -> core::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Serde for `[u8; N]`: hex where humans read, raw bytes without a length elsewhere.
pub(crate) mod serde_bytes {
    use super::parse_hex;
    use core::fmt;
    use serde::de::{Error, SeqAccess, Visitor};
    use serde::ser::SerializeTuple;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(&Hex(bytes));
        }
        let mut tuple = serializer.serialize_tuple(N)?;
        bytes
            .iter()
            .try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        if deserializer.is_human_readable() {
            let text = alloc_string(deserializer)?;
            return parse_hex(&text).map_err(D::Error::custom);
        }
        deserializer.deserialize_tuple(N, Raw::<N>)
    }

    fn alloc_string<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer)
    }

    struct Hex<'a>(&'a [u8]);

    impl fmt::Display for Hex<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            super::write_hex(f, self.0)
        }
    }

    struct Raw<const N: usize>;

    impl<'de, const N: usize> Visitor<'de> for Raw<N> {
        type Value = [u8; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{N} bytes")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<[u8; N], A::Error> {
            let mut bytes = [0u8; N];
            for (position, byte) in bytes.iter_mut().enumerate() {
                *byte = seq
                    .next_element()?
                    .ok_or_else(|| A::Error::invalid_length(position, &self))?;
            }
            Ok(bytes)
        }
    }
}

/// Declares a byte-string id: hex in text, raw bytes in binary, ordered by its bytes.
macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $size]);

        impl $name {
            /// Length in bytes.
            pub const SIZE: usize = $size;

            /// Wraps the bytes.
            pub const fn from_bytes(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }

            /// The bytes, by value.
            pub const fn to_bytes(self) -> [u8; $size] {
                self.0
            }
        }

        crate::bytes::byte_id_text!($name);

        impl core::str::FromStr for $name {
            type Err = crate::bytes::ParseHexError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                crate::bytes::parse_hex(text).map(Self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::bytes::serde_bytes::deserialize(deserializer).map(Self)
            }
        }
    };
}

/// The half of [`byte_id!`] that needs no validation: display, debug and serialization.
macro_rules! byte_id_text {
    ($name:ident) => {
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                crate::bytes::write_hex(f, &self.0)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                crate::bytes::serde_bytes::serialize(&self.0, serializer)
            }
        }
    };
}

pub(crate) use {byte_id, byte_id_text};
