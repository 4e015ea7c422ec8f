//! What is decided: the numbered chain, single-decree Paxos per slot, certificates, the fold.
