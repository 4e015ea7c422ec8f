//! What an arm opened, and the network with it.

use crate::{Arm, EvaluateError, Settings};
use hive_planner::graph::{Graph, GraphUpdate, NodeIndex};
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
use std::collections::{BTreeMap, BTreeSet};

/// A peer's charge towards a new channel is the middle one of what it charges for this payment: about
/// the mean payment of August 2023 (River, 2023), so that base fee and rate both count.
pub(crate) const REFERENCE_AMOUNT: Msat = Msat::new(50_000_000);

/// LND's default `timelockdelta`, and the most common one in the public graph. Every arm's nodes use it.
pub(crate) const ARM_CLTV_DELTA: u16 = 80;

/// The smallest HTLC that new channels take, on both sides: LND's default.
const HTLC_MINIMUM: Msat = Msat::new(1_000);

/// Where a channel goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// To a node of the public graph.
    Outside(NodeId),
    /// To another member.
    Fellow(usize),
}

/// One on-chain open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) member: usize,
    pub(crate) to: End,
    pub(crate) capacity: Sat,
    /// What the arm charges for sending out over it; ignored between members of one house.
    pub(crate) base: Msat,
    pub(crate) rate: Ppm,
}

/// Everything that one arm opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) members: usize,
    pub(crate) opens: Vec<Open>,
    /// Work of the planner.
    pub(crate) settled: u64,
    pub(crate) notes: Vec<String>,
}

impl Placement {
    pub(crate) fn capital(&self) -> Sat {
        self.opens.iter().map(|open| open.capacity).sum()
    }

    pub(crate) fn links(&self) -> usize {
        let links = self.opens.iter();
        links
            .filter(|open| matches!(open.to, End::Fellow(_)))
            .count()
    }

    /// Outside targets, each with the members that opened to it.
    pub(crate) fn targets(&self) -> BTreeMap<NodeId, BTreeSet<usize>> {
        let mut targets: BTreeMap<NodeId, BTreeSet<usize>> = BTreeMap::new();
        for open in &self.opens {
            if let End::Outside(node) = open.to {
                targets.entry(node).or_default().insert(open.member);
            }
        }
        targets
    }

    /// No arm uses more than its share, in all or in any member.
    pub(crate) fn check(
        &self,
        arm: Arm,
        seed: u64,
        settings: &Settings,
    ) -> Result<(), EvaluateError> {
        let houses = if arm == Arm::Whale {
            1
        } else {
            settings.members
        };
        let channels = settings.opens() / houses.max(1);
        let capital = settings.channel_size().get() * u64::from(channels);
        let excess = (0..self.members).find_map(|member| {
            let own = self.opens.iter().filter(|open| open.member == member);
            let (opens, sum) = own.fold((0, 0), |(opens, sum), open| {
                (opens + 1, sum + open.capacity.get())
            });
            (opens > channels || sum > capital).then_some((opens, sum))
        });
        let strangers = self.members > houses as usize
            || self.opens.iter().any(|open| open.member >= self.members);
        match (excess, strangers) {
            (None, false) => Ok(()),
            (excess, _) => {
                let (opens, capital_sat) = excess.unwrap_or_default();
                Err(EvaluateError::Unequal {
                    arm: arm.name(),
                    seed,
                    opens,
                    capital_sat,
                    opens_allowed: channels,
                    capital_allowed_sat: capital,
                })
            }
        }
    }
}

/// The public graph with an arm in it.
pub(crate) struct Arranged {
    pub(crate) graph: Graph,
    /// Where each member is; `None` for one without channels.
    pub(crate) members: Vec<Option<NodeIndex>>,
    /// The same by node: one more than the member's number, zero for everybody else.
    member_of: Vec<u8>,
    /// Where each node of the public graph is now.
    pub(crate) moved: Vec<NodeIndex>,
}

impl Arranged {
    /// The number of the member at a node.
    pub(crate) fn member_at(&self, node: NodeIndex) -> Option<usize> {
        let tag = self.member_of.get(node.get()).copied()?;
        usize::from(tag).checked_sub(1)
    }
}

