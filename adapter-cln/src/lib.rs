//! The Hive as a Core Lightning plugin
