//! What coordination is worth, measured: arms of equal capital on one graph, scored on demand that none
//! of them has seen.
//!
//! Pure: no clock, no files. Chance comes from seeds, so one seed gives one result.
