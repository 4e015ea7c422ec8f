//! The simulated chain: transactions as plain values, a mempool, blocks, reorgs.
//!
//! The set of unspent outputs forbids double spends, as on the real chain: two transactions that
//! spend one output never both exist here.

use super::NodeIx;
use super::tx::{Owner, Tx, TxError, TxOut};
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use hive_types::{BlockHeight, FeeratePerKw, OutPoint, Sat, Txid, UnixMillis};
use std::collections::{BTreeMap, BTreeSet};

/// Weight units of a block (BIP 141), less the coinbase's share.
const BLOCK_WEIGHT: u64 = 3_996_000;

/// A transaction that the chain knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxRecord {
    /// The transaction.
    pub tx: Tx,
    /// Height of its block and its index there; absent in the mempool.
    pub block: Option<(BlockHeight, u32)>,
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its hash, which covers its parent's.
    pub hash: [u8; 32],
    /// When it was found.
    pub time: UnixMillis,
    /// Its transactions in order; index 0 is the coinbase, which is not listed.
    pub txs: Vec<Txid>,
}

/// What is known of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutPointState {
    /// Never heard of, or its transaction is gone.
    Unknown,
    /// Unspent; height of its confirmation, absent in the mempool.
    Unspent(Option<BlockHeight>),
    /// Spent, or about to be, by this transaction.
    Spent(Txid),
}

/// The chain.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Height of the block before the first of `blocks`.
    base: u32,
    blocks: Vec<Block>,
    txs: BTreeMap<Txid, TxRecord>,
    /// Confirmed and not spent by a confirmed transaction: output and height.
    utxos: BTreeMap<OutPoint, (TxOut, u32)>,
    /// Outputs that a transaction of the mempool or of a block spends.
    spent: BTreeMap<OutPoint, Txid>,
    mempool: BTreeSet<Txid>,
    owned: BTreeMap<NodeIx, BTreeSet<OutPoint>>,
    /// Outputs made from nothing: they have no transaction to be read from.
    mints: BTreeMap<OutPoint, TxOut>,
    minted: u64,
    burned: u64,
}

impl Chain {
    pub(crate) fn new(base: u32) -> Self {
        Self {
            base,
            blocks: Vec::new(),
            txs: BTreeMap::new(),
            utxos: BTreeMap::new(),
            spent: BTreeMap::new(),
            mempool: BTreeSet::new(),
            owned: BTreeMap::new(),
            mints: BTreeMap::new(),
            minted: 0,
            burned: 0,
        }
    }

    /// The tip.
    pub fn height(&self) -> BlockHeight {
        BlockHeight::new(self.base + self.blocks.len() as u32)
    }

    /// The block at `height`; those before the world began are not held.
    pub fn block(&self, height: BlockHeight) -> Option<&Block> {
        let index = height.get().checked_sub(self.base + 1)?;
        self.blocks.get(index as usize)
    }

    /// A transaction of the mempool or of a block.
    pub fn tx(&self, txid: &Txid) -> Option<&TxRecord> {
        self.txs.get(txid)
    }

    /// Transactions that wait for a block.
    pub fn mempool(&self) -> impl Iterator<Item = &Txid> {
        self.mempool.iter()
    }

    /// What is known of an output.
    pub fn outpoint(&self, outpoint: &OutPoint) -> OutPointState {
        if let Some(spender) = self.spent.get(outpoint) {
            return OutPointState::Spent(*spender);
        }
        if let Some((_, height)) = self.utxos.get(outpoint) {
            return OutPointState::Unspent(Some(BlockHeight::new(*height)));
        }
        match self.output(outpoint) {
            Some(_) => OutPointState::Unspent(None),
            None => OutPointState::Unknown,
        }
    }

    /// Sats made when the world was set up, and sats that fees took out of it.
    pub fn supply(&self) -> (Sat, Sat) {
        (Sat::new(self.minted), Sat::new(self.burned))
    }

    /// The sum of all confirmed unspent outputs.
    pub(crate) fn unspent_total(&self) -> u128 {
        let amounts = self.utxos.values();
        amounts.map(|(out, _)| u128::from(out.amount.get())).sum()
    }

