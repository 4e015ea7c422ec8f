//! Blocks that hold nothing: what btcd mines holds all that waits.

use crate::failure::{Context, Outcome};
use bitcoin::absolute::LockTime;
use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Block, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Witness,
};

/// An empty block on top of another, its reward not claimed.
pub(super) fn on_top_of(previous: &Header, height: u32) -> Outcome<Block> {
    let coinbase = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            // The height (BIP 34), and one more byte: a coinbase script has two at least.
            script_sig: Builder::new()
                .push_int(height.into())
                .push_int(0)
                .into_script(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::new(),
        }],
    };
    let mut block = Block {
        header: Header {
            version: previous.version,
            prev_blockhash: previous.block_hash(),
            merkle_root: TxMerkleNode::all_zeros(),
            // Later than the median of those before.
            time: previous.time + 1,
            bits: previous.bits,
            nonce: 0,
        },
        txdata: vec![coinbase],
    };
    block.header.merkle_root = block.compute_merkle_root().during("a merkle root")?;
    let target = block.header.target();
    // On regtest every second hash will do.
    while block.header.validate_pow(target).is_err() {
        block.header.nonce = block.header.nonce.checked_add(1).during("a nonce")?;
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::Network;
    use bitcoin::constants::genesis_block;

    #[test]
    fn blocks_are_sound_and_differ() {
        let genesis = genesis_block(Network::Regtest);
        let one = on_top_of(&genesis.header, 1).unwrap();
        let two = on_top_of(&one.header, 2).unwrap();
        for block in [&one, &two] {
            assert!(block.check_merkle_root());
            assert!(block.header.validate_pow(block.header.target()).is_ok());
        }
        assert_eq!(two.header.prev_blockhash, one.block_hash());
        assert_ne!(one.txdata, two.txdata);
    }
}
