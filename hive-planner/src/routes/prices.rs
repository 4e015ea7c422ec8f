//! The weighed network, packed so that a search reads eight bytes for each hop.

use super::SenderModel;
use super::hops::{Hop, hops};
use super::rows::{PLACES, Packed, Rows, number};
use super::search::{Distances, Searcher};
use crate::graph::{Graph, NodeIndex};
use hive_types::Msat;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// A hop into a node that has an inbound fee on it: its weight depends on the way on.
#[derive(Clone, Copy)]
pub(super) struct InboundHop {
    pub(super) place: u32,
    pub(super) edge: u32,
    pub(super) fee: u64,
    pub(super) rest: u64,
    pub(super) inbound: i64,
}

impl InboundHop {
    fn of(hop: &Hop, places: &[u32]) -> Self {
        Self {
            place: places[hop.from.get()],
            edge: hop.edge.row(),
            fee: hop.fee,
            rest: hop.rest,
            inbound: hop.inbound,
        }
    }

    /// What the two nodes take: the first one's fee, and the second one's inbound fee, which never
    /// takes off more than the second one's own fee; nor is the sum negative.
    pub(super) fn weight(&self, onward_fee: Option<u64>) -> u64 {
        self.fee.saturating_add_signed(self.surcharge(onward_fee)) + self.rest
    }

    /// The inbound fee under its floor; the payee, which has no way on, asks for none.
    fn surcharge(&self, onward_fee: Option<u64>) -> i64 {
        onward_fee.map_or(0, |fee| self.inbound.max(-(fee as i64)))
    }

    /// What the second node adds for a payer, which takes nothing itself.
    pub(super) fn payer_surcharge(&self, onward_fee: Option<u64>) -> u64 {
        self.surcharge(onward_fee).max(0).unsigned_abs()
    }
}

/// Hops with inbound fees, and all hops of the payers whom one of those fees charges more.
pub(super) struct Inbound {
    pub(super) rows: Rows<InboundHop>,
    /// What an edge's near end takes, by edge, for the floor under inbound fees.
    pub(super) fees: Vec<u64>,
}

/// The whole network weighed for one sender and one amount.
///
/// Each hop is weighed for the amount delivered; fees on later hops' fees are left out:
/// [`super::price_route`] is exact. A hop of 11 BTC or more, or a way of 1,400, is none. Searches run
/// backwards from the payee, as the senders' own do. Of equally dear ways one with the fewest hops
/// counts; which one is a function of the network alone, and of edges to choose from the first.
pub struct Prices<'g> {
    pub(super) graph: &'g Graph,
    pub(super) first_hop: u64,
    /// Where searches keep a node: those with most hops first, close to each other in memory.
    places: Vec<u32>,
    plain: Rows<Packed>,
    /// The edge of each plain hop.
    plain_edges: Rows<u32>,
    inbound: Option<Inbound>,
}

impl<'g> Prices<'g> {
    /// Weighs every edge. Ways neither pass nor begin nor end at a node of `without`.
    pub fn new(
        graph: &'g Graph,
        sender: SenderModel,
        amount: Msat,
        without: &BTreeSet<NodeIndex>,
    ) -> Self {
        let mut hops = hops(graph, sender, amount, without);
        let ends = hops.iter().flat_map(|hop| [hop.from, hop.to]);
        let places = number(graph.node_count(), ends);
        hops.retain(|hop| (places[hop.from.get()] as usize) < PLACES);
        hops.sort_unstable_by_key(|hop| (places[hop.to.get()], places[hop.from.get()]));
        let surcharged: BTreeSet<NodeIndex> = hops
            .iter()
            .filter_map(|hop| (hop.inbound > 0).then_some(hop.from))
            .collect();
        let is_plain = |hop: &Hop| hop.inbound == 0 && !surcharged.contains(&hop.from);
        let has_inbound = !hops.iter().all(is_plain);
        let fees = has_inbound.then(|| fees(graph, &hops));
        let (plain, rest): (Vec<Hop>, Vec<Hop>) = hops.into_iter().partition(is_plain);
        let row = |hop: &Hop| places[hop.to.get()];
        let pack = |hop: &Hop| Packed::new(hop.fee + hop.rest, places[hop.from.get()]);
        Self {
            graph,
            first_hop: sender.first_hop(amount),
            plain: Rows::of(places.len(), plain.iter().map(|hop| (row(hop), pack(hop)))),
            plain_edges: Rows::of(
                places.len(),
                plain.iter().map(|hop| (row(hop), hop.edge.row())),
            ),
            inbound: fees.map(|fees| Inbound {
                rows: Rows::of(
                    places.len(),
                    rest.iter()
                        .map(|hop| (row(hop), InboundHop::of(hop, &places))),
                ),
                fees,
            }),
            places,
        }
    }

    /// Room for searches, to be used again for each: a search then allocates nothing.
    pub fn searcher(&self) -> Searcher<'_> {
        Searcher::new(self)
    }

    /// The cheapest ways from every node to `root`. For many roots, [`Prices::searcher`] and
    /// [`Prices::each_root`] are faster.
    pub fn to(&self, root: NodeIndex) -> Distances<'_> {
        self.searcher().into_distances(root)
    }

    /// Searches backwards from each root, on as many threads as rayon has here, and gives what
    /// `read` makes of each search, in the order of the roots.
    pub fn each_root<T: Send>(
        &self,
        roots: &[NodeIndex],
        read: impl Fn(NodeIndex, &Distances<'_>) -> T + Sync,
    ) -> Vec<T> {
        let searches = roots.par_iter().map_init(
            || self.searcher(),
            |searcher, root| read(*root, searcher.to(*root)),
        );
        searches.collect()
    }

    pub(super) fn place(&self, node: NodeIndex) -> Option<u32> {
        self.places.get(node.get()).copied()
    }

    pub(super) fn node_count(&self) -> usize {
        self.places.len()
    }

    pub(super) fn plain(&self, place: u32) -> impl Iterator<Item = (Packed, u32)> {
        let edges = self.plain_edges.row(place).iter().copied();
        self.plain.row(place).iter().copied().zip(edges)
    }

    /// The hops with inbound fees into a place; `None` where there are none.
    pub(super) fn inbound(&self, place: u32) -> Option<(&Inbound, &[InboundHop])> {
        let inbound = self.inbound.as_ref()?;
        let row = inbound.rows.row(place);
        (!row.is_empty()).then_some((inbound, row))
    }
}

fn fees(graph: &Graph, hops: &[Hop]) -> Vec<u64> {
    let mut fees = vec![0; graph.edges().len()];
    for hop in hops {
        fees[hop.edge.get()] = hop.fee;
    }
    fees
}