    /// A wallet's outputs: place, output, height of confirmation (absent in the mempool). Spent ones
    /// are left out, also when the spender is not yet confirmed.
    pub(crate) fn wallet(
        &self,
        node: NodeIx,
    ) -> impl Iterator<Item = (OutPoint, TxOut, Option<u32>)> {
        let owned = self.owned.get(&node).into_iter().flatten();
        owned
            .filter(|place| !self.spent.contains_key(place))
            .filter_map(|place| match self.utxos.get(place) {
                Some((out, height)) => Some((*place, *out, Some(*height))),
                None => self.output(place).map(|out| (*place, *out, None)),
            })
    }

    /// The output itself, confirmed or not.
    pub(crate) fn output(&self, place: &OutPoint) -> Option<&TxOut> {
        if let Some((out, _)) = self.utxos.get(place) {
            return Some(out);
        }
        let outputs = &self.txs.get(&place.txid)?.tx.outputs;
        outputs.get(place.vout as usize)
    }

    /// Makes an output from nothing, deeper than any reorg reaches.
    pub(crate) fn mint(&mut self, place: OutPoint, out: TxOut) {
        self.minted += out.amount.get();
        self.utxos.insert(place, (out, self.base));
        self.mints.insert(place, out);
        self.own(place, out.owner);
    }

    fn own(&mut self, place: OutPoint, owner: Owner) {
        if let Owner::Wallet(node) = owner {
            self.owned.entry(node).or_default().insert(place);
        }
    }

    fn disown(&mut self, place: OutPoint, owner: Owner) {
        if let Owner::Wallet(node) = owner {
            self.owned.entry(node).or_default().remove(&place);
        }
    }

    /// Takes a transaction into the mempool.
    pub(crate) fn publish(&mut self, tx: Tx) -> Result<Txid, TxError> {
        let mut sum = 0;
        for input in &tx.inputs {
            if let Some(spender) = self.spent.get(input) {
                return Err(TxError::Spent(*input, *spender));
            }
            let out = self.output(input).ok_or(TxError::UnknownInput(*input))?;
            sum += out.amount.get();
            let from = self.utxos.get(input).map(|(_, height)| height + out.csv);
            match from {
                Some(from) if from > self.height().get() => {
                    return Err(TxError::Immature(*input, BlockHeight::new(from)));
                }
                None if out.csv > 0 => {
                    let from = self.height().plus(out.csv);
                    return Err(TxError::Immature(*input, from));
                }
                _ => {}
            }
        }
        let outputs = tx.outputs.iter().map(|out| out.amount.get()).sum::<u64>() + tx.fee.get();
        if sum != outputs {
            return Err(TxError::Unbalanced {
                inputs: Sat::new(sum),
                outputs: Sat::new(outputs),
            });
        }
        let txid = tx.txid();
        for input in &tx.inputs {
            self.spent.insert(*input, txid);
        }
        for (vout, out) in tx.outputs.iter().enumerate() {
            self.own(place(txid, vout), out.owner);
        }
        self.txs.insert(txid, TxRecord { tx, block: None });
        self.mempool.insert(txid);
        Ok(txid)
    }

    /// Finds a block. Takes what pays at least `floor`, best first, parents before children.
    pub(crate) fn mine(&mut self, time: UnixMillis, floor: FeeratePerKw, empty: bool) -> Vec<Txid> {
        let taken = if empty {
            Vec::new()
        } else {
            self.fill_block(floor)
        };
        let parent = self.blocks.last().map_or([0; 32], |block| block.hash);
        let mut engine = sha256d::Hash::engine();
        engine.input(&parent);
        engine.input(&time.get().to_le_bytes());
        taken.iter().for_each(|txid| engine.input(txid.as_bytes()));
        self.blocks.push(Block {
            hash: sha256d::Hash::from_engine(engine).to_byte_array(),
            time,
            txs: taken.clone(),
        });
        taken
    }

