//! What half a year makes of a store: bytes on the disk after 180 days of a fleet of 5 and of 50, at the
//! rates that simulated fleets write with. Time on this machine plays no part.

#[path = "../tests/support/days.rs"]
mod days;

use days::{Member, Rates, bytes};
use hive_node::store::Store;
use std::error::Error;

/// Hours whose changes are written together here, where only the size counts.
const HOURS_AT_ONCE: u64 = 6;

fn main() -> Result<(), Box<dyn Error>> {
    for members in [5, 50] {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path())?;
        Member::new(Rates::measured(members)).live(&store, 180, HOURS_AT_ONCE);
        let rows = store.verify_audit()?;
        drop(store);
        let size = bytes(folder.path());
        println!(
            "FIGURE store_bytes_180_days_{members} {size} bytes with {rows} rows of the audit log"
        );
    }
    Ok(())
}
