//! LND, driven over REST.

mod wallet;

use super::json::{flag, list, parsed, small, text};
use super::{ChannelSeen, Info, Kind, Node, Open, PolicySeen};
use crate::chain::Access;
use crate::failure::{Context, Failure, Outcome, wrong};
use crate::http::Http;
use crate::process::{Guard, Service};
use crate::tools::Tools;
use crate::{ports, wait};
use data_encoding::{BASE64, HEXLOWER};
use hive_types::{BlockHeight, Msat, NodeId, Ppm, Sat, ShortChannelId};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The least that a running LND wants besides its folder and addresses: no other network, and gossip without its usual
/// batching of minutes.
const OPTIONS: [&str; 10] = [
    "--bitcoin.regtest",
    "--bitcoin.node=btcd",
    "--nobootstrap",
    "--trickledelay=50",
    "--gossip.sub-batch-delay=5ms",
    "--caches.rpc-graph-cache-duration=100ms",
    "--bitcoin.defaultchanconfs=1",
    "--minbackoff=500ms",
    "--maxbackoff=2s",
    "--no-rest-tls",
];

/// What a payment may cost at most, in tests.
const MOST_FEE: Msat = Msat::new(1_000_000);

/// How long a payment is tried, in seconds.
const PAYMENT_TIME: u32 = 30;

/// An LND in its folder, running or not.
#[derive(Debug)]
pub struct Lnd {
    name: String,
    folder: PathBuf,
    program: PathBuf,
    guard: Arc<Guard>,
    chain: Access,
    ports: Ports,
    options: Vec<String>,
    /// Of a wallet that someone unlocks at each start; without one LND makes and opens it by itself.
    password: Option<String>,
    running: Option<Service>,
    rest: Option<Http>,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    peers: u16,
    grpc: u16,
    rest: u16,
}

impl Lnd {
    /// A node that was not started yet.
    ///
    /// # Errors
    /// When there is no port or no folder for it.
    pub(crate) fn new(
        name: String,
        folder: PathBuf,
        tools: &Tools,
        guard: &Arc<Guard>,
        chain: &Access,
    ) -> Outcome<Self> {
        fs::create_dir_all(&folder).during(folder.display())?;
        let ports = Ports {
            peers: ports::free()?,
            grpc: ports::free()?,
            rest: ports::free()?,
        };
        Ok(Self {
            name,
            folder,
            program: tools.lnd.clone(),
            guard: guard.clone(),
            chain: chain.clone(),
            ports,
            options: Vec::new(),
            password: None,
            running: None,
            rest: None,
        })
    }

    /// Where its gRPC listens, `host:port`.
    pub fn grpc(&self) -> String {
        format!("127.0.0.1:{}", self.ports.grpc)
    }

