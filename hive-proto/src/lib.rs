//! The Hive's wire protocol: frames, messages, tickets, manifests and signatures
