//! Members that misbehave for good: what each does, and what its fellows should find.

use super::{Cheat, Fleet, Lie};
use crate::world::{Rng, hash_of};
use hive_policy::conduct::FlagKind;
use hive_proto::{
    Counter, Delta, Item, Message, Record, RecordBody, RecordFields, RecordKind, Routed,
    SealDomain, Sealed, Statement, Version, Vote, VoteKind, VoteText, codec, keys,
};
use hive_types::{
    ChannelId, ChannelPolicy, LocalSnapshot, Millis, Msat, NodeId, Ppm, Sat, ShortChannelId,
};

/// A fleet's most frequent misdeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Adversary {
    /// Its policy towards fellows is not the agreed one.
    FeeCheat,
    /// It claims channels and balances that it has not.
    CapacityLiar,
    /// It signs two contents under one version.
    Equivocator,
    /// It accepts two decisions in one ballot.
    DoubleAccepter,
    /// It takes locks and never opens.
    Squatter,
    /// It forges votes and flips bits of others' records.
    VoteForger,
    /// It sends above its quota.
    Flooder,
}

impl Adversary {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::FeeCheat,
        Self::CapacityLiar,
        Self::Equivocator,
        Self::DoubleAccepter,
        Self::Squatter,
        Self::VoteForger,
        Self::Flooder,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FeeCheat => "fee_cheat",
            Self::CapacityLiar => "capacity_liar",
            Self::Equivocator => "equivocator",
            Self::DoubleAccepter => "double_accepter",
            Self::Squatter => "squatter",
            Self::VoteForger => "vote_forger",
            Self::Flooder => "flooder",
        }
    }

    /// What it is to be blamed for.
    pub const fn blamed_for(self) -> FlagKind {
        match self {
            Self::FeeCheat => FlagKind::Fees,
            Self::CapacityLiar => FlagKind::Claims,
            Self::Equivocator => FlagKind::Equivocation,
            Self::DoubleAccepter => FlagKind::DoubleAcceptance,
            Self::Squatter => FlagKind::Squatting,
            Self::VoteForger => FlagKind::Forgery,
            Self::Flooder => FlagKind::Flooding,
        }
    }

    /// Whether it shows to those alone who have a channel with it.
    pub const fn shows_in_channels(self) -> bool {
        matches!(self, Self::FeeCheat | Self::CapacityLiar)
    }

    /// The time within which most of those to whom it shows have to blame it, partitions and their own
    /// time off line included. It counts from when it shows to somebody: a squatter once
    /// its locks are past the block from which on it may not start, which blocks decide. One who accepts
    /// twice shows once somebody proposes something.
    pub const fn found_within(self) -> Millis {
        match self {
            Self::DoubleAccepter => Millis::from_hours(4),
            _ => Millis::from_hours(3),
        }
    }

    /// How it lies, details from the seed.
    pub(crate) fn lie(self, rng: &mut Rng) -> Lie {
        let cheats = [
            Cheat::Rate,
            Cheat::Base,
            Cheat::HtlcMaximum,
            Cheat::Inbound,
            Cheat::Disabled,
        ];
        match self {
            Self::FeeCheat => Lie::Cheats(cheats[rng.below(cheats.len() as u64) as usize]),
            Self::CapacityLiar => Lie::Overstates,
            Self::Equivocator => Lie::Equivocates,
            Self::DoubleAccepter => Lie::AcceptsTwice,
            Self::Squatter => Lie::Squats,
            Self::VoteForger => Lie::ForgesVotes,
            Self::Flooder => Lie::Floods,
        }
    }
}

/// Frames that a flood brings each fellow at each turn: at a turn every ten seconds well above what
/// they look at in a minute, also where a quarter is lost.
const FLOOD_FRAMES: u32 = 350;

impl Fleet {
    /// Does what a lying agent does of its own accord. To be called every ten seconds.
    pub fn misbehave(&mut self, agent: usize) {
        if self.agents[agent].hive.is_none() {
            return;
        }
        match self.agents[agent].lie {
            Some(Lie::Cheats(cheat)) => self.cheat(agent, cheat),
            Some(Lie::ForgesVotes) => self.forge_votes(agent),
            Some(Lie::Floods) => self.flood_fellows(agent),
            _ => {}
        }
    }

    /// Sets policies towards fellows' nodes that were not agreed, again and again.
    fn cheat(&mut self, agent: usize, cheat: Cheat) {
        let node = self.agents[agent].node;
        let channels: Vec<_> = self.world.channels().collect();
        for channel in channels {
            let Some(side) = channel.nodes.iter().position(|end| *end == node) else {
                continue;
            };
            let peer = channel.nodes[1 - side];
            let before = channel.policies[side];
            let asked = cheating(before, cheat);
            if before != asked && self.agents.iter().any(|other| other.node == peer) {
                // A channel that is closing keeps its policy.
                let _ = self.world.set_policy(node, channel.id, asked);
            }
        }
    }

    fn fellows_of(&self, agent: usize) -> Vec<NodeId> {
        let own = self.agents[agent].node;
        let others = self.agents.iter().map(|other| other.node);
        let mut fellows: Vec<NodeId> = others
            .filter(|node| *node != own && self.world.is_connected(own, *node))
            .collect();
        fellows.sort();
        fellows.dedup();
        fellows
    }

