//! A chain and nodes on it, and what scenarios do with several nodes at once.

use crate::agent::{Agent, SharedClock};
use crate::chain::Chain;
use crate::failure::{Context, Outcome, ensure, wrong};
use crate::forwarding::Interceptor;
use crate::node::{Cln, Info, Kind, Lnd, Node, Open, PolicySeen};
use crate::process::Guard;
use crate::tools::Tools;
use crate::wait;
use hive_types::{Msat, NodeId, Sat, ShortChannelId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Blocks until a channel is announced (BOLT 7).
const ANNOUNCEMENT_DEPTH: u32 = 6;

/// A chain and nodes on it, in one folder. All of it ends with this value.
#[derive(Debug)]
pub struct World {
    // Dropped in this order: agents and interceptors go before their nodes.
    pub(crate) agents: BTreeMap<usize, Agent>,
    pub(crate) interceptors: Vec<Interceptor>,
    pub(crate) clock: SharedClock,
    nodes: Vec<Box<dyn Node>>,
    chain: Chain,
    guard: Arc<Guard>,
    tools: Tools,
    folder: PathBuf,
}

impl World {
    /// A chain without nodes, in a folder that the caller removes.
    ///
    /// # Errors
    /// When the chain does not come up.
    pub fn new(tools: &Tools, folder: &Path) -> Outcome<Self> {
        let guard = Guard::start(&tools.own)?;
        let chain = Chain::start(tools, &guard, &folder.join("btcd"))?;
        Ok(Self {
            agents: BTreeMap::new(),
            interceptors: Vec::new(),
            clock: SharedClock::from_environment()?,
            nodes: Vec::new(),
            chain,
            guard,
            tools: tools.clone(),
            folder: folder.into(),
        })
    }

    /// Adds nodes of these kinds, all started together, and returns once they are synced.
    ///
    /// # Errors
    /// When one does not come up, or there is none of its kind here.
    pub fn start(&mut self, kinds: &[Kind]) -> Outcome {
        for &kind in kinds {
            self.add(kind)?;
        }
        self.launch()
    }

    /// Starts the nodes that do not run, all together, and returns once they are synced.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn launch(&mut self) -> Outcome {
        let mut added: Vec<_> = self.nodes.iter_mut().collect();
        added.retain_mut(|node| !node.is_running());
        for node in &mut added {
            node.launch()?;
        }
        for node in &mut added {
            node.ready()?;
        }
        self.synced()
    }

    /// Adds a node that is not started, so that options can be set first. Gives its place.
    ///
    /// # Errors
    /// When there is none of its kind here.
    pub fn add(&mut self, kind: Kind) -> Outcome<usize> {
        let place = self.nodes.len();
        let name = format!("{kind}{place}");
        let folder = self.folder.join(&name);
        let (tools, guard, access) = (&self.tools, &self.guard, self.chain.access());
        let node: Box<dyn Node> = match kind {
            Kind::Lnd => Box::new(Lnd::new(name, folder, tools, guard, access)?),
            Kind::Cln => Box::new(Cln::new(name, folder, tools, guard, access)?),
        };
        self.nodes.push(node);
        Ok(place)
    }

    /// The chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The programs.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// What kills processes that outlive the harness.
    pub fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All nodes, in the order of their places.
    pub fn nodes(&self) -> &[Box<dyn Node>] {
        &self.nodes
    }

    /// The node at a place.
    ///
    /// # Panics
    /// When there is none: a mistake in the scenario.
    pub fn node(&self, place: usize) -> &dyn Node {
        let node = self.nodes.get(place);
        &**node.expect("a scenario names nodes that it added")
    }

    /// The node at a place, to start and stop it.
    ///
    /// # Panics
    /// When there is none: a mistake in the scenario.
    pub fn node_mut(&mut self, place: usize) -> &mut dyn Node {
        let node = self.nodes.get_mut(place);
        &mut **node.expect("a scenario names nodes that it added")
    }

    /// The id of the node at a place.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn id(&self, place: usize) -> Outcome<NodeId> {
        Ok(self.node(place).info()?.node_id)
    }

    /// Mines blocks and waits until every running node has them.
    ///
    /// # Errors
    /// When a node does not follow.
    pub fn mine(&self, blocks: u32) -> Outcome {
        self.chain.generate(blocks)?;
        self.synced()
    }

    /// Waits until every running node has the newest block and says that it is synced.
    ///
    /// # Errors
    /// When a node does not follow.
    pub fn synced(&self) -> Outcome {
        let height = self.chain.height()?;
        for node in self.nodes.iter().filter(|node| node.process().is_some()) {
            wait::until(format!("{} is at block {height}", node.name()), || {
                let Info {
                    height: at, synced, ..
                } = node.info()?;
                let seen = || format!("block {at}, synced: {synced}");
                ensure(at >= height && synced, seen)
            })?;
        }
        Ok(())
    }

    /// Gives a node confirmed on-chain money in one output.
    ///
    /// # Errors
    /// When it does not arrive.
    pub fn fund(&self, place: usize, amount: Sat) -> Outcome {
        self.fund_in(place, &[amount])
    }

    /// Gives a node confirmed on-chain money, each amount in an output of its own.
    ///
    /// # Errors
    /// When it does not arrive.
    pub fn fund_in(&self, place: usize, amounts: &[Sat]) -> Outcome {
        let node = self.node(place);
        let total: Sat = amounts.iter().copied().sum();
        let expected = node.on_chain()?.saturating_add(total);
        self.chain.pay(&node.new_address()?, amounts)?;
        self.mine(1)?;
        wait::until(format!("{} has {expected}", node.name()), || {
            let has = node.on_chain()?;
            ensure(has >= expected, || has.to_string())
        })
    }

    /// Links two nodes and waits until both see it.
    ///
    /// # Errors
    /// When the link does not come up.
    pub fn connect(&self, from: usize, to: usize) -> Outcome {
        let (dialling, dialled) = (self.node(from), self.node(to));
        let (own, peer) = (self.id(from)?, self.id(to)?);
        dialling.connect(peer, &dialled.address())?;
        for (node, other) in [(dialling, peer), (dialled, own)] {
            wait::until(format!("{} is linked with {other}", node.name()), || {
                let peers = node.peers()?;
                ensure(peers.contains(&other), || format!("{peers:?}"))
            })?;
        }
        Ok(())
    }

    /// Opens an announced channel, mines it in, and waits until both ends can use it and both have
    /// both directions in their graphs.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn open(
        &self,
        from: usize,
        to: usize,
        capacity: Sat,
        push: Sat,
    ) -> Outcome<ShortChannelId> {
        self.connect(from, to)?;
        let open = Open {
            peer: self.id(to)?,
            capacity,
            push,
            announce: true,
        };
        let funding = self.node(from).open(&open)?;
        self.confirm(&funding)?;
        let scid = self.usable(from, to, &funding)?;
        self.usable(to, from, &funding)?;
        for place in [from, to] {
            self.known(place, scid, &[from, to])?;
        }
        Ok(scid)
    }

    /// Mines a transaction in, deep enough for a channel to be announced.
    ///
    /// # Errors
    /// When it never reaches the mempool.
    pub fn confirm(&self, transaction: &str) -> Outcome {
        wait::until(format!("{transaction} waits for a block"), || {
            let waiting = self.chain.call("getrawmempool", &serde_json::json!([]))?;
            let waiting = waiting.to_string();
            ensure(waiting.contains(transaction), || waiting)
        })?;
        self.mine(ANNOUNCEMENT_DEPTH)
    }

    /// Waits until the end at `place` can use the channel with `peer` from this funding transaction.
    ///
    /// # Errors
    /// When it never can.
    pub fn usable(&self, place: usize, peer: usize, funding: &str) -> Outcome<ShortChannelId> {
        let node = self.node(place);
        let peer = self.id(peer)?;
        wait::until(format!("{} can use {funding}", node.name()), || {
            let channels = node.channels()?;
            let mut with = channels.iter().filter(|channel| channel.peer == peer);
            let found = with.find(|channel| channel.funding.starts_with(funding));
            match found.map(|channel| (channel.usable, channel.scid)) {
                Some((true, Some(scid))) => Ok(scid),
                _ => wrong(format!("{channels:?}")),
            }
        })
    }

    /// Waits until the graph of the node at `place` has the policies of these ends of a channel, and gives
    /// them in order.
    ///
    /// # Errors
    /// When it never has.
    pub fn known(
        &self,
        place: usize,
        channel: ShortChannelId,
        ends: &[usize],
    ) -> Outcome<Vec<PolicySeen>> {
        let node = self.node(place);
        let mut policies = Vec::new();
        for &end in ends {
            let from = self.id(end)?;
            let what = format!("{} knows the policy of {from} on {channel}", node.name());
            policies.push(wait::until(what, || {
                let policy = node.policy(channel, from)?;
                policy
                    .filter(|policy| !policy.disabled)
                    .during("no policy, or disabled")
            })?);
        }
        Ok(policies)
    }

    /// A payment by invoice, over whatever route the payer finds.
    ///
    /// # Errors
    /// When it fails.
    pub fn pay(&self, from: usize, to: usize, amount: Msat) -> Outcome {
        let invoice = self.node(to).invoice(amount)?;
        self.node(from).pay(&invoice)
    }

    /// Stops all agents, then all nodes, in order.
    ///
    /// # Errors
    /// When one had to be killed.
    pub fn stop(&mut self) -> Outcome {
        let beside: Vec<usize> = self.agents.keys().copied().collect();
        for place in beside {
            self.stop_agent(place)?;
        }
        for node in &mut self.nodes {
            node.stop()?;
        }
        Ok(())
    }

    /// The end of every log.
    pub fn tails(&self, lines: usize) -> String {
        let mut text = String::new();
        for node in &self.nodes {
            text.push_str(&format!("--- {}\n{}\n", node.name(), node.tail(lines)));
        }
        for agent in self.agents.values() {
            text.push_str(&format!("--- {}\n{}\n", agent.name(), agent.tail(lines)));
        }
        text.push_str(&format!("--- btcd\n{}\n", self.chain.tail(5)));
        text
    }
}
