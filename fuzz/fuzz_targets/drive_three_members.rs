#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    hive_sim::fuzzing::drive_three_members(data);
});
