use super::*;
use crate::placement::arrange;
use crate::testing::{drawn_network, network, open, placed};

fn drawn(balances: Balances, opens: &[crate::placement::Open]) -> (Net, Ledger) {
    let graph = drawn_network(60, 800, 3);
    let net = Net::new(&arrange(&graph, &placed(1, opens), true));
    let ledger = Ledger::new(&net, balances, 11);
    (net, ledger)
}

#[test]
fn all_arms_see_the_same_balances() {
    for balances in [Balances::Uniform, Balances::Bimodal] {
        let (net, few) = drawn(balances, &[open(0, 1)]);
        let (_, many) = drawn(balances, &[open(0, 1), open(0, 2), open(0, 40)]);
        let public = net.of_arm.iter().filter(|own| !**own).count();
        assert_eq!(few.first[..public], many.first[..public]);
        assert_eq!(few.first[public], net.capacity[public] / 2);
    }
}

#[test]
fn balances_lie_as_their_names_say() {
    let parts = |balances| {
        let (net, ledger) = drawn(balances, &[]);
        let shares = ledger.first.iter().zip(&net.capacity);
        let shares: Vec<f64> = shares
            .map(|(first, whole)| *first as f64 / *whole as f64)
            .collect();
        let ends = shares
            .iter()
            .filter(|share| **share < 0.1 || **share > 0.9)
            .count();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        (ends as f64 / shares.len() as f64, mean)
    };
    let (ends, mean) = parts(Balances::Uniform);
    assert!(
        (ends - 0.2).abs() < 0.06 && (mean - 0.5).abs() < 0.05,
        "{ends} {mean}"
    );
    // The drawn channels are far larger than the scale.
    let (ends, mean) = parts(Balances::Bimodal);
    assert!(ends > 0.9 && (mean - 0.5).abs() < 0.06, "{ends} {mean}");
}

#[test]
fn others_drift_back_and_the_arm_does_not() {
    let graph = network(&[(1, 2, 0, 0), (2, 3, 0, 0)]);
    let net = Net::new(&arrange(&graph, &placed(1, &[open(0, 1)]), true));
    let mut ledger = Ledger::new(&net, Balances::Uniform, 4);
    let (arc, own) = (0, 4);
    let home = ledger.side(&net, arc);
    let moved = home / 2;
    ledger.send(arc, moved);
    assert_eq!(
        ledger.side(&net, arc) + ledger.side(&net, arc ^ 1),
        net.capacity[0]
    );
    ledger.spendable(&net, arc, HALF_LIFE_SECONDS);
    assert!(ledger.side(&net, arc).abs_diff(home - moved / 2) < 1_000);
    ledger.spendable(&net, arc, 40 * HALF_LIFE_SECONDS);
    assert!(ledger.side(&net, arc).abs_diff(home) < 1_000);
    let before = ledger.side(&net, own);
    ledger.send(own, 1_000);
    ledger.spendable(&net, own, 40 * HALF_LIFE_SECONDS);
    assert_eq!(ledger.side(&net, own), before - 1_000);
}

#[test]
fn the_reserve_stays() {
    let graph = network(&[(1, 2, 0, 0)]);
    let net = Net::new(&arrange(&graph, &placed(1, &[open(0, 1)]), true));
    let mut ledger = Ledger::new(&net, Balances::Uniform, 4);
    // Half of a million sat, less one percent of it all.
    assert_eq!(ledger.spendable(&net, 2, 0), 490_000_000);
    assert_eq!(ledger.depleted(&net), 0.0);
    ledger.send(2, 400_000_001);
    assert_eq!(ledger.depleted(&net), 1.0);
}
