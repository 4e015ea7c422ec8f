//! A deterministic Lightning world for The Hive: faults, adversaries, checkers.

pub mod generate;
pub mod world;
