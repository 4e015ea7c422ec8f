//! The cheapest ways into a member and out of it.

use super::lines::Line;
use super::sample::{CLASSES, FAR, Sample, Ways, plus};

/// No channel.
pub(super) const NOWHERE: u32 = u32::MAX;

/// What it costs from every payer to a member and from there to every payee, and by which channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) enter: Vec<u32>,
    pub(super) enter_by: Vec<u32>,
    pub(super) leave: Vec<u32>,
    pub(super) leave_by: Vec<u32>,
}

impl Reach {
    pub(super) fn far(payers: usize, payees: usize) -> Self {
        Self {
            enter: vec![FAR; payers],
            enter_by: vec![NOWHERE; payers],
            leave: vec![FAR; payees],
            leave_by: vec![NOWHERE; payees],
        }
    }

    /// Takes in a channel of this number, where it is cheaper.
    pub(super) fn join(&mut self, sample: &Sample<'_>, ways: &Ways, line: &Line, number: u32) {
        line.arrivals(sample, ways, |payer, cost| {
            if cost < self.enter[payer] {
                (self.enter[payer], self.enter_by[payer]) = (cost, number);
            }
        });
        for (payee, depart) in ways.depart.iter().enumerate() {
            let cost = plus(*depart, line.terms[sample.payee_class(payee)].leave);
            if cost < self.leave[payee] {
                (self.leave[payee], self.leave_by[payee]) = (cost, number);
            }
        }
    }

    /// What each member reaches over links, of what all reach by themselves. Closes `links`.
    pub(super) fn over(
        sample: &Sample<'_>,
        own: &[Self],
        links: &mut [Vec<[u32; CLASSES]>],
    ) -> Vec<Self> {
        close(links);
        let member = |member: usize| {
            let mut reach = own[member].clone();
            for (fellow, theirs) in own.iter().enumerate().filter(|(f, _)| *f != member) {
                for payer in 0..theirs.enter.len() {
                    let link = links[fellow][member][sample.payer_class(payer)];
                    let cost = plus(theirs.enter[payer], link);
                    if cost < reach.enter[payer] {
                        reach.enter[payer] = cost;
                        reach.enter_by[payer] = theirs.enter_by[payer];
                    }
                }
                for payee in 0..theirs.leave.len() {
                    let link = links[member][fellow][sample.payee_class(payee)];
                    let cost = plus(theirs.leave[payee], link);
                    if cost < reach.leave[payee] {
                        reach.leave[payee] = cost;
                        reach.leave_by[payee] = theirs.leave_by[payee];
                    }
                }
            }
            reach
        };
        (0..own.len()).map(member).collect()
    }
}

/// Floyd and Warshall, over fifty members at most.
fn close(links: &mut [Vec<[u32; CLASSES]>]) {
    let members = links.len();
    for middle in 0..members {
        for from in 0..members {
            for to in 0..members {
                let (there, on) = (links[from][middle], links[middle][to]);
                for (direct, (there, on)) in links[from][to].iter_mut().zip(there.iter().zip(on)) {
                    *direct = (*direct).min(plus(*there, on));
                }
            }
        }
    }
}
