//! Real Lightning nodes on loopback, for the tests of The Hive. Not built yet: the crate keeps the
//! place that the architecture gives it.
