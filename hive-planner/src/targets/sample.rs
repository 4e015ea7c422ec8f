//! The payments that a plan is made from, each with what it costs on the network as it is.
//!
//! Costs are what senders count, in units of 16 msat: four bytes each, of which there are two for
//! every outside node and every end of a payment.

use super::budget::Budget;
use crate::config::PlannerConfig;
use crate::demand::Payment;
use crate::graph::{Graph, NodeIndex};
use crate::routes::{Prices, Searcher, SenderModel};
use core::ops::Range;
use hive_types::{ChannelPolicy, Msat, Sat};
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Log2 of the msat in one unit.
const UNIT_BITS: u32 = 4;
/// No way. Three of these still add up without overflow.
pub(super) const FAR: u32 = u32::MAX / 4;
/// Classes of amounts: as many as a demand model has at most.
pub(super) const CLASSES: usize = 4;
/// Not among the payers.
pub(super) const NOBODY: u32 = u32::MAX;
/// Payees whose ways are found between two looks at the budget.
const STEP: usize = 64;

pub(super) fn units(cost: Option<u64>) -> u32 {
    let cost = cost.map_or(u64::from(FAR), |cost| cost >> UNIT_BITS);
    cost.min(u64::from(FAR)) as u32
}

/// The sum of costs, no farther than [`FAR`].
pub(super) fn plus(cost: u32, more: u32) -> u32 {
    cost.saturating_add(more).min(FAR)
}

/// Payments of one amount.
pub(super) struct Class<'a> {
    pub(super) amount: Msat,
    sender: SenderModel,
    prices: Prices<'a>,
}

impl Class<'_> {
    /// What a forwarder with this policy counts for.
    pub(super) fn charge(&self, policy: &ChannelPolicy) -> u32 {
        units(Some(self.sender.charge(policy, self.amount)))
    }

    /// Whether the policy lets the amount pass.
    pub(super) fn passes(&self, policy: &ChannelPolicy) -> bool {
        policy.admits(self.amount)
    }

    /// What the payer's own hop counts for.
    pub(super) fn first_hop(&self) -> u32 {
        units(Some(self.sender.first_hop(self.amount)))
    }

    /// What one more hop counts for, over a channel of this capacity.
    pub(super) fn hop(&self, capacity: Sat) -> u32 {
        units(self.sender.hop(self.amount, capacity))
    }
}

/// One end of payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    pub(super) class: usize,
    pub(super) node: NodeIndex,
}

/// A payment by the places of its ends, in order of payees and then payers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) payee: u32,
    pub(super) payer: u32,
    /// What the cheapest way without the fleet costs.
    pub(super) base: u32,
}

pub(super) struct Sample<'a> {
    pub(super) classes: Vec<Class<'a>>,
    /// Payers and payees, each once for each class, in order.
    pub(super) payers: Vec<End>,
    pub(super) payees: Vec<End>,
    pub(super) pairs: Vec<Pair>,
    /// Payments that something can carry, those included that no plan can win.
    pub(super) payments: usize,
    /// By payee, where its pairs end.
    ends: Vec<usize>,
    /// By payee, what it costs every wanted node to pay it as a forwarder.
    departures: Vec<Vec<u32>>,
}

/// What a way over one outside node adds, without the fleet's channel to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ways {
    pub(super) node: NodeIndex,
    /// From each payer to the node, its usual charge towards the fleet included.
    pub(super) arrive: Vec<u32>,
    /// From the node to each payee.
    pub(super) depart: Vec<u32>,
    /// Where the node itself stands among the payers, by class; it takes nothing from itself.
    pub(super) own: [u32; CLASSES],
    /// What the node usually charges, by class: the median of what it charges now.
    pub(super) charges: [u32; CLASSES],
}

