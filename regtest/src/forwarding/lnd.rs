//! LND's HTLC interceptor, over the WebSocket of its REST interface.

use super::websocket::{Receiver, Sender, open};
use super::{Forwarding, LOOK, note, wished};
use crate::failure::{Context, Outcome};
use crate::node::Lnd;
use hive_types::{Msat, Ppm};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

const PATH: &str = "/v2/router/htlcinterceptor?method=POST";

/// An LND's HTLCs in the harness's hands until this value ends; LND then forwards by itself.
#[derive(Debug)]
pub(crate) struct Interceptor {
    sender: Sender,
}

impl Interceptor {
    /// Begins. The file says what is done with each HTLC.
    pub(super) fn start(lnd: &Lnd, file: PathBuf) -> Outcome<Self> {
        let (address, macaroon) = lnd.rest_access()?;
        let (sender, receiver) = open(&address, PATH, &[("Grpc-Metadata-macaroon", &macaroon)])?;
        let answers = sender.another()?;
        let (forwards, waiting) = mpsc::channel();
        thread::spawn(move || read(receiver, &forwards));
        thread::spawn(move || decide(&file, &waiting, answers));
        Ok(Self { sender })
    }
}

impl Drop for Interceptor {
    fn drop(&mut self) {
        self.sender.close();
    }
}

fn read(mut receiver: Receiver, forwards: &mpsc::Sender<Value>) {
    while let Ok(text) = receiver.text() {
        let Ok(message) = serde_json::from_str::<Value>(&text) else {
            return;
        };
        let Some(forward) = message.get("result") else {
            eprintln!("LND's interceptor says: {message}");
            return;
        };
        if forwards.send(forward.clone()).is_err() {
            return;
        }
    }
}

/// Answers until the connection ends. A test that depends on answers that never come fails by its deadline.
fn decide(file: &std::path::Path, waiting: &mpsc::Receiver<Value>, mut answers: Sender) {
    let mut how = Forwarding::Honest;
    let mut held: Vec<Value> = Vec::new();
    loop {
        match waiting.recv_timeout(LOOK) {
            Ok(forward) => held.push(forward),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
        how = wished(file, how);
        if how == Forwarding::Hold {
            continue;
        }
        for forward in held.drain(..) {
            if how != Forwarding::Honest {
                note(file, how);
            }
            let said = answer(how, &forward).and_then(|answer| answers.text(&answer.to_string()));
            if let Err(failure) = said {
                eprintln!("LND's interceptor: {failure}");
                return;
            }
        }
    }
}

fn answer(how: Forwarding, forward: &Value) -> Outcome<Value> {
    let key = forward
        .get("incoming_circuit_key")
        .during("a circuit key")?;
    let plain = |action: &str| json!({"incoming_circuit_key": key, "action": action});
    let msat = |name: &str| -> Outcome<u64> {
        let text = forward.get(name).and_then(Value::as_str).during(name)?;
        text.parse().during(name)
    };
    match how {
        Forwarding::Honest | Forwarding::Hold => Ok(plain("RESUME")),
        Forwarding::Fail => Ok(plain("FAIL")),
        Forwarding::Short(less) => {
            let amount = msat("outgoing_amount_msat")?.saturating_sub(less);
            Ok(
                json!({"incoming_circuit_key": key, "action": "RESUME_MODIFIED",
                "out_amount_msat": amount.to_string()}),
            )
        }
        Forwarding::Demand(ppm) => {
            let (amount, incoming) = (msat("outgoing_amount_msat")?, msat("incoming_amount_msat")?);
            let fee = Ppm::new(ppm).fee_on(Msat::new(amount)).unwrap_or_default();
            if incoming >= amount.saturating_add(fee.get()) {
                return Ok(plain("RESUME"));
            }
            // LND checks the fee by the amount that it is told to have received, and answers with its own
            // update, which asks for no fee at all.
            let less = amount.saturating_sub(1).to_string();
            Ok(
                json!({"incoming_circuit_key": key, "action": "RESUME_MODIFIED",
                "in_amount_msat": less}),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_name_the_htlc() {
        let forward = json!({"incoming_circuit_key": {"chan_id": "7", "htlc_id": "3"},
            "outgoing_amount_msat": "5000", "incoming_amount_msat": "5000"});
        let said = answer(Forwarding::Short(1_000), &forward).unwrap();
        assert_eq!(said["out_amount_msat"], "4000");
        assert_eq!(said["incoming_circuit_key"]["chan_id"], "7");
        let said = answer(Forwarding::Demand(700), &forward).unwrap();
        assert_eq!(said["in_amount_msat"], "4999");
        let paid = answer(Forwarding::Demand(0), &forward).unwrap();
        assert_eq!(paid["action"], "RESUME");
        assert_eq!(
            answer(Forwarding::Fail, &forward).unwrap()["action"],
            "FAIL"
        );
        assert_eq!(
            answer(Forwarding::Honest, &forward).unwrap()["action"],
            "RESUME"
        );
    }
}
