//! Payments, one after another, over balances that they move.

use super::balances::Ledger;
use super::net::{Arc, Lane, Net, Weight, Weights};
use super::way::{Scratch, Wish, cheapest};
use hive_planner::demand::SplitMix;
use hive_planner::routes::SenderModel;

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
    pub(crate) first_way: Vec<Weight>,
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
    failed: Vec<Lane>,
    way: Vec<Weight>,
    amounts: Vec<u64>,
    /// The channels that the payment takes, one for each lane of the way.
    taken: Vec<Arc>,
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
            taken: Vec::new(),
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
        let weights = &self.map.classes[pair.class];
        let amount = weights.amount;
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
            self.price(weights.sender, amount);
            match self.stuck_at(now) {
                Some(lane) => self.failed.push(lane),
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
        let (net, ledger) = (self.map.net, &mut self.ledger);
        let weights = &self.map.classes[pair.class];
        let mut knows = |lane| carrier(net, ledger, lane, weights.amount, now).is_some();
        if attempt == 0 {
            match pair.first_way.first() {
                None => return false,
                Some(first) if knows(first.lane) => {
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
        let net = self.map.net;
        let mut forwarders = self.way.iter().skip(1).map(|step| net.from(step.arc));
        forwarders.any(|node| net.member_at(node).is_some())
    }

    /// Writes what crosses each lane of the way: what is delivered and the fees of those behind it.
    fn price(&mut self, sender: SenderModel, amount: u64) {
        self.amounts.clear();
        self.amounts.push(amount);
        let mut crossing = amount;
        for pair in self.way.windows(2).rev() {
            if let [before, onward] = pair {
                crossing += self.map.net.fee(sender, before.arc, onward.arc, crossing);
                self.amounts.push(crossing);
            }
        }
        self.amounts.reverse();
    }

    /// The first lane that cannot carry what would cross it; otherwise the channels taken are written.
    fn stuck_at(&mut self, now: u32) -> Option<Lane> {
        self.taken.clear();
        for (step, amount) in self.way.iter().zip(&self.amounts) {
            match carrier(self.map.net, &mut self.ledger, step.lane, *amount, now) {
                Some(arc) => self.taken.push(arc),
                None => return Some(step.lane),
            }
        }
        None
    }

    fn settle(&mut self, amount: u64) {
        let net = self.map.net;
        let mut forwarded = false;
        for place in 0..self.taken.len() {
            let (arc, crossing) = (self.taken[place], self.amounts[place]);
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

/// The channel of a lane that has most, if that is enough.
fn carrier(net: &Net, ledger: &mut Ledger, lane: Lane, amount: u64, now: u32) -> Option<Arc> {
    let mut best = None;
    for arc in net.arcs(lane).iter().filter(|arc| net.is_open(**arc)) {
        let has = ledger.spendable(net, *arc, now);
        if has >= amount && best.is_none_or(|(most, _)| has > most) {
            best = Some((has, *arc));
        }
    }
    best.map(|(_, arc)| arc)
}

#[cfg(test)]
mod tests;