impl<'a> Sample<'a> {
    /// Finds what each payment costs without the members, and what it would cost from each `wanted`
    /// node on. Payments that nothing can carry today are left out: they are no demand that anybody
    /// sees. When half of the budget ends first, so does the sample.
    pub(super) fn of(
        graph: &'a Graph,
        payments: &[Payment],
        members: &BTreeSet<NodeIndex>,
        wanted: &[NodeIndex],
        config: &PlannerConfig,
        budget: &mut Budget<'_>,
    ) -> Self {
        let mut amounts: Vec<Msat> = payments.iter().map(|payment| payment.amount).collect();
        amounts.dedup();
        amounts.truncate(CLASSES);
        let class = |amount: &Msat| Class {
            amount: *amount,
            sender: config.sender,
            prices: Prices::new(graph, config.sender, *amount, members),
        };
        let classes: Vec<Class<'_>> = amounts.iter().map(class).collect();
        let mut sample = Self {
            payers: payers(payments, &amounts),
            classes,
            payees: Vec::new(),
            pairs: Vec::new(),
            payments: 0,
            ends: Vec::new(),
            departures: Vec::new(),
        };
        let by_class = payments.chunk_by(|one, next| one.amount == next.amount);
        for (class, payments) in by_class.take(CLASSES).enumerate() {
            sample.add_class(class, payments, wanted, budget);
        }
        sample
    }

    fn add_class(
        &mut self,
        class: usize,
        payments: &[Payment],
        wanted: &[NodeIndex],
        budget: &mut Budget<'_>,
    ) {
        let groups: Vec<&[Payment]> = payments
            .chunk_by(|one, next| one.payee == next.payee)
            .collect();
        for groups in groups.chunks(STEP) {
            if !budget.has_half() {
                break;
            }
            let searches = groups.par_iter().map_init(
                || self.classes[class].prices.searcher(),
                |searcher, group| self.search(searcher, class, group, wanted),
            );
            let found: Vec<Option<Found>> = searches.collect();
            for found in found.into_iter().flatten() {
                self.add(found, budget);
            }
        }
    }

    fn search(
        &self,
        searcher: &mut Searcher<'_>,
        class: usize,
        payments: &[Payment],
        wanted: &[NodeIndex],
    ) -> Option<Found> {
        let payee = payments.first()?.payee;
        let found = searcher.to(payee);
        let pairs = payments.iter().filter_map(|payment| {
            let base = found.payer_cost(payment.payer)?;
            let node = payment.payer;
            let payer = self.payers.binary_search(&End { class, node }).ok()?;
            Some((payer as u32, units(Some(base))))
        });
        Some(Found {
            pairs: pairs.collect(),
            payee: End { class, node: payee },
            departures: wanted.iter().map(|node| units(found.cost(*node))).collect(),
            settled: found.settled(),
        })
    }

    fn add(&mut self, found: Found, budget: &mut Budget<'_>) {
        budget.settle(found.settled);
        if found.pairs.is_empty() {
            return;
        }
        let payee = self.payees.len() as u32;
        self.payments += found.pairs.len();
        let pairs = found.pairs.into_iter();
        self.pairs
            .extend(pairs.map(|(payer, base)| Pair { payee, payer, base }));
        self.ends.push(self.pairs.len());
        self.payees.push(found.payee);
        self.departures.push(found.departures);
    }

    /// The ways over every wanted node, in their order. Those beyond half of the budget are left out.
    pub(super) fn ways(
        &self,
        graph: &Graph,
        wanted: &[NodeIndex],
        budget: &mut Budget<'_>,
    ) -> Vec<Ways> {
        let size = (graph.node_count() * self.classes.len()) as u64;
        let fit = budget.steps_in_half(wanted.len(), size);
        let mut ways = Vec::with_capacity(fit);
        let nodes: Vec<(usize, NodeIndex)> = wanted.iter().copied().enumerate().take(fit).collect();
        for step in nodes.chunks(STEP) {
            if !budget.goes_on() {
                break;
            }
            let found = step.par_iter().map_init(
                || self.searchers(),
                |searchers, (place, node)| self.ways_of(graph, searchers, *place, *node),
            );
            let found: Vec<(Ways, u64)> = found.collect();
            ways.extend(found.into_iter().map(|(ways, settled)| {
                budget.settle(settled);
                ways
            }));
        }
        ways
    }

