//! Fee truth: whether a fellow asks of this member what was agreed.
//!
//! A member judges what fellows ask for forwarding out over their channels with it: the policy in the
//! peer's own `channel_update`, which the node shows, and the graph's where it does not. What two other
//! members ask of each other it never judges: it can't know their flags.
//!
//! A channel is *right*, *suspected*, or *blamed*. A wrong policy is suspected at the first look. Once
//! it was wrong without a break for a grace, and then at [`FEE_CONFIRMATIONS`] more looks a minute
//! apart, its owner is blamed; the first look at which all its channels are right takes the blame back.
//! The grace begins anew whenever what is expected changes, when the channel was unusable, when the
//! fellow's agent was away, and after a restart, so updates on their way, gossip that comes late and
//! members that could not know better are blamed for nothing. Times are of the running boot: setting a
//! wall clock changes nothing here.

use hive_types::limits::{
    FEE_CONFIRMATIONS, FEE_GRACE, FEE_GRACE_GOSSIP, FEE_GRACE_STALE, HTLC_MAXIMUM_LEAST,
    HTLC_MINIMUM_MOST, OBSERVE_INTERVAL,
};
use hive_types::{
    ChannelId, ChannelPolicy, Elapsed, Millis, Msat, NodeId, Ppm, Sat, ShortChannelId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a fellow may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// Nothing: both are full members.
    Nothing,
    /// At most this rate, and no base fee: it said that outsiders drain the corridor.
    AtMost(Ppm),
    /// Half of what it asked before joining, which nobody else knows: fees are not judged.
    Discount,
}

impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::AtMost(rate) => write!(f, "at most {rate}"),
            Self::Discount => f.write_str("half of before"),
        }
    }
}

/// Where a policy was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The peer's own update, as the node shows it on the channel.
    Update,
    /// The graph, where the node does not show the update.
    Gossip,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Update => "its own update",
            Self::Gossip => "gossip",
        })
    }
}

/// One look at one channel with a fellow.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The fellow.
    pub fellow: NodeId,
    /// The channel.
    pub channel: ChannelId,
    /// Its place in the chain, for the evidence.
    pub scid: Option<ShortChannelId>,
    /// Both ends' money.
    pub capacity: Sat,
    /// What the fellow can send over it.
    pub can_send: Msat,
    /// What it asks, and where that was seen.
    pub seen: Option<(ChannelPolicy, Source)>,
    /// What it may ask.
    pub agreed: Agreed,
    /// Whether the peer is connected and the channel carries payments.
    pub is_usable: bool,
    /// Whether the fellow's agent was heard lately.
    pub is_fresh: bool,
    /// Whether the fellow has told that it withdrew its free corridor, and is excused for a while.
    pub is_excused: bool,
}

/// What is wrong with a policy towards a fellow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A rate.
    Rate(Ppm),
    /// A base fee.
    Base(Msat),
    /// A positive inbound rate, in millionths.
    InboundRate(i32),
    /// A positive inbound base fee, in msat.
    InboundBase(i32),
    /// A `htlc_maximum_msat` that lets next to nothing through.
    HtlcMaximum(Msat),
    /// A `htlc_minimum_msat` that lets only large payments through.
    HtlcMinimum(Msat),
    /// A direction that is disabled while the channel could carry payments.
    Disabled,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "rate {rate}"),
            Self::Base(base) => write!(f, "base fee {base}"),
            Self::InboundRate(rate) => write!(f, "inbound rate {rate}ppm"),
            Self::InboundBase(base) => write!(f, "inbound base fee {base}msat"),
            Self::HtlcMaximum(most) => write!(f, "htlc_maximum {most}"),
            Self::HtlcMinimum(least) => write!(f, "htlc_minimum {least}"),
            Self::Disabled => f.write_str("disabled while connected"),
        }
    }
}

impl Look {
    /// What is wrong; nothing when nothing is seen.
    pub fn faults(&self) -> Vec<Fault> {
        let Some((policy, _)) = self.seen else {
            return Vec::new();
        };
        let mut faults = self.fee_faults(&policy);
        let tenth = Msat::new(self.capacity.to_msat_saturating().get() / 10);
        let least = HTLC_MAXIMUM_LEAST.to_msat_saturating().min(tenth);
        // Tools set it to what can be sent: a dry channel's is small for a good reason.
        let could = self.can_send.get() / 2 >= least.get();
        if policy.htlc_maximum < least && could {
            faults.push(Fault::HtlcMaximum(policy.htlc_maximum));
        }
        if policy.htlc_minimum > HTLC_MINIMUM_MOST.to_msat_saturating() {
            faults.push(Fault::HtlcMinimum(policy.htlc_minimum));
        }
        if policy.disabled {
            faults.push(Fault::Disabled);
        }
        faults
    }

    fn fee_faults(&self, policy: &ChannelPolicy) -> Vec<Fault> {
        let most = match self.agreed {
            Agreed::Nothing => Ppm::ZERO,
            Agreed::AtMost(rate) => rate,
            Agreed::Discount => return Vec::new(),
        };
        let mut faults = Vec::new();
        if policy.rate > most {
            faults.push(Fault::Rate(policy.rate));
        }
        if !policy.base.is_zero() {
            faults.push(Fault::Base(policy.base));
        }
        if policy.inbound_ppm > 0 {
            faults.push(Fault::InboundRate(policy.inbound_ppm));
        }
        if policy.inbound_base_msat > 0 {
            faults.push(Fault::InboundBase(policy.inbound_base_msat));
        }
        faults
    }

