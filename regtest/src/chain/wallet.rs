//! The harness's money: one key, the rewards of the blocks that it mined, and what is left of them.

use crate::failure::{Context, Outcome, ensure};
use bitcoin::absolute::LockTime;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, Block, CompressedPublicKey, Network, OutPoint, PrivateKey, ScriptBuf,
    Sequence, Transaction, TxIn, TxOut, Witness, ecdsa,
};
use hive_types::{BlockHeight, Sat};
use std::collections::VecDeque;

/// Anybody's key: the money is worth nothing.
const SECRET: [u8; 32] = [7; 32];

/// Blocks on top of a reward before it can be spent: a rule of the chain.
const MATURITY: u32 = 100;

/// What a payment pays the miner, who is the payer. Enough for dozens of inputs at the nodes' minimum.
const FEE: Sat = Sat::new(20_000);

/// Less is not worth an output.
const DUST: Sat = Sat::new(1_000);

#[derive(Clone, Debug)]
struct Coin {
    at: OutPoint,
    amount: Sat,
    /// The block that it comes from; none while it waits for one.
    mined: Option<BlockHeight>,
    is_reward: bool,
}

impl Coin {
    fn is_spendable(&self, height: BlockHeight) -> bool {
        match (self.is_reward, self.mined) {
            // The next block is the one that counts.
            (true, Some(mined)) => height.get() + 1 >= mined.get() + MATURITY,
            (true, None) => false,
            (false, _) => true,
        }
    }
}

#[derive(Debug)]
pub(super) struct Wallet {
    key: PrivateKey,
    address: Address,
    /// Oldest first: the first are mature.
    coins: VecDeque<Coin>,
}

impl Wallet {
    pub(super) fn new() -> Self {
        let secret = SecretKey::from_slice(&SECRET).expect("32 bytes below the order of the group");
        let key = PrivateKey::new(secret, Network::Regtest);
        let public = CompressedPublicKey::from_private_key(&Secp256k1::new(), &key)
            .expect("a private key is compressed unless made otherwise");
        Self {
            key,
            address: Address::p2wpkh(&public, Network::Regtest),
            coins: VecDeque::new(),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Takes up the reward of a block that the harness mined.
    pub(super) fn mined(&mut self, block: &Block, height: BlockHeight) -> Outcome {
        let coinbase = block.coinbase().during("a block's first transaction")?;
        let reward = self.own_output(coinbase).during("the reward")?;
        self.coins.push_back(Coin {
            mined: Some(height),
            is_reward: true,
            ..reward
        });
        Ok(())
    }

    /// Blocks from this height on are gone, with their rewards.
    pub(super) fn forget_from(&mut self, height: BlockHeight) {
        self.coins
            .retain(|coin| coin.mined.is_none_or(|mined| mined < height));
    }

    /// A signed transaction with one output for each amount, and the rest back. Its inputs are spent from now on.
    pub(super) fn pay(
        &mut self,
        to: &ScriptBuf,
        amounts: &[Sat],
        height: BlockHeight,
    ) -> Outcome<Transaction> {
        let paid: Sat = amounts.iter().copied().sum();
        let needed = paid.saturating_add(FEE);
        let inputs = self.take(needed, height)?;
        let available: Sat = inputs.iter().map(|coin| coin.amount).sum();
        let rest = available.saturating_sub(needed);
        let mut outputs: Vec<TxOut> = amounts.iter().map(|&sat| output(to, sat)).collect();
        if rest >= DUST {
            outputs.push(output(&self.address.script_pubkey(), rest));
        }
        let transaction = self.sign(&inputs, outputs)?;
        if rest >= DUST {
            let rest = self.own_output(&transaction).during("the rest")?;
            self.coins.push_front(rest);
        }
        Ok(transaction)
    }

    /// Coins worth at least `needed`, the first that can be spent.
    fn take(&mut self, needed: Sat, height: BlockHeight) -> Outcome<Vec<Coin>> {
        let mut taken = Vec::new();
        let mut worth = Sat::ZERO;
        for coin in &self.coins {
            if worth >= needed {
                break;
            }
            if coin.is_spendable(height) {
                worth = worth.saturating_add(coin.amount);
                taken.push(coin.clone());
            }
        }
        ensure(worth >= needed, || {
            format!("the harness can spend {worth} of {needed}: mine more blocks first")
        })?;
        self.coins
            .retain(|coin| taken.iter().all(|taken| taken.at != coin.at));
        Ok(taken)
    }

    fn sign(&self, inputs: &[Coin], output: Vec<TxOut>) -> Outcome<Transaction> {
        let mut transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: inputs.iter().map(|coin| input(coin.at)).collect(),
            output,
        };
        let secp = Secp256k1::new();
        let public = self.key.public_key(&secp);
        let script = self.address.script_pubkey();
        let kind = EcdsaSighashType::All;
        let mut cache = SighashCache::new(&mut transaction);
        for (index, coin) in inputs.iter().enumerate() {
            let amount = Amount::from_sat(coin.amount.get());
            let hash = cache.p2wpkh_signature_hash(index, &script, amount, kind);
            let hash = Message::from(hash.during("what is signed")?);
            let signature = ecdsa::Signature {
                signature: secp.sign_ecdsa(&hash, &self.key.inner),
                sighash_type: kind,
            };
            let witness = Witness::p2wpkh(&signature, &public.inner);
            *cache.witness_mut(index).during("an input's witness")? = witness;
        }
        Ok(transaction)
    }

    /// The last output of a transaction that pays the harness.
    fn own_output(&self, transaction: &Transaction) -> Option<Coin> {
        let script = self.address.script_pubkey();
        let mut outputs = transaction.output.iter().enumerate();
        let (index, own) = outputs.rfind(|(_, out)| out.script_pubkey == script)?;
        Some(Coin {
            at: OutPoint::new(transaction.compute_txid(), u32::try_from(index).ok()?),
            amount: Sat::new(own.value.to_sat()),
            mined: None,
            is_reward: false,
        })
    }
}

fn input(previous_output: OutPoint) -> TxIn {
    TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    }
}