    /// To each fellow a vote of somebody else to expel it. A minute of every five, so that it is seen
    /// through losses and within a bounded time.
    fn forge_votes(&mut self, agent: usize) {
        if !(self.world.now().get() / 60_000).is_multiple_of(5) {
            return;
        }
        for to in self.fellows_of(agent) {
            let Some(bytes) = self.forged_vote(agent, to) else {
                continue;
            };
            self.send_frame(agent, to, bytes);
        }
    }

    fn forged_vote(&self, agent: usize, subject: NodeId) -> Option<Vec<u8>> {
        let own = self.agents[agent].node;
        let (secret, manifest) = self.agents[agent].disk.identity()?;
        let hive = manifest.certification().hive;
        let mut others = self.agents.iter();
        let victim = others.find(|other| other.node != own && other.node != subject)?;
        let epoch = victim.disk.manifest()?.certification().epoch;
        let text = VoteText {
            kind: VoteKind::Expel,
            subject,
            roster: hive_types::Digest::from_bytes(hash_of("roster", &[])),
        };
        let vote = Vote::sign(text, victim.node, epoch, &secret, &hive);
        let fields = RecordFields {
            author: victim.node,
            version: Version {
                epoch,
                counter: Counter(1 << 20),
            },
            key: keys::vote(VoteKind::Expel, &subject),
            kind: RecordKind::VOTE,
            schema: Vote::SCHEMA,
            expiry_secs: 0,
            body: vote.encode(),
        };
        let forged = Record::sign(fields, &secret, &hive).ok()?;
        let delta = Delta {
            hops: 0,
            items: vec![Item::Record(forged.bytes().to_vec())],
            want: Vec::new(),
            more: false,
        };
        Message::Delta(delta).to_frame().ok()
    }

    /// Frames of a kind that nobody knows, for three minutes of every twenty.
    fn flood_fellows(&mut self, agent: usize) {
        if self.world.now().get() / 60_000 % 20 >= 3 {
            return;
        }
        for to in self.fellows_of(agent) {
            for number in 0..FLOOD_FRAMES {
                let bytes = [b"HIVE\x01\x78".as_slice(), &number.to_le_bytes()].concat();
                self.send_frame(agent, to, bytes);
            }
        }
    }

    /// The acceptance in this frame again, of another decision in the same ballot.
    pub(super) fn second_acceptance(&self, agent: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        let Ok(Message::Routed(routed)) = Message::from_frame(bytes) else {
            return None;
        };
        let this = &self.agents[agent];
        let (secret, manifest) = this.disk.identity()?;
        let Ok(Statement::Accepted {
            slot,
            ballot,
            decision,
        }) = codec::decode(&routed.statement.body)
        else {
            return None;
        };
        if routed.statement.author != this.node {
            return None;
        }
        let other = hash_of("another decision", &[decision.as_bytes()]);
        let body = codec::encode(&Statement::Accepted {
            slot,
            ballot,
            decision: hive_types::Digest::from_bytes(other),
        });
        let statement = Sealed::new(
            &secret,
            SealDomain::Statement,
            &manifest.certification().hive,
            this.node,
            routed.statement.epoch,
            body,
        );
        let second = Routed {
            statement,
            ..routed
        };
        Message::Routed(second).to_frame().ok()
    }
}

fn cheating(policy: ChannelPolicy, cheat: Cheat) -> ChannelPolicy {
    match cheat {
        Cheat::Rate => ChannelPolicy {
            rate: Ppm::new(500),
            ..policy
        },
        Cheat::Base => ChannelPolicy {
            base: Msat::new(1_000),
            ..policy
        },
        Cheat::HtlcMaximum => ChannelPolicy {
            htlc_minimum: Msat::new(1),
            htlc_maximum: Msat::new(1_000),
            ..policy
        },
        Cheat::Inbound => ChannelPolicy {
            inbound_ppm: 500,
            ..policy
        },
        Cheat::Disabled => ChannelPolicy {
            disabled: true,
            ..policy
        },
    }
}

/// All of every channel is one's own, and there are three large ones more.
pub(super) fn overstate(snapshot: &mut LocalSnapshot) {
    for channel in &mut snapshot.channels {
        channel.spendable = channel.capacity.to_msat_saturating();
        channel.receivable = Msat::ZERO;
    }
    let Some(like) = snapshot.channels.first().cloned() else {
        return;
    };
    for number in 1..=3u32 {
        let Some(scid) = ShortChannelId::new(number, 7, 0) else {
            continue;
        };
        let mut false_one = like.clone();
        false_one.channel_id =
            ChannelId::from_bytes(hash_of("no channel", &[&number.to_le_bytes()]));
        false_one.scid = Some(scid);
        false_one.capacity = Sat::new(500_000_000);
        false_one.spendable = false_one.capacity.to_msat_saturating();
        snapshot.channels.push(false_one);
    }
    snapshot.channels.sort_by_key(|channel| channel.channel_id);
}
