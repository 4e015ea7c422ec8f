//! Pushes that members plan: by drains, for themselves, around whom they avoid, and in turn.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::fleet::{HEIGHT, SIZE, local, own, seen_by};
use common::push::{A, A_X, A_Y, B, B_A, X, X_B, Y, dry, network, payer, plan, rebalance, told};
use common::{node, scid};
use hive_planner::graph::{Graph, GraphUpdate};
use hive_planner::{PlannerConfig, plan_pushes};
use hive_types::{
    Action, BlockHeight, FellowChannel, FleetView, LocalSnapshot, Msat, Proposal, Sat, Tier,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const DAY: i64 = 2_000_000_000;

fn value<'a>(proposal: &'a Proposal, name: &str) -> &'a str {
    let mut facts = proposal.explanation.facts.iter();
    let fact = facts.find(|(known, _)| known == name);
    &fact
        .unwrap_or_else(|| panic!("no fact {name}: {proposal:?}"))
        .1
}

#[test]
fn a_push_comes_before_a_draining_channel_runs_dry_and_says_so() {
    let mut fleet = dry();
    fleet.members[1].channels[0] = told(X_B, X, 4_000_000);
    assert_eq!(plan(&fleet, &payer()), []);
    fleet.members[1].channels[0].drain_msat_per_day = Some(DAY);
    let proposals = plan(&fleet, &payer());
    let [proposal] = &proposals[..] else {
        panic!("{proposals:?}")
    };
    // Four million at two million a day; three more with what the way back can carry.
    assert_eq!(value(proposal, "drain"), "2000000000msat/day");
    assert_eq!(value(proposal, "hours to dry before"), "48");
    assert_eq!(value(proposal, "hours to dry after"), "83");
    assert_eq!(value(proposal, "payer"), node(A).to_string());
    assert_eq!(value(proposal, "fee cap of the amount"), "500ppm");
    assert!(proposal.explanation.summary.contains("is dry in 48 hours"));
    let (earned, fee) = (
        value(proposal, "earned when the amount is forwarded once"),
        proposal.cost,
    );
    assert!(earned.parse::<Msat>().unwrap() > fee);
    // Two of the three million are forwarded within a day.
    let day = proposal.value_per_day.get() * 3 / 2;
    assert!(
        day.abs_diff(earned.parse::<Msat>().unwrap().get()) < 1_000,
        "{day} {earned}"
    );
}

#[test]
fn what_is_dry_soonest_comes_first() {
    let low = |number, spendable, drain| FellowChannel {
        drain_msat_per_day: Some(drain),
        ..told(number, X, spendable)
    };
    let mut fleet = dry();
    fleet.members[1].channels[0] = low(X_B, 2_500_000, DAY);
    fleet.members[1].channels.push(FellowChannel {
        peer: node(Y),
        ..low(21, 4_000_000, 3 * DAY)
    });
    let graph = network().updated(&[
        GraphUpdate::ChannelAdded {
            scid: scid(21),
            nodes: [node(Y), node(B)],
            capacity: Sat::new(SIZE),
        },
        GraphUpdate::Policy {
            scid: scid(21),
            from: node(Y),
            policy: common::policy(0, 40, 60),
        },
        GraphUpdate::Policy {
            scid: scid(21),
            from: node(B),
            policy: common::policy(0, 400, 34),
        },
    ]);
    let mut payer = payer();
    payer.channels.push(own(A_Y, Y, 9_000_000));
    payer.channels.push(own(22, B, 9_000_000));
    payer.channels[1] = own(B_A, B, 1_000_000);
    let proposals = plan_pushes(&graph, &fleet, &payer, &PlannerConfig::default());
    let low = |proposal: &Proposal| value(proposal, "channel that runs low").to_owned();
    assert_eq!(low(&proposals[0]), scid(21).to_string(), "{proposals:?}");
    assert!(proposals.iter().any(|p| low(p) == scid(X_B).to_string()));
}

#[test]
fn a_member_fills_its_own_channel_by_what_it_told_of_its_drain() {
    let mut fleet = dry();
    fleet.members[1].channels.clear();
    let local = LocalSnapshot {
        channels: vec![own(A_Y, Y, 9_000_000), own(A_X, X, 3_000_000)],
        ..local(A)
    };
    assert_eq!(plan(&fleet, &local), []);
    fleet.members[0].channels = vec![FellowChannel {
        drain_msat_per_day: Some(DAY),
        ..told(A_X, X, 3_000_000)
    }];
    let proposals = plan(&fleet, &local);
    let push = rebalance(&proposals[0]);
    assert_eq!(push.beneficiary, None);
    let ways: Vec<u64> = push.hops.iter().map(|hop| hop.channel.to_u64()).collect();
    assert_eq!(ways, [A_Y, common::push::Y_X, A_X]);
    assert!(proposals[0].explanation.summary.contains("our channel"));
}

