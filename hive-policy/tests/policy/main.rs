//! The policy as hive-core uses it: only through its public interface.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod bans;
mod bill;
mod bounds;
mod cases;
mod common;
mod conduct;
mod contribution;
mod corridors;
mod crashes;
mod drains;
mod dry_run;
mod fellows;
mod opens_and_routes;
mod oracle;
mod properties;
mod schema;
mod truth;
