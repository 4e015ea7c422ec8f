//! On-chain money of nodes.

use super::rng::hash_of;
use super::tx::{Owner, Tx, TxOut};
use super::{NodeError, NodeIx, OpenError, World};
use hive_types::{BlockHeight, FeeratePerKw, NodeId, OnChain, OutPoint, Sat, Txid};

/// Weight of version, locktime, counts and the segwit marker.
const TX_OVERHEAD_WEIGHT: u32 = 42;
/// Weight of a P2WPKH input with its witness.
const INPUT_WEIGHT: u32 = 272;
/// Weight of a P2WPKH output.
const P2WPKH_OUTPUT_WEIGHT: u32 = 124;
/// Weight of a P2WSH output, as funding outputs are.
const P2WSH_OUTPUT_WEIGHT: u32 = 172;
/// A P2WPKH output below this is not relayed; change under it goes to the miner.
const DUST: u64 = 294;
/// What LND keeps back per channel for the fees of anchor commitments, and the most of it.
const ANCHOR_RESERVE: (u64, u64) = (10_000, 100_000);

/// An output of a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utxo {
    /// Its place.
    pub outpoint: OutPoint,
    /// What it holds.
    pub amount: Sat,
    /// Height of its confirmation as the node knows it; absent before.
    pub confirmed: Option<BlockHeight>,
    /// Whether the node can spend it now.
    pub spendable: bool,
}

impl World {
    /// Gives a node on-chain money from nowhere, confirmed.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn fund(&mut self, node: NodeId, amount: Sat) -> Result<OutPoint, NodeError> {
        let ix = self.ix(node)?;
        Ok(self.mint(ix, amount))
    }

    pub(crate) fn mint(&mut self, node: NodeIx, amount: Sat) -> OutPoint {
        self.mints += 1;
        let parts: [&[u8]; 2] = [&self.config.seed, &self.mints.to_le_bytes()];
        let outpoint = OutPoint {
            txid: Txid::from_bytes(hash_of("mint", &parts)),
            vout: 0,
        };
        if !amount.is_zero() {
            let owner = Owner::Wallet(node);
            let out = TxOut {
                amount,
                owner,
                csv: 0,
            };
            self.chain.mint(outpoint, out);
        }
        outpoint
    }

    /// The node's outputs, in order of their places; spent ones are left out.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn utxos(&self, node: NodeId) -> Result<Vec<Utxo>, NodeError> {
        Ok(self.wallet_of(self.ix(node)?).collect())
    }

    fn wallet_of(&self, node: NodeIx) -> impl Iterator<Item = Utxo> {
        let tip = self.tip_of(node);
        self.chain.wallet(node).map(move |(outpoint, out, height)| {
            let height = height.filter(|height| *height <= tip);
            Utxo {
                outpoint,
                amount: out.amount,
                confirmed: height.map(BlockHeight::new),
                spendable: height.is_some_and(|height| height + out.csv <= tip),
            }
        })
    }

    pub(crate) fn on_chain(&self, node: NodeIx) -> OnChain {
        let channels = self.nodes[node].channels.len() as u64;
        let mut money = OnChain {
            reserve: Sat::new((channels * ANCHOR_RESERVE.0).min(ANCHOR_RESERVE.1)),
            ..OnChain::default()
        };
        for utxo in self.wallet_of(node) {
            if utxo.spendable {
                money.confirmed = money.confirmed.saturating_add(utxo.amount);
            } else {
                money.unconfirmed = money.unconfirmed.saturating_add(utxo.amount);
            }
        }
        money
    }

    /// A transaction that spends exactly `inputs`, all of them the node's, into a funding output and
    /// change.
    pub(crate) fn funding_tx(
        &self,
        node: NodeIx,
        inputs: &[OutPoint],
        capacity: Sat,
        feerate: FeeratePerKw,
    ) -> Result<Tx, OpenError> {
        let mut sum = 0u64;
        for input in inputs {
            if let super::OutPointState::Spent(by) = self.chain.outpoint(input) {
                return Err(OpenError::InputSpent(*input, by));
            }
            let utxo = self.wallet_of(node).find(|utxo| utxo.outpoint == *input);
            let utxo = utxo.ok_or(OpenError::InputUnknown(*input))?;
            if !utxo.spendable {
                return Err(OpenError::InputUnconfirmed(*input));
            }
            sum += utxo.amount.get();
        }
        let weight = TX_OVERHEAD_WEIGHT
            + INPUT_WEIGHT * inputs.len() as u32
            + P2WSH_OUTPUT_WEIGHT
            + P2WPKH_OUTPUT_WEIGHT;
        let fee = feerate.fee_for(weight).get();
        let change = sum
            .checked_sub(fee)
            .and_then(|rest| rest.checked_sub(capacity.get()))
            .ok_or(OpenError::NotEnough {
                needed: Sat::new(capacity.get().saturating_add(fee)),
                available: Sat::new(sum),
            })?;
        let output = |amount, owner| TxOut {
            amount: Sat::new(amount),
            owner,
            csv: 0,
        };
        let mut outputs = vec![output(capacity.get(), Owner::Channel)];
        let dust = if change < DUST { change } else { 0 };
        if change >= DUST {
            outputs.push(output(change, Owner::Wallet(node)));
        }
        Ok(Tx {
            inputs: inputs.to_vec(),
            outputs,
            fee: Sat::new(fee + dust),
            weight,
        })
    }
}
