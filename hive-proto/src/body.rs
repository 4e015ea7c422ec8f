//! The bodies of records, and the keys under which they stand.

use crate::codec::{self, DecodeError};
use crate::decision::{Vote, VoteKind};
use crate::heartbeat::HeartbeatError;
use crate::manifest::Manifest;
use crate::record::RecordKind;
use hive_types::limits::{
    BANS_TOLD, CORRIDOR_FLOOR_MAX, INTENTS_PER_MEMBER, MEMBERS, OBSERVATIONS_PER_MEMBER,
    PRESENCE_SLOTS,
};
use hive_types::{
    ActionId, BanReason, Constraint, Intent, Msat, NodeId, Opportunity, OutPoint, Ppm, Toxicity,
    UnixMillis,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A record's body of a kind that this build knows.
pub trait RecordBody: Sized {
    /// Its kind.
    const KIND: RecordKind;
    /// Its schema.
    const SCHEMA: u8 = 1;

    /// The one encoding.
    fn encode(&self) -> Vec<u8>;

    /// The value that the bytes encode.
    ///
    /// # Errors
    /// [`BodyError`] for anything but the one encoding of a value within its ranges.
    fn decode(body: &[u8]) -> Result<Self, BodyError>;
}

/// The body does not count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// Not the encoding of such a value.
    #[error("body: {0}")]
    Encoding(#[from] DecodeError),
    /// Not a heartbeat.
    #[error(transparent)]
    Heartbeat(#[from] HeartbeatError),
    /// A value outside its range.
    #[error("body: {0}")]
    Range(&'static str),
}

/// A member's word on an outside peer. At least one of both is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// On whom.
    pub peer: NodeId,
    /// How toxic.
    pub toxicity: Option<Toxicity>,
    /// How rewarding.
    pub opportunity: Option<Opportunity>,
}

/// A member bans an outside peer. What a single ban is worth is for each receiver to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Whom.
    pub peer: NodeId,
    /// Why.
    pub reason: BanReason,
    /// What was seen of it, the incidents that the reason names among it.
    pub evidence: Toxicity,
    /// When it ends, by the author's wall clock; receivers hold it at their own limit.
    pub until: UnixMillis,
    /// Whether the author takes the ban back.
    pub lifted: bool,
}

/// Why a member leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DepartureReason {
    /// By `hive-leave`.
    Operator,
    /// The node is shut down for good.
    Decommissioned,
}

/// A member leaves. It ends its acts, locks and acceptances at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// Who; the record's author.
    pub node: NodeId,
    /// Why.
    pub reason: DepartureReason,
}

/// The funding of an open under a lock was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funding {
    /// The lock's resource.
    pub target: NodeId,
    /// The holder's action.
    pub action: ActionId,
    /// The channel's funding output.
    pub outpoint: OutPoint,
}

/// A member tells what it asks of a fellow for passing out to it. Agreed is nothing between full
/// members; a record is written only once something else was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corridor {
    /// The fellow at the other end of the author's channels.
    pub fellow: NodeId,
    /// What is asked.
    pub terms: CorridorTerms,
}

/// What is asked of a fellow for passing out to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CorridorTerms {
    /// What was agreed, again.
    Agreed,
    /// What was asked before joining: the author blames the fellow for something. Receivers excuse it
    /// for a bounded time.
    Withdrawn(WithdrawnFor),
    /// A small rate, as outsiders drain the corridor; at most
    /// [`hive_types::limits::CORRIDOR_FLOOR_MAX`].
    Floor(Ppm),
}

/// What a fellow is blamed for that has lost its free corridor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WithdrawnFor {
    /// Its own fees towards the author.
    Fees,
    /// Payments that end in it.
    BlackHole,
}

/// What a member counted of its fellows. Each says what it saw itself; what is made of it is in
/// hive-policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The newest slot of the chain that it speaks of, in units of
    /// [`hive_types::limits::PRESENCE_SLOT_BLOCKS`].
    pub slot: u32,
    /// Slots in which the author looked, one bit each, the newest first, lowest bit first.
    pub watched: TallySlots,
    /// Whole days over which forwards were counted.
    pub days: u8,
    /// Fellows, in order of node ids.
    pub rows: Vec<TallyRow>,
}

/// One bit for each slot of a week.
pub type TallySlots = [u8; PRESENCE_SLOTS / 8];

/// What a member counted of one fellow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TallyRow {
    /// The fellow.
    pub fellow: NodeId,
    /// The slot from which on the author watched it.
    pub since: u32,
    /// Slots in which it was seen, as in [`Tally::watched`].
    pub seen: TallySlots,
    /// What the author forwarded to it, coarsely.
    pub given: Msat,
    /// What it forwarded to the author and the author forwarded on, coarsely.
    pub taken: Msat,
}

macro_rules! by_codec {
    ($($body:ty = $kind:ident, $check:expr;)+) => {$(
        impl RecordBody for $body {
            const KIND: RecordKind = RecordKind::$kind;

            fn encode(&self) -> Vec<u8> {
                codec::encode(self)
            }

            fn decode(body: &[u8]) -> Result<Self, BodyError> {
                let value = codec::decode(body)?;
                let check: fn(&Self) -> Option<&'static str> = $check;
                match check(&value) {
                    Some(wrong) => Err(BodyError::Range(wrong)),
                    None => Ok(value),
                }
            }
        }
    )+};
}

