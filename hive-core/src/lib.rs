//! The one state machine of The Hive: observe, orient, decide, act, share
