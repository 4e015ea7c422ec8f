//! Unsigned LEB128: seven bits in a byte, low ones first, each value in its shortest form only.

/// Appends `value`.
pub(crate) fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`write`] appends for `value`.
pub(crate) const fn size(value: u64) -> usize {
    match value {
        0 => 1,
        _ => (64 - value.leading_zeros() as usize).div_ceil(7),
    }
}

/// Takes one value off the front; `None` where there is none or it is longer than needed.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            let minimal = *byte != 0 || shift == 0;
            return minimal.then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_of_each_value() {
        for value in [
            0,
            1,
            0x7f,
            0x80,
            0x3fff,
            0x4000,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            write(&mut bytes, value);
            assert_eq!(bytes.len(), size(value));
            let mut rest = bytes.as_slice();
            assert_eq!(read(&mut rest), Some(value));
            assert!(rest.is_empty());
        }
        for wrong in [&[][..], &[0x80], &[0x80, 0], &[0xff; 10], &[0xff, 0xff, 0]] {
            assert_eq!(read(&mut &*wrong), None, "{wrong:02x?}");
        }
    }
}
