//! What fellows' observations are worth. One member's word moves a target's value by a tenth at most.

use hive_types::{FleetView, NodeId, ObservationView, Opportunity, Ppm, Toxicity};
use std::collections::BTreeMap;

/// One author raises or lowers a target's value by at most this many millionths, whatever it says.
const PER_AUTHOR: i64 = 100_000;
/// All authors together move it by at most this many millionths.
const IN_ALL: i64 = 500_000;
/// Two force closes by one peer are the most that one author's word can say.
const PER_FORCE_CLOSE: i64 = 50_000;
/// Ten stuck HTLCs weigh like two force closes: each locked money for days.
const PER_STUCK_HTLC: i64 = 10_000;
/// A channel jammed once weighs like two stuck HTLCs, a fee raised after a push as well.
const PER_JAM: i64 = 20_000;
const PER_FEE_RAISE: i64 = 20_000;
/// A thousand HTLCs of dust beyond what an hour may bring weigh like one stuck one.
const PER_DUST_HTLC: i64 = 10;
/// An opportunity seen for this many days counts half; a lucky day counts little.
const HALF_CERTAIN_DAYS: u128 = 30;

/// Millionths by which each observed peer's value is multiplied; a peer that is not here has one
/// million.
pub(super) fn factors(fleet: &FleetView) -> BTreeMap<NodeId, Ppm> {
    let is_member = |id: &NodeId| fleet.members.iter().any(|member| member.node_id == *id);
    let mut by_author: BTreeMap<(NodeId, NodeId), i64> = BTreeMap::new();
    for observation in &fleet.observations {
        if is_member(&observation.author) {
            let sum = by_author.entry((observation.peer, observation.author));
            let sum = sum.or_default();
            *sum = sum.saturating_add(word(observation));
        }
    }
    let mut sums: BTreeMap<NodeId, i64> = BTreeMap::new();
    for ((peer, _), sum) in by_author {
        let bounded = sum.clamp(-PER_AUTHOR, PER_AUTHOR);
        *sums.entry(peer).or_default() += bounded;
    }
    let factor = |sum: i64| Ppm::new((1_000_000 + sum.clamp(-IN_ALL, IN_ALL)) as u32);
    sums.into_iter()
        .map(|(peer, sum)| (peer, factor(sum)))
        .collect()
}

fn word(observation: &ObservationView) -> i64 {
    let bad = observation.toxicity.as_ref().map_or(0, malus);
    let good = observation.opportunity.as_ref().map_or(0, bonus);
    good - bad
}

fn malus(toxicity: &Toxicity) -> i64 {
    i64::from(toxicity.force_closes) * PER_FORCE_CLOSE
        + i64::from(toxicity.stuck_htlcs) * PER_STUCK_HTLC
        + i64::from(toxicity.jams) * PER_JAM
        + i64::from(toxicity.fee_raises) * PER_FEE_RAISE
        + i64::from(toxicity.dust_htlcs) * PER_DUST_HTLC
        + i64::from(toxicity.failure_rate.get()) / 10
}

/// The yearly yield of the capital in millionths, as far as the time observed makes it certain, by
/// the rate of success: ten percent a year is as much as one author can say.
fn bonus(opportunity: &Opportunity) -> i64 {
    let days = u128::from(opportunity.days);
    let capital = u128::from(opportunity.capital.to_msat_saturating().get());
    if days == 0 || capital == 0 {
        return 0;
    }
    let yearly = u128::from(opportunity.fees.get()) * 365 * 1_000_000 / days / capital;
    let bounded = yearly.min(PER_AUTHOR as u128);
    let certain = bounded * days / (days + HALF_CERTAIN_DAYS);
    let success = opportunity.success_rate.unwrap_or(Ppm::ONE);
    let success = u128::from(success.get().min(1_000_000));
    (certain * success / 1_000_000) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::{Constraint, FellowView, Msat, Sat, Tier, UnixMillis};

    fn node(n: u8) -> NodeId {
        let mut bytes = [0u8; 33];
        (bytes[0], bytes[32]) = (2, n);
        NodeId::from_bytes(bytes).unwrap()
    }

    fn fleet(observations: Vec<ObservationView>) -> FleetView {
        let member = |n| FellowView {
            node_id: node(n),
            tier: Tier::Full,
            fresh: true,
            privileges: Default::default(),
            channels: Vec::new(),
            constraint: Constraint::default(),
            intents: Vec::new(),
        };
        FleetView {
            members: (1..=9).map(member).collect(),
            observations,
            ..FleetView::default()
        }
    }

    fn toxic(author: u8, force_closes: u32) -> ObservationView {
        ObservationView {
            author: node(author),
            peer: node(100),
            toxicity: Some(Toxicity {
                force_closes,
                stuck_htlcs: 0,
                failure_rate: Ppm::ZERO,
                last_seen: UnixMillis::new(0),
                ..Toxicity::default()
            }),
            opportunity: None,
        }
    }

    fn rewarding(author: u8, fees: u64, days: u32) -> ObservationView {
        ObservationView {
            toxicity: None,
            opportunity: Some(Opportunity {
                capital: Sat::new(1_000_000),
                days,
                volume: Msat::new(u64::MAX),
                fees: Msat::new(fees),
                success_rate: Some(Ppm::ONE),
            }),
            ..toxic(author, 0)
        }
    }

    #[test]
    fn one_author_moves_a_value_by_a_tenth_at_most() {
        let of = |observations| {
            factors(&fleet(observations))
                .get(&node(100))
                .map(|factor| factor.get())
        };
        assert_eq!(of(vec![]), None);
        assert_eq!(of(vec![toxic(1, 1)]), Some(950_000));
        assert_eq!(of(vec![toxic(1, u32::MAX)]), Some(900_000));
        assert_eq!(of(vec![toxic(1, u32::MAX); 5]), Some(900_000));
        let bonus = of(vec![rewarding(2, u64::MAX, 30)]);
        assert_eq!(bonus, Some(1_050_000));
        assert_eq!(of(vec![rewarding(2, u64::MAX, u32::MAX)]), Some(1_099_999));
        assert_eq!(of(vec![rewarding(2, 0, 0)]), Some(1_000_000));
    }

    #[test]
    fn all_authors_together_are_bounded_and_strangers_say_nothing() {
        let all = (1..=9).map(|author| toxic(author, 9)).collect();
        assert_eq!(
            factors(&fleet(all)).get(&node(100)),
            Some(&Ppm::new(500_000))
        );
        assert!(factors(&fleet(vec![toxic(50, 9)])).is_empty());
    }
}
