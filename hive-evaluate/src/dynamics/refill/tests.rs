use super::*;
use crate::dynamics::Ground;
use crate::dynamics::balances::Ledger;
use crate::placement::arrange;
use crate::testing::{id, link, network, open, opened, payments, placed};
use crate::{Balances, Settings};
use hive_planner::graph::GraphUpdate;
use hive_planner::routes::SenderModel;
use hive_types::{Ppm, Sat, ShortChannelId};

const DAY: u32 = 86_400;

/// Two members share peer 1, which charges nothing to speak of; 2 and 3 pay by it.
fn shared_peer() -> (Arranged, Ground) {
    let graph = network(&[(1, 2, 1, 1), (1, 3, 1, 1)]);
    let mut opens = [open(0, 1), open(1, 1), link(0, 1)];
    opens.iter_mut().for_each(|open| {
        open.capacity = Sat::new(10_000_000);
        open.rate = Ppm::new(200);
    });
    let with = arrange(&graph, &placed(2, &opens), true);
    let ground = Ground::new(
        &with,
        SenderModel::FeeOnly,
        &payments(&graph, &[(2, 3)], 1_000),
    );
    (with, ground)
}

/// What each member holds in all.
fn totals(with: &Arranged, net: &Net, traffic: &Traffic<'_>) -> Vec<u64> {
    let mut totals = vec![0; with.members.len()];
    for arc in 0..net.to.len() as Arc {
        if let Some(member) = net.member_at(net.from(arc)) {
            totals[member] += traffic.ledger.side(net, arc);
        }
    }
    totals
}

/// The arc of the arm's channel in order of opens, out of the member's end.
fn out_of(with: &Arranged, net: &Net, open: usize, member: usize) -> Arc {
    let scid = opened(with, 3, open);
    let place = with
        .graph
        .channels()
        .position(|channel| channel.scid == scid);
    let forth = (place.unwrap() << 1) as Arc;
    let mut both = [forth, forth ^ 1].into_iter();
    both.find(|arc| net.member_at(net.from(*arc)) == Some(member))
        .unwrap()
}

/// One refill of two channels to the shared peer, of which the first member's is full and the other
/// empty. What the other's channel holds after, and what was paid.
fn refill(rebalancing: Rebalancing, budget: u64) -> (u64, DayFacts) {
    let (with, ground) = shared_peer();
    let map = ground.map();
    let net = map.net;
    let mut ledger = Ledger::new(net, Balances::Uniform, 1);
    let (full, empty) = (out_of(&with, net, 0, 0), out_of(&with, net, 1, 1));
    ledger.send(full ^ 1, 4_500_000_000);
    ledger.send(empty, 4_500_000_000);
    let mut traffic = Traffic::new(&map, ledger, 2, 3, 1);
    let before = totals(&with, net, &traffic);
    let config = PlannerConfig {
        assumed_rate: Settings::default().fee_rate,
        ..PlannerConfig::default()
    };
    let book = Book::new(&with);
    let shape = (4, net.capacity.len());
    let mut refills = Refills::new(&book, rebalancing, Msat::new(budget), &config, shape);
    let mut facts = DayFacts::default();
    refills.refill(net, &mut traffic, DAY, &mut facts);
    let after = totals(&with, net, &traffic);
    // Nobody is given anything: what members hold together falls by the fees to others, and each
    // member's own total by what it paid.
    assert_eq!(
        before.iter().sum::<u64>(),
        after.iter().sum::<u64>() + facts.rebalance_fee_msat
    );
    let changed = before
        .iter()
        .zip(&after)
        .map(|(one, other)| one.abs_diff(*other));
    assert!(changed.max() <= Some(facts.rebalance_fee_msat));
    (traffic.ledger.side(net, empty), facts)
}

#[test]
fn members_fill_each_others_channels_over_a_shared_peer() {
    let (holds, facts) = refill(Rebalancing::Fleet, 10_000_000);
    assert!(holds > 2_000_000_000, "{holds} {facts:?}");
    assert!(facts.rebalances > 0 && facts.rebalance_msat > 0 && facts.rebalance_fee_msat > 0);
    assert_eq!(facts.rebalances_failed, 0);
}

#[test]
fn off_moves_nothing_and_no_budget_neither() {
    for (rebalancing, budget) in [(Rebalancing::Off, 10_000_000), (Rebalancing::Fleet, 0)] {
        let (holds, facts) = refill(rebalancing, budget);
        assert_eq!(
            (holds, facts),
            (500_000_000, DayFacts::default()),
            "{rebalancing:?}"
        );
    }
}

#[test]
fn the_budget_holds() {
    let (_, all) = refill(Rebalancing::Fleet, 10_000_000);
    let (_, half) = refill(Rebalancing::Fleet, all.rebalance_fee_msat / 2);
    assert!(
        half.rebalance_fee_msat <= all.rebalance_fee_msat / 2,
        "{half:?} of {all:?}"
    );
}

/// One member with a full channel to 1 and an empty one to 2; 1 and 2 have a channel that the member
/// does not see into.
fn alone(between_has: u64) -> DayFacts {
    let graph = network(&[(1, 2, 1, 1)]);
    let graph = graph.updated(&[GraphUpdate::ChannelAdded {
        scid: ShortChannelId::from_u64(1),
        nodes: [id(1), id(2)],
        capacity: Sat::new(100_000_000),
    }]);
    let mut opens = [open(0, 1), open(0, 2)];
    opens.iter_mut().for_each(|open| {
        open.capacity = Sat::new(10_000_000);
        open.rate = Ppm::new(200);
    });
    let with = arrange(&graph, &placed(1, &opens), true);
    let ground = Ground::new(
        &with,
        SenderModel::FeeOnly,
        &payments(&graph, &[(1, 2)], 1_000),
    );
    let map = ground.map();
    let net = map.net;
    let mut ledger = Ledger::new(net, Balances::Uniform, 1);
    let out_of = |place| {
        let scid = opened(&with, 2, place);
        let place = with
            .graph
            .channels()
            .position(|channel| channel.scid == scid);
        let forth = (place.unwrap() << 1) as Arc;
        let mut both = [forth, forth ^ 1].into_iter();
        both.find(|arc| net.member_at(net.from(*arc)) == Some(0))
            .unwrap()
    };
    ledger.send(out_of(0) ^ 1, 4_500_000_000);
    ledger.send(out_of(1), 4_500_000_000);
    // The first arc leaves 1.
    let all = ledger.side(net, 0);
    ledger.send(0, all);
    ledger.send(1, between_has);
    let mut traffic = Traffic::new(&map, ledger, 1, 3, 1);
    let book = Book::new(&with);
    let config = PlannerConfig::default();
    let budget = Msat::new(10_000_000);
    let shape = (4, net.capacity.len());
    let mut refills = Refills::new(&book, Rebalancing::Local, budget, &config, shape);
    let mut facts = DayFacts::default();
    refills.refill(net, &mut traffic, 0, &mut facts);
    facts
}

#[test]
fn a_member_alone_refills_over_what_it_does_not_see() {
    let rich = alone(90_000_000_000);
    assert!(
        rich.rebalances > 0 && rich.rebalance_msat > 1_000_000_000,
        "{rich:?}"
    );
    assert_eq!(rich.rebalances_failed, 0);
    // The same move fails where the channel between has nothing, and costs nothing.
    let poor = alone(0);
    assert!(poor.rebalances_failed > 0, "{poor:?}");
    assert_eq!(
        (
            poor.rebalances,
            poor.rebalance_fee_msat,
            poor.rebalance_msat
        ),
        (0, 0, 0)
    );
}
