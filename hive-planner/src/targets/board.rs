//! The objective: which of the sampled payments the fleet wins, how surely, and what they pay it.
//!
//! A payment takes the fleet's way when that is cheaper in its sender's eyes than every way without
//! the fleet, and pays the fee of the channel by which it leaves. It counts as far as both channels
//! that it crosses can carry it: balances that are not known, the worth of their peers, and how much
//! each carries one way in a day before it is dry. All arithmetic is on integers.

use super::lines::{FACTOR_BITS, FULL, Line};
use super::reach::{NOWHERE, Reach};
use super::sample::{CLASSES, FAR, Sample, Ways, plus};
use crate::config::PlannerConfig;
use hive_types::Ppm;

/// A channel that a plan has somebody open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// To an outside node.
    Line(Line),
    /// To a fellow, with what crossing it counts for.
    Link([usize; 2], [u32; CLASSES]),
}

/// The fleet's way for a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Via {
    /// The cheaper one of the fleet's way and the way without it.
    cost: u32,
    /// The cheapest way left when the member by which it comes is lost.
    second: u32,
    /// The channels by which it comes and goes; [`NOWHERE`] while the other way is cheaper.
    lines: [u32; 2],
    /// How surely the fleet wins it, of [`FULL`].
    won: u32,
    /// What it brings the fleet: msat times [`FULL`].
    value: u64,
}

/// What a channel carries both ways in the sample, and how much of that it can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flow {
    comes: u64,
    goes: u64,
    /// The parts that the channel can carry, of [`FULL`].
    fits: [u32; 2],
}

impl Flow {
    /// What comes back refills a channel: only the difference drains it.
    fn fit(&mut self, limit: u64) {
        let part = |flow: u64, back: u64| {
            let carried = limit.saturating_add(back).min(flow);
            let part = u128::from(carried) << FACTOR_BITS;
            part.checked_div(u128::from(flow))
                .unwrap_or(u128::from(FULL)) as u32
        };
        self.fits = [part(self.comes, self.goes), part(self.goes, self.comes)];
    }
}

/// What one more channel would bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gain {
    /// Msat times [`FULL`] over the sample. Negative when it takes from a dearer channel.
    pub(super) value: i64,
    /// Payments that become cheaper.
    pub(super) payments: u32,
}

#[derive(Clone)]
pub(super) struct Board<'a> {
    pub(super) sample: &'a Sample<'a>,
    pub(super) ways: &'a [Ways],
    doubt: Ppm,
    /// Channels that are there or coming.
    fixed: Vec<Line>,
    /// Planned ones; places stay what they are when others go.
    pieces: Vec<Option<Piece>>,
    /// Links that are there, from member to member.
    links: Vec<Vec<[u32; CLASSES]>>,
    own: Vec<Reach>,
    /// The same over all members that each is linked with; empty without links.
    linked: Vec<Reach>,
    vias: Vec<Via>,
    flows: Vec<Flow>,
    total: u64,
    worth: u64,
    /// The part that is to be left when any member is lost.
    kept: Ppm,
}

impl<'a> Board<'a> {
    /// The board with what is there; `links` by member and member, nothing on the diagonal.
    pub(super) fn new(
        sample: &'a Sample<'a>,
        ways: &'a [Ways],
        config: &PlannerConfig,
        fixed: Vec<Line>,
        links: Vec<Vec<[u32; CLASSES]>>,
    ) -> Self {
        let members = links.len();
        let far = Reach::far(sample.payers.len(), sample.payees.len());
        let mut board = Self {
            sample,
            ways,
            doubt: config.doubt,
            fixed,
            pieces: Vec::new(),
            links,
            own: vec![far; members],
            linked: Vec::new(),
            vias: Vec::new(),
            flows: Vec::new(),
            total: 0,
            worth: 0,
            kept: config.kept_without_one,
        };
        (0..members).for_each(|member| board.gather(member));
        board.settle();
        board
    }

    /// Adds a planned channel and gives its place.
    pub(super) fn add(&mut self, piece: Piece) -> usize {
        let hole = self.pieces.iter().position(Option::is_none);
        let place = hole.unwrap_or(self.pieces.len());
        if hole.is_none() {
            self.pieces.push(None);
        }
        self.put(place, Some(piece));
        place
    }

