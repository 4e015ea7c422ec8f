//! The node's file of gossip, opened and read.

use crate::limits::GRAPH_CHANNELS;
use hive_planner::graph::Graph;
use hive_planner::load::{GossipStore, load_gossip_store};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How often a file that was replaced while it was read is opened again.
const REOPENINGS: u32 = 3;

/// The file gives no graph.
#[derive(Debug, Error)]
pub(super) enum StoreError {
    #[error("{}: {reason}", path.display())]
    Io { path: PathBuf, reason: io::Error },
    #[error("{} has version {version}, which is not known; look for a newer Hive", path.display())]
    Version { path: PathBuf, version: u8 },
    #[error(
        "{} holds more than {most} channels, too many to be held in memory beside the node. Nothing is planned; all else goes on. If this is the public network's, look for a newer Hive",
        path.display()
    )]
    TooLarge { path: PathBuf, most: usize },
    #[error("{} was replaced again and again while it was read", .0.display())]
    Restless(PathBuf),
}

/// Reads the graph from the file, and how many records made no sense.
pub(super) fn read_file(path: &Path) -> Result<(Graph, usize), StoreError> {
    read_bounded(path, GRAPH_CHANNELS)
}

fn read_bounded(path: &Path, most: usize) -> Result<(Graph, usize), StoreError> {
    let failed = |reason| StoreError::Io {
        path: path.into(),
        reason,
    };
    let at = path.to_path_buf();
    for _ in 0..REOPENINGS {
        let file = File::open(path).map_err(failed)?;
        let from = BufReader::with_capacity(1 << 20, file);
        match load_gossip_store(from, most).map_err(failed)? {
            GossipStore::Whole { graph, skipped } => return Ok((graph, skipped)),
            GossipStore::Replaced => {}
            GossipStore::TooLarge => return Err(StoreError::TooLarge { path: at, most }),
            GossipStore::Unknown(version) => {
                return Err(StoreError::Version { path: at, version });
            }
        }
    }
    Err(StoreError::Restless(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three channels, as lightningd v26.06.6 wrote them.
    const FILE: &[u8] = include_bytes!("../../../hive-planner/tests/data/gossip_store");

    #[test]
    fn files_are_read_bounded_and_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gossip_store");
        assert!(matches!(read_file(&path), Err(StoreError::Io { .. })));
        std::fs::write(&path, FILE).unwrap();
        let (graph, skipped) = read_file(&path).unwrap();
        assert_eq!((graph.channel_count(), skipped), (3, 0));
        let told = read_bounded(&path, 2).unwrap_err().to_string();
        assert!(
            told.contains("more than 2 channels") && told.contains("Nothing is planned"),
            "{told}"
        );
        std::fs::write(&path, [0x30]).unwrap();
        let told = read_file(&path).unwrap_err().to_string();
        assert!(told.contains("version 48"), "{told}");
    }

    #[test]
    fn a_file_that_ended_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gossip_store");
        // A record of type 4105, which says that the file has ended, with its checksum.
        let ended = [
            16, 0x20, 0, 0, 2, 0xb6, 0x16, 0x5d, 0x9f, 0, 0, 0, 0, 0x10, 0x09,
        ];
        std::fs::write(&path, ended).unwrap();
        assert!(matches!(read_file(&path), Err(StoreError::Restless(_))));
    }
}
