//! The Hive as a daemon beside LND