    /// Puts another channel, or none, into a place; gives what was there. [`Board::settle`] must
    /// follow before anything is asked.
    pub(super) fn exchange(&mut self, place: usize, piece: Option<Piece>) -> Option<Piece> {
        let old = self.pieces.get_mut(place).and_then(Option::take);
        if let Some(slot) = self.pieces.get_mut(place) {
            *slot = piece;
        }
        let members = [old, piece].map(|piece| match piece {
            Some(Piece::Line(line)) => Some(line.member),
            _ => None,
        });
        members
            .iter()
            .flatten()
            .for_each(|member| self.gather(*member));
        old
    }

    fn put(&mut self, place: usize, piece: Option<Piece>) {
        self.exchange(place, piece);
        self.settle();
    }

    /// What the sampled payments bring, in msat times [`FULL`].
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The objective: the same, less what the loss of one member would take too much.
    pub(super) fn worth(&self) -> u64 {
        self.worth
    }

    /// Payments that the fleet wins, [`FULL`] each.
    pub(super) fn won(&self) -> u64 {
        self.vias.iter().map(|via| u64::from(via.won)).sum()
    }

    /// Of each payee, what it brings the fleet: payments won, [`FULL`] each, and their value.
    pub(super) fn by_payee(&self) -> Vec<(u64, u64)> {
        let mut sums = vec![(0, 0); self.sample.payees.len()];
        for (pair, via) in self.sample.pairs.iter().zip(&self.vias) {
            let sum: &mut (u64, u64) = &mut sums[pair.payee as usize];
            sum.0 += u64::from(via.won);
            sum.1 = sum.1.saturating_add(via.value);
        }
        sums
    }

    /// Payments that cross the channel at this place now.
    pub(super) fn crossing(&self, place: usize) -> u32 {
        let line = (self.fixed.len() + place) as u32;
        let crossing = self.vias.iter().filter(|via| via.lines.contains(&line));
        crossing.count() as u32
    }

    /// Whether more would cross the channel at this place than it can carry.
    pub(super) fn is_short(&self, place: usize) -> bool {
        let flow = self.flows.get(self.fixed.len() + place);
        flow.is_some_and(|flow| flow.fits.iter().any(|part| *part < FULL))
    }

    fn line(&self, number: u32) -> Option<&Line> {
        let place = number as usize;
        match self.fixed.get(place) {
            Some(line) => Some(line),
            None => match self.pieces.get(place - self.fixed.len()) {
                Some(Some(Piece::Line(line))) => Some(line),
                _ => None,
            },
        }
    }

