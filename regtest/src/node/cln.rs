//! Core Lightning, driven over its JSON-RPC socket.

use super::json::{flag, list, parsed, small, text};
use super::{ChannelSeen, Hold, Info, Kind, Node, Open, PolicySeen, plugin};
use crate::chain::Access;
use crate::failure::{Context, Failure, Outcome, wrong};
use crate::process::{Guard, Service};
use crate::roles::Script;
use crate::tools::Tools;
use crate::{ports, wait};
use data_encoding::HEXLOWER;
use hive_types::{BlockHeight, Msat, NodeId, Ppm, Sat, ShortChannelId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// No deprecated interface, the chain from our plugin, and the intervals of a test.
const OPTIONS: [&str; 9] = [
    "--network=regtest",
    "--disable-plugin=bcli",
    "--allow-deprecated-apis=false",
    "--log-level=debug",
    "--developer",
    "--dev-fast-gossip",
    "--dev-bitcoind-poll=1",
    "--dev-fast-reconnect",
    "--dev-allow-localhost",
];

/// How long a request may take. Payments and opens are the slow ones.
const TIMEOUT: Duration = Duration::from_secs(90);

/// A Core Lightning node in its folder, running or not.
#[derive(Debug)]
pub struct Cln {
    name: String,
    folder: PathBuf,
    program: PathBuf,
    chain_plugin: PathBuf,
    guard: Arc<Guard>,
    chain: Access,
    port: u16,
    options: Vec<String>,
    /// Started by lightningd itself.
    plugin: Option<String>,
    running: Option<Service>,
}

impl Cln {
    /// A node that was not started yet.
    ///
    /// # Errors
    /// [`Failure::Skipped`] where there is no lightningd.
    pub(crate) fn new(
        name: String,
        folder: PathBuf,
        tools: &Tools,
        guard: &Arc<Guard>,
        chain: &Access,
    ) -> Outcome<Self> {
        let Some(program) = tools.lightningd.clone() else {
            return Err(Failure::Skipped("there is no lightningd".into()));
        };
        fs::create_dir_all(&folder).during(folder.display())?;
        let chain_plugin = folder.join(plugin::NAME);
        let script = Script {
            program: &tools.own,
            role: &[plugin::NAME],
            environment: &BTreeMap::new(),
        };
        script.write(&chain_plugin)?;
        Ok(Self {
            name,
            folder,
            program,
            chain_plugin,
            guard: guard.clone(),
            chain: chain.clone(),
            port: ports::free()?,
            options: Vec::new(),
            plugin: None,
            running: None,
        })
    }

    /// Its JSON-RPC socket.
    pub fn socket(&self) -> PathBuf {
        self.network_folder().join("lightning-rpc")
    }

    /// Tells the node that the chain is behind, or has caught up.
    ///
    /// # Errors
    /// When the file that says so can't be written.
    pub fn set_behind(&self, is_behind: bool) -> Outcome {
        let file = self.behind();
        let done = match is_behind {
            true => fs::write(&file, ""),
            false => fs::remove_file(&file),
        };
        done.during(file.display())
    }

    fn behind(&self) -> PathBuf {
        self.folder.join("chain-is-behind")
    }

    /// The folder of its network, in its own.
    pub fn network_folder(&self) -> PathBuf {
        self.folder.join("regtest")
    }

    /// Calls a method.
    ///
    /// # Errors
    /// What the node says.
    pub fn call(&self, method: &str, params: &Value) -> Outcome<Value> {
        let what = || format!("{} {method}", self.name);
        let mut stream = UnixStream::connect(self.socket()).during(what())?;
        stream.set_read_timeout(Some(TIMEOUT)).during(what())?;
        let request =
            json!({"jsonrpc": "2.0", "id": "harness", "method": method, "params": params});
        write!(stream, "{request}\n\n").during(what())?;
        let answers = serde_json::Deserializer::from_reader(stream).into_iter::<Value>();
        for answer in answers {
            let answer = answer.during(what())?;
            // Progress and log notifications come in between where they were asked for.
            if answer.get("id").is_none() {
                continue;
            }
            return match (answer.get("error"), answer.get("result")) {
                (None, Some(result)) => Ok(result.clone()),
                (error, _) => wrong(format!("{}: {}", what(), error.unwrap_or(&answer))),
            };
        }
        wrong(format!("{}: the node hung up", what()))
    }

    /// Has the chain hold up the next transaction that this node gives out, until [`Cln::let_go`].
    ///
    /// # Errors
    /// When the chain plugin can't be told.
    pub fn hold_broadcast(&self, hold: Hold) -> Outcome {
        plugin::hold(&self.hold_file(), hold)
    }

    /// Whether the chain holds a transaction up.
    pub fn is_broadcast_held(&self) -> bool {
        plugin::is_held(&self.hold_file())
    }

    /// The chain takes transactions again as they come.
    ///
    /// # Errors
    /// When the chain plugin can't be told.
    pub fn let_go(&self) -> Outcome {
        plugin::let_go(&self.hold_file())
    }

    fn hold_file(&self) -> PathBuf {
        self.folder.join("hold-broadcast")
    }

    fn service(&mut self) -> Outcome<&mut Service> {
        let name = &self.name;
        let running = self.running.as_mut();
        running.ok_or_else(|| Failure::Wrong(format!("{name} does not run")))
    }
}

impl Node for Cln {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Cln
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn launch(&mut self) -> Outcome {
        // lightningd makes it anew; one left by a killed node would look like a node that does not answer.
        let _ = fs::remove_file(self.socket());
        let mut command = Command::new(&self.program);
        command
            .args(OPTIONS)
            .arg(format!("--lightning-dir={}", self.folder.display()))
            .arg(format!("--alias={}", self.name))
            .arg(format!("--addr={}", self.address()))
            .arg(format!("--plugin={}", self.chain_plugin.display()))
            .args(self.plugin.iter().map(|path| format!("--plugin={path}")))
            .args(&self.options)
            .envs(plugin::environment(
                &self.chain,
                &self.hold_file(),
                &self.behind(),
            ));
        self.running = Some(Service::start(
            &self.guard,
            &self.name,
            &mut command,
            &self.log(),
        )?);
        Ok(())
    }

    fn ready(&mut self) -> Outcome {
        wait::until(format!("{} answers", self.name), || {
            match self.service().and_then(Service::alive) {
                // A program that has ended never answers.
                Err(ended) => Ok(Err(ended)),
                Ok(()) => self.call("getinfo", &json!({})).map(Ok),
            }
        })?
        .map(drop)
    }

    fn stop(&mut self) -> Outcome {
        match self.running.take() {
            Some(service) => service.stop(),
            None => Ok(()),
        }
    }

    fn kill(&mut self) {
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

    fn set_plugin(&mut self, path: Option<&str>) {
        self.plugin = path.map(str::to_owned);
    }

    fn info(&self) -> Outcome<Info> {
        let info = self.call("getinfo", &json!({}))?;
        let warnings = ["warning_bitcoind_sync", "warning_lightningd_sync"];
        Ok(Info {
            node_id: parsed(&info, "id")?,
            height: BlockHeight::new(small(&info, "blockheight")?),
            synced: warnings.iter().all(|warning| info.get(warning).is_none()),
            version: text(&info, "version")?.to_owned(),
        })
    }

    fn new_address(&self) -> Outcome<String> {
        let answer = self.call("newaddr", &json!({"addresstype": "bech32"}))?;
        Ok(text(&answer, "bech32")?.to_owned())
    }

    fn on_chain(&self) -> Outcome<Sat> {
        let funds = self.call("listfunds", &json!({}))?;
        let outputs = list(&funds, "outputs");
        let mut sum = Msat::ZERO;
        for output in outputs {
            if text(output, "status")? == "confirmed" {
                sum = sum.saturating_add(msat(output, "amount_msat")?);
            }
        }
        Ok(sum.to_sat_floor())
    }

    fn connect(&self, peer: NodeId, address: &str) -> Outcome {
        let (host, port) = address.rsplit_once(':').during("an address")?;
        let port: u16 = port.parse().during("a port")?;
        let params = json!({"id": peer.to_string(), "host": host, "port": port});
        self.call("connect", &params).map(drop)
    }

    fn disconnect(&self, peer: NodeId) -> Outcome {
        let params = json!({"id": peer.to_string(), "force": true});
        self.call("disconnect", &params).map(drop)
    }

    fn peers(&self) -> Outcome<Vec<NodeId>> {
        let answer = self.call("listpeers", &json!({}))?;
        let peers = list(&answer, "peers").iter();
        let linked = peers.filter(|peer| flag(peer, "connected"));
        linked.map(|peer| parsed(peer, "id")).collect()
    }

    fn open(&self, open: &Open) -> Outcome<String> {
        let params = json!({
            "id": open.peer.to_string(),
            "amount": open.capacity.get(),
            "push_msat": open.push.to_msat_saturating().get(),
            "announce": open.announce,
        });
        let answer = self.call("fundchannel", &params)?;
        Ok(text(&answer, "txid")?.to_owned())
    }

    fn channels(&self) -> Outcome<Vec<ChannelSeen>> {
        let answer = self.call("listpeerchannels", &json!({}))?;
        let channels = list(&answer, "channels").iter();
        let alive = channels.filter(|entry| entry.get("funding_txid").is_some());
        alive.map(channel).collect()
    }

    fn policy(&self, channel: ShortChannelId, from: NodeId) -> Outcome<Option<PolicySeen>> {
        let params = json!({"short_channel_id": channel.to_string()});
        let answer = self.call("listchannels", &params)?;
        let from = from.to_string();
        let own = |half: &&Value| half.get("source").and_then(Value::as_str) == Some(&from);
        list(&answer, "channels")
            .iter()
            .find(own)
            .map(policy)
            .transpose()
    }

    fn set_fees(&self, channel: ShortChannelId, base: Msat, rate: Ppm) -> Outcome {
        let params = json!({
            "id": channel.to_string(),
            "feebase": base.get(),
            "feeppm": rate.get(),
            "enforcedelay": 0,
        });
        self.call("setchannel", &params).map(drop)
    }

    fn invoice(&self, amount: Msat) -> Outcome<String> {
        // A label is used once in a node's life.
        let count = self.call("listinvoices", &json!({}))?;
        let label = format!("harness {}", list(&count, "invoices").len());
        let params = json!({"amount_msat": amount.get(), "label": label, "description": "a test"});
        let answer = self.call("invoice", &params)?;
        Ok(text(&answer, "bolt11")?.to_owned())
    }

    fn pay(&self, invoice: &str) -> Outcome {
        self.call("xpay", &json!({"invstring": invoice})).map(drop)
    }

    fn send_message(&self, peer: NodeId, kind: u16, bytes: &[u8]) -> Outcome {
        let message = [&kind.to_be_bytes(), bytes].concat();
        let params = json!({"node_id": peer.to_string(), "msg": HEXLOWER.encode(&message)});
        self.call("sendcustommsg", &params).map(drop)
    }

    fn request(&self, method: &str, body: &Value) -> Outcome<Value> {
        match body {
            Value::Null => self.call(method, &json!({})),
            body => self.call(method, body),
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("lightningd.log")
    }

    fn as_cln(&self) -> Option<&Cln> {
        Some(self)
    }
}

fn channel(entry: &Value) -> Outcome<ChannelSeen> {
    let scid = entry.get("short_channel_id").and_then(Value::as_str);
    let state = text(entry, "state")?;
    let funding = text(entry, "funding_txid")?;
    let place = small(entry, "funding_outnum")?;
    Ok(ChannelSeen {
        peer: parsed(entry, "peer_id")?,
        scid: scid
            .map(str::parse)
            .transpose()
            .during("short_channel_id")?,
        capacity: msat(entry, "total_msat")?.to_sat_floor(),
        local: msat(entry, "to_us_msat")?,
        usable: state == "CHANNELD_NORMAL" && flag(entry, "peer_connected"),
        htlcs: list(entry, "htlcs").len(),
        funding: format!("{funding}:{place}"),
    })
}

fn policy(half: &Value) -> Outcome<PolicySeen> {
    Ok(PolicySeen {
        base: Msat::new(small(half, "base_fee_millisatoshi")?.into()),
        rate: Ppm::new(small(half, "fee_per_millionth")?),
        htlc_min: msat(half, "htlc_minimum_msat")?,
        htlc_max: msat(half, "htlc_maximum_msat")?,
        cltv_delta: small(half, "delay")?,
        disabled: !flag(half, "active"),
    })
}

fn msat(value: &Value, name: &str) -> Outcome<Msat> {
    let number = value.get(name).and_then(Value::as_u64).during(name)?;
    Ok(Msat::new(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_read() {
        let id = "0321c46967412b2bbe95f9c7491c08ba3080ff35ff36b306aa49b48958ffe0d955";
        let entry = json!({"peer_id": id, "state": "CHANNELD_NORMAL", "peer_connected": true,
            "short_channel_id": "451x1x0", "total_msat": 1_000_000_000, "to_us_msat": 900_000_000,
            "htlcs": [{}], "funding_txid": "aa", "funding_outnum": 1});
        let seen = channel(&entry).unwrap();
        assert_eq!(seen.capacity, Sat::new(1_000_000));
        assert_eq!(seen.funding, "aa:1");
        assert!(seen.usable && seen.htlcs == 1);
    }
}
