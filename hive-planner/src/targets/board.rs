//! The objective: which of the sampled payments the fleet wins, and how surely.
//!
//! Costs are what senders count, in units of 16 msat, which makes a cost four bytes: there are two
//! for every candidate and payment. All arithmetic is on integers.

use super::demand::Pair;

/// Log2 of the msat in one unit.
const UNIT_BITS: u32 = 4;
/// No way. Three of these still add up without overflow.
pub(super) const FAR: u32 = u32::MAX / 4;
/// A payment that is won for sure.
pub(super) const SURE: u64 = 1 << 16;
/// Senders differ and know little: when the fleet is cheaper by this part of the other way's cost,
/// it wins one payment in two.
const UNDECIDED: u32 = 8;

pub(super) fn units(cost: Option<u64>) -> u32 {
    let cost = cost.map_or(u64::from(FAR), |cost| cost >> UNIT_BITS);
    cost.min(u64::from(FAR)) as u32
}

/// What a way over one outside node adds for each payment.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    /// From the payer to the member by this node.
    pub(super) arrive: Vec<u32>,
    /// From the member to the payee by this node.
    pub(super) depart: Vec<u32>,
}

impl Ends {
    pub(super) fn far(pairs: usize) -> Self {
        Self {
            arrive: vec![FAR; pairs],
            depart: vec![FAR; pairs],
        }
    }

    /// Takes in another way, where it is cheaper.
    pub(super) fn join(&mut self, other: &Self) {
        lower(&mut self.arrive, &other.arrive, 0);
        lower(&mut self.depart, &other.depart, 0);
    }
}

fn lower(costs: &mut [u32], by: &[u32], more: u32) {
    for (cost, by) in costs.iter_mut().zip(by) {
        *cost = (*cost).min((*by).saturating_add(more).min(FAR));
    }
}

/// The payments, what they cost without the fleet, and the cheapest way over it.
pub(super) struct Board {
    pub(super) pairs: Vec<Pair>,
    base: Vec<u32>,
    /// Cost from one member to another over channels inside the fleet.
    links: Vec<Vec<u32>>,
    /// By member, over its own outside channels that are there or spoken for.
    before: Vec<Ends>,
    /// The same with the planned ones.
    own: Vec<Ends>,
    /// By member, over all members that it is linked with.
    reach: Vec<Ends>,
    via: Vec<u32>,
}

impl Board {
    pub(super) fn new(pairs: Vec<Pair>, base: Vec<u32>, mut links: Vec<Vec<u32>>) -> Self {
        close(&mut links);
        let (members, count) = (links.len(), pairs.len());
        Self {
            pairs,
            base,
            links,
            before: vec![Ends::far(count); members],
            own: vec![Ends::far(count); members],
            reach: vec![Ends::far(count); members],
            via: vec![FAR; count],
        }
    }

    /// Begins with what members reach over the channels that are there.
    pub(super) fn set(&mut self, before: Vec<Ends>) {
        self.before = before;
        self.restore();
        self.settle();
    }

    /// Takes all planned channels away; [`Board::settle`] must follow.
    pub(super) fn restore(&mut self) {
        self.own.clone_from(&self.before);
    }

    /// Adds a planned channel; [`Board::settle`] must follow.
    pub(super) fn join(&mut self, member: usize, ends: &Ends) {
        self.own[member].join(ends);
    }

    pub(super) fn attach(&mut self, member: usize, ends: &Ends) {
        self.join(member, ends);
        self.settle();
    }

    /// What the fleet would win by these arrivals and departures alone.
    pub(super) fn promise(&self, arrive: &[u32], depart: &[u32]) -> u64 {
        let ways = arrive.iter().zip(depart).zip(&self.base);
        ways.map(|((arrive, depart), base)| win(*base, arrive.saturating_add(*depart)))
            .sum()
    }

    /// Finds the cheapest ways over all members.
    pub(super) fn settle(&mut self) {
        for (member, links) in self.links.iter().enumerate() {
            let mut reach = Ends::far(self.pairs.len());
            for (fellow, own) in self.own.iter().enumerate() {
                lower(&mut reach.arrive, &own.arrive, self.links[fellow][member]);
                lower(&mut reach.depart, &own.depart, links[fellow]);
            }
            self.reach[member] = reach;
        }
        self.via.fill(FAR);
        for (own, reach) in self.own.iter().zip(&self.reach) {
            for (place, via) in self.via.iter_mut().enumerate() {
                *via = (*via).min(own.arrive[place].saturating_add(reach.depart[place]));
            }
        }
    }

