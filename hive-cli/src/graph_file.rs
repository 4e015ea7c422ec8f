//! Graphs from files, whichever of the known forms they have.

use crate::failure::Failure;
use hive_planner::graph::Graph;
use hive_planner::load::{LoadError, Loaded, load_csv, load_describegraph, load_listchannels};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Nodes without which no fleet finds anything to do.
const NODES_MIN: usize = 20;

/// Reads a graph: a folder with `channels.csv` and `nodes.csv` (or both with `.zst`), a file from
/// `lncli describegraph`, or two files, or a folder with them, from `lightning-cli listchannels` and
/// `listnodes`. JSON is told by what is in it, not by its name.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Graph, Failure> {
    let [first, ..] = paths else {
        return Err(Failure::Usage("no graph was named".into()));
    };
    let loaded = match first.is_dir() {
        true => read_folder(first),
        false => read_json(first, paths.to_vec()),
    }?;
    let nodes = loaded.graph.node_count();
    if nodes < NODES_MIN {
        return Err(Failure::Graph {
            path: first.clone(),
            reason: format!("only {nodes} nodes are in it; a graph needs {NODES_MIN} at least"),
        });
    }
    Ok(loaded.graph)
}

fn read_folder(folder: &Path) -> Result<Loaded, Failure> {
    if let Some([nodes, channels]) = csv_files(folder) {
        let loaded = load_csv(open(&nodes)?, open(&channels)?);
        return loaded.map_err(|error| damaged(folder, &error));
    }
    let listed = std::fs::read_dir(folder).map_err(|reason| Failure::unreadable(folder, reason))?;
    let mut files: Vec<PathBuf> = listed
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    read_json(folder, files)
}

fn csv_files(folder: &Path) -> Option<[PathBuf; 2]> {
    let find = |stem: &str| {
        let names = [format!("{stem}.csv"), format!("{stem}.csv.zst")];
        let mut paths = names.iter().map(|name| folder.join(name));
        paths.find(|path| path.is_file())
    };
    Some([find("nodes")?, find("channels")?])
}

fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    let file = File::open(path).map_err(|reason| Failure::unreadable(path, reason))?;
    if path.extension().is_some_and(|ending| ending == "zst") {
        let unpacked = zstd::stream::read::Decoder::new(file);
        let unpacked = unpacked.map_err(|reason| Failure::unreadable(path, reason))?;
        return Ok(Box::new(BufReader::new(unpacked)));
    }
    Ok(Box::new(BufReader::new(file)))
}

/// What of the three JSON forms a file is.
#[derive(Deserialize)]
struct Keys {
    edges: Option<IgnoredAny>,
    channels: Option<IgnoredAny>,
    nodes: Option<IgnoredAny>,
}

fn read_json(named: &Path, files: Vec<PathBuf>) -> Result<Loaded, Failure> {
    let (mut channels, mut nodes) = (None, None);
    for path in files {
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|reason| Failure::unreadable(&path, reason))?;
        let keys: Keys = serde_json::from_str(&text).map_err(|error| Failure::Graph {
            path: path.clone(),
            reason: format!("no JSON object ({error}); write the graph to it again"),
        })?;
        if keys.edges.is_some() {
            return load_describegraph(text.as_bytes()).map_err(|error| damaged(&path, &error));
        } else if keys.channels.is_some() {
            channels = Some(text);
        } else if keys.nodes.is_some() {
            nodes = Some(text);
        }
    }
    match (channels, nodes) {
        (Some(channels), Some(nodes)) => load_listchannels(channels.as_bytes(), nodes.as_bytes())
            .map_err(|error| damaged(named, &error)),
        (Some(_), None) => Err(Failure::Graph {
            path: named.into(),
            reason: "these are the channels of listchannels; name the file of listnodes too".into(),
        }),
        (None, Some(_)) => Err(Failure::Graph {
            path: named.into(),
            reason: "these are the nodes of listnodes; name the file of listchannels too".into(),
        }),
        (None, None) => Err(Failure::Graph {
            path: named.into(),
            reason: "no graph is there; name a folder with channels.csv and nodes.csv, or files \
                     from describegraph, or from listchannels and listnodes"
                .into(),
        }),
    }
}

fn damaged(path: &Path, error: &LoadError) -> Failure {
    Failure::Graph {
        path: path.into(),
        reason: error.to_string(),
    }
}