    fn fill_block(&mut self, floor: FeeratePerKw) -> Vec<Txid> {
        let mut taken = Vec::new();
        let mut room = BLOCK_WEIGHT;
        loop {
            let next = self
                .mempool
                .iter()
                .filter_map(|txid| self.txs.get(txid).map(|record| (txid, &record.tx)))
                .filter(|(_, tx)| tx.feerate() >= u64::from(floor.get()))
                .filter(|(_, tx)| u64::from(tx.weight) <= room)
                .filter(|(_, tx)| tx.inputs.iter().all(|input| self.utxos.contains_key(input)))
                .max_by_key(|(txid, tx)| (tx.feerate(), std::cmp::Reverse(**txid)))
                .map(|(txid, tx)| (*txid, tx.weight));
            let Some((txid, weight)) = next else {
                return taken;
            };
            room -= u64::from(weight);
            self.confirm(txid, taken.len() as u32 + 1);
            taken.push(txid);
        }
    }

    fn confirm(&mut self, txid: Txid, index: u32) {
        let height = self.height().get() + 1;
        self.mempool.remove(&txid);
        let Some(record) = self.txs.get_mut(&txid) else {
            return;
        };
        record.block = Some((BlockHeight::new(height), index));
        let tx = record.tx.clone();
        self.burned += tx.fee.get();
        for input in &tx.inputs {
            if let Some((out, _)) = self.utxos.remove(input) {
                self.disown(*input, out.owner);
            }
        }
        for (vout, out) in tx.outputs.iter().enumerate() {
            self.utxos.insert(place(txid, vout), (*out, height));
        }
    }

    /// Takes the newest block off; its transactions wait again. Returns them, newest first.
    pub(crate) fn disconnect(&mut self) -> Vec<Txid> {
        let Some(block) = self.blocks.pop() else {
            return Vec::new();
        };
        for txid in block.txs.iter().rev() {
            self.unconfirm(*txid);
        }
        block.txs.into_iter().rev().collect()
    }

    fn unconfirm(&mut self, txid: Txid) {
        let Some(record) = self.txs.get_mut(&txid) else {
            return;
        };
        record.block = None;
        let tx = record.tx.clone();
        self.burned -= tx.fee.get();
        for (vout, _) in tx.outputs.iter().enumerate() {
            self.utxos.remove(&place(txid, vout));
        }
        for input in &tx.inputs {
            let parent = self.txs.get(&input.txid);
            let height = parent
                .and_then(|record| record.block)
                .map_or(self.base, |(height, _)| height.get());
            if let Some(out) = self.source(input) {
                self.utxos.insert(*input, (out, height));
                self.own(*input, out.owner);
            }
        }
        self.mempool.insert(txid);
    }

    /// The output that `input` names, from its transaction or, where it was made from nothing, from
    /// what was kept of it.
    fn source(&self, input: &OutPoint) -> Option<TxOut> {
        if let Some(out) = self.mints.get(input) {
            return Some(*out);
        }
        let outputs = &self.txs.get(&input.txid)?.tx.outputs;
        outputs.get(input.vout as usize).copied()
    }

    /// A defect put in to show that the check finds it.
    #[cfg(test)]
    pub(crate) fn lose(&mut self, place: &OutPoint) {
        self.utxos.remove(place);
    }

    /// Forgets a transaction of the mempool and all that spend its outputs, as a node does when a
    /// conflicting one won. Their inputs are free again. Returns what went.
    pub(crate) fn evict(&mut self, txid: Txid) -> Vec<Txid> {
        if !self.mempool.remove(&txid) {
            return Vec::new();
        }
        let Some(record) = self.txs.remove(&txid) else {
            return Vec::new();
        };
        let mut gone = vec![txid];
        for (vout, out) in record.tx.outputs.iter().enumerate() {
            let place = place(txid, vout);
            if let Some(child) = self.spent.get(&place).copied() {
                gone.extend(self.evict(child));
            }
            self.disown(place, out.owner);
        }
        for input in &record.tx.inputs {
            self.spent.remove(input);
        }
        gone
    }
}

fn place(txid: Txid, vout: usize) -> OutPoint {
    OutPoint {
        txid,
        vout: vout as u32,
    }
}
