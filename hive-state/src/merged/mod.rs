//! What is merged: signed records, digests and deltas, equivocation proofs, bounds per author.
