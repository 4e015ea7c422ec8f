//! A Lightning node under the harness's hands, of either implementation.

mod cln;
mod json;
mod lnd;
mod plugin;

pub use cln::Cln;
pub use lnd::Lnd;
pub use plugin::Hold;
pub(crate) use plugin::{NAME as CHAIN_PLUGIN, run as chain_plugin};

use crate::failure::Outcome;
use crate::process::tail;
use hive_types::{BlockHeight, Msat, NodeId, Ppm, Sat, ShortChannelId};
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};

/// Which implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// LND.
    Lnd,
    /// Core Lightning.
    Cln,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lnd => "lnd",
            Self::Cln => "cln",
        })
    }
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Its id.
    pub node_id: NodeId,
    /// The block that it has processed.
    pub height: BlockHeight,
    /// Whether it says that it is synced.
    pub synced: bool,
    /// Its version, as it says it.
    pub version: String,
}

/// A channel as its node shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSeen {
    /// The other end.
    pub peer: NodeId,
    /// Its place in the chain, once it has one.
    pub scid: Option<ShortChannelId>,
    /// Its size.
    pub capacity: Sat,
    /// The node's own balance.
    pub local: Msat,
    /// Whether payments can pass.
    pub usable: bool,
    /// HTLCs on it.
    pub htlcs: usize,
    /// The funding outpoint, `txid:output`.
    pub funding: String,
}

/// One direction of a channel as a node's graph shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicySeen {
    /// Base fee.
    pub base: Msat,
    /// Proportional fee.
    pub rate: Ppm,
    /// The smallest HTLC.
    pub htlc_min: Msat,
    /// The largest HTLC.
    pub htlc_max: Msat,
    /// Blocks of timelock.
    pub cltv_delta: u32,
    /// Whether the direction is switched off.
    pub disabled: bool,
}

/// What scenarios do with a node. Requests go to the node at once and fail at once; waiting is the
/// [`World`](crate::World)'s.
pub trait Node: Send + Sync + fmt::Debug {
    /// Its name in this run, such as `lnd0`.
    fn name(&self) -> &str;

    /// Which implementation it is.
    fn kind(&self) -> Kind;

    /// Its folder.
    fn folder(&self) -> &Path;

    /// Where its peers reach it, `host:port`.
    fn address(&self) -> String;

    /// Starts it, in the folder that it had before if it had one. Returns once it answers requests.
    ///
    /// # Errors
    /// When it does not come up.
    fn start(&mut self) -> Outcome {
        self.launch()?;
        self.ready()
    }

    /// As [`Node::start`], without waiting: nodes that start together come up together.
    ///
    /// # Errors
    /// When it can't be run.
    fn launch(&mut self) -> Outcome;

    /// Waits until a launched node answers requests.
    ///
    /// # Errors
    /// When it does not come up.
    fn ready(&mut self) -> Outcome;

    /// Stops it in order and waits until nothing of it runs.
    ///
    /// # Errors
    /// When it had to be killed.
    fn stop(&mut self) -> Outcome;

    /// Kills it with all that it started (SIGKILL).
    fn kill(&mut self);

    /// Whether its process runs.
    fn is_running(&mut self) -> bool;

    /// Its process id while it runs.
    fn process(&self) -> Option<u32>;

    /// The options it is started with from now on, besides the harness's own.
    fn set_options(&mut self, options: Vec<String>);

    /// The plugin that it starts by itself from now on; LND has none.
    fn set_plugin(&mut self, _path: Option<&str>) {}

    /// What it says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    fn info(&self) -> Outcome<Info>;

    /// A fresh on-chain address.
    ///
    /// # Errors
    /// When it does not answer.
    fn new_address(&self) -> Outcome<String>;

    /// Confirmed on-chain money.
    ///
    /// # Errors
    /// When it does not answer.
    fn on_chain(&self) -> Outcome<Sat>;

    /// Dials a peer. A link that stands already is no error.
    ///
    /// # Errors
    /// When the peer can't be reached.
    fn connect(&self, peer: NodeId, address: &str) -> Outcome;

    /// Drops the link to a peer.
    ///
    /// # Errors
    /// When the node refuses.
    fn disconnect(&self, peer: NodeId) -> Outcome;

    /// The peers with a link.
    ///
    /// # Errors
    /// When it does not answer.
    fn peers(&self) -> Outcome<Vec<NodeId>>;

    /// Opens a channel; it is usable some blocks later. Gives the funding transaction's id.
    ///
    /// # Errors
    /// When the node refuses.
    fn open(&self, open: &Open) -> Outcome<String>;

    /// Its channels, those that wait for blocks included.
    ///
    /// # Errors
    /// When it does not answer.
    fn channels(&self) -> Outcome<Vec<ChannelSeen>>;

    /// The policy of `from`'s end of a channel, as this node's graph shows it; none while it shows none.
    ///
    /// # Errors
    /// When it does not answer.
    fn policy(&self, channel: ShortChannelId, from: NodeId) -> Outcome<Option<PolicySeen>>;

    /// Sets the fees of its own end of a channel.
    ///
    /// # Errors
    /// When the node refuses.
    fn set_fees(&self, channel: ShortChannelId, base: Msat, rate: Ppm) -> Outcome;

    /// An invoice.
    ///
    /// # Errors
    /// When the node refuses.
    fn invoice(&self, amount: Msat) -> Outcome<String>;

    /// Pays an invoice and waits for the end.
    ///
    /// # Errors
    /// When the payment fails.
    fn pay(&self, invoice: &str) -> Outcome;

    /// Sends a message of any type to a peer.
    ///
    /// # Errors
    /// When there is no link.
    fn send_message(&self, peer: NodeId, kind: u16, bytes: &[u8]) -> Outcome;

    /// Any request by name: a REST path on LND (GET where `body` is null), a method on Core Lightning.
    ///
    /// # Errors
    /// What the node says.
    fn request(&self, method: &str, body: &Value) -> Outcome<Value>;

    /// Its log.
    fn log(&self) -> PathBuf;

    /// The end of its log.
    fn tail(&self, lines: usize) -> String {
        tail(&self.log(), lines)
    }

    /// The LND, if it is one.
    fn as_lnd(&self) -> Option<&Lnd> {
        None
    }

    /// The LND, if it is one, to change how it starts.
    fn as_lnd_mut(&mut self) -> Option<&mut Lnd> {
        None
    }

    /// The Core Lightning node, if it is one.
    fn as_cln(&self) -> Option<&Cln> {
        None
    }
}

/// A channel to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// To whom. There is a link.
    pub peer: NodeId,
    /// Its size.
    pub capacity: Sat,
    /// What the other end gets of it at once.
    pub push: Sat,
    /// Whether the network hears of it.
    pub announce: bool,
}