    /// Its TLS certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("tls.cert")
    }

    /// A macaroon of its own making: `admin`, `readonly`, `invoice`.
    pub fn macaroon(&self, name: &str) -> PathBuf {
        let network = self.folder.join("data/chain/bitcoin/regtest");
        network.join(format!("{name}.macaroon"))
    }

    /// Bakes a macaroon with these permissions, `uri:/lnrpc.Lightning/GetInfo` or `info:read`, into a file.
    ///
    /// # Errors
    /// When LND refuses a permission.
    pub fn bake(&self, permissions: &[String], file: &Path) -> Outcome {
        let split = |permission: &String| {
            let (entity, action) = permission.split_once(':').unwrap_or((permission, ""));
            json!({"entity": entity, "action": action})
        };
        let permissions: Vec<Value> = permissions.iter().map(split).collect();
        let request = json!({"permissions": permissions});
        let answer = self.request("/v1/macaroon", &request)?;
        let hex = text(&answer, "macaroon")?;
        let bytes = HEXLOWER.decode(hex.as_bytes()).during("a macaroon")?;
        fs::write(file, bytes).during(file.display())
    }

    /// Where its REST interface listens, and its admin macaroon in hex.
    ///
    /// # Errors
    /// When there is no macaroon yet.
    pub(crate) fn rest_access(&self) -> Outcome<(String, String)> {
        let macaroon = fs::read(self.macaroon("admin")).during("the macaroon")?;
        let address = format!("127.0.0.1:{}", self.ports.rest);
        Ok((address, HEXLOWER.encode(&macaroon)))
    }

    fn rest(&self) -> Outcome<&Http> {
        match &self.rest {
            Some(rest) => Ok(rest),
            None => wrong(format!("{} does not run", self.name)),
        }
    }

    fn service(&mut self) -> Outcome<&mut Service> {
        let name = &self.name;
        let running = self.running.as_mut();
        running.ok_or_else(|| Failure::Wrong(format!("{name} does not run")))
    }

    fn get(&self, path: &str) -> Outcome<Value> {
        self.request(path, &Value::Null)
    }

    fn open_channels(&self) -> Outcome<Vec<ChannelSeen>> {
        let answer = self.get("/v1/channels")?;
        let channels = list(&answer, "channels");
        channels.iter().map(channel).collect()
    }

    fn pending_channels(&self) -> Outcome<Vec<ChannelSeen>> {
        let answer = self.get("/v1/channels/pending")?;
        let pending = list(&answer, "pending_open_channels");
        let waiting = |entry: &Value| {
            let channel = entry.get("channel").during("a pending channel")?;
            Ok(ChannelSeen {
                peer: parsed(channel, "remote_node_pub")?,
                scid: None,
                capacity: Sat::new(number(channel, "capacity")?),
                local: sat(channel, "local_balance")?,
                usable: false,
                htlcs: 0,
                funding: text(channel, "channel_point")?.to_owned(),
            })
        };
        pending.iter().map(waiting).collect()
    }
}

