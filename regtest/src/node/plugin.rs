//! The chain plugin: what lightningd asks of its Bitcoin backend, answered from btcd's RPC.
//!
//! lightningd runs it in the place of bcli. It finds btcd by its environment, which it inherits from
//! lightningd.

use crate::chain::{Access, BtcdRpc, Rpc};
use crate::failure::{Context, Failure, Outcome, wrong};
use bitcoin::Amount;
use serde_json::{Value, json};
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The role in which the harness's own program is the plugin.
pub(crate) const NAME: &str = "hive-chain-plugin";

// Not `HIVE_...`: the agent's plugin, which inherits them too, takes such a name for a setting with a slip.
const ADDRESS: &str = "REGTEST_BTCD_ADDRESS";
const USER: &str = "REGTEST_BTCD_USER";
const PASSWORD: &str = "REGTEST_BTCD_PASSWORD";
const BEHIND: &str = "REGTEST_CHAIN_BEHIND";

/// Blocks that the chain is said to have beyond those that are there, while it is said to be behind.
const BLOCKS_BEHIND: u64 = 100;

/// The file that has broadcasts held up, as `before` or `after`.
const HOLD: &str = "REGTEST_HOLD_FILE";

/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(50);

/// Targets in blocks and feerates in sat/kvB. btcd estimates nothing on a young chain. The slowest is the floor,
/// else lightningd refuses commitment transactions at LND's feerate, which is low by design.
const ESTIMATES: [(u32, u32); 4] = [(2, 10_000), (6, 8_000), (12, 5_000), (100, FLOOR)];

/// The least that btcd relays, in sat/kvB.
const FLOOR: u32 = 1_000;

/// The methods that lightningd wants from a Bitcoin backend, with their parameters in order.
const METHODS: [(&str, &[&str]); 5] = [
    ("getchaininfo", &["last_height"]),
    ("estimatefees", &[]),
    ("getrawblockbyheight", &["height"]),
    ("getutxout", &["txid", "vout"]),
    ("sendrawtransaction", &["tx", "allowhighfees"]),
];

/// The environment that tells the plugin where btcd is.
/// While the file `behind` is there, the chain is said to be behind; `hold` says which broadcasts are held up.
pub(super) fn environment(
    access: &Access,
    hold: &Path,
    behind: &Path,
) -> [(&'static str, String); 5] {
    [
        (HOLD, hold.display().to_string()),
        (BEHIND, behind.display().to_string()),
        (ADDRESS, access.address.clone()),
        (USER, access.user.clone()),
        (PASSWORD, access.password.clone()),
    ]
}

/// Serves lightningd until it closes the pipe.
///
/// # Errors
/// When the environment names no btcd, or the pipe breaks.
pub(crate) fn run() -> Outcome {
    let variable = |name| env::var(name).during(name);
    let access = Access {
        address: variable(ADDRESS)?,
        user: variable(USER)?,
        password: variable(PASSWORD)?,
        certificate: Default::default(),
    };
    let rpc = Held {
        rpc: BtcdRpc::new(&access),
        file: variable(HOLD)?.into(),
    };
    let behind = PathBuf::from(variable(BEHIND)?);
    let chain = Told {
        rpc: &rpc,
        is_behind: &|| behind.exists(),
    };
    serve(&chain, std::io::stdin(), std::io::stdout())
}

/// The chain, and whether it is said to be behind.
struct Told<'a> {
    rpc: &'a dyn Rpc,
    is_behind: &'a dyn Fn() -> bool,
}

/// When a transaction that lightningd gave out is held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The chain does not get it.
    Before,
    /// The chain has it, and lightningd is not told.
    After,
}

