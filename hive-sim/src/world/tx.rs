//! Transactions as plain values.

use bitcoin::hashes::{Hash, HashEngine, sha256d};
use hive_types::{BlockHeight, OutPoint, Sat, Txid};
use thiserror::Error;

/// Who can spend an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The wallet of the node with this number, as [`super::World::node_id`] resolves it.
    Wallet(usize),
    /// The two ends of a channel together.
    Channel,
}

/// An output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxOut {
    /// What it holds.
    pub amount: Sat,
    /// Who can spend it.
    pub owner: Owner,
    /// Blocks that must lie on top before it can be spent (`to_self_delay`); usually 0.
    pub csv: u32,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tx {
    /// What it spends.
    pub inputs: Vec<OutPoint>,
    /// What it makes.
    pub outputs: Vec<TxOut>,
    /// What it leaves to the miner.
    pub fee: Sat,
    /// Its size in weight units.
    pub weight: u32,
}

impl Tx {
    /// SHA256d over inputs and outputs.
    pub fn txid(&self) -> Txid {
        let mut engine = sha256d::Hash::engine();
        for input in &self.inputs {
            engine.input(input.txid.as_bytes());
            engine.input(&input.vout.to_le_bytes());
        }
        for output in &self.outputs {
            engine.input(&output.amount.get().to_le_bytes());
            match output.owner {
                Owner::Wallet(node) => engine.input(&(node as u64).to_le_bytes()),
                Owner::Channel => engine.input(b"channel"),
            }
        }
        engine.input(&self.fee.get().to_le_bytes());
        Txid::from_bytes(sha256d::Hash::from_engine(engine).to_byte_array())
    }

    pub(crate) fn feerate(&self) -> u64 {
        self.fee.get() * 1000 / u64::from(self.weight.max(1))
    }
}

/// Why the mempool refuses a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TxError {
    /// No such output.
    #[error("input {0} does not exist; read the wallet again")]
    UnknownInput(OutPoint),
    /// Another transaction spends it.
    #[error("input {0} is already spent by {1}")]
    Spent(OutPoint, Txid),
    /// Its delay has not passed.
    #[error("input {0} can be spent from height {1} on")]
    Immature(OutPoint, BlockHeight),
    /// Inputs differ from outputs and fee.
    #[error("inputs hold {inputs}, outputs and fee take {outputs}")]
    Unbalanced {
        /// Sum of the inputs.
        inputs: Sat,
        /// Sum of the outputs and the fee.
        outputs: Sat,
    },
}
