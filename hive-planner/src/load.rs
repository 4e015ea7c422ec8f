//! Graphs from the forms in which nodes and researchers keep them.
//!
//! The readers take bytes that are already open and already decompressed: opening files is the
//! caller's part.

mod about;
mod cln;
mod compact;
pub(crate) mod gossip;
mod lnd;
mod number;

pub use cln::load_listchannels;
pub use compact::load_csv;
pub use gossip::{ChannelUpdate, GossipStore, channel_update, load_gossip_store};
pub use lnd::load_describegraph;

use crate::graph::{BuildError, Graph, GraphBuilder};
use about::About;
use hive_types::NodeId;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use thiserror::Error;

/// A graph, what was left out of it, and what its nodes are said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The graph.
    pub graph: Graph,
    /// Channels from a node to itself, which were dropped.
    pub self_loops: usize,
    /// Nodes that lists of merchants name. Only the CSV form has marks.
    pub merchants: BTreeSet<NodeId>,
    /// The first two octets of each node's first public IPv4 address, for failures that take a whole
    /// network. Nodes that are reached by Tor or IPv6 alone have none.
    pub ip16: BTreeMap<NodeId, [u8; 2]>,
    /// The names that nodes give themselves, for people to read: at most 32 bytes, without control
    /// characters, not unique, and true only as far as a stranger's word is.
    pub aliases: BTreeMap<NodeId, String>,
}

impl Loaded {
    fn of(builder: GraphBuilder, about: About) -> Self {
        Self {
            self_loops: builder.self_loops(),
            graph: builder.build(),
            merchants: about.merchants,
            ip16: about.ip16,
            aliases: about.aliases,
        }
    }
}

/// Reads the whole text first: serde_json takes half as long over a slice as over a stream.
fn parse_json<T: DeserializeOwned>(
    input: &'static str,
    command: &'static str,
    mut json: impl Read,
) -> Result<T, LoadError> {
    let mut text = Vec::new();
    let read = json.read_to_end(&mut text).map_err(serde_json::Error::io);
    let parsed = read.and_then(|_| serde_json::from_slice(&text));
    parsed.map_err(|source| LoadError::Json {
        input,
        command,
        source,
    })
}

/// Why a graph could not be read.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The JSON is cut, malformed or of another shape; the source names line and column.
    #[error("{input} cannot be read: {source}; write it again with `{command}`")]
    Json {
        /// Which input.
        input: &'static str,
        /// What makes it.
        command: &'static str,
        /// Where and what.
        source: serde_json::Error,
    },
    /// The CSV is cut or malformed; the source names the line.
    #[error(
        "{input} cannot be read as CSV: {source}; check that the file is whole and decompressed"
    )]
    Csv {
        /// Which input.
        input: &'static str,
        /// Where and what.
        source: csv::Error,
    },
    /// The CSV has no such column.
    #[error("{input} has no column `{column}`; its first line must name the columns")]
    Column {
        /// Which input.
        input: &'static str,
        /// The missing column.
        column: &'static str,
    },
    /// One value is not what its place calls for.
    #[error(
        "{input}, {place}: `{field}` is {value:?}, expected {expected}; correct it or export the graph again"
    )]
    Field {
        /// Which input.
        input: &'static str,
        /// The line or the channel.
        place: String,
        /// The field or column.
        field: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// The parts contradict each other.
    #[error("{input}, {place}: {source}")]
    Inconsistent {
        /// Which input.
        input: &'static str,
        /// The line or the channel.
        place: String,
        /// What does not fit.
        source: BuildError,
    },
}