fn output(to: &ScriptBuf, amount: Sat) -> TxOut {
    TxOut {
        value: Amount::from_sat(amount.get()),
        script_pubkey: to.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;
    use bitcoin::{BlockHash, CompactTarget, TxMerkleNode, block};

    fn mine(wallet: &mut Wallet, height: u8, reward: Sat) {
        let block = block(wallet, height, reward);
        let height = BlockHeight::new(height.into());
        wallet.mined(&block, height).unwrap();
    }

    /// A block of the harness; rewards of different blocks differ.
    fn block(wallet: &Wallet, height: u8, reward: Sat) -> Block {
        let coinbase = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                script_sig: ScriptBuf::from_bytes(vec![1, height]),
                ..input(OutPoint::null())
            }],
            output: vec![output(&wallet.address.script_pubkey(), reward)],
        };
        Block {
            header: block::Header {
                version: block::Version::TWO,
                prev_blockhash: BlockHash::all_zeros(),
                merkle_root: TxMerkleNode::all_zeros(),
                time: 0,
                bits: CompactTarget::from_consensus(0),
                nonce: 0,
            },
            txdata: vec![coinbase],
        }
    }

    fn target() -> ScriptBuf {
        Wallet::new().address.script_pubkey()
    }

    #[test]
    fn rewards_are_spent_once_mature() {
        let mut wallet = Wallet::new();
        mine(&mut wallet, 20, Sat::new(5_000_000));
        let pay = |wallet: &mut Wallet, height| {
            wallet.pay(&target(), &[Sat::new(1_000_000)], BlockHeight::new(height))
        };
        assert!(pay(&mut wallet, 118).is_err());
        let spending = pay(&mut wallet, 119).unwrap();
        let values: Vec<u64> = spending
            .output
            .iter()
            .map(|out| out.value.to_sat())
            .collect();
        assert_eq!(values, [1_000_000, 3_980_000]);
        // The rest can be spent at once; more than there is can't.
        assert!(pay(&mut wallet, 119).is_ok());
        let too_much = wallet.pay(&target(), &[Sat::new(5_000_000)], BlockHeight::new(400));
        assert!(too_much.is_err());
    }

    #[test]
    fn signatures_stand() {
        let mut wallet = Wallet::new();
        for height in 18..21 {
            mine(&mut wallet, height, Sat::new(100_000));
        }
        let height = BlockHeight::new(500);
        let signed = wallet.pay(&target(), &[Sat::new(150_000)], height).unwrap();
        assert_eq!(signed.input.len(), 2);
        let secp = Secp256k1::new();
        let mut cache = SighashCache::new(&signed);
        for (index, input) in signed.input.iter().enumerate() {
            let amount = Amount::from_sat(100_000);
            let kind = EcdsaSighashType::All;
            let script = wallet.address.script_pubkey();
            let hash = cache
                .p2wpkh_signature_hash(index, &script, amount, kind)
                .unwrap();
            let witness = input.witness.to_vec();
            let signature = ecdsa::Signature::from_slice(&witness[0]).unwrap();
            let public = bitcoin::PublicKey::from_slice(&witness[1]).unwrap();
            assert_eq!(public, wallet.key.public_key(&secp));
            let checked = secp.verify_ecdsa(&hash.into(), &signature.signature, &public.inner);
            assert_eq!(checked, Ok(()));
        }
    }

    #[test]
    fn rewards_of_dropped_blocks_are_gone() {
        let mut wallet = Wallet::new();
        for height in 18..21 {
            mine(&mut wallet, height, Sat::new(100_000));
        }
        wallet.forget_from(BlockHeight::new(19));
        assert_eq!(wallet.coins.len(), 1);
    }
}
