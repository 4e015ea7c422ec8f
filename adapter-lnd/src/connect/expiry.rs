//! When a certificate ends: RFC 5280, `Validity`, in DER (X.690).

const SEQUENCE: u8 = 0x30;

/// The certificate's version, where it is told: `[0]`.
const VERSION: u8 = 0xa0;

/// Years of two digits: those from here on are of the last century.
const UTC_TIME: u8 = 0x17;
const UTC_PIVOT: u64 = 50;

const GENERALIZED_TIME: u8 = 0x18;

const DAY: u64 = 86_400;

/// Full days from the end of a certificate to `now`, in seconds since 1970; `None` while it is valid, and where
/// no end can be read.
pub(super) fn days_expired(certificate: &[u8], now: u64) -> Option<u64> {
    let past = now.checked_sub(not_after(certificate)?)?;
    (past > 0).then_some(past / DAY)
}

/// The last second of a certificate, since 1970.
fn not_after(certificate: &[u8]) -> Option<u64> {
    let mut body = Der(certificate).within()?.within()?;
    let is_versioned = body.0.first() == Some(&VERSION);
    // Version, serial number, algorithm, issuer.
    for _ in 0..3 + usize::from(is_versioned) {
        body.next()?;
    }
    let mut validity = body.within()?;
    validity.next()?;
    let (tag, text) = validity.next()?;
    time(tag, text)
}

/// Values one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Tag and contents of the next one.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x0f))?;
                let length = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, contents))
    }

    /// What is in the next one, a sequence.
    fn within(&mut self) -> Option<Self> {
        let (tag, contents) = self.next()?;
        (tag == SEQUENCE).then_some(Self(contents))
    }
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<u64> {
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year)?;
            let century = if year < UTC_PIVOT { 2_000 } else { 1_900 };
            (century + year, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let parts: Option<Vec<u64>> = rest.chunks(2).map(number).collect();
    let [month, day, hours, minutes, seconds] = parts?.try_into().ok()?;
    let days = days(year, month, day)?;
    Some(days * DAY + hours * 3_600 + minutes * 60 + seconds)
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Days since 1970 in the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March have their leap day last.
    let (year, month) = match month {
        1 | 2 => (year.checked_sub(1)?, month + 9),
        _ => (year, month - 3),
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = 365 * year + leap_days + (153 * month + 2) / 5 + day;
    // From 1 March of the year 0 to 1 January 1970, the first day counted as one.
    days.checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn ending(year: i32, month: u8, day: u8) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.not_before = date_time_ymd(1990, 1, 1);
        params.not_after = date_time_ymd(year, month, day);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn ends_are_read_in_both_forms() {
        let ends = [
            ((1970, 1, 2), 86_400),
            ((2000, 3, 1), 951_868_800),
            ((2024, 2, 29), 1_709_164_800),
            ((2049, 12, 31), 2_524_521_600),
            ((2050, 1, 1), 2_524_608_000),
            ((2100, 3, 1), 4_107_542_400),
        ];
        for ((year, month, day), expected) in ends {
            let certificate = ending(year, month, day);
            assert_eq!(not_after(&certificate), Some(expected), "{year}");
        }
    }

    #[test]
    fn a_certificate_counts_as_valid_through_its_last_second() {
        let certificate = ending(2024, 2, 29);
        let end = 1_709_164_800;
        assert_eq!(days_expired(&certificate, end - 1), None);
        assert_eq!(days_expired(&certificate, end), None);
        assert_eq!(days_expired(&certificate, end + 1), Some(0));
        assert_eq!(days_expired(&certificate, end + 3 * DAY), Some(3));
    }

    #[test]
    fn cut_and_damaged_certificates_have_no_end_or_some() {
        let certificate = ending(2024, 2, 29);
        for cut in 0..certificate.len() - 1 {
            assert_eq!(not_after(&certificate[..cut]), None);
        }
        for place in 0..certificate.len() {
            for byte in [0, 0x30, 0x7f, 0x80, 0x83, 0x84, 0xff] {
                let mut damaged = certificate.clone();
                damaged[place] = byte;
                let _ = not_after(&damaged);
            }
        }
    }
}