    fn grace(&self, source: Source) -> Millis {
        match source {
            _ if !self.is_fresh => FEE_GRACE_STALE,
            Source::Update => FEE_GRACE,
            Source::Gossip => FEE_GRACE_GOSSIP,
        }
    }

    fn evidence(&self, faults: &[Fault], source: Source) -> String {
        let place = self.scid.map(|scid| scid.to_string());
        let place = place.unwrap_or_else(|| self.channel.to_string());
        let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
        let (asked, agreed) = (faults.join(", "), self.agreed);
        format!("channel {place}: {asked} by {source}; agreed was {agreed}")
    }
}

/// What follows from a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Something is wrong, for the first time.
    Suspected {
        /// Whose.
        fellow: NodeId,
        /// What was seen.
        evidence: String,
    },
    /// It stayed wrong beyond every excuse.
    Blamed {
        /// Whose.
        fellow: NodeId,
        /// What was seen.
        evidence: String,
    },
    /// A fellow that was blamed is right again.
    Right {
        /// Who.
        fellow: NodeId,
    },
}

/// What a suspicion rests on: when one of these changes, its time begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ground {
    agreed: Agreed,
    source: Source,
    is_fresh: bool,
}

#[derive(Clone, Copy, Debug)]
struct Suspicion {
    ground: Ground,
    since: Elapsed,
    confirmations: u8,
    confirmed: Elapsed,
}

/// What is suspected of fellows. Forgotten by a restart, after which every grace begins anew.
///
/// ```
/// use hive_policy::truth::{Agreed, FeeTruth, Judgement, Look, Source};
/// use hive_types::*;
/// use std::collections::BTreeSet;
///
/// let fellow: NodeId = "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619".parse()?;
/// let policy = ChannelPolicy {
///     base: Msat::ZERO,
///     rate: Ppm::new(500),
///     cltv_delta: 80,
///     htlc_minimum: Msat::new(1),
///     htlc_maximum: Msat::new(990_000_000),
///     disabled: false,
///     inbound_base_msat: 0,
///     inbound_ppm: 0,
/// };
/// let look = Look {
///     fellow,
///     channel: ChannelId::from_bytes([1; 32]),
///     scid: None,
///     capacity: Sat::new(1_000_000),
///     can_send: Msat::new(500_000_000),
///     seen: Some((policy, Source::Update)),
///     agreed: Agreed::Nothing,
///     is_usable: true,
///     is_fresh: true,
///     is_excused: false,
/// };
/// let mut truth = FeeTruth::default();
/// let said = truth.observe(Elapsed::new(0), &[look], &BTreeSet::new());
/// assert!(matches!(said[..], [Judgement::Suspected { .. }]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FeeTruth {
    suspicions: BTreeMap<(NodeId, ChannelId), Suspicion>,
}

impl FeeTruth {
    /// Judges all channels with fellows. `blamed` are those that bear a blame for their fees.
    pub fn observe(
        &mut self,
        now: Elapsed,
        looks: &[Look],
        blamed: &BTreeSet<NodeId>,
    ) -> Vec<Judgement> {
        let seen: BTreeSet<_> = looks.iter().map(|l| (l.fellow, l.channel)).collect();
        self.suspicions.retain(|key, _| seen.contains(key));
        let mut said = Vec::new();
        let mut unsettled = BTreeSet::new();
        for look in looks {
            match self.look(now, look) {
                Sight::Right => {}
                Sight::Unclear => drop(unsettled.insert(look.fellow)),
                Sight::Wrong(judgement) => {
                    unsettled.insert(look.fellow);
                    said.extend(judgement);
                }
            }
        }
        let right = blamed.iter().filter(|fellow| !unsettled.contains(*fellow));
        said.extend(right.map(|fellow| Judgement::Right { fellow: *fellow }));
        said
    }

    /// Fellows that are suspected and not yet blamed, or blamed and still wrong.
    pub fn suspects(&self) -> BTreeSet<NodeId> {
        self.suspicions.keys().map(|(fellow, _)| *fellow).collect()
    }

    /// Begins anew with a fellow.
    pub fn forget(&mut self, fellow: &NodeId) {
        self.suspicions.retain(|(of, _), _| of != fellow);
    }

    fn look(&mut self, now: Elapsed, look: &Look) -> Sight {
        let key = (look.fellow, look.channel);
        let faults = look.faults();
        let Some((_, source)) = look.seen.filter(|_| look.is_usable && !look.is_excused) else {
            self.suspicions.remove(&key);
            return Sight::Unclear;
        };
        if faults.is_empty() {
            self.suspicions.remove(&key);
            return Sight::Right;
        }
        let ground = Ground {
            agreed: look.agreed,
            source,
            is_fresh: look.is_fresh,
        };
        let begun = Suspicion {
            ground,
            since: now,
            confirmations: 0,
            confirmed: now,
        };
        let (fellow, evidence) = (look.fellow, look.evidence(&faults, source));
        let Some(held) = self.suspicions.get_mut(&key) else {
            self.suspicions.insert(key, begun);
            return Sight::Wrong(Some(Judgement::Suspected { fellow, evidence }));
        };
        if held.ground != ground {
            *held = begun;
        } else if now.since(held.since) >= look.grace(source)
            && now.since(held.confirmed) >= OBSERVE_INTERVAL
        {
            held.confirmations = held.confirmations.saturating_add(1);
            held.confirmed = now;
        }
        let is_sure = held.confirmations >= FEE_CONFIRMATIONS;
        Sight::Wrong(is_sure.then_some(Judgement::Blamed { fellow, evidence }))
    }
}

/// What one look says.
enum Sight {
    Right,
    /// Nothing can be said now.
    Unclear,
    Wrong(Option<Judgement>),
}
