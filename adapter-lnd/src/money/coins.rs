//! Which outputs fund a channel.
//!
//! LND may spend fewer of the outputs that it is given. So the choice is such that no two parts of it
//! without a common output are each enough: whatever LND takes in two attempts, both spend one output, and
//! the chain lets only one of them be.

use crate::proto::lnrpc::AddressType;
use hive_types::{FeeratePerKw, OutPoint, Sat};
use std::cmp::Reverse;
use thiserror::Error;

/// Weight of a funding transaction but for its inputs: frame, P2WSH or taproot funding output, taproot
/// change.
const FRAME_WEIGHT: u32 = 42 + 172 + 172;

/// A free output of the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coin {
    pub(super) outpoint: OutPoint,
    pub(super) amount: Sat,
    pub(super) weight: u32,
}

/// Weight of an input with its witness; the largest where the kind is not known.
pub(super) const fn input_weight(kind: AddressType) -> u32 {
    match kind {
        AddressType::TaprootPubkey => 230,
        AddressType::WitnessPubkeyHash => 272,
        AddressType::NestedPubkeyHash => 364,
    }
}

/// There is no such choice.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum NoCoins {
    /// Not enough.
    #[error("{free} are free, too little for {needed} and the fee")]
    TooLittle { free: Sat, needed: Sat },
    /// Enough, in outputs that cost too much to spend or that could fund two channels.
    #[error(
        "the wallet's free outputs don't fit {needed}; join them into one with a payment to yourself"
    )]
    Unfit { needed: Sat },
}

/// What was chosen, and what the transaction costs at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) coins: Vec<Coin>,
    pub(super) fee: Sat,
}

/// The largest first, then without those that are not needed.
pub(super) fn choose(
    mut free: Vec<Coin>,
    capacity: Sat,
    rate: FeeratePerKw,
) -> Result<Choice, NoCoins> {
    free.sort_by_key(|coin| (Reverse(coin.amount), coin.outpoint));
    let total: Sat = free.iter().map(|coin| coin.amount).sum();
    let mut coins: Vec<Coin> = Vec::new();
    for coin in free {
        if is_enough(&coins, capacity, rate) {
            break;
        }
        // A second output that is enough by itself could fund a second channel.
        if coin.amount < capacity || coins.is_empty() {
            coins.push(coin);
        }
    }
    if !is_enough(&coins, capacity, rate) {
        return Err(match total > capacity.saturating_add(fee(&coins, rate)) {
            true => NoCoins::Unfit { needed: capacity },
            false => NoCoins::TooLittle {
                free: total,
                needed: capacity,
            },
        });
    }
    drop_needless(&mut coins, capacity, rate);
    let sum: Sat = coins.iter().map(|coin| coin.amount).sum();
    if coins.len() > 1 && sum >= capacity.saturating_add(capacity) {
        return Err(NoCoins::Unfit { needed: capacity });
    }
    let fee = fee(&coins, rate);
    Ok(Choice { coins, fee })
}

pub(super) fn fee(coins: &[Coin], rate: FeeratePerKw) -> Sat {
    let inputs = coins.iter().map(|coin| coin.weight);
    rate.fee_for(inputs.fold(FRAME_WEIGHT, u32::saturating_add))
}

fn is_enough(coins: &[Coin], capacity: Sat, rate: FeeratePerKw) -> bool {
    let sum: Sat = coins.iter().map(|coin| coin.amount).sum();
    !coins.is_empty() && sum >= capacity.saturating_add(fee(coins, rate))
}

/// From the smallest on: what the rest can do without.
fn drop_needless(coins: &mut Vec<Coin>, capacity: Sat, rate: FeeratePerKw) {
    for place in (0..coins.len()).rev() {
        let mut without = coins.clone();
        without.remove(place);
        if is_enough(&without, capacity, rate) {
            *coins = without;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::Txid;

    const RATE: FeeratePerKw = FeeratePerKw::new(1_000);

    fn coins(amounts: &[u64]) -> Vec<Coin> {
        let coin = |(number, amount): (usize, &u64)| Coin {
            outpoint: OutPoint {
                txid: Txid::from_bytes([number as u8; 32]),
                vout: 0,
            },
            amount: Sat::new(*amount),
            weight: 272,
        };
        amounts.iter().enumerate().map(coin).collect()
    }

    fn amounts(choice: &Choice) -> Vec<u64> {
        choice.coins.iter().map(|coin| coin.amount.get()).collect()
    }

    #[test]
    fn one_is_enough_when_it_is_large() {
        let choice = choose(
            coins(&[10_000, 5_000_000, 70_000]),
            Sat::new(1_000_000),
            RATE,
        );
        let choice = choice.unwrap();
        assert_eq!(amounts(&choice), [5_000_000]);
        assert_eq!(choice.fee, Sat::new(658));
    }

    #[test]
    fn needless_ones_are_dropped() {
        let choice = choose(
            coins(&[600_000, 350_000, 60_000, 55_000, 3_000]),
            Sat::new(1_000_000),
            RATE,
        );
        assert_eq!(amounts(&choice.unwrap()), [600_000, 350_000, 60_000]);
    }

    #[test]
    fn t36_no_two_parts_fund_two_channels() {
        // Each of two is nearly enough alone, with the fee that LND would pay perhaps quite so.
        let capacity = Sat::new(1_000_000);
        let choice = choose(coins(&[1_000_300, 1_000_200, 5_000]), capacity, RATE).unwrap();
        assert_eq!(amounts(&choice), [1_000_300, 5_000]);
        let error = choose(coins(&[1_000_300, 1_000_200]), capacity, RATE).unwrap_err();
        assert_eq!(error, NoCoins::Unfit { needed: capacity });
    }

    /// Over many wallets: if a choice is made, no two parts of it without a common coin reach the
    /// capacity each, even at no fee.
    #[test]
    fn t36_choices_never_split_in_two() {
        let capacity = Sat::new(100_000);
        let mut state = 1u64;
        let mut made = 0;
        for _ in 0..3_000 {
            let mut wallet = Vec::new();
            for _ in 0..7 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                wallet.push(1_000 + (state >> 40) % 110_000);
            }
            let Ok(choice) = choose(coins(&wallet), capacity, RATE) else {
                continue;
            };
            made += 1;
            let chosen = amounts(&choice);
            let total: u64 = chosen.iter().sum();
            for part in 0..1u32 << chosen.len() {
                let inside = chosen
                    .iter()
                    .enumerate()
                    .filter(|(place, _)| part >> place & 1 == 1);
                let sum: u64 = inside.map(|(_, amount)| amount).sum();
                assert!(sum.min(total - sum) < capacity.get(), "{chosen:?}");
            }
        }
        assert!(made > 1_000, "only {made} wallets had a choice");
    }

    #[test]
    fn too_little_is_told() {
        let error = choose(coins(&[400_000, 300_000]), Sat::new(1_000_000), RATE).unwrap_err();
        assert!(
            error.to_string().starts_with("700000sat are free"),
            "{error}"
        );
        assert!(choose(vec![], Sat::new(1), RATE).is_err());
    }
}
