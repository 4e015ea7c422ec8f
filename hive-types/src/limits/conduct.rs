//! Limits of how members judge each other's conduct. `docs/behaviour.md` has them in one table.

use crate::{Millis, Msat, Ppm};

/// What a probe would deliver at least: above every usual `htlc_minimum_msat` and the dust limit, and less
/// than a hundredth of the smallest channel worth having. It never settles.
pub const PROBE_AMOUNT: Msat = Msat::new(1_000_000);

/// What a probe would deliver at most. Amounts are drawn between both, so that nobody knows a probe by
/// its amount and treats it better than payments.
pub const PROBE_AMOUNT_MAX: Msat = Msat::new(5_000_000);

/// A fellow that is well is probed about this often: within a day a failure rate of a tenth shows.
pub const PROBE_INTERVAL: Millis = Millis::from_hours(1);

/// A fellow whose last probe failed is probed about this often: a black hole with the best of
/// histories is found within two hours, and one that is mended has its privileges back as soon.
pub const PROBE_SUSPECT_INTERVAL: Millis = Millis::from_secs(600);

/// Probes begun in any hour, whoever is probed: a quarter of the actions that a default policy
/// allows, so that probes never crowd out what matters.
pub const PROBES_PER_HOUR: u32 = 8;

/// A probe of two hops that is under way for this long is held: honest nodes answer in seconds, over
/// Tor within a minute.
pub const PROBE_PATIENCE: Millis = Millis::from_secs(300);

/// Probes that one fellow may hold at a time: enough to convict it, and 40,000 sat locked at most.
pub const PROBES_HELD: usize = 8;

/// A probe leaves a fellow only by a channel of which it says that it can send this many times the
/// largest probe: then too little balance is no excuse, whatever was paid since it said so.
pub const PROBE_HEADROOM: u64 = 20;

/// A probe leaves a fellow by one of this many of its channels, those to the best connected peers.
pub const PROBE_EXITS: usize = 8;

/// What was seen of a fellow counts half after this: a week, as people pay by the week.
pub const REPUTATION_HALF_LIFE: Millis = Millis::from_days(7);

/// Observations that count at most, in millionths of one: newer ones push older ones out, so that a
/// long good history hides nothing for longer than a dozen failures.
pub const REPUTATION_MEMORY: u64 = 12_000_000;

/// Successes, and failures, that are taken as seen before anything was: the uniform prior, Beta(1, 1),
/// in millionths of one.
pub const REPUTATION_PRIOR: u64 = 1_000_000;

/// What a held probe weighs, in millionths of an observation: it locks money for hours, where one
/// that fails at once locks it for seconds.
pub const HELD_WEIGHT: u64 = 3_000_000;

/// What a third party's report weighs, in millionths of an observation.
pub const REPORT_WEIGHT: u64 = 100_000;

/// One reporter's word on one fellow counts once in this time.
pub const REPORT_INTERVAL: Millis = Millis::from_days(1);

/// What all reports on a fellow weigh together at most, in millionths of an observation: half of one
/// failed probe of our own (case T56).
pub const REPORTS_WEIGHT: u64 = 500_000;

/// Failures of our own probes that a black hole shows at least: one or two happen to everybody.
pub const BLACK_HOLE_FAILURES: usize = 4;

/// Different nodes behind a fellow that those probes went to at least: one that holds HTLCs itself
/// makes no black hole of its peers.
pub const BLACK_HOLE_EXITS: usize = 2;

/// A fellow is a black hole when even the upper bound of its success rate is below this.
pub const BLACK_HOLE_BELOW: Ppm = Ppm::new(500_000);

/// A black hole is forgiven when its expected success rate is above this again.
pub const BLACK_HOLE_OVER: Ppm = Ppm::new(600_000);

/// Claims are taken as false after this many heartbeats in a row that contradict what is known: one
/// or two cross with a payment.
pub const CLAIM_CONTRADICTIONS: u32 = 3;

/// Two heartbeats count as different evidence only this far apart: a delayed one crosses with much.
pub const CLAIM_SPACING: Millis = Millis::from_secs(240);

/// A claim on a channel with ourselves may be above what we know by this share of the capacity: shares
/// come in 255 steps, fees of a commitment move, and only a change of a tenth is told at once.
pub const CLAIM_SLACK: Ppm = Ppm::new(120_000);

/// Heartbeats of which nothing can be said neither confirm nor clear what earlier ones said, for this
/// long: twice the time over which own balances are held against them, so that a dip passes.
pub const CLAIM_OPEN_MOST: Millis = Millis::from_hours(1);

/// Channels younger than this may be unknown to the graph: BOLT 7 announces after six confirmations,
/// and gossip may take a day.
pub const CLAIM_YOUNG_BLOCKS: u32 = 144;

/// Channels that the graph does not know are held against a fellow only after this time: a graph that
/// is being read again has them by then.
pub const CLAIM_UNKNOWN_AFTER: Millis = Millis::from_hours(6);

/// Channels unknown to the graph that are held against a fellow at least, and more than half of all
/// that it tells of: graphs miss a few channels for long.
pub const CLAIM_UNKNOWN_MIN: usize = 3;

/// Days of forwards that contributions are reckoned over: two weeks.
pub const CONTRIBUTION_DAYS: usize = 14;

/// Less volume than this towards a fellow says nothing of it, in sat; nor does less than the capacity
/// of the channels with it, which an honest imbalance can move once.
pub const CONTRIBUTION_VOLUME: Msat = Msat::new(1_000_000_000);

/// Fewer days of counting than this say nothing: people pay differently at weekends.
pub const CONTRIBUTION_MIN: Millis = Millis::from_days(3);

/// A fellow that brings less than this share of what it is brought is a leech: no pushes.
pub const LEECH_RATIO: Ppm = Ppm::new(500_000);

/// From this share on a leech is forgiven, so that it does not flap.
pub const LEECH_OVER: Ppm = Ppm::new(600_000);

/// A fellow that brings less than this share for [`LEECH_VOTE_AFTER`] is proposed for a vote.
pub const LEECH_VOTE_RATIO: Ppm = Ppm::new(300_000);

/// How long: long enough for its operator to see it and to mend it.
pub const LEECH_VOTE_AFTER: Millis = Millis::from_days(7);

/// What two sides counted of the same forwards may differ by this share and still agree: their days
/// begin at different hours.
pub const CONTRIBUTION_SLACK: Ppm = Ppm::new(250_000);

/// Blocks of a slot in which a member was either seen or not: an hour in the mean. Blocks are the one
/// clock that all members share.
pub const PRESENCE_SLOT_BLOCKS: u32 = 6;

/// Slots that a member attests: a week.
pub const PRESENCE_SLOTS: usize = 168;

/// Fewer slots than this say nothing of a member's uptime: six hours.
pub const PRESENCE_MIN: u32 = 6;
