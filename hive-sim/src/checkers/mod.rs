//! Checkers: they stand apart from the agents and read the world's chain and network, the wire and
//! the disks, never what an agent says of itself.

mod authorship;
mod bounds;
mod chronicle;
mod durable;
mod intents;
mod money;
mod opens;
mod promises;
mod quiet;
mod roster;
mod watch;

pub use authorship::{HonestNotFlagged, OwnVersionGrows, RelayedUnchanged};
pub use bounds::Bounded;
pub use chronicle::{Chronicle, Grant, Link};
pub use durable::AnnouncedIsDurable;
pub use intents::{CHANGES_PER_DAY, IntentsAreSteady, SAME_TARGET_PER_DAY};
pub use money::{BudgetsKept, SatsConserved};
pub use opens::{FundingsAreLocked, NothingOpenedTwice, NothingUnpermitted, PoliciesArePermitted};
pub use promises::PromisesKept;
pub use quiet::{ConvergedIsNewest, NothingHangs};
pub use roster::{NobodyOutUnheard, RostersAreOneChain};
pub use watch::{Checker, Effect, Scene, Sight, Violation, Watch};

pub(crate) use quiet::unconverged;

/// Every checker.
pub fn all() -> Vec<Box<dyn Checker>> {
    let mut all = safety();
    all.push(Box::new(ConvergedIsNewest));
    all.push(Box::new(NothingHangs::default()));
    all
}

/// Those of what never may happen; what must happen at last is left out.
pub fn safety() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(AnnouncedIsDurable),
        Box::new(OwnVersionGrows::default()),
        Box::new(RelayedUnchanged::default()),
        Box::new(HonestNotFlagged),
        Box::new(PromisesKept::default()),
        Box::new(RostersAreOneChain),
        Box::new(NobodyOutUnheard::default()),
        Box::new(FundingsAreLocked::default()),
        Box::new(NothingOpenedTwice::default()),
        Box::new(NothingUnpermitted::default()),
        Box::new(PoliciesArePermitted::default()),
        Box::new(SatsConserved::default()),
        Box::new(BudgetsKept::default()),
        Box::new(Bounded::default()),
        Box::new(IntentsAreSteady::default()),
    ]
}
