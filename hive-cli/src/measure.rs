//! What a run took.

/// The most memory that this process has held so far, in bytes; `None` where the system doesn't tell.
pub(crate) fn peak_memory() -> Option<u64> {
    peak_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// `VmHWM` of proc(5), in KiB there.
fn peak_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_its_line() {
        let status = "VmPeak:\t  900 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 800 kB\n";
        assert_eq!(peak_of(status), Some(1_234 * 1_024));
        assert_eq!(peak_of("VmHWM:\t many kB\n"), None);
        assert_eq!(peak_of(""), None);
    }
}