impl Hold {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Has the plugin that reads `file` hold up the next broadcast until the file is gone.
///
/// # Errors
/// When the file can't be written.
pub(super) fn hold(file: &Path, hold: Hold) -> Outcome {
    fs::write(file, hold.as_str()).during(file.display())
}

/// Whether one is held up.
pub(super) fn is_held(file: &Path) -> bool {
    held_mark(file).exists()
}

/// Lets go what is held up.
///
/// # Errors
/// When the file can't be removed.
pub(super) fn let_go(file: &Path) -> Outcome {
    // None is held up, perhaps.
    let _ = fs::remove_file(held_mark(file));
    fs::remove_file(file).during(file.display())
}

/// What the plugin writes when it holds up a broadcast.
fn held_mark(file: &Path) -> PathBuf {
    file.with_extension("held")
}

/// A chain that takes its time with transactions when it is told to.
struct Held<R> {
    rpc: R,
    file: PathBuf,
}

impl<R> Held<R> {
    fn hold(&self, now: Hold) -> Outcome {
        let wanted = || fs::read_to_string(&self.file).is_ok_and(|text| text == now.as_str());
        if wanted() {
            let mark = held_mark(&self.file);
            fs::write(&mark, []).during(mark.display())?;
        }
        while wanted() {
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl<R: Rpc> Rpc for Held<R> {
    fn call(&self, method: &str, params: &Value) -> Outcome<Value> {
        if method != "sendrawtransaction" {
            return self.rpc.call(method, params);
        }
        self.hold(Hold::Before)?;
        let sent = self.rpc.call(method, params);
        self.hold(Hold::After)?;
        sent
    }
}

/// Answers each request of `input`.
fn serve(chain: &Told<'_>, input: impl Read, mut output: impl Write) -> Outcome {
    for request in serde_json::Deserializer::from_reader(input).into_iter::<Value>() {
        let request = request.during("lightningd's request")?;
        // Notifications want no answer.
        let Some(id) = request.get("id") else {
            continue;
        };
        let answer = match answer(chain, &request) {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(error) => {
                let error = json!({"code": -1, "message": error.to_string()});
                json!({"jsonrpc": "2.0", "id": id, "error": error})
            }
        };
        write!(output, "{answer}\n\n").during("answering lightningd")?;
        output.flush().during("answering lightningd")?;
    }
    Ok(())
}

fn answer(chain: &Told<'_>, request: &Value) -> Outcome<Value> {
    let rpc = chain.rpc;
    let method = request.get("method").and_then(Value::as_str);
    match method.unwrap_or_default() {
        "getmanifest" => Ok(manifest()),
        "init" => Ok(json!({})),
        "getchaininfo" => chain_info(rpc, (chain.is_behind)()),
        "estimatefees" => Ok(estimates()),
        "getrawblockbyheight" => block(rpc, request),
        "getutxout" => output(rpc, request),
        "sendrawtransaction" => send(rpc, request),
        other => wrong(format!("{NAME} has no method {other:?}")),
    }
}

fn manifest() -> Value {
    let describe = |(name, parameters): &(&str, &[&str])| {
        let usage = parameters.join(" ");
        json!({"name": name, "usage": usage, "description": "The chain, from btcd"})
    };
    let methods: Vec<Value> = METHODS.iter().map(describe).collect();
    json!({"options": [], "rpcmethods": methods, "subscriptions": [], "hooks": [], "dynamic": false})
}

/// A parameter, by name or by its place.
fn parameter<'a>(request: &'a Value, name: &str) -> Outcome<&'a Value> {
    let params = request.get("params").during("params")?;
    let found = match params {
        Value::Array(list) => {
            let places = METHODS
                .iter()
                .flat_map(|(_, names)| names.iter().enumerate());
            let mut places = places.filter(|(_, known)| **known == name);
            places.next().and_then(|(place, _)| list.get(place))
        }
        params => params.get(name),
    };
    found.during(format!("the parameter {name}"))
}

fn chain_info(rpc: &dyn Rpc, is_behind: bool) -> Outcome<Value> {
    let info = rpc.call("getblockchaininfo", &json!([]))?;
    let field = |name| info.get(name).during(name);
    let headers = field("headers")?.as_u64().during("headers")?;
    let missing = if is_behind { BLOCKS_BEHIND } else { 0 };
    Ok(json!({
        "chain": field("chain")?,
        "headercount": headers + missing,
        "blockcount": field("blocks")?,
        "ibd": is_behind,
    }))
}

fn estimates() -> Value {
    let estimate = |&(blocks, feerate): &(u32, u32)| json!({"blocks": blocks, "feerate": feerate});
    let feerates: Vec<Value> = ESTIMATES.iter().map(estimate).collect();
    json!({"feerate_floor": FLOOR, "feerates": feerates})
}

fn block(rpc: &dyn Rpc, request: &Value) -> Outcome<Value> {
    let height = parameter(request, "height")?;
    // Beyond the tip there is none: the common case, as lightningd asks for the next.
    let Ok(hash) = rpc.call("getblockhash", &json!([height])) else {
        return Ok(json!({"blockhash": null, "block": null}));
    };
    let block = rpc.call("getblock", &json!([hash, 0]))?;
    Ok(json!({"blockhash": hash, "block": block}))
}

fn output(rpc: &dyn Rpc, request: &Value) -> Outcome<Value> {
    let (txid, place) = (parameter(request, "txid")?, parameter(request, "vout")?);
    let include_mempool = true;
    let found = rpc.call("gettxout", &json!([txid, place, include_mempool]))?;
    if found.is_null() {
        return Ok(json!({"amount": null, "script": null}));
    }
    let amount = found.get("value").and_then(Value::as_f64);
    let amount = Amount::from_btc(amount.during("value")?).during("value")?;
    let script = found.pointer("/scriptPubKey/hex").during("scriptPubKey")?;
    Ok(json!({"amount": amount.to_sat(), "script": script}))
}

fn send(rpc: &dyn Rpc, request: &Value) -> Outcome<Value> {
    let transaction = parameter(request, "tx")?;
    let (success, words) = match rpc.call("sendrawtransaction", &json!([transaction])) {
        Ok(_) => (true, String::new()),
        Err(Failure::Wrong(words) | Failure::Skipped(words)) => {
            // It waits already, or is in a block.
            (words.contains("already"), words)
        }
    };
    Ok(json!({"success": success, "errmsg": words}))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain of one block with one output.
    struct Fake;

    impl Rpc for Fake {
        fn call(&self, method: &str, params: &Value) -> Result<Value, Failure> {
            match (method, params.to_string().as_str()) {
                ("getblockchaininfo", _) => {
                    Ok(json!({"chain": "regtest", "headers": 1, "blocks": 1, "extra": 0}))
                }
                ("getblockhash", "[1]") => Ok(json!("hash")),
                ("getblock", r#"["hash",0]"#) => Ok(json!("00ff")),
                ("gettxout", r#"["aa",0,true]"#) => {
                    Ok(json!({"value": 0.29, "scriptPubKey": {"hex": "0014"}}))
                }
                ("gettxout", _) => Ok(Value::Null),
                ("sendrawtransaction", r#"["good"]"#) => Ok(json!("txid")),
                ("sendrawtransaction", r#"["again"]"#) => wrong("already have transaction"),
                _ => wrong("refused"),
            }
        }
    }

    fn ask(method: &str, params: &Value) -> Value {
        ask_while(false, method, params)
    }

    fn ask_while(is_behind: bool, method: &str, params: &Value) -> Value {
        let chain = Told {
            rpc: &Fake,
            is_behind: &|| is_behind,
        };
        let request = json!({"jsonrpc": "2.0", "id": "x", "method": method, "params": params});
        let notification = json!({"jsonrpc": "2.0", "method": "shutdown", "params": {}});
        let input = format!("{notification}\n\n{request}\n\n");
        let mut output = Vec::new();
        serve(&chain, input.as_bytes(), &mut output).unwrap();
        let answer: Value = serde_json::from_slice(&output).unwrap();
        assert_eq!(answer["id"], "x");
        answer["result"].clone()
    }

    #[test]
    fn manifest_offers_the_five_methods() {
        let methods = ask("getmanifest", &json!({}));
        assert_eq!(methods["rpcmethods"].as_array().unwrap().len(), 5);
        assert_eq!(methods["rpcmethods"][3]["usage"], "txid vout");
    }

    #[test]
    fn chain_is_shown() {
        let info = ask("getchaininfo", &json!({"last_height": 0}));
        let expected = json!({"chain": "regtest", "headercount": 1, "blockcount": 1, "ibd": false});
        assert_eq!(info, expected);
        let behind = ask_while(true, "getchaininfo", &json!({"last_height": 0}));
        let expected =
            json!({"chain": "regtest", "headercount": 101, "blockcount": 1, "ibd": true});
        assert_eq!(behind, expected);
        let there = json!({"blockhash": "hash", "block": "00ff"});
        assert_eq!(ask("getrawblockbyheight", &json!({"height": 1})), there);
        assert_eq!(ask("getrawblockbyheight", &json!([1])), there);
        let beyond = ask("getrawblockbyheight", &json!({"height": 2}));
        assert_eq!(beyond, json!({"blockhash": null, "block": null}));
    }

    #[test]
    fn outputs_are_in_satoshis_and_spent_ones_null() {
        let unspent = ask("getutxout", &json!({"txid": "aa", "vout": 0}));
        assert_eq!(unspent, json!({"amount": 29_000_000, "script": "0014"}));
        assert_eq!(ask("getutxout", &json!(["aa", 0])), unspent);
        let spent = ask("getutxout", &json!({"txid": "aa", "vout": 1}));
        assert_eq!(spent, json!({"amount": null, "script": null}));
    }

    #[test]
    fn transactions_go_out_once() {
        for (transaction, success) in [("good", true), ("again", true), ("bad", false)] {
            let params = json!({"tx": transaction, "allowhighfees": false});
            assert_eq!(ask("sendrawtransaction", &params)["success"], success);
        }
    }

    #[test]
    fn broadcasts_wait_until_they_are_let_go() {
        for now in [Hold::Before, Hold::After] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("broadcast");
            hold(&file, now).unwrap();
            let rpc = Held {
                rpc: Fake,
                file: file.clone(),
            };
            let held = std::thread::spawn(move || {
                rpc.call("getblockhash", &json!([1])).unwrap();
                rpc.call("sendrawtransaction", &json!(["good"])).unwrap()
            });
            while !is_held(&file) {
                std::thread::yield_now();
            }
            assert!(!held.is_finished());
            let_go(&file).unwrap();
            assert_eq!(held.join().unwrap(), "txid");
            assert!(!is_held(&file));
        }
    }

    #[test]
    fn estimates_rise_towards_the_next_block() {
        let estimates = ask("estimatefees", &json!({}));
        let rates = estimates["feerates"].as_array().unwrap();
        let rates: Vec<u64> = rates
            .iter()
            .map(|rate| rate["feerate"].as_u64().unwrap())
            .collect();
        assert!(rates.is_sorted_by(|sooner, later| sooner >= later));
        assert_eq!(rates.last(), estimates["feerate_floor"].as_u64().as_ref());
    }
}
