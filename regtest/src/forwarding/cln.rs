//! A plugin that answers Core Lightning's `htlc_accepted` hook as a file tells it.

use super::{Forwarding, LOOK, note, wished};
use crate::failure::{Context, Outcome};
use bitcoin::constants::ChainHash;
use data_encoding::HEXLOWER;
use hive_types::{Msat, Ppm, ShortChannelId};
use serde_json::{Value, json};
use std::env;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// The role's name.
pub(crate) const NAME: &str = "hive-forwarding-plugin";

/// The variable that names the file.
pub(super) const FILE: &str = "HIVE_REGTEST_FORWARDING";

/// BOLT 4: `UPDATE|7`.
const TEMPORARY_CHANNEL_FAILURE: &str = "1007";

/// BOLT 4: `UPDATE|12`.
const FEE_INSUFFICIENT: u16 = 0x100c;

/// BOLT 7: `channel_update`.
const CHANNEL_UPDATE: u16 = 258;

/// What waits for an answer, and where answers go.
struct Hooks<W> {
    file: PathBuf,
    inner: Mutex<Inner<W>>,
}

struct Inner<W> {
    how: Forwarding,
    held: Vec<Value>,
    output: W,
}

/// Serves lightningd until it closes the pipe.
///
/// # Errors
/// When the environment names no file, or the pipe breaks.
pub(crate) fn run() -> Outcome {
    let file: PathBuf = env::var_os(FILE).during(FILE)?.into();
    let how = wished(&file, Forwarding::Honest);
    let inner = Inner {
        how,
        held: Vec::new(),
        output: std::io::stdout(),
    };
    let hooks = Hooks {
        file,
        inner: Mutex::new(inner),
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while hooks.look().is_ok() {
                thread::sleep(LOOK);
            }
        });
        // The process ends with its input; the look-out would not.
        let ended = hooks.serve(std::io::stdin());
        std::process::exit(i32::from(ended.is_err()));
    })
}

impl<W: Write> Hooks<W> {
    fn inner(&self) -> MutexGuard<'_, Inner<W>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks what is wished, and lets go of what is held when that is not holding.
    fn look(&self) -> Outcome {
        let mut inner = self.inner();
        inner.how = wished(&self.file, inner.how);
        if inner.how == Forwarding::Hold {
            return Ok(());
        }
        for request in std::mem::take(&mut inner.held) {
            inner.answer(&request)?;
        }
        Ok(())
    }

    fn serve(&self, input: impl Read) -> Outcome {
        for request in serde_json::Deserializer::from_reader(input).into_iter::<Value>() {
            let request = request.during("lightningd's request")?;
            // Notifications want no answer.
            if request.get("id").is_none() {
                continue;
            }
            let mut inner = self.inner();
            inner.how = wished(&self.file, inner.how);
            let is_forward = request.pointer("/params/onion/short_channel_id").is_some();
            if inner.how == Forwarding::Hold && is_forward {
                inner.held.push(request);
            } else {
                if inner.how != Forwarding::Honest && is_forward {
                    note(&self.file, inner.how);
                }
                inner.answer(&request)?;
            }
        }
        Ok(())
    }
}

