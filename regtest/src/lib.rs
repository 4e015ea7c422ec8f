//! Real Lightning nodes on loopback, for the tests of The Hive
