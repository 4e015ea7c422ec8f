//! Limits of fees among fellows. `docs/behaviour.md` has them in one table.

use crate::{Millis, Ppm, Sat};

/// A channel's discounted fee is set again only when it is off by more than this share, so that
/// rounding and small edits cause no gossip.
pub const FEE_HYSTERESIS: Ppm = Ppm::new(100_000);

/// What one own fee change costs of a channel's allowance, which grows with time up to
/// [`FEE_CHANGE_CREDIT`]: four `channel_update`s a day are relayed everywhere (Core Lightning passes on
/// no more), later ones are dropped by rate limits. Joining, promotion and leaving always pass.
pub const FEE_CHANGE_COST: Millis = Millis::from_hours(6);

/// Fee changes of one channel that may come at once, as time: four.
pub const FEE_CHANGE_CREDIT: Millis = Millis::from_hours(24);

/// After a fee was set, what the node shows may be older than that for so long.
pub const FEE_SETTLE: Millis = Millis::from_secs(60);

/// A fee that something else changed back is set again so many times; then the operator is told and the
/// channel is left alone.
pub const FEE_TRIES: u8 = 2;

/// What something else changed back is forgotten when the fee was right for so long.
pub const FEE_UNDONE_MEMORY: Millis = Millis::from_days(7);

/// The least that a drained corridor asks for: enough to turn away what comes only because it is free.
pub const CORRIDOR_FLOOR_MIN: Ppm = Ppm::new(20);

/// The most that a drained corridor may ask of fellows. More is no floor but a fee.
pub const CORRIDOR_FLOOR_MAX: Ppm = Ppm::new(100);

/// A corridor drains when outsiders move more than this share of its capacity out in a day, less what
/// comes back: at this pace a balanced channel is dry in two days.
pub const CORRIDOR_DRAIN: Ppm = Ppm::new(250_000);

/// Of what drains a corridor, so much of its capacity in a day may be a fellow's own pushes: that they were is
/// the fellow's word, so one that lies delays the alarm until half of the capacity has gone, and no further.
pub const CORRIDOR_PUSHES: Ppm = CORRIDOR_DRAIN;

/// What came by way of an outsider counts as a drain only after so long: until then the heartbeat may come that
/// shows that the fellow paid it. A fellow that says nothing for so long is stale.
pub const CORRIDOR_PUSH_TOLD: Millis = super::HEARTBEAT_STALE;

/// What a fellow pays is gone from its channel before it arrives; an HTLC that takes longer than this counts as an
/// outsider's. Few are held for hours.
pub const CORRIDOR_PUSH_UNDER_WAY: Millis = Millis::from_hours(6);

/// A floor ends after the drain stayed under half of [`CORRIDOR_DRAIN`] for so long.
pub const CORRIDOR_CALM: Millis = Millis::from_hours(24);

/// A policy towards a fellow that is not the agreed one is no cheating before this: agents restart,
/// decisions and updates are on their way, LND waits for 20 minutes before it enables a channel again.
pub const FEE_GRACE: Millis = Millis::from_secs(1_800);

/// As [`FEE_GRACE`], where the node shows gossip alone: nodes pass on one update a day of a busy channel.
pub const FEE_GRACE_GOSSIP: Millis = Millis::from_hours(25);

/// As [`FEE_GRACE`], where the fellow's agent is gone and may not know what was agreed meanwhile.
pub const FEE_GRACE_STALE: Millis = Millis::from_days(7);

/// Confirmations after the grace that make a suspicion a flag.
pub const FEE_CONFIRMATIONS: u8 = 2;

/// A `htlc_maximum_msat` under this, and under a tenth of the capacity, closes a channel by another
/// name, as long as the fellow could send twice as much.
pub const HTLC_MAXIMUM_LEAST: Sat = Sat::new(100_000);

/// A `htlc_minimum_msat` above this closes a channel to usual payments.
pub const HTLC_MINIMUM_MOST: Sat = Sat::new(10_000);

/// A fellow that says that it has withdrawn its free corridor from this member is excused for so long
/// at a stretch; the allowance grows back in [`WITHDRAWAL_REST`].
pub const WITHDRAWAL_EXCUSE: Millis = Millis::from_days(14);

/// In this much time without a withdrawal the whole [`WITHDRAWAL_EXCUSE`] grows back: 14 days of 30.
pub const WITHDRAWAL_REST: Millis = Millis::from_days(16);

/// When two members withdrew from each other, each takes its blame back after this, doubled each time
/// up to [`TRUCE_MAX`], and starts anew.
pub const TRUCE: Millis = Millis::from_hours(24);

/// The longest wait before a truce.
pub const TRUCE_MAX: Millis = Millis::from_days(16);

/// Each corridor is tested by a payment about this often: what no message shows is found within a day.
pub const LINK_TEST_INTERVAL: Millis = Millis::from_hours(24);

/// A test that said nothing is tried again after this, by another way where there is one.
pub const LINK_TEST_RETRY: Millis = Millis::from_hours(1);