    /// Comparisons that settling takes: each member with each, for each payment and both directions.
    pub(super) fn settling(&self) -> usize {
        2 * self.links.len() * self.links.len() * self.pairs.len()
    }

    /// Whether payments can neither come in nor go out by this member or its links: then one more
    /// channel alone earns nothing.
    pub(super) fn is_cut_off(&self, member: usize) -> bool {
        let reach = &self.reach[member];
        let far = |costs: &[u32]| costs.iter().all(|cost| *cost >= FAR);
        far(&reach.arrive) || far(&reach.depart)
    }

    /// What these ends add at a member: payments won, [`SURE`] each, and how many gain.
    pub(super) fn gain(&self, member: usize, ends: &Ends) -> (u64, u32) {
        let reach = &self.reach[member];
        let (mut sum, mut count) = (0, 0);
        for place in 0..self.via.len() {
            let (arrive, depart) = (ends.arrive[place], ends.depart[place]);
            let there = arrive.saturating_add(reach.depart[place].min(depart));
            let back = reach.arrive[place].saturating_add(depart);
            let via = there.min(back);
            if via < self.via[place] && via < self.base[place] {
                let base = self.base[place];
                sum += win(base, via) - win(base, self.via[place]);
                count += 1;
            }
        }
        (sum, count)
    }

    /// What the fleet wins now.
    pub(super) fn total(&self) -> u64 {
        let ways = self.base.iter().zip(&self.via);
        ways.map(|(base, via)| win(*base, *via)).sum()
    }
}

/// How surely the fleet's way wins against the other one, of [`SURE`].
pub(super) fn win(base: u32, via: u32) -> u64 {
    let Some(cheaper) = base.checked_sub(via).filter(|cheaper| *cheaper > 0) else {
        return 0;
    };
    let doubt = base / UNDECIDED + 1;
    u64::from(cheaper) * SURE / (u64::from(cheaper) + u64::from(doubt))
}

/// Floyd and Warshall, over fifty members at most.
fn close(links: &mut [Vec<u32>]) {
    let members = links.len();
    for middle in 0..members {
        for from in 0..members {
            for to in 0..members {
                let over = links[from][middle].saturating_add(links[middle][to]);
                links[from][to] = links[from][to].min(over).min(FAR);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::NodeIndex;

    fn ends(arrive: u32, depart: u32) -> Ends {
        Ends {
            arrive: vec![arrive],
            depart: vec![depart],
        }
    }

    fn board(members: usize, link: u32) -> Board {
        let pair = Pair {
            payer: NodeIndex::new(0),
            payee: NodeIndex::new(1),
        };
        let row = |from| {
            let cost = |to| if to == from { 0 } else { link };
            (0..members).map(cost).collect()
        };
        Board::new(vec![pair], vec![800], (0..members).map(row).collect())
    }

    #[test]
    fn a_first_channel_alone_earns_nothing_and_a_second_does() {
        let mut board = board(1, FAR);
        assert!(board.is_cut_off(0));
        let entry = ends(100, 5_000);
        assert_eq!(board.gain(0, &entry), (0, 0));
        board.attach(0, &entry);
        let (gain, count) = board.gain(0, &ends(9_000, 600));
        // Cheaper by 100 of 800, against a doubt of 101.
        assert_eq!((gain, count), (100 * SURE / 201, 1));
        board.attach(0, &ends(9_000, 600));
        assert_eq!(board.total(), gain);
        assert_eq!(board.gain(0, &ends(9_000, 600)), (0, 0));
    }

    #[test]
    fn links_join_what_members_have() {
        for (link, earns) in [(50, true), (FAR, false)] {
            let mut board = board(3, FAR);
            board.links[0][1] = link;
            board.links[1][2] = link;
            close(&mut board.links);
            board.attach(0, &ends(100, FAR));
            let (gain, _) = board.gain(2, &ends(FAR, 500));
            assert_eq!(gain > 0, earns);
            assert!(board.is_cut_off(2));
        }
    }

    #[test]
    fn nobody_is_sure_and_nothing_overflows() {
        assert_eq!(win(100, 100), 0);
        assert_eq!(win(100, FAR), 0);
        assert!(win(FAR, 0) < SURE);
        assert_eq!(units(Some(u64::MAX)), FAR);
        assert_eq!(units(None), FAR);
        assert_eq!(units(Some(33)), 2);
    }
}
