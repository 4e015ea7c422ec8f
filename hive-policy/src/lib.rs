//! May it act: modes, budgets, the permit to spend, compliance and bans