/// Puts an arm into the graph. Members' ids and their channels' ids are the highest there are, so that
/// public nodes and channels keep their order, and an arm gains nothing by where it stands.
pub(crate) fn arrange(graph: &Graph, placement: &Placement, one_house: bool) -> Arranged {
    let ids: Vec<NodeId> = fresh_ids(graph).take(placement.members).collect();
    let opens = placement.opens.iter().zip(fresh_channels(graph));
    let updates: Vec<GraphUpdate> = opens
        .flat_map(|(open, scid)| open_channel(graph, &ids, open, one_house, scid))
        .collect();
    let with = graph.updated(&updates);
    let place = |id: &NodeId| with.node_index(id);
    let moved = graph.nodes().map(|(_, id)| place(&id));
    let moved = moved
        .map(|at| at.expect("an update takes no node away"))
        .collect();
    let members: Vec<Option<NodeIndex>> = ids.iter().map(place).collect();
    let mut member_of = vec![0; with.node_count()];
    for (number, at) in members.iter().enumerate() {
        if let Some(at) = at {
            member_of[at.get()] = number as u8 + 1;
        }
    }
    Arranged {
        graph: with,
        members,
        member_of,
        moved,
    }
}

/// Node ids above every id that is likely in a graph, without those that are there.
pub(crate) fn fresh_ids(graph: &Graph) -> impl Iterator<Item = NodeId> + '_ {
    let ids = (0..=u16::MAX).filter_map(|number| {
        let mut bytes = [0xff; NodeId::SIZE];
        bytes[0] = 3;
        bytes[31..].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes).ok()
    });
    ids.filter(|id| graph.node_index(id).is_none())
}

/// Channel ids above those of any chain to come, without those that are there.
fn fresh_channels(graph: &Graph) -> impl Iterator<Item = ShortChannelId> + '_ {
    const FIRST: u64 = u64::MAX - (1 << 20);
    let ids = (FIRST..=u64::MAX).map(ShortChannelId::from_u64);
    ids.filter(|scid| graph.channel(*scid).is_none())
}

fn open_channel(
    graph: &Graph,
    ids: &[NodeId],
    open: &Open,
    one_house: bool,
    scid: ShortChannelId,
) -> Vec<GraphUpdate> {
    let Some(member) = ids.get(open.member).copied() else {
        return Vec::new();
    };
    let own = policy(open.base, open.rate, ARM_CLTV_DELTA, open.capacity);
    let free = policy(Msat::ZERO, Ppm::ZERO, ARM_CLTV_DELTA, open.capacity);
    let (peer, ours, theirs) = match open.to {
        End::Outside(peer) => (peer, own, usual_policy(graph, peer, open.capacity)),
        End::Fellow(fellow) => {
            let Some(fellow) = ids.get(fellow).copied() else {
                return Vec::new();
            };
            let both = if one_house { free } else { own };
            (fellow, both, Some(both))
        }
    };
    let nodes = [member, peer];
    let capacity = open.capacity;
    let added = GraphUpdate::ChannelAdded {
        scid,
        nodes,
        capacity,
    };
    let set = |from, policy| GraphUpdate::Policy { scid, from, policy };
    let mut updates = vec![added, set(member, ours)];
    updates.extend(theirs.map(|policy| set(peer, policy)));
    updates
}

/// What a peer is taken to charge towards a new channel: the middle one of the policies that it has
/// enabled now, ordered by their fee on the reference amount, and the timelock that it uses most.
/// `None` for a peer that forwards nothing now.
pub(crate) fn usual_policy(graph: &Graph, peer: NodeId, capacity: Sat) -> Option<ChannelPolicy> {
    let node = graph.node_index(&peer)?;
    let mut policies: Vec<(u64, Msat, Ppm)> = Vec::new();
    let mut deltas: BTreeMap<u16, u32> = BTreeMap::new();
    for edge in graph.channels_of(node) {
        if let Some(policy) = edge.usable() {
            let fee = policy.fee(REFERENCE_AMOUNT).map_or(u64::MAX, Msat::get);
            policies.push((fee, policy.base, policy.rate));
            *deltas.entry(policy.cltv_delta).or_default() += 1;
        }
    }
    policies.sort_unstable();
    let (_, base, rate) = *policies.get(policies.len() / 2)?;
    let most = deltas
        .into_iter()
        .max_by_key(|(delta, times)| (*times, *delta));
    let (cltv_delta, _) = most?;
    Some(policy(base, rate, cltv_delta, capacity))
}

fn policy(base: Msat, rate: Ppm, cltv_delta: u16, capacity: Sat) -> ChannelPolicy {
    ChannelPolicy {
        base,
        rate,
        cltv_delta,
        htlc_minimum: HTLC_MINIMUM,
        htlc_maximum: capacity.to_msat_saturating(),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

#[cfg(test)]
mod tests;