impl<W: Write> Inner<W> {
    fn answer(&mut self, request: &Value) -> Outcome {
        let id = request.get("id").during("an id")?;
        let result = match request.get("method").and_then(Value::as_str) {
            Some("getmanifest") => manifest(),
            Some("htlc_accepted") => verdict(self.how, request)?,
            _ => json!({}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
        write!(self.output, "{answer}\n\n").during("answering lightningd")?;
        self.output.flush().during("answering lightningd")
    }
}

fn manifest() -> Value {
    json!({"options": [], "rpcmethods": [], "subscriptions": [], "dynamic": true,
        "hooks": [{"name": "htlc_accepted"}]})
}

/// What is to become of an HTLC.
fn verdict(how: Forwarding, request: &Value) -> Outcome<Value> {
    let onion = request.pointer("/params/onion").during("an onion")?;
    // One that ends here.
    let Some(channel) = onion.get("short_channel_id").and_then(Value::as_str) else {
        return Ok(json!({"result": "continue"}));
    };
    let channel: ShortChannelId = channel.parse().during("short_channel_id")?;
    let number = |name| onion.get(name).and_then(Value::as_u64).during(name);
    let amount = number("forward_msat")?;
    match how {
        Forwarding::Honest | Forwarding::Hold => Ok(json!({"result": "continue"})),
        Forwarding::Fail => {
            let message = format!("{TEMPORARY_CHANNEL_FAILURE}0000");
            Ok(json!({"result": "fail", "failure_message": message}))
        }
        Forwarding::Short(less) => {
            let cltv = number("outgoing_cltv_value")?;
            let payload = payload(amount.saturating_sub(less), cltv, channel);
            Ok(json!({"result": "continue", "payload": HEXLOWER.encode(&payload)}))
        }
        Forwarding::Demand(ppm) => {
            let incoming = request.pointer("/params/htlc/amount_msat");
            let incoming = incoming.and_then(Value::as_u64).during("amount_msat")?;
            let fee = Ppm::new(ppm).fee_on(Msat::new(amount)).unwrap_or_default();
            if incoming >= amount.saturating_add(fee.get()) {
                return Ok(json!({"result": "continue"}));
            }
            let message = fee_insufficient(incoming, channel, ppm);
            Ok(json!({"result": "fail", "failure_message": HEXLOWER.encode(&message)}))
        }
    }
}

/// The onion's payload for a forwarder: `amt_to_forward`, `outgoing_cltv_value`, `short_channel_id`.
fn payload(amount: u64, cltv: u64, channel: ShortChannelId) -> Vec<u8> {
    let mut payload = Vec::new();
    for (kind, number) in [(2, amount), (4, cltv)] {
        // tu64 and tu32: without leading zero bytes.
        let bytes = number.to_be_bytes();
        let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
        payload.push(kind);
        payload.push(digits.len() as u8);
        payload.extend(digits);
    }
    payload.extend([6, 8]);
    payload.extend(channel.to_u64().to_be_bytes());
    payload
}

/// The failure with an update that nobody signed: payers read its numbers and check its signature before they
/// put it into their graphs.
fn fee_insufficient(incoming: u64, channel: ShortChannelId, ppm: u32) -> Vec<u8> {
    let update = update(channel, ppm);
    let mut message = FEE_INSUFFICIENT.to_be_bytes().to_vec();
    message.extend(incoming.to_be_bytes());
    message.extend((update.len() as u16).to_be_bytes());
    message.extend(update);
    message
}

fn update(channel: ShortChannelId, ppm: u32) -> Vec<u8> {
    let mut update = CHANNEL_UPDATE.to_be_bytes().to_vec();
    update.extend([0; 64]);
    update.extend(ChainHash::REGTEST.to_bytes());
    update.extend(channel.to_u64().to_be_bytes());
    let timestamp: u32 = 1;
    update.extend(timestamp.to_be_bytes());
    // htlc_maximum_msat is there; the direction does not matter.
    update.extend([1, 0]);
    let cltv_delta: u16 = 6;
    update.extend(cltv_delta.to_be_bytes());
    let (htlc_minimum, base, htlc_maximum): (u64, u32, u64) = (1, 0, 1_000_000_000);
    update.extend(htlc_minimum.to_be_bytes());
    update.extend(base.to_be_bytes());
    update.extend(ppm.to_be_bytes());
    update.extend(htlc_maximum.to_be_bytes());
    update
}

#[cfg(test)]
mod tests {
    use super::*;

    fn htlc(id: u64, to: Option<&str>) -> Value {
        let mut onion = json!({"forward_msat": 1_000_000, "outgoing_cltv_value": 300});
        if let (Some(to), Some(fields)) = (to, onion.as_object_mut()) {
            fields.insert("short_channel_id".into(), to.into());
        }
        json!({"id": id, "method": "htlc_accepted",
            "params": {"onion": onion, "htlc": {"amount_msat": 1_000_000}}})
    }

    fn hooks(file: PathBuf) -> Hooks<Vec<u8>> {
        let inner = Inner {
            how: Forwarding::Honest,
            held: Vec::new(),
            output: Vec::new(),
        };
        Hooks {
            file,
            inner: Mutex::new(inner),
        }
    }

    fn answers(hooks: &Hooks<Vec<u8>>) -> Vec<Value> {
        let bytes = std::mem::take(&mut hooks.inner().output);
        let answers = serde_json::Deserializer::from_slice(&bytes).into_iter();
        answers.map(Result::unwrap).collect()
    }

    #[test]
    fn held_htlcs_go_on_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("how");
        std::fs::write(&file, "hold").unwrap();
        let hooks = hooks(file.clone());
        let input = [htlc(1, Some("1x1x1")), htlc(2, None)].map(|request| request.to_string());
        hooks.serve(input.concat().as_bytes()).unwrap();
        let ids: Vec<Value> = answers(&hooks)
            .iter()
            .map(|one| one["id"].clone())
            .collect();
        assert_eq!(ids, [2], "what ends here is not held");
        hooks.look().unwrap();
        assert!(answers(&hooks).is_empty());
        std::fs::write(&file, "honest").unwrap();
        hooks.look().unwrap();
        assert_eq!(answers(&hooks)[0]["result"]["result"], "continue");
    }

    #[test]
    fn short_payloads_say_less() {
        let said = verdict(Forwarding::Short(1_000), &htlc(1, Some("1x2x3"))).unwrap();
        assert_eq!(said["payload"], "02030f3e580402012c06080000010000020003");
    }

    #[test]
    fn demands_are_made_of_who_pays_less() {
        let said = verdict(Forwarding::Demand(0), &htlc(1, Some("1x2x3"))).unwrap();
        assert_eq!(said["result"], "continue");
        let said = verdict(Forwarding::Demand(700), &htlc(1, Some("1x2x3"))).unwrap();
        let message = HEXLOWER.decode(said["failure_message"].as_str().unwrap().as_bytes());
        let message = message.unwrap();
        assert_eq!(message[..10], [0x10, 0x0c, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40]);
        let length = u16::from_be_bytes([message[10], message[11]]);
        assert_eq!(usize::from(length), message.len() - 12);
        // BOLT 7: 136 bytes after the type.
        assert_eq!(length, 138);
    }
}
