use super::*;
use crate::placement::{Arranged, arrange};
use crate::testing::{drawn_network, network, open, payments, placed};
use crate::{Balances, dynamics::Ground};
use hive_planner::routes::SenderModel;

/// 1 - 2 - 3 with a member beside the dear middle.
fn ground(ends: &[(u16, u16)], msat: u64) -> (Arranged, Ground) {
    let graph = network(&[(1, 2, 40, 500), (2, 3, 500, 40)]);
    let with = arrange(&graph, &placed(1, &[open(0, 1), open(0, 3)]), true);
    let ground = Ground::new(&with, SenderModel::FeeOnly, &payments(&graph, ends, msat));
    (with, ground)
}

#[test]
fn a_channel_carries_what_it_holds_and_then_others_do() {
    // Half a million sat less the reserve, 100,000 sat at a time: four payments by the member.
    let (_, ground) = ground(&[(1, 3)], 100_000_000);
    let map = ground.map();
    let mut ledger = Ledger::new(map.net, Balances::Uniform, 1);
    // All that the dear way holds lies on the side of the payers: 1 is the smaller id, and so is 2.
    for arc in [1, 3] {
        let far = ledger.side(map.net, arc);
        ledger.send(arc, far);
    }
    let mut traffic = Traffic::new(&map, ledger, 1, 5, 1);
    (0..9).for_each(|_| traffic.pay(0));
    let tally = traffic.take_tally();
    assert_eq!((tally.payments, tally.forwarded), (9, 4));
    assert_eq!(tally.earned_msat, [40]);
    assert_eq!(tally.delivered, 9);
    assert_eq!(tally.tried, 4);
    // The channel from 1 is empty on its side; the one to 3 has just the tenth that is enough.
    assert_eq!(traffic.ledger.depleted(map.net), 0.5);
    assert_eq!(
        traffic.drained.iter().map(|drain| drain.abs()).max(),
        Some(400_000_040)
    );
}

#[test]
fn payments_both_ways_keep_a_channel_alive() {
    let (_, ground) = ground(&[(1, 3), (3, 1)], 100_000_000);
    let map = ground.map();
    let ledger = Ledger::new(map.net, Balances::Uniform, 1);
    let mut traffic = Traffic::new(&map, ledger, 1, 5, 1);
    (0..400).for_each(|_| traffic.pay(0));
    let tally = traffic.take_tally();
    assert!(tally.forwarded > 100, "{tally:?}");
    assert_eq!(tally.earned_msat, [10 * tally.forwarded]);
}

#[test]
fn without_a_way_nothing_is_tried() {
    let (_, ground) = ground(&[(1, 3)], 2_000_000_000);
    let map = ground.map();
    let ledger = Ledger::new(map.net, Balances::Uniform, 1);
    let mut traffic = Traffic::new(&map, ledger, 1, 5, 1);
    (0..3).for_each(|_| traffic.pay(0));
    let tally = traffic.take_tally();
    assert_eq!(
        (tally.payments, tally.delivered, tally.attempts, tally.tried),
        (3, 0, 0, 0)
    );
}

/// What everybody holds together never changes, nor does any channel hold less than nothing.
#[test]
fn sats_are_conserved() {
    for seed in 0..4 {
        let graph = drawn_network(40, 60, seed);
        let mut opens = [open(0, 1), open(0, 9), open(0, 30)];
        opens
            .iter_mut()
            .for_each(|open| open.capacity = hive_types::Sat::new(20_000_000));
        let with = arrange(&graph, &placed(1, &opens), true);
        let ends: Vec<(u16, u16)> = (0..40)
            .flat_map(|one| [(one, (one + 7) % 40), (one, (one + 19) % 40)])
            .collect();
        let payments = payments(&graph, &ends, 2_000_000_000);
        let ground = Ground::new(&with, SenderModel::Lnd, &payments);
        let map = ground.map();
        let mut traffic = Traffic::new(
            &map,
            Ledger::new(map.net, Balances::Bimodal, seed),
            1,
            4,
            seed,
        );
        (0..2_000).for_each(|turn| traffic.pay(turn * 60));
        for arc in 0..map.net.to.len() as Arc {
            let both = traffic.ledger.side(map.net, arc) + traffic.ledger.side(map.net, arc ^ 1);
            assert_eq!(both, map.net.capacity[arc as usize / 2]);
        }
        let tally = traffic.take_tally();
        assert!(
            tally.delivered > 0 && tally.delivered < tally.payments,
            "{tally:?}"
        );
        assert!(tally.attempts > tally.delivered && tally.attempts <= 4 * tally.payments);
        assert!(tally.forwarded <= tally.tried_delivered && tally.tried_delivered <= tally.tried);
    }
}
