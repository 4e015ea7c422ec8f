//! Graphs from files, whichever of the known forms they have.

use crate::failure::Failure;
use bitcoin::hashes::{Hash, sha256};
use hive_planner::graph::Graph;
use hive_planner::load::{LoadError, Loaded, load_csv, load_describegraph, load_listchannels};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Nodes without which no fleet finds anything to do.
const NODES_MIN: usize = 20;

/// What every message about the wrong kind of file ends with.
const KNOWN_FORMS: &str = "name a folder with channels.csv and nodes.csv (.zst too), a file from \
    `lncli describegraph`, or the files from `lightning-cli listchannels` and `listnodes`";

/// `listnodes` of nobody: the channels name their ends, and names and addresses are only shown.
const NO_NODES: &str = "{\"nodes\":[]}";

/// A graph with what it was read from.
pub(crate) struct GraphFile {
    pub(crate) loaded: Loaded,
    pub(crate) sources: Vec<Source>,
}

/// A file that was read, told so that anybody can see whether they have the same.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// Over the file as it lies there, as `sha256sum` prints it.
    pub(crate) sha256: String,
}

/// Reads a graph for a fleet to live in.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Graph, Failure> {
    let file = load(paths)?;
    let nodes = file.loaded.graph.node_count();
    match nodes < NODES_MIN {
        true => Err(Failure::Graph {
            path: paths.first().cloned().unwrap_or_default(),
            reason: format!("only {nodes} nodes are in it; a graph needs {NODES_MIN} at least"),
        }),
        false => Ok(file.loaded.graph),
    }
}

/// Reads a graph: a folder with `channels.csv` and `nodes.csv` (or both with `.zst`), a file from
/// `lncli describegraph`, or two files, or a folder with them, from `lightning-cli listchannels` and
/// `listnodes`. JSON is told by what is in it, not by its name.
pub(crate) fn load(paths: &[PathBuf]) -> Result<GraphFile, Failure> {
    let [first, ..] = paths else {
        return Err(Failure::Usage(format!("no graph was named; {KNOWN_FORMS}")));
    };
    let mut reader = Reader::default();
    let loaded = match first.is_dir() {
        true => reader.folder(first),
        false => reader.json(first, paths.to_vec()),
    }?;
    let sources = reader.sources;
    Ok(GraphFile { loaded, sources })
}

/// Reads files and remembers which.
#[derive(Default)]
struct Reader {
    sources: Vec<Source>,
}

impl Reader {
    fn folder(&mut self, folder: &Path) -> Result<Loaded, Failure> {
        if let Some([nodes, channels]) = csv_files(folder) {
            let (nodes, channels) = (self.unpacked(&nodes)?, self.unpacked(&channels)?);
            let loaded = load_csv(nodes.as_slice(), channels.as_slice());
            return loaded.map_err(|error| damaged(folder, &error));
        }
        let listed = std::fs::read_dir(folder);
        let listed = listed.map_err(|reason| Failure::unreadable(folder, reason))?;
        let mut files: Vec<PathBuf> = listed
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .collect();
        files.sort();
        self.json(folder, files)
    }

    fn json(&mut self, named: &Path, files: Vec<PathBuf>) -> Result<Loaded, Failure> {
        let (mut channels, mut nodes) = (None, None);
        for path in files {
            let text = self.unpacked(&path)?;
            let keys: Keys = serde_json::from_slice(&text).map_err(|error| Failure::Graph {
                path: path.clone(),
                reason: format!(
                    "no whole JSON object ({error}); export it again, or {KNOWN_FORMS}"
                ),
            })?;
            if keys.edges.is_some() {
                let loaded = load_describegraph(text.as_slice());
                return loaded.map_err(|error| damaged(&path, &error));
            } else if keys.channels.is_some() {
                channels = Some(text);
            } else if keys.nodes.is_some() {
                nodes = Some(text);
            }
        }
        let wrong = |reason: String| Failure::Graph {
            path: named.into(),
            reason,
        };
        match (channels, nodes) {
            (Some(channels), nodes) => {
                let nodes = nodes.unwrap_or_else(|| NO_NODES.into());
                let loaded = load_listchannels(channels.as_slice(), nodes.as_slice());
                loaded.map_err(|error| damaged(named, &error))
            }
            (None, Some(_)) => Err(wrong(
                "these are the nodes of listnodes; name the file of listchannels too".into(),
            )),
            (None, None) => Err(wrong(format!("no graph is there; {KNOWN_FORMS}"))),
        }
    }

    /// A file's bytes, decompressed if its name says that it is compressed.
    fn unpacked(&mut self, path: &Path) -> Result<Vec<u8>, Failure> {
        let unreadable = |reason| Failure::unreadable(path, reason);
        let packed = std::fs::read(path).map_err(unreadable)?;
        self.sources.push(Source {
            path: path.into(),
            sha256: sha256::Hash::hash(&packed).to_string(),
        });
        if path.extension().is_none_or(|ending| ending != "zst") {
            return Ok(packed);
        }
        let mut bytes = Vec::new();
        let mut decoder =
            zstd::stream::read::Decoder::new(packed.as_slice()).map_err(unreadable)?;
        decoder.read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }
}

fn csv_files(folder: &Path) -> Option<[PathBuf; 2]> {
    let find = |stem: &str| {
        let names = [format!("{stem}.csv"), format!("{stem}.csv.zst")];
        let mut paths = names.iter().map(|name| folder.join(name));
        paths.find(|path| path.is_file())
    };
    Some([find("nodes")?, find("channels")?])
}

/// What of the three JSON forms a file is.
#[derive(Deserialize)]
struct Keys {
    edges: Option<IgnoredAny>,
    channels: Option<IgnoredAny>,
    nodes: Option<IgnoredAny>,
}

fn damaged(path: &Path, error: &LoadError) -> Failure {
    Failure::Graph {
        path: path.into(),
        reason: error.to_string(),
    }
}