    fn searchers(&self) -> Vec<Searcher<'_>> {
        let classes = self.classes.iter();
        classes.map(|class| class.prices.searcher()).collect()
    }

    fn ways_of(
        &self,
        graph: &Graph,
        searchers: &mut [Searcher<'_>],
        place: usize,
        node: NodeIndex,
    ) -> (Ways, u64) {
        let mut settled = 0;
        let mut arrive = vec![FAR; self.payers.len()];
        let mut charges = [FAR; CLASSES];
        let mut own = [NOBODY; CLASSES];
        let mut at = 0;
        for (number, searcher) in searchers.iter_mut().enumerate() {
            let found = searcher.to(node);
            settled += found.settled();
            charges[number] = usual_charge(graph, node, &self.classes[number]);
            let payers = self.payers[at..].iter();
            for payer in payers.take_while(|payer| payer.class == number) {
                if payer.node == node {
                    own[number] = at as u32;
                }
                arrive[at] = plus(units(found.payer_cost(payer.node)), charges[number]);
                at += 1;
            }
        }
        let depart = self.departures.iter();
        let depart = depart.map(|of| of.get(place).copied().unwrap_or(FAR));
        let ways = Ways {
            node,
            arrive,
            depart: depart.collect(),
            charges,
            own,
        };
        (ways, settled)
    }

    /// Leaves out payments that no plan can win: those for which the cheapest arrival and the cheapest
    /// departure together cost as much as the way without the fleet. They still count as demand.
    /// `enter` and `leave` are lower bounds of what any channel adds.
    pub(super) fn drop_lost(&mut self, enter: &[u32], leave: &[u32]) {
        let winnable = |pair: &Pair| {
            let (enter, leave) = (enter[pair.payer as usize], leave[pair.payee as usize]);
            enter.saturating_add(leave) < pair.base
        };
        self.pairs.retain(winnable);
        self.ends.clear();
        for payee in 0..self.payees.len() {
            let end = self
                .pairs
                .partition_point(|pair| pair.payee as usize <= payee);
            self.ends.push(end);
        }
    }

    /// The places of each payee's pairs.
    pub(super) fn groups(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let ends = self.ends.iter().copied();
        let starts = core::iter::once(0).chain(ends.clone());
        starts.zip(ends).map(|(start, end)| start..end)
    }

    /// What the payment delivers, in sat.
    pub(super) fn volume(&self, pair: &Pair) -> u64 {
        let class = self.payee_class(pair.payee as usize);
        self.classes[class].amount.to_sat_ceil().get()
    }

    /// Of each payer, its class.
    pub(super) fn payer_class(&self, payer: usize) -> usize {
        self.payers[payer].class
    }

    /// Of each payee, its class.
    pub(super) fn payee_class(&self, payee: usize) -> usize {
        self.payees[payee].class
    }
}

/// The ways to one payee.
struct Found {
    payee: End,
    /// Places of payers and what each pays without the fleet.
    pairs: Vec<(u32, u32)>,
    departures: Vec<u32>,
    settled: u64,
}

fn payers(payments: &[Payment], amounts: &[Msat]) -> Vec<End> {
    let ends = payments.iter().filter_map(|payment| {
        let class = amounts
            .iter()
            .position(|amount| *amount == payment.amount)?;
        Some(End {
            class,
            node: payment.payer,
        })
    });
    let ends: BTreeSet<End> = ends.collect();
    ends.into_iter().collect()
}

fn usual_charge(graph: &Graph, node: NodeIndex, class: &Class<'_>) -> u32 {
    let edges = graph.channels_of(node);
    let mut charges: Vec<u32> = edges
        .filter_map(|edge| edge.usable().map(|policy| class.charge(policy)))
        .collect();
    charges.sort_unstable();
    charges.get(charges.len() / 2).copied().unwrap_or(FAR)
}