impl Node for Lnd {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Lnd
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.peers)
    }

    fn launch(&mut self) -> Outcome {
        let mut command = Command::new(&self.program);
        command
            .args(OPTIONS)
            .args(self.password.is_none().then_some("--noseedbackup"))
            .arg(format!("--lnddir={}", self.folder.display()))
            .arg(format!("--alias={}", self.name))
            .arg(format!("--listen={}", self.address()))
            .arg(format!("--externalip={}", self.address()))
            .arg(format!("--rpclisten={}", self.grpc()))
            .arg(format!("--restlisten=127.0.0.1:{}", self.ports.rest))
            .arg(format!("--btcd.rpchost={}", self.chain.address))
            .arg(format!("--btcd.rpcuser={}", self.chain.user))
            .arg(format!("--btcd.rpcpass={}", self.chain.password))
            .arg(format!(
                "--btcd.rpccert={}",
                self.chain.certificate.display()
            ))
            .args(&self.options);
        self.running = Some(Service::start(
            &self.guard,
            &self.name,
            &mut command,
            &self.log(),
        )?);
        Ok(())
    }

    fn ready(&mut self) -> Outcome {
        let macaroon = self.macaroon("admin");
        let base = format!("http://127.0.0.1:{}", self.ports.rest);
        let name = self.name.clone();
        let service = self.service()?;
        let rest = wait::until(format!("{name} answers"), || {
            if let Err(ended) = service.alive() {
                // A program that has ended never answers.
                return Ok(Err(ended));
            }
            let macaroon = fs::read(&macaroon).during("its macaroon")?;
            let header = ("Grpc-Metadata-macaroon", HEXLOWER.encode(&macaroon));
            let rest = Http::new(base.clone(), header);
            let state = rest.get("/v1/state")?;
            let state = text(&state, "state")?;
            match state {
                "SERVER_ACTIVE" => Ok(Ok(rest)),
                other => wrong(other),
            }
        })??;
        self.rest = Some(rest);
        Ok(())
    }

    fn stop(&mut self) -> Outcome {
        self.rest = None;
        match self.running.take() {
            Some(service) => service.stop(),
            None => Ok(()),
        }
    }

    fn kill(&mut self) {
        self.rest = None;
        if let Some(service) = self.running.take() {
            service.kill();
        }
    }

    fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(Service::is_running)
    }

    fn process(&self) -> Option<u32> {
        self.running.as_ref().map(Service::id)
    }

    fn set_options(&mut self, options: Vec<String>) {
        self.options = options;
    }

    fn info(&self) -> Outcome<Info> {
        let info = self.get("/v1/getinfo")?;
        Ok(Info {
            node_id: parsed(&info, "identity_pubkey")?,
            height: BlockHeight::new(small(&info, "block_height")?),
            synced: flag(&info, "synced_to_chain"),
            version: text(&info, "version")?.to_owned(),
        })
    }

    fn new_address(&self) -> Outcome<String> {
        let answer = self.get("/v1/newaddress")?;
        Ok(text(&answer, "address")?.to_owned())
    }

    fn on_chain(&self) -> Outcome<Sat> {
        let balance = self.get("/v1/balance/blockchain")?;
        Ok(Sat::new(number(&balance, "confirmed_balance")?))
    }

    fn connect(&self, peer: NodeId, address: &str) -> Outcome {
        let to = json!({"pubkey": peer.to_string(), "host": address});
        let dialled = self.request("/v1/peers", &json!({"addr": to, "perm": false}));
        match dialled {
            Err(Failure::Wrong(words)) if words.contains("already connected") => Ok(()),
            other => other.map(drop),
        }
    }

    fn disconnect(&self, peer: NodeId) -> Outcome {
        let path = format!("/v1/peers/{peer}");
        said(&path, self.rest()?.delete(&path)?).map(drop)
    }

    fn peers(&self) -> Outcome<Vec<NodeId>> {
        let answer = self.get("/v1/peers")?;
        let peers = list(&answer, "peers");
        peers.iter().map(|peer| parsed(peer, "pub_key")).collect()
    }

    fn open(&self, open: &Open) -> Outcome<String> {
        let request = json!({
            "node_pubkey": BASE64.encode(open.peer.as_bytes()),
            "local_funding_amount": open.capacity.get().to_string(),
            "push_sat": open.push.get().to_string(),
            "private": !open.announce,
        });
        let answer = self.request("/v1/channels", &request)?;
        let bytes = text(&answer, "funding_txid_bytes")?;
        let mut bytes = BASE64.decode(bytes.as_bytes()).during("a transaction id")?;
        // Transaction ids are written back to front.
        bytes.reverse();
        Ok(HEXLOWER.encode(&bytes))
    }

    fn channels(&self) -> Outcome<Vec<ChannelSeen>> {
        let mut channels = self.open_channels()?;
        channels.extend(self.pending_channels()?);
        Ok(channels)
    }

    fn policy(&self, channel: ShortChannelId, from: NodeId) -> Outcome<Option<PolicySeen>> {
        let edge = match self.get(&format!("/v1/graph/edge/{}", channel.to_u64())) {
            Err(Failure::Wrong(words)) if words.contains("not found") => return Ok(None),
            other => other?,
        };
        let is_first = text(&edge, "node1_pub")? == from.to_string();
        let name = if is_first {
            "node1_policy"
        } else {
            "node2_policy"
        };
        match edge.get(name) {
            Some(seen) if !seen.is_null() => policy(seen).map(Some),
            _ => Ok(None),
        }
    }

    fn set_fees(&self, channel: ShortChannelId, base: Msat, rate: Ppm) -> Outcome {
        let own = self.open_channels()?;
        let own = own.into_iter().find(|own| own.scid == Some(channel));
        let own = own.during(format!("channel {channel} of {}", self.name))?;
        let (txid, output) = own.funding.split_once(':').during("a channel point")?;
        let output: u32 = output.parse().during("a channel point")?;
        let request = json!({
            "chan_point": {"funding_txid_str": txid, "output_index": output},
            "base_fee_msat": base.get().to_string(),
            "fee_rate_ppm": rate.get(),
            "time_lock_delta": 80,
        });
        let answer = self.request("/v1/chanpolicy", &request)?;
        match list(&answer, "failed_updates") {
            [] => Ok(()),
            failed => wrong(format!("policy refused: {failed:?}")),
        }
    }

    fn invoice(&self, amount: Msat) -> Outcome<String> {
        let request = json!({"value_msat": amount.get().to_string()});
        let answer = self.request("/v1/invoices", &request)?;
        Ok(text(&answer, "payment_request")?.to_owned())
    }

    fn pay(&self, invoice: &str) -> Outcome {
        let request = json!({
            "payment_request": invoice,
            "timeout_seconds": PAYMENT_TIME,
            "fee_limit_msat": MOST_FEE.get().to_string(),
            "no_inflight_updates": true,
        });
        let ended = self.request("/v2/router/send", &request)?;
        let ended = ended.get("result").unwrap_or(&ended);
        match text(ended, "status")? {
            "SUCCEEDED" => Ok(()),
            status => wrong(format!(
                "payment {status}: {:?}",
                text(ended, "failure_reason")
            )),
        }
    }

    fn send_message(&self, peer: NodeId, kind: u16, bytes: &[u8]) -> Outcome {
        let request = json!({
            "peer": BASE64.encode(peer.as_bytes()),
            "type": kind,
            "data": BASE64.encode(bytes),
        });
        self.request("/v1/custommessage", &request).map(drop)
    }

    fn request(&self, path: &str, body: &Value) -> Outcome<Value> {
        let rest = self.rest()?;
        let answer = match body {
            Value::Null => rest.get(path),
            body => rest.post(path, body),
        };
        said(path, answer.during(&self.name)?)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("lnd.log")
    }

    fn as_lnd(&self) -> Option<&Lnd> {
        Some(self)
    }

    fn as_lnd_mut(&mut self) -> Option<&mut Lnd> {
        Some(self)
    }
}

