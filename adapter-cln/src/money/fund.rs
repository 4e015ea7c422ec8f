//! Which outputs fund a channel, and what that costs.

use crate::calls::Output;
use hive_node::backend::{Fault, NotDone};
use hive_types::{FeeratePerKw, Msat, OutPoint, Sat};

/// Weight of a funding transaction but for its inputs: frame, funding output, taproot change.
const BASE_WEIGHT: u32 = 42 + 172 + 172;

/// Weight of a P2WPKH input with its witness, the heaviest of the wallet's own kinds but one.
const INPUT_WEIGHT: u32 = 272;

/// Weight of a P2WPKH input wrapped in P2SH.
const WRAPPED_WEIGHT: u32 = 364;

/// What an open needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    pub(super) capacity: Sat,
    pub(super) feerate: FeeratePerKw,
    /// What the transaction may cost at most.
    pub(super) cost: Msat,
    /// What must be left in the wallet.
    pub(super) reserve: Sat,
}

/// The place of an output.
pub(super) fn outpoint(output: &Output) -> OutPoint {
    OutPoint {
        txid: output.txid,
        vout: output.output,
    }
}

/// Chooses the largest free outputs first: few inputs, a small fee, and the same choice whenever the same
/// question comes again, so that two opens can't both happen.
///
/// # Errors
/// [`NotDone`] where there is too little, or where it costs too much.
pub(super) fn choose(outputs: &[Output], need: &Need) -> Result<Vec<OutPoint>, NotDone> {
    let mut free: Vec<&Output> = outputs.iter().filter(|output| is_free(output)).collect();
    free.sort_by_key(|output| (std::cmp::Reverse(output.amount_msat), outpoint(output)));
    let all: Sat = free.iter().map(|output| amount(output)).sum();
    let (mut inputs, mut sum, mut weight) = (Vec::new(), Sat::ZERO, BASE_WEIGHT);
    for output in free {
        inputs.push(outpoint(output));
        sum = sum.saturating_add(amount(output));
        let input_weight = match output.redeemscript {
            Some(_) => WRAPPED_WEIGHT,
            None => INPUT_WEIGHT,
        };
        weight = weight.saturating_add(input_weight);
        let fee = need.feerate.fee_for(weight);
        if fee.to_msat_saturating() > need.cost {
            let (count, cost) = (inputs.len(), need.cost);
            return Err(NotDone::new(
                Fault::Node,
                format!(
                    "{count} inputs cost {fee}, permitted are {cost}; the largest free outputs are too small, or the feerate too high"
                ),
            ));
        }
        let spent = need.capacity.saturating_add(fee);
        if sum >= spent {
            let left = all.saturating_sub(spent);
            if left < need.reserve {
                let reserve = need.reserve;
                return Err(NotDone::new(
                    Fault::Node,
                    format!(
                        "{left} would be left, and the node keeps {reserve} back for its anchor channels; add on-chain funds"
                    ),
                ));
            }
            return Ok(inputs);
        }
    }
    Err(NotDone::new(
        Fault::Node,
        format!(
            "{all} are confirmed and free, too little for {} and its fee; add on-chain funds",
            need.capacity
        ),
    ))
}

pub(super) fn is_free(output: &Output) -> bool {
    output.status == "confirmed" && !output.reserved
}

fn amount(output: &Output) -> Sat {
    output.amount_msat.to_sat_floor()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::Txid;

    fn output(number: u8, sat: u64) -> Output {
        Output {
            txid: Txid::from_bytes([number; 32]),
            output: number.into(),
            amount_msat: Msat::new(sat * 1_000),
            status: "confirmed".into(),
            reserved: false,
            redeemscript: None,
        }
    }

    fn need(sat: u64) -> Need {
        Need {
            capacity: Sat::new(sat),
            feerate: FeeratePerKw::new(1_000),
            cost: Msat::new(5_000_000),
            reserve: Sat::ZERO,
        }
    }

    #[test]
    fn the_fewest_inputs_are_chosen_always_the_same() {
        let mut outputs = vec![output(1, 50_000), output(2, 200_000), output(3, 100_000)];
        let chosen = choose(&outputs, &need(250_000)).unwrap();
        assert_eq!(chosen, [outpoint(&outputs[1]), outpoint(&outputs[2])]);
        outputs.reverse();
        assert_eq!(choose(&outputs, &need(250_000)).unwrap(), chosen);
        // Fee and capacity together.
        let one = choose(&outputs, &need(200_000 - 658)).unwrap();
        assert_eq!(one.len(), 1);
        assert_eq!(choose(&outputs, &need(200_000 - 657)).unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_free_is_not_touched() {
        let mut outputs = vec![output(1, 900_000), output(2, 800_000), output(3, 100_000)];
        outputs[0].reserved = true;
        outputs[1].status = "unconfirmed".into();
        let chosen = choose(&outputs, &need(50_000)).unwrap();
        assert_eq!(chosen, [outpoint(&outputs[2])]);
        let error = choose(&outputs, &need(100_000)).unwrap_err();
        assert!(error.fault == Fault::Node && error.reason.contains("100000sat are confirmed"));
    }

    #[test]
    fn reserve_and_cost_hold() {
        let outputs = [output(1, 100_000)];
        let mut need = need(80_000);
        need.reserve = Sat::new(25_000);
        let error = choose(&outputs, &need).unwrap_err();
        assert!(error.reason.contains("keeps 25000sat back"), "{error}");
        need.reserve = Sat::new(19_000);
        assert!(choose(&outputs, &need).is_ok());
        need.cost = Msat::new(657_999);
        let error = choose(&outputs, &need).unwrap_err();
        assert!(error.reason.contains("permitted are"), "{error}");
        need.cost = Msat::new(658_000);
        assert!(choose(&outputs, &need).is_ok());
    }
}
