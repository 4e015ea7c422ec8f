//! The chain: btcd on regtest, mining to the harness's own key.

mod empty;
mod rpc;
mod wallet;

pub(crate) use rpc::{Access, BtcdRpc, Rpc};

use crate::failure::{Context, Failure, Outcome, ensure};
use crate::ports;
use crate::process::{Guard, Service};
use crate::tools::Tools;
use crate::wait;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Address, Block, Network, Txid};
use hive_types::{BlockHeight, Sat};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wallet::Wallet;

/// Blocks before anything else: SegWit and Taproot count as active after three windows of 144 blocks, and the
/// first hundred rewards can be spent.
const FIRST_BLOCKS: u32 = 450;

/// A running btcd with the harness's money.
#[derive(Debug)]
pub struct Chain {
    service: Mutex<Service>,
    access: Access,
    rpc: BtcdRpc,
    wallet: Mutex<Wallet>,
}

impl Chain {
    /// Starts btcd in `folder` and mines what makes the chain usable.
    ///
    /// # Errors
    /// When btcd does not come up.
    pub fn start(tools: &Tools, guard: &Arc<Guard>, folder: &Path) -> Outcome<Self> {
        fs::create_dir_all(folder).during(folder.display())?;
        let access = Access {
            address: format!("127.0.0.1:{}", ports::free()?),
            user: "harness".into(),
            password: "loopback".into(),
            certificate: folder.join("rpc.cert"),
        };
        let wallet = Wallet::new();
        let mut command = Command::new(&tools.btcd);
        command
            .arg("--regtest")
            .args(["--nolisten", "--nodnsseed", "--txindex"])
            .arg(format!("--configfile={}", folder.join("none").display()))
            .arg(format!("--datadir={}", folder.join("data").display()))
            .arg(format!("--logdir={}", folder.join("logs").display()))
            .arg(format!("--rpccert={}", access.certificate.display()))
            .arg(format!("--rpckey={}", folder.join("rpc.key").display()))
            .arg(format!("--rpclisten={}", access.address))
            .arg(format!("--rpcuser={}", access.user))
            .arg(format!("--rpcpass={}", access.password))
            // Each LND holds several connections.
            .args(["--rpcmaxclients=200", "--rpcmaxwebsockets=200"])
            .arg(format!("--miningaddr={}", wallet.address()));
        let log = folder.join("btcd.log");
        let mut service = Service::start(guard, "btcd", &mut command, &log)?;
        let rpc = BtcdRpc::new(&access);
        wait::until("btcd answers", || {
            service.alive()?;
            rpc.call("getblockcount", &json!([]))
        })?;
        let chain = Self {
            service: Mutex::new(service),
            access,
            rpc,
            wallet: Mutex::new(wallet),
        };
        chain.generate(FIRST_BLOCKS)?;
        Ok(chain)
    }

    /// How to reach btcd's RPC.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Any RPC of btcd.
    ///
    /// # Errors
    /// What btcd says.
    pub fn call(&self, method: &str, params: &Value) -> Outcome<Value> {
        self.rpc.call(method, params)
    }

    /// Mines blocks with what waits in the mempool. The nodes are not waited for.
    ///
    /// # Errors
    /// When btcd does not mine.
    pub fn generate(&self, blocks: u32) -> Outcome {
        let tip = self.height()?.get();
        let hashes = self.call("generate", &json!([blocks]))?;
        let hashes = hashes.as_array().during("generate")?;
        for (height, hash) in (tip + 1..).zip(hashes) {
            let block = self.block(hash)?;
            self.wallet().mined(&block, BlockHeight::new(height))?;
        }
        Ok(())
    }

    /// The height of the tip.
    ///
    /// # Errors
    /// When btcd does not answer.
    pub fn height(&self) -> Outcome<BlockHeight> {
        let count = self.call("getblockcount", &json!([]))?;
        let count = count.as_u64().and_then(|count| u32::try_from(count).ok());
        Ok(BlockHeight::new(count.during("getblockcount")?))
    }

    /// Sends money to an address, each amount in an output of its own; it waits in the mempool for the next
    /// block.
    ///
    /// # Errors
    /// When the harness has not that much, or btcd refuses.
    pub fn pay(&self, address: &str, amounts: &[Sat]) -> Outcome<Txid> {
        let to = Address::from_str(address).during(address)?;
        let to = to.require_network(Network::Regtest).during(address)?;
        let height = self.height()?;
        let transaction = self.wallet().pay(&to.script_pubkey(), amounts, height)?;
        self.call("sendrawtransaction", &json!([serialize_hex(&transaction)]))?;
        Ok(transaction.compute_txid())
    }

    /// How many transactions wait for the next block.
    ///
    /// # Errors
    /// When btcd does not answer.
    pub fn mempool(&self) -> Outcome<usize> {
        let waiting = self.call("getrawmempool", &json!([]))?;
        Ok(waiting.as_array().during("getrawmempool")?.len())
    }

    /// Replaces the newest `depth` blocks by one more, all of them empty: what the old ones held waits in the
    /// mempool again. The nodes are not waited for.
    ///
    /// # Errors
    /// When btcd does not follow.
    pub fn reorganize(&self, depth: u32) -> Outcome {
        let tip = self.height()?.get();
        let from = tip.saturating_sub(depth) + 1;
        let mut left = Vec::new();
        for height in from..=tip {
            left.extend(self.block_at(height)?.txdata.into_iter().skip(1));
        }
        let first = self.call("getblockhash", &json!([from]))?;
        self.call("invalidateblock", &json!([first]))?;
        self.wallet().forget_from(BlockHeight::new(from));
        for height in from..=tip + 1 {
            let empty = empty::on_top_of(&self.block_at(height - 1)?.header, height)?;
            self.call("submitblock", &json!([serialize_hex(&empty)]))?;
        }
        for transaction in left {
            let raw = serialize_hex(&transaction);
            match self.call("sendrawtransaction", &json!([raw])) {
                Err(failure) if !failure.to_string().contains("already") => return Err(failure),
                _ => {}
            }
        }
        let now = self.height()?.get();
        ensure(now == tip + 1, || {
            format!("btcd is at {now}, not {}", tip + 1)
        })
    }

    fn block_at(&self, height: u32) -> Outcome<Block> {
        self.block(&self.call("getblockhash", &json!([height]))?)
    }

    fn block(&self, hash: &Value) -> Outcome<Block> {
        let block = self.call("getblock", &json!([hash, 0]))?;
        deserialize_hex(block.as_str().during("getblock")?).during("getblock")
    }

    /// The end of btcd's log.
    pub fn tail(&self, lines: usize) -> String {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        service.tail(lines)
    }

    fn wallet(&self) -> MutexGuard<'_, Wallet> {
        // A wallet is whole after each of its steps.
        self.wallet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rpc for Chain {
    fn call(&self, method: &str, params: &Value) -> Result<Value, Failure> {
        self.rpc.call(method, params)
    }
}
