//! Nodes of one simulated Lightning world as backends for real drivers, in virtual time.
//!
//! Everything runs on one thread. Time stands still while anybody has something to do, and jumps to the
//! next moment when nobody has: nothing is too slow for a time-out, and idle hours cost nothing.

mod backend;
mod clock;
mod money;
#[cfg(test)]
mod tests;

pub(crate) use backend::EmbeddedBackend;
pub(crate) use clock::{MemberClock, VirtualTime};

use hive_node::driver::blocking_jobs;
use hive_sim::world::World;
use hive_types::{NodeId, UnixMillis};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, watch};

/// The world, its time, and the bells of the nodes that somebody drives.
pub(crate) struct Ground {
    world: Mutex<World>,
    time: VirtualTime,
    bells: Mutex<BTreeMap<NodeId, Bell>>,
    /// Told whenever the thread has nothing left to do.
    still: Arc<Notify>,
}

/// Rings when a node has something to tell.
struct Bell {
    rings: watch::Sender<u64>,
    graph: u64,
}

impl Ground {
    /// A runtime of one thread, and a world that lives in its virtual time.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub(crate) fn new(world: World) -> io::Result<(Runtime, Arc<Self>)> {
        let still = Arc::new(Notify::new());
        let told = still.clone();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .on_thread_park(move || {
                if blocking_jobs() == 0 {
                    told.notify_one();
                }
            })
            .build()?;
        let ground = Self {
            time: VirtualTime::new(world.now()),
            world: Mutex::new(world),
            bells: Mutex::default(),
            still,
        };
        Ok((runtime, Arc::new(ground)))
    }

    /// Moves time on whenever nothing else is to be done. Never returns.
    pub(crate) async fn conduct(&self) {
        loop {
            self.still.notified().await;
            if blocking_jobs() > 0 {
                continue;
            }
            let world = self.world().next_event_at();
            let sleeper = self.time.next_sleeper();
            let next = world.into_iter().chain(sleeper).min();
            if let Some(next) = next {
                self.world().advance_to(next);
                self.time.set(next);
                self.ring();
            }
        }
    }

    /// The world. It is whole after every call into it.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Virtual time.
    pub(crate) const fn time(&self) -> &VirtualTime {
        &self.time
    }

    /// The moment.
    pub(crate) fn now(&self) -> UnixMillis {
        self.time.now()
    }

    /// A listener to what a node has to tell.
    pub(crate) fn listen(&self, node: NodeId) -> watch::Receiver<u64> {
        let mut bells = self.bells();
        let bell = bells.entry(node).or_insert_with(|| Bell {
            rings: watch::Sender::new(0),
            graph: 0,
        });
        bell.rings.subscribe()
    }

    /// Rings for every node that has events or hears of a changed graph. Called after each change.
    pub(crate) fn ring(&self) {
        let world = self.world();
        let mut bells = self.bells();
        for node in world.agents_with_events() {
            if let Some(bell) = bells.get(&node) {
                bell.rings.send_modify(|rings| *rings += 1);
            }
        }
        for (node, bell) in bells.iter_mut() {
            let graph = world.graph_version(*node).unwrap_or_default();
            if graph != bell.graph {
                bell.graph = graph;
                bell.rings.send_modify(|rings| *rings += 1);
            }
        }
    }

    fn bells(&self) -> MutexGuard<'_, BTreeMap<NodeId, Bell>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