#[test]
fn nothing_is_pushed_through_banned_peers_or_fellows_that_are_away() {
    let mut fleet = dry();
    fleet.banned = vec![node(X)];
    assert_eq!(plan(&fleet, &payer()), []);
    // A fellow on trial next to an able one: no hop goes through it.
    let mut fleet = dry();
    fleet.members[1].tier = Tier::Probationary;
    assert_eq!(plan(&fleet, &payer()), []);
    // One that is blamed for fees or as a black hole, too.
    let mut fleet = dry();
    fleet.members[1].privileges.free_corridor = false;
    fleet.members[1].privileges.pushes = false;
    assert_eq!(plan(&fleet, &payer()), []);
}

#[test]
fn t60_a_fellows_own_word_on_its_link_bounds_what_comes_back() {
    let mut fleet = dry();
    for (says, most) in [(5_000_000, 3_000_000), (2_500_000, 500_000), (1_000_000, 0)] {
        fleet.members[1].channels[1] = told(B_A, A, says);
        let local = LocalSnapshot {
            channels: vec![own(A_X, X, 9_000_000), own(B_A, B, SIZE - says)],
            ..local(A)
        };
        let amounts = plan(&fleet, &local);
        let amounts: u64 = amounts.iter().map(|p| rebalance(p).amount.get()).sum();
        assert!(amounts <= most * 1_000, "{says} {amounts}");
        assert!(most == 0 || amounts > most * 990, "{says} {amounts}");
    }
}

/// B's dry channel, and three members that all could fill it.
fn crowd(spendable: [u64; 3]) -> (Graph, FleetView, [LocalSnapshot; 3]) {
    let places = [(A, A_X, B_A), (5, 31, 32), (6, 33, 34)];
    let mut fleet = common::fleet::fleet(&[A, B, 5, 6], common::fleet::constraint(0, 0));
    fleet.members[1].channels = vec![told(X_B, X, 500_000)];
    let mut updates = Vec::new();
    for ((n, out, back), spendable) in places.into_iter().zip(spendable) {
        let member = fleet.members.iter_mut().find(|m| m.node_id == node(n));
        member.unwrap().channels = vec![told(out, X, spendable), told(back, B, 5_000_000)];
        let link = told(back, n, SIZE - 5_000_000);
        fleet.members[1].channels.push(link);
        updates.extend(
            [(out, X), (back, B)].map(|(number, end)| GraphUpdate::ChannelAdded {
                scid: scid(number),
                nodes: [node(n), node(end)],
                capacity: Sat::new(SIZE),
            }),
        );
    }
    let mut number = 0;
    let locals = places.map(|(n, out, back)| {
        number += 1;
        LocalSnapshot {
            channels: vec![own(out, X, spendable[number - 1]), own(back, B, 5_000_000)],
            ..local(n)
        }
    });
    (network().updated(&updates), fleet, locals)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Each member knows its own balance, and the others' as they were a while ago; tips differ by a block.
    /// Whoever has the largest surplus: no two fill the same channel at the same moment.
    #[test]
    fn members_with_slightly_different_views_never_fill_the_same_channel_at_once(
        spendable in proptest::array::uniform3(7_500_000..9_500_000u64),
        noise in proptest::array::uniform9(-300_000..300_000i64),
        blocks in proptest::array::uniform3(0..2u32),
        height in HEIGHT..HEIGHT + 40,
    ) {
        let (graph, fleet, locals) = crowd(spendable);
        let mut fillers = BTreeSet::new();
        for (place, local) in locals.into_iter().enumerate() {
            let member = local.node_id;
            let n = [A, 5, 6][place];
            let mut seen = seen_by(&fleet, n);
            let others = seen.members.iter_mut().filter(|m| ![member, node(B)].contains(&m.node_id));
            for (other, noise) in others.zip(&noise[3 * place..]) {
                let there = other.channels[0].spendable.unwrap().get() as i64 + noise * 1_000;
                other.channels[0].spendable = Some(Msat::new(there as u64));
            }
            let height = BlockHeight::new(height + blocks[place]);
            let local = LocalSnapshot { height, ..local };
            let proposals = plan_pushes(&graph, &seen, &local, &PlannerConfig::default());
            for proposal in &proposals {
                let Action::Rebalance(push) = &proposal.action else { continue };
                if push.hops.iter().any(|hop| hop.channel == scid(X_B)) {
                    fillers.insert(member);
                }
            }
        }
        prop_assert!(fillers.len() <= 1, "{fillers:?}");
    }
}

/// However the surpluses are spread, within a few turns somebody fills the channel.
#[test]
fn a_dry_channel_is_filled_within_a_few_turns() {
    for spendable in [
        [9_000_000, 9_000_000, 9_000_000],
        [9_400_000, 8_000_000, 3_000_000],
        [2_000_000, 2_000_000, 9_000_000],
    ] {
        let (graph, fleet, locals) = crowd(spendable);
        let mut filled = false;
        for height in HEIGHT..HEIGHT + 18 {
            for (place, local) in locals.iter().enumerate() {
                let height = BlockHeight::new(height);
                let local = LocalSnapshot {
                    height,
                    ..local.clone()
                };
                let seen = seen_by(&fleet, [A, 5, 6][place]);
                let config = PlannerConfig::default();
                filled |= !plan_pushes(&graph, &seen, &local, &config).is_empty();
            }
        }
        assert!(filled, "{spendable:?}");
    }
}
