//! Where to open and what to rebalance, on the real Lightning graph
