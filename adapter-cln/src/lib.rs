//! The Hive as a Core Lightning plugin. Not built yet: the crate keeps the place that the architecture
//! gives it.