    fn numbered(&self) -> impl Iterator<Item = (u32, &Line)> {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Some(Piece::Line(line)) => Some(line),
            _ => None,
        });
        let lines = self.fixed.iter().map(Some).chain(pieces).enumerate();
        lines.filter_map(|(number, line)| Some((number as u32, line?)))
    }

    /// Finds a member's cheapest ways over its own channels.
    fn gather(&mut self, member: usize) {
        let mut reach = Reach::far(self.sample.payers.len(), self.sample.payees.len());
        for (number, line) in self.numbered().filter(|(_, line)| line.member == member) {
            if let Some(ways) = self.ways.get(line.way) {
                reach.join(self.sample, ways, line, number);
            }
        }
        self.own[member] = reach;
    }

    /// Finds the cheapest ways over all members and what they bring.
    pub(super) fn settle(&mut self) {
        self.link();
        self.find_ways();
        self.find_flows();
        self.total = 0;
        for at in 0..self.vias.len() {
            let value = self.value_of(at);
            self.vias[at].value = value;
            self.total = self.total.saturating_add(value);
        }
        self.worth = self.total.saturating_sub(self.shortfall());
    }

    /// What the loss of the member that hurts most would take beyond what may go. As it counts once,
    /// growing a member that is strong already is still worth something.
    fn shortfall(&self) -> u64 {
        if self.own.len() < 2 {
            return 0;
        }
        let mut lost = vec![0u64; self.own.len()];
        for (pair, via) in self.sample.pairs.iter().zip(&self.vias) {
            if via.value == 0 || via.second < pair.base {
                continue;
            }
            let [enter, leave] = via
                .lines
                .map(|line| self.line_if_any(line).map(|l| l.member));
            let other = leave.filter(|leave| Some(*leave) != enter);
            for member in enter.into_iter().chain(other) {
                lost[member] = lost[member].saturating_add(via.value);
            }
        }
        let worst = lost.into_iter().max().unwrap_or(0);
        let may_go = u64::from(1_000_000 - self.kept.get().min(1_000_000));
        let may_go = u128::from(self.total) * u128::from(may_go) / 1_000_000;
        worst.saturating_sub(u64::try_from(may_go).unwrap_or(u64::MAX))
    }

    fn link(&mut self) {
        let mut links = self.links.clone();
        for piece in self.pieces.iter().flatten() {
            if let Piece::Link([one, two], costs) = piece {
                for (from, to) in [(*one, *two), (*two, *one)] {
                    for (cost, by) in links[from][to].iter_mut().zip(costs) {
                        *cost = (*cost).min(*by);
                    }
                }
            }
        }
        let any = links.iter().flatten().flatten().any(|cost| *cost < FAR);
        self.linked = match any {
            true => Reach::over(self.sample, &self.own, &mut links),
            false => Vec::new(),
        };
    }

    /// What a member reaches, its links included.
    fn reach(&self, member: usize) -> &Reach {
        self.linked.get(member).unwrap_or(&self.own[member])
    }

    fn find_ways(&mut self) {
        let pairs = self.sample.pairs.iter();
        self.vias = pairs
            .map(|pair| Via {
                cost: pair.base,
                second: pair.base,
                lines: [NOWHERE; 2],
                won: 0,
                value: 0,
            })
            .collect();
        for member in 0..self.own.len() {
            let reach = self.linked.get(member).unwrap_or(&self.own[member]);
            let own = &self.own[member];
            let pairs = self.sample.pairs.iter().zip(&mut self.vias);
            for (pair, via) in pairs {
                let leave = reach.leave[pair.payee as usize];
                let cost = own.enter[pair.payer as usize].saturating_add(leave);
                if cost >= via.cost {
                    via.second = via.second.min(cost);
                } else {
                    via.second = via.cost;
                    via.cost = cost;
                    via.lines = [
                        own.enter_by[pair.payer as usize],
                        reach.leave_by[pair.payee as usize],
                    ];
                }
            }
        }
    }

    fn find_flows(&mut self) {
        let count = self.fixed.len() + self.pieces.len();
        let mut flows = vec![Flow::default(); count];
        for (pair, via) in self.sample.pairs.iter().zip(&mut self.vias) {
            if via.lines[0] == NOWHERE {
                continue;
            }
            via.won = win(pair.base, via.cost, self.doubt);
            let volume = u64::from(via.won).saturating_mul(self.sample.volume(pair));
            let [comes, goes] = via.lines.map(|line| line as usize);
            flows[comes].comes = flows[comes].comes.saturating_add(volume);
            flows[goes].goes = flows[goes].goes.saturating_add(volume);
        }
        for (number, flow) in flows.iter_mut().enumerate() {
            flow.fit(self.line(number as u32).map_or(0, |line| line.limit));
        }
        self.flows = flows;
    }

    fn value_of(&self, at: usize) -> u64 {
        let via = &self.vias[at];
        let class = self
            .sample
            .payee_class(self.sample.pairs[at].payee as usize);
        let [Some(enter), Some(leave)] = via.lines.map(|line| self.line_if_any(line)) else {
            return 0;
        };
        let (enter, leave) = (&enter.terms[class], &leave.terms[class]);
        let [comes, goes] = via.lines.map(|line| self.flows[line as usize].fits);
        let value = u64::from(via.won) * leave.fee;
        let value = scale(scale(value, enter.factor), leave.factor);
        scale(value, comes[0].min(goes[1]))
    }

    fn line_if_any(&self, number: u32) -> Option<&Line> {
        (number != NOWHERE).then(|| self.line(number)).flatten()
    }

    /// Whether payments can neither come in nor go out by this member or its links: then one more
    /// channel alone earns nothing.
    pub(super) fn is_cut_off(&self, member: usize) -> bool {
        let reach = self.reach(member);
        let far = |costs: &[u32]| costs.iter().all(|cost| *cost >= FAR);
        far(&reach.enter) || far(&reach.leave)
    }

    /// Whether a member has no way in and no way out.
    pub(super) fn is_bare(&self, member: usize) -> bool {
        let reach = self.reach(member);
        let far = |costs: &[u32]| costs.iter().all(|cost| *cost >= FAR);
        far(&reach.enter) && far(&reach.leave)
    }

    /// What the fleet would win, [`FULL`] for each payment, by these arrivals and departures alone.
    pub(super) fn promise(&self, enter: &[u32], leave: &[u32]) -> u64 {
        let pairs = self.sample.pairs.iter();
        let wins = pairs.map(|pair| {
            let (enter, leave) = (enter[pair.payer as usize], leave[pair.payee as usize]);
            u64::from(win(pair.base, enter.saturating_add(leave), self.doubt))
        });
        wins.sum()
    }

    /// What one more channel would bring, other channels' flows being what they are.
    pub(super) fn gain(&self, line: &Line) -> Gain {
        let Some(ways) = self.ways.get(line.way) else {
            return Gain::default();
        };
        let reach = self.reach(line.member);
        let mut tally = Tally::default();
        for group in self.sample.groups() {
            let Some(first) = self.sample.pairs.get(group.start) else {
                continue;
            };
            let payee = first.payee as usize;
            let class = self.sample.payee_class(payee);
            let terms = &line.terms[class];
            let leave = plus(ways.depart[payee], terms.leave);
            let on = reach.leave[payee];
            if leave >= FAR && on >= FAR {
                continue;
            }
            let own = ways.own[class];
            for at in group {
                let payer = self.sample.pairs[at].payer;
                let enter = match payer == own {
                    true => terms.first,
                    false => ways.arrive[payer as usize].saturating_add(terms.enter),
                };
                let there = enter.saturating_add(on);
                let payer = payer as usize;
                let back = reach.enter[payer].saturating_add(leave);
                if there.min(back) < self.vias[at].cost {
                    self.tally(at, line, [there, back], reach, &mut tally);
                }
            }
        }
        tally.gain(line.limit)
    }

    /// A payment that the new channel brings in (`there`) or takes out (`back`).
    fn tally(
        &self,
        at: usize,
        new: &Line,
        [there, back]: [u32; 2],
        reach: &Reach,
        tally: &mut Tally,
    ) {
        let pair = &self.sample.pairs[at];
        let class = self.sample.payee_class(pair.payee as usize);
        let won = win(pair.base, there.min(back), self.doubt);
        let arrives = there <= back;
        let other = match arrives {
            true => reach.leave_by[pair.payee as usize],
            false => reach.enter_by[pair.payer as usize],
        };
        let Some(old) = self.line_if_any(other) else {
            return;
        };
        let fits = self.flows[other as usize].fits[usize::from(arrives)];
        let fee = if arrives {
            old.terms[class].fee
        } else {
            new.terms[class].fee
        };
        let value = scale(u64::from(won) * fee, new.terms[class].factor);
        let value = scale(scale(value, old.terms[class].factor), fits);
        let side = usize::from(!arrives);
        tally.value[side] = tally.value[side].saturating_add(value);
        let volume = u64::from(won).saturating_mul(self.sample.volume(pair));
        tally.volume[side] = tally.volume[side].saturating_add(volume);
        tally.before = tally.before.saturating_add(self.vias[at].value);
        tally.payments += 1;
    }
}