by_codec! {
    Manifest = MANIFEST, |_| None;
    Constraint = CONSTRAINT, |body| (body.channel_min > body.channel_max)
        .then_some("the smallest channel is above the largest");
    Intent = INTENT, |body| body.capacity.is_zero().then_some("an intent of nothing");
    Observation = OBSERVATION, wrong_observation;
    Vote = VOTE, |_| None;
    Departure = DEPARTURE, |_| None;
    Funding = FUNDING, |_| None;
    Ban = BAN, wrong_ban;
    Corridor = CORRIDOR, |body| matches!(body.terms, CorridorTerms::Floor(rate) if rate > CORRIDOR_FLOOR_MAX)
        .then_some("a floor above the highest one");
    Tally = TALLY, wrong_tally;
}

/// A ban bears the evidence that it names; only an operator's word stands alone.
fn wrong_ban(body: &Ban) -> Option<&'static str> {
    if body.evidence.failure_rate > Ppm::ONE {
        return Some("a rate above one");
    }
    let is_bare = body.reason != BanReason::Operator && body.evidence.incidents(body.reason) == 0;
    (is_bare && !body.lifted).then_some("a ban without the evidence that it names")
}

fn wrong_tally(body: &Tally) -> Option<&'static str> {
    let in_order = body.rows.is_sorted_by(|one, next| one.fellow < next.fellow);
    let early = body.rows.iter().any(|row| row.since > body.slot);
    match () {
        () if body.rows.len() > MEMBERS => Some("more fellows than a fleet has"),
        () if !in_order => Some("fellows are out of order"),
        () if early => Some("watched since a slot to come"),
        () => None,
    }
}

fn wrong_observation(body: &Observation) -> Option<&'static str> {
    let above = |rate: Option<Ppm>| rate.is_some_and(|rate| rate > Ppm::ONE);
    if body.toxicity.is_none() && body.opportunity.is_none() {
        return Some("an observation that says nothing");
    }
    let rates = above(body.toxicity.map(|toxicity| toxicity.failure_rate))
        || above(
            body.opportunity
                .and_then(|opportunity| opportunity.success_rate),
        );
    rates.then_some("a rate above one")
}

/// The keys under which records stand.
///
/// A key's first byte is its kind's number. Manifest and heartbeats have one-byte keys, which may
/// hold a record as long as a body may be; under any other key records are small
/// ([`hive_types::limits::SMALL_RECORD_BYTES`]).
pub mod keys {
    use super::{NodeId, VoteKind};
    use crate::record::RecordKind;

    /// The manifest's.
    pub fn manifest() -> Vec<u8> {
        plain(RecordKind::MANIFEST)
    }

    /// Of what was counted of fellows.
    pub fn tally() -> Vec<u8> {
        plain(RecordKind::TALLY)
    }

    /// The full heartbeat's.
    pub fn heartbeat_full() -> Vec<u8> {
        plain(RecordKind::HEARTBEAT_FULL)
    }

    /// The heartbeat's changes'.
    pub fn heartbeat_change() -> Vec<u8> {
        plain(RecordKind::HEARTBEAT_CHANGE)
    }

    /// The constraint's.
    pub fn constraint() -> Vec<u8> {
        plain(RecordKind::CONSTRAINT)
    }

    /// The departure's.
    pub fn departure() -> Vec<u8> {
        plain(RecordKind::DEPARTURE)
    }

    /// Of the intent to open to a target.
    pub fn intent(target: &NodeId) -> Vec<u8> {
        about(RecordKind::INTENT, target)
    }

    /// Of the word on a peer.
    pub fn observation(peer: &NodeId) -> Vec<u8> {
        about(RecordKind::OBSERVATION, peer)
    }

    /// Of the vote on a member.
    pub fn vote(kind: VoteKind, subject: &NodeId) -> Vec<u8> {
        let mut key = about(RecordKind::VOTE, subject);
        key.push(match kind {
            VoteKind::Promote => 0,
            VoteKind::Expel => 1,
        });
        key
    }

    /// Of the funding of an open to a target.
    pub fn funding(target: &NodeId) -> Vec<u8> {
        about(RecordKind::FUNDING, target)
    }

    /// Of the ban of a peer.
    pub fn ban(peer: &NodeId) -> Vec<u8> {
        about(RecordKind::BAN, peer)
    }

    /// Of what is asked of a fellow for passing out to it.
    pub fn corridor(fellow: &NodeId) -> Vec<u8> {
        about(RecordKind::CORRIDOR, fellow)
    }

    fn plain(kind: RecordKind) -> Vec<u8> {
        kind.0.to_le_bytes().into_iter().take(1).collect()
    }

    fn about(kind: RecordKind, node: &NodeId) -> Vec<u8> {
        let mut key = plain(kind);
        key.extend_from_slice(node.as_bytes());
        key
    }
}

/// How many records of a kind count of one member: the newest ones; `None` where each key counts.
pub const fn per_member(kind: RecordKind) -> Option<usize> {
    match kind {
        RecordKind::INTENT => Some(INTENTS_PER_MEMBER),
        RecordKind::OBSERVATION => Some(OBSERVATIONS_PER_MEMBER),
        RecordKind::BAN => Some(BANS_TOLD),
        _ => None,
    }
}
