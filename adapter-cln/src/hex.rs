//! Hex text of any length, as lightningd writes bytes.

use data_encoding::HEXLOWER_PERMISSIVE;

/// The bytes as lower-case hex.
pub(crate) fn encode(bytes: &[u8]) -> String {
    HEXLOWER_PERMISSIVE.encode(bytes)
}

/// The bytes behind hex text; `None` where it is none.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_both_ways() {
        assert_eq!(encode(&[0, 0xbe, 0xe1]), "00bee1");
        assert_eq!(decode("00BEe1"), Some(vec![0, 0xbe, 0xe1]));
        assert_eq!(decode(""), Some(vec![]));
        assert_eq!(decode("abc"), None);
        assert_eq!(decode("zz"), None);
        assert_eq!(decode("ä"), None);
    }
}
