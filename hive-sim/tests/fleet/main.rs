//! Members on the simulated world: each checker finds the defect put in for it, and the cases that
//! need a whole fleet.

#![allow(clippy::unwrap_used, clippy::panic)]

mod adversaries;
mod bans;
mod checkers;
mod conduct;
mod corridors;
mod crashes;
mod graphs;
mod locks;
mod money;
mod roster;
mod runs;
mod state;
mod support;
