//! How often members write what, and how much: `changes [MEMBERS] [HOURS]`. Per member and simulated
//! hour of a fleet without faults, by kind of change; the first two hours, in which it comes
//! together, are left out.

use hive_core::{Change, Command, Reply};
use hive_proto::codec;
use hive_sim::checkers::{Checker, Scene, Sight};
use hive_sim::fleet::{Fleet, member_config};
use hive_sim::generate::{GeneratorConfig, generate};
use hive_sim::world::{NodeSpec, TrafficConfig, World, WorldConfig};
use hive_types::{Capabilities, Millis, Msat, NodeId, Sat, Tier};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const WARM_UP: u64 = 2 * 3_600_000;

type Counts = BTreeMap<String, (u64, u64)>;

struct Count {
    from: u64,
    sums: Arc<Mutex<Counts>>,
}

impl Checker for Count {
    fn name(&self) -> &'static str {
        "counts"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, _: &mut Vec<String>) {
        let Sight::Persisted { agent, changes, .. } = sight else {
            return;
        };
        if scene.at.get() < self.from {
            return;
        }
        let own = scene.agent(*agent).node();
        let mut sums = self.sums.lock().expect("one thread");
        for change in &changes.changes {
            let (kind, bytes) = describe(change, &own);
            let sum = sums.entry(kind).or_default();
            *sum = (sum.0 + 1, sum.1 + bytes as u64);
        }
        let sum = sums.entry("(transactions)".to_owned()).or_default();
        sum.0 += 1;
    }
}

fn describe(change: &Change, own: &NodeId) -> (String, usize) {
    let whose = |author: &NodeId| if author == own { "own" } else { "fellow's" };
    match change {
        Change::Member(_) => ("member row".into(), 200),
        Change::ForgetMember(_) => ("member forgotten".into(), 0),
        Change::Record { author, bytes, key } => {
            let first = key.first().copied().unwrap_or_default();
            (format!("record {} key {first}", whose(author)), bytes.len())
        }
        Change::DropRecord { .. } => ("record dropped".into(), 0),
        Change::DropRecords { .. } => ("records dropped".into(), 0),
        Change::Author { bytes, .. } => ("author".into(), bytes.len()),
        Change::Decision { bytes, .. } => ("decision".into(), bytes.len()),
        Change::DropDecisionsBelow { .. } => ("decisions dropped".into(), 0),
        Change::Acceptor { bytes } => ("acceptor".into(), bytes.len()),
        Change::Action(action) => {
            let kind = format!("action {:?} {:?}", action.kind, action.state);
            (kind, codec::encode(action).len())
        }
        Change::ForgetAction(_) => ("action forgotten".into(), 0),
        Change::Gate(_) => ("gate".into(), 0),
        Change::SavedFee { .. } => ("saved fee".into(), 0),
        Change::ForgetFee { .. } => ("fee forgotten".into(), 0),
        Change::Audit(entry) => (format!("audit {}", entry.subject), entry.text.len()),
        Change::Meta { key, bytes } => (format!("meta {key}"), bytes.len()),
        other => (format!("other {other:?}").chars().take(30).collect(), 0),
    }
}

fn fleet(members: usize) -> Fleet {
    let seed = [7; 32];
    let graph = Arc::new(generate(&GeneratorConfig { nodes: 80, seed }));
    let config = WorldConfig {
        seed,
        ..WorldConfig::default()
    };
    let mut world = World::from_graph(&graph, config);
    let outside: Vec<NodeId> = graph.nodes().map(|(_, node)| node).collect();
    let mut nodes = Vec::new();
    for index in 0..members {
        let spec = NodeSpec::agent(Sat::new(8_000_000));
        let node = world.add_node(spec).expect("a new key");
        for peer in 0..4 {
            let peer = outside[(index * 7 + peer * 3) % outside.len()];
            let half = Msat::new(500_000_000);
            let made = world.settled_channel(node, peer, Sat::new(1_000_000), half);
            made.expect("both are there");
        }
        nodes.push(node);
    }
    for pair in nodes.windows(2) {
        let part = Msat::new(300_000_000);
        let made = world.settled_channel(pair[0], pair[1], Sat::new(1_000_000), part);
        made.expect("both are there");
    }
    world.set_traffic(Some(TrafficConfig {
        per_hour: 600,
        round_ms: 60_000,
        ..TrafficConfig::default()
    }));
    let mut fleet = Fleet::new(world, seed);
    for node in nodes {
        fleet.add(node, member_config(node));
    }
    fleet
}

fn come_together(fleet: &mut Fleet, members: usize) {
    fleet.command(0, Command::Init).expect("nobody founded yet");
    fleet.run_for(Millis::from_secs(5));
    for guest in 1..members {
        let invite = Command::Invite {
            tier: Tier::Full,
            guest: None,
            lifetime: Millis::from_hours(24),
            required: Capabilities::NONE,
        };
        if let Ok(Reply::Ticket(text)) = fleet.command(0, invite)
            && let Ok(ticket) = text.parse()
        {
            let _ = fleet.command(guest, Command::Join { ticket });
        }
        fleet.run_for(Millis::from_secs(10));
    }
    for guest in 3..members {
        let node = fleet.node(guest);
        for voter in 0..members {
            let _ = fleet.command(voter, Command::Vouch { node });
        }
        fleet.run_for(Millis::from_secs(20));
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |place: usize, or: u64| {
        let text = args.get(place);
        text.and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let (members, hours) = (number(1, 5), number(2, 24));
    let mut fleet = fleet(members as usize);
    let begun = fleet.now().get();
    let sums = Arc::new(Mutex::new(Counts::new()));
    fleet.watch_with(Box::new(Count {
        from: begun + WARM_UP,
        sums: sums.clone(),
    }));
    come_together(&mut fleet, members as usize);
    let end = begun + WARM_UP + hours * 3_600_000;
    let left = end.saturating_sub(fleet.now().get());
    fleet.run_for(Millis::new(left));
    let per = (members * hours) as f64;
    println!("{members} members, {hours} hours; per member and hour: changes, bytes of content");
    for (kind, (count, bytes)) in sums.lock().expect("one thread").iter() {
        let (count, bytes) = (*count as f64 / per, *bytes as f64 / per);
        println!("{count:9.2} {bytes:10.0}  {kind}");
    }
}