/// Sums over the payments that a new channel would carry: those that come by it, those that go by it.
#[derive(Default)]
struct Tally {
    value: [u64; 2],
    volume: [u64; 2],
    before: u64,
    payments: u32,
}

impl Tally {
    fn gain(self, limit: u64) -> Gain {
        let mut flow = Flow {
            comes: self.volume[0],
            goes: self.volume[1],
            fits: [0; 2],
        };
        flow.fit(limit);
        let part = |side: usize| {
            let product = u128::from(self.value[side]) * u128::from(flow.fits[side]);
            i64::try_from(product >> FACTOR_BITS).unwrap_or(i64::MAX)
        };
        let before = i64::try_from(self.before).unwrap_or(i64::MAX);
        Gain {
            value: part(0).saturating_add(part(1)).saturating_sub(before),
            payments: self.payments,
        }
    }
}

/// The value times the factor; the order keeps both within 64 bits.
fn scale(value: u64, factor: u32) -> u64 {
    ((value >> 6) * u64::from(factor)) >> (FACTOR_BITS - 6)
}

/// How surely the fleet's way wins against the other one, of [`FULL`].
///
/// Senders choose the cheapest way that they know. With doubt they differ and know little: when the
/// fleet is cheaper by that part of the other way's cost, it wins one payment in two.
pub(super) fn win(base: u32, via: u32, doubt: Ppm) -> u32 {
    let Some(cheaper) = base.checked_sub(via).filter(|cheaper| *cheaper > 0) else {
        return 0;
    };
    if doubt == Ppm::ZERO {
        return FULL;
    }
    let (base, cheaper) = (u64::from(base), u64::from(cheaper));
    let doubt = base * u64::from(doubt.get()) / 1_000_000 + 1;
    (cheaper * u64::from(FULL) / (cheaper + doubt)) as u32
}
