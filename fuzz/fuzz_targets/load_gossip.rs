#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    hive_planner::fuzzing::load_gossip(data);
});
