//! Which Core Lightning this works with.

use crate::limits::{NEWEST_VERSION, OLDEST_VERSION};

/// What a version means for this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Tried, or between versions that were.
    Fine,
    /// Not tried: one line for the log.
    Untried(String),
    /// Too old: one line that says what to do.
    TooOld(String),
}

/// Judges a version as lightningd writes it: `v26.06.6`, `v24.11-120-gabc-modded`.
pub(crate) fn judge(text: &str) -> Judgement {
    let (oldest, newest) = (written(OLDEST_VERSION), written(NEWEST_VERSION));
    match parse(text) {
        Some(version) if version < OLDEST_VERSION => Judgement::TooOld(format!(
            "Core Lightning {text} is too old for The Hive, which needs {oldest}; upgrade the node"
        )),
        Some(version) if version > NEWEST_VERSION => Judgement::Untried(format!(
            "Core Lightning {text} is newer than {newest}, the newest that The Hive was tried with; look for a newer Hive if something fails"
        )),
        Some(_) => Judgement::Fine,
        None => Judgement::Untried(format!(
            "the node's version {text:?} is not understood; The Hive needs Core Lightning {oldest} or newer"
        )),
    }
}

/// Year and month.
fn parse(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix('v')?.splitn(3, ['.', '-']);
    let mut number = || {
        let part = parts.next()?;
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        part.get(..digits)?.parse().ok()
    };
    Some((number()?, number()?))
}

fn written((year, month): (u32, u32)) -> String {
    format!("v{year:02}.{month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_judged() {
        for fine in [
            "v26.06.6",
            "v24.11",
            "v25.12rc2",
            "v24.11.1-12-g1234abc-modded",
        ] {
            assert_eq!(judge(fine), Judgement::Fine, "{fine}");
        }
        for old in ["v24.08.2", "v0.12.1", "v23.11"] {
            assert!(matches!(judge(old), Judgement::TooOld(_)), "{old}");
        }
        for new in ["v26.09", "v27.03.1", "basedon-master", "", "v", "v26"] {
            assert!(matches!(judge(new), Judgement::Untried(_)), "{new}");
        }
    }
}
