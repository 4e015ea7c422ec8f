//! Payments, one after another, over balances that they move.

use super::balances::Ledger;
use super::net::{Arc, Net, Weights};
use super::way::{Scratch, Wish, cheapest};
use hive_planner::demand::SplitMix;

/// Seconds of a simulated day.
pub(crate) const DAY_SECONDS: u32 = 86_400;

/// One payer and payee, with what senders know before the first attempt.
pub(crate) struct Pair {
    pub(crate) payer: u32,
    pub(crate) payee: u32,
    /// Which [`Weights`].
    pub(crate) class: usize,
    /// Which costs to the payee.
    pub(crate) tree: usize,
    /// The cheapest way on the whole network; empty where there is none.
    pub(crate) first_way: Vec<Arc>,
}

/// The network as payers see it.
pub(crate) struct Map<'a> {
    pub(crate) net: &'a Net,
    pub(crate) classes: &'a [Weights],
    /// Costs to one payee for one class each.
    pub(crate) trees: &'a [Vec<u32>],
    pub(crate) pairs: &'a [Pair],
}

/// What one day brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) payments: u64,
    pub(crate) delivered: u64,
    /// Payments that tried a way over the arm.
    pub(crate) tried: u64,
    /// Of those, the ones that arrived, whichever way.
    pub(crate) tried_delivered: u64,
    /// Payments that arrived over the arm.
    pub(crate) forwarded: u64,
    pub(crate) volume_msat: u64,
    pub(crate) forwarded_msat: u64,
    /// By member.
    pub(crate) earned_msat: Vec<u64>,
    pub(crate) attempts: u64,
}

/// One run of payments over one arm's network.
pub(crate) struct Traffic<'a> {
    map: &'a Map<'a>,
    pub(crate) ledger: Ledger,
    attempts: u32,
    chance: SplitMix,
    pub(crate) scratch: Scratch,
    failed: Vec<Arc>,
    way: Vec<Arc>,
    amounts: Vec<u64>,
    /// By channel of the arm's: what its smaller node id sent out, less what came in, since the last
    /// refill, in msat.
    pub(crate) drained: Vec<i64>,
    pub(crate) tally: Tally,
}

impl<'a> Traffic<'a> {
    pub(crate) fn new(
        map: &'a Map<'a>,
        ledger: Ledger,
        members: usize,
        attempts: u32,
        seed: u64,
    ) -> Self {
        Self {
            map,
            ledger,
            attempts,
            chance: SplitMix::new(seed),
            scratch: Scratch::new(map.net.nodes()),
            failed: Vec::new(),
            way: Vec::new(),
            amounts: Vec::new(),
            drained: vec![0; map.net.capacity.len()],
            tally: Tally {
                earned_msat: vec![0; members],
                ..Tally::default()
            },
        }
    }

    /// Takes what was counted so far.
    pub(crate) fn take_tally(&mut self) -> Tally {
        let members = self.tally.earned_msat.len();
        let fresh = Tally {
            earned_msat: vec![0; members],
            ..Tally::default()
        };
        core::mem::replace(&mut self.tally, fresh)
    }

    /// One payment between a pair that is drawn now.
    pub(crate) fn pay(&mut self, now: u32) {
        let drawn = self.chance.below(self.map.pairs.len() as u64) as usize;
        let Some(pair) = self.map.pairs.get(drawn) else {
            return;
        };
        let amount = self.map.classes[pair.class].amount;
        self.tally.payments += 1;
        self.tally.volume_msat += amount;
        self.failed.clear();
        let (mut tried, mut delivered) = (false, false);
        for attempt in 0..self.attempts {
            if !self.choose(pair, attempt, now) {
                break;
            }
            self.tally.attempts += 1;
            tried |= self.passes_arm();
            self.price(amount);
            match self.stuck_at(now) {
                Some(arc) => self.failed.push(arc),
                None => {
                    self.settle(amount);
                    delivered = true;
                    break;
                }
            }
        }
        self.tally.delivered += u64::from(delivered);
        self.tally.tried += u64::from(tried);
        self.tally.tried_delivered += u64::from(tried && delivered);
    }

    /// Writes the way of the next attempt; whether there is one.
    fn choose(&mut self, pair: &Pair, attempt: u32, now: u32) -> bool {
        let (net, ledger) = (self.map.net, core::cell::RefCell::new(&mut self.ledger));
        let weights = &self.map.classes[pair.class];
        let knows = |arc| ledger.borrow_mut().spendable(net, arc, now) >= weights.amount;
        if attempt == 0 {
            match pair.first_way.first() {
                None => return false,
                Some(first) if knows(*first) => {
                    self.way.clone_from(&pair.first_way);
                    return true;
                }
                Some(_) => {}
            }
        }
        let wish = Wish {
            payer: pair.payer,
            payee: pair.payee,
            to_payee: &self.map.trees[pair.tree],
            failed: &self.failed,
        };
        cheapest(net, weights, wish, knows, &mut self.scratch, &mut self.way)
    }

    fn passes_arm(&self) -> bool {
        let forwarders = self.way.iter().skip(1).map(|arc| self.map.net.from(*arc));
        forwarders
            .into_iter()
            .any(|node| self.map.net.member_at(node).is_some())
    }

    /// Writes what crosses each arc of the way: what is delivered and the fees of those behind it.
    fn price(&mut self, amount: u64) {
        self.amounts.clear();
        let mut crossing = amount;
        for (place, arc) in self.way.iter().enumerate().rev() {
            self.amounts.push(crossing);
            if place > 0 {
                crossing += self.map.net.fee(*arc, crossing).unwrap_or(0);
            }
        }
        self.amounts.reverse();
    }

    /// The first arc that cannot carry what would cross it.
    fn stuck_at(&mut self, now: u32) -> Option<Arc> {
        let (net, ledger) = (self.map.net, &mut self.ledger);
        let mut steps = self.way.iter().zip(&self.amounts);
        let stuck = steps.find(|(arc, amount)| ledger.spendable(net, **arc, now) < **amount);
        stuck.map(|(arc, _)| *arc)
    }

    fn settle(&mut self, amount: u64) {
        let net = self.map.net;
        let mut forwarded = false;
        for place in 0..self.way.len() {
            let (arc, crossing) = (self.way[place], self.amounts[place]);
            self.ledger.send(arc, crossing);
            self.count_drain(arc, crossing);
            if let Some(member) = net.member_at(net.from(arc)).filter(|_| place > 0) {
                self.tally.earned_msat[member] += self.amounts[place - 1] - crossing;
                forwarded = true;
            }
        }
        self.tally.forwarded += u64::from(forwarded);
        self.tally.forwarded_msat += if forwarded { amount } else { 0 };
    }

    pub(crate) fn count_drain(&mut self, arc: Arc, amount: u64) {
        let channel = arc as usize / 2;
        if self.map.net.of_arm[channel] {
            let amount = amount as i64;
            self.drained[channel] += if arc & 1 == 0 { amount } else { -amount };
        }
    }
}

#[cfg(test)]
mod tests;
