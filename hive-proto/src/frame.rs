//! The frame: what stands in the custom message after its two bytes of type.
//!
//! `HIVE`, the protocol version (one byte), the kind (a BOLT 1 `BigSize`), the body.

use crate::codec::DecodeError;
use crate::message::Message;
use hive_types::limits::FRAME_BYTES;
use thiserror::Error;

const MAGIC: &[u8; 4] = b"HIVE";

/// The newest version that this build speaks. It also reads the one before, so that a fleet can be
/// upgraded member by member.
pub const PROTOCOL_VERSION: u8 = 1;

/// The oldest version that this build reads.
const OLDEST_VERSION: u8 = 1;

/// A frame whose envelope was read; the body may still be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Protocol version of the sender's encoding.
    pub version: u8,
    /// Which message the body holds.
    pub kind: u64,
    /// The message, encoded.
    pub body: &'a [u8],
}

/// The bytes are no frame, or hold no message that this build knows.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Larger than BOLT 8 carries.
    #[error("a frame of {bytes} bytes; at most {FRAME_BYTES} fit")]
    TooLong {
        /// Bytes of the frame.
        bytes: usize,
    },
    /// Ends before its envelope does.
    #[error("the frame ends inside its envelope")]
    Short,
    /// Does not start with `HIVE`.
    #[error("not a frame of this protocol")]
    Magic,
    /// A version that this build does not read: counted and ignored.
    #[error("protocol version {0} is not spoken here")]
    Version(u8),
    /// The kind is written longer than needed.
    #[error("the kind is not minimally encoded")]
    Kind,
    /// A kind that this build does not know: counted and ignored.
    #[error("unknown kind {0}")]
    UnknownKind(u64),
    /// The body is not the one encoding of the kind's message.
    #[error("body: {0}")]
    Body(#[from] DecodeError),
}

impl FrameError {
    /// Whether a newer, honest sender explains it.
    pub const fn is_from_the_future(&self) -> bool {
        match self {
            Self::Version(version) => *version > PROTOCOL_VERSION,
            Self::UnknownKind(_) => true,
            _ => false,
        }
    }
}

impl<'a> Frame<'a> {
    /// Reads the envelope.
    ///
    /// # Errors
    /// [`FrameError`] for anything but a frame of a version that is spoken here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        if bytes.len() > FRAME_BYTES {
            return Err(FrameError::TooLong { bytes: bytes.len() });
        }
        let rest = match bytes.split_at_checked(MAGIC.len()) {
            Some((magic, rest)) if magic == MAGIC => rest,
            Some(_) => return Err(FrameError::Magic),
            None => return Err(FrameError::Short),
        };
        let (version, rest) = rest.split_first().ok_or(FrameError::Short)?;
        if !(OLDEST_VERSION..=PROTOCOL_VERSION).contains(version) {
            return Err(FrameError::Version(*version));
        }
        let (kind, body) = read_big_size(rest)?;
        Ok(Self {
            version: *version,
            kind,
            body,
        })
    }

    /// Writes envelope and body.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] when BOLT 8 could not carry it; nothing is sent then.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FrameError> {
        let mut bytes = Vec::with_capacity(self.body.len() + 14);
        bytes.extend_from_slice(MAGIC);
        bytes.push(self.version);
        write_big_size(&mut bytes, self.kind);
        bytes.extend_from_slice(self.body);
        match bytes.len() {
            len if len > FRAME_BYTES => Err(FrameError::TooLong { bytes: len }),
            _ => Ok(bytes),
        }
    }
}

impl Message {
    /// The whole frame of this message.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] when it does not fit.
    pub fn to_frame(&self) -> Result<Vec<u8>, FrameError> {
        let body = self.encode_body();
        Frame {
            version: PROTOCOL_VERSION,
            kind: self.kind(),
            body: &body,
        }
        .to_bytes()
    }

    /// Reads a whole frame.
    ///
    /// # Errors
    /// [`FrameError`]; see [`FrameError::is_from_the_future`] for what a newer member may send.
    pub fn from_frame(bytes: &[u8]) -> Result<Self, FrameError> {
        let frame = Frame::parse(bytes)?;
        Self::decode_body(frame.kind, frame.body)
    }
}

/// BOLT 1 `BigSize`: big-endian, minimal.
fn write_big_size(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0xfc => out.push(value as u8),
        0xfd..=0xffff => {
            out.push(0xfd);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xfe);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(0xff);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

fn read_big_size(bytes: &[u8]) -> Result<(u64, &[u8]), FrameError> {
    let (first, rest) = bytes.split_first().ok_or(FrameError::Short)?;
    let (width, least) = match first {
        0xfd => (2, 0xfd),
        0xfe => (4, 0x1_0000),
        0xff => (8, 0x1_0000_0000),
        small => return Ok((u64::from(*small), rest)),
    };
    let (digits, rest) = rest.split_at_checked(width).ok_or(FrameError::Short)?;
    let value = digits
        .iter()
        .fold(0u64, |value, digit| value << 8 | u64::from(*digit));
    if value < least {
        return Err(FrameError::Kind);
    }
    Ok((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_read_back() {
        for kind in [0, 0xfc, 0xfd, 0xffff, 0x1_0000, u64::MAX] {
            let frame = Frame {
                version: PROTOCOL_VERSION,
                kind,
                body: b"body",
            };
            let bytes = frame.to_bytes().unwrap();
            assert_eq!(Frame::parse(&bytes), Ok(frame));
        }
    }

    #[test]
    fn envelopes_are_refused_for_the_right_reason() {
        assert_eq!(Frame::parse(b"HIV"), Err(FrameError::Short));
        assert_eq!(Frame::parse(b"HIVE"), Err(FrameError::Short));
        assert_eq!(Frame::parse(b"JSON\x01\x01"), Err(FrameError::Magic));
        assert_eq!(Frame::parse(b"HIVE\x00\x01"), Err(FrameError::Version(0)));
        assert_eq!(Frame::parse(b"HIVE\x02\x01"), Err(FrameError::Version(2)));
        assert_eq!(Frame::parse(b"HIVE\x01\xfd\x00\x05"), Err(FrameError::Kind));
        assert_eq!(Frame::parse(b"HIVE\x01\xfd\x00"), Err(FrameError::Short));
        let long = vec![0; FRAME_BYTES + 1];
        assert_eq!(
            Frame::parse(&long),
            Err(FrameError::TooLong {
                bytes: FRAME_BYTES + 1
            })
        );
        let frame = Frame {
            version: 1,
            kind: 1,
            body: &long,
        };
        assert!(matches!(frame.to_bytes(), Err(FrameError::TooLong { .. })));
    }
}
