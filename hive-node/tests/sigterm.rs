//! SIGTERM in the middle of writing. Alone in its process, for the signal goes to all of it.
#![allow(clippy::unwrap_used, reason = "tests")]

use hive_core::{Change, ChangeSet, Input, Output};
use hive_node::backend::LightningBackend;
use hive_node::clock::SystemClock;
use hive_node::driver::{Driver, Machine, Surroundings, stop_signal};
use hive_node::store::Store;
use hive_types::{Elapsed, Now};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

mod support;

/// Writes a pair of equal values at every tick, and ticks without end.
struct Writer {
    handed_out: Arc<AtomicU64>,
}

impl Machine for Writer {
    fn handle(&mut self, _: Now, input: Input<'_>) -> Vec<Output> {
        if !matches!(input, Input::Tick) {
            return Vec::new();
        }
        let count = self.handed_out.fetch_add(1, Ordering::SeqCst) + 1;
        let pair = ["left", "right"].map(|key| Change::Meta {
            key: key.into(),
            bytes: count.to_be_bytes().into(),
        });
        let changes = pair.into();
        vec![Output::Persist(ChangeSet { changes })]
    }

    fn next_wake(&self) -> Elapsed {
        Elapsed::ZERO
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t64_sigterm_finishes_the_write_and_closes_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path()).unwrap());
    let handed_out = Arc::new(AtomicU64::new(0));
    let machine = Writer {
        handed_out: handed_out.clone(),
    };
    let around = Surroundings {
        backend: support::FakeNode::new(None) as Arc<dyn LightningBackend>,
        clock: Arc::new(SystemClock::new(store.boot())),
        store,
    };
    let (_calls, receiver) = mpsc::channel(1);
    let stop = stop_signal().unwrap();
    let running = tokio::spawn(Driver::new(machine, around, receiver).run(stop));
    support::eventually("it writes", || handed_out.load(Ordering::SeqCst) > 3).await;
    let own = std::process::id().to_string();
    let killed = Command::new("kill").args(["-TERM", &own]).status().unwrap();
    assert!(killed.success());
    running.await.unwrap().unwrap();

    let last = handed_out.load(Ordering::SeqCst).to_be_bytes().to_vec();
    let wal = folder.path().join("hive.db-wal");
    support::eventually("the store is closed", || !wal.exists()).await;
    let meta = Store::open(folder.path()).unwrap().load().unwrap().meta;
    let expected = [
        ("left".to_owned(), last.clone()),
        ("right".to_owned(), last),
    ];
    assert_eq!(meta, expected, "what was handed out last is there, whole");
}
