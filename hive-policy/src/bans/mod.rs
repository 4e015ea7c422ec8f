//! Outside peers to keep away from: no new channels, no probes, no payments through them. A ban closes
//! no channel and changes no fee.
//!
//! The operator's own bans hold for this node at once, and so does what the own node saw. What fellows
//! say holds only with corroboration: evidence by [`corroboration`] full members, of whom one at least
//! is honest as long as fewer than a third lie. A single member, also one that lies, moves nothing. The
//! operator's allow-list comes before everything.

mod list;
mod watch;

pub use list::{Ban, BanError, BanList};
pub use watch::{COMPARED, PeerWatch};

use hive_types::limits::{
    BAN_DUST_HTLCS, BAN_FAILURE_RATE, BAN_FEE_RAISES, BAN_FORCE_CLOSES, BAN_FORWARDS, BAN_JAMS,
    BAN_STUCK_HTLCS, EVIDENCE_LIFETIME, EVIDENCE_SKEW, corroboration,
};
use hive_types::{BanReason, FleetView, NodeId, Now, ObservationView, Tier, Toxicity};
use std::collections::{BTreeMap, BTreeSet};

/// All peers to keep away from now: own bans, own evidence, and evidence of enough full members;
/// without allowed peers and without members, who are for votes.
pub fn effective(now: Now, fleet: &FleetView, own: &BanList) -> BTreeSet<NodeId> {
    let full = |fellow: &&hive_types::FellowView| fellow.tier == Tier::Full;
    let needed = corroboration(fleet.members.iter().filter(full).count());
    let mut accusers: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    for word in fleet
        .observations
        .iter()
        .filter(|word| counts(now, fleet, word))
    {
        accusers.entry(word.peer).or_default().insert(word.author);
    }
    let mine = |authors: &BTreeSet<NodeId>| fleet.me.is_some_and(|me| authors.contains(&me));
    let corroborated = accusers
        .into_iter()
        .filter(|(_, authors)| authors.len() >= needed || mine(authors))
        .map(|(peer, _)| peer);
    let member = |peer| fleet.members.iter().any(|fellow| fellow.node_id == peer);
    corroborated
        .chain(own.bans(now).map(|(peer, _)| *peer))
        .filter(|peer| !own.is_allowed(*peer) && !member(*peer))
        .collect()
}

/// Whether a word is evidence by somebody whose evidence counts: a full member or the own node.
pub fn counts(now: Now, fleet: &FleetView, word: &ObservationView) -> bool {
    let convicts = word.toxicity.is_some_and(|found| is_evidence(now, &found));
    convicts && (fleet.me == Some(word.author) || is_full_member(fleet, word.author))
}

fn is_full_member(fleet: &FleetView, author: NodeId) -> bool {
    let mut members = fleet.members.iter();
    members.any(|fellow| fellow.node_id == author && fellow.tier == Tier::Full)
}

/// Recent, and more than happens to everybody.
pub fn is_evidence(now: Now, found: &Toxicity) -> bool {
    let recent = now.wall.since(found.last_seen) < EVIDENCE_LIFETIME
        && found.last_seen.since(now.wall) <= EVIDENCE_SKEW;
    recent && gravest(found).is_some()
}

/// What the incidents are evidence of, if they are more than happens to everybody: of several reasons
/// the one that costs most.
pub fn gravest(found: &Toxicity) -> Option<BanReason> {
    let fails = found.failure_rate >= BAN_FAILURE_RATE && found.forwards >= BAN_FORWARDS;
    let reasons = [
        (
            found.force_closes >= BAN_FORCE_CLOSES,
            BanReason::ForceCloses,
        ),
        (found.jams >= BAN_JAMS, BanReason::Jamming),
        (found.stuck_htlcs >= BAN_STUCK_HTLCS, BanReason::StuckHtlcs),
        (found.dust_htlcs >= BAN_DUST_HTLCS, BanReason::Dust),
        (found.fee_raises >= BAN_FEE_RAISES, BanReason::FeeSniping),
        (fails, BanReason::Failures),
    ];
    let grave = reasons.into_iter().find(|(is_grave, _)| *is_grave);
    grave.map(|(_, reason)| reason)
}
