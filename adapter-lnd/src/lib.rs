//! The Hive as a daemon beside LND. Not built yet: the crate keeps the place that the architecture
//! gives it.