/// LND's errors come as an answer with a code and a message, in a stream within `error`.
fn said(path: &str, answer: Value) -> Outcome<Value> {
    let error = answer.get("error").filter(|error| error.is_object());
    let failed = error.unwrap_or(&answer);
    match (failed.get("code"), failed.get("message")) {
        (Some(code), Some(message)) => wrong(format!("{path}: {message} (code {code})")),
        _ => Ok(answer),
    }
}

fn channel(entry: &Value) -> Outcome<ChannelSeen> {
    let scid = ShortChannelId::from_u64(number(entry, "chan_id")?);
    Ok(ChannelSeen {
        peer: parsed(entry, "remote_pubkey")?,
        scid: Some(scid),
        capacity: Sat::new(number(entry, "capacity")?),
        local: sat(entry, "local_balance")?,
        usable: flag(entry, "active"),
        htlcs: list(entry, "pending_htlcs").len(),
        funding: text(entry, "channel_point")?.to_owned(),
    })
}

fn policy(seen: &Value) -> Outcome<PolicySeen> {
    let rate = number(seen, "fee_rate_milli_msat")?;
    Ok(PolicySeen {
        base: Msat::new(number(seen, "fee_base_msat")?),
        rate: Ppm::new(u32::try_from(rate).during("a rate")?),
        htlc_min: Msat::new(number(seen, "min_htlc")?),
        htlc_max: Msat::new(number(seen, "max_htlc_msat")?),
        cltv_delta: small(seen, "time_lock_delta")?,
        disabled: flag(seen, "disabled"),
    })
}

/// 64-bit numbers travel as text.
fn number(value: &Value, name: &str) -> Outcome<u64> {
    parsed(value, name)
}

fn sat(value: &Value, name: &str) -> Outcome<Msat> {
    Ok(Sat::new(number(value, name)?).to_msat_saturating())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_from_answers() {
        let plain = json!({"code": 5, "message": "edge not found", "details": []});
        let streamed = json!({"error": {"code": 2, "message": "no route", "details": []}});
        for error in [plain, streamed] {
            assert!(said("/v1", error).is_err());
        }
        assert!(said("/v1", json!({"error": "", "result": {}})).is_ok());
    }

    #[test]
    fn channels_are_read() {
        let id = "0321c46967412b2bbe95f9c7491c08ba3080ff35ff36b306aa49b48958ffe0d955";
        let entry = json!({"chan_id": "495879744192512", "remote_pubkey": id, "capacity": "1000000",
            "local_balance": "996530", "active": true, "pending_htlcs": [], "channel_point": "aa:1"});
        let seen = channel(&entry).unwrap();
        assert_eq!(seen.local, Msat::new(996_530_000));
        assert_eq!(seen.scid.unwrap().block(), 451);
        assert!(seen.usable && seen.htlcs == 0);
    }
}
