//! The runtime of The Hive: backend trait, driver, store, configuration, control API
